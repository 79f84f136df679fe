"""Bare forces, and one evaluation in a minimisation: `ipl12` in 2D, one core, this build against another.

    python tools/benchmarks/evaluation.py [--against CHECKOUT] [--rounds 3]
    tools/launch 2 .venv/bin/python tools/benchmarks/evaluation.py --ranks

The glass of the tests (N = 10 000, at rest), a quarter of it, cut out and relaxed, and four copies side by side. Each is
strained by 1e-5; then either minimiser makes 400 evaluations on its way back. "evaluation / force" is what such an evaluation
takes in units of a bare force of the same build. CPU seconds, the best of five; the sides in turns, each in a process of its own;
ratios are those of the two sides of a round, medians over rounds.

`--ranks`: wall time of an evaluation on one rank, and on all, of which as many have particles as the stages of a run would let.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, machine, table

EVALUATIONS = 400
METHODS = ("fire", "cg")


def best(work: Callable[[], object], repeats: int) -> float:
    """Least CPU seconds of a call."""
    found = []
    for _ in range(repeats):
        before = time.process_time()
        work()
        found.append(time.process_time() - before)
    return min(found)


def glass(root: Path, number: int, comm: Any = None) -> Any:
    """A glass of so many particles, by the build at `root`; on this rank alone without `comm`."""
    sys.path[:0] = [str(root), str(root / "tests")]
    from glasses import arrays, system
    from mpi4py import MPI

    from hpcglass.moves.minimise import minimise

    model, box, position, diameter, species = arrays("ipl12-2d-N10000")
    whole, times = len(position), 2 if number < 100_000 else 4
    if number < whole:
        box, inside = box / times, (np.linalg.solve(box, position.T).T % 1.0 < 1.0 / times).all(axis=1)
        position, diameter, species = position[inside], diameter[inside], species[inside]
    elif number > whole:
        position = np.concatenate([position + box @ [a, b] for a in range(times) for b in range(times)])
        box, diameter, species = times * box, np.tile(diameter, times**2), np.tile(species, times**2)
    result = system(comm or MPI.COMM_SELF, model, box, position, diameter, species)
    if number < whole:
        minimise(result, "cg", 1e-6)
    return result


def costs(root: Path, number: int) -> dict[str, Any]:
    """CPU seconds of a bare force and of an evaluation by either minimiser."""
    system = glass(root, number)
    from hpcglass.geometries.periodic import deformation, simple_shear
    from hpcglass.landscape.forces import forces
    from hpcglass.moves.minimise import minimise

    def strain() -> None:
        system.deform(deformation(simple_shear(2, "xy"), 1e-5))

    strain()
    minimise(system, "fire", 0.0, 2)                                        # compiled, and brought up to date
    row: dict[str, Any] = {"particles": system.n_total}
    row["force"] = best(lambda: [forces(system, reuse=True) for _ in range(50)], 5) / 50
    for name in METHODS:
        minimise(system, name, 0.0, EVALUATIONS)
        strain()
        row[name] = best(partial(minimise, system, name, 0.0, EVALUATIONS), 5) / EVALUATIONS
    return row


def on_ranks() -> None:
    """One rank and all in turns; each time the best of five."""
    from mpi4py import MPI

    from hpcglass.geometries.periodic import deformation, simple_shear
    from hpcglass.moves.minimise import minimise

    world, rows = MPI.COMM_WORLD, []
    for number in (2500, 10_000, 40_000, 160_000):
        alone, together = glass(ROOT, number), glass(ROOT, number, world)
        together.concentrate()
        for name in METHODS:
            seconds: dict[str, list[float]] = {"one": [], "all": []}
            for turn in range(6):
                for side, system in (("one", alone), ("all", together)):
                    system.deform(deformation(simple_shear(2, "xy"), 1e-5))
                    world.Barrier()
                    before = time.perf_counter()
                    if side == "all" or world.rank == 0:
                        minimise(system, name, 0.0, EVALUATIONS // 4)
                    world.Barrier()
                    if turn:        # the first one compiles
                        seconds[side].append((time.perf_counter() - before) / (EVALUATIONS // 4))
            one, several = min(seconds["one"]), min(seconds["all"])
            rows.append([together.n_total, name, f"{1e6 * one:.0f}", f"{1e6 * several:.0f}", together.working,
                         f"{one / several:.2f}"])
    if world.rank == 0:
        print(machine(), "\n")
        print(table(["N", "method", "one rank, µs", f"{world.size} ranks, µs", "at work", "ratio"], rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="another checkout of this repository")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ranks", action="store_true", help="one rank against all of this run")
    parser.add_argument("--side", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ranks:
        on_ranks()
        return
    if options.side:
        print(json.dumps([costs(options.side, number) for number in (2500, 10_000, 40_000)]))
        return
    roots = [options.against.resolve(), ROOT] if options.against else [ROOT]
    found: list[list[list[dict[str, Any]]]] = []
    for _ in range(options.rounds):
        found.append([])
        for root in roots:
            done = subprocess.run([sys.executable, str(Path(__file__)), "--side", str(root)], check=True, stdout=subprocess.PIPE,
                                  text=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root), "OPENBLAS_NUM_THREADS": "1"})
            found[-1].append(json.loads(done.stdout.splitlines()[-1]))
    rows = []
    for k, row in enumerate(found[0][0]):
        for s, name in enumerate(("other", "this") if len(roots) > 1 else ("this",)):
            cells = [[turn[s][k][what] for turn in found] for what in ("force", *METHODS)]
            ratios = [np.median([turn[s][k][what] / turn[0][k][what] for turn in found]) for what in ("force", *METHODS)]
            rows.append([row["particles"], name, *[f"{1e6 * np.median(cell):.0f}" for cell in cells],
                         *[f"{np.median(np.divide(cell, cells[0])):.2f}" for cell in cells[1:]],
                         *([f"{ratio:.2f}" for ratio in ratios] if len(roots) > 1 else [])])
    print(machine(), "\n")
    print(table(["N", "build", "force, µs", *[f"{name}, µs" for name in METHODS],
                 *[f"{name} evaluation / force" for name in METHODS],
                 *(["force / other", *[f"{name} / other" for name in METHODS]] if len(roots) > 1 else [])], rows))


if __name__ == "__main__":
    main()

"""Elastic steps of quasistatic shear: following the branch against descents with FIRE, 2D ipl12, N = 10 000, one core.

    python tools/benchmarks/aqs.py [--steps 30] [--fire 6] [--events]
    python tools/benchmarks/aqs.py --falls 0.02 [--against ANOTHER_CHECKOUT] [--rounds 1]

The glass of the tests, from rest, strain steps of 1e-4 and 1e-5; both ways see the same states, and a few steps of FIRE are timed
in between those along the branch, so that the ratio does not depend on how busy the machine is. Steps in which a branch ends are
counted apart: their descents cost the same either way. `--events`: where the branches end, by `moves.fold.locate`, and its price.

`--falls`: the whole stage `shear`, in steps of 1e-4 to a strain, falls and their judgement included. User CPU seconds after
kernels are compiled; with `--against` the same by another checkout, sides in turns, and whether both find the same events.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, machine, table
from mpi4py import MPI

from hpcglass.core.system import System
from hpcglass.geometries.periodic import deformation, simple_shear
from hpcglass.moves.quasistatic.branch import COUNTED, Branch
from hpcglass.moves.quasistatic.fold import locate
from hpcglass.moves.relax import to_minimum

SHEAR = simple_shear(2, "xy")
TOLERANCE, MANY = 1e-10, 2_000_000
COSTS = ("falls", "refused", "evaluations", "solves", "factorisations")


def start(name: str, root: Path = ROOT) -> System:
    """A reference glass at rest."""
    sys.path.insert(0, str(root / "tests"))
    from glasses import glass

    system = glass(MPI.COMM_SELF, name)
    to_minimum(system, "fire", TOLERANCE, MANY)
    return system


def elastic(system: System, step: float, steps: int, fire: int) -> list[object]:
    """A row of the table: costs per elastic step along the branch, and of FIRE."""
    branch = Branch(system, SHEAR, "fire", TOLERANCE, MANY)
    spent = dict.fromkeys(COUNTED, 0)
    seconds, plain, evaluations, falls = [], [], [], 0
    timed = set(np.linspace(0, steps - 1, fire).astype(int).tolist())
    for k in range(steps):
        before, counts = system.state(), branch.counts.copy()
        clock = time.perf_counter()
        if branch.advance(step) is None:
            branch.fall(step)
            falls += 1
            continue
        seconds.append(time.perf_counter() - clock)
        spent = {name: spent[name] + branch.counts[name] - counts[name] for name in COUNTED}
        if k in timed:
            twin = System.from_state(system.comm, system.model, *before)
            clock = time.perf_counter()
            twin.deform(deformation(SHEAR, step))
            report, mechanics = to_minimum(twin, "fire", TOLERANCE, MANY)
            plain.append(time.perf_counter() - clock)
            evaluations.append(report.evaluations)
            assert abs(mechanics.energy - branch.mechanics.energy) < 1e-8, "the two ways differ"
    branch.finish()
    n = max(len(seconds), 1)
    return [f"{step:g}", len(seconds), falls, f"{spent['evaluations'] / n:.1f}", f"{spent['solves'] / n:.1f}",
            f"{spent['factorisations'] / n:.2f}", f"{1e3 * np.mean(seconds):.1f}", f"{1e3 * np.median(seconds):.1f}",
            f"{np.mean(evaluations):.0f}", f"{1e3 * np.mean(plain):.0f}", f"{np.mean(plain) / np.mean(seconds):.1f}",
            f"{np.median(plain) / np.median(seconds):.1f}"]


def ends(system: System, count: int) -> list[list[object]]:
    """Where the first branches end, and what finding it costs."""
    branch = Branch(system, SHEAR, "fire", TOLERANCE, MANY)
    rows: list[list[object]] = []
    strain, step = 0.0, 1e-4
    while len(rows) < count:
        before = system.state()
        if branch.advance(step) is None:
            twin = System.from_state(system.comm, system.model, *before)
            clock = time.perf_counter()
            fold = locate(twin, SHEAR, step)
            took = time.perf_counter() - clock
            energy = branch.passed[-1].energy
            clock = time.perf_counter()
            _, mechanics = branch.fall(step)
            if fold is not None:
                rows.append([f"{strain + fold.strain:.14f}", f"{fold.eigenvalue:.0e}", f"{fold.participation:.3f}",
                             f"{energy - mechanics.energy:.2e}", f"{took:.1f}", f"{time.perf_counter() - clock:.1f}"])
        strain += step
    return rows


def whole_loading(root: Path, strain: float) -> dict[str, Any]:
    """What a loading by the stage `shear` of this process costs, and what it finds."""
    from hpcglass.stages.shear.params import ShearParams
    from hpcglass.stages.shear.run import Shear

    result: dict[str, Any] = {}
    for name, end in (("ipl12-2d", 0.017), ("ipl12-2d-N10000", strain)):        # the first one compiles: it has an event
        system = start(name, root)
        from recorder import Recorder

        recorder = Recorder()
        clock = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        Shear(ShearParams(strain_step=1e-4, max_strain=end, method="branch", event_frames=False)).run(system, recorder)
        result = {"seconds": resource.getrusage(resource.RUSAGE_SELF).ru_utime - clock, "energy": recorder.results["energy"],
                  "events": [[row["step"], row["energy_drop"]] for row in recorder.tables["events"]],
                  **{name: int(recorder.results[f"count_{name}"]) for name in COSTS}}
    return result


def with_falls(sides: list[Path], strain: float, rounds: int) -> list[list[object]]:
    """Rows of the table of whole loadings; ratios to the last side, which is another checkout."""
    rows: list[list[object]] = []
    for _ in range(rounds):
        found: list[dict[str, Any]] = []
        for side in reversed(sides):
            done = subprocess.run([sys.executable, str(Path(__file__)), "--side", str(side), "--falls", f"{strain}"], check=True,
                                  stdout=subprocess.PIPE, text=True, cwd=side, env={**os.environ, "PYTHONPATH": str(side)})
            found.append(json.loads(done.stdout.splitlines()[-1]))
        for name, one in zip(("other", "this") if len(sides) > 1 else ("this",), found, strict=True):
            same = [row[0] for row in one["events"]] == [row[0] for row in found[0]["events"]]
            apart = max([abs(a[1] - b[1]) for a, b in zip(one["events"], found[0]["events"], strict=False)], default=0.0)
            rows.append([name, f"{one['seconds']:.1f}", f"{one['seconds'] / found[0]['seconds']:.2f}", len(one["events"]),
                         "the same" if same else "OTHERS", f"{apart:.0e}", f"{abs(one['energy'] - found[0]['energy']):.0e}",
                         *[one[cost] for cost in COSTS]])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--fire", type=int, default=6, help="steps of which FIRE is timed too")
    parser.add_argument("--events", action="store_true")
    parser.add_argument("--falls", type=float, metavar="STRAIN", help="whole loadings to this strain")
    parser.add_argument("--against", type=Path, help="another checkout of this repository")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--side", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(whole_loading(options.side, options.falls)))
        return
    print(machine())
    if options.falls:
        sides = [ROOT, *([options.against.resolve()] if options.against else [])]
        print(table(["build", "user CPU s", "ratio", "events", "steps of events", "energy drops apart", "energy at the end apart",
                     *COSTS], with_falls(sides, options.falls, options.rounds)))
        return
    warm = start("ipl12-2d")                # compiles
    elastic(warm, 1e-4, 3, 2)
    system = start("ipl12-2d-N10000")
    state = system.state()
    rows = []
    for step in (1e-4, 1e-5):
        system.restore(*state)
        rows.append(elastic(system, step, options.steps, options.fire))
    print(table(["step", "elastic", "ends", "evaluations", "solves", "factorisations", "mean ms", "median ms", "FIRE evaluations",
                 "FIRE ms", "ratio of means", "of medians"], rows))
    if options.events:
        system.restore(*state)
        print(table(["gamma_c", "eigenvalue", "participation", "energy drop", "located in s", "descent s"], ends(system, 3)))


if __name__ == "__main__":
    main()

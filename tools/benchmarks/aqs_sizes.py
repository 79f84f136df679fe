"""Strain steps of large glasses, 2D ipl12: where following the branch stops paying, and descents on several ranks.

    python tools/benchmarks/aqs_sizes.py [--particles 1000 10000 ...] [--strain-steps 1e-3 1e-4 1e-5] [--steps 20] [--fire 4]
    tools/launch 2 python tools/benchmarks/aqs_sizes.py --ranks [--particles 100000] [--fire 3]

First: user CPU time per step of the branch, falls and factors included, and of FIRE in some of the same steps, in between.
Second: wall time of the same descents on all ranks and on one, in turns, while the other ranks sleep.
"""

from __future__ import annotations

import argparse
import resource
import time
from typing import Any

import numpy as np
from common import machine, table
from cooled import MANY, TOLERANCE, glass
from mpi4py import MPI
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.geometries.periodic import deformation, simple_shear
from hpcglass.moves.quasistatic.branch import Branch
from hpcglass.moves.quasistatic.choice import branch_pays
from hpcglass.moves.relax import to_minimum

SHEAR = simple_shear(2, "xy")


def user() -> float:
    """User CPU seconds of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def descend(system: System, step: float) -> int:
    """An affine step and a descent; force evaluations."""
    system.deform(deformation(SHEAR, step))
    return to_minimum(system, "fire", TOLERANCE, MANY)[0].evaluations


def both_ways(system: System, step: float, steps: int, fire: int) -> list[object]:
    """A row of the first table."""
    timed = set(np.linspace(0, steps - 1, fire).astype(int).tolist())
    spent, plain, evaluations = 0.0, [], []
    clock = user()
    branch = Branch(system, SHEAR, "fire", TOLERANCE, MANY)
    spent += user() - clock
    for k in range(steps):
        if k in timed:
            twin = System.from_state(system.comm, system.model, *system.state())
            clock = user()
            evaluations.append(descend(twin, step))
            plain.append(user() - clock)
        clock = user()
        if branch.advance(step) is None:
            branch.fall(step)
        spent += user() - clock
    counts = branch.counts
    branch.finish()
    ours, theirs = spent / steps, float(np.mean(plain))
    return [system.n_total, f"{step:g}", counts["falls"], counts["refused"], f"{counts['solves'] / steps:.1f}",
            f"{counts['factorisations'] / steps:.2f}", f"{1e3 * ours:.1f}", f"{np.mean(evaluations):.0f}", f"{1e3 * theirs:.1f}",
            f"{theirs / ours:.1f}", "branch" if branch_pays(system.n_total, 2, step) else "fire"]


def asleep(comm: MPI.Comm) -> None:
    """Wait for rank 0 without keeping a core busy."""
    request = comm.Ibarrier()
    while not request.Test():
        time.sleep(0.02)


def speed_up(comm: MPI.Comm, particles: int, cooling: int, step: float, repeats: int) -> list[list[object]]:
    """Rows of the second table, on rank 0."""
    together = glass(comm, "ipl12", particles, cooling)
    particles_of_all = whole(together)
    alone = System(MPI.COMM_SELF, together.model, together.box, particles_of_all) if comm.rank == 0 else None
    descend(together, step)                 # compiles
    rows: list[list[object]] = []
    for _ in range(repeats):
        seconds, evaluations = [], []
        if alone is not None:
            clock = time.perf_counter()
            evaluations.append(descend(alone, step))
            seconds.append(time.perf_counter() - clock)
        asleep(comm)
        clock = time.perf_counter()
        evaluations.append(descend(together, step))
        seconds.append(time.perf_counter() - clock)
        if alone is not None:
            each = [second / n for second, n in zip(seconds, evaluations, strict=True)]
            rows.append([particles, f"{step:g}", *evaluations, *[f"{second:.2f}" for second in seconds],
                         *[f"{1e3 * second:.2f}" for second in each], f"{each[0] / each[1]:.2f}"])
    return rows


def whole(system: System) -> dict[str, NDArray[Any]]:
    """All particles on rank 0, none on the others. Collective."""
    rows = system.configuration()
    names = list(rows)
    target = np.zeros(system.n_owned, dtype=np.int64)
    return dict(zip(names, ranks.send_rows(system.comm, target, *[rows[name] for name in names]), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", action="store_true", help="the second table")
    parser.add_argument("--particles", type=int, nargs="+")
    parser.add_argument("--strain-steps", type=float, nargs="+", default=[1e-3, 1e-4, 1e-5])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--fire", type=int, default=4, help="steps of which FIRE is timed")
    parser.add_argument("--cooling", type=int, default=20_000, help="time steps")
    options = parser.parse_args()
    comm = MPI.COMM_WORLD
    rows: list[list[object]] = []
    if options.ranks:
        for particles in options.particles or [100_000]:
            rows += speed_up(comm, particles, options.cooling, 1e-4, options.fire)
        head = ["N", "step", "evaluations, 1 rank", f"{comm.size} ranks", "s, 1 rank", f"{comm.size} ranks",
                "ms per evaluation, 1 rank", f"{comm.size} ranks", "speed-up per evaluation"]
    else:
        both_ways(glass(MPI.COMM_SELF, "ipl12", 200, 20), 1e-4, 2, 1)            # compiles
        for particles in options.particles or [1000, 10_000, 50_000, 200_000]:
            system = glass(MPI.COMM_SELF, "ipl12", particles, options.cooling)
            start = system.state()
            for step in options.strain_steps:
                system.restore(*start)
                rows.append(both_ways(system, step, options.steps, options.fire))
        head = ["N", "step", "falls", "refused", "solves per step", "factorisations per step", "branch, ms per step",
                "FIRE: evaluations", "ms", "FIRE / branch", "auto takes"]
    if comm.rank == 0:
        print(machine(), "\n")
        print(table(head, rows))


if __name__ == "__main__":
    main()

"""Inflation of a core: descents by forces alone against those that end with factors of the Hessian, as the stage has them.

    python tools/benchmarks/inflation.py [--model ipl12 --density 1.0 --r-out 80] [--sizes 0.05 0.1 0.2]

A glass between walls (r_in = 0.65) is made by 100 sweeps of swap Monte Carlo at T = 0.5 and a quench; from its minimum the core
is inflated by each size, and the glass minimised to max|F| <= 1e-8 of the force scale both ways, in turns. "apart" is the
largest distance between the two displacements. CPU seconds.
"""

from __future__ import annotations

import argparse
import time
from functools import partial

import numpy as np
from common import machine, table
from mpi4py import MPI

from hpcglass.config import SystemParams
from hpcglass.core.system import System
from hpcglass.moves.landing import NEAR_CORE, land_alone
from hpcglass.moves.relax import to_minimum
from hpcglass.moves.start import build
from hpcglass.moves.swap.run import SwapMonteCarlo
from hpcglass.potentials.library import MODELS

R_IN, TOLERANCE, MOST = 0.65, 1e-8, 1_000_000
WAYS = {"forces": to_minimum, "factors": partial(land_alone, near=NEAR_CORE)}


def glass(model: str, density: float, r_out: float) -> System:
    """At its minimum."""
    params = SystemParams(model=model, dimension=2, density=density, r_in=R_IN, r_out=r_out)
    system = build(MPI.COMM_SELF, params, MODELS[model], seed=1)
    chain = SwapMonteCarlo(system, 0.5, 0.2, 0.1, seed=1)
    for number in range(5):
        chain.sub_sweep(number, 20)
    chain.store()
    land_alone(system, "cg", TOLERANCE, MOST)
    return system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="ipl12")
    parser.add_argument("--density", type=float, default=1.0)
    parser.add_argument("--r-out", type=float, default=80.0)
    parser.add_argument("--sizes", type=float, nargs="+", default=[0.05, 0.1, 0.2])
    options = parser.parse_args()
    for way in WAYS.values():                               # compile
        way(glass(options.model, options.density, 10.0), "cg", TOLERANCE, MOST)
    start = glass(options.model, options.density, options.r_out)
    rows: list[list[object]] = []
    for size in options.sizes:
        found: dict[str, tuple[int, float, np.ndarray]] = {}
        for name, way in WAYS.items():
            system = start.renewed()
            assert system.walls is not None
            system.walls = system.walls.inflated(R_IN + size)
            before = time.process_time()
            report, _ = way(system, "cg", TOLERANCE, MOST)
            seconds, order = time.process_time() - before, np.argsort(system.id[: system.n_owned])
            found[name] = report.evaluations, seconds, system.unwrapped()[order]
        (few, fast, here), (many, slow, there) = found["factors"], found["forces"]
        rows.append([size, many, few, f"{slow:.1f}", f"{fast:.1f}", f"{slow / fast:.1f}", f"{np.abs(here - there).max():.0e}"])
    print(f"{options.model}, density {options.density:g}, r_out = {options.r_out:g}, N = {start.n_total}; {machine()}\n")
    print(table(["d_0", "evaluations, forces", "with factors", "CPU s, forces", "with factors", "ratio", "apart"], rows))


if __name__ == "__main__":
    main()

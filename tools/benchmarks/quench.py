"""Force evaluations of a quench and of an elastic shear step: `ipl12` in 2D, N = 10 000, to max|F| <= 1e-10.

    python tools/benchmarks/quench.py [--particles 10000]

The liquid is equilibrated by swap Monte Carlo at T = 0.12 (200 sweeps from a random start), then quenched by either method from
the same configuration; the glass is then strained by 1e-4 and minimised again. "force" is one bare force evaluation in
the same run, so that the last column says what the minimiser costs besides.
"""

from __future__ import annotations

import argparse
import time

from common import machine, table
from mpi4py import MPI

from hpcglass.config import SystemParams
from hpcglass.core.system import System
from hpcglass.geometries.periodic import deformation, simple_shear
from hpcglass.landscape.forces import evaluate, forces
from hpcglass.moves.methods import METHODS
from hpcglass.moves.minimise import minimise
from hpcglass.moves.start import build
from hpcglass.moves.swap.run import SwapMonteCarlo
from hpcglass.potentials.library import MODELS


def liquid(particles: int) -> System:
    """Equilibrated for 200 sweeps at T = 0.12."""
    params = SystemParams(model="ipl12", particles=particles, density=1.0, aspect=(1.0, 1.0))
    system = build(MPI.COMM_SELF, params, MODELS["ipl12"], seed=1)
    chain = SwapMonteCarlo(system, 0.12, 0.2, 0.1, seed=1)
    for number in range(10):
        chain.sub_sweep(number, 20)
    chain.store()
    return system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--particles", type=int, default=10_000)
    options = parser.parse_args()
    start, rows = liquid(options.particles), []
    for method in METHODS:
        minimise(start.renewed(), method, 1e-10, max_evaluations=20)      # compile
        system = start.renewed()
        for what in ("quench from T = 0.12", "elastic step of 1e-4"):
            before = time.perf_counter()
            report = minimise(system, method, 1e-10)
            seconds = time.perf_counter() - before
            tick = time.perf_counter()
            for _ in range(50):
                forces(system)
            bare = (time.perf_counter() - tick) / 50
            energy = evaluate(system).energy / system.n_total
            rows.append([what, method, report.evaluations, f"{seconds:.2f}", f"{energy:.9f}",
                         f"{seconds / report.evaluations / bare:.2f}"])
            system.deform(deformation(simple_shear(2, "xy"), 1e-4))
    print(machine(), "\n")
    print(table(["what", "method", "force evaluations", "seconds", "energy per particle", "time per evaluation / force"], rows))


if __name__ == "__main__":
    main()

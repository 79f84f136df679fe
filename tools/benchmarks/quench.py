"""Force evaluations of a quench and of an elastic shear step: `ipl12` in 2D, N = 10 000, to max|F| <= 1e-10.

    python tools/benchmarks/quench.py [--particles 10000]

The liquid is equilibrated by swap Monte Carlo at T = 0.12 (200 sweeps from a random start), then quenched by either method from
the same configuration; the glass is then strained by 1e-4 and minimised again. "force" is one bare force evaluation in
the same run, so that a column says what the minimiser costs besides. "cg, factors" is what the stage `quench` does: the end
comes by factors of the Hessian (`moves.landing`); the last columns compare time and minimum with plain "cg". CPU seconds.
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
from hpcglass.moves.landing import land_alone
from hpcglass.moves.methods import METHODS
from hpcglass.moves.minimise import Report, minimise
from hpcglass.moves.relax import force_scale
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


def descend(system: System, way: str, tolerance: float, most: int = 2_000_000) -> Report:
    """To max|F| <= tolerance [energy/length]."""
    if way in METHODS:
        return minimise(system, way, tolerance, most)
    return land_alone(system, "cg", tolerance / force_scale(evaluate(system)), most)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--particles", type=int, default=10_000)
    options = parser.parse_args()
    start, rows, plain = liquid(options.particles), [], {}
    for way in (*METHODS, "cg, factors"):
        descend(start.renewed(), way, 1e-5)                     # compile
        system = start.renewed()
        for what in ("quench from T = 0.12", "elastic step of 1e-4"):
            before = time.process_time()
            report = descend(system, way, 1e-10)
            seconds = time.process_time() - before
            tick = time.process_time()
            for _ in range(50):
                forces(system)
            bare = (time.process_time() - tick) / 50
            energy = evaluate(system).energy / system.n_total
            if way == "cg":
                plain[what] = seconds, energy
            compared = [f"{seconds / plain[what][0]:.2f}", f"{abs(energy - plain[what][1]):.0e}"] if what in plain else ["", ""]
            rows.append([what, way, report.evaluations, f"{seconds:.2f}", f"{energy:.9f}",
                         f"{seconds / report.evaluations / bare:.2f}", *compared])
            system.deform(deformation(simple_shear(2, "xy"), 1e-4))
    print(machine(), "\n")
    print(table(["what", "method", "force evaluations", "CPU s", "energy per particle", "time per evaluation / force", "/ cg",
                 "energies apart"], rows))


if __name__ == "__main__":
    main()

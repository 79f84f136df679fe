"""Force evaluations of a quench and of an elastic shear step: `ipl12` in 2D, N = 10 000, to max|F| <= 1e-10.

    python tools/benchmarks/quench.py [--model ipl10 --dimension 3 --temperature 0.6] [--particles 10000] [--ways cg quench]

The liquid is equilibrated by swap Monte Carlo (200 sweeps from a random start), then quenched by each way from
the same configuration; the glass is then strained by 1e-4 and minimised again. "force" is one bare force evaluation in
the same run, so that a column says what the minimiser costs besides. "quench" is what the stage of that name does: in large
glasses "pcg" once forces are small (`moves.medium`), in two dimensions the end by factors of the Hessian (`moves.landing`). The
last columns compare time and minimum with plain "cg". CPU seconds.
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
from hpcglass.moves.quasistatic.choice import landing_pays
from hpcglass.moves.relax import LARGE, force_scale, to_minimum
from hpcglass.moves.start import build
from hpcglass.moves.swap.run import SwapMonteCarlo
from hpcglass.potentials.library import MODELS


def liquid(particles: int, model: str = "ipl12", dimension: int = 2, temperature: float = 0.12) -> System:
    """Equilibrated for 200 sweeps."""
    params = SystemParams(model=model, dimension=dimension, particles=particles, density=MODELS[model].density[dimension],
                          aspect=(1.0,) * dimension)
    system = build(MPI.COMM_SELF, params, MODELS[model], seed=1)
    chain = SwapMonteCarlo(system, temperature, 0.2, 0.1, seed=1)
    for number in range(10):
        chain.sub_sweep(number, 20)
    chain.store()
    return system


def descend(system: System, way: str, tolerance: float, most: int = 2_000_000) -> Report:
    """To max|F| <= tolerance [energy/length]."""
    if way in METHODS:
        return minimise(system, way, tolerance, most)
    pays = landing_pays(system.n_total, system.dimension)
    return (land_alone if pays else to_minimum)(system, "cg", tolerance / force_scale(evaluate(system)), most)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--particles", type=int, default=10_000)
    parser.add_argument("--model", default="ipl12")
    parser.add_argument("--dimension", type=int, default=2)
    parser.add_argument("--temperature", type=float, default=0.12)
    parser.add_argument("--ways", nargs="+", default=[*METHODS, "quench"])
    options = parser.parse_args()
    start = liquid(options.particles, options.model, options.dimension, options.temperature)
    small = liquid(min(options.particles, LARGE), options.model, options.dimension, options.temperature)
    rows: list[list[object]] = []
    plain: dict[str, tuple[float, float]] = {}
    for way in options.ways:
        descend(small.renewed(), way, 1e-5)                     # compile
        system = start.renewed()
        for what in ("quench of a liquid", "elastic step of 1e-4"):
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
            system.deform(deformation(simple_shear(options.dimension, "xy"), 1e-4))
    print(f"{options.model} in {options.dimension}D, N = {options.particles}; {machine()}\n")
    print(table(["what", "method", "force evaluations", "CPU s", "energy per particle", "time per evaluation / force", "/ cg",
                 "energies apart"], rows))


if __name__ == "__main__":
    main()

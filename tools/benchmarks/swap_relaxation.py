"""How long a liquid takes to forget, in CPU time: trajectories and the ladder against single moves, in turns in one run.

    python tools/benchmarks/swap_relaxation.py [--model ipl12] [--dimension 2] [--particles 1000] [--temperature 0.12]
    mpirun -n 2 python tools/benchmarks/swap_relaxation.py --particles 100000

Both chains start from the same liquid, equilibrated by trajectories in a quarter of the time, and go on for --minutes of CPU time
each. Decay times of the overlap (|dr| < 0.3) and of the sizes to 1/e, with errors from origins (`moves/swap/decay`), are
multiplied by the CPU time of a sweep, all ranks together, all of a sub-sweep included. A ratio has the error of both.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from common import machine, table
from mpi4py import MPI

from hpcglass.config import SystemParams
from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.moves.start import build
from hpcglass.moves.swap.decay import OVERLAP, PARTICLES, SIZE, Decays
from hpcglass.moves.swap.run import SwapMonteCarlo
from hpcglass.potentials.library import MODELS

SWEEPS = 20         # of a sub-sweep


class Side:
    """One of the two chains, its clock and its decays."""

    def __init__(self, name: str, chain: SwapMonteCarlo) -> None:
        self.name, self.chain, self.decays = name, chain, Decays()
        self.cpu, self.sweeps, self.number, self.counts = 0.0, 0, 0, np.zeros(6)
        self.decays.add(chain.some(PARTICLES))
        self.energies: list[float] = []

    def work(self, seconds: float) -> None:
        """Go on for so much CPU time of this rank."""
        spent = 0.0
        while not ranks.largest(self.chain.comm, float(spent > seconds)):
            begin = time.process_time()
            tally = self.chain.sub_sweep(1000 + self.number, SWEEPS, self.number % 10 == 0)
            spent += time.process_time() - begin
            self.decays.add(self.chain.some(PARTICLES))
            self.counts += tally.counts
            self.number += 1
            if tally.measured:
                self.energies.append(tally.measured.energy / self.chain.system.n_total)
        self.cpu += ranks.total(self.chain.comm, spent)

    @property
    def cost(self) -> float:
        """CPU microseconds of a sweep, per particle."""
        return self.cpu / self.number / SWEEPS / self.chain.system.n_total * 1e6


def tuned(chain: SwapMonteCarlo, first: int) -> None:
    """Warm up for 40 short sub-sweeps."""
    for number in range(first, first + 40):
        chain.tune(chain.sub_sweep(number, 5), number - first)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="ipl12")
    parser.add_argument("--dimension", type=int, default=2)
    parser.add_argument("--particles", type=int, default=1000)
    parser.add_argument("--density", type=float, help="that of the model if it has one")
    parser.add_argument("--temperature", type=float, default=0.12)
    parser.add_argument("--minutes", type=float, default=4.0, help="CPU time of each chain and rank")
    options = parser.parse_args()
    comm, model, d = MPI.COMM_WORLD, MODELS[options.model], options.dimension
    params = SystemParams(model=options.model, dimension=d, particles=options.particles, aspect=(1.0,) * d,
                          density=options.density or model.density[d])
    liquid = build(comm, params, model, seed=1)
    before = SwapMonteCarlo(liquid, options.temperature, 0.2, 0.02, 5, True)
    tuned(before, 0)
    warm = Side("", before)
    warm.work(15 * options.minutes)
    before.store()
    sides = []
    for name, trajectories, step in (("single moves", False, 0.1), ("trajectories", True, before.step)):
        chain = SwapMonteCarlo(copy(liquid), options.temperature, 0.2, step, 7, trajectories)
        tuned(chain, 0)
        chain.sub_sweep(900, SWEEPS)
        sides.append(Side(name, chain))
    for _ in range(30):
        for side in sides:
            side.work(2 * options.minutes)
    rows = []
    for side in sides:
        row: list[object] = [side.name, f"{side.cost * 1e3:.0f}", f"{side.counts[0] / side.counts[1]:.2f}",
                             f"{side.counts[2] / max(side.counts[3], 1):.2f}", f"{np.mean(side.energies):.4f}"]
        for what in (SIZE, OVERLAP):
            found, base = side.decays.time(what), sides[0].decays.time(what)
            ratio = base.value * sides[0].cost / (found.value * side.cost)
            error = ratio * np.hypot(found.error / found.value, base.error / base.value)
            row += [f"{found.value * SWEEPS:.0f}({found.error * SWEEPS:.0f})", f"{found.value * SWEEPS * side.cost:.0f}",
                    "1" if side is sides[0] else f"{ratio:.2f}({error:.2f})"]
        rows.append([*row, f"{side.number / max(side.decays.time(what).value for what in (SIZE, OVERLAP)):.0f}"])
    if comm.rank == 0:
        print(f"{options.model} in {d}D, N = {options.particles}, T = {options.temperature:g}, {comm.size} rank"
              f"{'s' if comm.size > 1 else ''}; {machine()}\n")
        head = ["", "CPU of a sweep, ns per particle", "accepted", "exchanged", "E/N", "tau of sizes, sweeps", "us per particle",
                "ratio", "tau of overlap, sweeps", "us per particle", "ratio", "decay times in the run"]
        print(table(head, rows))


def copy(system: System) -> System:
    """Another system in the same state."""
    return System.from_state(system.comm, system.model, *system.state())


if __name__ == "__main__":
    main()

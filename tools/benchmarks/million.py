"""A million particles: set-up, force evaluation and memory, in 2D (`ipl12`) and 3D (`ipl10`).

    tools/launch 1 .venv/bin/python tools/benchmarks/million.py
    tools/launch 2 .venv/bin/python tools/benchmarks/million.py [--particles 1000000] [--dimension 2]
    tools/launch 4 .venv/bin/python tools/benchmarks/million.py --messages

The particles sit on a lattice, displaced by a tenth of its spacing; the number of pairs is that of a glass at that density.
`--messages` tells what an evaluation of the forces sends: neighbouring ranks, ghosts that come from them, bytes, and the least
time of an exchange, of a sum over all ranks, and of the forces themselves. Counts depend on the number of ranks alone, times on
whether each has a core.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from common import machine, peak_memory, table
from mpi4py import MPI

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.landscape.forces import evaluate, forces
from hpcglass.potentials.library import MODELS

REPEATS = 5
CASES = {2: "ipl12", 3: "ipl10"}


def build(comm: MPI.Comm, dimension: int, particles: int) -> System:
    """A perturbed square or cubic lattice of about `particles` particles, each rank making its own rows."""
    model = MODELS[CASES[dimension]]
    side = round(particles ** (1 / dimension))
    total = side**dimension
    length = (total / model.density[dimension]) ** (1 / dimension)
    first, last = ranks.block(total, comm.size, comm.rank)
    ids = np.arange(first, last)
    random = np.random.default_rng(comm.rank)
    cells = np.stack(np.unravel_index(ids, (side,) * dimension), axis=1)
    position = (cells + 0.5 + random.uniform(-0.1, 0.1, cells.shape)) * (length / side)
    low, high = model.sizes.bounds
    uniform = random.uniform(size=ids.size)
    diameter = 1 / np.sqrt((1 - uniform) / low**2 + uniform / high**2)      # p(D) ~ D^-3
    return System(comm, model, length * np.eye(dimension),
                  {"id": ids, "position": position, "diameter": diameter, "species": np.zeros(ids.size, dtype=np.int32)})


def slowest(comm: MPI.Comm, before: float) -> float:
    """Seconds since `before` on the slowest rank."""
    return float(ranks.largest(comm, time.perf_counter() - before))


def measure(comm: MPI.Comm, dimension: int, particles: int) -> list[str]:
    build(comm, dimension, 3000)                # compile
    evaluate(build(comm, dimension, 3000))
    idle = float(ranks.total(comm, peak_memory(reset=True)))
    before = time.perf_counter()
    system = build(comm, dimension, particles)
    setup = slowest(comm, before)
    evaluate(system)
    before = time.perf_counter()
    for _ in range(REPEATS):
        system.update()
        forces(system)
    evaluation = slowest(comm, before) / REPEATS
    before = time.perf_counter()
    system.rebuild()
    rebuild = slowest(comm, before)
    memory = float(ranks.total(comm, peak_memory())) - idle
    pairs = int(ranks.total(comm, system.pairs.index.size))
    return [f"{dimension}D `{CASES[dimension]}`", f"{system.n_total}", f"{comm.size}", f"{setup:.2f}", f"{rebuild:.2f}",
            f"{evaluation * 1e3:.0f}", f"{evaluation / system.n_total * 1e9 * comm.size:.0f}", f"{pairs / system.n_total:.1f}",
            f"{memory / system.n_total:.0f}"]


def least(comm: MPI.Comm, step: Callable[[], object], repeats: int = 20) -> float:
    """Shortest time of a step that all ranks begin together [s]."""
    times = []
    for _ in range(repeats):
        comm.Barrier()
        before = time.perf_counter()
        step()
        times.append(slowest(comm, before))
    return min(times)


def messages(comm: MPI.Comm, dimension: int, particles: int) -> list[str]:
    """What is sent for one evaluation, by the busiest rank."""
    system = build(comm, dimension, particles)
    evaluate(system)
    halo = system.halo
    others = [back.stop - back.start for _, _, back in halo._peers]
    ghosts, peers = (int(ranks.largest(comm, value)) for value in (sum(others), len(others)))
    width = ghosts / (system.n_total / comm.size) ** (1 - 1 / dimension)
    exchange = least(comm, lambda: system.forward(system.displacement))
    return [f"{dimension}D `{CASES[dimension]}`", f"{system.n_total}", f"{comm.size}", f"{peers}", f"{ghosts}", f"{width:.1f}",
            f"{8e-3 * dimension * ghosts:.0f}", f"{exchange * 1e3:.2f}",
            f"{1e6 * least(comm, lambda: ranks.total(comm, 1.0)):.0f}", f"{1e3 * least(comm, lambda: forces(system), 5):.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--particles", type=int, default=1_000_000)
    parser.add_argument("--dimension", type=int, choices=(2, 3), help="only this one")
    parser.add_argument("--messages", action="store_true", help="what an evaluation sends")
    options = parser.parse_args()
    comm = MPI.COMM_WORLD
    dimensions = [options.dimension] if options.dimension else [2, 3]
    if options.messages:
        rows = [messages(comm, dimension, options.particles) for dimension in dimensions]
        if comm.rank == 0:
            print(machine(), "\n")
            print(table(["model", "N", "ranks", "neighbours", "ghosts from them", "over (N/ranks)^(1-1/d)", "kB", "exchange [ms]",
                         "sum over ranks [µs]", "forces [ms]"], rows))
        return
    rows = [measure(comm, dimension, options.particles) for dimension in dimensions]
    if comm.rank == 0:
        print(machine(), "\n")
        print(table(["model", "N", "ranks", "set-up [s]", "list rebuild [s]", "forces [ms]", "forces [ns x ranks / particle]",
                     "listed pairs / particle", "memory [bytes / particle]"], rows))


if __name__ == "__main__":
    main()

"""Swap Monte Carlo against the plain cell-list version, in one run: ns per attempted move, list builds included.

    python tools/benchmarks/swap.py                       speed at N = 10^4, 9 10^4, 10^6
    mpirun -n 2 python tools/benchmarks/swap.py ranks     share of migration and MPI, efficiency
    mpirun -n 4 python tools/benchmarks/swap.py energy [sweeps] [seed] [trajectories]     N = 256 at T = 0.3, thermometers

2D ipl12, T = 0.12, 20 % exchanges, step 0.1. CPU times: waiting for a shared core does not count.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import swap_plain as plain
from common import machine, table
from mpi4py import MPI

from hpcglass.core import comm as ranks
from hpcglass.core import random
from hpcglass.core.random import Stream
from hpcglass.core.system import System
from hpcglass.moves.swap.run import SwapMonteCarlo
from hpcglass.potentials.library import MODELS

MODEL = MODELS["ipl12"]
TEMPERATURE, STEP, EXCHANGE = 0.12, 0.1, 0.2


def lattice(side: int) -> tuple[np.ndarray, np.ndarray]:
    """side^2 particles on a square lattice, diameters at the quantiles of their distribution, shuffled."""
    n = side * side
    x = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2) + 0.5
    low, high = MODEL.sizes.bounds
    u = (np.arange(n) + 0.5) / n
    d = (low**-2 - u * (low**-2 - high**-2)) ** -0.5
    return x, d[random.permutation(1, Stream.SHUFFLE, 0, n)]


def system(comm: MPI.Comm, x: np.ndarray, d: np.ndarray, box: float) -> System:
    """Rows dealt out to ranks in blocks."""
    first, last = ranks.block(len(d), comm.size, comm.rank)
    own = slice(first, last)
    return System(comm, MODEL, np.eye(2) * box, {"id": np.arange(len(d))[own], "position": x[own], "diameter": d[own],
                                                 "species": np.zeros(last - first, dtype=np.int32)})


def liquid(sweeps: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """10^4 particles after a jump from a lattice to T = 0.12."""
    glass = system(MPI.COMM_SELF, *lattice(100), 100.0)
    chain = SwapMonteCarlo(glass, TEMPERATURE, EXCHANGE, STEP, 5)
    for number in range(sweeps // 20):
        chain.sub_sweep(number, 20)
    chain.store()
    return glass.position, glass.diameter[: glass.n_owned].copy()


def tiled(x: np.ndarray, d: np.ndarray, copies: int) -> tuple[np.ndarray, np.ndarray]:
    """copies x copies periodic images of a 100 x 100 box, in the order of cells of side 4."""
    x = np.concatenate([x + 100.0 * np.array([a, b]) for a in range(copies) for b in range(copies)]) % (100.0 * copies)
    d = np.tile(d, copies * copies)
    order = np.lexsort((x[:, 1] // 4, x[:, 0] // 4))
    return np.ascontiguousarray(x[order]), np.ascontiguousarray(d[order])


def plain_cost(x: np.ndarray, d: np.ndarray, box: float, attempts: int) -> float:
    """ns per attempt of the plain version."""
    x, d = x % box, d.copy()
    cells = int(box // (1.25 * d.max()))
    members, count = np.zeros((cells * cells, plain.ROOM), np.int64), np.zeros(cells * cells, np.int64)
    plain.make_cells(x, box, cells, members, count)
    c = dict(zip(MODEL.potential.segments[0].powers, MODEL.potential.segments[0].coefficients, strict=True))
    tag, low = random.counter(Stream.SWAP_MOVES, 0)
    fixed = (box, members, count, cells, (c[0], c[2], c[4]), TEMPERATURE, STEP, int(EXCHANGE * 2**32), random.key(1), tag, low,
             np.uint64(0))
    plain.run(x, d, *fixed, 0, 1000)
    begin = time.process_time()
    plain.run(x, d, *fixed, 1000, 1000 + attempts)
    return (time.process_time() - begin) / attempts * 1e9


def own_cost(chain: SwapMonteCarlo, number: int) -> float:
    """ns per attempt of one sub-sweep of 20 sweeps, all included."""
    begin = time.process_time()
    counts = chain.sub_sweep(number, 20).counts
    return (time.process_time() - begin) / (counts[1] + counts[3]) * 1e9


def speed() -> None:
    """Table of costs and ratios; the two take turns."""
    x0, d0 = liquid()
    rows, base = [], 0.0
    for copies, turns in ((1, 9), (3, 3), (10, 1)):
        x, d = tiled(x0, d0, copies)
        chain = SwapMonteCarlo(system(MPI.COMM_SELF, x, d, 100.0 * copies), TEMPERATURE, EXCHANGE, STEP, 1)
        chain.sub_sweep(0, 1)
        costs = [(plain_cost(x, d, 100.0 * copies, max(len(d), 200_000)), own_cost(chain, 1 + turn)) for turn in range(turns)]
        naive, own = np.median(costs, axis=0)
        base = base or own
        rows.append((f"{len(d):,}", f"{naive:.0f}", f"{own:.0f}", f"{naive / own:.1f}", f"{own / base:.2f}",
                     chain.zone.n_regions))
    print(machine())
    print(table(("N", "plain, ns", "hpcglass, ns", "ratio", "to N = 10^4", "regions"), rows))


def timed(chain: SwapMonteCarlo, *methods: str) -> list[float]:
    """Wrap methods of a chain; returns where their CPU time is summed."""
    spent = [0.0]

    def wrap(method):  # type: ignore[no-untyped-def]
        def call(*arguments):  # type: ignore[no-untyped-def]
            begin = time.process_time()
            try:
                return method(*arguments)
            finally:
                spent[0] += time.process_time() - begin
        return call

    for name in methods:
        setattr(chain, name, wrap(getattr(chain, name)))
    return spent


def parallel() -> None:
    """Cost on P ranks against one rank of the same kernel, N = 9 10^4."""
    comm = MPI.COMM_WORLD
    x, d = tiled(*liquid(100), 3) if comm.rank == 0 else (None, None)
    x, d = ranks.broadcast(comm, x), ranks.broadcast(comm, d)
    chain = SwapMonteCarlo(system(comm, x, d, 300.0), TEMPERATURE, EXCHANGE, STEP, 1)
    chain.sub_sweep(0, 1)
    clock = {name: timed(chain, *methods) for name, methods in (("migration and ghosts", ("_migrate", "_with_ghosts")),
                                                                ("moves and lists", ("_visit_regions", "_far_exchanges")))}
    begin, attempts = time.process_time(), 0
    for number in range(1, 9):
        counts = chain.sub_sweep(number, 20).counts
        attempts += int(counts[1] + counts[3])
    cpu = ranks.total(comm, time.process_time() - begin)
    parts = {name: ranks.total(comm, spent[0]) / attempts * 1e9 for name, spent in clock.items()}
    if comm.rank == 0:
        single = SwapMonteCarlo(system(MPI.COMM_SELF, x, d, 300.0), TEMPERATURE, EXCHANGE, STEP, 1)
        single.sub_sweep(0, 1)
        alone = float(np.median([own_cost(single, number) for number in range(1, 9)]))
        print(f"N = {len(d)}, {comm.size} ranks: CPU {cpu / attempts * 1e9:.0f} ns per attempt, one rank {alone:.0f}; "
              f"efficiency {alone / (cpu / attempts * 1e9):.2f}")
        print(", ".join(f"{name} {value:.1f} ns" for name, value in parts.items()))
    comm.Barrier()


def energy(sweeps: int, seed: int, trajectories: bool) -> None:
    """Mean energy and thermometers of N = 256 at T = 0.3, errors from 40 blocks."""
    comm = MPI.COMM_WORLD
    x, d = lattice(16)
    chain = SwapMonteCarlo(system(comm, x, d, 16.0), 0.3, EXCHANGE, 0.025 if trajectories else 0.12, seed, trajectories)
    for number in range(100):
        chain.sub_sweep(number, 20)
    blocks: list[list[float]] = []
    count = max(sweeps // 800, 1)
    for block in range(40):
        found = [chain.sub_sweep(100 + block * count + k, 20, measure=True).measured for k in range(count)]
        blocks.append([sum(getattr(m, name) for m in found) / len(found)
                       for name in ("energy", "force2", "laplacian", "up", "down")])
    if comm.rank == 0:
        mean = np.mean(blocks, axis=0)
        kind = "trajectories" if trajectories else "single moves"
        print(f"{comm.size} ranks, {sweeps} sweeps, seed {seed}, {kind}, grid {chain.grid}: E/N {mean[0] / 256:.5f}"
              f"({np.std(blocks, axis=0)[0] / 256 / np.sqrt(39):.5f})", end=" ")
        for name, a, b, scale in (("Tconf/T", 1, 2, 0.3), ("up/down", 3, 4, 1.0)):
            ratio = np.array([row[a] / row[b] / scale for row in blocks])
            print(f"{name} {mean[a] / mean[b] / scale:.4f}({ratio.std() / np.sqrt(39):.4f})", end=" ")
        print()


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else "speed"
    if what == "energy":
        energy(int(sys.argv[2]) if len(sys.argv) > 2 else 20_000, int(sys.argv[3]) if len(sys.argv) > 3 else 1,
               "trajectories" in sys.argv)
    else:
        {"speed": speed, "ranks": parallel}[what]()

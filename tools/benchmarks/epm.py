"""The elasto-plastic lattice against the plain way, a Fourier transform at every step; ratios of times in one run.

    python tools/benchmarks/epm.py                              # L = 128: to γ = 0.2, and later, where more sites slip at once
    python tools/benchmarks/epm.py --size 512 --strain 0.05
    python tools/benchmarks/epm.py --flow 100                   # ours alone, L = 128 to γ = 100
    tools/launch 2 python tools/benchmarks/epm.py --ranks --size 2048 --strain 0.01 0.02 0.03   # two ranks against one
    tools/launch 2 python tools/benchmarks/epm.py --ranks --size 2048 --strain 3e-4 --recompute 1   # both by transforms

μ = 20, ε_pl = 0.065 (paper 001), thresholds normal with mean 2 and cv 0.3.
Times of the first two are processor time of this process.
"""

from __future__ import annotations

import argparse
import time

from common import machine, table
from epm_plain import Plain, free
from mpi4py import MPI

from hpcglass.epm import Lattice, Model, Slip, named


def model(size: int) -> Model:
    """The parameters of paper 001, with a stand-in for its measured thresholds."""
    return Model(size=size, modulus=20.0, thresholds=named("normal", mean=2.0, cv=0.3, lower=0.0), slip=Slip.fixed(0.065))


def compare(size: int, strains: list[float]) -> list[list[object]]:
    """Loading in pieces, ours and the plain way; the same model, other random numbers."""
    ours = Lattice(MPI.COMM_SELF, model(size))
    plain = Plain(model(size), ours.threshold_field(), free(1))
    rows = []
    for low, high in zip([0.0, *strains[:-1]], strains, strict=True):
        result = []
        for lattice in (ours, plain):
            steps, slips = lattice.steps, number(lattice)
            start = time.process_time()
            lattice.load(high)
            result.append((time.process_time() - start, lattice.steps - steps, number(lattice) - slips))
        (a, n, k), (b, m, _) = result
        rows.append([f"{low:g} to {high:g}", f"{k / n:.1f}", f"{1e6 * a / n:.1f}", f"{1e6 * b / m:.0f}",
                     f"{(b / m) / (a / n):.1f}", f"{n * size**2 / a:.2g}", f"{m * size**2 / b:.2g}"])
    return rows


def number(lattice: Lattice | Plain) -> int:
    """Slips so far."""
    return lattice.slips if isinstance(lattice, Lattice) else int(lattice.events.sum())


def flow(size: int, strain: float) -> str:
    """Time to a large strain, ours."""
    lattice = Lattice(MPI.COMM_SELF, model(size))
    start = time.perf_counter()
    while lattice.strain != strain:
        lattice.load(strain)
    seconds = time.perf_counter() - start
    return (f"L = {size} to strain {strain:g}: {seconds:.0f} s, {lattice.slips} slips in {lattice.steps} steps, "
            f"{1e6 * seconds / lattice.slips:.1f} µs per slip")


def over_ranks(size: int, strains: list[float], recompute: int | None) -> list[list[object]]:
    """The same loading in pieces on all ranks and on one, while the others wait."""
    world = MPI.COMM_WORLD
    spent: list[list[float]] = []
    for comm in (world, MPI.COMM_SELF):
        world.Barrier()
        if comm == MPI.COMM_SELF and world.rank:
            break
        lattice = Lattice(comm, model(size), recompute)
        lattice.load(1e-4)                  # the first look at all sites
        rows = []
        for strain in strains:
            steps, slips, start = lattice.steps, lattice.slips, time.perf_counter()
            while lattice.strain != strain:
                lattice.load(strain)
            steps, slips = lattice.steps - steps, lattice.slips - slips
            rows.append([1e6 * (time.perf_counter() - start) / max(steps, 1), slips / max(steps, 1)])
        spent.append([row[0] for row in rows])
    return [[size, f"{strain:g}", f"{row[1]:.1f}", f"{alone:.0f}", f"{together:.0f}", f"{alone / together:.2f}"]
            for strain, row, together, alone in zip(strains, rows, *spent, strict=True)] if len(spent) == 2 else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--strain", type=float, nargs="+", default=[0.1, 0.2, 1.0, 2.0])
    parser.add_argument("--flow", type=float, help="ours alone to this strain")
    parser.add_argument("--ranks", action="store_true", help="all ranks against one")
    parser.add_argument("--recompute", type=int, help="with --ranks: slips between two transforms; 1 is the plain way")
    options = parser.parse_args()
    root = MPI.COMM_WORLD.rank == 0
    Lattice(MPI.COMM_SELF, model(8)).load(0.3)             # compiled before the clock starts
    if MPI.COMM_WORLD.size > 1:
        Lattice(MPI.COMM_WORLD, model(8)).load(0.3)
    if options.ranks:
        line = table(["L", "to strain", "slips per step", "µs per step, one rank", f"{MPI.COMM_WORLD.size} ranks", "ratio"],
                     over_ranks(options.size, options.strain, options.recompute))
    elif options.flow:
        line = flow(options.size, options.flow)
    else:
        line = table(["strain", "slips per step", "ours, µs per step", "plain, µs", "ratio", "sites per s", "plain"],
                     compare(options.size, options.strain))
    if root:
        print(machine())
        print(line)


if __name__ == "__main__":
    main()

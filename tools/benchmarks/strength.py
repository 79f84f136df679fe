"""Local yield stresses: trials against an independent calculation, against plain descents, and what whole maps take.

    python tools/benchmarks/strength.py [--part reference|map|descents|micromechanics|moduli] [--trials 20] [--particles 40000]
    mpirun -n 2 python tools/benchmarks/strength.py --part ranks --particles 40000

Times are CPU of this process, kernels compiled before; work is counted: passes over the pairs of a patch, factorisations, solves
with a factor. In units of a pass a factorisation is taken for 5, a solve for 1. Glasses are those of tests/data: larger samples
are periodic copies of the one with N = 10 000, which changes no patch.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import h5py
import numpy as np
from common import ROOT, machine, peak_memory, table
from mpi4py import MPI

from hpcglass.cavity import frozen
from hpcglass.cavity.bulk import moduli
from hpcglass.cavity.directions import Directions
from hpcglass.cavity.micromechanics import Micromechanics
from hpcglass.cavity.strength import Cavities, Frozen, strength
from hpcglass.cavity.surroundings import particles, spaced
from hpcglass.core.system import System
from hpcglass.landscape.expansion import elastic_moduli
from hpcglass.landscape.matrix.block_cg import BlockConjugateGradients

sys.path.insert(0, str(ROOT / "tests"))
from cavities import Trial, map_of
from glasses import DATA, arrays, glass, system

GLASSES = ("ipl12-2d", "ipl10-2d", "lj-binary-2d", "lj-poly-2d")
LARGE = "ipl12-2d-N10000"
STEP = 1e-4             # of the plain descents, [strain]
PASSES = np.array([1.0, 5.0, 1.0, 1.0])     # cost of a pass, a factorisation, a solve, a list in passes


def copies(comm: MPI.Comm, number: int) -> System:
    """number x number copies of the large glass beside each other."""
    model, box, position, diameter, species = arrays(LARGE)
    shifts = [box @ np.array([i, j], dtype=float) for i in range(number) for j in range(number)]
    return system(comm, model, box * number, np.concatenate([position + shift for shift in shifts]),
                  np.tile(diameter, number**2), np.tile(species, number**2))


def timed(work: Callable[[], object], comm: MPI.Comm = MPI.COMM_SELF) -> tuple[object, float, float]:
    """What it returns, the largest CPU time over ranks, and the time on the clock."""
    comm.Barrier()
    begin, clock = time.process_time(), time.perf_counter()
    found = work()
    return found, comm.allreduce(time.process_time() - begin, MPI.MAX), comm.allreduce(time.perf_counter() - clock, MPI.MAX)


def reference() -> None:
    """Trials of the reference data."""
    rows = []
    for name in GLASSES:
        with h5py.File(DATA / f"strength-{name}.h5") as file:
            right = {key: item[()] for key, item in file.items()}
        sample, angles = glass(MPI.COMM_SELF, name), np.rad2deg(right["alpha"]).tolist()
        map_of(sample, right["sites"][:1], angles[:1])
        found, seconds, _ = timed(lambda sample=sample, right=right, angles=angles: map_of(sample, right["sites"], angles))
        trials = found.flag.size
        regular = (found.flag == frozen.MAXIMUM) & (right["flag"] == 0)
        off = np.abs(found.tau_c / right["tau_c"] - 1.0)[regular]
        finer = map_of(sample, right["sites"], angles, smooth=0.25 * frozen.SMOOTH)
        moved = np.abs(finer.tau_c - found.tau_c) / found.missing
        rows.append([name, trials, int(regular.sum()), int((off < 1e-3).sum()), f"{np.median(off):.1e}", f"{off.max():.1e}",
                     int((moved > 1e-6).sum()), f"{moved.max():.1e}",
                     f"{1e3 * seconds / trials:.2f}", *(f"{count:.0f}" for count in found.work[:3] / trials)])
    head = ["glass", "trials", "regular in both", "tau_c within 1e-3", "median", "largest", "finer > 1e-6", "largest", "ms",
            "passes", "factors", "solves"]
    print(table(head, rows) + "\n", flush=True)


def maps() -> None:
    """A whole map, and one for a single loading, N = 10 000, on one core."""
    sample, rows = copies(MPI.COMM_SELF, 1), []
    directions = Directions.usual(2)
    map_of(sample, [[5.0, 5.0]], (0.0,))
    peak_memory(reset=True)
    before, fields = peak_memory(), []
    for name, loading in (("all 18 directions", None), ("one loading", ("xy", 0.0))):
        cavities = Cavities.of(sample)
        method = Frozen(directions, loading)
        found, seconds, _ = timed(lambda cavities=cavities, method=method: strength(sample.comm, cavities, method))
        tried = int((~np.isnan(found.flag)).sum())
        fields.append(found.residual(0.0))
        rows.append([name, len(found.sites), tried, f"{seconds:.1f}", f"{1e3 * seconds / tried:.2f}",
                     *(f"{count:.0f}" for count in found.work[:3] / tried), int(np.isin(found.flag, frozen.IRREGULAR).sum()),
                     f"{(peak_memory() - before) / 1e6:.0f}", f"{found.values.nbytes / len(found.sites):.0f}"])
    print(table(["map", "sites", "trials", "CPU s", "ms a trial", "passes", "factors", "solves", "irregular", "MB more",
                 "bytes a site"], rows))
    print(f"residual strengths of the two equal to the bit: {np.array_equal(*fields)}\n", flush=True)


def descents(trials: int) -> None:
    """The same trials by FIRE in steps of 1e-4, until the stress has fallen below its largest value by a step's worth."""
    sample, rng, rows = copies(MPI.COMM_SELF, 1), np.random.default_rng(1), []
    fast = slow = np.zeros(4)
    for _ in range(trials):
        trial = Trial(sample, tuple(rng.uniform(0, 100, 2)), float(10 * rng.integers(18)))
        trial.memory.counts[:] = 0
        flag, _, tau_c, gamma_c, *_ = trial.load()
        fast = fast + trial.memory.counts
        trial.memory.counts[:] = 0
        stresses = np.array(trial.plain(np.arange(0.0, gamma_c + 3 * STEP, STEP)))
        slow = slow + trial.memory.counts
        rows.append((flag, tau_c, stresses.max(), gamma_c))
    off = np.array([abs(top / tau_c - 1.0) for flag, tau_c, top, _ in rows])
    inside = float(PASSES @ fast) / trials
    print(table(["trials", "tau_c within 1e-3", "median", "largest", "passes of descents", "passes", "as passes", "ratio"],
                [[trials, int((off < 1e-3).sum()), f"{np.median(off):.1e}", f"{off.max():.1e}", f"{slow[0] / trials:.0f}",
                  f"{fast[0] / trials:.0f}", f"{inside:.0f}", f"{slow[0] / trials / inside:.0f}"]]) + "\n", flush=True)


def series(comm: MPI.Comm, number: int) -> None:
    """Bond micromechanics of all particles, or of those three spacings apart."""
    sample, rows = copies(comm, number), []
    everybody = particles(sample)
    method = Micromechanics(Directions.usual(2, (0.0,)))
    strength(comm, Cavities.of(sample, everybody[:1], thick=False), method)
    apart = spaced(sample.box, everybody, 3.0)
    for name, sites, angles in (("spaced by 3", apart, (0.0,)), ("every particle", everybody, (0.0,)),
                                ("spaced by 3, 18 directions", apart, ())):
        if len(sites) > 2e5:
            continue
        method = Micromechanics(Directions.usual(2, angles))
        found, seconds, clock = timed(lambda sites=sites, method=method: strength(
            comm, Cavities.of(sample, sites, thick=False), method), comm)
        rows.append([name, len(everybody), comm.size, len(sites), f"{seconds:.3f}", f"{clock:.3f}",
                     f"{1e6 * seconds / len(sites):.0f}", int((found.flag == frozen.ENDLESS).sum())])
    if comm.rank == 0:
        head = ["centres", "N", "ranks", "number", "CPU s", "s", "us a centre", "without a maximum"]
        print(table(head, rows) + "\n", flush=True)


def moduli_beside() -> None:
    """Moduli of the sample, which a map is put beside, by factors and by block conjugate gradients, N = 10 000."""
    sample, rows = copies(MPI.COMM_SELF, 1), []
    for name, work in (("factors", lambda: moduli(sample)),
                       ("block conjugate gradients", lambda: elastic_moduli(sample, BlockConjugateGradients(sample)))):
        work()                                  # compile
        found, seconds, _ = timed(work)
        rows.append([name, f"{seconds:.2f}", f"{found.shear(0, 1):.10g}", f"{found.bulk:.10g}"])
    print(table(["moduli by", "CPU s", "shear modulus", "bulk modulus"], rows) + "\n", flush=True)


def shared(comm: MPI.Comm, number: int) -> None:
    """One map on all ranks and on one."""
    sample = copies(comm, number)
    method = Frozen(Directions.usual(2, (0.0, 60.0, 120.0)))
    map_of(sample, [[5.0, 5.0]], (0.0,))
    found, seconds, clock = timed(lambda: strength(comm, Cavities.of(sample), method), comm)
    if comm.rank == 0:
        print(f"frozen matrix, {len(found.sites)} sites, 3 directions: {comm.size} ranks, {seconds:.2f} s CPU of the busiest, "
              f"{clock:.2f} s on the clock\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("reference", "map", "descents", "micromechanics", "moduli", "ranks"),
                        help="one part only")
    parser.add_argument("--trials", type=int, default=20, help="plain descents")
    parser.add_argument("--particles", type=int, default=40_000, help="of the samples for micromechanics and ranks")
    options = parser.parse_args()
    comm, number = MPI.COMM_WORLD, max(round((options.particles / 10_000) ** 0.5), 1)
    if comm.rank == 0:
        print(machine() + "\n", flush=True)
    if options.part == "ranks" or comm.size > 1:
        series(comm, number)
        if options.part == "ranks":
            shared(comm, 1)
        return
    for part, work in (("reference", reference), ("map", maps), ("descents", lambda: descents(options.trials)),
                       ("micromechanics", lambda: series(comm, number)), ("moduli", moduli_beside)):
        if options.part in (None, part):
            work()


if __name__ == "__main__":
    main()

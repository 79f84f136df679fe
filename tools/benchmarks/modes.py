"""Lowest 50 modes of a 2D glass against SciPy's eigsh (ARPACK and SuperLU, shift-invert), in turn in one run.

    python tools/benchmarks/modes.py [--particles 10000 40000] [--count 50] [--rounds 3]

N = 10 000 is tests/data/ipl12-2d-N10000.h5; larger ones are tiles of it, sizes and positions slightly perturbed, quenched to
max|F| <= 1e-8. Residuals are |H v - omega^2 v|, ours to 1e-8; SciPy works to machine precision, for which it cannot be blamed: a
second line gives it a tolerance of 1e-8. On several ranks (mpirun -n 2) SciPy is left out.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse
from common import ROOT, machine, table
from mpi4py import MPI
from scipy.sparse.linalg import eigsh

from hpcglass.core.system import System
from hpcglass.landscape import modes
from hpcglass.landscape.matrix import shift_invert
from hpcglass.landscape.matrix.hessian import Hessian, PETSc
from hpcglass.moves.minimise import minimise

sys.path.insert(0, str(ROOT / "tests"))
from glasses import arrays, system


def glass(comm: MPI.Comm, particles: int, disorder: bool = True) -> System:
    """A glass of 10^4 n^2 particles: tiles of one of 10^4, without order among them if that is asked for, and quenched again."""
    model, box, position, diameter, species = arrays("ipl12-2d-N10000")
    side = round((particles / len(position)) ** 0.5)
    shifts = [box @ (a, b) for a in range(side) for b in range(side)]
    position = np.concatenate([position + shift for shift in shifts])
    diameter, species = np.tile(diameter, side**2), np.tile(species, side**2)
    disorder &= side > 1
    if disorder:
        noise = np.random.default_rng(1)
        diameter *= 1 + 0.03 * noise.uniform(-1, 1, diameter.size)
        position += 0.08 * noise.uniform(-1, 1, position.shape)
    result = system(comm, model, side * box, position, diameter, species)
    if disorder:
        minimise(result, "fire", 1e-8, max_evaluations=100_000)
    return result


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result


def rounds_of(solve: Callable[[], Any]) -> tuple[Any, int, int]:
    """(result, restarts, factorisations) of one call."""
    restarts, solved, event = [], shift_invert.solved, PETSc.Log.Event("MatCholFctrNum")

    def counted(hessian: Hessian, solver: Any, *rest: Any) -> Any:
        solver.setMonitor(lambda _, its, *__: restarts.append(its))
        return solved(hessian, solver, *rest)

    before = event.getPerfInfo()["count"]
    shift_invert.solved = counted
    try:
        result = solve()
    finally:
        shift_invert.solved = solved
    return result, max(restarts), event.getPerfInfo()["count"] - before


def compare(comm: MPI.Comm, particles: int, count: int, rounds: int) -> list[list[object]]:
    here = glass(comm, particles)
    hessian = Hessian(here)
    ours: list[float] = []
    theirs: dict[float, list[float]] = {0.0: [], 1e-8: []}
    residual: dict[float, float] = {}
    found, restarts, factors = rounds_of(lambda: modes.lowest_modes(hessian, count))        # compiles too
    if comm.size == 1:
        pointer, index, values = hessian.matrix.getValuesCSR()
        matrix = scipy.sparse.csc_matrix((values, index, pointer), shape=hessian.matrix.getSize())
    for _ in range(rounds):
        ours.append(timed(lambda: modes.lowest_modes(hessian, count))[0])
        for tolerance, seconds in theirs.items() if comm.size == 1 else ():
            spent, (omega2, vectors) = timed(partial(eigsh, matrix, count + 2, sigma=-0.01, tol=tolerance))
            seconds.append(spent)
            residual[tolerance] = np.linalg.norm(matrix @ vectors - vectors * omega2, axis=0).max()
            assert np.allclose(np.sort(omega2)[2:], found.frequency2, rtol=1e-8)
    rows: list[list[object]] = [[here.n_total, f"hpcglass, ranks: {comm.size}", f"{np.median(ours):.2f}", "1", factors, restarts,
                                 f"{found.residuals.max():.0e}"]]
    for tolerance, seconds in theirs.items() if comm.size == 1 else ():
        rows.append([here.n_total, f"SciPy, tol {tolerance:g}", f"{np.median(seconds):.2f}",
                     f"{np.median(np.array(seconds) / ours):.2f}", 1, "", f"{residual[tolerance]:.0e}"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--particles", type=int, nargs="+", default=[10_000, 40_000])
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    comm = MPI.COMM_WORLD
    PETSc.Log.begin()
    rows = [row for particles in options.particles for row in compare(comm, particles, options.count, options.rounds)]
    if comm.rank == 0:
        print(machine(), "\n")
        print(table(["N", f"lowest {options.count} modes", "seconds, median", "time / ours", "factorisations", "restarts",
                     "largest residual"], rows))


if __name__ == "__main__":
    main()

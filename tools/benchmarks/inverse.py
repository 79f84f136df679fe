"""Entries of the inverse Hessian, and pseudo-harmonic modes, in a glass of 10 000 particles in 2D, on one core.

    python tools/benchmarks/inverse.py [--rounds 3] [--modes 10]

First all blocks of H^+ on the diagonal and of interacting pairs, by nested dissection, against MUMPS' selected inversion and its
columns solved for in blocks, with sparse right-hand sides and dense ones: a few blocks of columns, spread over the matrix, are
timed, and their time is multiplied up. In turns, so that the ratio does not depend on how busy the machine is. Then
pseudo-harmonic modes from the lowest modes: linear solves, passes over the pairs, time.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
import time
from typing import Any

import numpy as np
from common import ROOT, machine, table
from mpi4py import MPI

from hpcglass.landscape.matrix.blocks import block_places
from hpcglass.landscape.matrix.hessian import Hessian, PETSc
from hpcglass.landscape.matrix.inverse import _of_inverse
from hpcglass.landscape.matrix.solve import Solver, first_bound
from hpcglass.landscape.modes import lowest_modes
from hpcglass.landscape.pseudo_harmonic import pseudo_harmonic_mode

WIDTH = 256     # columns solved for together: more gain nothing
BLOCKS = 4      # of them, timed in each round


def column_blocks(factor: Any, sparse: bool) -> float:
    """Seconds for all columns of the inverse, from a few blocks."""
    size = factor.getSize()[0]
    left = PETSc.Mat().createDense(size=(size, WIDTH), comm=PETSc.COMM_SELF)
    left.setUp()
    seconds = 0.0
    for first in np.linspace(0, size - WIDTH, BLOCKS).astype(PETSc.IntType):
        index = np.arange(first, first + WIDTH, dtype=PETSc.IntType)
        if sparse:
            pointer = np.arange(WIDTH + 1, dtype=PETSc.IntType)
            rows = PETSc.Mat().createAIJ(size=(WIDTH, size), csr=(pointer, index, np.ones(WIDTH)), comm=PETSc.COMM_SELF)
            right = PETSc.Mat().createTranspose(rows)
        else:
            unit = np.zeros((size, WIDTH), order="F")
            unit[index, np.arange(WIDTH)] = 1.0
            right = PETSc.Mat().createDense(size=(size, WIDTH), array=unit, comm=PETSc.COMM_SELF)
        before = time.process_time()
        factor.matSolve(right, left)
        seconds += time.process_time() - before
    factor.setMumpsIcntl(20, 0)
    return seconds * size / (BLOCKS * WIDTH)


def by_mumps(hessian: Hessian, factor: Any, start: Any, columns: Any) -> tuple[float, Any]:
    """Seconds and blocks of MUMPS' selected inversion, by the C function of PETSc that petsc4py does not wrap."""
    d = hessian.system.dimension
    place = block_places(start, d)
    index = np.empty(place.size, dtype=PETSc.IntType)
    index[place] = d * columns[:, None, None] + np.arange(d)
    pointer = np.append(0, np.cumsum(np.repeat(d * np.diff(start), d))).astype(PETSc.IntType)
    wanted = PETSc.Mat().createAIJ(size=factor.getSize(), csr=(pointer, index, np.zeros(len(index))), comm=PETSc.COMM_SELF)
    controls = {number: factor.getMumpsIcntl(number) for number in (20, 21, 27, 30)}    # what it changes
    factor.setMumpsIcntl(27, 128)
    before = time.process_time()
    if ctypes.CDLL(PETSc.__file__).MatMumpsGetInverseTranspose(ctypes.c_void_p(factor.handle), ctypes.c_void_p(wanted.handle)):
        raise SystemExit("MUMPS could not compute entries of the inverse")
    seconds = time.process_time() - before
    for number, value in controls.items():
        factor.setMumpsIcntl(number, value)
    return seconds, wanted.getValuesCSR()[2][place]


def compare_inversion(hessian: Hessian, solver: Solver, rounds: int) -> None:
    """Print times and ratios."""
    factor = solver.factor
    start, columns, values = hessian.block_rows()
    row, pinned = np.repeat(np.arange(hessian.system.n_owned), np.diff(start)), first_bound(hessian)
    held = (row == pinned) | (columns == pinned)
    values[held], values[held & (row == columns)] = 0.0, np.eye(hessian.system.dimension)
    _of_inverse(hessian, start, columns, values)        # compiles
    rows, ratios = [], []
    for k in range(1, rounds + 1):
        before = time.process_time()
        ours = _of_inverse(hessian, start, columns, values)
        seconds = time.process_time() - before
        mumps, theirs = by_mumps(hessian, factor, start, columns)
        error = np.abs(ours - theirs)[~held].max() / np.abs(theirs).max()
        sparse, dense = column_blocks(factor, sparse=True), column_blocks(factor, sparse=False)
        ratios.append(mumps / seconds)
        rows.append([k, values.size, f"{seconds:.2f}", f"{mumps:.2f}", f"{sparse:.1f}", f"{dense:.1f}", f"{ratios[-1]:.1f}",
                     f"{error:.0e}"])
    head = ["round", "entries", "dissection, CPU s", "MUMPS' selected inversion", "all columns, sparse", "all columns, dense",
            "ratio to MUMPS", "difference"]
    print(table(head, rows))
    print(f"\ndissection is {np.median(ratios):.1f} times as fast as MUMPS' selected inversion, median of {rounds} rounds\n")


def relax_modes(hessian: Hessian, solver: Solver, count: int) -> None:
    """Print what pseudo-harmonic modes cost."""
    system = hessian.system
    starts = lowest_modes(hessian, count).vectors
    pseudo_harmonic_mode(system, starts[..., 0], solver=solver)         # compiles
    rows = []
    for k in range(count):
        before = time.perf_counter()
        found = pseudo_harmonic_mode(system, np.ascontiguousarray(starts[..., k]), solver=solver)
        seconds = time.perf_counter() - before
        rows.append([k, f"{found.cost:.4f}", f"{found.gradient:.0e}", found.iterations, 2 * found.iterations + 1,
                     f"{1e3 * seconds:.0f}"])
    print(table(["from mode", "cost", "gradient", "solves", "passes", "ms"], rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--modes", type=int, default=10)
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT / "tests"))
    from glasses import glass

    hessian = Hessian(glass(MPI.COMM_SELF, "ipl12-2d-N10000"))
    before = time.perf_counter()
    solver = Solver(hessian, "direct")
    print(machine(), "\n")
    print(f"factorisation: {time.perf_counter() - before:.2f} s\n")
    compare_inversion(hessian, solver, options.rounds)
    relax_modes(hessian, solver, options.modes)


if __name__ == "__main__":
    main()

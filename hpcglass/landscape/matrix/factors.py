"""Factors of the Hessian of a stable configuration, for those who solve thousands of times: no checks, no refinement.

What `solve` does with care for one answer is here the preconditioner of a search that looks at the forces themselves. Options of
PETSc under the prefix `hpcglass_inverse_` override the settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.errors import InputError, PhysicsError
from hpcglass.landscape.matrix.hessian import Hessian, PETSc, free_dropped
from hpcglass.landscape.matrix.solve import factorise, hold, project, zero_modes
from hpcglass.petsc import undisturbed

Floats = NDArray[np.float64]

PREFIX = "hpcglass_inverse_"


class Inverse:
    """H^-1 of a stable configuration by one substitution each time, as a preconditioner wants it.

    The factors are CHOLMOD's L L^T, with which a solution takes a quarter of the time of MUMPS; they exist only if H is positive
    definite, which is the test of stability. Without CHOLMOD they are those of MUMPS, which counts the negative eigenvalues.
    They are on rank 0, to which right-hand sides are sent: parallel factors would sum up in another order in each run, and a
    restart would no longer go on to the bit. The particles must keep their order, in which the rows are: nothing asks for the
    epoch.

    Parameters
    ----------
    hessian : filled; the factors are those of its present values

    Attributes
    ----------
    stable : whether there is no negative eigenvalue, nor a zero one besides the translations
    solves : number of calls of `apply`

    Raises
    ------
    InputError
        This PETSc has neither CHOLMOD nor MUMPS.
    PhysicsError
        No two particles interact.
    """

    def __init__(self, hessian: Hessian) -> None:
        if not package():
            raise InputError("factors of the Hessian need CHOLMOD (SuiteSparse) or MUMPS, which this PETSc was built without")
        free_dropped(hessian.system.comm)
        self.hessian, self.solves = hessian, 0
        self._zero = zero_modes(hessian)
        rows = hessian.pinned()
        first, last = hessian.matrix.getOwnershipRange()
        self._pinned = rows[(rows >= first) & (rows < last)] - first
        self._right, self._left = hessian.vector(), hessian.vector()
        self._gather, self._first_right = PETSc.Scatter.toZero(self._right)
        self._first_left = self._first_right.duplicate()
        pinned = hold(hessian.matrix, rows)
        size = pinned.getSize()[0] if hessian.system.comm.rank == 0 else 0
        whole = PETSc.IS().createStride(size, 0, 1, comm=PETSc.COMM_SELF)
        part = pinned.createSubMatrices(whole, whole)[0]
        pinned.destroy()
        part.setOption(PETSc.Mat.Option.SYMMETRIC, True)
        self._ksp = (definite if package() == "cholmod" else counted)(part) if size else None
        part.destroy()                          # KSP keeps its own reference
        self.stable = bool(ranks.total(hessian.system.comm, int(self._ksp is not None)))

    def apply(self, rows: Floats) -> Floats:
        """(n_owned, d) H^-1 b with zero mean, zero for loose particles; the mean of b is dropped. Collective."""
        assert self.stable, "this configuration is not stable"
        self._send(rows)
        if self._ksp is not None:
            self._ksp.solve(self._first_right, self._first_left)
        return self._receive()

    def apply_all(self, stack: Sequence[Floats]) -> list[Floats]:
        """The same of several right-hand sides, for which the factors are read once. Collective."""
        assert self.stable, "this configuration is not stable"
        if len(stack) == 1:
            return [self.apply(stack[0])]
        columns = np.empty((self._first_right.getLocalSize(), len(stack)), order="F")
        for k, rows in enumerate(stack):
            self._send(rows)
            columns[:, k] = self._first_right.array_r
        solutions = np.empty_like(columns)
        if self._ksp is not None:
            dense = [PETSc.Mat().createDense(columns.shape, array=values, comm=PETSc.COMM_SELF)
                     for values in (columns, solutions)]
            self._ksp.getPC().getFactorMatrix().matSolve(*dense)
            for matrix in dense:
                matrix.destroy()
        found = []
        for k in range(len(stack)):
            self._first_left.array[:] = solutions[:, k]
            found.append(self._receive())
        return found

    def _send(self, rows: Floats) -> None:
        """A right-hand side to where the factors are."""
        self.solves += 1
        self._right.array[:] = np.asarray(rows).ravel()
        project(self.hessian, self._zero, self._right)
        self._right.array[self._pinned] = 0.0
        self._gather.scatter(self._right, self._first_right)

    def _receive(self) -> Floats:
        """A solution from there."""
        self._gather.scatter(self._first_left, self._left, mode=PETSc.ScatterMode.REVERSE)
        return self.hessian.rows(project(self.hessian, self._zero, self._left))

    def destroy(self) -> None:
        """Free the factors and the matrix. Collective."""
        if self._ksp is not None:
            self._ksp.destroy()
        self._gather.destroy()
        self.hessian.destroy()


def package() -> str:
    """The package for `Inverse`: "cholmod", "mumps", or "" if this PETSc has neither."""
    if PETSc.Sys.hasExternalPackage("suitesparse"):
        return "cholmod"
    return "mumps" if PETSc.Sys.hasExternalPackage("mumps") else ""


def counted(matrix: Any) -> Any:
    """KSP that applies the inverse by MUMPS' factors of a matrix on one rank; None if not positive definite, or no memory."""
    try:
        ksp, factor = factorise(matrix, PREFIX)
    except PhysicsError:
        return None
    negative, zero, _ = factor.getInertia() if factor is not None else (0, 0, 0)
    if negative or zero:
        ksp.destroy()
        return None
    return ksp


def definite(matrix: Any) -> Any:
    """KSP that applies the inverse by CHOLMOD's L L^T of a matrix on one rank; None if it is not positive definite."""
    options = PETSc.Options(PREFIX)
    # L L^T also where CHOLMOD would rather take L D L^T, which exists for other matrices too; silent when it fails
    for name, value in {"mat_cholmod_factor": "supernodal", "mat_cholmod_print": 0}.items():
        options[name] = value
    ksp = PETSc.KSP().create(matrix.getComm())
    ksp.setOptionsPrefix(PREFIX)
    ksp.setOperators(matrix)
    ksp.setType("preonly")
    ksp.getPC().setType("cholesky")
    ksp.getPC().setFactorSolverType("cholmod")
    ksp.setFromOptions()
    try:
        with undisturbed():
            ksp.setUp()
    except PETSc.Error:         # nobody else is there to disagree
        ksp.destroy()
        return None
    return ksp

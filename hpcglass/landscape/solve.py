"""Linear systems with the Hessian: H x = b on the space without translations.

Two methods, chosen in one place (`choose`):

- *direct*: MUMPS' LDL^T of H with one particle pinned. Exact, not an approximation: H annihilates translations, so any
  particle may be held at zero and the mean subtracted afterwards. The factorisation tells the number of negative eigenvalues
  (Sylvester's law of inertia), hence a saddle from a minimum, and each further right-hand side is nearly free. The cost grows as
  N^1.5 in two dimensions and N^2 in three, the memory as N log N and N^(4/3).
- *cg*: conjugate gradients with algebraic multigrid (GAMG), translations attached as null space. Linear memory; about a hundred
  iterations for a glass, whatever its size.

`Inverse` is for those who solve thousands of times, with factors of a configuration nearby: no checks, no refinement.

Whatever the method, the residual of the plain system is computed afterwards and must be small. Options of PETSc under the prefix
`hpcglass_solve_` override everything, e.g. PETSC_OPTIONS="-hpcglass_solve_pc_type bjacobi".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.errors import InputError, PhysicsError
from hpcglass.landscape.hessian import Hessian, PETSc

Floats = NDArray[np.float64]

PREFIX = "hpcglass_solve_"
QUICK = "hpcglass_inverse_"
DIRECT_LIMIT = {2: 200_000, 3: 20_000}      # particles; MUMPS needs 1 to 2 GB and less than a minute there
MANY = 8                                    # right-hand sides from which the limit grows with their number ...
MOST = 5                                    # ... up to this factor, for the sake of memory
ACCEPTED = 1e-8                             # |H x - b| / |b| of a solution
AIM = {"direct": 1e-12, "cg": 1e-10}        # asked for; refined when missed
ITERATIONS = 5000                           # of CG
METHODS = ("auto", "direct", "cg")


class Solver:
    """Solutions of H x = b for one configuration.

    Parameters
    ----------
    hessian : filled; the solver is for its present values
    method : "direct", "cg", or "auto": by size, dimension and number of right-hand sides
    right_hand_sides : about how many will be solved for

    Attributes
    ----------
    method : the one in use
    factor : PETSc's matrix of the factors, with one particle held at zero; None with "cg", or if options took another method
    negative : number of negative eigenvalues of H, 0 at a minimum; None with "cg", which does not know
    iterations : CG iterations of the last solve, refinement included (direct: number of solutions with the factors)
    residual : |H x - b| / |b| of the last solve

    Raises
    ------
    InputError
        Unknown method, or MUMPS is asked for and missing in this PETSc.
    PhysicsError
        No particle interacts, or the factorisation failed (memory).
    """

    def __init__(self, hessian: Hessian, method: str = "auto", right_hand_sides: int = 1) -> None:
        self.hessian = hessian
        self.method = choose(method, hessian.system.n_total, hessian.system.dimension, right_hand_sides)
        self.negative: int | None = None
        self.iterations, self.residual, self._floppy = 0, 0.0, 0
        self._zero = zero_modes(hessian)
        self.factor: Any = None
        self._pinned: slice | None = None       # own row of the particle that is held at zero
        self._ksp = self._direct() if self.method == "direct" else self._cg()

    def solve(self, rows: Floats) -> Floats:
        """x with H x = b and zero mean. Collective.

        Parameters
        ----------
        rows : (n_owned, d) right-hand side b; its mean, which no x can balance, and rows of loose particles are dropped

        Returns
        -------
        (n_owned, d), zero for loose particles

        Raises
        ------
        PhysicsError
            The configuration is a saddle or floppy, or the true residual is larger than 1e-8.
        RuntimeError
            The system was rebuilt since the Hessian was made.
        """
        hessian = self.hessian
        if hessian.system.epoch != hessian.epoch:
            raise RuntimeError("the system was rebuilt since this Hessian was made (its epoch changed): make a new one")
        if self._floppy:        # first: a zero pivot has any sign
            raise PhysicsError("the configuration has zero modes besides the translations: particles with too "
                               "few contacts, or parts that do not touch; remove them or compress the configuration")
        if self.negative:
            raise saddle(f"its Hessian has {self.negative} negative eigenvalue{'s' * (self.negative > 1)}")
        right = self._project(hessian.vector(rows))
        size = right.norm()
        left, step, rest = hessian.vector(), hessian.vector(), right.copy()
        self.iterations, self.residual = 0, 0.0
        # later rounds are iterative refinement: they solve for what is left
        for _ in range(3):
            if size == 0.0:
                break
            if self._pinned is not None:
                rest.array.reshape(-1, hessian.system.dimension)[self._pinned] = 0.0
            self._ksp.solve(rest, step)
            self._check_reason()
            self.iterations += max(self._ksp.getIterationNumber(), 1)
            left.axpy(1.0, self._project(step))
            hessian.matrix.mult(left, rest)
            rest.aypx(-1.0, right)
            self.residual = rest.norm() / size
            if self.residual <= AIM[self.method]:
                break
        if not self.residual <= ACCEPTED:       # also NaN
            raise PhysicsError(f"linear solve ({self.method}) failed: |H x - b| / |b| = {self.residual:.1e} > {ACCEPTED:.0e} "
                               f"after {self.iterations} iterations, |b| = {size:.3g}; {self._remedy()}")
        return hessian.rows(left)

    def destroy(self) -> None:
        """Free the factors or the preconditioner. Collective."""
        self._ksp.destroy()

    def _direct(self) -> Any:
        hessian = self.hessian
        particle = first_bound(hessian)
        own = particle - hessian.system.first_row
        self._pinned = slice(own, own + 1) if 0 <= own < hessian.system.n_owned else slice(0, 0)
        matrix = pin(hessian.matrix, particle, hessian.system.dimension)
        ksp, factor = factorise(matrix, PREFIX)
        matrix.destroy()                        # KSP keeps its own reference
        self.factor = factor
        if factor is not None:
            self.negative, self._floppy, _ = factor.getInertia()
        return ksp

    def _cg(self) -> Any:
        hessian = self.hessian
        if hessian.n_loose:                     # the null space is that of the particles that interact
            space = PETSc.NullSpace().create(vectors=self._zero, comm=hessian.system.comm)
            hessian.matrix.setNullSpace(space)
            hessian.matrix.setNearNullSpace(space)
        ksp = PETSc.KSP().create(hessian.system.comm)
        ksp.setOptionsPrefix(PREFIX)
        ksp.setOperators(hessian.matrix)
        ksp.setType("cg")
        ksp.setNormType(PETSc.KSP.NormType.UNPRECONDITIONED)
        ksp.setTolerances(rtol=AIM["cg"], atol=0.0, max_it=ITERATIONS)
        ksp.getPC().setType("gamg")
        ksp.setFromOptions()
        ksp.setUp()
        return ksp

    def _project(self, vector: Any) -> Any:
        return project(self.hessian, self._zero, vector)

    def _check_reason(self) -> None:
        reason = self._ksp.getConvergedReason()
        causes = PETSc.KSP.ConvergedReason
        # multigrid of an indefinite matrix is indefinite too
        if reason in (causes.DIVERGED_INDEFINITE_MAT, causes.DIVERGED_INDEFINITE_PC):
            raise saddle(f"CG met a direction of negative curvature after {self._ksp.getIterationNumber()} iterations")
        if reason < 0:
            raise PhysicsError(f"linear solve ({self.method}) failed: PETSc's reason {reason} after "
                               f"{self._ksp.getIterationNumber()} iterations, residual {self._ksp.getResidualNorm():.1e}; "
                               f"{self._remedy()}")

    def _remedy(self) -> str:
        if self.method == "direct":
            return "the configuration is not a stable solid, or holds values that are not finite: relax it first"
        return ("relax the configuration further, take the direct solver, or another preconditioner, e.g. "
                f"PETSC_OPTIONS='-{PREFIX}pc_type bjacobi'")


class Inverse:
    """H^-1 of a stable configuration by one substitution each time, as a preconditioner wants it.

    On one rank the factors are CHOLMOD's L L^T, with which a solution takes a quarter of the time of MUMPS; they exist only if
    H is positive definite, which is the test of stability. On several ranks, or without CHOLMOD, they are those of MUMPS, which
    counts the negative eigenvalues. The particles must keep their order, in which the rows are: nothing asks for the epoch.

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
        This PETSc has neither CHOLMOD (on one rank) nor MUMPS.
    PhysicsError
        No two particles interact, or no memory for the factors.
    """

    def __init__(self, hessian: Hessian) -> None:
        self.hessian, self.solves = hessian, 0
        self._zero = zero_modes(hessian)
        particle = first_bound(hessian)
        own = particle - hessian.system.first_row
        self._pinned = slice(own, own + 1) if 0 <= own < hessian.system.n_owned else slice(0, 0)
        matrix = pin(hessian.matrix, particle, hessian.system.dimension)
        self._ksp = definite(matrix) if quick_package(hessian.system.comm.size) == "cholmod" else None
        self.stable = self._ksp is not None
        if quick_package(hessian.system.comm.size) == "mumps":
            self._ksp, factor = factorise(matrix, QUICK)
            negative, zero, _ = factor.getInertia() if factor is not None else (0, 0, 0)
            self.stable = negative == 0 and zero == 0
        matrix.destroy()
        self._right, self._left = hessian.vector(), hessian.vector()

    def apply(self, rows: Floats) -> Floats:
        """(n_owned, d) H^-1 b with zero mean, zero for loose particles; the mean of b is dropped. Collective."""
        assert self._ksp is not None, "this configuration is not stable"
        self.solves += 1
        self._right.array[:] = np.asarray(rows).ravel()
        self._project(self._right)
        self._right.array.reshape(-1, self.hessian.system.dimension)[self._pinned] = 0.0
        self._ksp.solve(self._right, self._left)
        return self.hessian.rows(self._project(self._left))

    def _project(self, vector: Any) -> Any:
        return project(self.hessian, self._zero, vector)

    def destroy(self) -> None:
        """Free the factors and the matrix. Collective."""
        if self._ksp is not None:
            self._ksp.destroy()
        self.hessian.destroy()


def quick_package(size: int) -> str:
    """The package for `Inverse` on so many ranks: "cholmod", "mumps", or "" if this PETSc has neither."""
    if size == 1 and PETSc.Sys.hasExternalPackage("suitesparse"):
        return "cholmod"
    return "mumps" if PETSc.Sys.hasExternalPackage("mumps") else ""


def definite(matrix: Any) -> Any:
    """KSP that applies the inverse by CHOLMOD's L L^T of a matrix on one rank; None if it is not positive definite."""
    options = PETSc.Options(QUICK)
    # L L^T also where CHOLMOD would rather take L D L^T, which exists for other matrices too; silent when it fails
    for name, value in {"mat_cholmod_factor": "supernodal", "mat_cholmod_print": 0}.items():
        options[name] = value
    ksp = PETSc.KSP().create(matrix.getComm())
    ksp.setOptionsPrefix(QUICK)
    ksp.setOperators(matrix)
    ksp.setType("preonly")
    ksp.getPC().setType("cholesky")
    ksp.getPC().setFactorSolverType("cholmod")
    ksp.setFromOptions()
    try:
        ksp.setUp()
    except PETSc.Error:         # nobody else is there to disagree
        ksp.destroy()
        return None
    return ksp


def choose(method: str, particles: int, dimension: int, right_hand_sides: int = 1) -> str:
    """"direct" or "cg" for a size.

    One factorisation costs as much as several CG solves beyond the limits, and becomes worth its price, though not its memory,
    when there are many right-hand sides.
    """
    if method not in METHODS:
        raise InputError(f"unknown method {method!r} of a linear solve; known: {', '.join(METHODS)}")
    mumps = bool(PETSc.Sys.hasExternalPackage("mumps"))
    if method == "direct" and not mumps:
        raise InputError("the direct solver needs MUMPS, which this PETSc was built without; take \"cg\" or another PETSc")
    if method != "auto":
        return method
    limit = DIRECT_LIMIT[dimension] * min(max(right_hand_sides / MANY, 1.0), MOST)
    return "direct" if mumps and particles <= limit else "cg"


def project(hessian: Hessian, zero: list[Any], vector: Any) -> Any:
    """Drop loose particles and the mean over the others, in place. Collective."""
    if hessian.n_loose:
        vector.array.reshape(-1, hessian.system.dimension)[hessian.loose] = 0.0
    for mode in zero:
        vector.axpy(-vector.dot(mode), mode)
    return vector


def saddle(what: str) -> PhysicsError:
    """The error for a configuration that is not a minimum."""
    return PhysicsError(f"the configuration is a saddle, not a minimum: {what}; relax it further (a quench to a smaller force), "
                        "or, under strain, step back before the instability")


def zero_modes(hessian: Hessian) -> list[Any]:
    """The d orthonormal translations of the particles that interact.

    Raises
    ------
    PhysicsError
        No two particles interact.
    """
    if not hessian.n_loose:
        return list(hessian.translations)
    bound = hessian.system.n_total - hessian.n_loose
    if not bound:
        raise PhysicsError("no two particles interact: the Hessian is empty; compress the configuration")
    result = []
    for axis in range(hessian.system.dimension):
        rows = np.zeros((hessian.system.n_owned, hessian.system.dimension))
        rows[~hessian.loose, axis] = 1.0 / np.sqrt(bound)
        result.append(hessian.vector(rows))
    return result


def first_bound(hessian: Hessian) -> int:
    """Row of the first particle that interacts, in the order of all ranks. Collective."""
    own, first_row = np.flatnonzero(~hessian.loose), hessian.system.first_row       # collective: not in the condition below
    return int(ranks.smallest(hessian.system.comm, int(first_row + own[0]) if own.size else hessian.system.n_total))


def pin(matrix: Any, particle: int, dimension: int) -> Any:
    """Copy of a matrix with the rows and columns of one particle replaced by those of the identity. Collective."""
    result = matrix.duplicate(copy=True)
    first, last = matrix.getOwnershipRange()
    rows = np.arange(particle * dimension, (particle + 1) * dimension, dtype=PETSc.IntType)
    result.zeroRowsColumns(rows[(rows >= first) & (rows < last)], diag=1.0)
    result.setOption(PETSc.Mat.Option.SYMMETRIC, True)
    return result


def factorise(matrix: Any, prefix: str) -> tuple[Any, Any]:
    """(KSP that applies the inverse, factor) by MUMPS' LDL^T of a symmetric matrix. Collective.

    The factor is None if options under `prefix` took another preconditioner.

    Raises
    ------
    PhysicsError
        MUMPS failed: its code, and what to do.
    """
    ksp = PETSc.KSP().create(matrix.getComm())
    ksp.setOptionsPrefix(prefix)
    ksp.setOperators(matrix)
    use_mumps(ksp)
    ksp.setFromOptions()
    pc = ksp.getPC()
    if pc.getType() != "cholesky" or pc.getFactorSolverType() != "mumps":
        ksp.setUp()
        return ksp, None
    pc.setFactorSetUpSolverType()
    factor = pc.getFactorMatrix()
    factor.setMumpsIcntl(14, 50)        # room for delayed pivots, in per cent
    factor.setMumpsIcntl(24, 1)         # find zero pivots, rather than divide by them:
    factor.setMumpsCntl(3, 1e-13)       # those below this times the norm
    ksp.setUp()
    code = factor.getMumpsInfog(1)
    if code < 0:
        raise PhysicsError(f"MUMPS could not factorise a matrix of size {matrix.getSize()[0]}: INFOG(1) = {code}, INFOG(2) = "
                           f"{factor.getMumpsInfog(2)} (-9, -13, -19: memory); take more memory or ranks, or, for solves, \"cg\"")
    return ksp, factor


def use_mumps(ksp: Any) -> None:
    """One application of MUMPS' LDL^T and nothing else."""
    ksp.setType("preonly")
    pc = ksp.getPC()
    pc.setType("cholesky")
    pc.setFactorSolverType("mumps")

"""Linear systems with the Hessian: H x = b on the space without translations.

Two methods, chosen in one place (`choose`):

- *direct*: MUMPS' LDL^T of H with one particle pinned. Exact, not an approximation: H annihilates translations, so any
  particle may be held at zero and the mean subtracted afterwards. The factorisation tells the number of negative eigenvalues
  (Sylvester's law of inertia), hence a saddle from a minimum, and each further right-hand side is nearly free. The cost grows as
  N^1.5 in two dimensions and N^2 in three, the memory as N log N and N^(4/3).
- *cg*: conjugate gradients, translations attached as null space, with algebraic multigrid (GAMG) in two dimensions, incomplete
  Cholesky factors of each rank's part in three. Linear memory; one to two hundred iterations for a glass.

Whatever the method, the residual of the plain system is computed afterwards and must be small. Options of PETSc under the
prefixes `hpcglass_direct_` and `hpcglass_cg_` override everything, e.g. PETSC_OPTIONS="-hpcglass_cg_pc_type bjacobi".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.errors import InputError, PhysicsError
from hpcglass.landscape.matrix.block_cg import BlockConjugateGradients
from hpcglass.landscape.matrix.hessian import Hessian, PETSc, own_errors
from hpcglass.petsc import DIRECT_LIMIT, undisturbed

Floats = NDArray[np.float64]

PREFIX = {"direct": "hpcglass_direct_", "cg": "hpcglass_cg_"}
MANY = 8                                    # right-hand sides from which the limit grows with their number ...
MOST = 5                                    # ... up to this factor, for the sake of memory
ACCEPTED = 1e-8                             # |H x - b| / |b| of a solution
AIM = {"direct": 1e-12, "cg": 1e-10}        # asked for; refined when missed
ITERATIONS = 5000                           # of CG
LOOK_EVERY = 10                             # iterations of "cg"
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
        self._pinned: NDArray[np.int64] | None = None       # own rows that are held at zero
        self._ksp = self._direct() if self.method == "direct" else self._cg()
        self._tolerances = self._ksp.getTolerances()

    def solve(self, rows: Floats, accuracy: float | None = None) -> Floats:
        """x with H x = b and zero mean. Collective.

        Parameters
        ----------
        rows : (n_owned, d) right-hand side b; its mean, which no x can balance, and rows of loose particles are dropped
        accuracy : residual |H x - b| / |b| that will do; default: 1e-10 with "cg", 1e-12 with "direct"

        Returns
        -------
        (n_owned, d), zero for loose particles

        Raises
        ------
        PhysicsError
            The configuration is a saddle or floppy, or the true residual is larger than 1e-8 (ten times `accuracy`).
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
        aim, accepted = max(AIM[self.method], accuracy or 0.0), max(ACCEPTED, 10 * (accuracy or 0.0))
        relative, *others = self._tolerances
        self._ksp.setTolerances(max(relative, accuracy or 0.0), *others)
        # later rounds are iterative refinement: they solve for what is left
        for _ in range(3):
            if size == 0.0:
                break
            hessian.look()
            if self._pinned is not None:
                rest.array[self._pinned] = 0.0
            with own_errors():
                self._ksp.solve(rest, step)
            self._check_reason()
            self.iterations += max(self._ksp.getIterationNumber(), 1)
            left.axpy(1.0, self._project(step))
            hessian.matrix.mult(left, rest)
            rest.aypx(-1.0, right)
            self.residual = rest.norm() / size
            if self.residual <= aim:
                break
        if not self.residual <= accepted:       # also NaN
            raise PhysicsError(f"linear solve ({self.method}) failed: |H x - b| / |b| = {self.residual:.1e} > {accepted:.0e} "
                               f"after {self.iterations} iterations, |b| = {size:.3g}; {self._remedy()}")
        return hessian.rows(left)

    def solve_all(self, fields: Sequence[Floats], accuracy: float | None = None) -> list[Floats]:
        """`solve` for several right-hand sides. With "cg" in three dimensions at once, by block conjugate gradients (`block_cg`,
        to which PETSc's options do not apply): a quarter of the time for six. Collective.
        """
        if self.method == "direct" or self.hessian.system.dimension == 2 or len(fields) < 2:
            return [self.solve(rows, accuracy) for rows in fields]
        block = BlockConjugateGradients(self.hessian.system, self.hessian.look)
        found = block.solve_all(fields, accuracy)
        self.iterations, self.residual = block.iterations, block.residual
        return found

    def destroy(self) -> None:
        """Free the factors or the preconditioner. Collective."""
        self._ksp.destroy()

    def _direct(self) -> Any:
        hessian = self.hessian
        rows = hessian.pinned()
        first, last = hessian.matrix.getOwnershipRange()
        self._pinned = rows[(rows >= first) & (rows < last)] - first
        matrix = hold(hessian.matrix, rows)
        ksp, factor = factorise(matrix, PREFIX["direct"])
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
        ksp.setOptionsPrefix(PREFIX["cg"])
        ksp.setOperators(hessian.matrix)
        ksp.setType("cg")
        ksp.setNormType(PETSc.KSP.NormType.UNPRECONDITIONED)
        ksp.setTolerances(rtol=AIM["cg"], atol=0.0, max_it=ITERATIONS)
        if hessian.system.dimension == 2:
            ksp.getPC().setType("gamg")
        else:
            ksp.getPC().setType("bjacobi")
            options = PETSc.Options(PREFIX["cg"])
            if not options.hasName("sub_pc_type"):
                options["sub_pc_type"] = "icc"
        ksp.setMonitor(self._look)
        ksp.setFromOptions()
        ksp.setUp()
        return ksp

    def _look(self, ksp: Any, iteration: int, residual: float) -> None:
        """A monitor of PETSc's: an exception leaves the solve where it is."""
        if iteration % LOOK_EVERY == LOOK_EVERY - 1:
            self.hessian.look()

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
                f"PETSC_OPTIONS='-{PREFIX['cg']}pc_type {'bjacobi' if self.hessian.system.dimension == 2 else 'gamg'}'")


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
    """The orthonormal zero modes of the particles that interact. Raises PhysicsError if no two of them do."""
    return hessian.zero_modes()


def first_bound(hessian: Hessian) -> int:
    """Row of the first particle that interacts, in the order of all ranks. Collective."""
    own, first_row = np.flatnonzero(~hessian.loose), hessian.system.first_row       # collective: not in the condition below
    return int(ranks.smallest(hessian.system.comm, int(first_row + own[0]) if own.size else hessian.system.n_total))


def pin(matrix: Any, particle: int, dimension: int) -> Any:
    """`hold` with the rows of one particle. Collective."""
    return hold(matrix, np.arange(particle * dimension, (particle + 1) * dimension))


def hold(matrix: Any, rows: NDArray[np.int64]) -> Any:
    """Copy of a matrix with some rows and columns replaced by those of the identity. Collective."""
    result = matrix.duplicate(copy=True)
    first, last = matrix.getOwnershipRange()
    result.zeroRowsColumns(rows[(rows >= first) & (rows < last)].astype(PETSc.IntType), diag=1.0)
    result.setOption(PETSc.Mat.Option.SYMMETRIC, True)
    return result


def factorise(matrix: Any, prefix: str) -> tuple[Any, Any]:
    """(KSP that applies the inverse, factor) by MUMPS' LDL^T of a symmetric matrix. Collective.

    The factor is None if options under `prefix` took another preconditioner.

    Raises
    ------
    InputError
        There is no MUMPS in this PETSc.
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
        with undisturbed():
            ksp.setUp()
        return ksp, None
    if not PETSc.Sys.hasExternalPackage("mumps"):
        raise InputError("a factorisation with its inertia needs MUMPS, which this PETSc was built without; take another PETSc")
    pc.setFactorSetUpSolverType()
    factor = pc.getFactorMatrix()
    factor.setMumpsIcntl(14, 50)        # room for delayed pivots, in per cent
    factor.setMumpsIcntl(24, 1)         # find zero pivots, rather than divide by them:
    factor.setMumpsCntl(3, 1e-13)       # those below this times the norm
    with undisturbed():
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

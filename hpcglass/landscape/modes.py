"""Vibrational modes: eigenpairs H v = omega^2 v of the Hessian, without the translations.

The soft end of a large glass comes from SLEPc's Krylov-Schur method on (H + s)^-1, one sparse factorisation for all modes. The
shift s is small and positive, so that H + s is definite at a minimum. On one rank the factors are CHOLMOD's L L^T, with which a
solution takes 1/2 to 1/4 of the time of MUMPS; on several, or without CHOLMOD, they are MUMPS' L D L^T. Should H + s not be
definite, the configuration is a saddle, and s grows until nothing lies below -s: the lowest modes are then those nearest to it.

All modes in an interval are those nearest to its middle: MUMPS counts the eigenvalues below either end (Sylvester's law of
inertia), and as many modes must be found. The full spectrum of a small glass is dense algebra on one rank: time (N d)^3, memory
about 32 (N d)^2 bytes.

Translations (between rigid walls: rotations) are deflated, rattlers taken out. Options of PETSc under the prefix
`hpcglass_modes_` override what is chosen here, e.g.
PETSC_OPTIONS="-hpcglass_modes_st_pc_factor_mat_solver_type mumps -hpcglass_modes_eps_ncv 300 -hpcglass_modes_eps_mpd 300".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import slepc4py
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.errors import InputError, PhysicsError
from hpcglass.landscape.matrix.dense import dense_on_first, irregular, rows_on_first, signs, to_owners
from hpcglass.landscape.matrix.hessian import Hessian, PETSc
from hpcglass.landscape.matrix.solve import factorise

slepc4py.init([])
from slepc4py import SLEPc  # noqa: E402

Floats = NDArray[np.float64]

PREFIX = "hpcglass_modes_"
SHIFT = 1e-5            # s in units of the mean stiffness, the mean of H's diagonal
ZERO = 1e-10            # in the same units: translations are this near to 0 in spite of rounding
SPARE, MPD = 20, 128    # vectors beyond twice the modes asked for; largest subspace that is projected at once
ROUNDS = 100            # restarts
# CHOLMOD: L L^T, which fails if the matrix is not definite, also where L D L^T is its default; no warning on the terminal then
# MUMPS: room for delayed pivots, in per cent
PACKAGE_OPTIONS: dict[str, dict[str, Any]] = {
    "cholmod": {"st_mat_cholmod_factor": "supernodal", "st_mat_cholmod_print": 0},
    "mumps": {"st_mat_mumps_icntl_14": 50}}
DENSE_LIMIT = 20_000    # rows of a dense matrix: 13 GB, hours


@dataclass
class Modes:
    """Modes in ascending order.

    frequency2 : (k,) eigenvalues omega^2 of the Hessian, mass 1 [energy/length^2]; negative at a saddle
    vectors : (n_owned, d, k) orthonormal; the component of largest modulus is positive
    residuals : (k,) |H v - omega^2 v|, computed from the plain matrix
    participation : (k,) e = (sum_i |v_i|^2)^2 / (N sum_i |v_i|^4), 1 if all particles move alike, 1/N for one
    """

    frequency2: Floats
    vectors: Floats
    residuals: Floats
    participation: Floats

    @property
    def frequency(self) -> Floats:
        """(k,) omega, or -|omega| where omega^2 < 0: an unstable direction."""
        return np.sign(self.frequency2) * np.sqrt(np.abs(self.frequency2))


def number_of_modes(hessian: Hessian) -> int:
    """Coordinates of the particles that are not rattlers, less the zero modes: translations, or between walls rotations."""
    return (hessian.system.n_total - hessian.n_loose) * hessian.system.dimension - len(hessian.translations)


def lowest_modes(hessian: Hessian, count: int, tolerance: float = 1e-8) -> Modes:
    """The `count` modes of lowest frequency. Collective.

    Parameters
    ----------
    count : at most half of all modes; for more take `spectrum`
    tolerance : largest |H v - omega^2 v| accepted [energy/length^2]

    Raises
    ------
    InputError
        No such number of modes, or a sparse factorisation is missing in this PETSc.
    PhysicsError
        Not converged to the tolerance; no two particles interact; no memory for the factors.

    Notes
    -----
    V. Hernandez, J. E. Roman, V. Vidal, ACM Trans. Math. Softw. 31, 351 (2005): SLEPc.
    """
    free = number_of_modes(hessian)
    if not 0 < count <= max(free // 2, 1):
        raise InputError(f"{count} lowest modes asked for; the configuration has {free}: ask for 1 to {free // 2}, or for all")
    deflated = hessian.zero_modes()
    matrix = _without_loose(hessian)
    shift, highest = SHIFT * _stiffness(hessian), matrix.norm(PETSc.NormType.NORM_INFINITY)
    package = _packages(hessian)[0]
    while True:
        solver, below = _factorised(hessian, matrix, deflated, -shift, count, tolerance, package)
        if not below or shift > highest:
            return _checked(hessian, _solved(hessian, solver, count, -shift, tolerance), tolerance)
        if package == "cholmod" and "mumps" in _packages(hessian):      # the same shift again: it may be memory
            package = "mumps"
        else:
            shift *= 10.0
        solver.destroy()


def modes_in_interval(hessian: Hessian, low: float, high: float, tolerance: float = 1e-8) -> Modes:
    """All modes with frequency omega in [low, high], none missed: perhaps no mode at all. Collective.

    Takes three factorisations: eigenvalues are counted below either end, and the modes come from one shift in the middle. Memory
    and time grow with the number of modes as in `lowest_modes`: cut an interval with very many into several.

    Parameters
    ----------
    low, high : 0 <= low < high [(energy/length^2)^(1/2)]; low = 0 means all stable modes up to `high`
    tolerance : largest |H v - omega^2 v| accepted [energy/length^2]

    Raises
    ------
    InputError
        Not an interval, or more than half of all modes are in it, or MUMPS is missing in this PETSc.
    PhysicsError
        Not converged to the tolerance, or not as many as there are; no two particles interact; no memory for the factors.
    """
    if not 0.0 <= low < high < np.inf:
        raise InputError(f"an interval of frequencies needs 0 <= low < high, not [{low:g}, {high:g}]")
    if "mumps" not in _packages(hessian):
        raise InputError("modes in an interval need MUMPS, which this PETSc was built without; ask for the lowest modes")
    translations = hessian.zero_modes()
    zero = ZERO * _stiffness(hessian)
    first, last = low**2 if low**2 > zero else -zero, high**2
    if last <= zero:
        raise InputError(f"no mode can be told from a translation below omega = {np.sqrt(zero):.2g}; take a larger upper end")
    matrix = _without_loose(hessian)
    count = _count_below(matrix, last, True) - _count_below(matrix, first, False)
    count -= len(translations) if first < 0 else 0
    free = number_of_modes(hessian)
    if count > max(free // 2, 1):
        raise InputError(f"{count} of {free} modes have frequencies in [{low:g}, {high:g}]; ask for all, or a smaller interval")
    # a Krylov space of one vector may lack a copy of a multiple eigenvalue: look again, besides those that were found
    found: list[Any] = []
    vectors = np.empty((hessian.system.n_owned, hessian.system.dimension, 0))
    for _ in range(3):
        if len(found) == count:
            break
        middle, missing = 0.5 * (first + last), count - len(found)
        solver, _ = _factorised(hessian, matrix, translations + found, middle, missing, tolerance, "mumps")
        new = _solved(hessian, solver, missing, middle, tolerance, (first - tolerance, last + tolerance))
        found += [hessian.vector(new[..., k]) for k in range(new.shape[2])]
        vectors = np.concatenate([vectors, new], axis=2)
    if len(found) != count:
        raise PhysicsError(f"{len(found)} modes were found with frequencies in [{low:g}, {high:g}], where {count} are; "
                           "move its ends: a mode may lie just there")
    return _checked(hessian, vectors, tolerance)


def spectrum(hessian: Hessian, tolerance: float = 1e-8) -> Modes:
    """All modes but the d translations, by dense algebra on rank 0; for small systems. Collective.

    Raises
    ------
    InputError
        The matrix is too large.
    PhysicsError
        A residual exceeds the tolerance, relative to the largest eigenvalue where that is above 1; no two particles interact.
    """
    from scipy.linalg import eigh

    system = hessian.system
    size = system.n_total * system.dimension
    if size > DENSE_LIMIT:
        raise InputError(f"the full spectrum of {system.n_total} particles needs a dense matrix of {size} rows > {DENSE_LIMIT}; "
                         "ask for the lowest modes")
    translations = hessian.zero_modes()
    matrix = _without_loose(hessian)
    high = 2 * matrix.norm(PETSc.NormType.NORM_INFINITY)
    dense = dense_on_first(matrix)
    uniform = [rows_on_first(system, hessian.rows(vector)).ravel() for vector in translations]
    values = None
    if system.comm.rank == 0:
        for vector in uniform:                  # translations, like loose particles, go to the top, where they are cut off
            dense += np.outer(high * vector, vector)
        values = eigh(dense, driver="evd", overwrite_a=True, check_finite=False)[1][:, :number_of_modes(hessian)]
    rows = to_owners(system, values, number_of_modes(hessian))
    return _checked(hessian, rows, tolerance * max(high, 1.0))


def _packages(hessian: Hessian) -> list[str]:
    """Packages for the factorisation, best first."""
    names = ["cholmod", "mumps"] if hessian.system.comm.size == 1 else ["mumps"]
    # PETSc knows CHOLMOD by the name of its collection
    found = [name for name in names if PETSc.Sys.hasExternalPackage({"cholmod": "suitesparse"}.get(name, name))]
    if not found:
        raise InputError("modes need a sparse factorisation, and this PETSc was built without MUMPS (or, on one rank, "
                         "SuiteSparse); take another PETSc, or, if the glass is small, ask for all modes")
    return found


def _factorised(hessian: Hessian, matrix: Any, deflated: list[Any], target: float, count: int, tolerance: float, package: str
                ) -> tuple[Any, int]:
    """(eigensolver about `target` with its factors, number of eigenvalues below it or 1 if the package met any)."""
    options = PETSc.Options(PREFIX)
    for name, value in PACKAGE_OPTIONS[package].items():
        if not options.hasName(name):
            options[name] = value
    solver = SLEPc.EPS().create(hessian.system.comm)
    solver.setOptionsPrefix(PREFIX)
    solver.setOperators(matrix)
    solver.setProblemType(SLEPc.EPS.ProblemType.HEP)
    solver.setType("krylovschur")
    solver.setWhichEigenpairs(SLEPc.EPS.Which.TARGET_MAGNITUDE)
    solver.setTarget(target)
    projected = min(count + SPARE, MPD)
    solver.setDimensions(count, min(count + projected, matrix.getSize()[0] - len(deflated)), projected)
    # by default the measure is relative, and that of the inverse
    solver.setConvergenceTest(SLEPc.EPS.Conv.ABS)
    solver.setTrueResidual(True)
    solver.setTolerances(0.1 * tolerance, ROUNDS)
    solver.setDeflationSpace(deflated)
    solver.setInitialSpace([hessian.vector(irregular(hessian.system))])
    transform = solver.getST()
    transform.setType("sinvert")
    inverse = transform.getKSP()
    inverse.setType("preonly")
    inverse.getPC().setType("cholesky")
    inverse.getPC().setFactorSolverType(package)
    solver.setFromOptions()
    try:
        solver.setUp()
    except PETSc.Error:
        if package == "cholmod":                        # not definite; nobody else is there to disagree
            return solver, 1
        raise
    pc = transform.getKSP().getPC()
    if pc.getType() != "cholesky" or pc.getFactorSolverType() != "mumps":
        return solver, 0
    factor = pc.getFactorMatrix()
    if factor.getMumpsInfog(1) < 0:
        raise PhysicsError(f"MUMPS could not factorise a matrix of size {matrix.getSize()[0]}: INFOG(1) = "
                           f"{factor.getMumpsInfog(1)} (-9, -13, -19: memory); take more memory or ranks")
    return solver, factor.getMumpsInfog(12)


def _solved(hessian: Hessian, solver: Any, count: int, target: float, tolerance: float,
            limits: tuple[float, float] = (-np.inf, np.inf)) -> Floats:
    """(n_owned, d, k) the `count` eigenvectors nearest to the target, those with eigenvalues outside the limits left out."""
    solver.solve()
    found = solver.getConverged()
    if found < count:
        raise PhysicsError(f"only {found} of {count} modes converged to {tolerance:.0e} in {solver.getIterationNumber()} rounds "
                           f"about {target:.3g}; take a larger tolerance, or PETSC_OPTIONS='-{PREFIX}eps_max_it 1000'")
    chosen = [k for k in range(count) if limits[0] <= solver.getEigenvalue(k).real <= limits[1]]
    vectors = np.empty((hessian.system.n_owned, hessian.system.dimension, len(chosen)))
    vector = hessian.vector()
    for column, k in enumerate(chosen):
        solver.getEigenvector(k, vector)
        vectors[..., column] = hessian.rows(vector)
    solver.destroy()
    return vectors


def _count_below(matrix: Any, value: float, inclusive: bool) -> int:
    """Number of eigenvalues below a value, or at it too."""
    shifted = matrix.duplicate(copy=True)
    shifted.shift(-value)
    shifted.setOption(PETSc.Mat.Option.SYMMETRIC, True)
    ksp, factor = factorise(shifted, PREFIX + "count_")
    negative, zero, _ = factor.getInertia()
    ksp.destroy()
    shifted.destroy()
    return int(negative + zero * inclusive)


def _stiffness(hessian: Hessian) -> float:
    """Mean of H's diagonal [energy/length^2]."""
    rows = hessian.rows(hessian.matrix.getDiagonal())[~hessian.loose]
    size = (hessian.system.n_total - hessian.n_loose) * hessian.system.dimension
    return float(ranks.total(hessian.system.comm, float(np.abs(rows).sum()))) / size


def _without_loose(hessian: Hessian) -> Any:
    """The matrix, or a copy in which loose particles have an eigenvalue above all others."""
    if not hessian.n_loose:
        return hessian.matrix
    matrix = hessian.matrix.duplicate(copy=True)
    diagonal = hessian.rows(matrix.getDiagonal())
    diagonal[hessian.loose] = 2 * hessian.matrix.norm(PETSc.NormType.NORM_INFINITY)
    matrix.setDiagonal(hessian.vector(diagonal))
    matrix.setOption(PETSc.Mat.Option.SYMMETRIC, True)
    return matrix


def _checked(hessian: Hessian, vectors: Floats, tolerance: float) -> Modes:
    """Rayleigh quotients, residuals, signs and participation of vectors."""
    system = hessian.system
    count = vectors.shape[2]
    vectors[hessian.loose] = 0.0
    images = np.empty_like(vectors)
    image = hessian.vector()
    for k in range(count):
        hessian.matrix.mult(hessian.vector(vectors[..., k]), image)
        images[..., k] = hessian.rows(image)
    square = (vectors**2).sum(axis=1)
    norm, product, fourth = ranks.total(system.comm, np.array([
        square.sum(axis=0), (vectors * images).sum(axis=(0, 1)), (square**2).sum(axis=0)]))
    frequency2 = product / norm
    residuals = np.sqrt(ranks.total(system.comm, ((images - frequency2 * vectors)**2).sum(axis=(0, 1))) / norm)
    if not residuals.max(initial=0.0) <= tolerance:
        worst = int(residuals.argmax())
        raise PhysicsError(f"mode {worst} of {count}, omega^2 = {frequency2[worst]:.6g}, has a residual |H v - omega^2 v| of "
                           f"{residuals[worst]:.1e} > {tolerance:.1e}; take a larger tolerance, or more modes")
    order = np.argsort(frequency2, kind="stable")
    scale = signs(system, vectors) / np.sqrt(norm)
    participation = norm**2 / (system.n_total * fourth)
    return Modes(frequency2[order], np.ascontiguousarray((vectors * scale)[..., order]), residuals[order], participation[order])

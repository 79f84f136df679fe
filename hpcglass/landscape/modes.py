"""Vibrational modes: eigenpairs H v = omega^2 v of the Hessian, without the translations.

The soft end of a large glass comes from SLEPc's Krylov-Schur method on (H + s)^-1, one sparse factorisation for all modes. The
shift s is small and positive, so that H + s is definite at a minimum; should its inertia say otherwise, the configuration is a
saddle and s grows until nothing lies below -s: the lowest modes are then those nearest to it. Translations are deflated, and
particles without contacts taken out. Options of PETSc under the prefix `hpcglass_modes_` override.

The full spectrum of a small glass is dense algebra on one rank: time (N d)^3, memory about 32 (N d)^2 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import slepc4py
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.errors import InputError, PhysicsError
from hpcglass.landscape.hessian import Hessian, PETSc
from hpcglass.landscape.solve import use_mumps, zero_modes

slepc4py.init([])
from slepc4py import SLEPc  # noqa: E402

Floats = NDArray[np.float64]

PREFIX = "hpcglass_modes_"
SHIFT = 1e-3            # in units of the mean stiffness, the mean of H's diagonal
DENSE_LIMIT = 20_000    # rows of a dense matrix: 13 GB, hours
MPD = 128               # largest subspace that is projected at once: keeps many modes affordable


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


def lowest_modes(hessian: Hessian, count: int, tolerance: float = 1e-8) -> Modes:
    """The `count` modes of lowest frequency. Collective.

    Parameters
    ----------
    count : at most half of all modes; for more take `spectrum`
    tolerance : largest |H v - omega^2 v| accepted [energy/length^2]

    Raises
    ------
    InputError
        No such number of modes.
    PhysicsError
        Not converged to the tolerance; no two particles interact.

    Notes
    -----
    V. Hernandez, J. E. Roman, V. Vidal, ACM Trans. Math. Softw. 31, 351 (2005): SLEPc.
    """
    free = _free(hessian)
    if not 0 < count <= max(free // 2, 1):
        raise InputError(f"{count} lowest modes asked for; the configuration has {free}: ask for 1 to {free // 2}, or for all")
    translations = zero_modes(hessian)
    matrix = _without_loose(hessian)
    solver, shift = _set_up(hessian, matrix, translations, count, tolerance)
    solver.solve()
    found = solver.getConverged()
    if found < count:
        raise PhysicsError(f"only {found} of {count} modes converged to {tolerance:.0e} in {solver.getIterationNumber()} rounds "
                           f"about {-shift:.3g}; take a larger tolerance, or PETSC_OPTIONS='-{PREFIX}eps_max_it 1000'")
    vectors = np.empty((hessian.system.n_owned, hessian.system.dimension, count))
    vector = hessian.vector()
    for k in range(count):
        solver.getEigenvector(k, vector)
        vectors[..., k] = hessian.rows(vector)
    solver.destroy()
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
    system, d = hessian.system, hessian.system.dimension
    size = system.n_total * d
    if size > DENSE_LIMIT:
        raise InputError(f"the full spectrum of {system.n_total} particles needs a dense matrix of {size} rows > {DENSE_LIMIT}; "
                         "ask for the lowest modes")
    translations = zero_modes(hessian)
    matrix = _without_loose(hessian)
    high = 2 * matrix.norm(PETSc.NormType.NORM_INFINITY)
    dense = _on_first(system, matrix)
    uniform = [_rows_on_first(system, hessian.rows(vector)) for vector in translations]
    values = None
    if system.comm.rank == 0:
        for vector in uniform:                  # translations, like loose particles, go to the top, where they are cut off
            dense += np.outer(high * vector, vector)
        vectors = np.linalg.eigh(dense)[1][:, :_free(hessian)]
        values = np.ascontiguousarray(vectors).reshape(system.n_total, d, -1)
    rows = _to_owners(system, values, d, _free(hessian))
    return _checked(hessian, rows, tolerance * max(high, 1.0))


def _set_up(hessian: Hessian, matrix: Any, translations: list[Any], count: int, tolerance: float) -> tuple[Any, float]:
    """(eigensolver, shift s) with nothing below -s."""
    stiffness = _mean_diagonal(hessian)
    highest = matrix.norm(PETSc.NormType.NORM_INFINITY)
    shift = SHIFT * stiffness
    while True:
        solver = SLEPc.EPS().create(hessian.system.comm)
        solver.setOptionsPrefix(PREFIX)
        solver.setOperators(matrix)
        solver.setProblemType(SLEPc.EPS.ProblemType.HEP)
        solver.setType("krylovschur")
        solver.setWhichEigenpairs(SLEPc.EPS.Which.TARGET_MAGNITUDE)
        solver.setTarget(-shift)
        solver.setDimensions(count, PETSc.DECIDE, MPD if count > MPD else PETSc.DECIDE)
        # by default the measure is relative, and that of the inverse
        solver.setConvergenceTest(SLEPc.EPS.Conv.ABS)
        solver.setTrueResidual(True)
        solver.setTolerances(0.1 * tolerance, 100)
        solver.setDeflationSpace(translations)
        solver.setInitialSpace([_start(hessian)])
        transform = solver.getST()
        transform.setType("sinvert")
        use_mumps(transform.getKSP())
        solver.setFromOptions()
        solver.setUp()
        factor = transform.getKSP().getPC()
        below = factor.getFactorMatrix().getMumpsInfog(12) if factor.getFactorSolverType() == "mumps" else 0
        if not below or shift > highest:
            return solver, shift
        solver.destroy()
        shift *= 10.0


def _start(hessian: Hessian) -> Any:
    """First Krylov vector: irregular in space, the same on any number of ranks (fractional parts of multiples of irrationals)."""
    system = hessian.system
    irrational = np.array([0.6180339887498949, 0.4142135623730951, 0.7320508075688772])[: system.dimension]
    return hessian.vector(np.modf((1.0 + system.id[: system.n_owned, None]) * irrational)[0] - 0.5)


def _free(hessian: Hessian) -> int:
    """Number of modes: coordinates of the particles that interact, less the translations."""
    return (hessian.system.n_total - hessian.n_loose - 1) * hessian.system.dimension


def _mean_diagonal(hessian: Hessian) -> float:
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
    if not residuals.max() <= tolerance:
        worst = int(residuals.argmax())
        raise PhysicsError(f"mode {worst} of {count}, omega^2 = {frequency2[worst]:.6g}, has a residual |H v - omega^2 v| of "
                           f"{residuals[worst]:.1e} > {tolerance:.1e}; take a larger tolerance, or more modes")
    order = np.argsort(frequency2, kind="stable")
    top, bottom = ranks.largest(system.comm, np.array([
        np.max(sign * vectors, axis=(0, 1), initial=-np.inf) for sign in (1.0, -1.0)]))
    scale = np.where(bottom > top, -1.0, 1.0) / np.sqrt(norm)
    participation = norm**2 / (system.n_total * fourth)
    return Modes(frequency2[order], np.ascontiguousarray((vectors * scale)[..., order]), residuals[order], participation[order])


def _on_first(system: Any, matrix: Any) -> Floats:
    """Dense copy of a distributed matrix on rank 0; nothing on the others."""
    size = matrix.getSize()[0] if system.comm.rank == 0 else 0
    rows = PETSc.IS().createStride(size, 0, 1, comm=PETSc.COMM_SELF)
    part = matrix.createSubMatrices(rows, rows)[0]
    pointer, index, values = part.getValuesCSR()
    dense = np.zeros((size, size))
    dense[np.repeat(np.arange(size), np.diff(pointer)), index] = values
    return dense


def _rows_on_first(system: Any, rows: Floats) -> Floats:
    """All rows in rank order on rank 0, flat."""
    return ranks.send_rows(system.comm, np.zeros(len(rows), dtype=np.int64), rows)[0].ravel()


def _to_owners(system: Any, values: Floats | None, dimension: int, count: int) -> Floats:
    """(n_owned, d, k): rows of rank 0, in rank order, to their owners."""
    owned = ranks.counts(system.comm, system.n_owned)
    if values is None:
        values, owned = np.empty((0, dimension, count)), np.zeros_like(owned)
    return ranks.send_rows(system.comm, np.repeat(np.arange(system.comm.size), owned), values)[0]

"""Vibrational modes: eigenpairs H v = omega^2 v of the Hessian, without the translations.

The soft end of a large glass comes from a Krylov space of (H + s)^-1 (`matrix.shift_invert`). The shift s is small and positive,
so that H + s is definite at a minimum. Should it not be, the configuration is a saddle, and s grows until nothing lies below -s:
the lowest modes are then those nearest to it. Afterwards the eigenvalues below the highest one that was found are counted
(Sylvester's law of inertia), and copies of multiple ones that were missed are looked for (`matrix.multiple`).

All modes in an interval are those nearest to its middle: the eigenvalues below either end are counted, and as many modes must be
found. The full spectrum of a small glass is dense algebra on one rank: time (N d)^3, memory about 32 (N d)^2 bytes.

Translations (between rigid walls: rotations) are deflated, rattlers taken out. Options of PETSc under the prefix
`hpcglass_modes_` override what is chosen here, e.g.
PETSC_OPTIONS="-hpcglass_modes_st_pc_factor_mat_solver_type mumps -hpcglass_modes_eps_ncv 300 -hpcglass_modes_eps_mpd 300".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.errors import InputError, PhysicsError
from hpcglass.landscape.matrix import shift_invert
from hpcglass.landscape.matrix.dense import dense_on_first, rows_on_first, signs, to_owners
from hpcglass.landscape.matrix.hessian import Hessian, PETSc
from hpcglass.landscape.matrix.multiple import last_level, search

Floats = NDArray[np.float64]

SHIFT = 1e-5            # s in units of the mean stiffness, the mean of H's diagonal
ZERO = 1e-10            # in the same units: translations are this near to 0 in spite of rounding
FARTHER = 100.0         # for those that did not converge at first
DENSE_LIMIT = 20_000    # rows of a dense matrix: 13 GB, hours
FEW = 100               # modes of a configuration, up to which dense algebra is the best way to some of them, too


@dataclass
class Modes:
    """Modes in ascending order.

    frequency2 : (k,) eigenvalues omega^2 of the Hessian, mass 1 [energy/length^2]; negative at a saddle
    vectors : (n_owned, d, k) orthonormal; the component of largest modulus is positive
    residuals : (k,) |H v - omega^2 v|, computed from the plain matrix
    participation : (k,) e = (sum_i |v_i|^2)^2 / (N sum_i |v_i|^4), 1 if all particles move alike, 1/N for one
    zero : |omega^2| that cannot be told from 0 in spite of small residuals, as of parts that turn freely [energy/length^2]
    uncounted : why it was not verified by inertia that no mode is missing; empty where it was
    """

    frequency2: Floats
    vectors: Floats
    residuals: Floats
    participation: Floats
    zero: float
    uncounted: str = ""

    def lowest(self, count: int) -> Modes:
        """The first `count` of them."""
        return replace(self, frequency2=self.frequency2[:count], vectors=np.ascontiguousarray(self.vectors[..., :count]),
                       residuals=self.residuals[:count], participation=self.participation[:count])

    @property
    def frequency(self) -> Floats:
        """(k,) omega, or -|omega| where omega^2 < 0: an unstable direction."""
        return np.sign(self.frequency2) * np.sqrt(np.abs(self.frequency2))

    @property
    def stability(self) -> Floats:
        """(k,) 1 stable, -1 unstable, 0 if omega^2 cannot be told from zero."""
        return np.sign(np.where(np.abs(self.frequency2) > np.maximum(self.residuals, self.zero), self.frequency2, 0.0))


def number_of_modes(hessian: Hessian) -> int:
    """Coordinates of the particles that are not rattlers, less the zero modes: translations, or between walls rotations."""
    return (hessian.system.n_total - hessian.n_loose) * hessian.system.dimension - len(hessian.translations)


def some_modes(hessian: Hessian) -> int:
    """`number_of_modes`, one at least. Raises PhysicsError if no two particles interact, or there is no other motion."""
    hessian.zero_modes()
    number, held = number_of_modes(hessian), hessian.system.n_total - hessian.n_loose
    if number < 1:
        raise PhysicsError(f"there are no modes: all motions of the {held} particle{'s' * (held > 1)} that interact are "
                           + ("translations" if hessian.system.walls is None else "rotations"))
    return number


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
    free = some_modes(hessian)
    most, deflated = max(free // 2, 1), hessian.zero_modes()
    if not 0 < count <= most:
        raise InputError(f"{count} lowest modes asked for; the configuration has {free}: ask for 1 to {most}, or for all")
    if free <= FEW:
        return spectrum(hessian, tolerance).lowest(count)
    matrix = without_loose(hessian)
    shift, highest = SHIFT * stiffness(hessian), matrix.norm(PETSc.NormType.NORM_INFINITY)
    package = shift_invert.packages(hessian)[0]
    while True:
        solver, below = shift_invert.factorised(hessian, matrix, deflated, -shift, count, tolerance, package)
        if not below or shift > highest:
            break
        if package == "cholmod" and "mumps" in shift_invert.packages(hessian):      # the same shift again: it may be memory
            package = "mumps"
        else:
            shift *= 10.0
        solver.destroy()
    try:
        vectors = shift_invert.solved(hessian, solver, count, -shift, tolerance)
    except PhysicsError:
        vectors = shift_invert.nothing(hessian)
    solver.destroy()            # before another matrix is factorised
    if vectors.shape[2] < count:
        shift *= FARTHER        # next to zero modes, deflated ones too, stiff modes drown in rounding
        look = shift_invert.looking(hessian, matrix, deflated, -shift, tolerance, package, (-np.inf, np.inf))
        vectors, _ = search(vectors, count - vectors.shape[2], look)
    return _completed(hessian, matrix, checked(hessian, vectors, tolerance), deflated, -shift, tolerance, package)


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
    if "mumps" not in shift_invert.packages(hessian):
        raise InputError("modes in an interval need MUMPS, which this PETSc was built without; ask for the lowest modes")
    free, translations = some_modes(hessian), hessian.zero_modes()
    zero = ZERO * stiffness(hessian)
    first, last = low**2 if low**2 > zero else -zero, high**2
    if last <= zero:
        raise InputError(f"no mode can be told from a translation below omega = {np.sqrt(zero):.2g}; take a larger upper end")
    matrix = without_loose(hessian)
    count = shift_invert.count_below(matrix, last, True) - shift_invert.count_below(matrix, first, False)
    count -= len(translations) if first < 0 else 0
    if count > max(free // 2, 1):
        raise InputError(f"{count} of {free} modes have frequencies in [{low:g}, {high:g}]; ask for all, or a smaller interval")
    middle, limits = 0.5 * (first + last), (first - tolerance, last + tolerance)
    look = shift_invert.looking(hessian, matrix, translations, middle, tolerance, "mumps", limits)
    vectors, missing = search(shift_invert.nothing(hessian), count, look)
    if missing:
        raise PhysicsError(f"{vectors.shape[2]} modes were found with frequencies in [{low:g}, {high:g}], where {count} are; "
                           "move its ends: a mode may lie just there")
    return checked(hessian, vectors, tolerance)


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
    free, translations = some_modes(hessian), hessian.zero_modes()
    matrix = without_loose(hessian)
    high = 2 * matrix.norm(PETSc.NormType.NORM_INFINITY)
    dense = dense_on_first(matrix)
    uniform = [rows_on_first(system, hessian.rows(vector)).ravel() for vector in translations]
    values = None
    if system.comm.rank == 0:
        for vector in uniform:                  # translations, like loose particles, go to the top, where they are cut off
            dense += np.outer(high * vector, vector)
        values = eigh(dense, driver="evd", overwrite_a=True, check_finite=False)[1][:, :free]
    rows = to_owners(system, values, free)
    return checked(hessian, rows, tolerance * max(high, 1.0))


def _completed(hessian: Hessian, matrix: Any, modes: Modes, translations: list[Any], target: float, tolerance: float, package: str
               ) -> Modes:
    """The lowest modes, as many as `modes` has, from these and copies of multiple ones that are missing among them."""
    zero = max(ZERO * stiffness(hessian), 2.0 * _unrest(hessian, translations))
    level, number = last_level(modes.frequency2, max(zero, float(modes.residuals.max())))
    if abs(level) <= zero:          # there translations cannot be told from modes
        level, number = -zero, int((modes.frequency2 < -zero).sum())
    missing, why = None, "this PETSc was built without MUMPS"
    if "mumps" in shift_invert.packages(hessian):
        try:
            missing = shift_invert.count_below(matrix, level, False) - number - (len(translations) if level > 0.0 else 0)
        except PhysicsError as error:
            why = str(error)
    count = len(modes.frequency2)
    look = shift_invert.looking(hessian, matrix, translations, target, tolerance, package, (-np.inf, level))
    vectors, rest = search(modes.vectors, missing, look)
    if rest:
        raise PhysicsError(f"of the modes with omega^2 < {level:.9g}, {number + (missing or 0)} by inertia, "
                           f"{number + vectors.shape[2] - count} were found; ask for another number, or for all")
    if vectors.shape[2] > count:
        modes = checked(hessian, vectors, tolerance).lowest(count)
    return modes if missing is not None else replace(modes, uncounted=why)


def _unrest(hessian: Hessian, translations: list[Any]) -> float:
    """max |H t|: eigenvalues of the zero modes are this near to 0; rotations between walls turn forces that are left."""
    image, largest = hessian.vector(), 0.0
    for mode in translations:
        hessian.matrix.mult(mode, image)
        largest = max(largest, image.norm())
    return largest


def stiffness(hessian: Hessian) -> float:
    """Mean of H's diagonal [energy/length^2]."""
    rows = hessian.rows(hessian.matrix.getDiagonal())[~hessian.loose]
    size = (hessian.system.n_total - hessian.n_loose) * hessian.system.dimension
    return float(ranks.total(hessian.system.comm, float(np.abs(rows).sum()))) / size


def without_loose(hessian: Hessian) -> Any:
    """The matrix, or a copy in which loose particles have an eigenvalue above all others."""
    if not hessian.n_loose:
        return hessian.matrix
    matrix = hessian.matrix.duplicate(copy=True)
    diagonal = hessian.rows(matrix.getDiagonal())
    diagonal[hessian.loose] = 2 * hessian.matrix.norm(PETSc.NormType.NORM_INFINITY)
    matrix.setDiagonal(hessian.vector(diagonal))
    matrix.setOption(PETSc.Mat.Option.SYMMETRIC, True)
    return matrix


def checked(hessian: Hessian, vectors: Floats, tolerance: float) -> Modes:
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
    return Modes(frequency2[order], np.ascontiguousarray((vectors * scale)[..., order]), residuals[order], participation[order],
                 ZERO * stiffness(hessian))

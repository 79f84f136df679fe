"""Modes of the bond operator A = S H^+ S^T: soft spots without the phonons.

S = dr/dx (N_b x N d) turns displacements into changes of the N_b pair distances, so that A_ab is the change of distance b under
a unit force dipole on pair a. Its non-zero spectrum is that of the sparse problem, on the space without translations,

    (S^T S) D = lambda H D,    D^T H D = 1,

with D the particle displacement mode, F = H D sqrt(lambda) = S^T f the particle force mode and f = S D / sqrt(lambda) the
eigenvector of A, the bond force mode: multiply A f = lambda f by H^+ S^T. Null vectors of A are states of self stress.
J. A. Giannini, D. Richard, M. L. Manning, E. Lerner, Phys. Rev. E 104, 044905 (2021), eqs. 1-7, 12.

Both matrices annihilate translations, so that one particle is held at zero, which makes H definite and changes no eigenvalue;
its rows of S^T S, like those of rattlers, are empty: modes with lambda = 0, which nobody asks for. The soft end, the largest
lambda, comes from SLEPc's Krylov-Schur method in the inner product of H, one sparse factorisation for all modes. A second one
counts: x H - S^T S has as many negative eigenvalues as there are lambda > x, and copies of multiple ones that were missed are
looked for (`matrix.multiple`). Options of PETSc under the prefix `hpcglass_bonds_` override. The full spectrum of a small glass
is dense algebra on one rank: time (N d)^3, memory about 32 (N d)^2 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.errors import InputError, PhysicsError
from hpcglass.landscape.contractions import Bonds, pair_energies
from hpcglass.landscape.matrix.dense import dense_on_first, irregular, rows_on_first, signs, to_owners
from hpcglass.landscape.matrix.hessian import Hessian, PETSc, own_errors
from hpcglass.landscape.matrix.multiple import inertia, last_level, search
from hpcglass.landscape.matrix.shift_invert import SLEPc
from hpcglass.landscape.matrix.solve import Solver, factorise, first_bound, pin, saddle, zero_modes
from hpcglass.landscape.modes import DENSE_LIMIT, FEW, number_of_modes, some_modes
from hpcglass.landscape.rattlers import bonded

Floats = NDArray[np.float64]

PREFIX = "hpcglass_bonds_"
FLOOR = 1e-6            # of the norm of S^T S: less is no change of any distance
WIDTH = 1e-7            # two lambda nearer than this share are copies of one
SPECTRUM_TOLERANCE = 1e-7   # of relative residuals over the whole spectrum
MPD = 128               # largest subspace that is projected at once


@dataclass
class BondModes:
    """Modes of the bond operator, the softest first.

    eigenvalue : (k,) lambda, descending [length^2/energy]
    displacement : (n_owned, d, k) D, normalised to 1, no mean; the component of largest modulus is positive
    force : (n_owned, d, k) F along H D, normalised to 1
    participation_displacement, participation_force : (k,) e = (sum_i |v_i|^2)^2 / (N sum_i |v_i|^4) of either
    residuals : (k,) |S^T S D - lambda H D| / |lambda H D|, computed from the plain matrices; for lambda = 0, relative to 1e-6 of
        the norm of S^T S
    uncounted : why it was not verified by inertia that no mode is missing; empty where it was
    """

    eigenvalue: Floats
    displacement: Floats
    force: Floats
    participation_displacement: Floats
    participation_force: Floats
    residuals: Floats
    uncounted: str = ""

    def softest(self, count: int) -> BondModes:
        """The first `count` of them."""
        fields: dict[str, Any] = {name: value if name == "uncounted" else value[..., :count]
                                  for name, value in vars(self).items()}
        return BondModes(**fields)


def softest_bond_modes(hessian: Hessian, count: int, tolerance: float = 1e-9, start: Floats | None = None,
                       pinned: int | None = None) -> BondModes:
    """The `count` modes of largest lambda. Collective.

    Parameters
    ----------
    hessian : of a minimum
    count : at most half of all modes; for more take `bond_spectrum`
    tolerance : largest relative residual accepted
    start : (n_owned, d, m) fields like the modes looked for, as those of a configuration nearby: saves a fifth of the solves
    pinned : row of the particle held at zero, in the order of all ranks; by default the first that interacts

    Raises
    ------
    InputError
        No such number of modes.
    PhysicsError
        Not converged to the tolerance; a saddle; parts that do not touch; no two particles interact.
    RuntimeError
        The system was rebuilt since the Hessian was made.

    Notes
    -----
    V. Hernandez, J. E. Roman, V. Vidal, ACM Trans. Math. Softw. 31, 351 (2005): SLEPc.
    """
    _need_cell(hessian)
    uniform, free = zero_modes(hessian), some_modes(hessian)
    if not 0 < count <= max(free // 2, 1):
        raise InputError(f"{count} softest bond modes asked for; the configuration has {free}: ask for 1 to {max(free // 2, 1)}, "
                         "or for all")
    if free <= FEW:
        return bond_spectrum(hessian, tolerance=max(tolerance, SPECTRUM_TOLERANCE), pinned=pinned).softest(count)
    pinned = first_bound(hessian) if pinned is None else pinned
    bonds = hessian.bond_matrix()
    first = irregular(hessian.system) if start is None else start.sum(axis=2)
    none = np.empty((hessian.system.n_owned, hessian.system.dimension, 0))
    vectors = _krylov(hessian, bonds, pinned, first, none, count, tolerance)
    modes = _checked(hessian, bonds, uniform, vectors.copy(), tolerance)
    level, number = last_level(-modes.eigenvalue, max(WIDTH, float(modes.residuals.max())) * float(modes.eigenvalue[-1]))
    missing, why = None, ""
    try:
        missing = _count_above(hessian, bonds, pinned, -level) - number
    except PhysicsError as error:       # memory
        why = str(error)

    def look(known: Floats, wanted: int, number: int) -> Floats:
        return _krylov(hessian, bonds, pinned, irregular(hessian.system, number), known, wanted, tolerance, -level)

    vectors, rest = search(vectors, missing, look)
    if rest:
        raise PhysicsError(f"of the bond modes with lambda > {-level:.9g}, {number + (missing or 0)} by inertia, "
                           f"{number + vectors.shape[2] - count} were found; ask for another number, or for all")
    if vectors.shape[2] > count:
        modes = _checked(hessian, bonds, uniform, vectors, tolerance).softest(count)
    return replace(modes, uncounted=why)


def bond_spectrum(hessian: Hessian, vectors: bool = True, tolerance: float = SPECTRUM_TOLERANCE, pinned: int | None = None
                  ) -> BondModes:
    """All modes, (N - 1) d without rattlers, by dense algebra on rank 0; for small systems. Collective.

    Parameters
    ----------
    hessian : of a minimum
    vectors : without them, three times faster, fields and what follows from them are empty
    tolerance : largest relative residual accepted

    Raises
    ------
    InputError
        The matrix is too large.
    PhysicsError
        A residual is too large; a saddle; parts that do not touch; no two particles interact.
    RuntimeError
        The system was rebuilt since the Hessian was made.
    """
    from scipy.linalg import eigh

    system, d = hessian.system, hessian.system.dimension
    _need_cell(hessian)
    uniform, size = zero_modes(hessian), some_modes(hessian)
    if size > DENSE_LIMIT:
        raise InputError(f"the full bond spectrum of {system.n_total} particles needs dense matrices of {size} rows > "
                         f"{DENSE_LIMIT}; ask for the softest modes")
    pinned = first_bound(hessian) if pinned is None else pinned
    ksp, stiffness = _factorised(hessian, pinned)           # says what is wrong better than dense algebra
    bonds = hessian.bond_matrix()
    kept = ~hessian.loose
    kept[_own(hessian, pinned)] = False
    kept = np.repeat(rows_on_first(system, kept.astype(np.int8)) > 0, d)
    dense = [dense_on_first(matrix, np.flatnonzero(kept)) for matrix in (bonds, stiffness)]
    for item in (ksp, stiffness):
        item.destroy()
    result = None
    if system.comm.rank == 0:
        result = eigh(*dense, eigvals_only=not vectors, driver="gvd", overwrite_a=True, overwrite_b=True, check_finite=False)
    del dense
    if not vectors:
        eigenvalue = ranks.broadcast(system.comm, None if result is None else result[::-1])
        none = np.zeros((system.n_owned, d, 0))
        return BondModes(eigenvalue, none, none, *np.zeros((3, 0)))
    values = None
    if result is not None:
        values = np.zeros((system.n_total * d, size))
        values[kept] = result[1]
        result = None
    return _checked(hessian, bonds, uniform, to_owners(system, values, size), tolerance)


def bond_forces(hessian: Hessian, modes: BondModes) -> tuple[Bonds, Floats]:
    """Bond force modes f = S D / |S D|. Collective.

    Returns
    -------
    bonds : interacting pairs, each on one rank, without those of rattlers
    f : (b, k) normalised over all ranks; positive where the mode extends the bond
    """
    system = hessian.system
    bonds = _bonds(hessian)
    position = system.reference, system.displacement
    x = sum(part[bonds.rows[:, 1]] - part[bonds.rows[:, 0]] for part in position)
    x /= np.linalg.norm(x, axis=1)[:, None]
    fields = np.zeros((system.n_all, *modes.displacement.shape[1:]))
    fields[: system.n_owned] = modes.displacement
    system.forward(fields)
    result = np.einsum("ba,bak->bk", x, fields[bonds.rows[:, 1]] - fields[bonds.rows[:, 0]])
    return bonds, result / np.sqrt(ranks.total(system.comm, (result**2).sum(axis=0)))


def dipole_response(hessian: Hessian, particle: int, solver: Solver) -> tuple[NDArray[np.int64], float, Floats]:
    """Answer of the glass to a unit dipole on one bond alpha (eq. 5). Collective.

    Parameters
    ----------
    particle : global id; the bond is the first one, in order of ids, whose lower id is not below it (the last, if there is none)

    Returns
    -------
    ids : (2,) particles of the bond
    response : A_aa, how much it opens [length^2/energy]
    displacement : (n_owned, d) H^+ S^T alpha [length^2/energy]

    Raises PhysicsError if the solve fails, as at a saddle.
    """
    system, bonds = hessian.system, _bonds(hessian)
    key = bonds.ids[:, 0] * system.n_total + bonds.ids[:, 1]
    later = key[bonds.ids[:, 0] >= particle]
    chosen = int(ranks.smallest(system.comm, int(later.min()) if later.size else np.iinfo(np.int64).max))
    if chosen == np.iinfo(np.int64).max:
        chosen = int(ranks.largest(system.comm, int(key.max(initial=-1))))
    here = np.flatnonzero(key == chosen)[:1]
    rows, x = bonds.rows[here], bonds.vectors(system)[here]
    unit = np.where(system.id[rows[:, :1]] > system.id[rows[:, 1:]], -x, x) / np.linalg.norm(x, axis=1)[:, None]
    load = np.zeros((system.n_all, system.dimension))
    load[rows[:, 0]] -= unit
    load[rows[:, 1]] += unit
    system.reverse_add(load)
    field = np.zeros_like(load)
    field[: system.n_owned] = solver.solve(load[: system.n_owned])
    system.forward(field)
    opening = float(ranks.total(system.comm, float(((field[rows[:, 1]] - field[rows[:, 0]]) * unit).sum())))
    return np.array(divmod(chosen, system.n_total)), opening, field[: system.n_owned]


def bond_counts(hessian: Hessian) -> tuple[int, int]:
    """(number of bonds, number of non-zero eigenvalues): the rank of S^T S by inertia. Collective.

    Their difference is the number of states of self stress. Rattlers and their contacts do not count.
    """
    d, pinned = hessian.system.dimension, first_bound(hessian)
    matrix = pin(hessian.bond_matrix(), pinned, d)
    ksp, factor = factorise(matrix, PREFIX + "count_")
    rank = int(factor.getInertia()[2]) - d
    for item in (ksp, matrix):
        item.destroy()
    return int(ranks.total(hessian.system.comm, len(_bonds(hessian).rows))), rank


def _need_cell(hessian: Hessian) -> None:
    if hessian.system.walls is not None:
        raise PhysicsError("the bond operator knows bonds of particles, not contacts with rigid walls: it needs a periodic cell")


def _bonds(hessian: Hessian) -> Bonds:
    d = hessian.system.dimension
    return pair_energies(bonded(hessian.system), np.zeros((d, d)), [])


def _krylov(hessian: Hessian, bonds: Any, pinned: int, first: Floats, known: Floats, count: int, tolerance: float,
            above: float = -np.inf) -> Floats:
    """(n_owned, d, k) of the `count` modes of largest lambda besides the known ones: those above a limit."""
    room = number_of_modes(hessian) - known.shape[2]
    count = min(count, room)
    if not count:
        return known[..., :0]
    hessian.look()
    ksp, stiffness = _factorised(hessian, pinned)
    compliance = _emptied(bonds, pinned, hessian.system.dimension)
    solver = SLEPc.EPS().create(hessian.system.comm)
    solver.setOptionsPrefix(PREFIX)
    solver.setOperators(compliance, stiffness)
    solver.setProblemType(SLEPc.EPS.ProblemType.GHEP)
    solver.setType("krylovschur")
    solver.setWhichEigenpairs(SLEPc.EPS.Which.LARGEST_REAL)
    # with 20 more vectors than twice the modes a glass of 10^4 particles takes three rounds for k = 20
    solver.setDimensions(count, min(2 * count + 20, room), MPD if count > MPD else PETSc.DECIDE)
    solver.setTolerances(0.1 * tolerance, 100)
    solver.setMonitor(lambda *_: hessian.look())
    solver.setDeflationSpace([hessian.vector(known[..., k]) for k in range(known.shape[2])])
    solver.setInitialSpace([hessian.vector(first)])
    solver.getST().setKSP(ksp)
    solver.setFromOptions()
    with own_errors():
        solver.solve()
    found = solver.getConverged()
    if found < count:
        raise PhysicsError(f"only {found} of {count} bond modes converged to {tolerance:.0e} in {solver.getIterationNumber()} "
                           f"rounds; take a larger tolerance, or PETSC_OPTIONS='-{PREFIX}eps_max_it 1000'")
    chosen = [k for k in range(count) if solver.getEigenvalue(k).real > above]
    vectors = np.empty((hessian.system.n_owned, hessian.system.dimension, len(chosen)))
    vector = hessian.vector()
    for column, k in enumerate(chosen):
        solver.getEigenvector(k, vector)
        vectors[..., column] = hessian.rows(vector)
    for item in (solver, ksp, stiffness, compliance):
        item.destroy()
    return vectors


def _count_above(hessian: Hessian, bonds: Any, pinned: int, level: float) -> int:
    """Number of lambda > level > 0: negative eigenvalues of level H - S^T S, by inertia."""
    matrix = pin(hessian.matrix, pinned, hessian.system.dimension)
    matrix.scale(level)
    compliance = _emptied(bonds, pinned, hessian.system.dimension)
    matrix.axpy(-1.0, compliance, PETSc.Mat.Structure.SAME_NONZERO_PATTERN)
    compliance.destroy()
    matrix.setOption(PETSc.Mat.Option.SYMMETRIC, True)
    negative, _ = inertia(matrix, PREFIX + "count_")
    matrix.destroy()
    return negative


def _factorised(hessian: Hessian, pinned: int) -> tuple[Any, Any]:
    """(KSP of its inverse, H without one particle), positive definite."""
    matrix = pin(hessian.matrix, pinned, hessian.system.dimension)
    ksp, factor = factorise(matrix, PREFIX)
    negative, floppy, _ = factor.getInertia() if factor is not None else (0, 0, 0)
    if floppy:              # first: a zero pivot has any sign
        raise PhysicsError("the configuration has zero modes besides the translations: particles with too few contacts, or "
                           "parts that do not touch, as in a fluid; remove them or compress the configuration")
    if negative:
        raise saddle(f"its Hessian has {negative} negative eigenvalue{'s' * (negative > 1)}")
    return ksp, matrix


def _emptied(matrix: Any, particle: int, dimension: int) -> Any:
    """Copy of a matrix with empty rows and columns of one particle."""
    result = pin(matrix, particle, dimension)
    diagonal = result.getDiagonal()
    first, last = matrix.getOwnershipRange()
    rows = np.arange(particle * dimension, (particle + 1) * dimension)
    diagonal.array[rows[(rows >= first) & (rows < last)] - first] = 0.0
    result.setDiagonal(diagonal)
    return result


def _own(hessian: Hessian, particle: int) -> slice:
    """Row of this rank for a row in the order of all ranks; empty on the other ranks."""
    own = particle - hessian.system.first_row
    return slice(own, own + 1) if 0 <= own < hessian.system.n_owned else slice(0, 0)


def _checked(hessian: Hessian, bonds: Any, uniform: list[Any], vectors: Floats, tolerance: float) -> BondModes:
    """Modes from eigenvectors: without translations, Rayleigh quotients, residuals, norms, signs, participation."""
    system, count = hessian.system, vectors.shape[2]
    eigenvalue, residuals = np.empty(count), np.empty(count)
    forces = np.empty_like(vectors)
    force, rest = hessian.vector(), hessian.vector()
    floor = FLOOR * bonds.norm(PETSc.NormType.NORM_INFINITY)
    for k in range(count):
        mode = hessian.vector(vectors[..., k])
        for translation in uniform:
            mode.axpy(-mode.dot(translation), translation)
        mode.normalize()
        hessian.matrix.mult(mode, force)
        bonds.mult(mode, rest)
        eigenvalue[k] = mode.dot(rest) / mode.dot(force)
        rest.axpy(-eigenvalue[k], force)
        residuals[k] = rest.norm() / max(abs(eigenvalue[k]) * force.norm(), floor)
        force.normalize()
        vectors[..., k], forces[..., k] = hessian.rows(mode), hessian.rows(force)
    if not residuals.max() <= tolerance:
        worst = int(residuals.argmax())
        raise PhysicsError(f"bond mode {worst} of {count}, lambda = {eigenvalue[worst]:.6g}, has a relative residual of "
                           f"{residuals[worst]:.1e} > {tolerance:.1e}; take a larger tolerance, or more modes")
    order = np.argsort(-eigenvalue, kind="stable")
    sign = signs(system, vectors)
    fourth = ranks.total(system.comm, np.array([((field**2).sum(axis=1)**2).sum(axis=0) for field in (vectors, forces)]))
    participation = 1.0 / (system.n_total * fourth[:, order])
    for field in (vectors, forces):
        field *= sign
        field[...] = field[..., order]
    return BondModes(eigenvalue[order], vectors, forces, participation[0], participation[1], residuals[order])

"""Entries of the pseudo-inverse H^+ of the Hessian: its diagonal blocks and those of interacting pairs.

With the factors of the pinned Hessian at hand (`solve`), MUMPS computes chosen entries of its inverse X without the others (P. R.
Amestoy et al., SIAM J. Sci. Comput. 34, A1975 (2012)): for 10 000 particles in 2D seven times faster than all columns in blocks
with sparse right-hand sides. With P = 1 - T T^T, T the d orthonormal translations of the particles that interact,

    H^+ = P X P,      H^+_ij = X_ij - W_i T_j^T - T_i W_j^T + T_i Y T_j^T,      W = X T,   Y = T^T W:

d more solves. petsc4py has no method for such entries: PETSc's C function is called where its library has it, and blocks of
columns are solved for where not.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.errors import InputError, PhysicsError
from hpcglass.landscape.matrix.dense import rows_on_first
from hpcglass.landscape.matrix.hessian import Hessian, PETSc
from hpcglass.landscape.matrix.multiple import has_inertia
from hpcglass.landscape.matrix.solve import Solver, choose, first_bound

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

METHODS = ("auto", "selected", "columns")
TOGETHER = 128              # columns that MUMPS treats at once
CONTROLS = (20, 21, 27, 30)     # ICNTL that selected inversion changes, and ordinary solves want back


@dataclass
class InverseBlocks:
    """Blocks of H^+ [length^2/energy] in the rows of this rank: (i, i), and (i, j) wherever i and j interact.

    start : (n_owned+1,) first block of each row
    columns : (b,) global rows (`System.first_row` + owned row) of the second particle, ascending in each row
    blocks : (b, d, d) H^+_ij; zero for particles without contacts
    diagonal : (n_owned, d, d) H^+_ii
    """

    start: Integers
    columns: Integers
    blocks: Floats
    diagonal: Floats

    def between(self, system: System, rows: Integers) -> Floats:
        """(m, d, d) H^+_ij for pairs (m, 2) of rows of the system, i owned, j perhaps a ghost, as `Bonds.rows`. Collective.

        Raises InputError for a pair that does not interact.
        """
        number = _global_rows(system)
        key = np.repeat(np.arange(system.n_owned), np.diff(self.start)) * system.n_total + self.columns
        wanted = rows[:, 0] * system.n_total + number[rows[:, 1]]
        slot = np.minimum(np.searchsorted(key, wanted), max(len(key) - 1, 0))
        if ranks.largest(system.comm, int((key[slot] != wanted).any() if len(wanted) else 0)):
            raise InputError("blocks of the inverse are known for interacting pairs only; another pair was asked for")
        return self.blocks[slot]


def inverse_blocks(hessian: Hessian, method: str = "auto", solver: Solver | None = None) -> InverseBlocks:
    """Diagonal and pair blocks of H^+. Collective.

    Parameters
    ----------
    hessian : of a minimum
    method : "selected" (MUMPS' selected inversion), "columns" (every column, in blocks), or "auto": the first if PETSc has it
    solver : a direct one of this Hessian, which may be used afterwards as before; a new one is made without

    Raises
    ------
    InputError
        Unknown method, or one that this PETSc does not have; no factors: the glass is too large, or the solver is not direct.
    PhysicsError
        The configuration is a saddle or floppy; MUMPS failed.
    RuntimeError
        The system was rebuilt since the Hessian was made.
    """
    return _inverse(hessian, method, solver, pairs=True)


def vibrality(hessian: Hessian, method: str = "auto", solver: Solver | None = None) -> Floats:
    """(n_owned,) Psi_i = tr H^+_ii = sum over modes of |v_i|^2 / omega^2 [length^2/energy]. Collective.

    The mean square displacement of a particle in the harmonic solid, per temperature. Zero for particles without contacts.
    Arguments and errors as for `inverse_blocks`.
    """
    return np.trace(_inverse(hessian, method, solver, pairs=False).diagonal, axis1=1, axis2=2)


def _inverse(hessian: Hessian, method: str, solver: Solver | None, pairs: bool) -> InverseBlocks:
    system, d = hessian.system, hessian.system.dimension
    method = _choose(method)
    own = solver is None
    if solver is None:
        if not has_inertia():
            raise InputError("entries of the inverse Hessian need the factors of MUMPS, which this PETSc was built without")
        if choose("auto", system.n_total, d, system.n_total * d) == "cg":
            raise InputError(f"entries of the inverse Hessian need its factors, for which {system.n_total} particles in {d}D are "
                             "too many; take a smaller glass")
        solver = Solver(hessian, "direct")
    if solver.negative is None:
        raise InputError("entries of the inverse Hessian need a solver with the factors of MUMPS: make it with method \"direct\" "
                         "and without PETSc options that override it")
    pinned = first_bound(hessian)
    shift = _shift(hessian, solver, pinned)         # first: it tells whether this is a minimum
    start, columns = _pattern(hessian, pairs)
    factor = solver.factor
    compute = _selected if method == "selected" else _columns
    blocks = compute(hessian, factor, start, columns)
    row = system.first_row + np.repeat(np.arange(system.n_owned), np.diff(start))
    blocks[row == pinned] = 0.0                     # the identity, which stands in its place
    _project(hessian, blocks, row, columns, shift)
    blocks[np.repeat(hessian.loose, np.diff(start))] = 0.0
    if own:
        solver.destroy()
    return InverseBlocks(start, columns, blocks, blocks[row == columns])


def _choose(method: str) -> str:
    if method not in METHODS:
        raise InputError(f"unknown method {method!r} of inversion; known: {', '.join(METHODS)}")
    known = _library_function() is not None
    if method == "selected" and not known:
        raise InputError("this PETSc has no MatMumpsGetInverseTranspose; take the method \"columns\", or a PETSc with MUMPS")
    return ("selected" if known else "columns") if method == "auto" else method


def _library_function() -> Any:
    """PETSc's C function for entries of the inverse (and of its transpose: the same here), found through petsc4py's own library.

    None if it is missing. The function named without Transpose wants the pattern wrapped up as a transposed matrix.
    """
    try:
        return ctypes.CDLL(PETSc.__file__).MatMumpsGetInverseTranspose
    except (AttributeError, OSError):
        return None


def _global_rows(system: System) -> Integers:
    """(n_all,) global row of owned particles and ghosts."""
    number = np.empty(system.n_all, dtype=np.int64)
    number[: system.n_owned] = system.first_row + np.arange(system.n_owned)
    system.forward(number)
    return number


def _pattern(hessian: Hessian, pairs: bool) -> tuple[Integers, Integers]:
    """(start, columns) of the blocks wanted: the diagonal, and those of H that are not zero."""
    system, d = hessian.system, hessian.system.dimension
    pointer, index, values = hessian.matrix.getValuesCSR()
    start = pointer[::d].astype(np.int64) // d**2
    place = _places(start, d)
    columns = index[place[:, 0, 0]].astype(np.int64) // d
    row = np.repeat(np.arange(system.n_owned), np.diff(start))
    keep = columns == system.first_row + row
    if pairs:
        keep |= values[place].any(axis=(1, 2))
    return np.append(0, np.cumsum(np.bincount(row[keep], minlength=system.n_owned))), columns[keep]


def _places(start: Integers, dimension: int) -> Integers:
    """(b, d, d) where the entries of each block stand among those of scalar compressed rows."""
    count = np.diff(start)
    row, axis = np.repeat(np.arange(len(count)), count), np.arange(dimension)
    first = dimension**2 * start[row] + dimension * (np.arange(start[-1]) - start[row])
    return first[:, None, None] + dimension * count[row, None, None] * axis[:, None] + axis


def _shift(hessian: Hessian, solver: Solver, pinned: int) -> Floats:
    """(n_owned, d, d) W = X T: rows i, columns the axes of translation.

    X does not see what is loaded on the pinned particle. Load it with what balances T: then X gives what H^+ does, moved back so
    that this particle stays.
    """
    system, d = hessian.system, hessian.system.dimension
    bound = system.n_total - hessian.n_loose
    here = np.flatnonzero(system.first_row + np.arange(system.n_owned) == pinned)
    result = np.empty((system.n_owned, d, d))
    for axis in range(d):
        load = np.zeros((system.n_owned, d))
        load[~hessian.loose, axis] = 1.0 / np.sqrt(bound)
        load[here, axis] -= np.sqrt(bound)
        moved = solver.solve(load)
        result[..., axis] = moved - ranks.total(system.comm, moved[here].sum(axis=0))
    result[hessian.loose] = 0.0
    return result


def _project(hessian: Hessian, blocks: Floats, row: Integers, columns: Integers, shift: Floats) -> None:
    """X_ij to H^+_ij, in place."""
    system = hessian.system
    t = 1.0 / np.sqrt(system.n_total - hessian.n_loose)
    everywhere = ranks.broadcast(system.comm, rows_on_first(system, shift))
    blocks -= t * (everywhere[row] + everywhere[columns].transpose(0, 2, 1))
    blocks += t**2 * t * everywhere.sum(axis=0)


def _selected(hessian: Hessian, factor: Any, start: Integers, columns: Integers) -> Floats:
    """(b, d, d) blocks of X by MUMPS' selected inversion, which wants the whole pattern on rank 0 and leaves the values there."""
    system, d = hessian.system, hessian.system.dimension
    place = _places(start, d)
    index = np.empty(place.size, dtype=np.int64)
    index[place] = d * columns[:, None, None] + np.arange(d)
    lengths = rows_on_first(system, np.repeat(d * np.diff(start), d))
    pointer, every = np.append(0, np.cumsum(lengths)).astype(PETSc.IntType), rows_on_first(system, index).astype(PETSc.IntType)
    size = (len(lengths), system.n_total * d)
    wanted = PETSc.Mat().createAIJ(size=(size, size), csr=(pointer, every, np.zeros(len(every))), comm=system.comm)
    before = {number: factor.getMumpsIcntl(number) for number in CONTROLS}
    factor.setMumpsIcntl(27, TOGETHER)
    code = _library_function()(ctypes.c_void_p(factor.handle), ctypes.c_void_p(wanted.handle))
    info = factor.getMumpsInfog(1)
    for number, value in before.items():
        factor.setMumpsIcntl(number, value)
    if code or info < 0:
        raise PhysicsError(f"MUMPS could not compute entries of the inverse: PETSc's error {code}, INFOG(1) = {info} (-9, -13, "
                           "-19: memory); take more memory, or the method \"columns\"")
    values = wanted.getValuesCSR()[2]
    parts = ranks.counts(system.comm, len(index))
    owner = np.repeat(np.arange(system.comm.size), parts if system.comm.rank == 0 else 0)
    wanted.destroy()
    return ranks.send_rows(system.comm, owner, values)[0][place]


def _columns(hessian: Hessian, factor: Any, start: Integers, columns: Integers) -> Floats:
    """(b, d, d) blocks of X out of its columns, solved for together."""
    system, d = hessian.system, hessian.system.dimension
    own, n = system.first_row, system.n_owned
    row = np.repeat(np.arange(n), np.diff(start))
    blocks = np.empty((len(columns), d, d))
    width = min(max(TOGETHER // d, 1), system.n_total)
    size = ((n * d, system.n_total * d), (None, width * d))
    right, left = (PETSc.Mat().createDense(size=size, comm=system.comm) for _ in range(2))
    for matrix in (right, left):
        matrix.setUp()
        matrix.assemble()
    for first in range(0, system.n_total, width):
        unit = right.getDenseArray()
        unit[:] = 0.0
        for k in range(max(first, own), min(first + width, own + n)):
            for a in range(d):
                unit[(k - own) * d + a, (k - first) * d + a] = 1.0
        right.assemble()
        factor.matSolve(right, left)
        answer = left.getDenseArray().reshape(n, d, width, d)
        here = np.flatnonzero((columns >= first) & (columns < first + width))
        blocks[here] = answer[row[here], :, columns[here] - first]
    right.destroy()
    left.destroy()
    return blocks

"""The Hessian of the energy as a distributed sparse matrix.

    H_ij = -sum_images K_ij (i != j),   H_ii = sum_j K_ij,   K_ij = c_2 x x^T + c_1 1,   x = x_ij,

with the pair scalars of `core/pairs`. Each rank owns the rows of its particles, in their present order, and fills them from its
own pair list: pairs with a ghost are listed by both owners, so nothing is sent. Images of one particle add to the column of their
owner: cells in which a pair meets twice are no special case. The pattern follows from the list and holds as
long as it does (one `epoch` of the system); refilling costs about as much as two force evaluations. Rattlers are left out.

With K_ij = n n^T, n = x/|x|, the same pattern holds S^T S, where S = dr_pair/dx turns displacements of particles into changes of
pair distances.

PETSc numbers: block size d, row d (first_row + i) + a is component a of owned particle i.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import petsc4py
from numpy.typing import NDArray

from hpcglass.core.pairs import CHUNK, KEEP_NAN
from hpcglass.core.system import System
from hpcglass.landscape.forces import gather, pair_lists, scalars
from hpcglass.landscape.rattlers import bonded

petsc4py.init([])       # the command line is not PETSc's; options come from PETSC_OPTIONS and per-solver prefixes
from petsc4py import PETSc  # noqa: E402

Floats = NDArray[np.float64]


class Hessian:
    """Second derivatives of the energy with respect to positions [energy/length^2].

    Parameters
    ----------
    system : up to date; any configuration, a minimum or not

    Attributes
    ----------
    matrix : PETSc AIJ matrix of size N d, translations attached as its null space
    loose : (n_owned,) bool, rattlers (see `rattlers`); their rows are those of the identity
    n_loose : number of them over all ranks
    """

    def __init__(self, system: System) -> None:
        self.system = system
        self.epoch = system.epoch
        n, d = system.n_owned, system.dimension
        row = np.empty(system.n_all, dtype=np.int64)
        row[:n] = system.first_row + np.arange(n)
        system.forward(row)
        self._start, columns, self._slots, self._mirror, self._diagonal = _pattern(
            system.pairs.start, system.pairs.index, row, n)
        pointer, index = _expand(self._start, columns, d)
        self._csr = (pointer.astype(PETSc.IntType), index.astype(PETSc.IntType))
        size = (n * d, system.n_total * d)
        self.matrix = PETSc.Mat().createAIJ(size=(size, size), bsize=d, csr=(*self._csr, self._values()), comm=system.comm)
        self.matrix.setOption(PETSc.Mat.Option.SYMMETRIC, True)
        self.translations = translations(self.matrix, system)
        space = PETSc.NullSpace().create(vectors=self.translations, comm=system.comm)
        self.matrix.setNullSpace(space)
        self.matrix.setNearNullSpace(space)

    def refill(self) -> None:
        """New values for the present configuration on the same pattern. Collective.

        Raises
        ------
        RuntimeError
            The system was rebuilt since: make a new Hessian.
        """
        self._check_epoch()
        self.matrix.setValuesCSR(*self._csr, self._values())
        self.matrix.assemble()

    def bond_matrix(self) -> Any:
        """S^T S of the present configuration as a new PETSc matrix on the same pattern; empty rows for rattlers. Collective.

        Raises RuntimeError if the system was rebuilt since.
        """
        self._check_epoch()
        values = np.zeros(self.system.dimension**2 * int(self._start[-1]))
        _fill(*pair_lists(bonded(self.system)), self._start, self._slots, self._mirror, self._diagonal, True, values)
        sizes = self.matrix.getSizes()
        matrix = PETSc.Mat().createAIJ(size=sizes, bsize=self.system.dimension, csr=(*self._csr, values), comm=self.system.comm)
        matrix.setOption(PETSc.Mat.Option.SYMMETRIC, True)
        return matrix

    def _check_epoch(self) -> None:
        if self.system.epoch != self.epoch:
            raise RuntimeError("the particles were renumbered since this Hessian was built (see system.epoch); make a new one")

    def _values(self) -> Floats:
        system, d = self.system, self.system.dimension
        values = np.zeros(d * d * int(self._start[-1]))
        _fill(*pair_lists(bonded(system)), self._start, self._slots, self._mirror, self._diagonal, False, values)
        self.loose = _untouched(self._start, self._diagonal, d, values)
        self.n_loose = int(_count(system, self.loose))
        return values

    def vector(self, rows: Floats | None = None) -> Any:
        """A distributed vector, from (n_owned, d) rows or zero."""
        vector = self.matrix.createVecRight()
        if rows is not None:
            vector.array[:] = np.asarray(rows).ravel()
        else:
            vector.zeroEntries()
        return vector

    def rows(self, vector: Any) -> Floats:
        """(n_owned, d) copy of a distributed vector."""
        return np.array(vector.array_r).reshape(self.system.n_owned, self.system.dimension)

    def destroy(self) -> None:
        """Free PETSc's memory. Collective."""
        self.matrix.destroy()


def translations(matrix: Any, system: System) -> list[Any]:
    """The d orthonormal uniform translations."""
    result = []
    for axis in range(system.dimension):
        vector = matrix.createVecRight()
        rows = np.zeros((system.n_owned, system.dimension))
        rows[:, axis] = 1.0 / np.sqrt(system.n_total)
        vector.array[:] = rows.ravel()
        result.append(vector)
    return result


def _count(system: System, flags: NDArray[np.bool_]) -> int:
    from hpcglass.core import comm as ranks

    return int(ranks.total(system.comm, int(flags.sum())))


@numba.njit(cache=True)
def _pattern(start, index, row, n_owned):
    """Block rows: (first block of each, columns, slot of each pair, slot of its mirror or -1, slot of each diagonal)."""
    count = np.ones(n_owned, dtype=np.int64)
    for i in range(n_owned):
        count[i] += start[i + 1] - start[i]
        for p in range(start[i], start[i + 1]):
            if index[p] < n_owned:
                count[index[p]] += 1
    begin = np.zeros(n_owned + 1, dtype=np.int64)
    begin[1:] = np.cumsum(count)
    raw = np.empty(begin[n_owned], dtype=np.int64)
    fill = begin[:-1].copy()
    for i in range(n_owned):
        raw[fill[i]] = row[i]
        fill[i] += 1
        for p in range(start[i], start[i + 1]):
            j = index[p]
            raw[fill[i]] = row[j]
            fill[i] += 1
            if j < n_owned:
                raw[fill[j]] = row[i]
                fill[j] += 1
    first = np.zeros(n_owned + 1, dtype=np.int64)
    columns = np.empty_like(raw)
    kept = 0
    for i in range(n_owned):
        part = np.sort(raw[begin[i]:begin[i + 1]])
        for k in range(part.size):
            if k == 0 or part[k] != part[k - 1]:
                columns[kept] = part[k]
                kept += 1
        first[i + 1] = kept
    columns = columns[:kept].copy()
    slots, mirror = np.empty(index.size, dtype=np.int64), np.full(index.size, -1, dtype=np.int64)
    diagonal = np.empty(n_owned, dtype=np.int64)
    for i in range(n_owned):
        diagonal[i] = first[i] + np.searchsorted(columns[first[i]:first[i + 1]], row[i])
        for p in range(start[i], start[i + 1]):
            j = index[p]
            slots[p] = first[i] + np.searchsorted(columns[first[i]:first[i + 1]], row[j])
            if j < n_owned:
                mirror[p] = first[j] + np.searchsorted(columns[first[j]:first[j + 1]], row[i])
    return first, columns, slots, mirror, diagonal


@numba.njit(cache=True)
def _expand(first, columns, dimension):
    """Scalar compressed rows (pointer, index) of the block pattern."""
    n = first.size - 1
    pointer = np.zeros(n * dimension + 1, dtype=np.int64)
    index = np.empty(columns.size * dimension * dimension, dtype=np.int64)
    at = 0
    for i in range(n):
        for _ in range(dimension):
            for k in range(first[i], first[i + 1]):
                for b in range(dimension):
                    index[at] = columns[k] * dimension + b
                    at += 1
            pointer[i * dimension + _ + 1] = at
    return pointer, index


@numba.njit(cache=True, inline="always")
def _add(values, first, row, slot, dimension, block, sign):
    """Add sign * block to the block at `slot` of a block row."""
    width = dimension * (first[row + 1] - first[row])
    at = dimension * dimension * first[row] + dimension * (slot - first[row])
    for a in range(dimension):
        for b in range(dimension):
            values[at + a * width + b] += sign * block[a, b]


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _fill(reference, displacement, start, index, inverse_length2, scale, table, first_block, slots, mirror, diagonal, bonds,
          values):
    """Values of all owned rows of H, or of S^T S if `bonds`; `values` is zero before."""
    cutoff2 = table.edges[table.edges.size - 1]
    dimension = reference.shape[1]
    vector = np.empty((dimension, CHUNK))
    x2, c1, c2, work = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK), np.empty((2, CHUNK))
    block = np.empty((dimension, dimension))
    row = 0
    total = start[start.size - 1]
    for first in range(0, total, CHUNK):
        n = min(CHUNK, total - first)
        next_row = gather(reference, displacement, start, index, inverse_length2, row, first, n, vector, x2)
        if bonds:
            for k in range(n):
                c1[k], c2[k] = 0.0, inverse_length2[first + k] / x2[k] if x2[k] < cutoff2 else 0.0
        else:
            scalars(1, first, n, inverse_length2, scale, table, x2, work, c1)
            scalars(2, first, n, inverse_length2, scale, table, x2, work, c2)
        for k in range(n):
            p = first + k
            while start[row + 1] <= p:
                row += 1
            if c1[k] == 0.0 and c2[k] == 0.0:
                continue
            for a in range(dimension):
                for b in range(dimension):
                    block[a, b] = c2[k] * vector[a, k] * vector[b, k]
                block[a, a] += c1[k]
            _add(values, first_block, row, diagonal[row], dimension, block, 1.0)
            _add(values, first_block, row, slots[p], dimension, block, -1.0)
            if mirror[p] >= 0:
                j = index[p]
                _add(values, first_block, j, diagonal[j], dimension, block, 1.0)
                _add(values, first_block, j, mirror[p], dimension, block, -1.0)
        row = next_row


@numba.njit(cache=True)
def _untouched(first, diagonal, dimension, values):
    """Which particles have an empty row, as rattlers do; their diagonal becomes 1, so that factorisations exist."""
    n = first.size - 1
    loose = np.zeros(n, dtype=np.bool_)
    for i in range(n):
        empty = True
        for at in range(dimension * dimension * first[i], dimension * dimension * first[i + 1]):
            empty &= values[at] == 0.0
        loose[i] = empty
        if empty:
            width = dimension * (first[i + 1] - first[i])
            at = dimension * dimension * first[i] + dimension * (diagonal[i] - first[i])
            for a in range(dimension):
                values[at + a * width + a] = 1.0
    return loose

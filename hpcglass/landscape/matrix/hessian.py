"""The Hessian of the energy as a distributed sparse matrix.

    H_ij = -sum_images K_ij (i != j),   H_ii = sum_j K_ij,   K_ij = c_2 x x^T + c_1 1,   x = x_ij,

with the pair scalars of `core/pairs`. Each rank owns the rows of its particles, in their present order, and fills them from its
own pair list: pairs with a ghost are listed by both owners, so nothing is sent. Images of one particle add to the column of their
owner: cells in which a pair meets twice are no special case. The pattern has room for all pairs within a thin shell beyond their
cut-off; while nobody else comes into contact, refilling costs about as much as three force evaluations. Rattlers are left out.
Rigid walls add to the diagonal blocks, and the zero modes of a minimum are then rotations instead of translations.

With K_ij = n n^T, n = x/|x|, the same pattern holds S^T S, where S = dr_pair/dx turns displacements of particles into changes of
pair distances.

PETSc numbers: block size d, row d (first_row + i) + a is component a of owned particle i.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import petsc4py
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.look import Look, straight_on
from hpcglass.core.system import System
from hpcglass.errors import PhysicsError
from hpcglass.landscape import walls
from hpcglass.landscape.forces import pair_lists
from hpcglass.landscape.matrix.blocks import block_pattern, block_places, expanded, fill
from hpcglass.landscape.rattlers import bonded_pairs, select, with_pairs

# the command line is not PETSc's; options come from PETSC_OPTIONS and per-solver prefixes. Nor are signals: with some MPI
# libraries PETSc would answer SIGTERM by an abort
petsc4py.init(["-no_signal_handler"])
from petsc4py import PETSc  # noqa: E402

# What Python has dropped is freed at the end, by all ranks together; but a rank with nothing left would not
# come (PetscFinalize of PETSc 3.18), and the others would wait for it for ever. So each keeps something
KEPT = PETSc.IS().createStride(0)
Floats = NDArray[np.float64]
SHELL = 0.05        # beyond the cut-off, in units of lambda_ij: pairs that the pattern has room for


def free_dropped(comm: Any) -> None:
    """Free the PETSc objects that Python no longer holds: it drops them at different times on each rank. Collective."""
    for one in (comm, PETSc.COMM_SELF):
        PETSc.garbage_cleanup(one)


@contextmanager
def own_errors() -> Iterator[None]:
    """Errors of PETSc, and those of functions that it calls, are what they are: slepc4py 3.26 hides them behind a SystemError."""
    try:
        yield
    except (SystemError, PETSc.Error) as error:
        first: BaseException = error
        while first.__cause__ is not None:      # of an exception in a function of ours: SystemError, PETSc.Error(-1), ours
            first = first.__cause__
        if first is error:
            raise
        raise first from None


def rows_of_all(system: System) -> NDArray[np.int64]:
    """(n_all,) block rows of owned particles and ghosts. Collective."""
    rows = np.empty(system.n_all, dtype=np.int64)
    rows[: system.n_owned] = system.first_row + np.arange(system.n_owned)
    system.forward(rows)
    return rows


class Hessian:
    """Second derivatives of the energy with respect to positions [energy/length^2].

    Parameters
    ----------
    system : up to date; any configuration, a minimum or not
    look : called by those who solve with the matrix: before each solution or factorisation, and between rounds of eigensolvers

    Attributes
    ----------
    matrix : PETSc AIJ matrix of size N d, its zero modes attached as its null space
    translations : these zero modes, of all particles: the d translations; between walls the d(d-1)/2 rotations
    loose : (n_owned,) bool, rattlers (see `rattlers`); their rows are those of the identity
    n_loose : number of them over all ranks
    """

    def __init__(self, system: System, look: Look = straight_on) -> None:
        self.system, self.look = system, look
        self.epoch = system.epoch
        self._build(*bonded_pairs(system, SHELL))

    def _build(self, room: NDArray[np.bool_], loose: NDArray[np.bool_]) -> None:
        """Pattern, values and matrix."""
        system = self.system
        free_dropped(system.comm)
        n, d = system.n_owned, system.dimension
        self._room, self.loose = room, loose[:n].copy()
        self.n_loose = int(ranks.total(system.comm, int(self.loose.sum())))
        self._pairs = select(system.pairs, room)
        start, columns, *self._places = block_pattern(self._pairs.start, self._pairs.index, rows_of_all(system), n, d)
        self._csr = tuple(part.astype(PETSc.IntType) for part in expanded(start, columns, d))
        self._values = self._filled(bonds=False)
        self.matrix = self._assembled(self._values)
        self._attach_zero_modes()

    def _attach_zero_modes(self) -> None:
        self.translations = [self.vector(rows) for rows in walls.rigid_motions(self.system)]
        space = PETSc.NullSpace().create(vectors=self.translations, comm=self.system.comm)
        self.matrix.setNullSpace(space)
        self.matrix.setNearNullSpace(space)

    def refill(self) -> bool:
        """New values for the present configuration. Collective.

        Returns
        -------
        Whether `matrix` is still the same object: a pair that came into contact from far away needs a new pattern and matrix.

        Raises
        ------
        RuntimeError
            The system was rebuilt since: make a new Hessian.
        """
        self._check_epoch()
        touching, loose = bonded_pairs(self.system)
        new = bool((touching & ~self._room).any()) or not np.array_equal(loose[: self.system.n_owned], self.loose)
        if ranks.total(self.system.comm, int(new)):
            self.matrix.destroy()
            self._build(*bonded_pairs(self.system, SHELL))
            return False
        self._filled(bonds=False, out=self._values)
        if self.system.comm.size == 1:      # the matrix lives in these very arrays
            self.matrix.stateIncrease()
        else:
            self.matrix.setValuesCSR(*self._csr, self._values)
        self.matrix.assemble()
        if self.system.walls is not None:       # rotations depend on the positions
            self._attach_zero_modes()
        return True

    def zero_modes(self) -> list[Any]:
        """Orthonormal zero modes of the particles that are not loose. Collective.

        Raises PhysicsError if no two particles interact.
        """
        if not self.n_loose:
            return list(self.translations)
        if self.n_loose == self.system.n_total:
            raise PhysicsError("no two particles interact: the Hessian is empty; compress the configuration")
        return [self.vector(rows) for rows in walls.rigid_motions(self.system, ~self.loose)]

    def pinned(self) -> NDArray[np.int64]:
        """Rows of the matrix, as many as there are zero modes, to hold at zero so that it becomes regular. Collective.

        With a solution of H x = b goes every x + (zero modes): one of them vanishes in these rows. They are the pivots of Gauss's
        elimination on the zero modes; of translations, the rows of the first particle that is not loose.
        """
        system = self.system
        modes = [self.rows(mode).ravel() for mode in self.zero_modes()]
        first, found = system.first_row * system.dimension, []
        for k, mode in enumerate(modes):
            size = float(ranks.largest(system.comm, float(np.abs(mode).max(initial=0.0))))
            top = np.flatnonzero(np.abs(mode) >= (1.0 - 1e-9) * size)       # the first of equals, on any number of ranks
            row = int(ranks.smallest(system.comm, int(first + top[0]) if top.size else system.n_total * system.dimension))
            here = np.array([other[row - first] if 0 <= row - first < other.size else 0.0 for other in modes])
            pivot = ranks.total(system.comm, here)
            for other in range(k + 1, len(modes)):
                modes[other] = modes[other] - pivot[other] / pivot[k] * mode
            found.append(row)
        return np.array(found, dtype=np.int64)

    def bond_matrix(self) -> Any:
        """S^T S of the present configuration as a new PETSc matrix on the same pattern; empty rows for rattlers. Collective.

        Raises RuntimeError if the system was rebuilt since.
        """
        self._check_epoch()
        return self._assembled(self._filled(bonds=True))

    def block_rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """(n_owned+1,) first block of each owned row, (b,) block columns in ascending order, (b, d, d) blocks: the diagonal, and
        those that are not zero."""
        n, d = self.system.n_owned, self.system.dimension
        pointer, index, values = self.matrix.getValuesCSR()
        start = pointer[::d].astype(np.int64) // d**2
        place = block_places(start, d)
        columns, blocks = index[place[:, 0, 0]].astype(np.int64) // d, values[place]
        row = np.repeat(np.arange(n), np.diff(start))
        keep = (columns == self.system.first_row + row) | blocks.any(axis=(1, 2))
        return np.append(0, np.cumsum(np.bincount(row[keep], minlength=n))), columns[keep], blocks[keep]

    def _check_epoch(self) -> None:
        if self.system.epoch != self.epoch:
            raise RuntimeError("the particles were renumbered since this Hessian was built (see system.epoch); make a new one")

    def _filled(self, bonds: bool, out: Floats | None = None) -> Floats:
        """Values of H, or of S^T S, in the order of the pattern."""
        values = np.empty(len(self._csr[1])) if out is None else out
        values.fill(0.0)
        fill(*pair_lists(with_pairs(self.system, self._pairs)), *self._places, bonds, values)
        first, width = self._places[2], self._places[3]
        if not bonds and self.system.walls is not None:
            rows, blocks = walls.blocks(self.system)
            held = ~self.loose[rows]
            for a, b in np.ndindex(blocks.shape[1:]):
                np.add.at(values, (first + a * width + b)[rows[held]], blocks[held, a, b])
        if not bonds and self.n_loose:
            for axis in range(self.system.dimension):
                values[(first + axis * (width + 1))[self.loose]] = 1.0      # so that factorisations exist
        return values

    def _assembled(self, values: Floats) -> Any:
        system = self.system
        size = (system.n_owned * system.dimension, system.n_total * system.dimension)
        make = PETSc.Mat().createAIJWithArrays if system.comm.size == 1 else PETSc.Mat().createAIJ
        options: dict[str, Any] = {"size": (size, size), "bsize": system.dimension, "comm": system.comm}
        matrix = make(csr=(*self._csr, values), **options)
        matrix.assemble()
        matrix.setOption(PETSc.Mat.Option.SYMMETRIC, True)
        return matrix

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


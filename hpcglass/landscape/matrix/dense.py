"""Small problems as dense algebra on rank 0: distributed matrices there, vectors back to their owners."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.landscape.matrix.hessian import PETSc

Floats = NDArray[np.float64]


def dense_on_first(matrix: Any, rows: NDArray[np.integer[Any]] | None = None) -> Floats:
    """Dense copy of a distributed matrix on rank 0, or of its given rows and columns; (0, 0) on the others. Collective.

    In LAPACK's order, so that it works in place.
    """
    first = matrix.getComm().getRank() == 0
    if rows is None or not first:
        rows = np.arange(matrix.getSize()[0] if first else 0)
    chosen = PETSc.IS().createGeneral(rows.astype(PETSc.IntType), comm=PETSc.COMM_SELF)
    part = matrix.createSubMatrices(chosen, chosen)[0]
    pointer, index, values = part.getValuesCSR()
    dense = np.zeros((len(rows), len(rows)), order="F")
    dense[np.repeat(np.arange(len(rows)), np.diff(pointer)), index] = values
    return dense


def rows_on_first(system: System, rows: NDArray[Any]) -> NDArray[Any]:
    """Rows of all ranks in their order, on rank 0; none on the others. Collective."""
    return ranks.send_rows(system.comm, np.zeros(len(rows), dtype=np.int64), rows)[0]


def to_owners(system: System, values: Floats | None, count: int) -> Floats:
    """(n_owned, d, count): (N d, count) rows that rank 0 holds (others: None), to their owners. Collective."""
    owned = ranks.counts(system.comm, system.n_owned)
    if values is None:
        values, owned = np.empty((0, count)), np.zeros_like(owned)
    rows = np.ascontiguousarray(values).reshape(-1, system.dimension, count)
    return ranks.send_rows(system.comm, np.repeat(np.arange(system.comm.size), owned), rows)[0]


def irregular(system: System, number: int = 0) -> Floats:
    """(n_owned, d) first Krylov vector: irregular in space, the same on any number of ranks, others for other numbers.

    Fractional parts of multiples of irrational numbers.
    """
    irrational = np.array([0.6180339887498949, 0.4142135623730951, 0.7320508075688772])[: system.dimension]
    irrational *= 1.0 + number / np.pi
    return np.asarray(np.modf((1.0 + system.id[: system.n_owned, None]) * irrational)[0] - 0.5)


def signs(system: System, vectors: Floats) -> Floats:
    """(k,) the sign of the component of largest modulus of each of (n_owned, d, k) vectors over all ranks. Collective."""
    top, bottom = ranks.largest(system.comm, np.array([
        np.max(sign * vectors, axis=(0, 1), initial=-np.inf) for sign in (1.0, -1.0)]))
    return np.where(bottom > top, -1.0, 1.0)

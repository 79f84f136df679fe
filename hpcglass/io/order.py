"""The order of rows in files: by global id, in granules that no rank boundary cuts.

A granule is a fixed number of rows. Because a rank holds whole granules, the hash of a dataset (the hash of
its granules' hashes) is computed by all ranks at once and does not depend on how many there are.
"""

from __future__ import annotations

import math

import numpy as np
from mpi4py import MPI

from hpcglass.core.comm import block, block_owner, counts, offset, send_rows, total
from hpcglass.errors import PhysicsError
from hpcglass.io.agree import agree
from hpcglass.sealed.hashes import GRANULE, Array

__all__ = ["GRANULE", "Array", "by_id", "by_pair", "gather_hashes", "span"]


def span(comm: MPI.Comm, rows: int) -> tuple[int, int]:
    """First and past-the-end row of a dataset that this rank writes and reads."""
    first, last = block(-(-rows // GRANULE), comm.size, comm.rank)
    return min(first * GRANULE, rows), min(last * GRANULE, rows)


def by_id(comm: MPI.Comm, ids: Array, *arrays: Array) -> list[Array]:
    """Move rows to file order: this rank receives rows `span(comm, N)` of the N = all ranks' rows, by id 0..N-1.

    Raises
    ------
    PhysicsError
        The ids are not 0..N-1, each once: a particle was lost or doubled. Nothing is written then.
    """
    rows = total(comm, len(ids))
    granules = -(-rows // GRANULE)
    ids = np.asarray(ids, dtype=np.int64)
    inside = bool(((ids >= 0) & (ids < rows)).all())
    owner = block_owner(ids // GRANULE, granules, comm.size) if inside else np.zeros(len(ids), dtype=np.int64)
    ids, *moved = send_rows(comm, owner, ids, *arrays)
    first, last = span(comm, rows)
    source = np.full(last - first, -1, dtype=np.int64)       # which received row has the id first + i
    if inside:
        source[ids - first] = np.arange(len(ids))
    complete = inside and len(ids) == last - first and bool((source >= 0).all())
    agree(comm, None if complete else PhysicsError(f"a particle was lost or doubled: the ids are not 0..{rows - 1}, each once"))
    return [np.take(array, source, axis=0) for array in moved]


def by_pair(comm: MPI.Comm, particles: int, ids: Array, *arrays: Array) -> list[Array]:
    """Rows that belong to pairs of particles in file order: sorted by (n, 2) `ids`; equal pairs by the arrays, first one first.

    This rank receives the ids and arrays of rows `span(comm, all ranks' rows)`.
    """
    ids, *moved = send_rows(comm, block_owner(ids[:, 0], particles, comm.size), np.ascontiguousarray(ids), *arrays)
    keys = [column for array in (ids, *moved) for column in array.reshape(len(ids), math.prod(array.shape[1:])).T]
    order = np.lexsort(keys[::-1])
    rows = total(comm, len(ids))
    row = offset(comm, len(ids)) + np.arange(len(ids))
    owner = block_owner(row // GRANULE, -(-rows // GRANULE), comm.size)
    return send_rows(comm, owner, *(array[order] for array in (ids, *moved)))


def gather_hashes(comm: MPI.Comm, mine: Array) -> Array | None:
    """Join (frames, granules here, 32) hashes of all ranks along the granules, on rank 0; None elsewhere."""
    sizes = counts(comm, mine.size).tolist()
    joined = np.empty(sum(sizes) if comm.rank == 0 else 0, dtype=np.uint8)
    comm.Gatherv([np.ascontiguousarray(mine), MPI.BYTE], [joined, sizes, MPI.BYTE] if comm.rank == 0 else None)
    if comm.rank:
        return None
    parts = np.split(joined, np.cumsum(sizes)[:-1])
    return np.concatenate([part.reshape(len(mine), -1, 32) for part in parts], axis=1)

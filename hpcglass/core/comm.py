"""Movement of rows between ranks, and the handful of reductions the package needs.

Every function is collective over `comm`. Arrays are NumPy arrays whose first axis counts rows
(particles); a rank may have none. Buffers only (upper-case mpi4py calls): nothing is pickled.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

Array = NDArray[Any]


def total(comm: MPI.Comm, value: float | int | Array) -> Any:
    """Sum over ranks of a number or of an array (element by element); the type is kept."""
    return _reduce(comm, value, MPI.SUM)


def largest(comm: MPI.Comm, value: float | int | Array) -> Any:
    """Maximum over ranks. NaN counts as infinity (MPI leaves it open), so that a broken rank is never hidden."""
    array = np.asarray(value)
    if array.dtype.kind == "f" and np.isnan(array).any():
        value = _scalar(np.nan_to_num(array, nan=np.inf, posinf=np.inf, neginf=-np.inf), value)
    return _reduce(comm, value, MPI.MAX)


def smallest(comm: MPI.Comm, value: float | int | Array) -> Any:
    """Minimum over ranks."""
    return _reduce(comm, value, MPI.MIN)


def _reduce(comm: MPI.Comm, value: Any, operation: MPI.Op) -> Any:
    send = np.ascontiguousarray(value)
    receive = np.empty_like(send)
    comm.Allreduce(send, receive, operation)
    return _scalar(receive, value)


def _scalar(array: Array, like: Any) -> Any:
    return array if isinstance(like, np.ndarray) and like.ndim else array.item()


def offset(comm: MPI.Comm, rows: int) -> int:
    """Number of rows held by lower ranks: this rank's first row in the global order."""
    return int(counts(comm, rows)[: comm.rank].sum())


def counts(comm: MPI.Comm, rows: int) -> NDArray[np.int64]:
    """Rows held by every rank."""
    result = np.empty(comm.size, dtype=np.int64)
    comm.Allgather(np.array([rows], dtype=np.int64), result)
    return result


def broadcast(comm: MPI.Comm, array: Array | None, root: int = 0) -> Array:
    """Copy an array from `root` to all ranks; shape and type travel with it (others pass None)."""
    head = np.zeros(10, dtype=np.int64)
    if comm.rank == root:
        assert array is not None
        array = np.ascontiguousarray(array)
        head[0] = array.ndim
        head[1] = ord(array.dtype.char)
        head[2: 2 + array.ndim] = array.shape
    comm.Bcast(head, root)
    if comm.rank != root:
        array = np.empty(tuple(head[2: 2 + head[0]]), dtype=chr(head[1]))
    assert array is not None
    comm.Bcast(array, root)
    return array


def send_rows(comm: MPI.Comm, destination: Array, *arrays: Array) -> list[Array]:
    """Send each row to the rank named for it.

    Parameters
    ----------
    destination : (n,) int
        Rank that shall own row i.
    *arrays : (n, ...) arrays
        Any number of arrays with the same first axis.

    Returns
    -------
    list of (m, ...) arrays
        The rows received, by source rank and within it in the sender's order.
    """
    if comm.size == 1:
        return list(arrays)
    destination = np.asarray(destination)
    order = np.argsort(destination, kind="stable")
    sent = np.bincount(destination, minlength=comm.size).astype(np.int32)
    received = np.empty_like(sent)
    comm.Alltoall(sent, received)
    result = []
    for array in arrays:
        width = int(np.prod(array.shape[1:], dtype=np.int64))
        send = np.ascontiguousarray(array[order])
        receive = np.empty((int(received.sum()), *array.shape[1:]), dtype=array.dtype)
        kind = MPI._typedict[array.dtype.char].Create_contiguous(max(width, 1)).Commit()
        if width:
            comm.Alltoallv([send, _layout(sent), kind], [receive, _layout(received), kind])
        kind.Free()
        result.append(receive)
    return result


def _layout(count: NDArray[np.int32]) -> tuple[Array, Array]:
    start = np.zeros_like(count)
    np.cumsum(count[:-1], out=start[1:])
    return count, start


def block(rows: int, parts: int, part: int) -> tuple[int, int]:
    """First and past-the-end row of one of `parts` nearly equal contiguous blocks."""
    return rows * part // parts, rows * (part + 1) // parts


def block_owner(index: Array, rows: int, parts: int) -> NDArray[np.int64]:
    """Which block of `block(rows, parts, ·)` holds each index."""
    return ((np.asarray(index, dtype=np.int64) + 1) * parts - 1) // max(rows, 1)


def to_blocks(comm: MPI.Comm, ids: Array, rows: int, *arrays: Array) -> list[Array]:
    """Rows sorted by global id 0..rows-1, rank p holding `block(rows, size, p)`: the order of every file."""
    ids_here, *moved = send_rows(comm, block_owner(ids, rows, comm.size), np.asarray(ids, dtype=np.int64), *arrays)
    order = np.argsort(ids_here, kind="stable")
    return [array[order] for array in moved]


def gathered(comm: MPI.Comm, array: Array, rows: Array | None = None) -> Array:
    """The rows of all ranks, in rank order, on every rank; `rows` are their numbers where they are known already."""
    if comm.size == 1:
        return array
    received = np.asarray(counts(comm, len(array)) if rows is None else rows).astype(np.int32)
    width = int(np.prod(array.shape[1:], dtype=np.int64))
    result = np.empty((int(received.sum()), *array.shape[1:]), dtype=array.dtype)
    comm.Allgatherv(np.ascontiguousarray(array), [result, _layout(received * width)])
    return result


def all_told(comm: MPI.Comm, message: Array, messages: Array) -> None:
    """The message (n,) of each rank to `messages` (ranks, n) of all: as quick as MPI can be."""
    comm.Allgather(message, messages)


def transposed(comm: MPI.Comm, slab: Array, rows: int) -> Array:
    """Slabs of rows of a global (rows, columns) array -> slabs of rows of its transpose, (block of columns, rows).

    Both are cut by `block`. One exchange of all with all; this is the communication of a distributed two-dimensional FFT.
    """
    if comm.size == 1:
        return np.ascontiguousarray(slab.T)
    here = len(slab)
    high = [block(rows, comm.size, rank)[1] - block(rows, comm.size, rank)[0] for rank in range(comm.size)]
    cuts = [block(slab.shape[1], comm.size, rank) for rank in range(comm.size)]
    wide = cuts[comm.rank][1] - cuts[comm.rank][0]
    send = np.ascontiguousarray(slab.T)                    # rows of the transpose: what goes to a rank is contiguous
    receive = np.empty(wide * rows, dtype=slab.dtype)
    sent = np.array([(last - first) * here for first, last in cuts], dtype=np.int32)
    received = np.array([wide * count for count in high], dtype=np.int32)
    comm.Alltoallv([send, _layout(sent)], [receive, _layout(received)])
    parts = np.split(receive, np.cumsum(received)[:-1])
    return np.hstack([part.reshape(wide, count) for part, count in zip(parts, high, strict=True)])


def rows_of(comm: MPI.Comm, wanted: Array, total_rows: int, ids: Array, rows: Array) -> Array:
    """The rows with the ids that each rank wants, out of rows held anywhere with their ids 0 .. total_rows-1. Collective."""
    by_id, = to_blocks(comm, ids, total_rows, rows)
    first, _ = block(total_rows, comm.size, comm.rank)
    holder = block_owner(wanted, total_rows, comm.size)
    here = np.full(len(wanted), comm.rank, dtype=np.int64)
    asked, asker, place = send_rows(comm, holder, wanted, here, np.arange(len(wanted), dtype=np.int64))
    answer, slot = send_rows(comm, asker, by_id[asked - first], place)
    result = np.empty((len(wanted), *rows.shape[1:]), dtype=rows.dtype)
    result[slot] = answer
    return result

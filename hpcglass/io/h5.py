"""HDF5 files that are whole or not there: written by all ranks, hashed, synced, renamed.

Rank 0 lets HDF5 lay out the file: structure, attributes, small values, and contiguous room for the large
datasets. All ranks then write their rows into that room by collective MPI-IO. HDF5 itself never runs in
parallel: a failing rank cannot leave others waiting inside the library, an empty rank is nothing special,
and any build of h5py will do. The file carries a SHA-256 of each dataset, and a stamp with one of everything else, written
last (`seal.py`). See `contents.py` for what goes in and `reader.py` for the way back.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from hpcglass.core.comm import broadcast, smallest
from hpcglass.errors import FileError
from hpcglass.io import seal
from hpcglass.io.agree import agree, broadcast_text, together
from hpcglass.io.contents import Contents, Rows
from hpcglass.io.order import gather_hashes, granule_hashes, span
from hpcglass.io.seal import h5py, hash_value

Pieces = Iterator[tuple[int, Any]]
_CHUNK = 1 << 24     # bytes that travel at once when one rank writes for all


def write(comm: MPI.Comm, path: str | Path, contents: Contents) -> str:
    """Write a file atomically and return its seal. Collective.

    Temporary name in the same directory, written and synced by all ranks, closed, renamed by rank 0,
    directory synced: at any instant `path` is the old file or the new one, whole.

    Raises
    ------
    FileError
        On all ranks, when anything failed on any (disk full, quota, permission): the temporary
        file is gone and the old file is as it was.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.part")
    doing = f"cannot write {path}"
    try:
        return _write(comm, path, temporary, contents, doing)
    except FileError:
        if comm.rank == 0:
            temporary.unlink(missing_ok=True)
        raise


def _write(comm: MPI.Comm, path: Path, temporary: Path, contents: Contents, doing: str) -> str:
    hashes = _hash_rows(comm, contents)
    offsets = np.empty(0, dtype=np.int64)
    block = seal.room(len(contents.rows))
    with together(comm, doing):
        if comm.rank == 0:
            _check_space(path, contents.size)
            offsets = _lay_out(temporary, contents, hashes, block)
            _reserve(temporary)
    offsets = broadcast(comm, offsets if comm.rank == 0 else None)
    agree(comm, _write_rows_here(comm, temporary, contents, offsets), doing)
    sealed = ""
    with together(comm, doing):
        if comm.rank == 0:
            sizes = [rows.nbytes for rows in contents.rows.values()]
            sealed = seal.stamp(temporary, block, list(zip(offsets.tolist(), sizes, strict=True)))
            os.replace(temporary, path)
            sync(path.parent)
    return broadcast_text(comm, sealed)


def _hash_rows(comm: MPI.Comm, contents: Contents) -> dict[str, str]:
    """Hash of each distributed dataset (on rank 0; empty elsewhere)."""
    hashes = {}
    for name, rows in contents.rows.items():
        digests = gather_hashes(comm, np.stack([granule_hashes(block) for block in rows.blocks]))
        if digests is not None:
            hashes[name] = rows.hash(digests)
    return hashes


def _check_space(path: Path, size: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < size:
        raise OSError(errno.ENOSPC, f"{size / 1e6:.1f} MB needed, {free / 1e6:.1f} MB free on the disk of {path.parent}; "
                                    "make room and run the same command again")


def _lay_out(temporary: Path, contents: Contents, hashes: dict[str, str], block: int) -> np.ndarray[Any, Any]:
    """Everything but the rows; returns where in the file each distributed dataset lies."""
    offsets = []
    # version 1.8 of the format, the first whose metadata carry checksums
    with h5py.File(temporary, "w", libver=("v108", "v108"), userblock_size=block) as file:
        for name, value in contents.values.items():
            file[name] = value
            file[name].attrs["sha256"] = hash_value(value)
        for name, rows in contents.rows.items():
            dataset = _contiguous(file, name, rows)
            dataset.attrs["sha256"] = hashes[name]
            if rows.framed:
                dataset.attrs["frames"] = len(rows.blocks)
            offsets.append(dataset.id.get_offset())
        for name, attributes in contents.attributes.items():
            target = file[name] if name in file else file.create_group(name)
            target.attrs.update(attributes)
    return np.array(offsets, dtype=np.int64)


def _contiguous(file: Any, name: str, rows: Rows) -> Any:
    """A dataset whose room is allocated at once and not filled."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_obj_track_times(False)
    creation.set_layout(h5py.h5d.CONTIGUOUS)
    creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    file.require_group(name.rpartition("/")[0] or "/")
    kind = h5py.h5t.py_create(rows.dtype, logical=True)
    h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create_simple(rows.shape), creation)
    return file[name]


def _reserve(temporary: Path) -> None:
    """Claim the disk blocks now: a full disk is then met here, on one rank, not by all in the middle of writing."""
    descriptor = os.open(temporary, os.O_RDWR)
    try:
        os.posix_fallocate(descriptor, 0, os.fstat(descriptor).st_size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
    finally:
        os.close(descriptor)


def _write_rows_here(comm: MPI.Comm, temporary: Path, contents: Contents, offsets: Any) -> Exception | None:
    """This rank's part in writing the rows, and what went wrong with it. Collective.

    Through rank 0 when asked for (HPCGLASS_IO=serial), or where MPI-IO cannot open the file on all ranks.
    """
    pieces = functools.partial(_pieces, comm, contents, offsets)
    file = None
    if os.environ.get("HPCGLASS_IO") != "serial":
        with contextlib.suppress(MPI.Exception):
            file = MPI.File.Open(comm, os.fspath(temporary), MPI.MODE_WRONLY)
    if smallest(comm, int(file is not None)):
        assert file is not None
        return _write_collectively(file, pieces())
    return _write_through_root(comm, temporary, pieces)


def _pieces(comm: MPI.Comm, contents: Contents, offsets: Any) -> Pieces:
    """(byte position in the file, rows as bytes (n, width)) of every block of this rank."""
    for rows, offset in zip(contents.rows.values(), offsets, strict=True):
        first = span(comm, rows.total)[0]
        for frame, block in enumerate(rows.blocks):
            position = int(offset) + (frame * rows.total + first) * rows.width
            yield position, np.ascontiguousarray(block).view(np.uint8).reshape(len(block), rows.width)


def _write_collectively(file: MPI.File, pieces: Pieces) -> Exception | None:
    """Every rank takes part in every call, whatever happened before, so that a failure stays a failure and is no hang."""
    error: Exception | None = None
    for position, data in pieces:
        row = MPI.BYTE.Create_contiguous(data.shape[1]).Commit()     # counts rows: no limit of 2 GB
        try:
            file.Write_at_all(position, [data, len(data), row])
        except MPI.Exception as caught:
            error = error or caught
        row.Free()
    for last in (file.Sync, file.Close):
        try:
            last()
        except MPI.Exception as caught:
            error = error or caught
    return error


def _write_through_root(comm: MPI.Comm, temporary: Path, pieces: Callable[[], Pieces]) -> Exception | None:
    """Rank 0 receives the others' rows in chunks and writes them; after an error it still receives."""
    if comm.rank:
        for position, data in pieces():
            flat = data.reshape(-1)
            comm.Send(np.array([position, flat.size], dtype=np.int64), 0)
            for start in range(0, flat.size, _CHUNK):
                comm.Send([flat[start: start + _CHUNK], MPI.BYTE], 0)
        return None
    error: Exception | None = None
    for rank in range(comm.size):
        for position, data in pieces():
            for start, chunk in _receive(comm, rank, position, data):
                try:
                    _write_at(temporary, start, chunk)
                except OSError as caught:
                    error = error or caught
    return error


def _write_at(temporary: Path, start: int, chunk: Any) -> None:
    with open(temporary, "r+b") as file:
        file.seek(start)
        file.write(chunk)


def _receive(comm: MPI.Comm, rank: int, position: int, mine: Any) -> Pieces:
    """The same block of another rank, in chunks of bounded size."""
    if rank == 0:
        yield position, mine.reshape(-1)
        return
    head = np.empty(2, dtype=np.int64)
    comm.Recv(head, rank)
    position, size = int(head[0]), int(head[1])
    for start in range(0, size, _CHUNK):
        chunk = np.empty(min(_CHUNK, size - start), dtype=np.uint8)
        comm.Recv([chunk, MPI.BYTE], rank)
        yield position + start, chunk


def sync(path: Path) -> None:
    """fsync of a file or a directory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a small text file atomically (one rank)."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    sync(temporary)
    os.replace(temporary, path)
    sync(path.parent)

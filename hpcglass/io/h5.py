"""HDF5 files that are whole or not there: written by all ranks, hashed, synced, renamed.

Rank 0 lets HDF5 lay out the file: structure, attributes, small values, and contiguous room for the large
datasets. All ranks then write their rows into that room by collective MPI-IO. HDF5 itself never runs in
parallel: a failing rank cannot leave others waiting inside the library, an empty rank is nothing special,
and any build of h5py will do. The file carries a SHA-256 of each dataset, and a seal over everything else, written
last (`sealed/seal.py`). See `contents.py` for what goes in and `reader.py` for the way back.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from hpcglass import disk, settings
from hpcglass.core.comm import broadcast, smallest
from hpcglass.errors import FileError
from hpcglass.io import scales
from hpcglass.io.agree import agree, broadcast_text, together
from hpcglass.io.contents import Contents
from hpcglass.io.order import gather_hashes, span
from hpcglass.sealed import seal
from hpcglass.sealed.guard import h5py
from hpcglass.sealed.hashes import granule_hashes, hash_contents, hash_value

Pieces = Iterator[tuple[int, Any]]
_CHUNK = 1 << 24     # bytes that travel at once when one rank writes for all
_LONGEST_NAME = 200  # bytes of an absolute path: Open MPI 4.1 writes it and an ending into 256 bytes, and aborts


def write(comm: MPI.Comm, path: str | Path, contents: Contents) -> str:
    """Write a file atomically and return the hash of its contents, by which other files name it. Collective.

    Temporary name in the same directory, written and synced by all ranks, closed, renamed by rank 0,
    directory synced: at any instant `path` is the old file or the new one, whole.

    Raises
    ------
    FileError
        On all ranks, when anything failed on any (disk full, quota, permission): the temporary
        file is gone and the old file is as it was.
    """
    path = Path(path)
    temporary = disk.temporary(path, broadcast_text(comm, secrets.token_hex(4)))
    doing = f"cannot write {path}"
    try:
        return _write(comm, path, temporary, contents, doing)
    except FileError:
        if comm.rank == 0:
            temporary.unlink(missing_ok=True)
        raise


def _write(comm: MPI.Comm, path: Path, temporary: Path, contents: Contents, doing: str) -> str:
    hashes = _hash_rows(comm, contents)
    offsets, name = np.empty(0, dtype=np.int64), ""
    with together(comm, doing):
        if comm.rank == 0:
            check_space(path, contents.size)
            regions = (seal.Region(place, 0, rows.dtype.str, rows.shape, rows.framed, hashes[place])
                       for place, rows in contents.rows.items())
            sealed = seal.Seal(seal.FORMAT, _hash_all(contents, hashes), 0, tuple(regions))
            offsets = _lay_out(temporary, contents, hashes, sealed.room)
            reserve(temporary)
    offsets = broadcast(comm, offsets if comm.rank == 0 else None)
    agree(comm, write_rows(comm, temporary, contents, offsets[1:]), doing)
    with together(comm, doing):
        if comm.rank == 0:
            placed = zip(sealed.regions, offsets[1:].tolist(), strict=True)
            seal.stamp(temporary, replace(sealed, regions=tuple(replace(region, place=place) for region, place in placed)),
                       int(offsets[0]))
            os.replace(temporary, path)
            disk.sync(path.parent)
            name = sealed.contents
    return broadcast_text(comm, name)


def _hash_rows(comm: MPI.Comm, contents: Contents) -> dict[str, str]:
    """Hash of each distributed dataset (on rank 0; empty elsewhere)."""
    hashes = {}
    for name, rows in contents.rows.items():
        digests = gather_hashes(comm, np.stack([granule_hashes(block) for block in rows.blocks]))
        if digests is not None:
            hashes[name] = rows.hash(digests)
    return hashes


def _hash_all(contents: Contents, hashes: dict[str, str]) -> str:
    """Hash of names, attributes and data."""
    named = {path: dict(attributes) for path, attributes in contents.attributes.items()}
    for path in (*contents.values, *contents.rows):
        named.setdefault(path, {})["sha256"] = hashes[path] if path in hashes else hash_value(contents.values[path])
    for path, rows in contents.rows.items():
        if rows.framed:
            named[path]["frames"] = len(rows.blocks)
    return hash_contents(named)


def check_space(path: Path, size: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < size:
        raise OSError(errno.ENOSPC, f"{size / 1e6:.1f} MB needed, {free / 1e6:.1f} MB free on the disk of {path.parent}; "
                                    "make room and run the same command again")


def _lay_out(temporary: Path, contents: Contents, hashes: dict[str, str], room: int) -> np.ndarray[Any, Any]:
    """Everything but the rows and the seal; returns where in the file the seal and each distributed dataset lie."""
    # version 1.8 of the format, the first whose metadata carry checksums
    with h5py.File(temporary, "x", libver=("v108", "v108")) as file:
        text = h5py.h5t.C_S1.copy()
        text.set_size(room)
        text.set_strpad(h5py.h5t.STR_NULLTERM)
        offsets = [contiguous(file, seal.NAME, text, ()).id.get_offset()]      # before all else: it must lie near the beginning
        file[seal.NAME].attrs["long_name"] = "hashes of everything"
        for name, value in contents.values.items():
            file[name] = value
            file[name].attrs["sha256"] = hash_value(value)
        for name, rows in contents.rows.items():
            dataset = contiguous(file, name, h5py.h5t.py_create(rows.dtype, logical=True), rows.shape)
            dataset.attrs["sha256"] = hashes[name]
            if rows.framed:
                dataset.attrs["frames"] = len(rows.blocks)
            offsets.append(dataset.id.get_offset() or 0)        # a dataset without rows has no place
        for name, attributes in contents.attributes.items():
            target = file[name] if name in file else file.create_group(name)
            target.attrs.update(attributes)
        scales.attach(file, contents.attributes)
    return np.array(offsets, dtype=np.int64)


def contiguous(file: Any, name: str, kind: Any, shape: tuple[int, ...]) -> Any:
    """A dataset whose room is allocated at once and not filled."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_obj_track_times(False)
    creation.set_layout(h5py.h5d.CONTIGUOUS)
    creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    file.require_group(name.rpartition("/")[0] or "/")
    space = h5py.h5s.create_simple(shape) if shape else h5py.h5s.create(h5py.h5s.SCALAR)
    h5py.h5d.create(file.id, name.encode(), kind, space, creation)
    return file[name]


def reserve(temporary: Path) -> None:
    """Claim the disk blocks now: a full disk is then met here, on one rank, not by all in the middle of writing."""
    descriptor = os.open(temporary, os.O_RDWR)
    try:
        os.posix_fallocate(descriptor, 0, os.fstat(descriptor).st_size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
    finally:
        os.close(descriptor)


def write_rows(comm: MPI.Comm, temporary: Path, contents: Contents, offsets: Any) -> Exception | None:
    """This rank's part in writing the rows, and what went wrong with it. Collective.

    Through rank 0 when asked for (HPCGLASS_IO=serial), where MPI-IO cannot open the file on all ranks, or if its name is long.
    """
    pieces = functools.partial(_pieces, comm, contents, offsets)
    file = None
    short = len(os.fsencode(temporary.absolute())) <= _LONGEST_NAME
    if smallest(comm, int(short and not settings.serial_io())):
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

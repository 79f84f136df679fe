"""Hashes that tell a good file from a damaged one.

sha256 (of a dataset) : over type, shape and the hashes of its granules of rows, see `order.py`
seal (of the file)    : over the names, attributes and hashes of all objects
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

import numpy as np

from hpcglass.io.order import combine, granule_hashes

# Our files are renamed into place, so a lock protects nothing; on several parallel file systems it fails.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
import h5py

FORMAT = 1       # of the files; a reader refuses newer ones
_UNSEALED = ("seal", "complete")


def hash_value(value: Any) -> str:
    """Hash of a small value or text held in memory."""
    if isinstance(value, str | bytes):
        data = value.encode() if isinstance(value, str) else value
        return hashlib.sha256(data).hexdigest()
    array = np.asarray(value)
    return combine(array.dtype, array.shape, granule_hashes(np.atleast_1d(array)))


def walk(file: Any) -> dict[str, Any]:
    """All groups and datasets by path, sorted. External and soft links are refused: our files have none."""
    found: dict[str, Any] = {"/": file}

    def visit(group: Any, prefix: str) -> None:
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{prefix}{name} is a link to somewhere else")
            item = group[name]
            if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
                raise ValueError(f"the data of {prefix}{name} lie in another file")
            found[prefix + name] = item
            if isinstance(item, h5py.Group):
                visit(item, f"{prefix}{name}/")

    visit(file, "/")
    return dict(sorted(found.items()))


def seal_of(file: Any) -> str:
    """Hash over all names, attributes and dataset hashes of an open file."""
    seal = hashlib.sha256()
    for path, item in walk(file).items():
        seal.update(f"{path}\0{type(item).__name__}\0".encode())
        for name in sorted(item.attrs):
            if path == "/" and name in _UNSEALED:
                continue
            seal.update(f"{name}\0".encode() + _bytes(item.attrs[name]) + b"\0")
    return seal.hexdigest()


def _bytes(value: Any) -> bytes:
    array = np.asarray(value)
    if array.dtype.kind in "OSU":
        return "\1".join(str(text) for text in np.atleast_1d(array).tolist()).encode()
    return f"{array.dtype.str} {array.shape} ".encode() + array.tobytes()

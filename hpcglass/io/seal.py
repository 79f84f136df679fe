"""The stamp at the head of a file that tells a good file from a damaged one before HDF5 touches it.

HDF5 may crash on a damaged file, so it must not be the one to find out. Its format leaves room at the head of a file (a user
block). There we write, last of all,

    hpcglass file 1          format of the file
    size 46539               bytes of the file
    data 8192 12000          place and bytes of each distributed dataset
    seal 5f0d...             SHA-256 of all other bytes, and of these lines

The data have hashes of their own, the attribute `sha256` of each dataset (see `order.py`), which all ranks check together.
Every byte of the file is covered by one of the two.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from hpcglass.errors import FileError
from hpcglass.io.order import combine, granule_hashes

# Our files are renamed into place, so a lock protects nothing; on several parallel file systems it fails.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
import h5py

__all__ = ["FORMAT", "MAGIC", "check", "h5py", "hash_value", "room", "stamp"]

FORMAT = 1       # a reader refuses newer ones
MAGIC = b"hpcglass file "
_CHUNK = 1 << 20
Regions = list[tuple[int, int]]     # (place, bytes)


def room(datasets: int) -> int:
    """Size of the user block: a power of two, as HDF5 wants it, with a line per distributed dataset."""
    return max(512, 1 << int(np.ceil(np.log2(256 + 48 * datasets))))


def stamp(path: Path, block: int, regions: Regions) -> str:
    """Write the stamp into the user block of `block` bytes; returns the seal."""
    text, seal = _stamp(path, block, sorted(regions))
    with open(path, "r+b") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return seal


def check(path: Path) -> str:
    """Return the seal of a file whose stamp is right.

    Raises
    ------
    FileError
        Not one of our files, of a newer format, incomplete, truncated or altered outside the distributed datasets.
    """
    with open(path, "rb") as file:
        head = file.read(1 << 16)
    if not head.startswith(MAGIC):
        empty = not head.strip(b"\0") or head[:512] == bytes(512)
        raise FileError(f"{path}: " + ("incomplete, its writing was interrupted" if empty else
                                       "not written by hpcglass (or damaged in its first bytes)"))
    lines, seal, _ = head.partition(b"seal ")
    try:
        words = [line.split() for line in lines.decode("ascii").splitlines()]
        version, size = int(words[0][2]), int(words[1][1])
        regions = [(int(place), int(count)) for _, place, count in words[2:]]
    except (ValueError, IndexError):
        raise FileError(f"{path}: damaged in its first bytes") from None
    if version > FORMAT:
        raise FileError(f"{path}: format {version} is newer than this hpcglass reads ({FORMAT}); update it")
    if size != path.stat().st_size:
        raise FileError(f"{path}: truncated or extended: {path.stat().st_size} bytes instead of {size}")
    block = room(len(regions))
    text, expected = _stamp(path, block, regions)
    if not seal or head[:block] != text:
        raise FileError(f"{path}: structure, attributes or small data are damaged (seal differs)")
    return expected


def _stamp(path: Path, block: int, regions: Regions) -> tuple[bytes, str]:
    """The user block that the file should have, and the seal in it."""
    lines = [f"{MAGIC.decode()}{FORMAT}", f"size {path.stat().st_size}", *(f"data {place} {count}" for place, count in regions)]
    text = "\n".join(lines) + "\n"
    seal = hashlib.sha256(text.encode())
    with open(path, "rb") as file:
        position = block
        for place, count in [*regions, (path.stat().st_size, 0)]:
            file.seek(position)
            while position < place:
                data = file.read(min(_CHUNK, place - position))
                if not data:
                    break
                seal.update(data)
                position += len(data)
            position = place + count
    text += f"seal {seal.hexdigest()}\n"
    return text.encode().ljust(block, b"\0"), seal.hexdigest()


def hash_value(value: Any) -> str:
    """Hash of a small value or text held in memory."""
    if isinstance(value, str | bytes):
        data = value.encode() if isinstance(value, str) else value
        return hashlib.sha256(data).hexdigest()
    array = np.asarray(value)
    return combine(array.dtype, array.shape, granule_hashes(np.atleast_1d(array)))

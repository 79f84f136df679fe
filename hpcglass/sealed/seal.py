"""The seal of a file: a text that tells a good file from a damaged one before HDF5 touches it.

HDF5 may crash on a damaged file, or loop for ever, so it must not be the one to find out. The first thing in our files is a
dataset, `/provenance/seal`, whose bytes lie near the beginning and can be found without HDF5. There we write, last of all,

    hpcglass file 2                     format of the file
    room 1024                           bytes of this dataset
    contents 3f08...                    SHA-256 of what the file holds, however it is laid out (`hashes.hash_contents`)
    size 46539                          bytes of the file
    data 8192 <f8 2x500x2 frames 77...  /particles/all/position/value      place, type, shape, hash and name of a large dataset
    seal 5f0d...                        SHA-256 of these lines, and of all bytes outside of this and the large datasets

The large datasets have hashes of their own, so that many ranks can check them together, and so that who wants the tables only
need not read them. Every byte of the file is covered by one of the two.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from hpcglass.errors import FileError
from hpcglass.sealed.hashes import GRANULE, Array, combine, granule_hashes

FORMAT = 2                          # a reader refuses newer ones
NAME = "/provenance/seal"
MAGIC = b"hpcglass file "
SIGNATURE = b"\x89HDF\r\n\x1a\n"
BLOCKS = (0, 512, 1024, 2048, 4096)     # where an HDF5 file may begin
HEAD = 1 << 16                      # the seal begins in so many bytes
_ENDS = 1 << 22                     # where names and attributes are, before and behind the large datasets
_CHUNK = 1 << 20
REWRITTEN = ("; if another program rewrote it (h5repack, h5py in mode r+) `hpcglass check --reseal` sees whether it holds "
             "what was written, else put back a copy")


@dataclass(frozen=True)
class Region:
    """A large dataset: its rows lie one after the other somewhere in the file.

    name, dtype, shape : of the dataset; (rows, ...), or (frames, rows, ...) if `framed`
    place : its first byte
    sha256 : hash of its data
    """

    name: str
    place: int
    dtype: str
    shape: tuple[int, ...]
    framed: bool
    sha256: str

    @property
    def rows(self) -> int:
        return self.shape[1 if self.framed else 0]

    @property
    def width(self) -> int:
        """Bytes of a row."""
        return np.dtype(self.dtype).itemsize * math.prod(self.shape[2 if self.framed else 1:])

    @property
    def frames(self) -> int:
        return self.shape[0] if self.framed else 1

    @property
    def nbytes(self) -> int:
        return self.frames * self.rows * self.width

    def blocks(self, nbytes: int) -> list[tuple[int, int]]:
        """First and past-the-end row of blocks of whole granules, of about so many bytes."""
        step = max(1, nbytes // max(self.width * self.frames * GRANULE, 1)) * GRANULE
        return [(first, min(first + step, self.rows)) for first in range(0, self.rows, step)] or [(0, 0)]

    def digests(self, file: BinaryIO, first: int = 0, last: int | None = None) -> Array:
        """Hashes of the granules of rows `first` (which begins one) to `last` of every frame, (frames, granules, 32)."""
        last = self.rows if last is None else last
        step = max(1, _CHUNK // max(self.width * GRANULE, 1)) * GRANULE
        frames = []
        for frame in range(self.frames):
            found = [np.empty((0, 32), dtype=np.uint8)]
            for row in range(first, last, step):
                count = min(step, last - row)
                file.seek(self.place + (frame * self.rows + row) * self.width)
                data = np.frombuffer(file.read(count * self.width).ljust(count * self.width, b"\0"), dtype=np.uint8)
                found.append(granule_hashes(data.reshape(count, self.width)))
            frames.append(np.concatenate(found))
        return np.stack(frames) if frames else np.empty((0, 0, 32), dtype=np.uint8)

    def fits(self, digests: Array) -> bool:
        """Whether the hashes of all granules are those of the data that were written."""
        return combine(np.dtype(self.dtype), self.shape, digests) == self.sha256

    def line(self) -> str:
        shape = "x".join(map(str, self.shape))
        return f"data {self.place} {self.dtype} {shape} {'frames' if self.framed else 'rows'} {self.sha256} {self.name}\n"

    @classmethod
    def parse(cls, line: str) -> Region:
        _, place, dtype, shape, framed, sha256, name = line.split(" ", 6)
        return cls(name, int(place), np.dtype(dtype).str, tuple(map(int, shape.split("x"))), framed == "frames", sha256)


@dataclass(frozen=True)
class Seal:
    """What the seal of a file says; `contents` is the name under which other files know this one."""

    version: int
    contents: str
    size: int
    regions: tuple[Region, ...]

    def text(self, room: int) -> str:
        """All lines but the last."""
        head = f"{MAGIC.decode()}{self.version}\nroom {room}\ncontents {self.contents}\nsize {self.size}\n"
        return head + "".join(region.line() for region in self.regions)

    @property
    def room(self) -> int:
        """Bytes that the seal needs, whatever the places turn out to be."""
        longest = replace(self, size=10**18, regions=tuple(replace(region, place=10**18) for region in self.regions))
        return -(-(len(longest.text(10**9).encode()) + 71) // 512) * 512


def stamp(path: Path, seal: Seal, place: int) -> None:
    """Write the seal into the room that was left for it at `place`; the rest of the file is as it shall be."""
    room = seal.room
    seal = replace(seal, size=path.stat().st_size, regions=tuple(sorted(seal.regions, key=lambda region: region.place)))
    text = seal.text(room)
    sealed = f"{text}seal {hash_outside(path, text, [(place, room), *holes(seal.regions)])}\n"
    with open(path, "r+b") as file:
        file.seek(place)
        file.write(sealed.encode().ljust(room, b"\0"))
        file.flush()
        os.fsync(file.fileno())


def holes(regions: Iterable[Region]) -> list[tuple[int, int]]:
    """(place, bytes) of each."""
    return [(region.place, region.nbytes) for region in regions]


def hash_outside(path: Path, text: str, left_out: list[tuple[int, int]]) -> str:
    """SHA-256 of a text, and of a file without some (place, bytes) of it."""
    digest, position, size = hashlib.sha256(text.encode()), 0, path.stat().st_size
    with open(path, "rb") as file:
        for place, count in [*sorted(left_out), (size, 0)]:
            file.seek(position)
            while position < place:
                data = file.read(min(_CHUNK, place - position))
                if not data:
                    break
                digest.update(data)
                position += len(data)
            position = min(max(position, place + count), size)
    return digest.hexdigest()


def refuse_size(path: Path, sealed: int) -> None:
    """Raise FileError if a file has not the size that it was sealed with, and say how that may have come."""
    size, end = path.stat().st_size, _end_by_hdf5(path)
    if size == sealed:
        return
    if end == size:
        raise FileError(f"{path}: rewritten since it was sealed: {size} bytes instead of {sealed}{REWRITTEN}")
    raise FileError(f"{path}: {'truncated' if size < sealed else 'something was appended'}: {size} bytes instead of {sealed}; "
                    "put back a copy")


def _end_by_hdf5(path: Path) -> int | None:
    """Size that HDF5 believes the file to have, from the superblock (version 0 or 2)."""
    with open(path, "rb") as file:
        head = file.read(8192)
    for place in BLOCKS:
        if head[place: place + 8] == SIGNATURE and len(head) >= place + 48:
            place += 40 if head[place + 8] < 2 else 28
            return int.from_bytes(head[place: place + 8], "little")
    return None


def is_ours(path: Path) -> bool:
    """Whether a file is one of ours, whole, damaged or rewritten by another program; it is not opened with HDF5.

    Besides the seal our files are full of the names of our attributes, which other programs leave as they are.
    """
    with open(path, "rb") as file:
        ends = file.read(_ENDS)
        if MAGIC in ends[:HEAD]:
            return True
        if SIGNATURE not in (ends[place: place + 8] for place in BLOCKS):
            return False
        file.seek(max(file.tell(), path.stat().st_size - _ENDS))
        ends += file.read()
    return b"sha256" in ends and b"hpcglass" in ends


def first_line(error: Any) -> str:
    """Of the message of an exception, for our own."""
    return str(error).strip("'\"").splitlines()[0][:200] if str(error) else type(error).__name__

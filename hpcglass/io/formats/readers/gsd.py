"""GSD files of HOOMD-blue, by the rules of HOOMD's schema.

A chunk that a frame does not have is that of frame 0, if both have as many particles, else its default. The cell is [Lx, Ly,
Lz, xy, xz, yz] with tilts as strains, centred on the origin; 32-bit floats. The layout (header, index, names, chunks) is read
here, since the package's library ends the program on some damaged files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.errors import FileError
from hpcglass.io.formats.common import Configuration
from hpcglass.io.formats.readers.plane import settle

# layout of the file, see the specification of the GSD file layer
MAGIC = 0x65DF65DF65DF65DF
HEADER = np.dtype([("magic", "<u8"), ("index", "<u8"), ("entries", "<u8"), ("namelist", "<u8"), ("names", "<u8"),
                   ("schema_version", "<u4"), ("version", "<u4"), ("application", "S64"), ("schema", "S64"), ("reserved", "V80")])
ENTRY = np.dtype([("frame", "<u8"), ("rows", "<u8"), ("location", "<i8"), ("columns", "<u4"), ("name", "<u2"), ("type", "u1"),
                  ("flags", "u1")])
TYPES = dict(enumerate(map(np.dtype, ("u1", "<u2", "<u4", "<u8", "i1", "<i2", "<i4", "<i8", "<f4", "<f8")), 1))
# chunk -> numbers per row, kinds of numbers
STEP = "configuration/step"
WANTED = {STEP: (1, "iu"), "configuration/box": (1, "f"), "configuration/dimensions": (1, "iu"), "particles/N": (1, "iu"),
          "particles/types": (None, "iu"), "particles/position": (3, "f"), "particles/typeid": (1, "iu"),
          "particles/diameter": (1, "f")}
PER_PARTICLE = ("particles/position", "particles/typeid", "particles/diameter")
Chunks = dict[str, NDArray[Any]]


def frames(path: Path) -> list[int]:
    """Steps of the frames."""
    return Frames(path).steps


def read(path: Path, dimension: int | None, frame: int = -1) -> Configuration:
    """Read a frame, by default the last one."""
    return Frames(path).read(dimension, frame)


class Frames:
    """The frames of a file; `steps` are their time steps."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = np.memmap(path, dtype=np.uint8, mode="r")
        self.index, self.names = _index(self.data, path)
        number = {name.decode(): k for k, name in enumerate(self.names)}.get(STEP)
        steps = self.index[self.index["name"] == number] if number is not None else self.index[:0]
        told = {int(entry["frame"]): int(_chunk(self.data, entry, STEP, path)[0, 0]) for entry in steps}
        self.steps = [told.get(frame, told.get(0, 0)) for frame in range(int(self.index["frame"].max()) + 1)]

    def read(self, dimension: int | None, frame: int = -1) -> Configuration:
        """A frame, by default the last one."""
        number = frame % len(self.steps)
        first, last, others = self._chunks(number)
        notes = _notes(len(self.steps) if frame == -1 else 1, others)
        return _configuration(first, last, number, self.path, dimension, notes, self.steps[number])

    def _chunks(self, number: int) -> tuple[Chunks, Chunks, list[str]]:
        """Wanted chunks of the first and of another frame by name, and names of other chunks of these."""
        chunks: list[Chunks] = [{}, {}]
        others: list[str] = []
        for into, frame in zip(chunks, (0, number), strict=True):
            for entry in self.index[self.index["frame"] == frame]:
                name = self.names[entry["name"]].decode()
                if name in WANTED and name in into:
                    raise FileError(f"{self.path}: frame {frame} has two chunks {name}")
                if name in WANTED:
                    into[name] = _chunk(self.data, entry, name, self.path)
                elif name not in others and not name.startswith("configuration/"):
                    others.append(name)
        return chunks[0], chunks[1], others


def _configuration(first: Chunks, last: Chunks, frame: int, path: Path, dimension: int | None, notes: tuple[str, ...],
                   step: int) -> Configuration:
    count = _count(last, first)
    if not count:
        raise FileError(f"{path}: has no particles")
    chunks = {name: chunk for name, chunk in first.items() if name not in PER_PARTICLE or _count(first, {}) == count} | last
    for name in PER_PARTICLE:
        if len(chunks.get(name, range(count))) != count:
            raise FileError(f"{path}: {name} has {len(chunks[name])} rows for {count} particles")
    if "particles/position" not in chunks:
        raise FileError(f"{path}: frame {frame} has {count} particles and no positions")
    box = chunks.get("configuration/box", np.array([[1.0], [1], [1], [0], [0], [0]])).ravel()
    if box.size != 6:
        raise FileError(f"{path}: configuration/box has {box.size} numbers instead of 6")
    a, b, c, xy, xz, yz = box.astype(np.float64).tolist()
    own = int(chunks.get("configuration/dimensions", np.array([3])).ravel()[0])
    says = 2 if own == 2 or c == 0 else None
    wanted = dimension or (None if says else 3)     # a user may want a flat 3D one in 2D
    if own not in (2, 3) or min(a, b, c) < 0:
        raise FileError(f"{path}: has {own} dimensions and a box of {a:g} x {b:g} x {c:g}")
    c = c or 1.0
    cell = np.array([[a, xy * b, xz * c], [0.0, b, yz * c], [0.0, 0.0, c]])
    position, cell = settle(chunks["particles/position"].astype(np.float64), cell, path, wanted, says)
    typeid = chunks.get("particles/typeid", np.zeros((count, 1), dtype=np.uint32)).ravel()
    names = _names(chunks)
    if (strange := (typeid < 0) | (typeid >= len(names))).any():
        bad = int(np.argmax(strange))
        raise FileError(f"{path}: particle {bad} has the type {typeid[bad]}, but particles/types names {len(names)}: "
                        f"{', '.join(names)}")
    diameter = chunks["particles/diameter"].ravel().astype(np.float64) if "particles/diameter" in chunks else None
    # from the centre to the corner
    return Configuration(position + cell.sum(axis=1) / 2, cell, diameter, typeid.astype(np.int32), names,
                         notes=notes, step=step)


def _count(frame: Chunks, first: Chunks) -> int:
    chunk = frame.get("particles/N", first.get("particles/N", np.zeros(1)))
    return int(chunk.ravel()[0])


def _names(chunks: Chunks) -> tuple[str, ...]:
    """Names of the types: rows of bytes, each filled up with zeros; a single A by default."""
    if "particles/types" not in chunks:
        return ("A",)
    rows = chunks["particles/types"].astype(np.uint8)
    return tuple(row.tobytes().split(b"\0")[0].decode() for row in rows)


def _notes(frames: int, others: list[str]) -> tuple[str, ...]:
    notes = [f"the last of {frames} frames is read"] if frames > 1 else []
    return (*notes, f"chunks that are not used: {', '.join(others)}") if others else tuple(notes)


def _index(data: NDArray[np.uint8], path: Path) -> tuple[NDArray[Any], list[bytes]]:
    """Where each chunk of each frame is, frames in order, and the names of chunks."""
    head = _records(data, 0, HEADER, 1)[0]
    if head["magic"] != MAGIC or head["schema"] != b"hoomd":
        raise FileError(f"{path}: is not a GSD file of HOOMD's schema")
    if int(head["schema_version"]) >> 16 not in (1, 2) or int(head["version"]) >> 16 not in (1, 2):
        raise FileError(f"{path}: is of a version of GSD or of HOOMD's schema that is not known")
    index = _records(data, int(head["index"]), ENTRY, int(head["entries"]))
    index = index[index["location"] != 0]
    if not len(index):
        raise FileError(f"{path}: has no frames")
    if (np.diff(index["frame"].astype(np.int64)) < 0).any() or index["frame"][0] != 0 or index["frame"][-1] > len(data):
        raise FileError(f"{path}: damaged, its frames are not in order")
    return index, _chunk_names(data, head)


def _chunk_names(data: NDArray[np.uint8], head: Any) -> list[bytes]:
    width = 64 * int(head["names"])
    text = _records(data, int(head["namelist"]), np.dtype(np.uint8), width).tobytes()
    if int(head["version"]) < 0x20000:      # version 1 had names in fields of 64 bytes
        return [text[i: i + 64].split(b"\0")[0] for i in range(0, width, 64)]
    return text.split(b"\0")


def _chunk(data: NDArray[np.uint8], entry: Any, name: str, path: Path) -> NDArray[Any]:
    columns, kinds = WANTED[name]
    rows, width, kind = int(entry["rows"]), int(entry["columns"]), TYPES[int(entry["type"])]
    if (columns is not None and width != columns) or kind.kind not in kinds or not rows or not width:
        raise FileError(f"{path}: {name} has {rows} x {width} numbers of type {kind}, which it cannot have")
    return _records(data, int(entry["location"]), kind, rows * width).reshape(rows, width)


def _records(data: NDArray[np.uint8], start: int, kind: np.dtype[Any], count: int) -> NDArray[Any]:
    end = start + count * kind.itemsize
    if not 0 <= start <= end <= len(data):
        raise ValueError(f"bytes {start} to {end} are wanted, there are {len(data)}")
    return np.frombuffer(data[start:end].tobytes(), dtype=kind)

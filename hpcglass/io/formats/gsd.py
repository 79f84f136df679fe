"""GSD files of HOOMD-blue; writing them needs the optional package `gsd`.

The format keeps 32-bit floats: positions come back to about 1e-7 of the box. The cell is [Lx, Ly, Lz,
xy, xz, yz] with tilts as strains, centred on the origin; other cells are rotated. Lz = 0 in 2D. Types are named
1, 2, ...: OVITO takes B for boron. See docs/clients.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.errors import FileError, InputError
from hpcglass.io.formats.common import Configuration, flatten, in_space, restricted

# layout of the file, see the specification of the GSD file layer
MAGIC = 0x65DF65DF65DF65DF
HEADER = np.dtype([("magic", "<u8"), ("index", "<u8"), ("entries", "<u8"), ("namelist", "<u8"), ("names", "<u8"),
                   ("schema_version", "<u4"), ("version", "<u4"), ("application", "S64"), ("schema", "S64"), ("reserved", "V80")])
ENTRY = np.dtype([("frame", "<u8"), ("rows", "<u8"), ("location", "<i8"), ("columns", "<u4"), ("name", "<u2"), ("type", "u1"),
                  ("flags", "u1")])
TYPES = dict(enumerate(map(np.dtype, ("u1", "<u2", "<u4", "<u8", "i1", "<i2", "<i4", "<i8", "<f4", "<f8")), 1))
WANTED = {"configuration/box", "configuration/dimensions", *(f"particles/{name}" for name in ("position", "typeid", "diameter"))}


def _hoomd() -> Any:
    try:
        import gsd.hoomd
    except ImportError:
        raise InputError("to write GSD files the package gsd is needed: pip install gsd") from None
    return gsd.hoomd


def write(configuration: Configuration, path: Path) -> None:
    """Write one frame."""
    hoomd = _hoomd()
    flat = configuration.dimension == 2
    position, box = restricted(*in_space(configuration), reduce=True)
    fraction = np.linalg.solve(box, position.T)
    if not flat:
        fraction -= 0.5
    else:
        fraction[:2] -= 0.5
    fraction -= np.round(fraction)
    frame = hoomd.Frame()
    frame.configuration.dimensions = configuration.dimension
    (a, xy, xz), (_, b, yz), (_, _, c) = box.tolist()
    frame.configuration.box = [a, b, 0.0 if flat else c, xy / b, xz / c, yz / c]
    frame.particles.N = len(position)
    frame.particles.position = (box @ fraction).T.astype(np.float32)
    species = configuration.species
    frame.particles.typeid = np.zeros(len(position), dtype=np.uint32) if species is None else species.astype(np.uint32)
    frame.particles.types = [str(i + 1) for i in range(int(frame.particles.typeid.max()) + 1)]
    if configuration.diameter is not None:
        frame.particles.diameter = configuration.diameter.astype(np.float32)
    with hoomd.open(name=str(path), mode="w") as file:
        file.append(frame)


def read(path: Path, dimension: int | None) -> Configuration:
    """Read the last frame."""
    chunks = _last_frame(np.memmap(path, dtype=np.uint8, mode="r"), path)
    box = chunks.get("configuration/box", np.array([1.0, 1, 1, 0, 0, 0])).ravel()
    own = int(chunks.get("configuration/dimensions", np.array([3])).ravel()[0])
    position, typeid, diameter = (chunks.get(f"particles/{name}", np.empty(0)) for name in ("position", "typeid", "diameter"))
    if dimension is not None and own != dimension:
        raise InputError(f"{path}: the configuration is {own}D but a {dimension}D one is wanted")
    count = len(position)
    if position.shape != (count, 3) or any(rows.size not in (0, count) for rows in (typeid, diameter)):
        raise FileError(f"{path}: has positions of shape {position.shape}, {typeid.size} types, {diameter.size} diameters")
    a, b, c, xy, xz, yz = box.astype(np.float64).tolist()
    c = c or 1.0
    cell = np.array([[a, xy * b, xz * c], [0.0, b, yz * c], [0.0, 0.0, c]])
    position, cell = flatten(position.astype(np.float64), cell, own, path)
    # from the centre to the corner
    return Configuration(position + cell.sum(axis=1) / 2, cell, diameter.ravel().astype(np.float64) if diameter.size else None,
                         typeid.ravel().astype(np.int32) if typeid.size else np.zeros(count, dtype=np.int32))


def _last_frame(data: NDArray[np.uint8], path: Path) -> dict[str, NDArray[Any]]:
    """Chunks of the last frame by name; what does not change is in the first frame only.

    Read by the layout of the format (header, index, names), since the package's library ends the
    program on some damaged files.
    """
    head = _records(data, 0, HEADER, 1)[0]
    if head["magic"] != MAGIC or head["schema"] != b"hoomd":
        raise FileError(f"{path}: is not a GSD file of HOOMD's schema")
    index = _records(data, int(head["index"]), ENTRY, int(head["entries"]))
    index = index[index["location"] > 0]
    width = 64 * int(head["names"])
    text = _records(data, int(head["namelist"]), np.dtype(np.uint8), width).tobytes()
    version_1 = int(head["version"]) < 0x20000      # names were in fields of 64 bytes
    names = [text[i: i + 64].split(b"\0")[0] for i in range(0, width, 64)] if version_1 else text.split(b"\0")
    if not len(index):
        raise FileError(f"{path}: has no frames")
    chunks = {}
    for frame in (0, int(index["frame"].max())):
        for entry in index[index["frame"] == frame]:
            name = names[entry["name"]].decode()
            if name in WANTED:
                count, width = int(entry["rows"]), int(entry["columns"])
                flat = _records(data, int(entry["location"]), TYPES[int(entry["type"])], count * width)
                chunks[name] = flat.reshape(count, width)
    return chunks


def _records(data: NDArray[np.uint8], start: int, kind: np.dtype[Any], count: int) -> NDArray[Any]:
    end = start + count * kind.itemsize
    if not 0 <= start <= end <= len(data):
        raise ValueError(f"bytes {start} to {end} are wanted, there are {len(data)}")
    return np.frombuffer(data[start:end].tobytes(), dtype=kind)

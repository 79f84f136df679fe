"""GSD files of HOOMD-blue; writing them needs the optional package `gsd`.

The format keeps 32-bit floats: positions come back to about 1e-7 of the box. The cell is [Lx, Ly, Lz,
xy, xz, yz] with tilts as strains, centred on the origin; other cells are rotated. Lz = 0 in 2D. Types are named
1, 2, ...: OVITO takes B for boron. See docs/clients.md.

The chunks of each frame are written one by one, those that are as in the first frame only there, as the schema wants it: the
library's own writer of frames keeps the first one, with all that it might have, in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hpcglass import __version__
from hpcglass.errors import InputError
from hpcglass.io.formats.common import Configuration, blocks, in_space

BUFFER = 1 << 20        # bytes; the library's own would hold a frame or two
SCHEMA = "hoomd", [1, 4]


def _library() -> Any:
    try:
        import gsd.fl
    except ImportError:
        raise InputError("to write GSD files the package gsd is needed: pip install gsd") from None
    return gsd.fl


def write(frames: Iterable[Configuration], path: Path) -> None:
    """Write frames one after the other; fields are logged quantities, `log/particles/NAME`, and the strain is `log/time`."""
    schema, version = SCHEMA
    with _library().open(name=str(path), mode="w", application=f"hpcglass {__version__}", schema=schema,
                         schema_version=version) as file:
        file.maximum_write_buffer_size = BUFFER
        first: dict[str, bytes] = {}
        for number, frame in enumerate(frames):
            for name, rows in _chunks(frame):
                mark = hashlib.sha256(np.ascontiguousarray(rows).data).digest()
                if not number:
                    first[name] = mark
                if not number or first.get(name) != mark:
                    file.write_chunk(name, rows)
                del rows
            file.end_frame()
            del frame       # before the next one is read


def _chunks(given: Configuration) -> Iterator[tuple[str, Any]]:
    """(name, rows) of what the schema has of a frame."""
    flat, c = given.dimension == 2, in_space(given, restrict=True)
    (a, xy, xz), (_, b, yz), (_, _, height) = c.box.tolist()
    yield "configuration/step", np.array([given.step], dtype=np.uint64)
    yield "configuration/dimensions", np.array([given.dimension], dtype=np.uint8)
    yield "configuration/box", np.array([a, b, 0.0 if flat else height, xy / b, xz / height, yz / height], dtype=np.float32)
    yield "particles/N", np.array([len(c.position)], dtype=np.uint32)
    yield "particles/position", _centred(c, flat)
    kinds = np.zeros(len(c.position), dtype=np.uint32) if c.species is None else c.species.astype(np.uint32)
    yield "particles/typeid", kinds
    names = [str(k + 1) for k in range(int(kinds.max()) + 1)]
    width = len(names[-1]) + 1
    yield "particles/types", np.array(names, dtype=f"S{width}").view(np.int8).reshape(len(names), width)
    if c.diameter is not None:
        yield "particles/diameter", c.diameter.astype(np.float32)
    for name, values in c.fields.items():
        where = "particles/velocity" if name == "velocity" else f"log/particles/{name}"
        yield where, values.astype(np.float32 if values.dtype.kind == "f" else np.int32)
    yield "log/time", np.array([given.time])


def _centred(c: Configuration, flat: bool) -> Any:
    """Positions in the cell around the origin, (N, 3) in single precision."""
    position, centre = np.empty(c.position.shape, dtype=np.float32), np.array([[0.5], [0.5], [0.0 if flat else 0.5]])
    for rows in blocks(len(position)):
        fraction = np.linalg.solve(c.box, c.position[rows].T) - centre
        position[rows] = (c.box @ (fraction - np.round(fraction))).T
    return position

"""GSD files of HOOMD-blue, by the optional package `gsd`.

The format keeps 32-bit floats: positions come back to about 1e-7 of the box. The cell is [Lx, Ly, Lz,
xy, xz, yz] with tilts as strains, centred on the origin; other cells are rotated. Lz = 0 in 2D.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hpcglass.errors import FileError, InputError
from hpcglass.io.formats.common import Configuration, flatten, in_space, restricted


def _hoomd() -> Any:
    try:
        import gsd.hoomd
    except ImportError:
        raise InputError("GSD files need the package gsd: pip install gsd") from None
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
    frame.particles.types = [chr(ord("A") + i) for i in range(int(frame.particles.typeid.max()) + 1)]
    if configuration.diameter is not None:
        frame.particles.diameter = configuration.diameter.astype(np.float32)
    with hoomd.open(name=str(path), mode="w") as file:
        file.append(frame)


def read(path: Path, dimension: int | None) -> Configuration:
    """Read the last frame.

    Chunk by chunk: the package's own frames fill what is missing with N default values, and the N of a damaged
    file can be anything.
    """
    _hoomd()
    import gsd.fl

    with gsd.fl.open(str(path), mode="r") as file:
        if not file.nframes:
            raise FileError(f"{path}: has no frames")
        box = _chunk(file, "configuration/box", [1, 1, 1, 0, 0, 0])
        own = int(_chunk(file, "configuration/dimensions", [3])[0])
        position, typeid, diameter = (_chunk(file, f"particles/{name}", []) for name in ("position", "typeid", "diameter"))
    if dimension is not None and own != dimension:
        raise InputError(f"{path}: the configuration is {own}D but a {dimension}D one is wanted")
    count = len(position)
    if position.shape != (count, 3) or any(len(rows) not in (0, count) for rows in (typeid, diameter)):
        raise FileError(f"{path}: has {count} positions, {len(typeid)} types and {len(diameter)} diameters")
    a, b, c, xy, xz, yz = np.array(box, dtype=np.float64).tolist()
    c = c or 1.0
    cell = np.array([[a, xy * b, xz * c], [0.0, b, yz * c], [0.0, 0.0, c]])
    position, cell = flatten(np.array(position, dtype=np.float64), cell, own, path)
    # from the centre to the corner; all types are 0 and all diameters 1 where the file does not say
    return Configuration(position + cell.sum(axis=1) / 2, cell,
                         np.array(diameter, dtype=np.float64) if len(diameter) else np.ones(count),
                         np.array(typeid, dtype=np.int32) if len(typeid) else np.zeros(count, dtype=np.int32))


def _chunk(file: Any, name: str, default: list[float]) -> Any:
    """A chunk of the last frame; what does not change is in the first frame only."""
    for frame in (file.nframes - 1, 0):
        if file.chunk_exists(frame=frame, name=name):
            return file.read_chunk(frame=frame, name=name)
    return np.array(default)

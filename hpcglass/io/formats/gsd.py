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
    """Read the last frame."""
    hoomd = _hoomd()
    with hoomd.open(name=str(path), mode="r") as file:
        if not len(file):
            raise FileError(f"{path}: has no frames")
        frame = file[len(file) - 1]
    own = int(frame.configuration.dimensions)
    if dimension is not None and own != dimension:
        raise InputError(f"{path}: the configuration is {own}D but a {dimension}D one is wanted")
    a, b, c, xy, xz, yz = np.array(frame.configuration.box, dtype=np.float64).tolist()
    c = c or 1.0
    box = np.array([[a, xy * b, xz * c], [0.0, b, yz * c], [0.0, 0.0, c]])
    position = np.array(frame.particles.position, dtype=np.float64).reshape(-1, 3)
    position, box = flatten(position, box, own, path)
    position = position + box.sum(axis=1) / 2      # from the centre to the corner
    return Configuration(position, box, np.array(frame.particles.diameter, dtype=np.float64),
                         np.array(frame.particles.typeid, dtype=np.int32))

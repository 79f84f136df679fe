"""GSD files of HOOMD-blue; writing them needs the optional package `gsd`.

The format keeps 32-bit floats: positions come back to about 1e-7 of the box. The cell is [Lx, Ly, Lz,
xy, xz, yz] with tilts as strains, centred on the origin; other cells are rotated. Lz = 0 in 2D. Types are named
1, 2, ...: OVITO takes B for boron. See docs/clients.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hpcglass.errors import InputError
from hpcglass.io.formats.common import Configuration, in_space, restricted


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

"""GSD files of HOOMD-blue; writing them needs the optional package `gsd`.

The format keeps 32-bit floats: positions come back to about 1e-7 of the box. The cell is [Lx, Ly, Lz,
xy, xz, yz] with tilts as strains, centred on the origin; other cells are rotated. Lz = 0 in 2D. Types are named
1, 2, ...: OVITO takes B for boron. See docs/clients.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hpcglass.errors import InputError
from hpcglass.io.formats.common import Configuration, blocks, in_space

BUFFER = 1 << 20        # bytes; the library's own would hold a frame or two


def _hoomd() -> Any:
    try:
        import gsd.hoomd
    except ImportError:
        raise InputError("to write GSD files the package gsd is needed: pip install gsd") from None
    return gsd.hoomd


def write(frames: Iterable[Configuration], path: Path) -> None:
    """Write frames one after the other; fields are logged quantities, `log/particles/NAME`, and the strain is `log/time`."""
    hoomd = _hoomd()
    with hoomd.open(name=str(path), mode="w") as file:
        file.file.maximum_write_buffer_size = BUFFER
        for frame in map(partial(_frame, hoomd), frames):
            file.append(frame)
            del frame       # before the next one is made


def _frame(hoomd: Any, given: Configuration) -> Any:
    flat, c = given.dimension == 2, in_space(given, restrict=True)
    position, centre = np.empty(c.position.shape, dtype=np.float32), np.array([[0.5], [0.5], [0.0 if flat else 0.5]])
    for rows in blocks(len(position)):
        fraction = np.linalg.solve(c.box, c.position[rows].T) - centre
        position[rows] = (c.box @ (fraction - np.round(fraction))).T
    frame = hoomd.Frame()
    frame.configuration.step = given.step
    frame.configuration.dimensions = given.dimension
    (a, xy, xz), (_, b, yz), (_, _, height) = c.box.tolist()
    frame.configuration.box = [a, b, 0.0 if flat else height, xy / b, xz / height, yz / height]
    frame.particles.N = len(position)
    frame.particles.position = position
    frame.particles.typeid = np.zeros(len(position), dtype=np.uint32) if c.species is None else c.species.astype(np.uint32)
    frame.particles.types = [str(i + 1) for i in range(int(frame.particles.typeid.max()) + 1)]
    if c.diameter is not None:
        frame.particles.diameter = c.diameter.astype(np.float32)
    for name, values in c.fields.items():
        kind = np.float32 if values.dtype.kind == "f" else np.int32
        if name == "velocity":
            frame.particles.velocity = values.astype(kind)
        else:
            frame.log[f"particles/{name}"] = values.astype(kind)
    frame.log["time"] = np.array([given.time])
    return frame

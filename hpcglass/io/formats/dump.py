"""LAMMPS dumps in text: of each frame step, number, cell and a line per particle.

LAMMPS wants the first edge along x, the second in the xy plane, and no tilt above half an edge: other cells are rotated, with
their vectors, and get an equivalent set of edges. The bounds of a tilted cell are those of the box around it. Types count from
1. A flat system is not periodic in z (`pp pp ff`), which OVITO and ASE believe; for those who take every cell for periodic,
as MDAnalysis does, it is as high as it is wide, so that no image comes within reach. See docs/clients.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from hpcglass.io.formats.common import Configuration, Floats, in_space, lines, scalars, wrapped

VELOCITY = {f"velocity[{k}]": f"v{axis}" for k, axis in enumerate("xyz", 1)}


def write(frames: Iterable[Configuration], path: Path) -> None:
    """Write frames one after the other; all digits are kept, positions are in the cell."""
    with path.open("w", encoding="utf-8") as file:
        for frame in frames:
            c = in_space(frame, restrict=True)
            count = len(c.position)
            species = np.zeros(count, dtype=np.int32) if c.species is None else c.species
            named = [("id", np.arange(1, count + 1)), ("type", species + 1),
                     *zip("xyz", wrapped(c.position, c.box).T, strict=True)]
            named += [] if c.diameter is None else [("radius", c.diameter / 2)]
            for name, values in c.fields.items():
                named += [(VELOCITY.get(column, column), rows) for column, rows in scalars(name, values)]
            file.write(f"ITEM: TIMESTEP\n{frame.step}\nITEM: NUMBER OF ATOMS\n{count}\n{_bounds(c.box, frame.dimension == 2)}"
                       f"ITEM: ATOMS {' '.join(name for name, _ in named)}\n")
            file.writelines(lines([rows for _, rows in named]))
            del frame, c, named         # before the next one is read


def _bounds(box: Floats, flat: bool) -> str:
    """ITEM: BOX BOUNDS with the box around a tilted cell, as LAMMPS defines it."""
    (a, xy, xz), (_, b, yz), (_, _, c) = box.tolist()
    c = max(a, b) if flat else c
    sides = "pp pp ff" if flat else "pp pp pp"
    if not (xy or xz or yz):
        return f"ITEM: BOX BOUNDS {sides}\n0.0 {a!r}\n0.0 {b!r}\n0.0 {c!r}\n"
    x = min(0.0, xy, xz, xy + xz), a + max(0.0, xy, xz, xy + xz)
    y = min(0.0, yz), b + max(0.0, yz)
    return (f"ITEM: BOX BOUNDS xy xz yz {sides}\n{x[0]!r} {x[1]!r} {xy!r}\n{y[0]!r} {y[1]!r} {xz!r}\n"
            f"0.0 {c!r} {yz!r}\n")

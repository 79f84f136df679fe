"""LAMMPS data files: written in atom_style sphere, or atomic where there are no diameters.

LAMMPS wants the first edge along x, the second in the xy plane, and no tilt above half an edge: other
cells are rotated and get an equivalent set of edges. Types count from 1, species from 0. The format has no
word for 2D, and LAMMPS wants a flat system periodic in z: other programs repeat it there, so the cell is made as
high as it is wide and no image comes within reach. See docs/clients.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from hpcglass.errors import InputError
from hpcglass.io.formats.common import Configuration, in_space, lines

SEVERAL = False    # frames in one file


def write(frames: Iterable[Configuration], path: Path) -> None:
    """Write a data file of the only frame; the density column, or the section Masses, makes every mass 1."""
    (frame,) = frames
    if frame.fields:
        raise InputError(f"{path}: LAMMPS data have no place for fields ({', '.join(frame.fields)}); a dump has: --to dump")
    flat = frame.dimension == 2
    c = in_space(frame, restrict=True)
    position, box, count = c.position, c.box, len(c.position)
    if flat:
        box[2, 2] = max(box[0, 0], box[1, 1])
    species = np.zeros(count, dtype=np.int32) if c.species is None else c.species
    low = -float(box[2, 2]) / 2 if flat else 0.0
    note = ": every z is 0, the height of the cell only keeps periodic images out of reach" if flat else ""
    head = [f"hpcglass, {frame.dimension}D{note}", "", f"{count} atoms", f"{int(species.max()) + 1} atom types", "",
            f"0.0 {float(box[0, 0])!r} xlo xhi", f"0.0 {float(box[1, 1])!r} ylo yhi",
            f"{low!r} {float(box[2, 2]) + low!r} zlo zhi"]
    if box[0, 1] or box[0, 2] or box[1, 2]:
        head.append(f"{float(box[0, 1])!r} {float(box[0, 2])!r} {float(box[1, 2])!r} xy xz yz")
    columns: list[Any] = [np.arange(1, count + 1), species + 1]
    style = "atomic"
    if c.diameter is None:
        head += ["", "Masses", "", *(f"{t} 1.0" for t in range(1, int(species.max()) + 2))]
    else:
        columns += [c.diameter, 6 / (np.pi * c.diameter**3)]
        style = "sphere"
    with path.open("w", encoding="utf-8") as file:
        file.write("\n".join([*head, "", f"Atoms # {style}", "", ""]))
        file.writelines(lines([*columns, *position.T]))

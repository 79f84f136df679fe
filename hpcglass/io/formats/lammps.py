"""LAMMPS data files: written in atom_style sphere, or atomic where there are no diameters.

LAMMPS wants the first edge along x, the second in the xy plane, and no tilt above half an edge: other
cells are rotated and get an equivalent set of edges. Types count from 1, species from 0. The format has no
word for 2D, and LAMMPS wants a flat system periodic in z: other programs repeat it there, so the cell is made as
high as it is wide and no image comes within reach. See docs/clients.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hpcglass.io.formats.common import Configuration, in_space, restricted


def write(configuration: Configuration, path: Path) -> None:
    """Write a data file; the density column, or the section Masses, makes every mass 1."""
    flat = configuration.dimension == 2
    position, box = restricted(*in_space(configuration), reduce=True)
    if flat:
        box[2, 2] = max(box[0, 0], box[1, 1])
    count = len(position)
    species = np.zeros(count, dtype=np.int32) if configuration.species is None else configuration.species
    low = -float(box[2, 2]) / 2 if flat else 0.0
    note = ": every z is 0, the height of the cell only keeps periodic images out of reach" if flat else ""
    head = [f"hpcglass, {configuration.dimension}D{note}", "", f"{count} atoms", f"{int(species.max()) + 1} atom types", "",
            f"0.0 {float(box[0, 0])!r} xlo xhi", f"0.0 {float(box[1, 1])!r} ylo yhi",
            f"{low!r} {float(box[2, 2]) + low!r} zlo zhi"]
    if box[0, 1] or box[0, 2] or box[1, 2]:
        head.append(f"{float(box[0, 1])!r} {float(box[0, 2])!r} {float(box[1, 2])!r} xy xz yz")
    if configuration.diameter is None:
        head += ["", "Masses", "", *(f"{t} 1.0" for t in range(1, int(species.max()) + 2))]
        style, sizes = "atomic", [""] * count
    else:
        density = 6 / (np.pi * configuration.diameter**3)
        style, sizes = "sphere", [f" {d!r} {m!r}" for d, m in zip(configuration.diameter.tolist(), density.tolist(), strict=True)]
    rows = zip((species + 1).tolist(), sizes, position.tolist(), strict=True)
    body = [f"{i} {t}{size} {x!r} {y!r} {z!r}" for i, (t, size, (x, y, z)) in enumerate(rows, 1)]
    path.write_text("\n".join([*head, "", f"Atoms # {style}", "", *body, ""]), encoding="utf-8")

"""Extended XYZ, as ASE and OVITO read it: of each frame a count, a line of key=value, a line per particle.

The cell is `Lattice="ax ay az bx by bz cx cy cz"`; a 2D configuration has z = 0 and pbc="T T F" (ASE
refuses two columns). Radii are in the column `radius`, species in `type`, counted from 1: a letter or an
element would get the mass, radius and colour of an atom in some reader. See docs/clients.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from hpcglass.io.formats.common import Configuration, in_space, lines

UNKNOWN = "X"      # no species
WALLS = True       # centre and radii of rigid walls are written, as `walls="..."` and pbc="F F F"
ENERGY = {"energy": "energies"}         # what ASE calls those of the particles; `energy` would be that of all


def write(frames: Iterable[Configuration], path: Path) -> None:
    """Write frames one after the other; all digits are kept."""
    with path.open("w", encoding="utf-8") as file:
        for frame in frames:
            c, species = in_space(frame), frame.species
            columns = [[UNKNOWN] * len(c.position) if species is None else species + 1, *c.position.T]
            properties = f"{'species:S' if species is None else 'type:I'}:1:pos:R:3"
            if c.diameter is not None:
                columns.append(c.diameter / 2)
                properties += ":radius:R:1"
            for name, values in c.fields.items():
                flat = values.reshape(len(values), math.prod(values.shape[1:]))
                columns += [*flat.T]
                properties += f":{ENERGY.get(name, name)}:{'R' if values.dtype.kind == 'f' else 'I'}:{flat.shape[1]}"
            file.write(f"{len(c.position)}\n{_head(frame, c, properties)}\n")
            file.writelines(lines(columns))
            del frame, c, columns       # before the next one is read


def _head(frame: Configuration, c: Configuration, properties: str) -> str:
    lattice = " ".join(repr(float(x)) for x in c.box.T.ravel())
    pbc = "F F F" if frame.walls else "T T T" if frame.dimension == 3 else "T T F"
    head = f'Lattice="{lattice}" Properties={properties} pbc="{pbc}"'
    if frame.species is not None:
        head += f' species_labels="{" ".join(str(s + 1) for s in range(int(np.max(frame.species)) + 1))}"'
    if frame.walls:
        head += f' walls="{" ".join(map(repr, frame.walls))}"'
    return f"{head} step={frame.step} time={frame.time!r}"

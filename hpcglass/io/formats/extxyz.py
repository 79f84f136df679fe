"""Extended XYZ, as ASE and OVITO read it: a count, a line of key=value, a line per particle.

The cell is `Lattice="ax ay az bx by bz cx cy cz"`; a 2D configuration has z = 0 and pbc="T T F" (ASE
refuses two columns). Radii are in the column `radius`, species in `type`, counted from 1: a letter or an
element would get the mass, radius and colour of an atom in some reader. See docs/clients.md.
"""

from __future__ import annotations

from pathlib import Path

from hpcglass.io.formats.common import Configuration, in_space

UNKNOWN = "X"      # no species
WALLS = True       # centre and radii of rigid walls are written, as `walls="..."` and pbc="F F F"


def write(configuration: Configuration, path: Path) -> None:
    """Write one frame; all digits are kept."""
    position, box = in_space(configuration)
    species = configuration.species
    names = [UNKNOWN] * len(position) if species is None else [str(s) for s in (species + 1).tolist()]
    columns = [position[:, 0], position[:, 1], position[:, 2]]
    properties = f"{'species:S' if species is None else 'type:I'}:1:pos:R:3"
    if configuration.diameter is not None:
        columns.append(configuration.diameter / 2)
        properties += ":radius:R:1"
    lattice = " ".join(repr(float(x)) for x in box.T.ravel())
    pbc = "F F F" if configuration.walls else "T T T" if configuration.dimension == 3 else "T T F"
    head = f'Lattice="{lattice}" Properties={properties} pbc="{pbc}"'
    if species is not None:
        head += f' species_labels="{" ".join(str(s + 1) for s in range(int(species.max()) + 1))}"'
    if configuration.walls:
        head += f' walls="{" ".join(map(repr, configuration.walls))}"'
    rows = zip(names, *(c.tolist() for c in columns), strict=True)
    body = "\n".join(" ".join([name, *map(repr, numbers)]) for name, *numbers in rows)
    path.write_text(f"{len(position)}\n{head}\n{body}\n", encoding="utf-8")

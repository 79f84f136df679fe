"""Extended XYZ, as ASE and OVITO read it: a count, a line of key=value, a line per particle.

The cell is `Lattice="ax ay az bx by bz cx cy cz"`; a 2D configuration has z = 0 and pbc="T T F" (ASE
refuses two columns). Radii are in the column `radius`, species in `type`, counted from 1: a letter or an
element would get the mass, radius and colour of an atom in some reader. See docs/clients.md.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from hpcglass.errors import FileError
from hpcglass.io.formats.common import Configuration, Floats, flatten, in_space, shown, table, text_lines

UNKNOWN = "X"      # no species
PAIR = re.compile(r"""([A-Za-z_][\w.-]*)\s*=\s*(?:"([^"]*)"|'([^']*)'|(\S+))""")


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
    head = f'Lattice="{lattice}" Properties={properties} pbc="T T {"T" if configuration.dimension == 3 else "F"}"'
    if species is not None:
        head += f' species_labels="{" ".join(str(s + 1) for s in range(int(species.max()) + 1))}"'
    rows = zip(names, *(c.tolist() for c in columns), strict=True)
    body = "\n".join(" ".join([name, *map(repr, numbers)]) for name, *numbers in rows)
    path.write_text(f"{len(position)}\n{head}\n{body}\n", encoding="utf-8")


def read(path: Path, dimension: int | None) -> Configuration:
    """Read the last frame."""
    lines = text_lines(path)
    start, count = _last_frame(lines, path)
    info = {m[1].lower(): next(g for g in m.groups()[1:] if g is not None) for m in PAIR.finditer(lines[start + 1])}
    where = f"{path}:{start + 2}"
    if "lattice" not in info:
        raise FileError(f'{where}: no Lattice="..." in {shown(lines[start + 1])}; a periodic cell is needed')
    box = _cell(info["lattice"], where)
    places = _places(info.get("properties", "species:S:1:pos:R:3"), where)
    rows = lines[start + 2: start + 2 + count]
    position = table(rows, places["pos"], path, start + 3)
    if dimension is None and info.get("pbc", "").split()[2:] == ["F"]:
        dimension = 2
    position, box = flatten(position, box, dimension, path)
    diameter = None
    for name, factor in (("radius", 2.0), ("diameter", 1.0)):
        if name in places:
            diameter = factor * table(rows, places[name], path, start + 3)[:, 0]
    species = None
    for name in ("species", "type"):      # ASE writes X for the species of what it read from us, and `type` besides
        if species is None and name in places:
            species = _species(rows, places[name][0], info.get("species_labels", "").split())
    return Configuration(position, box, diameter, species)


def _last_frame(lines: list[str], path: Path) -> tuple[int, int]:
    at, found = 0, None
    while at < len(lines) and (lines[at].strip() or found is None):
        text = lines[at].strip()
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            raise FileError(f"{path}:{at + 1}: the number of particles should be here, not {shown(text)}")
        count = int(text)
        if at + 2 + count > len(lines):
            there = max(len(lines) - at - 2, 0)
            raise FileError(f"{path}:{at + 1}: {count} particles are announced, the file ends after {there}")
        found = (at, count)
        at += 2 + count
    if found is None or not found[1]:
        raise FileError(f"{path}: has no particles")
    return found


def _cell(text: str, where: str) -> Floats:
    try:
        return np.array([float(x) for x in text.split()]).reshape(3, 3).T
    except ValueError:
        raise FileError(f"{where}: Lattice must be 9 numbers, not {shown(text)}") from None


def _places(text: str, where: str) -> dict[str, list[int]]:
    """Columns of each property, from `name:type:count:...`."""
    words, places, at = text.split(":"), {}, 0
    try:
        for name, _, count in zip(words[::3], words[1::3], words[2::3], strict=True):
            places[name.lower()] = list(range(at, at := at + int(count)))
    except ValueError:
        raise FileError(f"{where}: Properties must be name:type:count:..., not {shown(text)}") from None
    if len(places.get("pos", [])) != 3 or any(not columns for columns in places.values()):
        raise FileError(f"{where}: Properties have no pos:R:3, or an empty column: {shown(text)}")
    return places


def _species(rows: list[str], column: int, known: list[str]) -> np.ndarray[tuple[int], np.dtype[np.int32]] | None:
    labels = [line.split()[column] for line in rows]
    order = known if known and set(labels) <= set(known) else sorted(set(labels))
    if order == [UNKNOWN]:
        return None
    number = {label: i for i, label in enumerate(order)}
    return np.array([number[label] for label in labels], dtype=np.int32)

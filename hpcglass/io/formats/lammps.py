"""LAMMPS data files: written in atom_style sphere, read in the styles that have one position per line.

LAMMPS wants the first edge along x, the second in the xy plane, and no tilt above half an edge: other
cells are rotated and get an equivalent set of edges. Types count from 1, species from 0. The format has no
word for 2D, and LAMMPS wants a flat system periodic in z: other programs repeat it there, so the cell is made as
high as it is wide and no image comes within reach. See docs/clients.md.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from hpcglass.errors import FileError
from hpcglass.io.formats.common import Configuration, Floats, flatten, in_space, restricted, shown, table, text_lines

# style -> columns of type, diameter, x
STYLES: dict[str, tuple[int, int | None, int]] = {
    "atomic": (1, None, 2), "sphere": (1, 2, 4), "charge": (1, None, 3), "molecular": (2, None, 3), "full": (2, None, 4)}
BY_WIDTH = {5: "atomic", 8: "atomic", 7: "sphere", 10: "sphere"}
HEADER = re.compile(r"^(?P<numbers>[-+.\deE\s]+?)\s+(?P<what>atoms|atom types|xlo xhi|ylo yhi|zlo zhi|xy xz yz|avec|bvec|cvec)$")


def write(configuration: Configuration, path: Path) -> None:
    """Write a data file; the density column makes every mass 1."""
    flat = configuration.dimension == 2
    position, box = restricted(*in_space(configuration), reduce=True)
    if flat:
        box[2, 2] = max(box[0, 0], box[1, 1])
    count = len(position)
    species = np.zeros(count, dtype=np.int32) if configuration.species is None else configuration.species
    diameter = np.ones(count) if configuration.diameter is None else configuration.diameter
    density = 6 / (np.pi * diameter**3)
    low = -float(box[2, 2]) / 2 if flat else 0.0
    note = ": every z is 0, the height of the cell only keeps periodic images out of reach" if flat else ""
    head = [f"hpcglass, {configuration.dimension}D{note}", "", f"{count} atoms", f"{int(species.max()) + 1} atom types", "",
            f"0.0 {float(box[0, 0])!r} xlo xhi", f"0.0 {float(box[1, 1])!r} ylo yhi",
            f"{low!r} {float(box[2, 2]) + low!r} zlo zhi"]
    if box[0, 1] or box[0, 2] or box[1, 2]:
        head.append(f"{float(box[0, 1])!r} {float(box[0, 2])!r} {float(box[1, 2])!r} xy xz yz")
    rows = zip((species + 1).tolist(), diameter.tolist(), density.tolist(), position.tolist(), strict=True)
    body = [f"{i} {t} {d!r} {m!r} {x!r} {y!r} {z!r}" for i, (t, d, m, (x, y, z)) in enumerate(rows, 1)]
    path.write_text("\n".join([*head, "", "Atoms # sphere", "", *body, ""]), encoding="utf-8")


def read(path: Path, dimension: int | None) -> Configuration:
    """Read a data file; image flags and other sections are left out."""
    lines = text_lines(path)
    start = next((i for i, line in enumerate(lines) if line.split("#")[0].strip() == "Atoms"), None)
    if start is None:
        raise FileError(f"{path}: has no section Atoms; is it a LAMMPS data file?")
    count, box, origin = _header(lines[1:start], path)
    first = next((i for i in range(start + 1, len(lines)) if lines[i].strip()), len(lines))
    rows = lines[first: first + count]
    if len(rows) < count:
        raise FileError(f"{path}: {count} atoms are announced, the file ends after {len(rows)}")
    style = _style(lines[start], rows[0], f"{path}:{first + 1}")
    kind, wide, x = STYLES[style]
    columns = [0, kind, x, x + 1, x + 2] + ([wide] if wide is not None else [])
    numbers = table(rows, columns, path, first + 1)
    if len(numbers) != count:
        raise FileError(f"{path}: {count} atoms are announced, {len(numbers)} lines have one")
    numbers = numbers[_order(numbers[:, 0], path)]
    types = numbers[:, 1]
    if not ((types >= 1) & (types <= 2**15) & (types == np.floor(types))).all():
        raise FileError(f"{path}: the atom types must be whole numbers from 1")
    position, box = flatten(numbers[:, 2:5] - origin, box, dimension, path)
    return Configuration(position, box, numbers[:, 5] if wide is not None else None, (types - 1).astype(np.int32))


def _header(lines: list[str], path: Path) -> tuple[int, Floats, Floats]:
    values: dict[str, list[float]] = {}
    for number, line in enumerate(lines, 2):
        match = HEADER.match(line.split("#")[0].strip())
        if match is None:
            continue
        try:
            values[match["what"]] = [float(x) for x in match["numbers"].split()]
        except ValueError:
            raise FileError(f"{path}:{number}: {shown(line)} has something that is not a number") from None
    if "avec" in values:
        raise FileError(f"{path}: a general triclinic cell (avec, bvec, cvec) is not read; write it as restricted triclinic")
    for what, length in (("atoms", 1), ("xlo xhi", 2), ("ylo yhi", 2)):
        if len(values.get(what, [])) != length:
            raise FileError(f"{path}: the header has no line '{'N' if length == 1 else '... ...'} {what}'")
    (xlo, xhi), (ylo, yhi), (zlo, zhi) = values["xlo xhi"], values["ylo yhi"], (values.get("zlo zhi", []) + [-0.5, 0.5])[:2]
    xy, xz, yz = (values.get("xy xz yz", []) + [0.0] * 3)[:3]
    count = values["atoms"][0]
    if not 0 < count < 2**40 or count != int(count):
        raise FileError(f"{path}: the number of atoms is {count:g}")
    box = np.array([[xhi - xlo, xy, xz], [0.0, yhi - ylo, yz], [0.0, 0.0, zhi - zlo]])
    # in a flat file every z is 0: leave the origin of z alone so that it stays so
    return int(count), box, np.array([xlo, ylo, 0.0])


def _style(header: str, row: str, where: str) -> str:
    hint = header.partition("#")[2].strip()
    if hint in STYLES:
        return hint
    width = len(row.split("#")[0].split())
    if hint or width not in BY_WIDTH:
        raise FileError(f"{where}: cannot tell the atom style; write 'Atoms # style' with one of {', '.join(STYLES)}")
    return BY_WIDTH[width]


def _order(ids: Floats, path: Path) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    order = np.argsort(ids, kind="stable")
    same = np.flatnonzero(np.diff(ids[order]) == 0)
    if same.size:
        raise FileError(f"{path}: atom {ids[order[same[0]]]:g} is there twice")
    return order

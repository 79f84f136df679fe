"""LAMMPS data files, in the styles that have one position per line; the layout is that of LAMMPS' `read_data`.

Header lines are numbers and a keyword, whatever blanks are between them; what follows the keyword is left out, as LAMMPS does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpcglass.errors import FileError
from hpcglass.io.formats.common import Configuration
from hpcglass.io.formats.readers.plane import settle
from hpcglass.io.formats.readers.text import FLOAT, INTEGER, Floats, Rows, number, shown, text_lines


@dataclass(frozen=True)
class Style:
    """Columns of an atom_style: names in their order; `image` columns, nx ny nz, may follow."""

    columns: tuple[str, ...]

    def place(self, name: str) -> int:
        return self.columns.index(name)


STYLES = {style: Style(tuple(columns.split())) for style, columns in {
    "atomic": "id type x y z", "charge": "id type charge x y z", "dpd": "id type temperature x y z",
    "bond": "id molecule type x y z", "angle": "id molecule type x y z", "molecular": "id molecule type x y z",
    "sphere": "id type diameter density x y z", "full": "id molecule type charge x y z",
    "bpm/sphere": "id molecule type diameter density x y z"}.items()}
USED = {"id", "type", "diameter", "x", "y", "z"}
# keyword -> how many numbers stand before it
BOX = {"xlo xhi": 2, "ylo yhi": 2, "zlo zhi": 2, "xy xz yz": 3, "avec": 3, "bvec": 3, "cvec": 3, "abc origin": 3}
TOPOLOGY = ("bond", "angle", "dihedral", "improper")
COUNTS = ["atoms", "atom types", *(f"{what}s" for what in TOPOLOGY), *(f"{what} types" for what in TOPOLOGY),
          *(f"extra {what} per atom" for what in (*TOPOLOGY, "special")),
          "ellipsoids", "lines", "triangles", "bodies", "crossterms"]
KEYWORDS = {**BOX, **dict.fromkeys(COUNTS, 1)}
LABELS = "Atom Type Labels"
SECTIONS = {"Atoms", "Velocities", "Masses", "Ellipsoids", "Lines", "Triangles", "Bodies", "CMAP", LABELS,
            *(f"{what.title()}s" for what in TOPOLOGY), *(f"{what.title()} Type Labels" for what in TOPOLOGY),
            *(f"{what} Coeffs" for what in (
                "Pair", "PairIJ", "Bond", "Angle", "Dihedral", "Improper", "BondBond", "BondAngle", "MiddleBondTorsion",
                "EndBondTorsion", "AngleTorsion", "AngleAngleTorsion", "BondBond13", "AngleAngle"))}
LARGEST_TYPE = 2**15


def read(path: Path, dimension: int | None) -> Configuration:
    """Read a data file; see docs/files-of-others.md for what is understood."""
    lines = text_lines(path)
    if lines[0].startswith("ITEM:"):
        raise FileError(f"{path}: is a LAMMPS dump: its name should end in .dump or .lammpstrj")
    values, body = _header(lines, path)
    sections = _sections(lines, body, path)
    if "Atoms" not in sections:
        raise FileError(f"{path}: has no section Atoms; is it a LAMMPS data file?")
    box, origin = _cell(values, path)
    rows = _rows(lines, sections, values, path)
    style = STYLES[_style(lines[sections["Atoms"]], rows)]
    if rows.width > len(style.columns):
        for place, axis in enumerate("xyz", len(style.columns)):
            rows.integers(place, f"image flag n{axis}")
    ids = rows.integers(0, "the id of an atom")
    order = _order(ids, path)
    labels = _labels(lines, sections, path)
    types = _types(rows, style.place("type"), labels, values, path)
    position = rows.numbers([style.place(axis) for axis in "xyz"])[order]
    position, box = settle(position - origin, box, path, dimension)
    diameter = rows.numbers([style.place("diameter")])[order, 0] if "diameter" in style.columns else None
    names = tuple(labels) or tuple(map(str, range(1, types.max() + 1)))
    unused = [name for name in style.columns if name not in USED] + [name for name in sections if name not in ("Atoms", LABELS)]
    notes = (f"columns and sections that are not used: {', '.join(unused)}",) if unused else ()
    return Configuration(position, box, diameter, (types[order] - 1).astype(np.int32), names, notes=notes)


def _header(lines: list[str], path: Path) -> tuple[dict[str, list[float]], int]:
    """Numbers of the header by their keywords, and the line at which the first section begins. The first line is a title."""
    values: dict[str, list[float]] = {}
    for at, line in enumerate(lines[1:], 1):
        text = " ".join(line.partition("#")[0].split())
        if text in SECTIONS:
            return values, at
        if not text:
            continue
        words, where = text.split(), f"{path}:{at + 1}"
        first = next((i for i, word in enumerate(words) if word[0].isalpha() and not FLOAT.fullmatch(word)), len(words))
        what = next((key for key in KEYWORDS if words[first: first + len(key.split())] == key.split()), None)
        if what is None:
            raise FileError(f"{where}: {shown(line)} is no header line and no section of a LAMMPS data file")
        wanted = KEYWORDS[what]
        numbers = [number(word, where) for word in words[:first]]
        if len(numbers) != wanted or (what in COUNTS and not INTEGER.fullmatch(words[0])):
            raise FileError(f"{where}: {shown(line)} must have {wanted} {'whole ' * (what in COUNTS)}number{'s' * (wanted > 1)} "
                            f"before '{what}'")
        if values.setdefault(what, numbers) != numbers:
            raise FileError(f"{where}: '{what}' is there twice, with different numbers")
    return values, len(lines)


def _sections(lines: list[str], start: int, path: Path) -> dict[str, int]:
    """Line of each section's name."""
    sections: dict[str, int] = {}
    for at in range(start, len(lines)):
        text = " ".join(lines[at].partition("#")[0].split())
        if text in SECTIONS:
            if text in sections:
                raise FileError(f"{path}:{at + 1}: there are two sections {text}")
            sections[text] = at
    return sections


def _cell(values: dict[str, list[float]], path: Path) -> tuple[Floats, Floats]:
    """Cell and its corner, restricted (edges along x, xy and xyz) or general (three vectors)."""
    given, vectors = [key for key in BOX if key in values], ["avec", "bvec", "cvec"]
    if any(key in values for key in (*vectors, "abc origin")):
        if not set(vectors) <= set(given) <= {*vectors, "abc origin"}:
            raise FileError(f"{path}: a general triclinic cell is avec, bvec and cvec (and abc origin), not {', '.join(given)}")
        x, y, _ = values.get("abc origin", [0.0] * 3)
        return np.array([values[key] for key in vectors]).T, np.array([x, y, 0.0])
    for what in ("xlo xhi", "ylo yhi"):
        if what not in values:
            raise FileError(f"{path}: the header has no line '... ... {what}'")
    corners = [values["xlo xhi"], values["ylo yhi"], values.get("zlo zhi", [-0.5, 0.5])]
    for axis, (low, high) in zip("xyz", corners, strict=True):
        if not low < high:
            raise FileError(f"{path}: the cell reaches from {axis}lo = {low:g} to {axis}hi = {high:g}")
    xy, xz, yz = values.get("xy xz yz", [0.0] * 3)
    a, b, c = (high - low for low, high in corners)
    # in a flat file every z is 0: leave the origin of z alone so that it stays so
    return np.array([[a, xy, xz], [0.0, b, yz], [0.0, 0.0, c]]), np.array([corners[0][0], corners[1][0], 0.0])


def _rows(lines: list[str], sections: dict[str, int], values: dict[str, list[float]], path: Path) -> Rows:
    """The contiguous rows of the section Atoms, as many as the header says."""
    if "atoms" not in values:
        raise FileError(f"{path}: the header has no line 'N atoms'")
    count = int(values["atoms"][0])
    first = next((at for at in range(sections["Atoms"] + 1, len(lines)) if lines[at].strip()), len(lines))
    last = next((at for at in range(first, len(lines)) if not lines[at].strip()), len(lines))
    if last - first != count or not count:
        ends = "file ends after" if last >= len(lines) - 1 else "rows of the section Atoms end after"
        raise FileError(f"{path}:{first + 1}: {count} atoms are announced, the {ends} {last - first}")
    after = next((at for at in range(last, len(lines)) if lines[at].partition("#")[0].strip()), len(lines))
    if after < len(lines) and after not in sections.values():
        raise FileError(f"{path}:{after + 1}: a section should begin here, not {shown(lines[after])}")
    return Rows(lines[first:last], path, first + 1, comments=True)


def _style(header: str, rows: Rows) -> str:
    """From the hint behind "Atoms #"; five columns can only be atomic."""
    hint = header.partition("#")[2].split()[:1]
    style = hint[0].lower() if hint else "atomic" if rows.width == 5 else ""
    if style not in STYLES:
        said = f"{shown(hint[0])} is not read" if hint else f"{rows.width} columns are those of several"
        raise FileError(f"{rows.at(0)}: cannot tell the atom style, {said}; write 'Atoms # style' with one of "
                        f"{', '.join(STYLES)}")
    width = len(STYLES[style].columns)
    if rows.width not in (width, width + 3):
        raise FileError(f"{rows.at(0)}: atom style {style} has {width} columns ({' '.join(STYLES[style].columns)}), or "
                        f"{width + 3} with image flags, not {rows.width}: write the right style behind 'Atoms #'")
    return style


def _labels(lines: list[str], sections: dict[str, int], path: Path) -> list[str]:
    """Names of types 1, 2, ..., or none."""
    labels: dict[int, str] = {}
    at = sections.get(LABELS, len(lines)) + 1
    begun = False
    while at < len(lines) and (lines[at].strip() or not begun):
        words = lines[at].partition("#")[0].split()
        if words:
            begun = True
            if len(words) != 2 or not INTEGER.fullmatch(words[0]) or int(words[0]) in labels or words[1] in labels.values():
                raise FileError(f"{path}:{at + 1}: a type and its label should be here, each once, not {shown(lines[at])}")
            labels[int(words[0])] = words[1]
        at += 1
    if set(labels) != set(range(1, len(labels) + 1)):
        raise FileError(f"{path}: {LABELS} must name the types 1, 2, ..., not {sorted(labels)}")
    return [labels[kind] for kind in sorted(labels)]


def _types(rows: Rows, column: int, labels: list[str], values: dict[str, list[float]], path: Path) -> NDArray[np.int64]:
    number_of = {label: kind for kind, label in enumerate(labels, 1)}
    words = rows.words(column)
    if not all(INTEGER.fullmatch(word) for word in words):
        for place, word in enumerate(words):
            if word not in number_of and not INTEGER.fullmatch(word):
                raise FileError(f"{rows.at(place)}: the type {shown(word)} is neither a number nor in a section {LABELS}")
    types = np.array([number_of.get(word) or int(word) for word in words], dtype=np.int64)
    most = int(values.get("atom types", [LARGEST_TYPE])[0])
    bad = np.flatnonzero((types < 1) | (types > min(most, LARGEST_TYPE)) | (types > (len(labels) or LARGEST_TYPE)))
    if bad.size:
        raise FileError(f"{rows.at(bad[0])}: the atom type is {types[bad[0]]}, it must be a whole number from 1 to "
                        f"{len(labels) or min(most, LARGEST_TYPE)}")
    return types


def _order(ids: NDArray[np.int64], path: Path) -> NDArray[np.intp]:
    order = np.argsort(ids, kind="stable")
    same = np.flatnonzero(np.diff(ids[order]) == 0)
    if same.size:
        raise FileError(f"{path}: atom {ids[order[same[0]]]} is there twice")
    return order

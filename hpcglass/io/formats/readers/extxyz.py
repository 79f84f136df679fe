"""Extended XYZ, as ASE and OVITO write it: a count, a line of key=value, a line per particle."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from hpcglass.errors import FileError
from hpcglass.io.formats.common import Configuration, enclosing
from hpcglass.io.formats.readers.kinds import SIZES, SPECIES, diameters, numbered, same_partition
from hpcglass.io.formats.readers.plane import check_finite, settle
from hpcglass.io.formats.readers.text import INTEGER, Floats, Rows, number, reordered, shown, text_lines

# key=value; possessive, so that a long line without any takes no longer than it is
PAIR = re.compile(r"""(?<![\w.-])([A-Za-z_][\w.-]*+)\s*+=\s*+
                      (?:"((?:[^"\\]|\\.)*)"|'([^']*)'|\{([^}]*)\}|(\[[][\w\s,.+-]*\])|(\S+))""", re.VERBOSE)
TRUTH = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}
USUAL = "species:S:1:pos:R:3"       # columns of a file that does not name them


class Frames:
    """The frames of a file; `steps` are what their lines say (`step=...`), or their numbers."""

    def __init__(self, path: Path) -> None:
        self.path, self.lines = path, text_lines(path)
        self.places = _places(self.lines, path)
        said = [_info(self.lines[at + 1], f"{path}:{at + 2}").get("step", "") for at, _ in self.places]
        self.steps = list(map(int, said)) if all(map(INTEGER.fullmatch, said)) else list(range(len(said)))

    def read(self, dimension: int | None, frame: int = -1, free: bool = False) -> Configuration:
        """A frame, by default the last one.

        free : one whose boundary is open is welcome: without Lattice, or pbc="F F F"
        """
        path, lines, (start, count) = self.path, self.lines, self.places[frame]
        if not count:
            raise FileError(f"{path}: has no particles")
        where = f"{path}:{start + 2}"
        info = _info(lines[start + 1], where)
        columns = _columns(info.get("properties", USUAL), where)
        rows = Rows(lines[start + 2: start + 2 + count], path, start + 3)
        announced = sum(map(len, columns.values()))
        if rows.width != announced:
            raise FileError(f"{rows.at(0)}: {shown(rows.lines[0])} has {rows.width} columns, Properties announce {announced}")
        walls = tuple(number(word, where) for word in _words(info["walls"])) if "walls" in info else None
        periodic = None if "pbc" not in info or walls else _truths(info["pbc"], where)
        at = rows.numbers(columns["pos"])
        free = free and walls is None and ("lattice" not in info or (periodic is not None and not any(periodic)))
        if free:
            check_finite(at, path)
            cell, periodic = enclosing(at), None
        else:
            cell = _cell(info, lines[start + 1], where)
        position, box = settle(at, cell, path, dimension, None, periodic)
        if walls and len(walls) != len(box) + 2:
            raise FileError(f"{where}: walls must be the centre and two radii, {len(box) + 2} numbers, "
                            f"not {shown(info['walls'])}")
        found = Configuration(position, box, walls=walls, free=free, step=self.steps[frame])
        notes = [f"the last of {len(self.places)} frames is read"] if len(self.places) > 1 and frame == -1 else []
        used = {"pos", "id", *SIZES, *SPECIES} & set(columns)
        sizes = {name: rows.numbers(columns[name])[:, 0] for name in SIZES if name in columns}
        found.diameter, said = diameters(sizes, path)
        _species(found, rows, columns, _words(info.get("species_labels", "")))
        if unused := [name for name in columns if name not in used]:
            said.append(f"columns that are not used: {', '.join(unused)}")
        found.notes = (*notes, *said)
        return found if "id" not in columns else reordered(found, rows, columns["id"][0])


def frames(path: Path) -> list[int]:
    """Steps of the frames."""
    return Frames(path).steps


def read(path: Path, dimension: int | None, frame: int = -1) -> Configuration:
    """Read a frame, by default the last one; see docs/files-of-others.md for what is understood."""
    return Frames(path).read(dimension, frame)


def _places(lines: list[str], path: Path) -> list[tuple[int, int]]:
    """Line and number of particles of each frame. Frames may have blank lines between them."""
    at = 0
    found: list[tuple[int, int]] = []
    while at < len(lines):
        text = lines[at].strip()
        if not text:
            at += 1
            continue
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            after = f" (the {found[-1][1]} rows of the frame before end above)" if found else ""
            raise FileError(f"{path}:{at + 1}: the number of particles should be here, not {shown(text)}{after}")
        count = int(text)
        there = len(lines) - at - 2 - (not lines[-1])
        if there < count:
            raise FileError(f"{path}:{at + 1}: {count} particles are announced, the file ends after {max(there, 0)}")
        found.append((at, count))
        at += 2 + count
    if not found:
        raise FileError(f"{path}: has no particles")
    return found


def _info(line: str, where: str) -> dict[str, str]:
    """Values by their keys, in small letters; what is asked for may be there once."""
    info: dict[str, str] = {}
    for match in PAIR.finditer(line):
        key, value = match[1].lower(), next(group for group in match.groups()[1:] if group is not None)
        if key in info and key in ("lattice", "properties", "pbc", "walls", "species_labels") and info[key] != value:
            raise FileError(f"{where}: {match[1]} is there twice, with different values")
        info[key] = value
    return info


def _words(text: str) -> list[str]:
    return re.sub(r"[][{},]", " ", text).split()


def _cell(info: dict[str, str], line: str, where: str) -> Floats:
    if "lattice" not in info:
        raise FileError(f'{where}: no Lattice="..." in {shown(line)}; a periodic cell is needed')
    words = _words(info["lattice"])
    if len(words) != 9:
        raise FileError(f"{where}: Lattice must be 9 numbers, not {shown(info['lattice'])}")
    return np.array([number(word, where) for word in words]).reshape(3, 3).T


def _truths(text: str, where: str) -> list[bool]:
    truths = [TRUTH.get(word.lower()) for word in _words(text)]
    if len(truths) not in (2, 3) or None in truths:
        raise FileError(f'{where}: pbc must be like "T T F", not {shown(text)}')
    return [bool(truth) for truth in truths]


def _columns(text: str, where: str) -> dict[str, list[int]]:
    """Columns of each property, from `name:type:count:...`."""
    words, columns, at = text.split(":"), {}, 0
    try:
        for name, kind, count in zip(words[::3], words[1::3], words[2::3], strict=True):
            if kind not in "SRIL" or len(kind) != 1 or not 0 < int(count) < 1000 or name.lower() in columns:
                raise ValueError
            columns[name.lower()] = list(range(at, at := at + int(count)))
    except ValueError:
        raise FileError(f"{where}: Properties must be name:type:count:... with each name once and a type of S, R, I or L, "
                        f"not {shown(text)}") from None
    if len(columns.get("pos", [])) not in (2, 3):
        raise FileError(f"{where}: Properties have no pos:R:3: {shown(text)}")
    for name in ("id", *SIZES, *SPECIES):
        if len(columns.get(name, [0])) != 1:
            raise FileError(f"{where}: Properties have {len(columns[name])} columns of {name}, there must be one: {shown(text)}")
    return columns


def _species(found: Configuration, rows: Rows, columns: dict[str, list[int]], declared: list[str]) -> None:
    """Fill in the species; where several columns have some, they must tell the same particles apart."""
    first = ""
    for name in SPECIES:
        kinds = numbered(rows.words(columns[name][0]), declared) if name in columns else None
        if kinds is None:
            continue
        if found.species is None:
            found.species, found.names, found.ordered = kinds
            first = name
        elif not same_partition(found.species, kinds[0]):
            raise FileError(f"{rows.path}: the columns {first} and {name} tell different particles apart: "
                            "remove the one that is not the species")

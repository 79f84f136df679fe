"""LAMMPS dumps in text: frames of items, `ITEM: NAME`, as LAMMPS' `dump custom` and `dump atom` write them.

Positions are x y z, unwrapped xu yu zu, or in units of the cell xs ys zs, xsu ysu zsu. The bounds of a tilted cell are those of
the box around it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hpcglass.errors import FileError
from hpcglass.io.formats.common import Configuration
from hpcglass.io.formats.readers.kinds import SIZES, diameters, numbered, same_partition
from hpcglass.io.formats.readers.plane import settle
from hpcglass.io.formats.readers.text import INTEGER, Floats, Rows, number, reordered, shown, text_lines

POSITIONS = (("x", "y", "z"), ("xu", "yu", "zu"), ("xs", "ys", "zs"), ("xsu", "ysu", "zsu"))        # the first that is there
SINGLE = ("UNITS", "TIME", "TIMESTEP", "NUMBER OF ATOMS")       # items of one line
LARGEST_TYPE = 2**15


class Frames:
    """The frames of a dump; `steps` are their time steps."""

    def __init__(self, path: Path) -> None:
        self.path, self.lines = path, text_lines(path)
        self.items: list[dict[str, int]] = []       # of each frame, the line of each item
        self.steps: list[int] = []
        at = 0
        while at < len(self.lines):
            if self.lines[at].strip():
                at = self._frame(at)
            at += 1
        if not self.items:
            raise FileError(f"{path}: has no frames")

    def _frame(self, at: int) -> int:
        """Look at a frame that begins at a line; its last line."""
        items: dict[str, int] = {}
        while "ATOMS" not in items:
            name = self._item(at)
            kind = next((kind for kind in (*SINGLE, "BOX BOUNDS", "ATOMS") if name == kind or name.startswith(f"{kind} ")), None)
            if kind is None or kind in items:
                raise FileError(f"{self._at(at)}: {shown(name)} {'is there twice' if kind else 'is no item of a dump'}")
            items[kind] = at
            at += 1 if kind == "ATOMS" else 4 if kind == "BOX BOUNDS" else 2
        if missing := {"TIMESTEP", "NUMBER OF ATOMS", "BOX BOUNDS"} - items.keys():
            raise FileError(f"{self._at(items['ATOMS'])}: the frame has no item {', '.join(sorted(missing))}")
        count = self._integer(items["NUMBER OF ATOMS"] + 1, "the number of atoms")
        there = len(self.lines) - at - (not self.lines[-1].strip())
        if there < count:
            raise FileError(f"{self._at(at)}: {count} atoms are announced, the file ends after {there}")
        self.items.append(items)
        self.steps.append(self._integer(items["TIMESTEP"] + 1, "the time step"))
        return at + count - 1

    def _at(self, line: int) -> str:
        return f"{self.path}:{line + 1}"

    def _line(self, at: int) -> str:
        if at >= len(self.lines) or not self.lines[at].strip():
            raise FileError(f"{self._at(at)}: the frame ends in its header")
        return self.lines[at]

    def _item(self, at: int) -> str:
        line = self._line(at)
        if not line.startswith("ITEM: "):
            raise FileError(f"{self._at(at)}: an 'ITEM: ...' should be here, not {shown(line)}")
        return " ".join(line[6:].split())

    def _integer(self, at: int, what: str) -> int:
        word = self._line(at).strip()
        if not INTEGER.fullmatch(word) or int(word) < 0:
            raise FileError(f"{self._at(at)}: {what} must be a whole number, not {shown(word)}")
        return int(word)

    # ------------------------------------------------------------------ one frame

    def read(self, dimension: int | None, frame: int = -1) -> Configuration:
        """A frame, by default the last one."""
        items, path = self.items[frame], self.path
        count, first = int(self.lines[items["NUMBER OF ATOMS"] + 1]), items["ATOMS"] + 1
        if not count:
            raise FileError(f"{self._at(first)}: has no particles")
        columns = self.lines[items["ATOMS"]].split()[2:]
        if len(set(columns)) < len(columns):
            raise FileError(f"{self._at(first - 1)}: a column is there twice: {' '.join(columns)}")
        rows = Rows(self.lines[first: first + count], path, first + 1)
        if rows.width != len(columns):
            raise FileError(f"{rows.at(0)}: {shown(rows.lines[0])} has {rows.width} columns, ITEM: ATOMS names {len(columns)}")
        place = {name: k for k, name in enumerate(columns)}
        box, origin, periodic = self._cell(items["BOX BOUNDS"])
        position, used = _positions(rows, place, box, origin)
        position, box = settle(position, box, path, dimension, None, periodic)
        found = Configuration(position, box, step=self.steps[frame])
        found.diameter, said = diameters({name: rows.numbers([place[name]])[:, 0] for name in SIZES if name in place}, path)
        _species(found, rows, place)
        if unused := [name for name in columns if name not in (*used, "id", "type", "element", *SIZES)]:
            said.append(f"columns that are not used: {', '.join(unused)}")
        last = [f"the last of {len(self.steps)} frames is read"] if frame == -1 and len(self.steps) > 1 else []
        if "id" not in place:
            said.append("there are no ids, the order is that of the lines")
        found.notes = (*last, *said)
        return found if "id" not in place else reordered(found, rows, place["id"])

    def _cell(self, at: int) -> tuple[Floats, Floats, list[bool] | None]:
        """Cell, its corner, and along which edges it is periodic, as far as the dump says."""
        words = self.lines[at].split()[3:]
        general, tilted = words[:2] == ["abc", "origin"], words[:3] == ["xy", "xz", "yz"]
        sides = words[2 if general else 3 if tilted else 0:]
        if sides and (len(sides) != 3 or not all(len(side) == 2 and set(side) <= set("pfsm") for side in sides)):
            raise FileError(f"{self._at(at)}: {shown(self.lines[at])} must end with three boundaries like pp")
        width = 4 if general else 3 if tilted else 2
        rows = []
        for line in range(at + 1, at + 4):
            numbers = [number(word, self._at(line)) for word in self._line(line).split()]
            if len(numbers) != width:
                raise FileError(f"{self._at(line)}: {width} numbers should be here, not {shown(self.lines[line])}")
            rows.append(numbers)
        periodic = [side == "pp" for side in sides] if sides else None
        if general:
            return np.array(rows)[:, :3].T, np.array(rows)[:, 3], periodic
        (xy, xz, yz) = (rows[0][2], rows[1][2], rows[2][2]) if tilted else (0.0, 0.0, 0.0)
        low = np.array([rows[0][0] - min(0.0, xy, xz, xy + xz), rows[1][0] - min(0.0, yz), rows[2][0]])
        high = np.array([rows[0][1] - max(0.0, xy, xz, xy + xz), rows[1][1] - max(0.0, yz), rows[2][1]])
        if not (low < high).all():
            axis = int(np.argmin(low < high))
            raise FileError(f"{self._at(at + 1 + axis)}: the cell reaches from {'xyz'[axis]} = {low[axis]:g} to {high[axis]:g}")
        a, b, c = high - low
        return np.array([[a, xy, xz], [0.0, b, yz], [0.0, 0.0, c]]), low, periodic


def frames(path: Path) -> list[int]:
    """Time steps of the frames."""
    return Frames(path).steps


def read(path: Path, dimension: int | None, frame: int = -1) -> Configuration:
    """Read a frame, by default the last one; see docs/files-of-others.md for what is understood."""
    return Frames(path).read(dimension, frame)


def _positions(rows: Rows, place: dict[str, int], box: Floats, origin: Floats) -> tuple[Floats, tuple[str, ...]]:
    """Positions from the corner of the cell, in two columns where there is no third; names of the columns."""
    names: tuple[str, ...] | None = next((axes for axes in POSITIONS if axes[0] in place and axes[1] in place), None)
    if names is None:
        raise FileError(f"{rows.at(-1)}: no positions x y z, xu yu zu, xs ys zs or xsu ysu zsu in {' '.join(place)}")
    names = names if names[2] in place else names[:2]
    found = rows.numbers([place[name] for name in names])
    if names[0] in ("xs", "xsu"):
        return (found @ box.T if len(names) == 3 else found @ box[:2, :2].T), names
    # in a flat file every z is the same: leave the origin of z alone so that it stays so
    return found - [*origin[:2], 0.0][: len(names)], names


def _species(found: Configuration, rows: Rows, place: dict[str, int]) -> None:
    """Types count from 1, or are labels; elements are names, and must tell the same particles apart."""
    elements = numbered(rows.words(place["element"])) if "element" in place else None
    if "type" not in place:
        if elements is not None:
            found.species, found.names, found.ordered = elements
        return
    words = rows.words(place["type"])
    if all(INTEGER.fullmatch(word) for word in words):
        types = np.array(list(map(int, words)), dtype=np.int64)
        bad = np.flatnonzero((types < 1) | (types > LARGEST_TYPE))
        if bad.size:
            raise FileError(f"{rows.at(int(bad[0]))}: the type is {types[bad[0]]}, it must be a whole number from 1 on")
        found.species, found.names = (types - 1).astype(np.int32), tuple(map(str, range(1, int(types.max()) + 1)))
    elif labels := numbered(words):
        found.species, found.names, found.ordered = labels
    if elements is not None and found.species is not None and not same_partition(found.species, elements[0]):
        raise FileError(f"{rows.path}: the columns type and element tell different particles apart: remove the one that is not "
                        "the species")

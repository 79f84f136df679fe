"""Positions and sizes as a table with names: CSV, or with semicolons, tabulators or blanks between its columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hpcglass.errors import FileError
from hpcglass.io.formats.common import Configuration, enclosing
from hpcglass.io.formats.readers.kinds import SIZES, SPECIES, diameters, numbered
from hpcglass.io.formats.readers.plane import check_finite
from hpcglass.io.formats.readers.text import Floats, Rows, text_lines

SEPARATORS = ",;\t"
AXES = ("x", "y", "z")


def read(path: Path, names: Mapping[str, str], edges: Floats | None = None) -> Configuration:
    """The particles of a table whose first line names its columns; capitals do not matter.

    Parameters
    ----------
    names : what the file calls x, y, z, diameter (or radius, size) and species, where it is not that
    edges : (d,) of a rectangular periodic cell; None: the boundary is open

    Raises
    ------
    FileError
        No such table, or a word where a number should be; it says in which line.
    """
    lines = text_lines(path)
    start = next((k for k, line in enumerate(lines) if line.strip("# \t")), 0)
    head = lines[start].lstrip("# \t")
    separator = next((one for one in SEPARATORS if one in head), None)
    called = [word.strip().strip("\"'").lower() for word in (head.split(separator) if separator else head.split())]
    columns = {wanted: called.index(told) for wanted in (*AXES, *SIZES, *SPECIES[:2])
               if (told := names.get(wanted, wanted).lower()) in called}
    if missing := [names.get(wanted, wanted) for wanted in (*AXES[:2], *names) if wanted not in columns]:
        raise FileError(f"{path}:{start + 1}: no column {', '.join(missing)}; the first line must name the columns, and has "
                        f"{', '.join(called)}")
    body = lines[start + 1:]
    while body and not body[-1].strip():
        body.pop()
    if not body:
        raise FileError(f"{path}: has no particles")
    rows = Rows([line.replace(separator, " ") for line in body] if separator else body, path, start + 2)
    if rows.width != len(called):
        raise FileError(f"{rows.at(0)}: has {rows.width} columns, {len(called)} have names")
    position = rows.numbers([columns[axis] for axis in AXES if axis in columns])
    if position.shape[1] == 3 and np.ptp(position[:, 2]) == 0.0:
        position = np.ascontiguousarray(position[:, :2])
    check_finite(position, path)
    box = None if edges is None else np.diag(np.asarray(edges, dtype=np.float64))
    if box is not None and len(box) != position.shape[1]:
        raise FileError(f"{path}: positions are in {position.shape[1]}D, the cell in {len(box)}D")
    if box is None:
        found = Configuration(position, enclosing(position), free=True)
    else:
        found = Configuration(position, box)
    found.diameter, said = diameters({name: rows.numbers([columns[name]])[:, 0] for name in SIZES if name in columns}, path)
    if edges is not None and (far := np.ptp(position, axis=0) / np.asarray(edges)).max() > 1.0:
        said = [*said, f"positions reach over {far.max():.4g} cells along {AXES[int(far.argmax())]}: they are taken back into "
                       "one, as those of a periodic trajectory"]
    found.notes = tuple(said)
    for name in SPECIES[:2]:
        if name in columns and (kinds := numbered(rows.words(columns[name]))) is not None:
            found.species, found.names, found.ordered = kinds
            break
    return found.check(path)

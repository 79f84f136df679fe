"""The rows that one run adds to tables over many runs, and how rows of many are joined. Files in, NumPy out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.packed_tables import Answer, pack_tables, unpack_tables
from hpcglass.analysis.tables import Table, read_table
from hpcglass.errors import FileError
from hpcglass.sealed.file import File
from hpcglass.sealed.runfiles import STAGE_FILE, refuse_exchanged

Value = int | float | str
Tables = dict[str, Table]               # "shear/loading" -> its rows
NUMBERS = "results"                     # the table that has the numbers of /results as one row
MARK = "/provenance/collected"          # in a file of joined tables: the directory they are from
AXES = "xyz"
LARGEST = 9                             # numbers of a small array, which are columns of their own


def stage_files(directory: Path) -> dict[str, Path]:
    """Label -> file of each finished stage of one run, in order; the number goes before a label that several stages have."""
    names = sorted(path.name for path in directory.glob("[0-9][0-9]*-*.h5"))
    found = [(match[2], name) for name in names if (match := STAGE_FILE.fullmatch(name))]
    often = Counter(label for label, _ in found)
    return {label if often[label] == 1 else name.removesuffix(".h5"): directory / name for label, name in found}


def run_rows(directory: str | Path, stage: str | None = None, table: str | None = None,
             like: Mapping[str, Table] | None = None) -> Tables:
    """The tables of one run (or one sample of an ensemble), each file verified.

    Parameters
    ----------
    directory : run directory
    stage : label of the only stage that is wanted
    table : name of the only table that is wanted; "results" has the numbers of /results as one row, small arrays as a
        column for each element
    like : what was found in another run of the same kind, whose units are taken where columns agree: quicker

    Returns
    -------
    dict
        "stage/table" -> Table. What the run has not (yet) is not there.

    Raises
    ------
    FileError
        A file is damaged, or not that of its stage.
    """
    found: Tables = {}
    for label, path in stage_files(Path(directory)).items():
        if stage is None or stage in (label, path.stem, path.stem.partition("-")[2]):
            with File(path) as file:
                refuse_exchanged(file)
                found |= _file_rows(file, label, table, like or {})
    return found


def _file_rows(file: File, label: str, table: str | None, like: Mapping[str, Table]) -> Tables:
    if table == NUMBERS:
        names = []
    elif table is None:
        names = [name for name in file.names("/results") if file.is_group(f"/results/{name}")]
    else:
        names = [table] if file.is_group(f"/results/{table}") else []
    found = {(key := f"{label}/{name}"): read_table(file, name, like.get(key)) for name in names}
    if table in (None, NUMBERS) and (row := numbers(file)):
        found[f"{label}/{NUMBERS}"] = row
    return found


def numbers(file: File) -> Table:
    """The numbers and texts of /results as a table with one row."""
    columns, units, long_name = {}, {}, {}
    for name in file.names("/results"):
        place = f"/results/{name}"
        if file.is_group(place) or np.prod(file.shape(place)) > LARGEST:
            continue
        told, value = file.attributes(place), file.value(place)
        for suffix, one in _elements(value):
            columns[name + suffix] = np.array([one])
            units[name + suffix] = str(told.get("units", ""))
            long_name[name + suffix] = str(told.get("long_name", name))
    return Table(columns, units, long_name)


def _elements(value: Any) -> Iterable[tuple[str, Any]]:
    """("_xy", element) of a small array; ("", value) of what is one number or text."""
    if not isinstance(value, np.ndarray):
        return [("", value)]
    tensor = value.shape in ((2, 2), (3, 3))
    return [("_" + ("".join(AXES[k] for k in place) if tensor else "_".join(map(str, place))), value[place])
            for place in np.ndindex(value.shape)]


def join(parts: Sequence[tuple[Mapping[str, Value], Mapping[str, Table]]]) -> Tables:
    """Rows of many runs, one after the other.

    Parameters
    ----------
    parts : of each run, in order: what its rows are to be labelled with (parameters, sample), and `run_rows`

    Returns
    -------
    dict
        "stage/table" -> Table, whose first columns are the labels. What a run has no column for is NaN there; texts are empty.
    """
    keys = dict.fromkeys(key for _, tables in parts for key in tables)
    return {key: _joined([(labels, tables[key]) for labels, tables in parts if key in tables]) for key in keys}


def _joined(parts: Sequence[tuple[Mapping[str, Value], Table]]) -> Table:
    labels = list(dict.fromkeys(name for values, _ in parts for name in values))
    names = list(dict.fromkeys(name for _, table in parts for name in table if name not in labels))
    rows = [table.rows for _, table in parts]
    columns = {label: np.repeat(_same_kind([np.array([values.get(label, np.nan)]) for values, _ in parts]), rows)
               for label in labels}
    for name in names:
        columns[name] = _same_kind([table[name] if name in table else np.full(table.rows, np.nan) for _, table in parts])
    units = {name: unit for _, table in reversed(parts) for name, unit in table.units.items()}
    long_name = {name: text for _, table in reversed(parts) for name, text in table.long_name.items()}
    about = {label: "" for label in labels}
    return Table(columns, {**units, **about}, {**long_name, **{label: label for label in labels}})


def _same_kind(pieces: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Pieces of a column one after the other; where some are texts, a missing number is an empty one."""
    if any(piece.dtype.kind in "SUO" for piece in pieces):
        pieces = [piece.astype(str) if piece.dtype.kind in "SUO" else np.where(np.isnan(piece), "", piece.astype(str))
                  for piece in pieces]
    return np.concatenate(pieces)


Share = Callable[[Callable[[Path], Answer], Sequence[Path]], Iterable[Answer]]      # what `map` does, by several processes


def read(cases: Iterable[tuple[Mapping[str, Value], Path]], stage: str | None, table: str | None,
         skipped: list[str] | None = None, share: Share = map) -> list[tuple[Mapping[str, Value], Tables]]:
    """What `join` takes, of run after run.

    skipped : where given, damaged files are named there and left out
    share : several processes may each read some of the runs

    Raises
    ------
    FileError
        A file is damaged, and `skipped` was not given.
    """
    known: Tables = {}

    def contribution(directory: Path) -> Answer:
        """The tables of a run; or a text that is no list: what is wrong with it."""
        try:
            found = run_rows(directory, stage, table, known)
        except FileError as error:
            if skipped is None:
                raise
            return json.dumps(str(error)), []
        known.update(found)
        return pack_tables(found)

    every = list(cases)
    parts: list[tuple[Mapping[str, Value], Tables]] = []
    for (labels, _), (text, arrays) in zip(every, share(contribution, [directory for _, directory in every]), strict=True):
        if skipped is not None and isinstance(wrong := json.loads(text), str):
            skipped.append(wrong)
        else:
            parts.append((labels, unpack_tables(text, arrays)))
    return parts

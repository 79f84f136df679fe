"""The tasks of a sweep as grids, for `status`: one parameter down, one across, and what became of each point."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpcglass.commands.sweep import state
from hpcglass.errors import FileError
from hpcglass.rundir import shared
from hpcglass.rundir.extend import only_longer
from hpcglass.rundir.ready import resolved_input
from hpcglass.words import plain

Point = tuple[float, ...]
NOT_STARTED = "waiting"


def grids(directory: Path) -> list[str]:
    """Lines for the directory of a sweep; none if it is something else. Why tasks failed comes last."""
    tasks = {path: values for path in sorted(directory.iterdir()) if path.is_dir() and (values := _values(path.name))}
    if not tasks:
        return []
    names = list(next(iter(tasks.values())))
    tasks = {path: values for path, values in tasks.items() if list(values) == names}
    cells, reasons = {}, []
    for path, values in tasks.items():
        word, why = _word(directory, path)
        cells[tuple(values.values())] = word
        reasons += [f"{plain(path.name)}: {why}"] if why else []
    return [*_tables(names, cells), *reasons]


def _values(name: str) -> dict[str, float]:
    """Parameters in the name of a task's directory, T_p=0.08,d_0=0.05; none if it is another name."""
    try:
        return {key: float(value) for key, value in (part.split("=") for part in name.split(","))}
    except ValueError:
        return {}


def _word(directory: Path, task: Path) -> tuple[str, str]:
    """What became of a task, and why it failed; of an ensemble also how many samples are done."""
    if _other(directory, task):
        return "other input", ""
    word, why = state(task)
    samples = _table(task).get("ensemble", {}).get("samples", 1)
    if samples > 1 and word != "done":
        word += f" {len(list(task.glob('sample-*/DONE')))}/{samples}"
    return word, why


def _table(directory: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(resolved_input(directory) or "")
    except (FileError, ValueError, RecursionError):
        return {}


def _other(directory: Path, task: Path) -> bool:
    """Whether a task was made from another input than the one that the sweep's directory is of now."""
    try:
        ours = tomllib.loads(shared.stored(directory) or "")
    except FileError:
        return False
    if not ours or not (system := _table(task)):
        return False
    follows = set(system.get("system", {})) - set(ours.get("system", {}))
    theirs, _ = shared.of_task(task, ours["over"], follows)
    return theirs is not None and not only_longer(tomllib.loads(theirs), ours)


def _tables(names: Sequence[str], cells: Mapping[Point, str]) -> list[str]:
    """A table of the last two parameters for each value of those before them; of a single one a line for each value."""
    lines: list[str] = []
    down = names[-2] if len(names) > 1 else ""
    for before in sorted({point[:-2] for point in cells}):
        here = {point: word for point, word in cells.items() if point[:-2] == before}
        rows, columns = sorted({point[-2:-1] for point in here}), sorted({point[-1] for point in here})
        head = ", ".join(f"{name} = {value:g}" for name, value in zip(names, before, strict=False))
        text = [[f"{down} \\ {names[-1]}" if down else names[-1], *(f"{column:g}" for column in columns)]]
        text += [[*(f"{value:g}" for value in row), *(here.get((*before, *row, column), NOT_STARTED) for column in columns)]
                 if down else ["", *(here.get((column,), NOT_STARTED) for column in columns)] for row in rows]
        widths = [max(map(len, column)) for column in zip(*text, strict=True)]
        lines += [head] * bool(head)
        lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in text]
    return lines

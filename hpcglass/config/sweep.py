"""[sweep] and [[sweep]]: grids of parameters, and their points.

A grid is name -> list of values and stands for all combinations. `[sweep]` is one grid. Several `[[sweep]]` are grids that
follow each other; one with a number for each name is a row of a table.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from hpcglass.config.problems import Problems
from hpcglass.config.suggest import did_you_mean
from hpcglass.config.toml import Path

Number = int | float
MOST_POINTS = 100_000


def points(grids: Iterable[Mapping[str, Sequence[Number]]]) -> Iterator[dict[str, Number]]:
    """Values of the parameters at each point: grid after grid, in each of them the last name fastest."""
    for grid in grids:
        for values in product(*grid.values()):
            yield dict(zip(grid, values, strict=True))


def read(written: Any, parameters: Any, problems: Problems) -> list[dict[str, list[Number]]]:
    """The grids as they stand under `sweep`; what is wrong with them is noted."""
    if isinstance(written, dict):
        tables: list[tuple[Path, Any]] = [(("sweep",), written)] if written else []
    elif isinstance(written, list) and all(isinstance(table, dict) and table for table in written):
        tables = [(("sweep", number), table) for number, table in enumerate(written)]
    else:
        problems.add(("sweep",), "must be a table: [sweep] with lines name = [numbers], or [[sweep]] for each row of values",
                     written)
        return []
    names = parameters if isinstance(parameters, dict) else {}
    grids = [_grid(table, path, names, problems) for path, table in tables]
    for (path, _), grid in zip(tables, grids, strict=True):
        if grid.keys() != grids[0].keys():
            problems.add(path, f"every [[sweep]] must have the names of the first one ({', '.join(grids[0])})")
    if not problems.under(("sweep",)):
        _check_points(tables, grids, problems)
    return grids


def _grid(table: dict[str, Any], path: Path, parameters: Mapping[str, Any], problems: Problems) -> dict[str, list[Number]]:
    grid = {}
    for name, values in table.items():
        row = len(path) > 1 and not isinstance(values, list)        # T_m = 0.3 in a [[sweep]]
        grid[name] = items = [values] if row else values
        if name not in parameters:
            hint = did_you_mean(name, parameters) or " (a sweep goes over names of [parameters])"
            problems.add((*path, name), f"unknown parameter{hint}")
        elif problems.under((*path, name)):
            continue        # a number that is none
        elif not isinstance(items, list) or not items or any(
                isinstance(x, bool) or not isinstance(x, int | float) for x in items):
            problems.add((*path, name), f"must be a {'number or a ' * (len(path) > 1)}list of numbers", values)
    return grid


def _check_points(tables: list[tuple[Path, Any]], grids: list[dict[str, list[Number]]], problems: Problems) -> None:
    """Not too many, and none twice: two tasks would share a directory."""
    count = sum(math.prod(map(len, grid.values())) for grid in grids)
    if count > MOST_POINTS:
        problems.add(("sweep",), f"makes {count} tasks, more than {MOST_POINTS}")
        return
    seen = set()
    for (path, _), grid in zip(tables, grids, strict=True):
        for point in points([grid]):
            key = tuple(sorted(point.items()))
            if key in seen:
                problems.add(path, f"has {', '.join(f'{name} = {value}' for name, value in point.items())} twice")
            seen.add(key)

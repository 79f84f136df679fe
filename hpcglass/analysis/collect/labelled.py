"""Tables over many runs for xarray: dimensions are parameters, samples and the coordinate; columns are read when needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.collect import rows
from hpcglass.analysis.collect.case import Case
from hpcglass.analysis.extras import need
from hpcglass.sealed.file import File
from hpcglass.sealed.runfiles import refuse_exchanged

WHAT = "a labelled array"
SPARSE = 4      # a grid with more than so many cells per run is laid out as a list of tasks


@dataclass
class Found:
    """A table as it is in the files of many runs.

    columns : name -> its attributes
    places : number of the case -> file
    coordinates : the same -> values of the first column
    rows : for a table of numbers, the same -> its one row
    """

    name: str
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    places: dict[int, Path] = field(default_factory=dict)
    coordinates: dict[int, NDArray[Any]] = field(default_factory=dict)
    rows: dict[int, Mapping[str, NDArray[Any]]] = field(default_factory=dict)


def survey(cases: Sequence[Case], stage: str | None, table: str | None) -> dict[str, Found]:
    """"stage/table" -> where it is; each file is opened once."""
    found: dict[str, Found] = {}
    for number, case in enumerate(cases):
        for label, path in rows.stage_files(case.directory).items():
            if stage is not None and stage not in (label, path.stem, path.stem.partition("-")[2]):
                continue
            with File(path) as file:
                refuse_exchanged(file)
                for name in file.names("/results"):
                    if table in (None, name) and file.is_group(f"/results/{name}"):
                        _note(found.setdefault(f"{label}/{name}", Found(name)), file, number)
                if table in (None, rows.NUMBERS) and (row := rows.numbers(file)):
                    one = found.setdefault(f"{label}/{rows.NUMBERS}", Found(rows.NUMBERS))
                    one.rows[number] = row
                    one.columns |= {name: {"units": row.units[name], "long_name": row.long_name[name]} for name in row}
    return found


def _note(one: Found, file: File, number: int) -> None:
    place = f"/results/{one.name}"
    told = file.attributes(place)
    names = str(told["columns"]).split("\n") if "columns" in told else file.names(place)
    for name in names:
        if name not in one.columns:
            about = file.attributes(f"{place}/{name}")
            one.columns[name] = {key: str(about.get(key, "")) for key in ("units", "long_name")}
    one.places[number] = file.path
    one.coordinates[number] = file.value(f"{place}/{told.get('coordinate', names[0])}")


@dataclass
class Grid:
    """Where each case stands: dimensions with their labels, and a place in them."""

    labels: dict[str, tuple[str, NDArray[Any]]]         # name of a coordinate -> (dimension, values)
    shape: dict[str, int]
    places: list[tuple[int, ...]]

    @classmethod
    def of(cls, cases: Sequence[Case], parameters: Mapping[str, Sequence[rows.Value]]) -> Grid:
        """A dimension for each parameter, or, where most cells would be empty, one of tasks; and one of samples."""
        samples = sorted({case.sample for case in cases})
        points = list(dict.fromkeys(tuple(case.values.items()) for case in cases))
        shared = {"sample": ("sample", np.array(samples))}
        if math.prod(map(len, parameters.values())) > SPARSE * len(points):
            lists = {name: ("task", np.array([dict(point).get(name, np.nan) for point in points])) for name in parameters}
            row = {point: k for k, point in enumerate(points)}
            places: list[tuple[int, ...]] = [(row[tuple(case.values.items())], samples.index(case.sample)) for case in cases]
            return cls({**lists, **shared}, {"task": len(points), "sample": len(samples)}, places)
        axes = {name: (name, np.array(values)) for name, values in parameters.items()}
        index = {name: {value: k for k, value in enumerate(values)} for name, values in parameters.items()}
        places = [(*(index[name][case.values[name]] for name in parameters), samples.index(case.sample)) for case in cases]
        return cls({**axes, **shared}, {name: len(values) for name, (_, values) in {**axes, **shared}.items()}, places)


def datasets(cases: Sequence[Case], parameters: Mapping[str, Sequence[rows.Value]], stage: str | None,
             table: str | None) -> dict[str, Any]:
    """"stage/table" -> Dataset."""
    need("xarray", WHAT)
    grid = Grid.of(cases, parameters)
    return {key: _numbers(one, grid) if one.rows else _dataset(one, grid) for key, one in survey(cases, stage, table).items()}


def tree(found: Mapping[str, Any]) -> Any:
    """A DataTree of datasets."""
    return need("xarray", WHAT).DataTree.from_dict(dict(found))


def _dataset(one: Found, grid: Grid) -> Any:
    xarray, indexing = need("xarray", WHAT), need("xarray.core.indexing", WHAT)
    first, *others = one.coordinates.values()
    key = next(iter(one.columns))
    shared = all(np.array_equal(first, other) for other in others)
    longest = max(map(len, one.coordinates.values()))
    dimension = key if shared else "row"
    shape = {**grid.shape, dimension: longest}
    cells = {grid.places[number]: number for number in one.places}
    variables = {}
    for name, about in one.columns.items():
        if name == key and shared:
            continue
        column = _lazy()(one, name, cells, tuple(shape.values()))
        data = indexing.CopyOnWriteArray(indexing.MemoryCachedArray(indexing.LazilyIndexedArray(column)))
        variables[name] = xarray.Variable(tuple(shape), data, about)
    coordinates = dict(grid.labels)
    result = xarray.Dataset(variables, coordinates)
    if shared:
        result = result.assign_coords({key: xarray.Variable((key,), first, one.columns[key])})
    return result


def _numbers(one: Found, grid: Grid) -> Any:
    """A table of one row per case, all of it in memory."""
    xarray = need("xarray", WHAT)
    variables = {}
    for name, about in one.columns.items():
        some = {number: row[name][0] for number, row in one.rows.items() if name in row}
        text = any(isinstance(value, str) for value in some.values())
        values: NDArray[Any] = np.full(tuple(grid.shape.values()), "" if text else np.nan, dtype=object if text else np.float64)
        for number, value in some.items():
            values[grid.places[number]] = value
        variables[name] = xarray.Variable(tuple(grid.shape), values, about)
    return xarray.Dataset(variables, dict(grid.labels))


@cache
def _lazy() -> Any:
    """The class of a column that is read when it is indexed; it derives from one of xarray's."""
    backends, indexing = need("xarray.backends", WHAT), need("xarray.core.indexing", WHAT)

    class Column(backends.BackendArray):    # type: ignore[name-defined]
        """A column over all cases.

        cells : place in the grid -> number of the case
        """

        def __init__(self, one: Found, name: str, cells: Mapping[tuple[int, ...], int], shape: tuple[int, ...]) -> None:
            self.one, self.name, self.cells = one, name, cells
            self.shape, self.dtype = shape, np.dtype(np.float64)

        def __getitem__(self, key: Any) -> Any:
            return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self.read)

        def read(self, key: tuple[Any, ...]) -> NDArray[np.float64]:
            """What an outer index asks for, from those files only that have some of it."""
            chosen = [np.atleast_1d(np.arange(size)[one]) for size, one in zip(self.shape, key, strict=True)]
            *where, wanted = chosen
            values = np.full([len(one) for one in chosen], np.nan)
            for place in np.ndindex(*(len(one) for one in where)):
                number = self.cells.get(tuple(int(axis[k]) for axis, k in zip(where, place, strict=True)))
                if number is not None and len(wanted):
                    whole = np.full(self.shape[-1], np.nan)
                    column = read_column(self.one.places[number], self.one.name, self.name)
                    whole[: len(column)] = column
                    values[place] = whole[wanted]
            whole_axes = tuple(0 if np.isscalar(one) or isinstance(one, int | np.integer) else slice(None) for one in key)
            return np.asarray(values[whole_axes])

    return Column


def read_column(path: Path, table: str, column: str) -> NDArray[Any]:
    """A column of a table in a file, which is verified; empty if the table has none of this name."""
    with File(path) as file:
        place = f"/results/{table}/{column}"
        return np.asarray(file.value(place) if place in file else [])

"""Samples and results as a text and arrays, which ranks can tell each other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from hpcglass.analysis.ensembles.collectors import Numbers, Sample
from hpcglass.analysis.open_run import Table

Answer = tuple[str, Sequence[NDArray[Any]]]
Tables = dict[str, Table]


def pack_sample(sample: Sample | str) -> Answer:
    """What a stage file says of a sample, or what is wrong with it."""
    if isinstance(sample, str):
        return json.dumps(sample), []
    about = asdict(replace(sample, tables={}, path=Path()))
    about["path"] = str(sample.path)
    about["tables"], arrays = _about(sample.tables)
    return json.dumps(about), arrays


def unpack_sample(text: str, arrays: Sequence[NDArray[Any]]) -> Sample | str:
    """The sample again, or what is wrong with it."""
    about = json.loads(text)
    if isinstance(about, str):
        return about
    about["tables"] = _tables(about["tables"], iter(arrays))
    about["results"] = {name: tuple(result) for name, result in about["results"].items()}
    return Sample(**{**about, "path": Path(about["path"])})


def pack_results(found: dict[int, tuple[Tables, Numbers]]) -> Answer:
    """Tables and numbers of some collectors, by their number."""
    about, arrays = {}, []
    for number, (tables, numbers) in found.items():
        described, columns = _about(tables)
        about[number] = (described, numbers)
        arrays += columns
    return json.dumps(about), arrays


def unpack_results(answers: Sequence[Answer]) -> dict[int, tuple[Tables, Numbers]]:
    """Those of all, by the number of the collector."""
    found = {}
    for text, arrays in answers:
        columns = iter(arrays)
        for number, (described, numbers) in json.loads(text).items():
            found[int(number)] = (_tables(described, columns), {name: tuple(value) for name, value in numbers.items()})
    return dict(sorted(found.items()))


def _about(tables: Tables) -> tuple[list[Any], list[NDArray[Any]]]:
    """Names, columns, units and long names of tables, and the columns one after the other."""
    described = [(name, list(table), table.units, table.long_name) for name, table in tables.items()]
    return described, [column for table in tables.values() for column in table.values()]


def _tables(described: Sequence[Any], columns: Iterator[NDArray[Any]]) -> Tables:
    return {name: Table({column: next(columns) for column in names}, units, long_name)
            for name, names, units, long_name in described}

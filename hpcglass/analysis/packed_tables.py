"""Tables as a text and arrays, which ranks can tell each other: nothing is pickled."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from numpy.typing import NDArray

from hpcglass.analysis.tables import Table

Answer = tuple[str, Sequence[NDArray[Any]]]
Tables = dict[str, Table]


def pack_tables(tables: Tables) -> Answer:
    """Tables by name."""
    described, columns = describe(tables)
    return json.dumps(described), columns


def unpack_tables(text: str, arrays: Sequence[NDArray[Any]]) -> Tables:
    """The tables again."""
    return build(json.loads(text), iter(arrays))


def describe(tables: Tables) -> tuple[list[Any], list[NDArray[Any]]]:
    """Names, columns, units and long names of tables, and the columns one after the other."""
    described = [(name, list(table), table.units, table.long_name) for name, table in tables.items()]
    return described, [column for table in tables.values() for column in table.values()]


def build(described: Sequence[Any], columns: Iterator[NDArray[Any]]) -> Tables:
    """Tables from what `describe` said, and their columns."""
    return {name: Table({column: next(columns) for column in names}, units, long_name)
            for name, names, units, long_name in described}

"""What a stage has found so far: tables, numbers and fields. The same in stage files and checkpoints."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from mpi4py import MPI

from hpcglass.io.contents import Contents
from hpcglass.io.order import Array
from hpcglass.io.reader import Reader


class Table:
    """A growing table of numbers, one float64 array per column."""

    def __init__(self, name: str, columns: dict[str, tuple[str, str]]) -> None:
        self.name = name
        self.columns = columns
        self.rows: dict[str, array[float]] = {column: array("d") for column in columns}

    @property
    def coordinate(self) -> str:
        """The column that the others are functions of: the first one."""
        return next(iter(self.columns), "")

    def __len__(self) -> int:
        return len(next(iter(self.rows.values())))

    def append(self, **values: float) -> None:
        """Add a row; every column, and no other, must be given."""
        if values.keys() != self.rows.keys():
            wrong = sorted(values.keys() ^ self.rows.keys())
            raise ValueError(f"table {self.name}: a row must have the columns {list(self.rows)}; wrong: {wrong}")
        for column, value in values.items():
            self.rows[column].append(value)


class Record:
    """Tables and numbers (equal on all ranks), fields and properties of pairs (rows in file order)."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        self.results: dict[str, tuple[Any, str, str]] = {}
        self.fields: dict[str, tuple[Array, str, str]] = {}
        self.pairs: dict[str, tuple[Array, str, str]] = {}      # "name/column"

    def table(self, name: str, columns: dict[str, tuple[str, str]]) -> Table:
        """The table of this name: a new one, or the one that a checkpoint brought back."""
        if name not in self.tables:
            self.tables[name] = Table(name, columns)
        elif self.tables[name].columns.keys() != columns.keys():
            raise ValueError(f"table {name} has the columns {list(self.tables[name].columns)}, not {list(columns)}")
        return self.tables[name]

    @property
    def lengths(self) -> dict[str, int]:
        """Rows of each table."""
        return {name: len(table) for name, table in self.tables.items()}

    def cut(self, lengths: dict[str, int]) -> None:
        """Take away the rows that came after `lengths` were seen."""
        for name, table in self.tables.items():
            for rows in table.rows.values():
                del rows[lengths.get(name, 0):]

    def put(self, contents: Contents, comm: MPI.Comm) -> None:
        """Add everything to what a file shall hold. Collective."""
        for table in self.tables.values():
            contents.table(f"/results/{table.name}", {column: (np.array(table.rows[column]), *described)
                                                      for column, described in table.columns.items()}, table.coordinate)
        for name, (value, units, long_name) in self.results.items():
            contents.value(f"/results/{name}", value, units, long_name)
        for name, (rows, units, long_name) in self.fields.items():
            contents.per_particle(f"/fields/{name}", comm, rows, units, long_name)
        for name, (rows, units, long_name) in self.pairs.items():
            contents.per_particle(f"/pairs/{name}", comm, rows, units, long_name)

    @classmethod
    def read(cls, file: Reader) -> Record:
        """What `put` wrote. Collective."""
        record = cls()
        for name in file.names("/results"):
            path = f"/results/{name}"
            described = file.attributes(path)
            if "columns" not in described:
                record.results[name] = (file.value(path), described["units"], described["long_name"])
                continue
            columns = described["columns"].split("\n")
            attributes = {column: file.attributes(f"{path}/{column}") for column in columns}
            table = record.table(name, {column: (a["units"], a["long_name"]) for column, a in attributes.items()})
            for column in columns:
                table.rows[column] = array("d", file.value(f"{path}/{column}"))
        for name in file.names("/fields"):
            described = file.attributes(f"/fields/{name}")
            record.fields[name] = (file.rows(f"/fields/{name}"), described["units"], described["long_name"])
        for name in (f"{group}/{column}" for group in file.names("/pairs") for column in file.names(f"/pairs/{group}")):
            described = file.attributes(f"/pairs/{name}")
            record.pairs[name] = (file.rows(f"/pairs/{name}"), described["units"], described["long_name"])
        return record

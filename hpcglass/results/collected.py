"""What `hpcglass collect` writes into an HDF5 file of ours, and how it is read: one table per stage over many runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hpcglass.analysis import html
from hpcglass.analysis.collect.rows import MARK, Tables
from hpcglass.analysis.tables import Table, read_table
from hpcglass.errors import InputError
from hpcglass.sealed.file import File
from hpcglass.sealed.seal import is_ours


def is_collected(path: Path) -> bool:
    """Whether a file is one of them."""
    if not is_ours(path):
        return False
    with File(path) as file:
        return MARK in file


class Collected:
    """Tables that were collected: `tables["shear/loading"]`, or `table("loading")` as a pandas DataFrame.

    Attributes
    ----------
    path : the file
    tables : "stage/table" -> Table; the first columns are the parameters and the sample
    source : the directory that they are from
    skipped : files that were damaged
    missing : tasks that were not done
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tables: Tables = {}
        with File(path) as file:
            for stage in file.names("/results"):
                for name in file.names(f"/results/{stage}"):
                    self.tables[f"{stage}/{name}"] = _texts(read_table(file, f"{stage}/{name}"))
            self.source = str(file.value(MARK))
            self.skipped = str(file.value("/provenance/skipped")).splitlines()
            self.missing = str(file.value("/provenance/missing")).splitlines()

    def __repr__(self) -> str:
        return f"Collected({str(self.path)!r}: {', '.join(self.tables)})"

    def _repr_html_(self) -> str:
        rows = ((key, table.rows, ", ".join(table)) for key, table in self.tables.items())
        return html.table(("table", "rows", "columns"), rows, len(self.tables), str(self.path))

    def table(self, table: str, stage: str | None = None) -> Any:
        """One of the tables as a pandas DataFrame.

        Raises
        ------
        InputError
            There is no such table, or several stages have one; pandas is not installed.
        """
        found = [key for key in self.tables if key.partition("/")[2] == table and stage in (None, key.partition("/")[0])]
        if len(found) != 1:
            raise InputError(f"{self.path}: table '{table}' is there {len(found)} times; tables: {', '.join(self.tables)}")
        return self.tables[found[0]].to_dataframe()


def _texts(table: Table) -> Table:
    """Texts are stored as UTF-8 of fixed length."""
    columns = {name: np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values for name, values in table.items()}
    return Table(columns, table.units, table.long_name)

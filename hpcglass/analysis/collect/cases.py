"""Runs side by side: each with the values of its parameters and the number of its sample; one table over all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from hpcglass.analysis.collect import labelled, rows
from hpcglass.analysis.collect.case import Case
from hpcglass.analysis.collect.rows import Tables, Value
from hpcglass.analysis.tables import Table
from hpcglass.config.suggest import did_you_mean
from hpcglass.errors import InputError


class Cases(ABC):
    """An ordered list of runs, read as one. To have it, a class says what its `cases` are."""

    @property
    @abstractmethod
    def cases(self) -> Sequence[Case]:
        """The runs, in the order of the rows."""

    @property
    def parameters(self) -> dict[str, list[Value]]:
        """Name -> values that occur, in order."""
        names = dict.fromkeys(name for case in self.cases for name in case.values)
        return {name: in_order({case.values[name] for case in self.cases if name in case.values}) for name in names}

    def rows(self, table: str | None = None, stage: str | None = None, skipped: list[str] | None = None) -> Tables:
        """"stage/table" -> one Table over all runs; its first columns are the parameters and `sample`.

        Parameters
        ----------
        table, stage : the only ones that are wanted
        skipped : damaged files are named there and left out; by default they raise

        Raises
        ------
        FileError
            A file is damaged, or not that of its stage.
        """
        parts = rows.read(((case.labels, case.directory) for case in self.cases), stage, table, skipped)
        return rows.join(parts)

    def columns(self, table: str, stage: str | None = None) -> Table:
        """One table over all runs, as NumPy arrays.

        Parameters
        ----------
        table : "loading", "events", ...; "results" has the numbers of each run in a row
        stage : label; needed where several stages have such a table

        Raises
        ------
        InputError
            No run has such a table, or several stages have.
        FileError
            A file is damaged, or not that of its stage.
        """
        found = self.rows(table, stage)
        if len(found) == 1:
            return next(iter(found.values()))
        if found:
            raise InputError(f"table '{table}' is there for the stages {', '.join(key.partition('/')[0] for key in found)}: "
                             "choose one, stage=...")
        raise InputError(self.no_such(table, stage))

    def table(self, table: str, stage: str | None = None) -> Any:
        """The same as a pandas DataFrame; `attrs["units"]` has the units.

        Raises
        ------
        InputError
            As `columns`, or pandas is not installed.
        FileError
            As `columns`.
        """
        return self.columns(table, stage).to_dataframe()

    def to_xarray(self, table: str | None = None, stage: str | None = None) -> Any:
        """A table as an xarray Dataset with the dimensions of the parameters, `sample`, and the coordinate of the table (strain).

        Where runs do not share the coordinate, as of events, the last dimension is `row`, and shorter runs end with NaN; runs
        that are missing are NaN. Files are opened once, for their coordinates; columns are read when they are asked for, of
        the runs that are asked for.

        Parameters
        ----------
        table, stage : without them a DataTree with all tables, "/shear/loading"

        Raises
        ------
        InputError
            No run has such a table; xarray is not installed.
        FileError
            A file is damaged, also when it is read later.
        """
        found = labelled.datasets(self.cases, self.parameters, stage, table)
        if not found:
            raise InputError(self.no_such(table, stage))
        if table is not None and len(found) == 1:
            return next(iter(found.values()))
        return labelled.tree(found)

    def no_such(self, table: str | None, stage: str | None) -> str:
        """What to say if no run has a table."""
        if not self.cases:
            return "there are no runs"
        known = dict.fromkeys(key for case in self.cases[:1] for key in rows.run_rows(case.directory))
        names = {key.partition("/")[2] for key in known}
        what = f"table '{table}'" if table else "table"
        hint = did_you_mean(table, names) if table else ""
        return (f"no run has a {what}{f' of stage {stage!r}' if stage else ''}{hint}; in {self.cases[0].directory} there are: "
                f"{', '.join(known) or 'none'}")


def in_order(values: set[Value]) -> list[Value]:
    """Numbers first, then texts."""
    return sorted(values, key=lambda value: (isinstance(value, str), value))

"""Tables of /results: columns of numbers by name."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from hpcglass.analysis.extras import need
from hpcglass.sealed.file import File


class Table(dict[str, NDArray[Any]]):
    """Columns of numbers by name, all of one length; `units` and `long_name` say what they are."""

    def __init__(self, columns: dict[str, NDArray[Any]], units: dict[str, str], long_name: dict[str, str]) -> None:
        super().__init__(columns)
        self.units = units
        self.long_name = long_name

    @property
    def rows(self) -> int:
        return len(next(iter(self.values()), ()))

    def to_dataframe(self) -> Any:
        """As a pandas DataFrame, whose `attrs` have the units.

        Raises
        ------
        InputError
            pandas is not installed.
        """
        frame = need("pandas", "a DataFrame").DataFrame(dict(self))
        frame.attrs = {"units": dict(self.units), "long_name": dict(self.long_name)}
        return frame

    def _repr_html_(self) -> str:
        from hpcglass.analysis.html import table

        heads = [f"{name} [{self.units[name]}]" if self.units.get(name) else name for name in self]
        return table(heads, zip(*self.values(), strict=True), self.rows)


def read_table(file: File, name: str, like: Table | None = None) -> Table:
    """A table of /results.

    like : the same table of another run; where the columns are the same, so are their units, and are not read again
    """
    place = f"/results/{name}"
    told = file.attributes(place)
    columns = str(told["columns"]).split("\n") if "columns" in told else file.names(place)
    if like is not None and list(like) == columns:
        return Table({column: file.value(f"{place}/{column}") for column in columns}, like.units, like.long_name)
    about = {column: file.attributes(f"{place}/{column}") for column in columns}
    return Table({column: file.value(f"{place}/{column}") for column in columns},
                 {column: str(about[column].get("units", "")) for column in columns},
                 {column: str(about[column].get("long_name", column)) for column in columns})

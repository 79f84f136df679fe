"""Numbers from a file that the user names: a dataset of an HDF5 file, or a column of a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core.comm import broadcast
from hpcglass.errors import FileError, InputError
from hpcglass.sealed.file import File

Floats = NDArray[np.float64]


def read_numbers(comm: Any, path: Path, column: str, where: Mapping[str, float] | None = None) -> Floats:
    """Read on rank 0, the same on all ranks. Collective.

    Parameters
    ----------
    column : path of the dataset in an HDF5 file (.h5, .hdf5), any shape; otherwise the name of a column of a table of
        numbers with commas between them and names in its first line
    where : only entries for which other columns, of the same shape, have these values, to six digits

    Raises
    ------
    InputError
        No such file, dataset or column, or something in it that is not a finite number; no entry that is asked for.
    FileError
        The file is damaged.
    """
    def read() -> Floats:
        one = _hdf5 if path.suffix in (".h5", ".hdf5") else _csv
        values = one(path, column)
        if not values.size:
            raise ValueError("there is nothing in it")
        if where:
            values = chosen(values, {name: (one(path, name), wanted) for name, wanted in where.items()})
        if not np.isfinite(values).all():
            raise ValueError(f"{values.size - np.isfinite(values).sum()} of {values.size} values are not finite numbers")
        return values

    return read_on_root(comm, read, f"{path}, column = '{column}'")


def chosen(values: Floats, columns: Mapping[str, tuple[Floats, float]]) -> Floats:
    """The values where each column has the number that is wanted, to six digits.

    Raises
    ------
    ValueError
        Columns of another shape, or no such entry.
    """
    keep = np.ones(values.shape, dtype=bool)
    for name, (column, wanted) in columns.items():
        if column.shape != values.shape:
            raise ValueError(f"{name} has the shape {column.shape}, and the values {values.shape}: they do not belong together")
        same = np.isclose(column, wanted, rtol=1e-6, atol=0.0)
        if not same.any():
            known = ", ".join(f"{one:g}" for one in np.unique(column)[:20])
            raise ValueError(f"nowhere {name} = {wanted:g}; there are {known}")
        keep &= same
    if not keep.any():
        raise ValueError(f"no entry with {', '.join(f'{name} = {wanted:g}' for name, (_, wanted) in columns.items())} at once")
    return values[keep]


def read_on_root(comm: Any, read: Callable[[], Floats], where: str) -> Floats:
    """What a function reads on rank 0, on all ranks. Collective.

    Raises
    ------
    FileError
        The function raised one: a file is damaged.
    InputError
        It raised any other error that says what cannot be used; `where` stands in front, if it is not there yet.
    """
    values, wrong, damaged = np.empty(0), "", False
    if comm.rank == 0:
        try:
            values = read()
        except FileError as error:
            wrong, damaged = str(error), True
        except (InputError, OSError, KeyError, ValueError, TypeError) as error:
            wrong = str(error.args[0] if isinstance(error, KeyError) else error).partition("\n")[0]
    told = bytes([damaged]) + wrong.encode()
    message = broadcast(comm, np.frombuffer(told, dtype=np.uint8) if comm.rank == 0 else None).tobytes()
    if message[1:]:
        said = message[1:].decode()
        raise FileError(said) if message[0] else InputError(said if said.startswith(where) else f"{where}: {said}")
    return broadcast(comm, values if comm.rank == 0 else None)


def _hdf5(path: Path, name: str) -> Floats:
    with File(path, foreign=True) as file:
        if name not in file or file.is_group(name):
            there = [other.lstrip("/") for other in file.datasets()[:20]]
            raise ValueError(f"there is no such dataset; there are {', '.join(there)}")
        return np.asarray(file.value(name), dtype=np.float64)


def _csv(path: Path, name: str) -> Floats:
    with open(path, encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file, skipinitialspace=True) if row and not row[0].startswith("#")]
    if not rows or name not in (head := [cell.strip() for cell in rows[0]]):
        raise ValueError(f"there is no such column; there are {', '.join(rows[0]) if rows else 'none'}")
    return np.array([float(row[head.index(name)]) if len(row) == len(head) else np.nan for row in rows[1:]])

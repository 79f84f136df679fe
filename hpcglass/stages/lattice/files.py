"""Numbers from a file that the user names: a dataset of an HDF5 file, or a column of a CSV file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core.comm import broadcast
from hpcglass.errors import InputError

Floats = NDArray[np.float64]


def read_numbers(comm: Any, path: Path, column: str) -> Floats:
    """Read on rank 0, the same on all ranks. Collective.

    Parameters
    ----------
    column : path of the dataset in an HDF5 file (.h5, .hdf5), any shape; otherwise the name of a column of a table of
        numbers with commas between them and names in its first line

    Raises
    ------
    InputError
        No such file, dataset or column, or something in it that is not a finite number.
    """
    values, wrong = np.empty(0), ""
    if comm.rank == 0:
        try:
            values = _hdf5(path, column) if path.suffix in (".h5", ".hdf5") else _csv(path, column)
            if not values.size:
                wrong = "there is nothing in it"
            elif not np.isfinite(values).all():
                wrong = f"{values.size - np.isfinite(values).sum()} of {values.size} values are not finite numbers"
        except (OSError, KeyError, ValueError, TypeError) as error:
            wrong = str(error.args[0] if isinstance(error, KeyError) else error).partition("\n")[0]
    message = broadcast(comm, np.frombuffer(wrong.encode(), dtype=np.uint8) if comm.rank == 0 else None)
    if message.size:
        raise InputError(f"{path}, column = '{column}': {message.tobytes().decode()}")
    return broadcast(comm, values if comm.rank == 0 else None)


def _hdf5(path: Path, name: str) -> Floats:
    import h5py

    with h5py.File(path, "r") as file:
        if not isinstance(file.get(name), h5py.Dataset):
            there: list[str] = []
            file.visititems(lambda key, item: there.append(key) if isinstance(item, h5py.Dataset) else None)
            raise ValueError(f"there is no such dataset; there are {', '.join(there[:20])}")
        return np.asarray(file[name][()], dtype=np.float64)


def _csv(path: Path, name: str) -> Floats:
    with open(path, encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file, skipinitialspace=True) if row and not row[0].startswith("#")]
    if not rows or name not in (head := [cell.strip() for cell in rows[0]]):
        raise ValueError(f"there is no such column; there are {', '.join(rows[0]) if rows else 'none'}")
    return np.array([float(row[head.index(name)]) if len(row) == len(head) else np.nan for row in rows[1:]])

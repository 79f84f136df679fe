"""The results of a run as arrays: files in, NumPy out, no MPI.

>>> run = hpcglass.open("results/quickstart")
>>> loading = run["shear"].tables["loading"]
>>> loading["strain"], loading["shear_stress"]
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.config.suggest import did_you_mean
from hpcglass.errors import FileError, InputError

os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")     # files are only read here

STAGE_FILE = re.compile(r"(\d\d)-([A-Za-z0-9_-]+)\.h5")


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
        """As a pandas DataFrame (needs pandas)."""
        from importlib import import_module

        return import_module("pandas").DataFrame(dict(self))


@dataclass
class StageResults:
    """What one stage wrote.

    Attributes
    ----------
    params : the stage's keys in the input, with all defaults
    tables : name -> Table
    results : name -> number or small array
    fields : name -> (N, ...) one row per particle, by id
    pairs : name -> column -> (n, ...) one row per pair of particles; the column `id` (n, 2) says which
    grids : name -> (frames, L, L) fields of a lattice, axes (frame, y, x); `grid_strain` (frames,)
    position, box, diameter : final configuration; columns of `box` (d, d) are the edge vectors
    """

    path: Path
    label: str
    params: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, NDArray[Any]] = field(default_factory=dict)
    pairs: dict[str, dict[str, NDArray[Any]]] = field(default_factory=dict)
    grids: dict[str, NDArray[Any]] = field(default_factory=dict)
    grid_strain: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    position: NDArray[np.float64] | None = None
    box: NDArray[np.float64] | None = None
    diameter: NDArray[np.float64] | None = None


class Run:
    """A run directory; `run["shear"]` or `run[2]` is a stage, `run.samples` the runs of an ensemble."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files = {path.stem: path for path in sorted(directory.glob("*.h5")) if STAGE_FILE.fullmatch(path.name)}
        self.samples = [Run(path) for path in sorted(directory.glob("sample-*")) if path.is_dir()]

    def __repr__(self) -> str:
        return f"Run({str(self.directory)!r}: {', '.join(self.files) or f'{len(self.samples)} samples'})"

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, stage: str | int) -> StageResults:
        names = list(self.files)
        if isinstance(stage, int):
            return read_stage(self.files[names[stage]])
        found = [name for name in names if stage in (name, name[3:])]
        if len(found) != 1:
            known = [name[3:] for name in names] + names
            why = f"is there {len(found)} times ({', '.join(found)})" if found else f"is not there{did_you_mean(stage, known)}"
            raise InputError(f"{self.directory}: stage '{stage}' {why}; stages: {', '.join(names) or 'none'}")
        return read_stage(self.files[found[0]])


def open_run(directory: str | Path) -> Run:
    """Open a run directory.

    Raises
    ------
    InputError
        When there is no run in it.
    """
    run = Run(Path(directory))
    if not run.files and not run.samples:
        raise InputError(f"{directory}: {'no results of a run in it' if run.directory.is_dir() else 'no such directory'}")
    return run


def read_stage(path: str | Path) -> StageResults:
    """Read a stage file.

    Raises
    ------
    FileError
        The file is damaged or not a stage file.
    """
    import h5py

    path = Path(path)
    match = STAGE_FILE.fullmatch(path.name)
    stage = StageResults(path, match[2] if match else path.stem)
    try:
        with h5py.File(path, "r") as file:
            _read(file, stage)
        _read_grids(stage)
    except FileError:
        raise
    except FileNotFoundError:
        raise FileError(f"{path}: no such file") from None
    except Exception as error:      # HDF5 reports damage in many ways: all of them mean a bad file here
        raise FileError(f"{path}: damaged, or not a stage file ({str(error).partition(chr(10))[0][:200]})") from error
    return stage


def _read_grids(stage: StageResults) -> None:
    """Fields of a lattice, from the segments beside the stage file."""
    import h5py

    parts: list[dict[str, Any]] = []
    for path in sorted(stage.path.parent.glob(f"{stage.path.stem}.traj-????.h5")):
        with h5py.File(path, "r") as file:
            if "grids" not in file:
                return
            parts.append({name: group["value"][()] for name, group in file["grids"].items()})
            stage.grid_strain = np.concatenate([stage.grid_strain, next(iter(file["grids"].values()))["time"][()]])
    if parts:
        stage.grids = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _read(file: Any, stage: StageResults) -> None:
    if not file.attrs.get("complete", True):
        raise FileError(f"{stage.path}: incomplete, its writing was interrupted")
    stage.params = _params(file, stage.path)
    for name, item in file.get("results", {}).items():
        if hasattr(item, "keys"):
            columns = str(item.attrs["columns"]).split("\n") if "columns" in item.attrs else list(item)
            stage.tables[name] = Table({column: item[column][()] for column in columns},
                                       {column: str(item[column].attrs.get("units", "")) for column in columns},
                                       {column: str(item[column].attrs.get("long_name", column)) for column in columns})
        else:
            value = item[()]
            stage.results[name] = value.decode() if isinstance(value, bytes) else value
    for name, item in file.get("fields", {}).items():
        stage.fields[name] = item[()]
    for name, group in file.get("pairs", {}).items():
        stage.pairs[name] = {column: item[()] for column, item in group.items()}
    everything = file.get("particles/all")
    if everything is not None:
        stage.position = everything["position/value"][-1]
        stage.box = everything["box/edges/value"][-1].T
        if "diameter" in everything:
            item = everything["diameter"]
            stage.diameter = item["value"][-1] if hasattr(item, "keys") else item[()]


def _params(file: Any, path: Path) -> dict[str, Any]:
    """The stage's table of the resolved input, with the values of parameters."""
    text, match = file.get("provenance/resolved_input"), STAGE_FILE.fullmatch(path.name)
    if text is None or match is None:
        return {}
    data = tomllib.loads(text[()].decode())
    numbers = {f"${name}": value for name, value in data.get("parameters", {}).items()}
    stages = data.get("stage", [])
    table = stages[int(match[1])] if int(match[1]) < len(stages) else {}
    return {key: numbers.get(value, value) if isinstance(value, str) else value for key, value in table.items()}

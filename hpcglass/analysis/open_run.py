"""The results of a run as arrays: files in, NumPy out, no MPI.

>>> run = hpcglass.open("results/quickstart")
>>> loading = run["shear"].tables["loading"]
>>> loading["strain"], loading["shear_stress"]
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis import html
from hpcglass.analysis.collect.case import Case, samples
from hpcglass.analysis.collect.cases import Cases
from hpcglass.analysis.collect.rows import MARK
from hpcglass.analysis.frames.frame import Frame, Source
from hpcglass.analysis.frames.trajectory import Event, Frames, events
from hpcglass.analysis.tables import Table, read_table
from hpcglass.config import Config, stored
from hpcglass.config.checks import LATTICES
from hpcglass.config.suggest import did_you_mean
from hpcglass.errors import InputError
from hpcglass.sealed.file import File
from hpcglass.sealed.runfiles import DONE, STAGE_FILE, refuse_exchanged, refuse_other, segments
from hpcglass.stages.base import StageParams
from hpcglass.stages.shear.run import Shear


@dataclass(repr=False)
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
    walls : (d + 2,) of a glass between walls: their centre, inner and outer radius
    frames : configurations along the way, read when they are asked for, see `Frames`
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
    walls: NDArray[np.float64] | None = None

    def __repr__(self) -> str:
        tables = ", ".join(f"{name} ({table.rows})" for name, table in self.tables.items())
        return f"StageResults({str(self.path)!r}: tables {tables or 'none'})"

    def _repr_html_(self) -> str:
        def shown(value: Any) -> str:
            return f"array {np.shape(value)}" if np.ndim(value) else f"{value:.6g}" if isinstance(value, float) else str(value)

        parts = {"table": {name: f"{table.rows} rows: {', '.join(table)}" for name, table in self.tables.items()},
                 "number": {name: shown(value) for name, value in self.results.items()},
                 "field": {name: shown(rows) for name, rows in {**self.fields, **self.grids}.items()}}
        rows = [(kind, name, value) for kind, found in parts.items() for name, value in found.items()]
        return html.table(("", "name", ""), rows, len(rows), str(self.path), len(rows))

    @cached_property
    def input(self) -> StageParams:
        """The stage's keys as the typed table that they were made from: `stage.input.strain_step`."""
        return stored.stage(self.params)

    @cached_property
    def frames(self) -> Frames:
        """The trajectory, over all its segments, or that of one segment; a lattice has none, but `grids`."""
        with File(self.path) as file:
            if "/segment" in file and self.position is not None:
                return Frames([Source(self.path)], self._gradient)
            listed = segments(file) if self.position is not None and not self.grids else {}
        return Frames([Source(self.path.parent / name, seal, self.path) for name, seal in listed.items()], self._gradient)

    @cached_property
    def final(self) -> Frame:
        """The final configuration; its fields are those of the stage."""
        source = Source(self.path)
        return Frame(source, len(source.step) - 1, self._gradient)

    @cached_property
    def events(self) -> list[Event]:
        """The plastic events of a loading, with the configurations before and after."""
        return events(self.frames, self.tables["events"], self.path) if "events" in self.tables else []

    def event(self, number: int) -> Event:
        """Event `number`, from 0, or from the end if negative.

        Raises
        ------
        InputError
            There is none.
        """
        if not -len(self.events) <= number < len(self.events):
            raise InputError(f"{self.path}: there is no event {number}: there are {len(self.events)}")
        return self.events[number]

    @property
    def _gradient(self) -> NDArray[np.float64] | None:
        """(d, d) velocity gradient, if the stage is a loading."""
        if self.box is None or self.params.get("kind") != Shear.name:
            return None
        return np.asarray(Shear(self.input).gradient(len(self.box)))


class Run(Cases):
    """A run directory; `run["shear"]` or `run[2]` is a stage, `run.samples` the runs of an ensemble.

    `run.table("loading")`, `run.to_xarray("loading")`: one table over all samples, see `Cases`.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files = {path.stem: path for path in sorted(directory.glob("*.h5")) if STAGE_FILE.fullmatch(path.name)}
        self.samples = [Run(path) for path in sorted(directory.glob("sample-*")) if path.is_dir()]

    def __repr__(self) -> str:
        return f"Run({str(self.directory)!r}: {', '.join(self.files) or f'{len(self.samples)} samples'})"

    def _repr_html_(self) -> str:
        runs = self.samples or [self]
        shown = ((run.directory.name, ", ".join(run.files), "yes" if (run.directory / DONE).exists() else "no") for run in runs)
        return html.table(("run", "stages", "finished"), shown, len(runs), str(self.directory))

    def __len__(self) -> int:
        return len(self.files)

    @staticmethod
    def from_toml(path: str | Path, overrides: Sequence[str] = ()) -> Config:
        """The typed tables of an input file, all defaults filled in: what `hpcglass run` would do.

        Raises
        ------
        InputError
            With all problems, one per line.
        """
        return Config.load(path, overrides)

    @cached_property
    def input(self) -> Config:
        """The typed tables of the input that this run was made from.

        Raises
        ------
        InputError
            There is no resolved.toml, or it is no input of this version.
        """
        return Config.load(self.directory / "resolved.toml")

    @property
    def cases(self) -> list[Case]:
        """The samples, or the run itself."""
        return samples(self.directory, {})

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
    """Read a stage file; all of it is verified.

    Raises
    ------
    FileError
        The file is damaged, not a stage file, or that of another stage; or one of its segments is.
    InputError
        It has the tables of many runs.
    """
    path = Path(path)
    match = STAGE_FILE.fullmatch(path.name)
    stage = StageResults(path, match[2] if match else path.stem)
    with File(path) as file:
        refuse_exchanged(file)
        if MARK in file:
            raise InputError(f"{path}: has the tables of many runs, collected from {file.value(MARK)}; hpcglass.open reads "
                             "them")
        _read(file, stage)
        _read_grids(file, stage)
    return stage


def _read_grids(file: File, stage: StageResults) -> None:
    """Fields of a lattice, from the segments beside the stage file; there are none if all of them were taken away.

    The file of a lattice has the particles of its run, if there are any; the segments are the lattice's.
    """
    if "/particles/all" in file and stage.params.get("kind") not in LATTICES:
        return
    listed = segments(file)
    if not any((stage.path.parent / name).exists() for name in listed):
        return
    parts: list[dict[str, Any]] = []
    for name, seal in listed.items():
        with File(stage.path.parent / name) as segment:
            refuse_other(segment, seal, stage.path)
            grids = segment.names("/grids")
            parts.append({grid: segment.value(f"/grids/{grid}/value") for grid in grids})
            stage.grid_strain = np.concatenate([stage.grid_strain, segment.value(f"/grids/{grids[0]}/time")])
    stage.grids = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _read(file: File, stage: StageResults) -> None:
    stage.params = _params(file, stage.path)
    for name in file.names("/results"):
        place = f"/results/{name}"
        if file.is_group(place):
            stage.tables[name] = read_table(file, name)
        else:
            stage.results[name] = file.value(place)
    stage.fields = {name: file.value(f"/fields/{name}") for name in file.names("/fields")}
    stage.pairs = {name: {column: file.value(f"/pairs/{name}/{column}") for column in file.names(f"/pairs/{name}")}
                   for name in file.names("/pairs")}
    everything = "/particles/all"
    if everything in file:
        stage.position = file.value(f"{everything}/position/value", -1)
        stage.box = file.value(f"{everything}/box/edges/value", -1).T
        if f"{everything}/box/walls" in file:
            stage.walls = file.value(f"{everything}/box/walls/value", -1)
        if f"{everything}/diameter" in file:
            changing = file.is_group(f"{everything}/diameter")
            stage.diameter = file.value(f"{everything}/diameter{'/value' if changing else ''}", -1 if changing else None)


def _params(file: File, path: Path) -> dict[str, Any]:
    """The stage's table of the resolved input, with the values of parameters."""
    match = STAGE_FILE.fullmatch(path.name)
    if "/provenance/resolved_input" not in file or match is None:
        return {}
    data = tomllib.loads(file.value("/provenance/resolved_input"))
    numbers = {f"${name}": value for name, value in data.get("parameters", {}).items()}
    stages = data.get("stage", [])
    table = stages[int(match[1])] if int(match[1]) < len(stages) else {}
    return {key: numbers.get(value, value) if isinstance(value, str) else value for key, value in table.items()}

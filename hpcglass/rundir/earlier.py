"""What an earlier stage of the same sample has left: its tables and numbers, and the frames of its trajectory as systems."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mpi4py import MPI

from hpcglass.config import stored
from hpcglass.errors import FileError, InputError
from hpcglass.io import configuration
from hpcglass.io.reader import Reader

if TYPE_CHECKING:
    from hpcglass.core.system import System
    from hpcglass.potentials.model import Model


class Earlier:
    """Files of one finished stage (methods: see `stages.base.Earlier`). All methods are collective.

    Every byte of a file is verified when it is opened; one is open at a time.

    Parameters
    ----------
    model : the glass former; None in a run without particles
    paths : files of this stage and of those before it, in order
    """

    def __init__(self, comm: MPI.Comm, model: Model | None, paths: list[Path]) -> None:
        self.comm, self.model = comm, model
        *before, self.path = paths
        self._before = before[-1] if before else None
        self._open: Reader | None = None
        with Reader(comm, self.path) as file:
            self._segments = file.segments()
            self.params = stored.stage_at(file.value("/provenance/resolved_input"), len(before))
            self._contents = {name: file.attributes(f"/results/{name}") for name in file.names("/results")}
            self._results = {name: self._read(file, name) for name in self._contents}
        self._places: list[tuple[str, int]] = []        # segment and number in it
        self.frames: list[tuple[int, float]] = []
        for name in self._segments:
            file = self._segment(name)
            clock = (np.atleast_1d(file.value(f"{configuration.GROUP}/position/{what}")).tolist() for what in ("step", "time"))
            for number, (step, time) in enumerate(zip(*clock, strict=True)):
                self._places.append((name, number))
                self.frames.append((int(step), float(time)))

    def _read(self, file: Reader, name: str) -> Any:
        described, path = self._contents[name], f"/results/{name}"
        if "columns" not in described:
            return file.value(path)
        return {column: np.atleast_1d(file.value(f"{path}/{column}")) for column in described["columns"].split("\n")}

    def table(self, name: str) -> dict[str, Any]:
        found = self._results.get(name)
        if not isinstance(found, dict):
            raise InputError(f"{self.path}: has no table {name}")
        return found

    def value(self, name: str) -> Any:
        if name not in self._results or isinstance(self._results[name], dict):
            raise InputError(f"{self.path}: has no number {name}")
        return self._results[name]

    def frame(self, number: int, *fields: str) -> System:
        name, place = self._places[number]
        return self._system(self._segment(name), place, fields)

    def start(self) -> System:
        if self._before is None:
            raise InputError(f"{self.path}: is the first stage: what it began with is in no file; put a quench before it")
        self.close()
        with Reader(self.comm, self._before) as file:
            return self._system(file, -1, ())

    def _system(self, file: Reader, number: int, fields: tuple[str, ...]) -> System:
        from hpcglass.core.system import System

        if configuration.GROUP not in file:
            raise InputError(f"{file.path}: has no particles")
        box, rows = configuration.read(file, number)
        if lacking := [name for name in fields if name not in rows]:
            raise InputError(f"{file.path}: its frames have no {' and no '.join(lacking)}")
        assert self.model is not None, "a run without particles has no frames of them"
        system = System(self.comm, self.model, box, rows)
        for name in fields:
            system.fields[name] = system.reorder(rows["id"], rows[name])
        return system

    def _segment(self, name: str) -> Reader:
        """A trajectory file, open: the one that the stage was written with."""
        path = self.path.parent / name
        if self._open is None or self._open.path != path:
            self.close()
            self._open = Reader(self.comm, path)
            if self._open.seal != self._segments[name]:
                raise FileError(f"{path}: whole, but not the file that {self.path.name} was written with")
        return self._open

    def close(self) -> None:
        """Close the file that is open."""
        if self._open is not None:
            self._open.close()
            self._open = None

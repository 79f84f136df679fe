"""One configuration of a file, read when it is asked for, and what is verified before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.frames import clients
from hpcglass.config import stored
from hpcglass.config.suggest import did_you_mean
from hpcglass.errors import FileError, InputError
from hpcglass.potentials.model import Model
from hpcglass.sealed.file import File
from hpcglass.sealed.runfiles import refuse_other

GROUP = "/particles/all"
OWN = ("box", "id", "position", "position_low", "image", "diameter", "species")
Floats = NDArray[np.float64]


class Source:
    """A file with configurations; it is opened when it is first needed, and stays open, so that data are verified once.

    Parameters
    ----------
    seal : the hash of its contents by which `owner` knows it; any will do if empty
    """

    def __init__(self, path: Path, seal: str = "", owner: Path | None = None) -> None:
        self.path, self.seal, self.owner = path, seal, owner or path

    @cached_property
    def file(self) -> File:
        """The open file.

        Raises
        ------
        FileError
            It is damaged, has no particles, or is another one.
        """
        file = File(self.path)
        if self.seal:
            refuse_other(file, self.seal, self.owner)
        if GROUP not in file:
            raise FileError(f"{self.path}: has no particles")
        return file

    @cached_property
    def step(self) -> NDArray[np.int64]:
        return np.asarray(self.file.value(f"{GROUP}/position/step"))

    @cached_property
    def time(self) -> Floats:
        return np.asarray(self.file.value(f"{GROUP}/position/time"))

    @cached_property
    def model(self) -> Model:
        """The model glass."""
        return stored.model(self.file.value("/provenance/resolved_input"), self.path)

    def element(self, name: str, number: int) -> Any:
        """Of a frame; what does not change in time is the same in all."""
        place = f"{GROUP}/{name}"
        return self.file.value(f"{place}/value", number) if self.file.is_group(place) else self.file.value(place)


class Fields(Mapping[str, NDArray[Any]]):
    """Further rows per particle, by name: read when they are asked for."""

    def __init__(self, source: Source, number: int) -> None:
        self.source, self.number = source, number

    def __iter__(self) -> Iterator[str]:
        file = self.source.file
        yield from (name for name in file.names(GROUP) if name not in OWN)
        yield from file.names("/fields")

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in list(self):
            raise KeyError(f"{name}{did_you_mean(name, list(self))}; fields: {', '.join(self) or 'none'}")
        own = f"{GROUP}/{name}" in self.source.file
        return np.asarray(self.source.element(name, self.number) if own else self.source.file.value(f"/fields/{name}"))


class Frame:
    """A configuration; rows are particles by id. `hpcglass.load(frame)` makes a live system of it.

    Attributes
    ----------
    path, number : file, and which of its frames
    gradient : (d, d) velocity gradient of the loading that it belongs to; None elsewhere
    fields : name -> (N, ...) what the stage says of each particle: `velocity`, `critical_mode`, `d2min`, ...
    """

    def __init__(self, source: Source, number: int, gradient: Floats | None = None) -> None:
        self._source, self.path, self.number, self.gradient = source, source.path, number, gradient
        self.fields = Fields(source, number)

    def __repr__(self) -> str:
        return f"Frame({self.path.name!r}, {self.number}: step {self.step}, time {self.time:.6g})"

    @property
    def step(self) -> int:
        """Step of the stage: strain step, time step, sweep."""
        return int(self._source.step[self.number])

    @property
    def time(self) -> float:
        """Time in molecular dynamics, strain in a shear."""
        return float(self._source.time[self.number])

    @property
    def strain(self) -> float:
        """Of a loading.

        Raises
        ------
        InputError
            The stage is none.
        """
        if self.gradient is None:
            raise InputError(f"{self.path}: is of no loading, its frames have no strain")
        return self.time

    @cached_property
    def position(self) -> Floats:
        """(N, d) wrapped into the cell [length]."""
        return np.asarray(self._source.element("position", self.number))

    @cached_property
    def image(self) -> NDArray[np.int32]:
        """(N, d) periods crossed along each edge."""
        return np.asarray(self._source.element("image", self.number))

    @cached_property
    def box(self) -> Floats:
        """(d, d), whose columns are the edge vectors [length]."""
        return np.asarray(self._source.element("box/edges", self.number)).T

    @cached_property
    def diameter(self) -> Floats:
        """(N,) [length]"""
        return np.asarray(self._source.element("diameter", self.number))

    @cached_property
    def species(self) -> NDArray[np.int32]:
        """(N,) from 0."""
        return np.asarray(self._source.element("species", self.number))

    @cached_property
    def walls(self) -> Floats | None:
        """(d + 2,) centre, inner and outer radius of rigid walls; None in a periodic cell."""
        place = "box/walls"
        return np.asarray(self._source.element(place, self.number)) if f"{GROUP}/{place}" in self._source.file else None

    @property
    def dimension(self) -> int:
        return len(self.box)

    @property
    def particles(self) -> int:
        """N."""
        return len(self.position)

    @property
    def volume(self) -> float:
        """Of the cell, or between the walls [length^d]."""
        if self.walls is None:
            return abs(float(np.linalg.det(self.box)))
        from hpcglass.geometries.annulus import volume

        return volume(self.dimension, float(self.walls[-2]), float(self.walls[-1]))

    @property
    def model(self) -> Model:
        """The model glass: potential, mixing rule, sizes."""
        return self._source.model

    def unwrapped(self) -> Floats:
        """(N, d) positions that do not jump where a particle crosses the boundary: position + image . edges."""
        return self.position + self.image @ self.box.T

    def _arrays(self) -> clients.Arrays:
        return clients.Arrays(self.box, self.position, self.diameter, self.species, self.walls is None, dict(self.fields))

    def to_freud(self) -> Any:
        """As a `freud.locality.AABBQuery` of freud's box and points, which freud's functions take for a system.

        Single precision, and turned so that the first edge lies along x, as freud wants it; flat in 2D.

        Raises
        ------
        InputError
            freud is not installed; the glass is between walls.
        """
        return clients.to_freud(self._arrays())

    def to_ase(self) -> Any:
        """As `ase.Atoms` of element X and mass 1, with the arrays `radius`, `type` (from 1) and the fields.

        In 2D z = 0 and the cell, not periodic along z, has the height 1.

        Raises
        ------
        InputError
            ASE is not installed.
        """
        return clients.to_ase(self._arrays())

    def to_ovito(self) -> Any:
        """As an `ovito.data.DataCollection` with radii, types (from 1), identifiers (from 0) and the fields; flat in 2D.

        Raises
        ------
        InputError
            OVITO's Python package is not installed.
        """
        return clients.to_ovito(self._arrays())

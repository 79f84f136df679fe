"""Frames of an elasto-plastic lattice: its fields where the stage kept them, some lines of sites at a time. No MPI is needed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from hpcglass.errors import InputError
from hpcglass.io.formats.common import Configuration
from hpcglass.io.frames import Place, Stored
from hpcglass.sealed.file import File
from hpcglass.sealed.runfiles import refuse_other, segments

GRIDS = "/grids"


class Sites(Stored):
    """A frame is a configuration without positions, in a cell of L x L; its rows are the lines of the lattice, along y."""

    @classmethod
    def found(cls, path: Path) -> Sites | None:
        """The frames of the file of a stage `epm`, or of a segment of its trajectory; None for any other file of ours.

        Raises
        ------
        InputError
            The stage kept no fields.
        """
        with File(path) as file:
            if GRIDS in file:
                return cls(path, _places(file), None, True)
            listed, lattice = segments(file), "/results/sites" in file and "/particles" not in file
        if not lattice:
            return None
        if not listed:
            raise InputError(f"{path}: the lattice kept its fields at no strain: the key fields_at of the stage says where")
        places = []
        for name, seal in listed.items():
            with File(path.parent / name) as file:
                refuse_other(file, seal, path)
                places += _places(file)
        return cls(path, places, None, len(places) > 1)

    @cached_property
    def particles(self) -> int:
        """Lines of sites, L."""
        return self._file(self.places[0].path).rows(f"{GRIDS}/{self.known()[0]}/value")

    def constant(self, name: str) -> bool:
        return False

    def known(self) -> list[str]:
        return self._file(self.places[0].path).names(GRIDS)

    def event_frames(self) -> list[int]:
        raise InputError(f"{self.path}: --events: a lattice keeps its fields at strains (fields_at), not at events")

    def read(self, k: int, names: Sequence[str] = (), rows: tuple[int, int] | None = None,
             before: int | None = None) -> Configuration:
        """Frame k, or some of its lines, with fields."""
        place, some = self.places[k], rows or (0, self.particles)
        file = self._file(place.path)
        values = {name: file.slab(f"{GRIDS}/{name}/value", *some, place.number) for name in names}
        return Configuration(np.empty((some[1] - some[0], 0)), self.particles * np.eye(2), step=place.step, time=place.time,
                             fields=values)


def _places(file: File) -> list[Place]:
    element = f"{GRIDS}/{file.names(GRIDS)[0]}"
    steps, times = (np.atleast_1d(file.value(f"{element}/{what}")).tolist() for what in ("step", "time"))
    return [Place(file.path, number, int(steps[number]), float(times[number])) for number in range(len(steps))]

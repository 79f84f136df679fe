"""A configuration to come back to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpcglass.core.system import System

ROWS = ("reference", "displacement", "image")


class Place:
    """Positions that a stage returns to, to the bit, on any number of ranks: rows that travel with the particles.

    They are in `system.fields`, so that a checkpoint has them. Box and walls are not part of it.

    name : tells several places apart
    """

    def __init__(self, name: str) -> None:
        self.names = {row: f"{row} {name}" for row in ROWS}

    def keep(self, system: System) -> None:
        """Remember where the particles are. Lists are made anew, as they will be on the way back. Collective."""
        self.forget(system)
        system.rebuild()
        for row, name in self.names.items():
            system.fields[name] = getattr(system, row)[: system.n_owned].copy()

    def go_back(self, system: System) -> None:
        """Put the particles there. Collective."""
        for row, name in self.names.items():
            getattr(system, row)[: system.n_owned] = system.fields[name]
        system.rebuild(wrap=False)

    def position(self, system: System) -> NDArray[np.float64]:
        """(n_owned, d) positions there, continued across the periodic boundaries."""
        reference, displacement, image = (system.fields[name] for name in self.names.values())
        return np.asarray(reference + displacement + image @ system.box.T)

    def forget(self, system: System) -> None:
        """Drop the rows."""
        for name in self.names.values():
            system.fields.pop(name, None)

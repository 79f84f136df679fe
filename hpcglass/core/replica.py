"""The whole configuration on every rank: for many small independent pieces of work that all need all of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.system import System

Array = NDArray[Any]


class Replica:
    """A copy of a system on each rank alone, the same everywhere to the bit, whatever the number of ranks.

    Attributes
    ----------
    system : all particles, on COMM_SELF
    """

    def __init__(self, system: System) -> None:
        own = slice(0, system.n_owned)
        names = ("id", "reference", "displacement", "diameter", "species", "image")
        rows = {name: ranks.gathered(system.comm, getattr(system, name)[own]) for name in names}
        order = np.argsort(rows["id"], kind="stable")
        fields = {name: values[order] for name, values in rows.items()}
        fields["position"], fields["position_low"] = fields.pop("reference"), fields.pop("displacement")
        if system.walls is not None:
            fields["walls"] = np.array(system.walls.numbers)
        self._origin = system
        self.system = System(MPI.COMM_SELF, system.model, system.box, fields, system.skin)

    def summed(self, values: Array) -> Array:
        """(n_owned of the system, ...) sums over ranks of what each one found for all particles (N, ...). Collective."""
        everywhere = np.empty_like(values)
        everywhere[self.system.id[: self.system.n_owned]] = values
        total = ranks.total(self._origin.comm, everywhere)
        return np.asarray(total[self._origin.id[: self._origin.n_owned]])

    def taken(self, rows: Array) -> Array:
        """(N, ...) a field of the system, in the replica's order. Collective."""
        order = np.argsort(ranks.gathered(self._origin.comm, self._origin.id[: self._origin.n_owned]), kind="stable")
        by_id = ranks.gathered(self._origin.comm, rows)[order]
        return np.asarray(by_id[self.system.id[: self.system.n_owned]])

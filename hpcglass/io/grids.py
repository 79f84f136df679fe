"""Fields of a lattice in files: /grids/<name>/{value,step,time}, value (frames, L, L), the first axis of a field being y."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from hpcglass.io.contents import Contents
from hpcglass.io.order import Array, by_id

GROUP = "/grids"


@dataclass
class GridFrame:
    """The fields at one strain; `rows` are this rank's lines, in file order."""

    step: int
    time: float
    rows: dict[str, Array]

    @property
    def nbytes(self) -> int:
        return sum(rows.nbytes for rows in self.rows.values())

    @staticmethod
    def put(contents: Contents, comm: MPI.Comm, frames: list[GridFrame]) -> None:
        """Add frames with the same fields to what a file shall hold. Collective."""
        steps, times = np.array([frame.step for frame in frames], dtype=np.int64), np.array([frame.time for frame in frames])
        for name in frames[0].rows:
            contents.per_particle(f"{GROUP}/{name}/value", comm, [frame.rows[name] for frame in frames], "", name)
            contents.value(f"{GROUP}/{name}/step", steps, "", "step of the stage")
            contents.value(f"{GROUP}/{name}/time", times, "", "strain")


def capture(comm: MPI.Comm, step: int, time: float, lines: Array, fields: dict[str, Array]) -> GridFrame:
    """Copy (n, L) arrays, the lines `lines` of fields on a lattice, into file order. Collective."""
    moved = by_id(comm, lines, *[np.asarray(values) for values in fields.values()])
    return GridFrame(step, time, dict(zip(fields, moved, strict=True)))

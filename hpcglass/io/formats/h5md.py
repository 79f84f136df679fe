"""H5MD files for other programs, MDAnalysis first: three columns, and a cell whose first edge lies along x.

    /particles/all/box/edges/{value,step,time}      (frames, 3, 3), rows are the edge vectors, restricted and little tilted
    /particles/all/position/{value,step,time}       (frames, N, 3) in the cell; rotated with the cell
    /particles/all/diameter, species, mass          (N,), or as position where they change
    /particles/all/<field>                          likewise

MDAnalysis turns a cell whose first edge is off x and leaves the positions, and reads cells in 3D only: so both are turned
here, and a flat system is as high as it is wide, with no image within reach. Our own files keep orientation and dimension.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hpcglass import __version__
from hpcglass.io.formats.common import Configuration, cell, in_space, wrapped
from hpcglass.io.formats.plain import Attributes, Plan, Room
from hpcglass.sealed.hashes import Array

GROUP = "/particles/all"


class H5md(Plan):
    """The plan of a file; `constant` are names of rows that do not change."""

    def __init__(self, frames: int, particles: int, constant: frozenset[str] = frozenset()) -> None:
        super().__init__(frames, particles)
        self.constant = constant | {"mass"}
        self.elements: list[str] = []
        self.edges: list[Array] = []

    def rooms(self, first: Configuration) -> dict[Room, Array]:
        c = in_space(first, restrict=True)
        position = wrapped(c.position, c.box, own=c.position is not first.position)
        rows: dict[str, Any] = {"position": position, "mass": np.ones(len(position))}
        rows |= {} if c.diameter is None else {"diameter": c.diameter}
        rows |= {} if c.species is None else {"species": c.species}
        rows |= c.fields
        self.elements = [name for name in rows if name not in self.constant]
        return {Room(f"{GROUP}/{name}" if name in self.constant else f"{GROUP}/{name}/value", name in self.constant): values
                for name, values in rows.items()}

    def note(self, frame: Configuration) -> None:
        super().note(frame)
        box = cell(frame, restrict=True)
        if frame.dimension == 2:
            box[2, 2] = max(box[0, 0], box[1, 1])
        self.edges.append(box.T)

    def rest(self) -> tuple[dict[str, Array], Attributes]:
        values = {f"{GROUP}/id": np.arange(self.particles), f"{GROUP}/box/edges/value": np.stack(self.edges)}
        for element in ("box/edges", *self.elements):
            values[f"{GROUP}/{element}/step"] = np.array(self.steps, dtype=np.int64)
            values[f"{GROUP}/{element}/time"] = np.array(self.times)
        attributes: Attributes = {"/h5md": {"version": np.array([1, 1])}, "/h5md/author": {"name": "unknown"},
                      "/h5md/creator": {"name": "hpcglass", "version": __version__},
                      f"{GROUP}/box": {"dimension": 3, "boundary": np.array([b"periodic"] * 3)}}
        return values, attributes


PLAN = H5md

"""VTKHDF files of lattices: ImageData, a square cell for each site, with time steps (version 2.0 of the format).

    /VTKHDF/CellData/<name>                     (steps, L, L), or (L, L) of one step; the first of the last two axes is y
    /VTKHDF/FieldData/step, time                (steps,); the time is the strain
    /VTKHDF/Steps/Values                        (steps,)
    /VTKHDF/Steps/CellDataOffsets/<name>, ...   where in the datasets above a step begins

Spacing 1 and origin 0: x and y count sites. Values are as in `vtkhdf`.
"""

from __future__ import annotations

import numpy as np

from hpcglass.io.formats.common import Configuration
from hpcglass.io.formats.plain import Attributes, Plan, Room
from hpcglass.io.formats.vtkhdf import ROOT, rising
from hpcglass.sealed.hashes import Array


class Image(Plan):
    """The plan of a file; its rows are lines of sites, as `sites.Sites` reads them."""

    def __init__(self, frames: int, lines: int, constant: frozenset[str] = frozenset()) -> None:
        super().__init__(frames, lines)
        self.names: list[str] = []

    def rooms(self, first: Configuration) -> dict[Room, Array]:
        self.names = list(first.fields)
        return {Room(f"{ROOT}/CellData/{name}", self.frames == 1): values for name, values in first.fields.items()}

    def rest(self) -> tuple[dict[str, Array], Attributes]:
        at, size = np.arange(self.frames, dtype=np.int64), self.particles
        small = {"step": np.array(self.steps, dtype=np.int64), "time": np.array(self.times)}
        steps = {"Values": rising(self.times, self.steps), **{f"CellDataOffsets/{name}": at for name in self.names}}
        for name in small:
            steps |= {f"FieldDataOffsets/{name}": at, f"FieldDataSizes/{name}": np.tile(np.array([1, 1]), (self.frames, 1))}
        values = {f"{ROOT}/FieldData/{name}": rows for name, rows in small.items()}
        values |= {f"{ROOT}/Steps/{name}": rows for name, rows in steps.items()}
        about = {"Version": np.array([2, 0]), "Type": np.bytes_("ImageData"), "WholeExtent": np.array([0, size, 0, size, 0, 0]),
                 "Origin": np.zeros(3), "Spacing": np.ones(3), "Direction": np.eye(3).ravel()}
        return values, {ROOT: about, f"{ROOT}/Steps": {"NSteps": self.frames}}


PLAN = Image

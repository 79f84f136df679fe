"""VTKHDF files, which ParaView and VTK read: points as PolyData, one vertex each, with time steps (version 2.0 of the format).

    /VTKHDF/Points                      (steps * N, 3)
    /VTKHDF/Vertices/...                one vertex per point, the same for all steps
    /VTKHDF/PointData/<name>            (steps * N, ...), or (N, ...) if all steps have the same
    /VTKHDF/FieldData/edges             (steps, 9) rows are the edge vectors; periodic (steps, 3); walls (steps, d + 2)
    /VTKHDF/Steps/Values                (steps,)
    /VTKHDF/Steps/PointOffsets, ...     where in the datasets above a step begins

VTK has no cell and no periodicity of points: both are field data, as are walls. Values are the times (the strain in a
loading), or the steps where times do not increase, as in a cycle: ParaView wants them in order. z = 0 in 2D.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from hpcglass.io.formats.common import Configuration, cell, in_space
from hpcglass.io.formats.plain import Attributes, Plan, Room
from hpcglass.sealed.hashes import Array

WALLS = True
ROOT = "/VTKHDF"
CELLS = ("Vertices", "Lines", "Polygons", "Strips")


class Vtkhdf(Plan):
    """The plan of a file; `constant` are names of rows that do not change."""

    def __init__(self, frames: int, particles: int, constant: frozenset[str] = frozenset()) -> None:
        super().__init__(frames, particles)
        self.constant = constant
        self.data: dict[str, bool] = {}         # whether a name of PointData is constant
        self.cells: dict[str, list[Any]] = {"edges": [], "periodic": [], "walls": []}

    def rooms(self, first: Configuration) -> dict[Room, Array]:
        c = in_space(first)
        rows: dict[str, Any] = {} if c.diameter is None else {"diameter": c.diameter}
        rows |= {} if c.species is None else {"species": (c.species + 1).astype(np.int32)}
        rows |= c.fields
        self.data = {name: name in self.constant for name in rows}
        return {Room(f"{ROOT}/Points", stacked=True): c.position,
                **{Room(f"{ROOT}/PointData/{name}", self.data[name], True): values for name, values in rows.items()}}

    def note(self, frame: Configuration) -> None:
        super().note(frame)
        closed = [False] * 3 if frame.walls else [True, True, frame.dimension == 3]
        self.cells["edges"].append(cell(frame).T.ravel())
        self.cells["periodic"].append(np.array(closed, dtype=np.int32))
        if frame.walls:
            self.cells["walls"].append(np.array(frame.walls))

    def rest(self) -> tuple[dict[str, Array], Attributes]:
        n, zeros = self.particles, np.zeros(self.frames, dtype=np.int64)
        at = np.arange(self.frames, dtype=np.int64)
        small = {name: np.stack(rows) for name, rows in self.cells.items() if rows}
        small |= {"step": np.array(self.steps, dtype=np.int64), "time": np.array(self.times)}
        values = {f"{ROOT}/NumberOfPoints": np.array([n])}
        for kind in CELLS:
            count = n if kind == "Vertices" else 0
            cells = {"NumberOfCells": np.array([count]), "NumberOfConnectivityIds": np.array([count]),
                     "Offsets": np.arange(count + 1), "Connectivity": np.arange(count)}
            values |= {f"{ROOT}/{kind}/{name}": rows for name, rows in cells.items()}
        values |= {f"{ROOT}/FieldData/{name}": rows for name, rows in small.items()}
        steps = {"Values": rising(self.times, self.steps), "NumberOfParts": zeros + 1, "PartOffsets": zeros,
                 "PointOffsets": at * n,
                 "CellOffsets": np.zeros((self.frames, 4), dtype=np.int64),
                 "ConnectivityIdOffsets": np.zeros((self.frames, 4), dtype=np.int64)}
        steps |= {f"PointDataOffsets/{name}": zeros if constant else at * n for name, constant in self.data.items()}
        for name, rows in small.items():
            width = rows.shape[1] if rows.ndim > 1 else 1
            steps |= {f"FieldDataOffsets/{name}": at, f"FieldDataSizes/{name}": np.tile(np.array([width, 1]), (self.frames, 1))}
        values |= {f"{ROOT}/Steps/{name}": rows for name, rows in steps.items()}
        return values, {ROOT: {"Version": np.array([2, 0]), "Type": np.bytes_("PolyData")},
                        f"{ROOT}/Steps": {"NSteps": self.frames}}


def rising(times: list[float], steps: list[int]) -> Array:
    """What ParaView shows as time of each frame: the times, or the steps, if they rise, else the number of the frame."""
    for numbers in (times, steps):
        if all(a < b for a, b in pairwise(numbers)):
            return np.array(numbers, dtype=np.float64)
    return np.arange(len(steps), dtype=np.float64)


PLAN = Vtkhdf

"""Configurations in H5MD 1.1 (P. de Buyl, P. H. Colberg, F. Höfling, Comput. Phys. Commun. 185, 1546 (2014)).

    /particles/all/box/edges/{value,step,time}      value (frames, d, d), rows are the edge vectors
    /particles/all/position/{value,step,time}       value (frames, N, d), wrapped into the cell
    /particles/all/position_low, image, ...         as position
    /particles/all/id, diameter, species            (N,), or as position where they change from frame to frame
    /particles/all/box/walls/{value,step,time}      value (frames, d + 2): centre, r_in, r_out of rigid walls, where there are any

Row i is the particle with global id i. position + position_low is the exact position: a run that starts from
a file starts from the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from mpi4py import MPI

from hpcglass.core.comm import smallest, total
from hpcglass.io.contents import Contents
from hpcglass.io.order import Array, by_id, span
from hpcglass.io.reader import Reader

if TYPE_CHECKING:
    from hpcglass.core.system import System

GROUP = "/particles/all"
DESCRIPTION = {
    "id": ("", "global id"),
    "position": ("length", "position, wrapped into the cell"),
    "position_low": ("length", "what is lost when a position is rounded to one number"),
    "image": ("", "periods crossed along each box vector"),
    "diameter": ("length", "diameter"),
    "species": ("", "species"),
    "velocity": ("length/time", "velocity"),
}
_CONSTANT = ("diameter", "species")     # written once, where all frames agree


@dataclass
class Frame:
    """One configuration; `rows` are this rank's, in file order."""

    step: int
    time: float
    box: Array
    rows: dict[str, Array]
    walls: Array | None = None      # Walls.numbers of `geometries.annulus`

    @property
    def nbytes(self) -> int:
        return sum(rows.nbytes for rows in self.rows.values())

    @staticmethod
    def put(contents: Contents, comm: MPI.Comm, frames: list[Frame]) -> None:
        """Add frames with the same kinds of rows to what a file shall hold. Collective."""
        put(contents, comm, frames)


def capture(system: System, step: int, time: float, exact: bool = True, **fields: Array) -> Frame:
    """Copy the present configuration into file order. Collective.

    exact : keep `position_low` too, so that a run can start from here with the same bits
    """
    rows = {**system.configuration(), **fields}
    ids, walls = rows.pop("id"), rows.pop("walls", None)
    if not exact:
        rows.pop("position_low", None)
    moved = by_id(system.comm, ids, *[np.asarray(values) for values in rows.values()])
    return Frame(step, time, np.array(system.box), dict(zip(rows, moved, strict=True)), walls)


def put(contents: Contents, comm: MPI.Comm, frames: list[Frame], descriptions: dict[str, tuple[str, str]] | None = None) -> None:
    """Add frames with the same kinds of rows to what a file shall hold. Collective."""
    described = {**DESCRIPTION, **(descriptions or {})}
    dimension = len(frames[0].box)
    particles = int(total(comm, len(next(iter(frames[0].rows.values())))))
    contents.attribute(f"{GROUP}/box", dimension=dimension, boundary=["periodic"] * dimension)
    contents.value(f"{GROUP}/box/edges/value", np.stack([frame.box.T for frame in frames]), "length", "edge vectors, one per row")
    _clock(contents, f"{GROUP}/box/edges", frames)
    walls = [frame.walls for frame in frames if frame.walls is not None]
    if walls:
        contents.value(f"{GROUP}/box/walls/value", np.stack(walls), "length", "centre, inner and outer radius of the walls")
        _clock(contents, f"{GROUP}/box/walls", frames)
    contents.per_particle(f"{GROUP}/id", comm, np.arange(*span(comm, particles), dtype=np.int64), *described["id"])
    for name in frames[0].rows:
        blocks = [frame.rows[name] for frame in frames]
        units, long_name = described.get(name, ("", name))
        if name in _CONSTANT and smallest(comm, int(all(np.array_equal(blocks[0], block) for block in blocks))):
            contents.per_particle(f"{GROUP}/{name}", comm, blocks[0], units, long_name)
        else:
            contents.per_particle(f"{GROUP}/{name}/value", comm, blocks, units, long_name)
            _clock(contents, f"{GROUP}/{name}", frames)


def _clock(contents: Contents, element: str, frames: list[Frame]) -> None:
    contents.value(f"{element}/step", np.array([frame.step for frame in frames], dtype=np.int64), "", "step of the stage")
    contents.value(f"{element}/time", np.array([frame.time for frame in frames], dtype=np.float64), "time", "time of the stage")


def read(file: Reader, frame: int = -1) -> tuple[Array, dict[str, Array]]:
    """Box (columns are the box vectors) and this rank's rows of a frame, `id` among them; and `walls`. Collective."""
    box: Array = np.array(file.value(f"{GROUP}/box/edges/value")[frame].T)
    fields: dict[str, Any] = {}
    for name in file.names(GROUP):
        if name != "box":
            path = f"{GROUP}/{name}/value"
            fields[name] = file.rows(path if path in file else f"{GROUP}/{name}", frame)
    if f"{GROUP}/box/walls" in file:
        fields["walls"] = np.array(file.value(f"{GROUP}/box/walls/value")[frame])
    return box, fields

"""HDF5 files for other programs, without hashes and seal, written frame by frame by all ranks.

As in `io.h5`: rank 0 lays out the file with contiguous room for every frame, all ranks write their rows into it by collective
MPI-IO, and what is known at the end only is added by rank 0. What the file holds does not depend on the number of ranks.
"""

from __future__ import annotations

import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from hpcglass import disk
from hpcglass.core.comm import broadcast
from hpcglass.errors import FileError
from hpcglass.io import h5
from hpcglass.io.agree import agree, broadcast_text, together
from hpcglass.io.contents import Contents, Rows
from hpcglass.io.formats.common import Configuration
from hpcglass.sealed.guard import h5py
from hpcglass.sealed.hashes import Array

Attributes = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Room:
    """A dataset with rows of particles.

    name : path in the file
    constant : the rows of the first frame are those of all
    stacked : (frames * N, ...), else (frames, N, ...)
    """

    name: str
    constant: bool = False
    stacked: bool = False

    def shape(self, frames: int, particles: int, row: tuple[int, ...]) -> tuple[int, ...]:
        if self.constant:
            return (particles, *row)
        return (frames * particles, *row) if self.stacked else (frames, particles, *row)


class Plan(ABC):
    """How frames become a file of a format.

    Attributes
    ----------
    frames, particles : numbers of them
    """

    def __init__(self, frames: int, particles: int) -> None:
        self.frames, self.particles = frames, particles
        self.dimension = 0
        self.steps: list[int] = []
        self.times: list[float] = []

    @abstractmethod
    def rooms(self, first: Configuration) -> dict[Room, Array]:
        """What a frame has per particle, its rows here."""

    def note(self, frame: Configuration) -> None:
        """Remember what is small of a frame."""
        self.dimension = frame.dimension
        self.steps.append(frame.step)
        self.times.append(frame.time)

    @abstractmethod
    def rest(self) -> tuple[dict[str, Array], Attributes]:
        """Everything else, when all frames were seen: small datasets, and attributes of groups and datasets."""


def write(comm: MPI.Comm, path: Path, frames: Iterator[Configuration], plan: Plan) -> None:
    """Write frames, of each of which this rank has the rows `order.span(comm, particles)`. Collective; all or nothing.

    `frames` must not communicate: what fails on one rank is raised on all.

    Raises
    ------
    FileError
        The file cannot be written; an old one is as it was.
    """
    temporary = disk.temporary(path, broadcast_text(comm, secrets.token_hex(4)))
    try:
        _write(comm, path, temporary, frames, plan)
    finally:
        if comm.rank == 0:
            temporary.unlink(missing_ok=True)


def _write(comm: MPI.Comm, path: Path, temporary: Path, frames: Iterator[Configuration], plan: Plan) -> None:
    doing = f"{path}: cannot be written"
    with together(comm):
        first = next(frames)
        rooms = plan.rooms(first)
        kinds = {room: (rows.dtype, rows.shape[1:]) for room, rows in rooms.items()}
        del rooms
    offsets = np.empty(0, dtype=np.int64)
    with together(comm, doing):
        if comm.rank == 0:
            offsets = _lay_out(path, temporary, kinds, plan)
            h5.reserve(temporary)
    offsets = broadcast(comm, offsets if comm.rank == 0 else None)
    waiting = [first]
    del first
    for number in range(plan.frames):
        with together(comm):
            frame = waiting.pop() if waiting else next(frames)
            plan.note(frame)
            rooms = plan.rooms(frame)
            _refuse_other(path, rooms, kinds, number)
            del frame
        _put(comm, temporary, rooms, offsets, number, plan.particles, doing)
        del rooms           # before the next frame is read
    with together(comm, doing):
        if comm.rank == 0:
            _complete(temporary, plan)
            disk.sync(temporary)
            os.replace(temporary, path)
            disk.sync(path.parent)


def _refuse_other(path: Path, rooms: dict[Room, Array], kinds: dict[Room, Any], number: int) -> None:
    if {room: (rows.dtype, rows.shape[1:]) for room, rows in rooms.items()} != kinds:
        raise FileError(f"{path}: frame {number} has other columns than the first one: "
                        f"{', '.join(room.name.rpartition('/')[2] for room in rooms)}")


def _put(comm: MPI.Comm, temporary: Path, rooms: dict[Room, Array], offsets: Array, number: int, particles: int,
         doing: str) -> None:
    """One frame. Collective."""
    contents, places = Contents(), []
    for (room, rows), offset in zip(rooms.items(), offsets.tolist(), strict=True):
        if not room.constant or number == 0:
            contents.rows[room.name] = block = Rows([rows], particles, False)
            places.append(offset + number * particles * block.width)
    agree(comm, h5.write_rows(comm, temporary, contents, np.array(places, dtype=np.int64)), doing)


def _lay_out(path: Path, temporary: Path, kinds: dict[Room, tuple[Any, tuple[int, ...]]], plan: Plan) -> Array:
    """Room for the rows; where each begins."""
    shapes = {room: room.shape(plan.frames, plan.particles, row) for room, (_, row) in kinds.items()}
    h5.check_space(path, sum(int(np.prod(shape)) * kinds[room][0].itemsize for room, shape in shapes.items()) + 65536)
    with h5py.File(temporary, "x", libver=("v108", "v108")) as file:
        items = [h5.contiguous(file, room.name, h5py.h5t.py_create(kinds[room][0], logical=True), shape)
                 for room, shape in shapes.items()]
        return np.array([item.id.get_offset() or 0 for item in items], dtype=np.int64)


def _complete(temporary: Path, plan: Plan) -> None:
    """Add all that is small."""
    values, attributes = plan.rest()
    with h5py.File(temporary, "r+", libver=("v108", "v108")) as file:
        for name, value in values.items():
            file.create_dataset(name, data=value, track_times=False)
        for name, named in attributes.items():
            file.require_group(name) if name not in file else None
            for key, value in named.items():
                file[name].attrs[key] = value

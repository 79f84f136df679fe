"""Trajectories as segments: files of some frames each, closed for good once written.

No file stays open, so a killed run cannot damage frames that are there. A checkpoint lists the segments written before it, with
their seals; those written after it belong to a future that will be computed again, and are moved aside.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from hpcglass import disk
from hpcglass.core.comm import largest
from hpcglass.errors import FileError
from hpcglass.io import configuration, h5
from hpcglass.io.agree import together
from hpcglass.io.configuration import Frame
from hpcglass.io.contents import Contents
from hpcglass.io.grids import GridFrame
from hpcglass.io.order import Array
from hpcglass.io.reader import Reader
from hpcglass.sealed.file import File
from hpcglass.sealed.runfiles import refuse_other

MAX_FRAMES = 256
MAX_BYTES = 1 << 26        # of buffered frames, on the fullest rank


class Trajectory:
    """Frames of one stage, `<stem>.traj-0000.h5`, ...

    Parameters
    ----------
    describe : adds provenance to each segment
    segments : name -> seal of the segments that a checkpoint brought back
    """

    def __init__(self, comm: MPI.Comm, directory: Path, stem: str, describe: Callable[[Contents], None],
                 segments: dict[str, str] | None = None) -> None:
        self.comm = comm
        self.directory = directory
        self.stem = stem
        self.describe = describe
        self.segments = dict(segments or {})
        self._frames: list[Any] = []          # of one kind

    def append(self, frame: Frame | GridFrame) -> None:
        """Keep a frame; write a segment when there are enough. Collective."""
        if self._frames and self._frames[0].rows.keys() != frame.rows.keys():
            self.flush()
        self._frames.append(frame)
        fullest = int(largest(self.comm, sum(kept.nbytes for kept in self._frames)))
        if len(self._frames) >= MAX_FRAMES or fullest >= MAX_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write the frames that wait as a segment. Collective."""
        if not self._frames:
            return
        contents = Contents()
        self.describe(contents)
        self._frames[0].put(contents, self.comm, self._frames)
        contents.attribute("/segment", stage=self.stem, number=len(self.segments))
        name = f"{self.stem}.traj-{len(self.segments):04d}.h5"
        self.segments[name] = h5.write(self.comm, self.directory / name, contents)
        self._frames = []

    def to_json(self) -> str:
        return json.dumps(self.segments)


def check_segments(comm: MPI.Comm, directory: Path, segments: dict[str, str]) -> None:
    """Raise FileError unless every listed segment is there, whole and the same. Collective."""
    for name, seal in segments.items():
        with Reader(comm, directory / name) as file:
            if file.seal != seal:
                raise FileError(f"{directory / name}: not the segment that the checkpoint was written with")


def faults_of_segments(directory: Path, segments: dict[str, str], owner: Path) -> list[str]:
    """What is wrong with the segments that a stage's file lists, as far as a look without their data tells (one process)."""
    faults = []
    for name, seal in segments.items():
        try:
            with File(directory / name) as file:
                refuse_other(file, seal, owner)
        except FileError as error:
            faults.append(str(error))
    return faults


def set_aside_surplus(comm: MPI.Comm, directory: Path, stem: str, keep: dict[str, str]) -> list[str]:
    """Rename segments of a stage that are not in `keep`; returns their old names on rank 0. Collective."""
    moved = []
    with together(comm, f"cannot rename segments in {directory}"):
        if comm.rank == 0:
            for path in sorted(directory.glob(f"{stem}.traj-*.h5")):
                if path.name not in keep:
                    set_aside(path, "surplus")
                    moved.append(path.name)
    return moved


def set_aside(path: Path, why: str) -> Path:
    """Rename a file or directory to the first free `<name>.<why>-<n>`; nothing is ever deleted."""
    n = 1
    while os.path.lexists(target := path.with_name(f"{path.name}.{why}-{n}")):
        n += 1
    path.rename(target)
    disk.sync(path.parent)
    return target


def frames_of(directory: Path, stem: str, name: str = "position") -> tuple[Array, Array]:
    """Steps and values (frames, N, ...) of a stage's whole trajectory, read by one process."""
    steps, values = [], []
    for path in sorted(directory.glob(f"{stem}.traj-????.h5")):
        with Reader(MPI.COMM_SELF, path) as file:
            group = f"{configuration.GROUP}/{name}"
            steps.append(file.value(f"{group}/step"))
            values.append(file.value(f"{group}/value"))
    return np.concatenate(steps), np.concatenate(values)

"""Checkpoints: all that a stage in progress needs to go on to the bit.

checkpoint-a.h5 and checkpoint-b.h5 are written in turn. The newer one that is whole is used; a damaged one is reported
and the other one is used; without any the run goes on from the last finished stage.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mpi4py import MPI

from hpcglass.core.comm import offset
from hpcglass.errors import FileError
from hpcglass.io import h5
from hpcglass.io.agree import together
from hpcglass.io.contents import Contents
from hpcglass.io.order import Array, by_id
from hpcglass.io.provenance import HISTORY
from hpcglass.io.reader import Reader
from hpcglass.io.record import Record
from hpcglass.io.trajectory import check_segments, set_aside
from hpcglass.sealed.runfiles import CHECKPOINTS

if TYPE_CHECKING:
    from hpcglass.core.system import System
    from hpcglass.potentials.model import Model

Scalars = dict[str, Any]
Rows = dict[str, Array]
State = tuple[Scalars, Rows]        # the rows are particles, unless said otherwise
NAMES = CHECKPOINTS
END = "/end"        # group in the file of a stage


@dataclass
class Checkpoint:
    """What a checkpoint holds; rows are this rank's, in file order.

    stage, step, number : index of the stage, step in it, and count of checkpoints in this run directory
    system, stage_state : (scalars, rows per particle)
    own_rows : the rows of `stage_state` are not particles
    history : earlier inputs, see `rundir.extend.history`
    resolved : the input it belongs to
    """

    path: Path
    stage: int
    step: int
    number: int
    resolved: str
    system: State
    stage_state: State
    record: Record
    segments: dict[str, str] = field(default_factory=dict)
    own_rows: bool = False
    history: str = ""

    def restore(self, comm: MPI.Comm, model: Model | None) -> tuple[System | None, tuple[Scalars, Rows, Array | None]]:
        """The system, if there is one, and what `stages.base.Snapshot` is made of. Collective."""
        from hpcglass.core.system import System

        scalars, rows = self.system
        system = None if model is None else System.from_state(comm, model, scalars, rows)
        if self.own_rows or system is None:
            lengths = [len(values) for values in self.stage_state[1].values()]
            return system, (*self.stage_state, offset(comm, max(lengths, default=0)) + np.arange(max(lengths, default=0)))
        fields = {name: system.reorder(rows["id"], values) for name, values in self.stage_state[1].items()}
        return system, (self.stage_state[0], fields, None)


def write(comm: MPI.Comm, path: Path, stage: int, step: int, number: int, system: System | None, stage_state: State,
          record: Record, segments: dict[str, str], describe: Callable[[Contents], None], ids: Array | None = None) -> str:
    """Write a checkpoint. Collective.

    stage_state : its rows are in the system's present order, or the rows `ids` of something else
    """
    contents = Contents()
    describe(contents)
    contents.attribute("/checkpoint", stage=stage, step=step, number=number, own_rows=ids is not None)
    contents.value("/checkpoint/segments", json.dumps(segments), "", "trajectory files written so far and their seals")
    _put_states(contents, comm, "", system.state() if system is not None else None, stage_state, ids)
    record.put(contents, comm)
    return h5.write(comm, path, contents)


@dataclass
class End:
    """What a longer run of a stage would go on from.

    system : None without particles
    stage, ids : as `stage_state` and `ids` of `write`
    lengths : rows that each table has in that state
    """

    system: State | None
    stage: State
    ids: Array | None
    lengths: dict[str, int]

    def put(self, contents: Contents, comm: MPI.Comm, step: int) -> None:
        """Add it to a stage's file, as in a checkpoint. Collective."""
        contents.attribute(END, step=step, own_rows=self.ids is not None)
        lengths = {name: rows for name, rows in sorted(self.lengths.items()) if rows}
        contents.value(f"{END}/lengths", json.dumps(lengths), "", "rows of the tables from which a longer run goes on")
        _put_states(contents, comm, f"{END[1:]}/", self.system, self.stage, self.ids)


def _put_states(contents: Contents, comm: MPI.Comm, where: str, system: State | None, stage: State, ids: Array | None) -> None:
    if system is not None:
        scalars, rows = system
        _put_state(contents, comm, f"{where}system", rows["id"], scalars, rows)
        ids = rows["id"] if ids is None else ids
    _put_state(contents, comm, f"{where}stage", ids if ids is not None else np.arange(0), *stage)


def ended(comm: MPI.Comm, path: Path, stage: int) -> Checkpoint | None:
    """The end of a finished stage as a checkpoint; None if its file does not have it. Collective.

    Numbers, fields and rows of the end are left out: they are made again at the new end.
    """
    with Reader(comm, path) as file:
        if f"{END}/lengths" not in file:
            return None
        record, head = Record(), file.attributes(END)
        record.tables = Record.read(file).tables
        record.cut(json.loads(file.value(f"{END}/lengths")))
        record.tables = {name: table for name, table in record.tables.items() if len(table)}
        found = Checkpoint(path, stage, head["step"], 0, file.value("/provenance/resolved_input"),
                           _get_state(file, f"{END[1:]}/system"), _get_state(file, f"{END[1:]}/stage"), record,
                           file.segments(), bool(head["own_rows"]), _history(file))
    check_segments(comm, path.parent, found.segments)
    return found


def _history(file: Reader) -> str:
    return str(file.value(HISTORY)) if HISTORY in file else ""


def _put_state(contents: Contents, comm: MPI.Comm, group: str, ids: Array, scalars: dict[str, Any],
               rows: dict[str, Array]) -> None:
    contents.attribute(f"/{group}/scalars")
    for name, value in scalars.items():
        if not isinstance(value, str) and np.asarray(value).dtype.kind not in "biufc":
            raise TypeError(f"{group}: the scalar {name} is a {type(value).__name__}; "
                            "checkpoints hold numbers, texts and arrays of numbers")
        contents.value(f"/{group}/scalars/{name}", value)
    moved = by_id(comm, ids, *[np.asarray(values) for values in rows.values()])
    contents.attribute(f"/{group}/rows")
    for name, values in zip(rows, moved, strict=True):
        contents.per_particle(f"/{group}/rows/{name}", comm, values)


def _get_state(file: Reader, group: str) -> State:
    return ({name: file.value(f"/{group}/scalars/{name}") for name in file.names(f"/{group}/scalars")},
            {name: file.rows(f"/{group}/rows/{name}") for name in file.names(f"/{group}/rows")})


def read(comm: MPI.Comm, path: Path) -> Checkpoint:
    """Read and check a checkpoint, and the trajectory segments it lists. Collective.

    Raises
    ------
    FileError
        It, or a segment, is damaged or not there.
    """
    with Reader(comm, path) as file:
        if "/checkpoint" not in file:
            raise FileError(f"{path}: not a checkpoint")
        head = file.attributes("/checkpoint")
        found = Checkpoint(
            path, head["stage"], head["step"], head["number"], file.value("/provenance/resolved_input"),
            _get_state(file, "system"), _get_state(file, "stage"), Record.read(file),
            json.loads(file.value("/checkpoint/segments")), bool(head["own_rows"]), _history(file))
    check_segments(comm, path.parent, found.segments)
    return found


def newest(comm: MPI.Comm, directory: Path, stage: int, warn: Callable[[str], None]) -> Checkpoint | None:
    """The newest good checkpoint of a stage, or None; damaged ones are told to `warn`. Collective."""
    best: Checkpoint | None = None
    for name in NAMES:
        there = np.zeros(1, dtype=bool)
        with together(comm, f"cannot look into {directory}"):
            there[0] = comm.rank == 0 and (directory / name).exists()
        comm.Bcast(there)
        if not there[0]:
            continue
        try:
            found = read(comm, directory / name)
        except FileError as error:
            warn(f"warning: {error}; it is not used")
            continue
        if found.stage > stage:
            with together(comm, f"cannot rename {found.path}"):
                if comm.rank == 0:
                    set_aside(found.path, "surplus")
            warn(f"set aside {name}: it is of stage {found.stage}, and stage {stage} has to be done before")
        elif found.stage == stage and (best is None or found.number > best.number):
            best = found
    return best

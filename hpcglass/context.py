"""What the run loop gives to a stage: the working side of `stages.base.Context`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mpi4py import MPI

from hpcglass import settings
from hpcglass.core.comm import largest
from hpcglass.errors import InputError
from hpcglass.io import checkpoint, configuration, grids, h5, provenance
from hpcglass.io.contents import Contents
from hpcglass.io.order import by_id, by_pair
from hpcglass.io.record import Record, Table
from hpcglass.io.trajectory import Trajectory
from hpcglass.rundir import guard, references, signals, timing, watchdog
from hpcglass.rundir.earlier import Earlier
from hpcglass.rundir.log import Log, duration
from hpcglass.rundir.progress import Progress
from hpcglass.stages.base import GivenUp, Snapshot

if TYPE_CHECKING:
    from hpcglass.core.system import System

CHECKPOINT_SECONDS = 600.0      # between two checkpoints,
CHECKPOINT_SHARE = 0.05         # or more, so that writing them takes no larger share of the time
RESERVE_SECONDS = 15.0          # before the end of the job: time to write, with a margin


@dataclass
class Origin:
    """Who writes: what every file of a sample says about where it comes from.

    parents : "name seal" of the files that the system came from
    history : inputs that the stage was made from before it was made longer, see `rundir.extend.history`
    """

    comm: MPI.Comm
    input_text: str
    resolved: str
    seed: int
    sample: int
    parents: list[str] = field(default_factory=list)
    history: str = ""

    def describe(self, contents: Contents) -> None:
        provenance.put(contents, self.comm, self.input_text, self.resolved, self.seed, self.parents, self.sample, self.history)


class StageContext:
    """Context of one stage of one sample (methods: see `stages.base.Context`).

    Parameters
    ----------
    system : the particles, if there are any
    directory, index, name : the stage writes <directory>/<index>-<name>.h5
    seed : key of the stage's random streams
    found : checkpoint to continue from, or None
    before : files of the stages before it, in order
    """

    def __init__(self, system: System | None, origin: Origin, directory: Path, index: int, name: str, seed: int, log: Log,
                 stop: signals.Stop, bar: bool, found: checkpoint.Checkpoint | None, restored: Snapshot | None,
                 before: Sequence[Path] = ()) -> None:
        self._system = system
        self.comm = origin.comm
        self.origin = origin
        self.directory = directory
        self._before = list(before)
        self._opened: list[Earlier] = []
        self.index = index
        self.stem = f"{index:02d}-{name}"
        self.seed = seed
        self.restored = restored
        self.step = found.step if found else 0
        self._first = self.step     # of this start
        self._time = 0.0
        self.record = found.record if found else Record()
        self._lengths = self.record.lengths
        self.timer_table = timing.Timers()
        self.cited: set[str] = set()
        self._end: checkpoint.End | None = None
        self.written: dict[str, str] = {}
        self._log = log
        self._stop = stop
        self._progress = Progress(log, self.stem, bar)
        self._trajectory = Trajectory(self.comm, directory, self.stem, origin.describe, found.segments if found else None)
        self._number = found.number if found else 0
        self._chosen = settings.checkpoint_seconds()
        self._cost = 0.0
        self._saved = self._last = time.monotonic()
        self._longest = 0.0

    @property
    def system(self) -> System:
        """The particles."""
        assert self._system is not None, "a stage without particles has no rows per particle"
        return self._system

    # ------------------------------------------------------------------ what a stage calls

    def table(self, name: str, **columns: tuple[str, str]) -> Table:
        return self.record.table(name, columns)

    def result(self, name: str, value: Any, units: str = "", long_name: str = "") -> None:
        self.record.results[name] = (value, units, long_name)

    def field(self, name: str, values: Any, units: str = "", long_name: str = "", of: System | None = None) -> None:
        self.record.fields[name] = (self._in_file_order(values, of), units, long_name)

    def field_column(self, name: str, column: int, values: Any, units: str = "", long_name: str = "",
                     of: System | None = None) -> None:
        new = self._in_file_order(values, of)
        known = self.record.fields[name][0] if name in self.record.fields else np.empty((len(new), 0))
        wide = np.full((len(new), max(known.shape[1], column + 1)), np.nan)
        wide[:, : known.shape[1]] = known
        wide[:, column] = new
        self.record.fields[name] = (wide, units, long_name)

    def _in_file_order(self, values: Any, of: System | None) -> Any:
        """Rows of the particles of a system, the stage's if none is given, by id."""
        system = of or self.system
        return by_id(self.comm, system.id[: system.n_owned], np.asarray(values))[0]

    def earlier(self, label: str) -> Earlier:
        number = next((k for k, path in enumerate(self._before) if path.stem.partition("-")[2] == label), None)
        if number is None:
            raise InputError(f"{self.stem}: there is no earlier stage {label}")
        model = self._system.model if self._system is not None else None
        self._opened.append(Earlier(self.comm, model, self._before[: number + 1]))
        return self._opened[-1]

    def pairs(self, name: str, ids: Any, **columns: tuple[Any, str, str]) -> None:
        values = [np.asarray(values) for values, _, _ in columns.values()]
        rows = by_pair(self.comm, self.system.n_total, np.asarray(ids, dtype=np.int64), *values)
        described = [("", "ids of the two particles"), *[(units, long_name) for _, units, long_name in columns.values()]]
        for column, array, (units, long_name) in zip(("id", *columns), rows, described, strict=True):
            self.record.pairs[f"{name}/{column}"] = (array, units, long_name)

    def frame(self, step: int, time: float = 0.0, of: System | None = None, **fields: Any) -> None:
        self._trajectory.append(configuration.capture(of or self.system, step, time, exact=False, **fields))

    def reached(self, step: int, time: float) -> None:
        self.step, self._time = step, time

    def end_point(self, snapshot: Snapshot) -> None:
        system = self._system.state() if self._system is not None and snapshot.ids is None else None
        scalars = deepcopy(snapshot.scalars)        # the stage goes on counting
        self._end = checkpoint.End(system, (scalars, snapshot.fields), snapshot.ids, self.record.lengths)

    def grid(self, step: int, time: float, lines: Any, **fields: Any) -> None:
        self._trajectory.append(grids.capture(self.comm, step, time, np.asarray(lines, dtype=np.int64), fields))

    def log(self, message: str) -> None:
        self._log.line(message)

    def timer(self, verb: str) -> AbstractContextManager[None]:
        watchdog.alive(f"{self.stem}: {verb}")
        return self.timer_table(verb)

    def cite(self, *keys: str) -> None:
        references.check(keys)
        self.cited.update(keys)

    def safe_point(self, step: int, total: int, snapshot: Callable[[], Snapshot], note: str = "") -> None:
        self.step = step
        watchdog.alive(f"{self.stem}, step {step}")
        self._progress.update(step, total, note)
        self._lengths = self.record.lengths
        now = self._tick()
        due = self.comm.rank == 0 and now - self._saved >= self._interval
        wishes = np.array([self._stop.asked(self._reserve), due, not guard.looks_finite(self._system)], dtype=np.int64)
        request, due, broken = largest(self.comm, wishes).tolist()
        if broken:
            guard.check_finite(self.system, {}, self._where)
        if request or due:
            self._save(snapshot())
        if request:
            self._stop.obey(request, f"at step {step}{f' of {total}' if total else ''} of {self.stem}")

    def look(self) -> None:
        watchdog.alive(self._where)
        self._tick()
        if largest(self.comm, self._stop.asked(self._reserve)):
            self.record.cut(self._lengths)
            raise GivenUp

    # ------------------------------------------------------------------ what the run loop calls

    def finish(self) -> Path:
        """Write the stage's file, with the final configuration. Collective."""
        self._tick()
        with self.timer("files"):
            self._trajectory.flush()
            contents = Contents()
            self.origin.describe(contents)
            if self._system is not None:
                guard.check_finite(self._system, {}, self._where)
                configuration.put(contents, self.comm, [configuration.capture(self._system, self.step, self._time)])
        self.record.put(contents, self.comm)
        if self._end is not None:
            self._end.put(contents, self.comm, self.step)
        contents.attribute("/stage", index=self.index, name=self.stem[3:], references="\n".join(sorted(self.cited)))
        contents.value("/stage/segments", self._trajectory.to_json(), "", "trajectory files and their seals")
        contents.value("/provenance/warnings", "\n".join(self._log.warnings), "", "warnings since the last start, a line each")
        times = self.timer_table.reduce(self.comm)
        timing.put(contents, times)
        effort = timing.Effort.of(self.comm, times["total"][2], self._rows, self.step - self._first)
        effort.put(contents)
        path = self.directory / f"{self.stem}.h5"
        seal = h5.write(self.comm, path, contents)
        self.origin.parents = [f"{path.name} {seal}"]
        self.written = {path.name: seal, **self._trajectory.segments}
        self.close()
        self._log.line(f"{self.stem}: done; {self._longest:.2g} s at most between two looks at requests to stop\n"
                       f"{timing.report(times)}\n{effort.report(self.comm.size)}",
                       brief=f"{self.stem}: done in {duration(times['total'][2])}")
        return path

    @property
    def _rows(self) -> int:
        """Particles, or sites of a lattice."""
        return self._system.n_total if self._system is not None else int(self.record.results.get("sites", (0,))[0])

    def close(self) -> None:
        """Take the progress bar away, and close files of earlier stages."""
        self._progress.close()
        for earlier in self._opened:
            earlier.close()

    def _tick(self) -> float:
        """Now; keeps the longest time between two looks at requests to stop."""
        now = time.monotonic()
        self._longest, self._last = max(self._longest, now - self._last), now
        return now

    @property
    def _where(self) -> str:
        return f"{self.stem}, step {self.step}"

    @property
    def _reserve(self) -> float:
        """Seconds before the end of the job at which to stop."""
        return RESERVE_SECONDS + 2 * (self._cost + self._longest)

    @property
    def _interval(self) -> float:
        return max(CHECKPOINT_SECONDS, self._cost / CHECKPOINT_SHARE) if self._chosen is None else self._chosen

    def _save(self, snapshot: Snapshot) -> None:
        """Write a checkpoint of a state that is finite."""
        began = time.monotonic()
        with self.timer("files"):
            if self._system is not None:
                guard.check_finite(self._system, snapshot.fields if snapshot.ids is None else {}, self._where)
            self._trajectory.flush()
            self._number += 1
            path = self.directory / checkpoint.NAMES[self._number % 2]
            checkpoint.write(self.comm, path, self.index, self.step, self._number, self._system,
                             (snapshot.scalars, snapshot.fields), self.record, self._trajectory.segments, self.origin.describe,
                             snapshot.ids)
        self._saved = self._last = time.monotonic()
        self._cost = max(self._cost, self._saved - began)
        self._log.line(f"{self.stem}: checkpoint at step {self.step} in {self._saved - began:.2g} s", terminal=False)

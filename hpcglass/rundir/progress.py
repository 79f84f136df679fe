"""Progress on a terminal (a bar) and in job logs (few lines), with the time that is left."""

from __future__ import annotations

import sys
import time
from typing import Any

from hpcglass.rundir.log import Log, duration

STEP = 0.05          # of the stage between two lines, but never
SHORTEST = 1.0       # less than so many seconds between them, nor
LONGEST = 600.0      # more;
MINUTE = 60.0        # the most where nobody knows how long the stage is (total = 0)


class Progress:
    """Progress of one stage; shown by rank 0 only.

    In a job log a line appears for every 5 % of the stage and after ten minutes without one.
    """

    def __init__(self, log: Log, name: str, bar: bool) -> None:
        self._log = log
        self._name = name
        self._first: tuple[int, float] | None = None
        self._line = (0.0, time.monotonic())
        self._bar: Any = None
        if bar and log.terminal and sys.stdout.isatty() and sys.stderr.isatty():      # mpirun makes one of them a terminal
            self._bar = _make_bar()
            self._task = self._bar.add_task(name, total=None, note="")
            self._bar.start()

    def update(self, step: int, total: int, note: str) -> None:
        """Tell where the stage is. Not collective."""
        if not self._log.writes:
            return
        now = time.monotonic()
        if self._first is None:
            self._first = (step, now)
            self._line = (step / total if total else 0.0, self._line[1])
        if self._bar is not None:
            self._bar.update(self._task, completed=step, total=total or None, note=note)
            return
        done = step / max(total, 1) if total else 0.0
        waited = now - self._line[1]
        if waited >= (LONGEST if total else MINUTE) or (waited >= SHORTEST and done - self._line[0] >= STEP):
            self._line = (done, now)
            where = f"{step} of {total} ({100 * done:.0f} %){self._left(step, total, now)}" if total else f"{step}"
            self._log.line(f"{self._name}: {where}{', ' + note if note else ''}")

    def _left(self, step: int, total: int, now: float) -> str:
        assert self._first is not None
        first, began = self._first
        if step <= first:
            return ""
        return f", {duration((now - began) * (total - step) / (step - first))} left"

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _make_bar() -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                    TextColumn("{task.fields[note]}"), transient=True)

"""Says which rank stands still, since when and where: one that hangs lets all others wait without a word. Nothing is killed.

A rank is alive when it comes to a safe point, or begins a part of its work that has a timer. If it has not for long, a thread
tells what Python knows of it; that works while the main thread waits for a message or a file. In a library's call, or in compiled
code, the main thread keeps the interpreter's lock, and no other can run: then a timer of `faulthandler`, which needs no lock,
shows the stack. The outermost function in it bears the name of the rank.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import platform
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType

from hpcglass.errors import InputError
from hpcglass.petsc import undisturbed
from hpcglass.rundir.log import duration

VARIABLE = "HPCGLASS_STALL_SECONDS"
USUAL = 1800.0          # seconds without a sign of life: factorisations of the largest glasses take minutes
PACKAGE = Path(__file__).parents[1]
WAITING = ("core/comm.py", "core/halo.py", "io/agree.py")      # whose functions wait for other ranks

_present: Watchdog | None = None


def alive(where: str) -> None:
    """A sign of life, from stage and part of the work `where`. Not collective; takes a fraction of a microsecond."""
    if _present is not None:
        _present.alive(where)


def limit() -> float:
    """Seconds until a rank is reported; 0 is never.

    Raises
    ------
    InputError
        The environment variable is no number.
    """
    text = os.environ.get(VARIABLE, "")
    try:
        seconds = float(text or USUAL)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise InputError(f"{VARIABLE}={text}: must be a number of seconds, or 0 for never")
    return seconds


class Watchdog:
    """Watches this rank while `run` is at work.

    Parameters
    ----------
    rank, size : this rank, and how many there are
    seconds : without a sign of life until a report; 0 is never
    file : descriptor to write to
    """

    def __init__(self, rank: int, size: int, seconds: float, file: int = 2) -> None:
        self.name = f"rank {rank} of {size} on {platform.node()}"
        self.rank, self.seconds, self.file = rank, seconds, file
        self.where, self.last, self.armed, self.reported = "start-up", time.monotonic(), 0.0, False
        self.main = threading.main_thread().ident
        self.end = threading.Event()
        self.thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def run(self, work: Callable[[], int]) -> int:
        """Do `work` in a function that bears the name of the rank."""
        def frame() -> int:
            return work()

        frame.__code__ = frame.__code__.replace(co_name=self.name, co_qualname=self.name)
        with self:
            return frame()

    def __enter__(self) -> Watchdog:
        global _present
        if self.seconds:
            _present = self
            self.alive(self.where)
            with undisturbed():     # signals are the main thread's
                self.thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        global _present
        _present = None
        self.end.set()
        if self.seconds:
            faulthandler.cancel_dump_traceback_later()

    def alive(self, where: str) -> None:
        """A sign of life."""
        now = time.monotonic()
        still, self.where, self.last = now - self.last, where, now
        if self.reported or still > 1.1 * self.seconds:
            self.reported = False
            self._say(f"{self.name} goes on after {duration(still)}")
        if now - self.armed > 0.05 * self.seconds or not self.armed:
            self.armed = now
            faulthandler.dump_traceback_later(1.15 * self.seconds, file=self.file)     # later than the thread below

    def _watch(self) -> None:
        while not self.end.wait(0.05 * self.seconds):
            still = time.monotonic() - self.last
            if still > self.seconds and not self.reported:
                self.reported = True
                faulthandler.cancel_dump_traceback_later()
                self.armed = 0.0
                self._report(still)

    def _report(self, still: float) -> None:
        """Who waits for others is silent, but for rank 0."""
        frame = sys._current_frames().get(self.main or 0)
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() - still))
        if frame is not None and _waits(frame):
            if self.rank == 0:
                self._say(f"{self.name} has been waiting for other ranks since {since}, for {duration(still)} ({self.where})")
            return
        stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
        self._say(f"{self.name} has given no sign of life since {since}, for {duration(still)} ({self.where}). It may be at "
                  f"work on something that takes long; or it hangs, and the others wait for it:\n{stack}")

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError):      # nobody reads any more
            os.write(self.file, f"hpcglass: {text}\n".encode(errors="replace"))


def _waits(frame: FrameType) -> bool:
    """Whether the innermost function is one that waits for other ranks."""
    path = Path(frame.f_code.co_filename)
    return path.is_relative_to(PACKAGE) and path.relative_to(PACKAGE).as_posix() in WAITING

"""Requests to stop: signals and the end of the job's time.

A handler only sets a flag. `Stop.asked` is local to a rank; the run loop reduces it over the ranks at safe points, so that
all of them stop at the same step whichever rank was told. Groups of an ensemble tell each other by empty messages between
their first ranks.

Light to import, without MPI: the command line listens before it loads anything heavy, so that no signal can kill a start-up.
"""

from __future__ import annotations

import os
import signal
import time
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from hpcglass import launcher
from hpcglass.errors import Interrupted

if TYPE_CHECKING:
    from hpcglass.rundir.leaders import Leaders

from hpcglass import settings

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
TIME_LIMIT = 1000        # a request that is no signal: the job is about to end
OTHER_GROUP = 1001       # nor is this: another group of the ensemble was asked


class Stop:
    """A context manager that listens. One inside another knows what the outer one has heard, and the other way round.

    Parameters
    ----------
    leaders : how the groups of an ensemble tell each other, on the first rank of each
    for_good : nobody comes after this one but the end of the program: a signal that is late does not change its exit code
    """

    def __init__(self, leaders: Leaders | None = None, for_good: bool = False) -> None:
        self._signal = 0
        self._for_good = for_good
        self._leaders = leaders
        self._previous: dict[int, Any] = {}
        self._end = settings.job_end()

    def __enter__(self) -> Stop:
        for number in SIGNALS:
            self._previous[number] = signal.signal(number, self._note)
            around = self._around(number)
            if around and around._signal in SIGNALS:
                self._signal = around._signal
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, signal.SIG_IGN if self._for_good else handler)
            around = self._around(number)
            if around and self._signal == number:
                around._signal = number

    def _around(self, number: int) -> Stop | None:
        around = getattr(self._previous[number], "__self__", None)
        return around if isinstance(around, Stop) else None

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not self._signal and launcher.rank() == 0:       # not by print, which may just be at work
            os.write(2, f"hpcglass: {signal.Signals(number).name}: will stop at the next safe point\n".encode())
        self._signal = number

    def asked(self, reserve: float = 0.0) -> int:
        """Why this rank should stop: a signal's number, TIME_LIMIT, OTHER_GROUP, or 0. Not collective.

        reserve : seconds before the end of the job at which to stop
        """
        if not self._signal and time.time() > self._end - reserve:
            self._signal = TIME_LIMIT
        if self._leaders is not None and not self._signal and self._leaders.asked():
            self._signal = OTHER_GROUP
        return self._signal

    def obey(self, request: int, where: str) -> NoReturn:
        """Stop because somebody asked; everything is saved.

        Raises
        ------
        Interrupted
            On all ranks of a group alike; the other groups are told.
        """
        if self._leaders is not None:
            self._leaders.tell()
        raise Interrupted(f"stopped {where} by {explain(request)}; run the same command again to continue")


def explain(request: int) -> str:
    """What asked for the stop, in words."""
    if request == TIME_LIMIT:
        return "the end of the job's time (SLURM_JOB_END_TIME)"
    if request == OTHER_GROUP:
        return "a request to another sample"
    return signal.Signals(request).name

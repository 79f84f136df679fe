"""Requests to stop: signals and the end of the job's time.

A handler only sets a flag. `Stop.asked` is local to a rank; the run loop reduces it over the ranks at safe points, so that
all of them stop at the same step whichever rank was told. Groups of an ensemble tell each other by empty messages between
their first ranks.
"""

from __future__ import annotations

import os
import signal
import time
from types import FrameType, TracebackType
from typing import Any

import numpy as np
from mpi4py import MPI

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
TIME_LIMIT = 1000        # a request that is no signal: the job is about to end
OTHER_GROUP = 1001       # nor is this: another group of the ensemble was asked
_TAG = 75


class Stop:
    """A context manager that listens.

    Parameters
    ----------
    leaders : communicator of the first ranks of all groups of an ensemble (on those ranks), else None
    """

    def __init__(self, leaders: MPI.Comm | None = None) -> None:
        self._signal = 0
        self._leaders = leaders
        self._told = False
        self._previous: dict[int, Any] = {}
        end = os.environ.get("SLURM_JOB_END_TIME", "")
        self._end = float(end) if end.isdigit() else float("inf")

    def __enter__(self) -> Stop:
        for number in SIGNALS:
            self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
            around = getattr(handler, "__self__", None)     # of a Stop around this one, which shall know as well
            if isinstance(around, Stop) and self._signal == number:
                around._note(number, None)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signal = number

    def asked(self, reserve: float = 0.0) -> int:
        """Why this rank should stop: a signal's number, TIME_LIMIT, OTHER_GROUP, or 0. Not collective.

        reserve : seconds before the end of the job at which to stop
        """
        if not self._signal and time.time() > self._end - reserve:
            self._signal = TIME_LIMIT
        if self._leaders is not None and not self._signal and self._leaders.Iprobe(MPI.ANY_SOURCE, _TAG):
            self._signal = OTHER_GROUP
        return self._signal

    def tell_others(self) -> None:
        """Let the other groups know; once."""
        if self._leaders is None or self._told:
            return
        self._told = True
        empty = np.empty(0, dtype=np.uint8)
        for rank in range(self._leaders.size):
            if rank != self._leaders.rank:
                self._leaders.Isend([empty, MPI.BYTE], rank, _TAG).Free()

    def clear_messages(self) -> None:
        """Receive what nobody waited for. Collective over the leaders."""
        if self._leaders is None:
            return
        self._leaders.Barrier()
        empty = np.empty(0, dtype=np.uint8)
        while self._leaders.Iprobe(MPI.ANY_SOURCE, _TAG):
            self._leaders.Recv([empty, MPI.BYTE], MPI.ANY_SOURCE, _TAG)
        self._leaders.Barrier()


def explain(request: int) -> str:
    """What asked for the stop, in words."""
    if request == TIME_LIMIT:
        return "the end of the job's time (SLURM_JOB_END_TIME)"
    if request == OTHER_GROUP:
        return "a request to another sample"
    return signal.Signals(request).name

"""Where the time goes: seconds per verb, on every rank."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from resource import RUSAGE_SELF, getrusage

import numpy as np
from mpi4py import MPI

from hpcglass.core.comm import largest, smallest, total
from hpcglass.io.contents import Contents


class Timers:
    """Seconds and calls per verb. Verbs are the same on all ranks."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self.seconds: dict[str, float] = {}
        self.calls: dict[str, int] = {}

    @contextmanager
    def __call__(self, verb: str) -> Iterator[None]:
        """Add the time spent in the block to a verb."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[verb] = self.seconds.get(verb, 0.0) + time.perf_counter() - began
            self.calls[verb] = self.calls.get(verb, 0) + 1

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self._began

    def reduce(self, comm: MPI.Comm) -> dict[str, tuple[float, float, float, int]]:
        """Least, mean and most seconds over the ranks, and calls, per verb and for the `total`. Collective."""
        verbs = sorted(self.seconds, key=lambda verb: (-self.calls[verb], verb))
        seconds = np.array([*(self.seconds[verb] for verb in verbs), self.elapsed])
        least, mean, most = smallest(comm, seconds), total(comm, seconds) / comm.size, largest(comm, seconds)
        calls = [*(self.calls[verb] for verb in verbs), 1]
        rows = zip([*verbs, "total"], zip(least.tolist(), mean.tolist(), most.tolist(), calls, strict=True), strict=True)
        return dict(rows)


def put(contents: Contents, timing: dict[str, tuple[float, float, float, int]]) -> None:
    """Add /timing/<verb>: seconds of the current start, least, mean and most over the ranks."""
    for verb, (least, mean, most, calls) in timing.items():
        path = f"/timing/{verb.replace('/', ' ')}"
        contents.value(path, np.array([least, mean, most]), "s", f"time in {verb}: least, mean, most over the ranks")
        contents.attribute(path, calls=calls)


@dataclass(frozen=True)
class Effort:
    """What a stage took on all ranks since the last start.

    memory : largest resident size of a process since it began, least, mean and most over the ranks [bytes]
    core_hours : time of all ranks, waiting included
    speed : particles (or sites) times steps per second
    """

    memory: tuple[float, float, float]
    core_hours: float
    speed: float

    @classmethod
    def of(cls, comm: MPI.Comm, seconds: float, rows: int, steps: int) -> Effort:
        """Of `steps` steps of `rows` particles. Collective."""
        peak = getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024.0)
        memory = (smallest(comm, peak), total(comm, peak) / comm.size, largest(comm, peak))
        return cls(memory, seconds * comm.size / 3600, rows * steps / max(seconds, 1e-9))

    def put(self, contents: Contents) -> None:
        """Add it to /timing."""
        contents.attribute("/timing", memory_peak=np.array(self.memory), core_hours=self.core_hours,
                           particle_steps_per_second=self.speed)

    def report(self, ranks: int) -> str:
        """A line under the table."""
        most, whole = self.memory[2] / 1e9, self.memory[1] * ranks / 1e9
        memory = f"memory peak {whole:.2f} GB" + (f", {most:.2f} GB on the fullest of {ranks} ranks" if ranks > 1 else "")
        speed = f"; {self.speed:.3g} particles x steps per second" if self.speed else ""
        return f"{memory}; {self.core_hours:.3g} core-hours{speed}"


def report(timing: dict[str, tuple[float, float, float, int]]) -> str:
    """The table at the end of a stage."""
    whole = max(timing["total"][2], 1e-9)
    lines = [f"{'':24}{'calls':>9}{'least':>11}{'mean':>11}{'most':>11}{'share':>8}"]
    for verb, (least, mean, most, calls) in timing.items():
        lines.append(f"{verb:24}{calls:9d}{least:9.3f} s{mean:9.3f} s{most:9.3f} s{100 * mean / whole:6.1f} %")
    return "\n".join(lines)

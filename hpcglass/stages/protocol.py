"""The strains that a loading visits: legs from one turning point to the next, each in equal steps or in halves of them.

A step is counted in units of 2^-m of the whole one, so that halving and growing back are exact, and every whole step is met.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, inf, log2
from typing import Any, Protocol


@dataclass(frozen=True)
class Leg:
    """From `start` in so many steps of size `step` (signed)."""

    start: float
    step: float
    steps: int


def whole_steps(max_strain: float, strain_step: float, turning_points: list[float], cycles: int) -> float:
    """About how many steps `legs` makes; infinity for steps that are nothing beside the strain."""
    points = [0.0, *(turning_points or [max_strain, -max_strain, 0.0] * cycles or [max_strain])]
    covered = sum(abs(b - a) for a, b in pairwise(points))
    try:
        return covered / abs(strain_step)
    except (OverflowError, ZeroDivisionError):
        return inf


class Loading(Protocol):
    """Keys of a stage that loads."""

    max_strain: float
    turning_points: list[float]
    cycles: int


def no_longer(new: Loading, old: Loading) -> str:
    """Why a loading cannot go on to another one; empty if it can."""
    if old.turning_points:
        return "a loading through turning points ends at the last of them"
    if (old.cycles > 0) != (new.cycles > 0) or (new.cycles and new.max_strain != old.max_strain):
        return "cycles are continued by more cycles of the same amplitude, and a loading one way by a larger max_strain"
    if (new.cycles, new.max_strain) < (old.cycles, old.max_strain):
        return "the loading that was made is longer"
    return ""


def legs(max_strain: float, strain_step: float, turning_points: list[float], cycles: int) -> list[Leg]:
    """The way through the turning points, or so many cycles 0, A, -A, 0 with A = max_strain, or straight to max_strain.

    The first direction is that of `strain_step`, except with turning points. A straight loading has steps of just this size,
    other legs end at the strain that was asked for.
    """
    size = abs(strain_step)
    if not turning_points and not cycles:
        return [Leg(0.0, strain_step, max(1, round(max_strain / size)))]
    first = max_strain if strain_step > 0 else -max_strain
    path, start = [], 0.0
    for end in turning_points or [first, -first, 0.0] * cycles:
        steps = max(1, round(abs(end - start) / size))
        path.append(Leg(start, (end - start) / steps, steps))
        start = end
    return path


class Walk:
    """Where a loading is on its legs, and how long its next step is.

    Parameters
    ----------
    smallest : steps are not halved below this strain; None: never halved
    scalars : of an interrupted run
    """

    def __init__(self, path: list[Leg], smallest: float | None = None, scalars: dict[str, Any] | None = None) -> None:
        self.path = path
        longest = max(abs(leg.step) for leg in path)
        self.units = 2 ** max(0, ceil(log2(longest / smallest))) if smallest else 1     # in a whole step
        self.leg = int(scalars["walk leg"]) if scalars else 0
        self.place = int(scalars["walk place"]) if scalars else 0           # in units, on this leg
        self.stride = int(scalars["walk stride"]) if scalars else self.units
        self.last_stride = self.units       # at the end of the last leg
        self.total = sum(leg.steps for leg in path)
        self._end()

    @property
    def scalars(self) -> dict[str, Any]:
        """Numbers that `__init__` takes to go on."""
        if self.done:               # as if the last leg were longer, or another one came after it
            return {"walk leg": self.leg - 1, "walk place": self.path[-1].steps * self.units, "walk stride": self.last_stride}
        return {"walk leg": self.leg, "walk place": self.place, "walk stride": self.stride}

    @property
    def done(self) -> bool:
        return self.leg == len(self.path)

    @property
    def strain(self) -> float:
        """Where we are."""
        if self.done:
            last = self.path[-1]
            return last.start + last.steps * last.step
        leg = self.path[self.leg]
        return leg.start + self.place * leg.step / self.units

    @property
    def step(self) -> float:
        """The next one, signed."""
        return self.stride * self.path[self.leg].step / self.units

    @property
    def ahead(self) -> float:
        """The strain at which the next step ends."""
        leg = self.path[self.leg]
        return leg.start + (self.place + self.stride) * leg.step / self.units

    @property
    def whole_steps(self) -> int:
        """Whole steps done on all legs."""
        return sum(leg.steps for leg in self.path[: self.leg]) + self.place // self.units

    @property
    def between(self) -> bool:
        """Whether we are within a whole step."""
        return self.place % self.units != 0

    def halve(self) -> bool:
        """Shorter steps from here; False if they are as short as they may be."""
        if self.stride == 1:
            return False
        self.stride //= 2
        return True

    def advance(self) -> None:
        """The step was made: the next one is twice as long where that ends on the grid of longer ones."""
        self.place += self.stride
        if self.stride < self.units and self.place % (2 * self.stride) == 0:
            self.stride *= 2
        self._end()

    def _end(self) -> None:
        """A leg may be over."""
        if not self.done and self.place == self.path[self.leg].steps * self.units:
            self.last_stride = self.stride
            self.leg, self.place, self.stride = self.leg + 1, 0, self.units

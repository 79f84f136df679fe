"""The frames of a stage, over all its segments, as one sequence; and the events of a loading with the frames around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.frames.frame import Floats, Frame, Source
from hpcglass.analysis.structure.nonaffine import d2min
from hpcglass.analysis.tables import Table
from hpcglass.errors import InputError


class Frames(Sequence[Frame]):
    """Frames of a trajectory: `len(frames)`, `frames[-1]`, `frames[::10]`, `for frame in frames`, `frames.at(step=120)`.

    Segments are opened when they are needed; those that were taken away are missed then, and said to be.

    Parameters
    ----------
    sources : segments, in order
    gradient : (d, d) velocity gradient, of a loading
    chosen : (segment, number of the frame in it) of each frame, if they are not all
    """

    def __init__(self, sources: Sequence[Source], gradient: Floats | None = None,
                 chosen: Sequence[tuple[int, int]] | None = None) -> None:
        self._sources, self._gradient, self._chosen = list(sources), gradient, chosen

    @property
    def _places(self) -> Sequence[tuple[int, int]]:
        if self._chosen is None:
            self._chosen = [(k, number) for k, source in enumerate(self._sources) for number in range(len(source.step))]
        return self._chosen

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Frame: ...

    @overload
    def __getitem__(self, index: slice) -> Frames: ...

    def __getitem__(self, index: int | slice) -> Frame | Frames:
        if isinstance(index, slice):
            return Frames(self._sources, self._gradient, self._places[index])
        try:
            segment, number = self._places[index]
        except IndexError:
            raise IndexError(f"there is no frame {index}: there are {len(self)}") from None
        return Frame(self._sources[segment], number, self._gradient)

    def __iter__(self) -> Iterator[Frame]:
        return (self[k] for k in range(len(self)))

    def __repr__(self) -> str:
        return f"Frames({len(self)} in {len(self._sources)} segment{'s' * (len(self._sources) != 1)})"

    @property
    def step(self) -> NDArray[np.int64]:
        """(frames,) steps of the stage."""
        return np.array([self._sources[k].step[number] for k, number in self._places], dtype=np.int64)

    @property
    def time(self) -> Floats:
        """(frames,) times, or strains of a shear."""
        return np.array([self._sources[k].time[number] for k, number in self._places], dtype=np.float64)

    @property
    def strain(self) -> Floats:
        """(frames,) of a loading.

        Raises
        ------
        InputError
            The stage is none.
        """
        if self._gradient is None:
            raise InputError("these frames are of no loading, they have no strain; see .time")
        return self.time

    def at(self, step: int) -> Frame:
        """The frame of a step.

        Raises
        ------
        InputError
            That configuration was not kept.
        """
        found = np.flatnonzero(self.step == step)
        if not found.size:
            raise InputError(f"the configuration of step {step} was not kept; there are frames of {len(self)} steps, see .step")
        return self[int(found[-1])]


class Event:
    """A plastic event of a loading.

    Attributes
    ----------
    row : its row of the table `events`
    """

    def __init__(self, frames: Frames, row: dict[str, float], path: Path) -> None:
        self._frames, self.row, self._path = frames, row, path

    def __repr__(self) -> str:
        return f"Event(step {self.step}, strain {self.strain:.6g})"

    @property
    def step(self) -> int:
        """Strain step at the end of which it is over."""
        return int(self.row["step"])

    @property
    def strain(self) -> float:
        """At the end of that step."""
        return float(self.row["strain"])

    @property
    def before(self) -> Frame:
        """The minimum before.

        Raises
        ------
        InputError
            It was not kept.
        """
        return self._at(self.step - 1)

    @property
    def after(self) -> Frame:
        """The minimum after; raises as `before`."""
        return self._at(self.step)

    @property
    def d2min(self) -> Floats:
        """(N,) D^2_min between the two, over particles that interact after [length^2]."""
        return d2min(self.before, self.after)

    @property
    def mode(self) -> NDArray[Any]:
        """(N, d) critical mode, of norm 1; zeros if the instability was not found.

        Raises
        ------
        InputError
            It was not looked for.
        """
        if "critical_mode" not in self.after.fields:
            raise InputError(f"{self._path}: events have no critical mode; it needs `locate = true` in the stage")
        return self.after.fields["critical_mode"]

    def _at(self, step: int) -> Frame:
        try:
            return self._frames.at(step)
        except InputError as error:
            raise InputError(f"{self._path}: event at step {self.step}: {error}; it needs `event_frames = true`") from None


def events(frames: Frames, table: Table, path: Path) -> list[Event]:
    """All events of a loading."""
    return [Event(frames, {name: float(values[k]) for name, values in table.items()}, path) for k in range(table.rows)]

"""Frames of a file, read one at a time: the final configuration of a stage, its trajectory, or what another program wrote.

Nothing is read before it is asked for, and of our files no more rows than are asked for: a rank may take its own (`order.span`).
No MPI is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from hpcglass.errors import FileError, InputError
from hpcglass.geometries.periodic import same_edges
from hpcglass.io.convert import COMPRESSED, ENDINGS, choose_frame, frames, open_any, read_any
from hpcglass.io.formats.common import Configuration, blocks
from hpcglass.sealed.file import File
from hpcglass.sealed.hashes import Array
from hpcglass.sealed.runfiles import refuse_exchanged, refuse_other, segments
from hpcglass.sealed.seal import is_ours

T = TypeVar("T")
GROUP = "/particles/all"
OTHERS = {"box", "position", "position_low", "image", "id", "diameter", "species"}      # members of the group that are no fields
ALIASES = {"mode": "critical_mode"}
# (positions before and now (N, d), unwrapped; cells before and now; diameter, species; first and past-the-end row) -> (rows, ...)
Compute = Callable[[Array, Array, Array, Array, Array, Array, tuple[int, int]], Array]


@dataclass(frozen=True)
class Between:
    """What can be computed from two frames.

    of_all : it is given all particles, of which some rows are wanted; else those rows only
    vector : of d numbers; else of one
    """

    compute: Compute
    of_all: bool = True
    vector: bool = False


@dataclass(frozen=True)
class Place:
    """Where a frame is: the file, and its number in it."""

    path: Path
    number: int
    step: int
    time: float


@dataclass
class Stored:
    """Frames of files of ours.

    Attributes
    ----------
    path : as the user gave it: a stage's file, or a segment of a trajectory
    places : of the frames, in order
    stage : file of the stage that wrote them, which has /fields and the table of events; None if it is not there
    more : whether the file has, or lists, several frames
    between : what can be computed from two frames, by name
    verified : every byte of the files is known to be right
    """

    path: Path
    places: list[Place]
    stage: Path | None
    more: bool
    between: dict[str, Between] = field(default_factory=dict)
    verified: bool = False
    said: tuple[str, ...] = ()      # species of ours are numbers, there is nothing to say

    def __post_init__(self) -> None:
        self._files: dict[Path, File] = {}

    @classmethod
    def of(cls, path: Path, whole: bool) -> Stored:
        """The frames of a file of ours.

        whole : of a stage's file its trajectory is meant, where it has one, not its final configuration
        """
        with File(path) as file:
            refuse_exchanged(file)
            trajectory = segments(file)
            listed = trajectory if whole else {}
            own = file.attributes("/segment")["stage"] if "/segment" in file else ""
            seal = file.name
            if GROUP not in file:
                raise FileError(f"{path}: has no configuration (no group {GROUP}); is it a stage file?")
            places = _places(file) if not listed else []
        for name, known in listed.items():
            with File(path.parent / name) as file:
                refuse_other(file, known, path)
                places += _places(file)
        stage = path.with_name(f"{own}.h5") if own else path
        if own and stage.is_file():
            with File(stage) as file:
                if segments(file).get(path.name) != seal:
                    raise FileError(f"{path}: whole, but not the file that {stage.name} was written with")
        return cls(path, places, stage if stage.is_file() else None, len(places) > 1 or bool(trajectory))

    def __len__(self) -> int:
        return len(self.places)

    @property
    def steps(self) -> list[int]:
        return [place.step for place in self.places]

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _file(self, path: Path) -> File:
        """An open file, every byte of it verified; one trajectory file at a time, and that of the stage."""
        if path not in self._files:
            for other in set(self._files) - {self.stage}:
                self._files.pop(other).close()
            self._files[path] = File(path)
            if not self.verified:
                self._files[path].verify()
        return self._files[path]

    # ------------------------------------------------------------------ what there is

    @cached_property
    def particles(self) -> int:
        file = self._file(self.places[0].path)
        return file.rows(f"{GROUP}/position/value")

    @property
    def paths(self) -> list[Path]:
        """All files that frames and fields are in."""
        return list(dict.fromkeys([*(place.path for place in self.places), *([self.stage] if self.stage else [])]))

    @property
    def input(self) -> str:
        """The resolved input of the run."""
        return str(self._file(self.places[0].path).value("/provenance/resolved_input"))

    def constant(self, name: str) -> bool:
        """Whether a field, or the diameters or species, are the same in all frames."""
        if name in ("diameter", "species"):
            item = f"{GROUP}/{name}"
            hashes = set(self._each(lambda file: "" if file.is_group(item) or item not in file else file.hash(item)))
            return len(hashes) == 1 and "" not in hashes
        return name not in self.between and name not in self._of_frames

    def known(self) -> list[str]:
        """Names of fields."""
        return sorted({*self._of_frames, *self._of_stage(), *(self.between if len(self) > 1 else ())})

    @cached_property
    def _of_frames(self) -> dict[str, tuple[int, ...]]:
        """Fields of frames, and the shape of a row of each."""
        return {name: shape for found in self._each(_fields) for name, shape in found.items()}

    def _each(self, question: Callable[[File], T]) -> list[T]:
        """What each file with frames says."""
        answers = []
        for path in dict.fromkeys(place.path for place in self.places):
            file = self._files.get(path) or File(path)
            answers.append(question(file))
            if path not in self._files:
                file.close()
        return answers

    def _of_stage(self) -> list[str]:
        return self._file(self.stage).names("/fields") if self.stage else []

    def event_frames(self) -> list[int]:
        """Numbers of the frames before and after each plastic event.

        Raises
        ------
        InputError
            There is no table of events, or no frame of any.
        """
        file = self._file(self.stage) if self.stage else None
        if file is None or "/results/events/step" not in file:
            raise InputError(f"{self.path}: --events: there is no table of events "
                             f"{'in the file of the stage' if self.stage else 'beside it (the file of the stage is missing)'}")
        steps = {int(step) for step in np.atleast_1d(file.value("/results/events/step"))}
        found = [k for k, place in enumerate(self.places) if place.step in steps or place.step + 1 in steps]
        if not found:
            raise InputError(f"{self.path}: --events: none of its {len(self)} frames belongs to one of the {len(steps)} events; "
                             "the key event_frames of the stage keeps them")
        return found

    # ------------------------------------------------------------------ frames

    def read(self, k: int, names: Sequence[str] = (), rows: tuple[int, int] | None = None,
             before: int | None = None) -> Configuration:
        """Frame k, or some of its rows, with fields; those between two frames are to frame `before`, 0 if there is none."""
        place = self.places[k]
        file = self._file(place.path)
        some = rows or (0, self.particles)
        # what lies between two frames needs all particles: they are read once
        all_of_them = before is not None and any(self.is_between(name) and self.between[name].of_all for name in names)
        first, last = (0, self.particles) if all_of_them else some
        box = self.box(k)
        walls = tuple(file.value(f"{GROUP}/box/walls/value", place.number).tolist()) if f"{GROUP}/box/walls" in file else None
        rows_of = {name: self._rows(place, name, first, last) for name in ("position", "diameter", "species")}
        found = Configuration(box=box, walls=walls, step=place.step, time=place.time, **rows_of)
        del rows_of
        found.fields = {name: self._field(found, k, name, (first, last), some, before) for name in names}
        part = slice(some[0] - first, some[1] - first)
        for name in ("position", "diameter", "species"):
            values = getattr(found, name)
            setattr(found, name, None if values is None else values[part])
        return found

    def is_between(self, name: str) -> bool:
        """Whether a field is computed from two frames."""
        return name in self.between and name not in self._of_frames and len(self) > 1

    def box(self, k: int) -> Array:
        """The cell of frame k, columns are the edge vectors."""
        place = self.places[k]
        file = self._files.get(place.path) or self._file(place.path)
        return np.array(file.value(f"{GROUP}/box/edges/value", place.number).T)

    def _rows(self, place: Place, name: str, first: int, last: int) -> Any:
        file, item = self._file(place.path), f"{GROUP}/{name}"
        if item not in file:
            return None
        changes = file.is_group(item)
        return file.slab(f"{item}/value" if changes else item, first, last, place.number if changes else -1)

    def _field(self, frame: Configuration, k: int, name: str, read: tuple[int, int], rows: tuple[int, int],
               before: int | None) -> Array:
        """Some rows of a field; `frame` has the rows `read`."""
        place, count = self.places[k], rows[1] - rows[0]
        if name in self._of_frames:
            found = self._rows(place, name, *rows)
            return np.full((count, *self._of_frames[name]), np.nan) if found is None else found
        if self.is_between(name):
            if before is None:
                return np.zeros((count, frame.dimension) if self.between[name].vector else count)
            found = self._between(frame, name, before, k, read, rows)
            return found if len(found) == count else found[rows[0] - read[0]: rows[1] - read[0]]
        assert self.stage is not None
        return self._file(self.stage).slab(f"/fields/{name}", *rows)

    def _between(self, frame: Configuration, name: str, before: int, k: int, read: tuple[int, int],
                 rows: tuple[int, int]) -> Array:
        """Positions now as they are stored, and before taken back by the periods that each particle has crossed by now."""
        place = self.places[k]
        then, box_then = self.unwrapped(before, read)
        for number in range(before, k):      # edges that may be replaced at every step, and change little in each
            box_then = box_then @ same_edges(self.box(number), self.box(number + 1))
        subtract_periods(then, self._rows(place, "image", *read), box_then)
        assert frame.diameter is not None and frame.species is not None
        return self.between[name].compute(then, frame.position, box_then, frame.box, frame.diameter, frame.species, rows)

    def unwrapped(self, k: int, rows: tuple[int, int] | None = None) -> tuple[Array, Array]:
        """Positions of all particles, or some rows, along their way (N, d), and the cell with the edge vectors as columns."""
        place = self.places[k]
        file = self._file(place.path)
        box, some = self.box(k), rows or (0, file.rows(f"{GROUP}/position/value"))
        position = self._rows(place, "position", *some)
        image = self._rows(place, "image", *some)
        if image is not None:
            subtract_periods(position, -image, box)
        return position, box


@dataclass
class Foreign:
    """Frames of a file of another program; each is read whole.

    said : what a user should know about the last one: notes of its reader, and which species got which number
    """

    path: Path
    steps: list[int]
    said: list[str] = field(default_factory=list)
    opened: Any = None

    def __len__(self) -> int:
        return max(len(self.steps), 1)

    def close(self) -> None:
        if hasattr(self.opened, "close"):
            self.opened.close()

    def read(self, k: int, names: Sequence[str] = (), rows: tuple[int, int] | None = None,
             before: int | None = None) -> Configuration:
        """Frame k, or some of its rows."""
        c = read_any(self.path, frame=k if self.steps else None, opened=self.opened)
        c.step = self.steps[k] if self.steps else c.step
        told = len(c.names) > 1 and list(c.names) != [str(number) for number in range(1, len(c.names) + 1)]
        names = ", ".join(f"{name} is {number}" for number, name in enumerate(c.names, 1))
        self.said = [*c.notes, *([f"species: {names}"] if told else [])]
        if rows is not None:
            if len(c.position) != self.particles:
                raise FileError(f"{self.path}: frame {k} has {len(c.position)} particles, the first one {self.particles}: this "
                                "format wants as many in all; extended XYZ, dumps and GSD do not")
            part = slice(*rows)
            c.position = c.position[part]
            c.diameter = None if c.diameter is None else c.diameter[part]
            c.species = None if c.species is None else c.species[part]
        return c

    @property
    def more(self) -> bool:
        return len(self.steps) > 1

    @cached_property
    def particles(self) -> int:
        return len(self.read(0).position)

    def constant(self, name: str) -> bool:
        return False

    def known(self) -> list[str]:
        return []

    def event_frames(self) -> list[int]:
        raise InputError(f"{self.path}: --events: is of another program, and has no table of events")


def subtract_periods(position: Array, periods: Array, box: Array) -> None:
    """x -= h n in place, without another copy of all."""
    for some in blocks(len(position)):
        position[some] -= periods[some] @ box.T


def of_file(path: Path, whole: bool = False) -> Stored | Foreign:
    """The frames of a file.

    whole : of the file of a stage its trajectory is meant, where it has one, not its final configuration

    Raises
    ------
    InputError, FileError
        As `convert.read_any`.
    """
    if ENDINGS.get(path.suffix.lower()) == "h5md" and path.suffix.lower() not in COMPRESSED and path.is_file() and is_ours(path):
        return Stored.of(path, whole)
    opened = open_any(path)
    return Foreign(path, opened.steps if opened else frames(path), opened=opened)


def _fields(file: File) -> dict[str, tuple[int, ...]]:
    """Fields of the frames of a file, and the shape of a row of each."""
    return {name: file.shape(f"{GROUP}/{name}/value")[2:] for name in set(file.names(GROUP)) - OTHERS
            if file.is_group(f"{GROUP}/{name}")}


def _places(file: File) -> list[Place]:
    element = f"{GROUP}/position"
    steps, times = (np.atleast_1d(file.value(f"{element}/{what}")).tolist() for what in ("step", "time"))
    return [Place(file.path, number, int(steps[number]), float(times[number])) for number in range(len(steps))]


__all__ = ["ALIASES", "Foreign", "Place", "Stored", "choose_frame", "of_file"]

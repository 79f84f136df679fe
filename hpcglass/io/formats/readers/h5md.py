"""H5MD files (P. de Buyl, P. H. Colberg, F. Höfling, Comput. Phys. Commun. 185, 1546 (2014)), ours or another program's.

Read without MPI. All elements are those of the step of the last positions.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.errors import FileError
from hpcglass.io.formats.common import Configuration
from hpcglass.io.formats.readers.kinds import SIZES, SPECIES, diameters, numbered
from hpcglass.io.formats.readers.plane import check_finite, refuse_open, settle
from hpcglass.sealed.file import opened
from hpcglass.sealed.guard import h5py
from hpcglass.sealed.probe import DENSEST

LARGEST_SPECIES = 2**15


class Frames:
    """The frames of a file that stays open; `steps` are those of the positions, none of a fixed configuration."""

    def __init__(self, path: Path) -> None:
        self.path, self._stack = path, ExitStack()
        self._file = self._stack.enter_context(opened(path))
        self.steps = Group(self._file.get(f"particles/{_group(self._file, path)}"), path).steps

    def close(self) -> None:
        self._stack.close()

    def read(self, dimension: int | None, frame: int = -1) -> Configuration:
        """Read a frame of /particles/all, or of the only group of particles; see docs/files-of-others.md.

        frame : number of the positions, by default the last ones
        """
        path, file = self.path, self._file
        name = _group(file, path)
        group = Group(file.get(f"particles/{name}"), path, frame)
        others = [other for other in file["particles"] if other != name]
        creator = file.get("h5md/creator")
        ours = creator is not None and _text(creator.attrs.get("name", "")) == "hpcglass"
        found = _configuration(group, dimension, ours)
        frames = [f"the last of {len(group.steps)} frames is read"] if len(group.steps) > 1 and frame == -1 else []
        groups = [f"only the group {name} is read, not {', '.join(others)}"] if others else []
        found.notes = (*frames, *groups, *group.notes, *found.notes)
        found.step = group.step or 0
        return found


def frames(path: Path) -> list[int]:
    """Steps of the frames of the positions; of a fixed configuration, none."""
    with closing(Frames(path)) as file:
        return file.steps


def read(path: Path, dimension: int | None, frame: int = -1) -> Configuration:
    """Read a frame, by default the last one."""
    with closing(Frames(path)) as file:
        return file.read(dimension, frame)


def _group(file: Any, path: Path) -> str:
    names = list(file.get("particles") or [])
    if not names:
        raise FileError(f"{path}: has no configuration (no group /particles/all); is it a stage file?")
    if "all" not in names and len(names) > 1:
        raise FileError(f"{path}: has several groups of particles, {', '.join(names)}, and none that is called all: "
                        "keep one of them, or name the one that is meant all")
    return "all" if "all" in names else names[0]


@dataclass
class Group:
    """A group of particles at the step of one of its positions.

    frame : which of them
    steps : of all of them, none if they are fixed
    step : of that one, if they have any
    notes : what was taken from another step
    """

    items: Any
    path: Path
    frame: int = -1

    def __post_init__(self) -> None:
        self.notes: list[str] = []
        position = self.items.get("position")
        if position is None:
            raise FileError(f"{self.path}: the group of particles has no position")
        steps = self._steps(position, "position")
        self.steps = [] if steps is None else [int(step) for step in steps]
        self.step = self.steps[self.frame] if self.steps else None

    def __contains__(self, name: str) -> bool:
        return self.items.get(name) is not None

    def _steps(self, element: Any, name: str) -> NDArray[np.int64] | None:
        """Steps of the frames of a time-dependent element; None for a fixed one. A single number is an increment."""
        if not hasattr(element, "keys"):
            return None
        if "value" not in element:
            raise FileError(f"{self.path}: {name} has no value")
        frames = element["value"].shape[0] if element["value"].ndim else 0
        if not frames:
            raise FileError(f"{self.path}: {name} has no frames")
        if "step" not in element:
            return np.arange(frames)
        steps = np.asarray(self._whole(element["step"], f"{name}/step"))
        if steps.ndim == 0:
            return int(element["step"].attrs.get("offset", 0)) + int(steps) * np.arange(frames)
        if steps.shape != (frames,):
            raise FileError(f"{self.path}: {name} has {frames} frames and {steps.size} steps; was its writing interrupted?")
        return steps

    def __getitem__(self, name: str) -> NDArray[Any]:
        """An element at the step of the positions."""
        element = self.items.get(name)
        steps = self._steps(element, name)
        if steps is None:
            return self._whole(element, name)
        return self._whole(element["value"], name, self._frame(name, steps))

    def _frame(self, name: str, steps: NDArray[np.int64]) -> int:
        at = np.flatnonzero(steps == self.step) if self.step is not None else np.array([len(steps) - 1])
        if at.size:
            return int(at[-1])
        if len(steps) > 1:
            raise FileError(f"{self.path}: {name} is not stored at step {self.step}, that of the last positions, but at "
                            f"{', '.join(map(str, steps[:8]))}{', ...' * (len(steps) > 8)}")
        self.notes.append(f"{name} is that of step {steps[0]}, the only one, the positions are of step {self.step}")
        return 0

    def _whole(self, dataset: Any, name: str, frame: int | None = None) -> NDArray[Any]:
        """Numbers of a dataset, or of a frame of it. Room is asked for only where the file has bytes for it."""
        if dataset.is_virtual or dataset.external:
            raise FileError(f"{self.path}: {name} lies in another file, which is not read")
        if dataset.dtype.kind not in "iuf":
            raise FileError(f"{self.path}: {name} are not numbers ({dataset.dtype})")
        stored = min(dataset.id.get_storage_size(), self.path.stat().st_size)
        if dataset.nbytes > DENSEST * stored:
            raise FileError(f"{self.path}: {name} has room for {dataset.shape} numbers but only {stored} bytes of them: "
                            "it was never written, or is damaged")
        return np.asarray(dataset[()] if frame is None else dataset[frame])


def _configuration(group: Group, dimension: int | None, ours: bool) -> Configuration:
    path = group.path
    position = np.asarray(group["position"], dtype=np.float64)
    if position.ndim != 2 or position.shape[1] not in (2, 3) or not len(position):
        raise FileError(f"{path}: positions of shape {position.shape} are not those of particles in 2D or 3D")
    box, says, periodic = _box(group, position.shape[1])
    used = {"position", "box", "id", "position_low", "image"} | {name for name in (*SIZES, *SPECIES) if name in group}
    unused = [name for name in group.items if name not in used]
    rows = {name: _rows(group, name, len(position)) for name in ("id", *SIZES, *SPECIES) if name in group}
    keep = _present(group, rows["id"], path) if "id" in rows else np.arange(len(position))
    rows = {name: values[keep] for name, values in rows.items()}
    walls = tuple(group["box/walls"].ravel().tolist()) if "box/walls" in group else None
    check_finite(position[keep], path)
    position, box = settle(position[keep], box, path, dimension, says, None if walls else periodic)
    diameter, notes = diameters(rows, path)
    found = Configuration(position, box, diameter, walls=walls)
    if name := next((name for name in SPECIES if name in rows), None):
        _species(found, group, name, rows[name], ours)
    if unused and not ours:
        notes.append(f"elements that are not used: {', '.join(unused)}")
    found.notes = tuple(notes)
    return found


def _rows(group: Group, name: str, count: int) -> NDArray[Any]:
    values = group[name]
    if values.shape != (count,):
        raise FileError(f"{group.path}: {name} has the shape {values.shape} for {count} particles")
    if name in ("id", *SPECIES) and values.dtype.kind == "f":
        raise FileError(f"{group.path}: {name} must be whole numbers, not {values.dtype}")
    return values


def _present(group: Group, ids: NDArray[Any], path: Path) -> NDArray[np.intp]:
    """Rows of particles in the order of their ids; an id equal to the fill value that the file defines is an empty slot."""
    element = group.items["id"]
    dataset = element["value"] if hasattr(element, "keys") else element
    keep = np.argsort(ids, kind="stable")
    if dataset.id.get_create_plist().fill_value_defined() == h5py.h5d.FILL_VALUE_USER_DEFINED:
        keep = keep[ids[keep] != dataset.fillvalue]
    if not keep.size:
        raise FileError(f"{path}: has no particles, only empty slots")
    same = np.flatnonzero(np.diff(ids[keep]) == 0)
    if same.size:
        raise FileError(f"{path}: the id {ids[keep][same[0]]} is there twice")
    return keep


def _box(group: Group, d: int) -> tuple[NDArray[np.float64], int | None, list[bool] | None]:
    """Cell with the edges as columns, dimension as far as it is stated, and which edges are periodic.

    A 2D box may hold positions in three columns.
    """
    path = group.path
    if "box" not in group:
        raise FileError(f"{path}: the group of particles has no box")
    attributes = group.items["box"].attrs
    own = int(attributes.get("dimension", d))
    periodic = None
    if "boundary" in attributes:
        words = [_text(word) for word in np.atleast_1d(attributes["boundary"]).ravel()]
        if not set(words) <= {"periodic", "none"} or len(words) not in (1, own, d):
            raise FileError(f"{path}: boundary must be {own} times periodic or none, not {', '.join(words)}")
        periodic = [word == "periodic" for word in words] * (own if len(words) == 1 else 1)
        refuse_open(periodic, path)     # before edges are asked for, which may be missing then
    if "box/edges" not in group:
        raise FileError(f"{path}: the box has no edges")
    edges = np.asarray(group["box/edges"], dtype=np.float64)
    if len(edges.shape) not in (1, 2) or set(edges.shape) not in ({d}, {2}):
        raise FileError(f"{path}: positions in {d} columns do not fit a cell of shape {edges.shape}")
    return (np.diag(edges) if edges.ndim == 1 else np.ascontiguousarray(edges.T)), 2 if own == 2 else None, periodic


def _species(found: Configuration, group: Group, name: str, values: NDArray[Any], ours: bool) -> None:
    """Species from numbers, or from the names that an enumeration has for them."""
    element = group.items[name]
    enumeration = h5py.check_enum_dtype((element["value"] if hasattr(element, "keys") else element).dtype)
    if enumeration:
        label = {number: text for text, number in enumeration.items()}
        if not set(np.unique(values).tolist()) <= set(label):
            raise FileError(f"{group.path}: {name} has numbers for which its enumeration has no name")
        kinds = numbered([label[number] for number in values.tolist()])
    elif ours and values.max() < LARGEST_SPECIES:
        kinds = values.astype(np.int32), (), True
    else:
        kinds = numbered(list(map(str, values.tolist())))
    if kinds is not None:
        found.species, found.names, found.ordered = kinds


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)

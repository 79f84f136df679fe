"""Configurations from and for other programs: extended XYZ, LAMMPS data and dumps, GSD, H5MD. No MPI is needed.

`read_any` serves `[system] file` (through `adopt`), `export` and `import`; `write_frames` what `export` writes besides HDF5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from hpcglass import disk
from hpcglass.errors import FileError, HpcglassError, InputError
from hpcglass.io.formats.common import Configuration

__all__ = ["Configuration", "choose_frame", "frames", "read_any", "tile", "write_any", "write_frames", "writer"]

ENDINGS = {".xyz": "extxyz", ".extxyz": "extxyz", ".data": "lammps", ".lmp": "lammps", ".lammps": "lammps",
           ".dump": "dump", ".lammpstrj": "dump", ".gsd": "gsd", ".h5": "h5md", ".h5md": "h5md", ".hdf5": "h5md"}
WRITTEN = {".xyz": "extxyz", ".extxyz": "extxyz", ".data": "lammps", ".lmp": "lammps", ".lammps": "lammps", ".dump": "dump",
           ".lammpstrj": "dump", ".gsd": "gsd", ".h5md": "h5md", ".vtkhdf": "vtkhdf"}
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")


def read_any(path: str | Path, dimension: int | None = None, frame: int | None = None, opened: Any = None) -> Configuration:
    """Read a configuration of a file; its format is told by the ending of its name.

    Parameters
    ----------
    path : path
    dimension : 2 or 3, optional
        What is wanted. By default told by the file: 2D if all particles have the same z.
    frame : int, optional
        Number from 0, or from the end if negative, of a frame of a trajectory; by default the last one. See `frames`.
    opened : what `open_any` gave, if several frames are read

    Raises
    ------
    InputError
        No such file, unknown ending, wrong dimension, no such frame, a cell that is not periodic.
    FileError
        The file is damaged or has no such thing as a configuration.
    """
    path = Path(path)
    module = _reader(path)
    with _damage_said(path), np.errstate(all="ignore"):      # absurd numbers are found by `check`
        chosen = []
        if frame is not None:
            steps = opened.steps if opened is not None else module.frames(path) if hasattr(module, "frames") else []
            choose_frame(frame, len(steps), path)
            chosen = [frame]
        found: Configuration = module.read(path, dimension, *chosen) if opened is None else opened.read(dimension, *chosen)
        return found.check(path)


def read_free(path: str | Path, frame: int | None = None) -> Configuration:
    """Extended XYZ that may have an open boundary (`Configuration.free`): without Lattice, or pbc="F F F".

    Raises
    ------
    InputError, FileError
        As `read_any`.
    """
    from hpcglass.io.formats.readers import extxyz

    path = Path(path)
    _reader(path)
    with _damage_said(path), np.errstate(all="ignore"):
        opened = extxyz.Frames(path)
        number = choose_frame(-1 if frame is None else frame, len(opened.steps), path)
        return opened.read(None, number, free=True).check(path)


def open_any(path: str | Path) -> Any:
    """What knows the frames of a file that is to be read frame by frame; None where the format has no such."""
    path = Path(path)
    module = _reader(path)
    with _damage_said(path):
        return module.Frames(path) if hasattr(module, "Frames") else None


def _reader(path: Path) -> ModuleType:
    """What reads a file, which is there."""
    if path.suffix.lower() in COMPRESSED:
        raise InputError(f"{path}: is compressed, unpack it first")
    module = _module(".readers", path, None)
    if not path.is_file():
        raise InputError(f"{path}: {'is a directory' if path.is_dir() else 'no such file'}")
    try:
        path.open("rb").close()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from None
    return module


def frames(path: str | Path) -> list[int]:
    """Steps of the frames of a file; none where they are not counted, or their format does not let one choose.

    Raises
    ------
    InputError, FileError
        As `read_any`.
    """
    path = Path(path)
    module = _reader(path)
    with _damage_said(path):
        steps: list[int] = module.frames(path) if hasattr(module, "frames") else []     # LAMMPS data have one
    return steps


def choose_frame(frame: int, count: int, path: Path) -> int:
    """The number, from 0, of a frame that may be counted from the end.

    Raises
    ------
    InputError
        There is no such frame.
    """
    if not -max(count, 1) <= frame < max(count, 1):
        raise InputError(f"{path}: there is no frame {frame}, it has {f'frames 0 to {count - 1}' if count > 1 else 'one'}")
    return frame % max(count, 1)


@contextmanager
def _damage_said(path: Path) -> Iterator[None]:
    """Libraries report damage in many ways: all of them mean a bad file here."""
    try:
        yield
    except HpcglassError:
        raise
    except Exception as error:
        reason = str(error).strip("'\"").partition("\n")[0][:200] or type(error).__name__
        raise FileError(f"{path}: damaged, or not a file of this kind ({reason})") from error


def write_any(configuration: Configuration, path: str | Path, to: str | None = None) -> None:
    """Write a configuration for another program. See `write_frames`."""
    write_frames([configuration], path, to)


def writer(path: Path, to: str | None = None) -> Any:
    """The module that writes a format: `to`, or what the ending of the name says.

    Raises
    ------
    InputError
        No such format.
    """
    kind = to or WRITTEN.get(path.suffix.lower())
    if kind not in WRITTEN.values():
        hint = "; for .h5 use `import`" if ENDINGS.get(path.suffix.lower()) == "h5md" else ""
        raise InputError(f"{path}: the format is told by the ending: {', '.join(WRITTEN)}{hint}")
    return import_module(f"hpcglass.io.formats.{kind}")


def write_frames(frames: Iterable[Configuration], path: str | Path, to: str | None = None) -> None:
    """Write frames one after the other into a file for another program, in text or GSD; none but the present one is kept.

    Parameters
    ----------
    to : "extxyz", "lammps" (one frame), "dump" or "gsd"; by default told by the ending of the name

    Raises
    ------
    InputError
        Unknown ending; walls, or fields, that the format has no place for.
    FileError
        The file cannot be written; an old one is as it was.
    """
    path = Path(path)
    module = writer(path, to)
    try:
        with disk.replacing(path) as new:
            module.write(map(partial(with_walls, module, path), frames), new)
    except HpcglassError:
        raise
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror or error}") from None


def with_walls(module: Any, path: Path, configuration: Configuration) -> Configuration:
    """The configuration, unless it has walls that a format cannot keep."""
    if configuration.walls is not None and not getattr(module, "WALLS", False):
        raise InputError(f"{path}: this format has no walls, and without them an annulus is a periodic cell with a hole; "
                         "export it as extended XYZ (.xyz) or VTKHDF (.vtkhdf)")
    return configuration


def tile(configuration: Configuration, copies: Sequence[int]) -> Configuration:
    """The cell repeated `copies` times along each edge; particle i of tile t has the number t N + i.

    Raises
    ------
    InputError
        Not one number, nor one for each edge, or one that is not positive; or between walls.
    """
    if configuration.walls is not None:
        raise InputError("--tile: a glass between walls is not periodic, there are no tiles of it")
    d = len(configuration.box)
    along = list(copies) * d if len(copies) == 1 else list(copies)
    if len(along) != d or min(along) < 1:
        raise InputError(f"--tile {' '.join(map(str, copies))}: give one number of copies, or {d}, all of them positive")
    shifts = np.stack(np.meshgrid(*map(np.arange, along), indexing="ij"), axis=-1).reshape(-1, d) @ configuration.box.T
    position = (shifts[:, None] + configuration.position).reshape(-1, d)

    def repeated(values: Any) -> Any:
        return None if values is None else np.tile(values, len(shifts))

    return replace(configuration, box=configuration.box * along, position=position, fields={},
                   diameter=repeated(configuration.diameter), species=repeated(configuration.species))


def _module(package: str, path: Path, to: str | None) -> Any:
    kind = to or ENDINGS.get(path.suffix.lower())
    if kind is None:
        raise InputError(f"{path}: the format is told by the ending: {', '.join(ENDINGS)}")
    return import_module(f"hpcglass.io.formats{package}.{kind}")

"""Configurations from and for other programs: extended XYZ, LAMMPS data, GSD, H5MD. No MPI is needed.

`read_any` serves `[system] file`, `export` and `import`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpcglass.errors import FileError, HpcglassError, InputError
from hpcglass.io.formats.common import Configuration

if TYPE_CHECKING:
    from hpcglass.config import SystemParams

__all__ = ["Configuration", "read_any", "start_configuration", "tile", "write_any"]

ENDINGS = {".xyz": "extxyz", ".extxyz": "extxyz", ".data": "lammps", ".lmp": "lammps", ".lammps": "lammps",
           ".gsd": "gsd", ".h5": "h5md", ".h5md": "h5md", ".hdf5": "h5md"}


def read_any(path: str | Path, dimension: int | None = None) -> Configuration:
    """Read the (last) configuration of a file; its format is told by the ending of its name.

    Parameters
    ----------
    path : path
    dimension : 2 or 3, optional
        What is wanted. By default told by the file: 2D if all z are 0.

    Raises
    ------
    InputError
        No such file, unknown ending, wrong dimension.
    FileError
        The file is damaged or has no such thing as a configuration.
    """
    path = Path(path)
    module = _module(path, None)
    if not path.is_file():
        raise InputError(f"{path}: {'is a directory' if path.is_dir() else 'no such file'}")
    try:
        with np.errstate(all="ignore"):      # absurd numbers are found by `check`
            return module.read(path, dimension).check(path)
    except HpcglassError:
        raise
    except Exception as error:      # libraries report damage in many ways: all of them mean a bad file here
        reason = str(error).strip("'\"").partition("\n")[0][:200] or type(error).__name__
        raise FileError(f"{path}: damaged, or not a file of this kind ({reason})") from error


def write_any(configuration: Configuration, path: str | Path, to: str | None = None) -> None:
    """Write a configuration for another program.

    Parameters
    ----------
    to : "extxyz", "lammps" or "gsd"; by default told by the ending of the name

    Raises
    ------
    InputError
        Unknown ending.
    FileError
        The file cannot be written; an old one is as it was.
    """
    path = Path(path)
    module = _module(path, to)
    if not hasattr(module, "write"):
        raise InputError(f"{path}: `export` writes extxyz, lammps and gsd; for .h5 use `import`")
    temporary = path.with_name(f".{path.name}.part")
    try:
        module.write(configuration, temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)


def tile(configuration: Configuration, copies: Sequence[int]) -> Configuration:
    """The cell repeated `copies` times along each edge; particle i of tile t has the number t N + i.

    Raises
    ------
    InputError
        Not one number, nor one for each edge, or one that is not positive.
    """
    d = len(configuration.box)
    along = list(copies) * d if len(copies) == 1 else list(copies)
    if len(along) != d or min(along) < 1:
        raise InputError(f"--tile {' '.join(map(str, copies))}: give one number of copies, or {d}, all of them positive")
    shifts = np.stack(np.meshgrid(*map(np.arange, along), indexing="ij"), axis=-1).reshape(-1, d) @ configuration.box.T
    position = (shifts[:, None] + configuration.position).reshape(-1, d)

    def repeated(values: Any) -> Any:
        return None if values is None else np.tile(values, len(shifts))

    return replace(configuration, box=configuration.box * along, position=position,
                   diameter=repeated(configuration.diameter), species=repeated(configuration.species))


def start_configuration(system: SystemParams) -> Configuration:
    """The configuration a run starts from, checked against what [system] says about it.

    Raises
    ------
    InputError
        Particles or density are given and differ from the file's.
    """
    assert system.file is not None
    start = read_any(system.file, system.dimension)
    if system.particles is not None and system.particles != len(start.position):
        raise InputError(f"system.particles = {system.particles}: but {system.file} has {len(start.position)}; remove the key")
    if system.density is not None and abs(system.density - start.density) > 1e-6 * start.density:
        raise InputError(f"system.density = {system.density}: but {system.file} has {start.density:.9g}; remove the key")
    return start


def _module(path: Path, to: str | None) -> Any:
    kind = to or ENDINGS.get(path.suffix.lower())
    if kind is None:
        raise InputError(f"{path}: the format is told by the ending: {', '.join(ENDINGS)}")
    return import_module(f"hpcglass.io.formats.{kind}")

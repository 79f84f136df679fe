"""A configuration as all formats see it, and what they share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.errors import FileError, InputError

Floats = NDArray[np.float64]


@dataclass
class Configuration:
    """Particles in a periodic cell.

    Attributes
    ----------
    position : (N, d) [length]; anywhere, the cell is periodic
    box : (d, d), columns are the edge vectors [length]
    diameter : (N,) [length], if the file has them
    species : (N,) integers from 0, if the file has them
    """

    position: Floats
    box: Floats
    diameter: Floats | None = None
    species: NDArray[np.int32] | None = None

    @property
    def dimension(self) -> int:
        return int(self.box.shape[0])

    @property
    def density(self) -> float:
        """Number density N/V."""
        return len(self.position) / abs(float(np.linalg.det(self.box)))

    def check(self, path: Path) -> Configuration:
        """Refuse what cannot be a configuration.

        Raises
        ------
        FileError
            Naming the file, the particle and the value.
        """
        if not len(self.position):
            raise FileError(f"{path}: has no particles")
        if not np.isfinite(self.box).all() or not np.linalg.det(self.box) > 0:
            raise FileError(f"{path}: the cell {self.box.T.tolist()} (edge vectors) has no volume or is left-handed")
        bad = np.flatnonzero(~np.isfinite(self.position).all(axis=1))
        if bad.size:
            raise FileError(f"{path}: particle {bad[0]} has the position {self.position[bad[0]].tolist()}")
        if self.diameter is not None and not (np.isfinite(self.diameter) & (self.diameter > 0)).all():
            bad = np.flatnonzero(~(np.isfinite(self.diameter) & (self.diameter > 0)))
            raise FileError(f"{path}: particle {bad[0]} has the diameter {self.diameter[bad[0]]}")
        if self.species is not None and (self.species < 0).any():
            raise FileError(f"{path}: particle {int(np.argmin(self.species))} has the species {self.species.min()}")
        return self


def flatten(position: Floats, box: Floats, dimension: int | None, path: Path) -> tuple[Floats, Floats]:
    """Drop z where a file describes a 2D system.

    Without `dimension`, a file whose particles all have z = 0 is 2D.
    """
    flat = not position[:, 2].any()
    if dimension == 3 or (dimension is None and not flat):
        return position, box
    if not flat:
        raise InputError(f"{path}: the configuration is 3D (z is not 0 everywhere) but a 2D one is wanted")
    if box[2, :2].any() or box[:2, 2].any():
        raise InputError(f"{path}: the cell is tilted out of the plane, a 2D system has no such cell")
    return np.ascontiguousarray(position[:, :2]), np.ascontiguousarray(box[:2, :2])


def in_space(configuration: Configuration) -> tuple[Floats, Floats]:
    """Positions (N, 3) and cell (3, 3), with z = 0 and a height of 1 where the configuration is 2D."""
    if configuration.dimension == 3:
        return configuration.position, configuration.box
    position = np.zeros((len(configuration.position), 3))
    position[:, :2] = configuration.position
    box = np.eye(3)
    box[:2, :2] = configuration.box
    return position, box


def restricted(position: Floats, box: Floats, reduce: bool = False) -> tuple[Floats, Floats]:
    """The same configuration, rotated so that the cell is upper triangular with a positive diagonal.

    h = Q R by QR decomposition, x -> Q^T x. With `reduce`, edge vectors are replaced by equivalent ones of
    the lattice so that each tilt is at most half of the edge it leans along.
    """
    rotation, cell = np.linalg.qr(box)
    sign = np.where(np.diag(cell) < 0, -1.0, 1.0)
    rotation, cell = rotation * sign, sign[:, None] * cell
    if np.allclose(rotation, np.eye(len(box)), atol=1e-15):      # no rotation: keep every bit
        rotation, cell = np.eye(len(box)), np.triu(box)
    if reduce:
        for column in range(1, len(box)):
            for row in range(column - 1, -1, -1):
                cell[:, column] -= np.round(cell[row, column] / cell[row, row]) * cell[:, row]
    turned = position if (rotation == np.eye(len(box))).all() else position @ rotation
    return turned, np.triu(cell)


def table(lines: list[str], columns: list[int], path: Path, first: int) -> Floats:
    """Numbers in some columns of lines of text.

    Raises
    ------
    FileError
        With the line of the file; `first` is the number of the first line.
    """
    try:
        return np.loadtxt(lines, usecols=columns, ndmin=2, dtype=np.float64)
    except (ValueError, IndexError):
        for number, line in enumerate(lines, first):
            words = line.split("#")[0].split()
            try:
                [float(words[c]) for c in columns]
            except (ValueError, IndexError):
                raise FileError(f"{path}:{number}: {shown(line)} has no number in column "
                                f"{_bad_column(words, columns) + 1}") from None
        raise FileError(f"{path}:{first}: the numbers from here on cannot be read") from None


def _bad_column(words: list[str], columns: list[int]) -> int:
    for column in columns:
        try:
            float(words[column])
        except (ValueError, IndexError):
            return column
    return columns[0]


def text_lines(path: Path) -> list[str]:
    """Lines of a text file.

    Raises
    ------
    FileError
        When it is not text.
    """
    try:
        return path.read_bytes().decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise FileError(f"{path}:{line}: byte {error.object[error.start]:#04x} is not text") from None


def shown(line: Any) -> str:
    """A line in a message, in quotes and not too long."""
    text = str(line).strip()
    return repr(text if len(text) <= 60 else text[:57] + "...")

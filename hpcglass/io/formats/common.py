"""A configuration as all formats see it, and what they share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.errors import FileError
from hpcglass.geometries.annulus import Walls

Floats = NDArray[np.float64]
THINNEST = 1e9      # condition of a cell: a longer or more tilted one has lost the digits of its height
FARTHEST = 1e6     # periods from the cell: positions there have lost six of their digits


@dataclass
class Configuration:
    """Particles in a periodic cell, or between walls.

    Attributes
    ----------
    position : (N, d) [length]; anywhere, the cell is periodic
    box : (d, d), columns are the edge vectors [length]
    diameter : (N,) [length], if the file has them
    species : (N,) integers from 0, if the file has them
    names : of species 0, 1, ... in the file; none where they are just numbered
    ordered : the order of the names is the file's own; else ours: by number or alphabet
    walls : centre, r_in, r_out of rigid walls (`geometries.annulus.Walls.numbers`), if there are any
    notes : what a reader took, or left out, that a user should know
    """

    position: Floats
    box: Floats
    diameter: Floats | None = None
    species: NDArray[np.int32] | None = None
    names: tuple[str, ...] = ()
    ordered: bool = True
    walls: tuple[float, ...] | None = None
    notes: tuple[str, ...] = ()

    @property
    def dimension(self) -> int:
        return int(self.box.shape[0])

    @property
    def density(self) -> float:
        """Number density N/V; V is what is between the walls where there are any."""
        volume = abs(float(np.linalg.det(self.box))) if self.walls is None else Walls.of(self.walls).volume
        return len(self.position) / volume

    def check(self, path: Path) -> Configuration:
        """Refuse what cannot be a configuration.

        Raises
        ------
        FileError
            Naming the file, the particle and the value.
        """
        if not len(self.position):
            raise FileError(f"{path}: has no particles")
        cell = f"the cell {self.box.T.tolist()} (edge vectors)"
        if not np.isfinite(self.box).all() or not np.linalg.det(self.box) > 0:
            raise FileError(f"{path}: {cell} has no volume or is left-handed")
        if not np.linalg.cond(self.box) < THINNEST or np.linalg.det(self.box) == np.inf:
            raise FileError(f"{path}: {cell} is too large or too thin to compute with")
        self._check_rows(path, self.position, np.isfinite(self.position).all(axis=1), "has the position")
        periods = np.abs(np.linalg.solve(self.box, self.position.T)).max(axis=0)
        self._check_rows(path, self.position, periods < FARTHEST, f"is more than {FARTHEST:g} periods away, its digits are lost:")
        if self.diameter is not None:
            self._check_rows(path, self.diameter, np.isfinite(self.diameter) & (self.diameter > 0), "has the diameter")
        if self.species is not None:
            self._check_rows(path, self.species, self.species >= 0, "has the species")
        if self.walls is not None:
            self._check_walls(path, Walls.of(self.walls))
        return self

    @staticmethod
    def _check_rows(path: Path, rows: NDArray[Any], good: NDArray[np.bool_], what: str) -> None:
        if not good.all():
            worst = int(np.argmin(good))
            raise FileError(f"{path}: particle {worst} {what} {rows[worst].tolist()}")

    def _check_walls(self, path: Path, walls: Walls) -> None:
        if walls.dimension != self.dimension or not 0 < walls.r_in < walls.r_out < np.inf or not np.isfinite(walls.centre).all():
            raise FileError(f"{path}: the walls {list(walls.numbers)} (centre, r_in, r_out) cannot be")
        radius = np.linalg.norm(self.position - np.array(walls.centre), axis=1)
        self._check_rows(path, self.position, (walls.r_in < radius) & (radius < walls.r_out), "is not between the walls:")


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

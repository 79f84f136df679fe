"""A configuration as all formats see it, and what they share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.errors import FileError
from hpcglass.geometries.annulus import Walls

Floats = NDArray[np.float64]
THINNEST = 1e9      # condition of a cell: a longer or more tilted one has lost the digits of its height
BLOCK = 1 << 14    # rows that are text at the same time
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
    free : the boundary is open, the cell only encloses the particles; for whoever asks for such files, others refuse them
    notes : what a reader took, or left out, that a user should know
    step, time : of the stage, if it is a frame of one; time is the strain in a loading
    fields : further rows (N,) or (N, k) by name; (N, d) are vectors
    """

    position: Floats
    box: Floats
    diameter: Floats | None = None
    species: NDArray[np.int32] | None = None
    names: tuple[str, ...] = ()
    ordered: bool = True
    walls: tuple[float, ...] | None = None
    free: bool = False
    notes: tuple[str, ...] = ()
    step: int = 0
    time: float = 0.0
    fields: dict[str, NDArray[Any]] = field(default_factory=dict)

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


def enclosing(position: Floats) -> Floats:
    """A cell as large as the particles' extent; of height 1 where they are flat."""
    extent = np.ptp(position, axis=0)
    return np.diag(np.where(extent > 0.0, extent, 1.0))


def in_space(configuration: Configuration, restrict: bool = False) -> Configuration:
    """The same with three columns and a (3, 3) cell: z = 0 and a height of 1 where it is flat.

    restrict : rotated, with its vectors, so that the cell is upper triangular and tilted little (`restricted`)
    """
    c, d = configuration, configuration.dimension
    vectors = {name for name, values in c.fields.items() if values.shape[1:] == (d,) and values.dtype.kind == "f"}
    box = np.eye(3)
    box[:d, :d] = c.box
    c = replace(c, position=_padded(c.position), box=box,
                fields={name: _padded(values) if name in vectors else values for name, values in c.fields.items()})
    if not restrict:
        return c
    turn, cell = rotation(box, reduce=True)
    return replace(c, position=_turned(c.position, turn), box=cell,
                   fields={name: _turned(values, turn) if name in vectors else values for name, values in c.fields.items()})


def cell(configuration: Configuration, restrict: bool = False) -> Floats:
    """The cell that `in_space` gives, (3, 3)."""
    return in_space(replace(configuration, position=configuration.position[:0], fields={}), restrict).box


def wrapped(position: Floats, box: Floats, own: bool = False) -> Floats:
    """Positions in the cell; those that are in it keep every bit.

    own : the array is nobody else's, and may be changed
    """
    result = position if own else position.copy()
    for rows in blocks(len(position)):
        period = np.floor(np.linalg.solve(box, position[rows].T)).T
        outside = period.any(axis=1)
        result[rows][outside] -= period[outside] @ box.T
    return result


def blocks(rows: int) -> Iterator[slice]:
    """Some thousands of rows at a time: what is computed of them takes no room."""
    return (slice(first, first + BLOCK) for first in range(0, rows, BLOCK))


def restricted(position: Floats, box: Floats, reduce: bool = False) -> tuple[Floats, Floats]:
    """The same configuration, rotated so that the cell is upper triangular with a positive diagonal."""
    turn, cell = rotation(box, reduce)
    return _turned(position, turn), cell


def rotation(box: Floats, reduce: bool = False) -> tuple[Floats, Floats]:
    """Q and the cell R of h = Q R: x -> Q^T x makes the cell upper triangular with a positive diagonal.

    With `reduce`, edge vectors are replaced by equivalent ones of the lattice so that each tilt is at most half of the edge it
    leans along.
    """
    turn, cell = np.linalg.qr(box)
    sign = np.where(np.diag(cell) < 0, -1.0, 1.0)
    turn, cell = turn * sign, sign[:, None] * cell
    if np.allclose(turn, np.eye(len(box)), atol=1e-15):      # no rotation: keep every bit
        turn, cell = np.eye(len(box)), np.triu(box)
    if reduce:
        for column in range(1, len(box)):
            for row in range(column - 1, -1, -1):
                cell[:, column] -= np.round(cell[row, column] / cell[row, row]) * cell[:, row]
    return turn, np.triu(cell)


def _padded(rows: Floats) -> Floats:
    """Vectors (N, 2) as (N, 3) with z = 0."""
    return rows if rows.shape[1] == 3 else np.column_stack([rows, np.zeros(len(rows))])


def _turned(rows: Floats, turn: Floats) -> Floats:
    return rows if (turn == np.eye(len(turn))).all() else np.asarray(rows @ turn)


def lines(columns: Sequence[NDArray[Any] | list[str]]) -> Iterator[str]:
    """Rows of a table as text, some thousands at a time; all digits are kept."""
    for some in blocks(len(columns[0])):
        block = (column[some] for column in columns)
        rows = zip(*(part if isinstance(part, list) else part.tolist() for part in block), strict=True)
        yield "".join(f"{' '.join(map(str, row))}\n" for row in rows)


def scalars(name: str, values: NDArray[Any], index: str = "{}[{}]") -> list[tuple[str, NDArray[Any]]]:
    """The columns of a field, each with a name."""
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    return [(name if values.ndim == 1 else index.format(name, k + 1), flat[:, k]) for k in range(flat.shape[1])]

"""The cell of swap Monte Carlo, and the forms in which kernels take it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.geometries.periodic import heights
from hpcglass.moves.swap.lists import Cell

Floats = NDArray[np.float64]

INFINITE = float("inf")


class Frame:
    """An upper triangular cell h (`zones.upper_triangular`), columns are the cell vectors.

    Attributes
    ----------
    h, inverse : (d, d)
    heights : (d,) distances of opposite faces
    """

    def __init__(self, h: Floats) -> None:
        self.h, self.inverse, self.heights = h, np.linalg.inv(h), heights(h)
        self.dimension = len(h)

    def cell(self, periodic: NDArray[np.bool_]) -> Cell:
        """The cell for kernels, periodic in the given dimensions."""
        d = self.dimension
        h, inverse = np.eye(3), np.eye(3)
        h[:d, :d], inverse[:d, :d] = self.h, self.inverse
        wraps = [k < d and bool(periodic[k]) for k in range(3)]
        half = tuple(0.5 * float(h[k, k]) if wraps[k] else INFINITE for k in range(3)) if any(wraps) else None
        upper = ((0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2))
        return Cell(tuple(range(d)), tuple(wraps), half, tuple(float(h[k]) for k in upper),
                    tuple(float(inverse[k]) for k in upper))

    def bins(self, low: Floats, high: Floats, reach: float, particles: int) -> tuple[Any, Any, Any]:
        """Bins at least `reach` wide over [low, high): (low, number, width), three numbers each."""
        most = max(int((8 * particles) ** (1.0 / self.dimension)), 1)
        number = np.clip(np.floor((high - low) * self.heights / reach).astype(np.int64), 1, most)
        width = (high - low) / number
        pad = [0] * (3 - self.dimension)
        return (tuple(float(v) for v in [*low, *pad]), tuple(int(v) for v in [*number, *[1 for _ in pad]]),
                tuple(float(v) for v in [*width, *[1 for _ in pad]]))


def three(values: Floats, fill: float) -> tuple[float, float, float]:
    """The third one may be missing."""
    x, y, *z = [float(v) for v in values]
    return x, y, (z[0] if z else fill)

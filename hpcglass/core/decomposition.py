"""Who owns which part of the cell: bricks in fractional coordinates.

A rank grid g_1 x ... x g_d cuts the cell by planes parallel to its faces. Cutting along axis k costs halo in proportion to
the area of its face, V / height_k, so the grid is the factorisation of the number of ranks with the
smallest total cut. `origin` shifts all planes together (swap Monte Carlo moves them at random). Ranks beyond the grid have no
brick.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from hpcglass.geometries.periodic import heights

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def best_grid(box: Floats, ranks: int) -> tuple[int, ...]:
    """Rank grid with the least cut area for this cell's shape."""
    height = heights(box)
    grids = [grid for grid in product(*[_divisors(ranks)] * len(box)) if np.prod(grid) == ranks]

    def cost(grid: tuple[int, ...]) -> tuple[float, int, tuple[int, ...]]:
        return round(sum(g / h for g, h in zip(grid, height, strict=True) if g > 1), 9), max(grid), grid     # compact if equal

    return min(grids, key=cost)


def _divisors(n: int) -> list[int]:
    return [k for k in range(1, n + 1) if n % k == 0]


class Bricks:
    """The rank grid and the plane positions.

    Attributes
    ----------
    grid : (d,) int
        Ranks along each box vector.
    origin : (d,) float
        Fractional position of the first plane along each box vector.
    coordinate : (d,) int
        This rank's place in the grid.
    idle : bool
        This rank has none, and its coordinate means nothing.
    """

    def __init__(self, grid: tuple[int, ...], rank: int, origin: Floats | None = None) -> None:
        self.grid = np.array(grid, dtype=np.int64)
        self.origin = np.zeros(len(grid)) if origin is None else np.array(origin, dtype=np.float64)
        self.idle = bool(rank >= self.grid.prod())
        self.coordinate = np.array(np.unravel_index(0 if self.idle else rank, grid), dtype=np.int64)

    def place(self, fraction: Floats) -> Ints:
        """(n, d) grid coordinates of fractional positions relative to the origin, in [0, 1)."""
        return np.clip((fraction * self.grid).astype(np.int64), 0, self.grid - 1)

    def owner(self, fraction: Floats) -> Ints:
        """(n,) rank that owns each fractional position (relative to the origin, in [0, 1))."""
        return np.asarray(np.ravel_multi_index(tuple(self.place(fraction).T), tuple(self.grid)), dtype=np.int64)

    def neighbours(self, width: Floats) -> list[tuple[Ints, int, Ints]]:
        """All (offset, rank, periods) whose brick, widened by `width` (fractions), can reach this rank's.

        `offset` counts bricks from this one; `periods` cell periods crossed on the way. Several offsets can lead to the
        same rank, and to this one: narrow cells and single ranks are no special case.
        """
        if self.idle:
            return []
        reach = np.ceil(width * self.grid - 1e-12).astype(np.int64)
        result = []
        for step in product(*[range(-r, r + 1) for r in reach]):
            offset = np.array(step, dtype=np.int64)
            if not offset.any():
                continue
            periods = np.floor_divide(self.coordinate + offset, self.grid)
            target = self.coordinate + offset - periods * self.grid
            result.append((offset, int(np.ravel_multi_index(tuple(target), tuple(self.grid))), periods))
        return result

    def near(self, fraction: Floats, axis: int, offset: int, width: float) -> NDArray[np.bool_]:
        """(n,) which owned positions lie within `width` of the bricks `offset` away along one axis."""
        place = self.coordinate[axis] + offset
        if offset > 0:
            return fraction[:, axis] >= place / self.grid[axis] - width
        return fraction[:, axis] < (place + 1) / self.grid[axis] + width

"""Who may move where: bricks of ranks, active zones inside them, regions inside a zone.

All in fractional coordinates of the upper triangular cell h, relative to the present random origin. A zone is a brick
without a margin of half the largest cut-off in the split dimensions, so that particles active on two ranks never interact. No
move may leave a zone: the set of active particles is the same before and after, and so is the probability of every attempt
back. A zone of many particles is cut further into regions of about a thousand, visited one after the other under the same
rule: that keeps the working set in the cache, and detailed balance strict, which sorting particles into blocks would not.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from hpcglass.errors import InputError
from hpcglass.geometries.periodic import heights

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REGION = 1_000          # particles of a region, where there are several
REFUSE, WARN = 0.25, 0.7     # active fractions


def upper_triangular(box: Floats) -> tuple[Floats, Floats]:
    """Rotation Q and upper triangular h with positive diagonal, box = Q h."""
    q, h = np.linalg.qr(box)
    sign = np.sign(np.diag(h))
    return q * sign, h * sign[:, None]


def active_fraction(h: Floats, grid: tuple[int, ...], cut: float) -> float:
    """Share of the volume in active zones: product of 1 - cut/width over the split dimensions."""
    width = heights(h) / np.array(grid)
    return float(np.prod([max(1 - cut / w, 0.0) for w, g in zip(width, grid, strict=True) if g > 1]))


def choose_grid(h: Floats, ranks: int, cut: float) -> tuple[int, ...]:
    """Rank grid with the largest active fraction.

    Raises
    ------
    InputError
        Fewer than a quarter of the particles would be active: says how many ranks are possible.
    """
    grid, fraction = _best(h, ranks, cut)
    if fraction < REFUSE:
        fewer = next(n for n in range(ranks, 0, -1) if _best(h, n, cut)[1] >= REFUSE)
        raise InputError(f"swap Monte Carlo on {ranks} ranks: only {fraction:.0%} of the particles could move at a time, because "
                         f"a margin of half the largest cut-off ({cut / 2:.3g}) stays frozen around every rank's part of the "
                         f"cell; use at most {fewer} ranks for this cell")
    return grid


def _best(h: Floats, ranks: int, cut: float) -> tuple[tuple[int, ...], float]:
    divisors = [k for k in range(1, ranks + 1) if ranks % k == 0]
    grids = [grid for grid in product(*[divisors] * len(h)) if np.prod(grid) == ranks]
    best = max(grids, key=lambda grid: (round(active_fraction(h, grid, cut), 9), grid))
    return best, active_fraction(h, best, cut)


@dataclass(frozen=True)
class Zone:
    """The active zone of one rank and its regions.

    low, high : (d,) bounds of the zone [fractions]; 0 and 1 in dimensions that are not split
    split : (d,) bool
    regions : (d,) int
    """

    low: Floats
    high: Floats
    split: NDArray[np.bool_]
    regions: Ints

    @classmethod
    def of(cls, h: Floats, grid: Ints, coordinate: Ints, cut: float, particles: float, reach: float, whole: int) -> Zone:
        """Zone of the brick at `coordinate`; `particles` expected per rank, `reach` = cut-off + skin of the lists.

        Up to `whole` particles make one region.
        """
        split = grid > 1
        margin = np.where(split, 0.5 * cut / heights(h), 0.0)
        low, high = coordinate / grid + margin, (coordinate + 1) / grid - margin
        edges = (high - low) * heights(h)
        regions = np.ones(len(h), dtype=np.int64)
        if particles > whole:
            side = (edges.prod() * REGION / particles) ** (1.0 / len(h))
            regions = np.maximum(np.floor(edges / max(side, reach)).astype(np.int64), 1)
        return cls(low, high, split, regions)

    @property
    def n_regions(self) -> int:
        return int(self.regions.prod())

    def place(self, fraction: Floats) -> tuple[NDArray[np.bool_], Ints, Ints]:
        """Of positions (n, d): whether active, the region (frozen ones: the nearest), a cell inside the region for sorting."""
        inside = ((fraction >= self.low) & (fraction < self.high) | ~self.split).all(axis=1)
        scaled = (fraction - self.low) / (self.high - self.low) * self.regions
        where = np.clip(np.floor(scaled), 0, self.regions - 1)
        cell = np.clip(((scaled - where) * 8).astype(np.int64), 0, 7)
        region = np.ravel_multi_index(tuple(where.astype(np.int64).T), tuple(self.regions))
        return inside, np.asarray(region, dtype=np.int64), np.ravel_multi_index(tuple(cell.T), (8,) * cell.shape[1])

    def bounds(self, region: int) -> tuple[Floats, Floats]:
        """Bounds of a region, infinite in dimensions where it is the whole periodic cell."""
        where = np.array(np.unravel_index(region, tuple(self.regions)))
        width = (self.high - self.low) / self.regions
        whole = ~self.split & (self.regions == 1)
        return np.where(whole, -np.inf, self.low + where * width), np.where(whole, np.inf, self.low + (where + 1) * width)

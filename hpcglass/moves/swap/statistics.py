"""Averages of a swap run with their statistical errors, from blocks of consecutive measurements.

The sums of each block are all that is kept. There are at most BLOCKS of them: when all are full, each two become one. So they do
not depend on how long the run is going to be, and a longer one goes on with them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hpcglass.moves.swap.run import Measurement

BLOCKS = 64
FEWEST = 8          # blocks from which an error is estimated
COLUMNS = ("count", "energy", "energy2", "force2", "laplacian", "up", "down")


class Estimate(NamedTuple):
    """A mean and its standard error (NaN when there are too few blocks)."""

    value: float
    error: float


class Averages:
    """Sums over measurements in blocks.

    Attributes
    ----------
    blocks : (BLOCKS, 7) sums of count, E, E^2, sum |F|^2, sum lap U, up, down; each but the last one that is used has
        2^k measurements
    """

    def __init__(self, blocks: NDArray[np.float64] | None = None) -> None:
        self.blocks = np.zeros((BLOCKS, len(COLUMNS))) if blocks is None else np.array(blocks, dtype=np.float64)

    def add(self, measured: Measurement) -> None:
        """Count the next measurement."""
        full, count = self.blocks[0, 0], self.blocks[:, 0].sum()
        if full and count == full * BLOCKS:
            pairs = self.blocks.reshape(BLOCKS // 2, 2, -1).sum(axis=1)
            self.blocks = np.concatenate([pairs, np.zeros_like(pairs)])
            full *= 2
        # the first block is full as soon as there is a second one, or, before two became one, with one measurement
        self.blocks[int(count // full) if full else 0] += (1.0, measured.energy, measured.energy**2, measured.force2,
                                                           measured.laplacian, measured.up, measured.down)

    def ratio(self, above: str, below: str) -> Estimate:
        """Ratio of two sums; the error is the jackknife's over blocks.

            R = A/B,   R_b = (A - A_b)/(B - B_b),   error^2 = (n-1)/n sum_b (R_b - mean R_b)^2.
        """
        used = self.blocks[self.blocks[:, 0] > 0]
        a, b = used[:, COLUMNS.index(above)], used[:, COLUMNS.index(below)]
        with np.errstate(divide="ignore", invalid="ignore"):
            value, left_out = a.sum() / b.sum(), (a.sum() - a) / (b.sum() - b)
        n = len(used)
        error = np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum()) if n >= FEWEST else np.nan
        return Estimate(float(value), float(error))

    def energy(self) -> Estimate:
        """Mean energy of the system."""
        return self.ratio("energy", "count")

    def halves_apart(self, transient: float) -> float:
        """Difference of the mean energies of the two halves, without the run's first part, in standard errors (from blocks)."""
        used = self.blocks[self.blocks[:, 0] > 0]
        means = (used[:, 1] / used[:, 0])[int(np.ceil(transient * len(used))):]
        halves = np.array_split(means, 2)
        if min(map(len, halves)) < FEWEST:
            return float("inf")
        error = np.hypot(*[half.std(ddof=1) / np.sqrt(len(half)) for half in halves])
        return float(abs(halves[0].mean() - halves[1].mean()) / error) if error > 0 else 0.0

    def correlation(self) -> float:
        """Integrated autocorrelation of the energy, in measurements: how many make one independent one.

        g = (error of the blocks / error if all measurements were independent)^2; a rough figure, not below 1.
        """
        count, energy, energy2 = self.blocks[:, :3].sum(axis=0)
        if not count:
            return float("nan")
        variance = energy2 / count - (energy / count) ** 2
        return float(max(self.energy().error ** 2 * count / variance, 1.0)) if variance > 0 else 1.0

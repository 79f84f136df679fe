"""Ranks of particles by how soft an indicator calls them, and what they are worth as forecasts.

    C = 2 <r> - 1,

r in (0, 1] the rank of the particle that yields, 1 the softest of all: C is 1 if an indicator is always right, 0 if it knows
nothing (S. Patinet, D. Vandembroucq and M. L. Falk, Phys. Rev. Lett. 117, 045501 (2016); D. Richard et al., Phys. Rev. Materials
4, 113609 (2020)). Equal values share their mean rank; a particle without a value (NaN: a rattler, an open cell) is called least
likely.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def soft_ranks(values: Floats, soft: str) -> Floats:
    """(N,) ranks divided by N, 1 = softest.

    Parameters
    ----------
    values : (N,) of an indicator
    soft : which end of the values is soft, "low" or "high"
    """
    from scipy.stats import rankdata

    ordered = np.where(np.isnan(values), -np.inf, values if soft == "high" else -values)
    return np.asarray(rankdata(ordered), dtype=np.float64) / len(values)


def spearman(ranks: Floats) -> Floats:
    """(k, k) correlations of the rows of ranks (k, N): Spearman's coefficient, also with ties; NaN for a row that is constant."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.atleast_2d(np.corrcoef(ranks))


def score(ranks: Floats) -> tuple[float, float]:
    """C = 2 <r> - 1 of independent forecasts (n,), and its standard error; NaN without any, or for the error of a single one."""
    n = int(np.size(ranks))
    if not n:
        return np.nan, np.nan
    error = 2.0 * float(np.std(ranks, ddof=1)) / np.sqrt(n) if n > 1 else np.nan
    return 2.0 * float(np.mean(ranks)) - 1.0, error


def mean_score(ranks: list[Floats]) -> tuple[float, float]:
    """The same of all forecasts of several samples, which are independent of each other, but not those within one.

    The error is that of a ratio of sums over samples.
    """
    counts = np.array([np.size(one) for one in ranks], dtype=np.float64)
    total = counts.sum()
    if not total:
        return np.nan, np.nan
    sums = np.array([2.0 * np.sum(one) - np.size(one) for one in ranks])
    mean = float(sums.sum() / total)
    n = int((counts > 0).sum())
    if n < 2:
        return mean, np.nan
    spread = ((sums - mean * counts) ** 2).sum() / total**2
    return mean, float(np.sqrt(spread * n / (n - 1)))


def cumulative(ranks: Floats) -> tuple[Floats, Floats]:
    """(1 - r ascending, F(1 - r)): share of the forecasts in which so small a part of the particles was called softer."""
    missed = np.sort(1.0 - np.asarray(ranks, dtype=np.float64))
    return missed, np.arange(1, len(missed) + 1) / max(len(missed), 1)

"""Heavy-tailed distributions: logarithmic histograms, power laws fitted to them, plateaus, and errors from independent samples.

All histograms use the edges 10^(k/10) of one absolute grid, so that those of different samples add up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

Floats = NDArray[np.float64]
Window = tuple[float | None, float | None]
PER_DECADE = 10
LEAST_BINS = 5          # occupied bins of a window that is searched for: fewer always look like a power law
STEEPEST = 60.0         # largest |exponent| that is looked for


def log_edges(low_decade: int, high_decade: int, per_decade: int = PER_DECADE) -> Floats:
    """Edges 10^(k/per_decade) from 10^low_decade to 10^high_decade."""
    return np.asarray(10.0 ** (np.arange(low_decade * per_decade, high_decade * per_decade + 1) / per_decade))


def log_histogram(values: ArrayLike, edges: Floats) -> Floats:
    """Numbers of values in the bins (bins,); values outside the edges, and those that are not finite, are not counted."""
    finite = np.asarray(values, dtype=np.float64).ravel()
    return np.histogram(finite[np.isfinite(finite)], edges)[0].astype(np.float64)


def centres(edges: Floats) -> Floats:
    """Geometric centres of bins."""
    return np.asarray(np.sqrt(edges[1:] * edges[:-1]))


# ---------------------------------------------------------------------------------------------- power laws


@dataclass(frozen=True)
class Tail:
    """A power law P(x) = A x^-beta (lower tails: A x^beta) inside a window; NaN where there were too few counts.

    Attributes
    ----------
    exponent, exponent_error : beta, and its error for independent values (0 if beta was given)
    prefactor, prefactor_error : A of the density normalised over `total` values, and its error for independent values
    window : smallest and largest x
    count : values inside the window
    distance : Kolmogorov-Smirnov distance of data and fit inside the window, seen at the edges of the bins
    """

    exponent: float
    exponent_error: float
    prefactor: float
    prefactor_error: float
    window: tuple[float, float]
    count: float
    distance: float


def fit_tail(edges: Floats, counts: Floats, total: float | None = None, window: Window = (None, None),
             exponent: float | None = None, side: Literal["upper", "lower"] = "upper", least: int = 50) -> Tail:
    """Fit a power law to one end of a histogram by maximum likelihood for binned data.

    With c_i of n values in bin i of the window, m_i(s) = int x^s dx over the bin and M(s) that over the window, s maximises

        ln L(s) = sum_i c_i ln m_i(s) - n ln M(s) ,     s = -beta (upper) or +beta (lower),

    its error is (-d2 ln L / ds2)^-1/2, and A = n / (total M(s)). The law is one truncated to the window: what is beyond does
    not matter. The error of A is binomial, plus what s passes on: (dA/A)^2 = 1/n - 1/total + (d ln M/ds)^2 (ds)^2. For values
    that are not independent (modes of one sample) take errors from the scatter of samples instead (`resamplings`).

    Parameters
    ----------
    edges : (bins + 1,) ascending, positive
    counts : (bins,)
    total : number of values the density is normalised over, those outside the histogram too; default: all counts
    window : smallest and largest x; only bins that are wholly inside count. Where the tail begins (the smallest x of an
        upper one, the largest of a lower one) None means: the edge with the least distance, among those with at least
        `least` values and five occupied bins in the tail. At the far end None means the end of the histogram.
    exponent : beta, if only A is wanted

    Returns
    -------
    Tail
        With NaN where there are too few counts: thin data are no error.

    Notes
    -----
    Y. Virkar, A. Clauset, Ann. Appl. Stat. 8, 89 (2014).
    """
    edges, counts = np.asarray(edges, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    total = float(counts.sum()) if total is None else float(total)
    low, high = window
    first = 0 if low is None else int(np.searchsorted(edges, low * (1 - 1e-9)))
    last = len(counts) if high is None else int(np.searchsorted(edges, high * (1 + 1e-9), "right")) - 1
    nothing = _nothing((np.nan, np.nan), float(counts[first: max(first, last)].sum()))
    if side == "upper":
        searched, spans = low is None, [(a, last) for a in range(first, last) if counts[a]]
    else:
        searched, spans = high is None, [(first, b) for b in range(first + 1, last + 1) if counts[b - 1]]
    if searched:
        spans = [(a, b) for a, b in spans if counts[a:b].sum() >= least and np.count_nonzero(counts[a:b]) >= LEAST_BINS]
    else:
        spans = [(first, last)] if last > first else []
    fits = [_fit(edges[a: b + 1], counts[a:b], total, exponent, side) for a, b in spans]
    # distances that differ by round-off are equal, and the tail with most values wins
    return min((fit for fit in fits if np.isfinite(fit.distance)), key=lambda fit: (round(fit.distance, 12), -fit.count),
               default=nothing)


def _fit(edges: Floats, counts: Floats, total: float, exponent: float | None, side: str) -> Tail:
    """The fit in a given window, all of it."""
    sign = -1.0 if side == "upper" else 1.0
    y, n = np.log(edges), float(counts.sum())
    window = (float(edges[0]), float(edges[-1]))

    def score(t: float) -> float:
        """d ln L / ds at t = s + 1, the power of x in dx = x d(ln x)."""
        return float(counts @ _mean(y[:-1], y[1:], t)) - n * float(_mean(y[0], y[-1], t))

    if exponent is not None:
        t = 1.0 + sign * exponent
    elif n < 2 or score(-STEEPEST) <= 0.0 or score(STEEPEST) >= 0.0:         # all in one bin at the end: infinitely steep
        return _nothing(window, n)
    else:
        t = float(brentq(score, -STEEPEST, STEEPEST, xtol=1e-12))
    if n < 1:
        return _nothing(window, n)
    information = n * float(_variance(y[0], y[-1], t)) - float(counts @ _variance(y[:-1], y[1:], t))
    variance = 0.0 if exponent is not None else 1.0 / information if information > 0.0 else np.nan
    whole = float(_log_mass(y[0], y[-1], t))
    prefactor = float(np.exp(np.log(n / total) - whole))
    relative = max(1.0 / n - 1.0 / total, 0.0) + float(_mean(y[0], y[-1], t)) ** 2 * variance
    model = np.cumsum(np.exp(_log_mass(y[:-1], y[1:], t) - whole))
    distance = float(np.abs(np.cumsum(counts) / n - model).max())
    return Tail(sign * (t - 1.0), float(np.sqrt(variance)), prefactor, prefactor * float(np.sqrt(relative)), window, n, distance)


def _nothing(window: tuple[float, float], count: float) -> Tail:
    """No fit."""
    return Tail(np.nan, np.nan, np.nan, np.nan, window, count, np.nan)


def _log_mass(low: Any, high: Any, t: float) -> Floats:
    """ln of int_low^high e^(t y) dy, for any t."""
    low, high = np.asarray(low), np.asarray(high)
    h = np.abs(t) * (high - low) / 2
    safe = np.maximum(h, 1e-4)
    log_sinhc = np.where(h < 1e-4, h * h / 6, safe + np.log1p(-np.exp(-2 * safe)) - np.log(2 * safe))
    return t * (low + high) / 2 + np.log(high - low) + log_sinhc


def _mean(low: Any, high: Any, t: float) -> Floats:
    """Mean of y on [low, high] with the weight e^(t y)."""
    low, high = np.asarray(low), np.asarray(high)
    h = t * (high - low) / 2
    safe = np.where(np.abs(h) < 1e-3, 1.0, h)
    return (low + high) / 2 + (high - low) / 2 * np.where(np.abs(h) < 1e-3, h / 3, 1 / np.tanh(safe) - 1 / safe)


def _variance(low: Any, high: Any, t: float) -> Floats:
    """Variance of y on [low, high] with the weight e^(t y)."""
    low, high = np.asarray(low), np.asarray(high)
    h = np.abs(t) * (high - low) / 2
    safe = np.clip(h, 0.05, 300.0)
    exact = 1 / np.maximum(h, 0.05) ** 2 - 1 / np.sinh(safe) ** 2
    return ((high - low) / 2) ** 2 * np.where(h < 0.05, 1 / 3 - h * h / 15, exact)


# ---------------------------------------------------------------------------------------------- plateaus


@dataclass(frozen=True)
class Plateau:
    """The plateau of a participation number at large eigenvalues, and the length that follows from it; NaN if there is none.

    Attributes
    ----------
    value : N e on the plateau
    at : eigenvalue where the profile comes down to 15 % above it; NaN if it is never above
    participants : n = 1.15 value
    length : xi = a_0 n^(1/d)
    value_error, length_error : scatter of samples (NaN without samples)
    """

    value: float
    at: float
    participants: float
    length: float
    value_error: float = np.nan
    length_error: float = np.nan


def plateau(x: Floats, y: Floats, rise: float = 0.15, start: int = 3, least: int = 5) -> tuple[float, float]:
    """Plateau of a profile y(x) at large x.

    It is the median of the y of consecutive points from the largest x down: the last `start` points, and each further one,
    until two in turn are more than (1 + rise) times the median of those above them.

    Parameters
    ----------
    x : (n,) ascending, positive
    y : (n,) one value per bin of x; points that are not finite are left out
    least : fewer points are no plateau but the end of a slope

    Returns
    -------
    value, at : height of the plateau, and the x where y comes down to (1 + rise) value (ln x interpolated between two
        points); NaN if there is no plateau, `at` also if y is never so high
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    seen = np.isfinite(y) & (x > 0)
    x, y = x[seen], y[seen]
    if len(y) < max(start, least):
        return np.nan, np.nan
    begin = len(y) - start
    while begin > 0 and (y[max(begin - 2, 0): begin] <= (1 + rise) * np.median(y[begin:])).any():
        begin -= 1
    if len(y) - begin < least:
        return np.nan, np.nan
    level = float(np.median(y[begin:]))
    if begin == 0:
        return level, np.nan
    bar = (1 + rise) * level
    k = next(k for k in range(begin - 1, len(y) - 1) if y[k + 1] <= bar)
    return level, float(x[k] * (x[k + 1] / x[k]) ** ((y[k] - bar) / (y[k] - y[k + 1])))


def plateau_length(eigenvalue: Floats, participation_number: Floats, spacing: float, dimension: int,
                   samples: NDArray[Any] | None = None, least: int = 30) -> Plateau:
    """Length of quasilocalised modes from the plateau of their participation number.

    Medians of N e in logarithmic bins of the eigenvalue give a profile; its `plateau` P gives n = 1.15 P and xi = a_0 n^(1/d).

    Parameters
    ----------
    eigenvalue, participation_number : (modes,) lambda and N e of each mode
    spacing : a_0 = (V/N)^(1/d)
    dimension : d
    samples : (modes,) which sample each mode belongs to: errors then are those of a bootstrap over samples
    least : bins with fewer modes are left out

    Notes
    -----
    J. A. Giannini et al., Phys. Rev. E 104, 044905 (2021), eq. 13 and Fig. 3b.
    """
    eigenvalue, number = np.asarray(eigenvalue, dtype=np.float64), np.asarray(participation_number, dtype=np.float64)
    good = (eigenvalue > 0) & (number > 0)
    eigenvalue, number = eigenvalue[good], number[good]
    bins = np.floor(PER_DECADE * np.log10(eigenvalue)).astype(np.int64)

    def measure(chosen: NDArray[np.int64]) -> Plateau:
        order = chosen[np.argsort(bins[chosen], kind="stable")]
        keys, first = np.unique(bins[order], return_index=True)
        groups = np.split(number[order], first[1:])
        medians = np.array([np.median(group) if len(group) >= least else np.nan for group in groups])
        return length_of(*plateau(10 ** ((keys + 0.5) / PER_DECADE), medians), spacing, dimension)

    whole = measure(np.arange(len(bins)))
    if samples is None:
        return whole
    names = np.unique(np.asarray(samples)[good], return_inverse=True)[1]
    rows = np.split(np.argsort(names, kind="stable"), np.cumsum(np.bincount(names))[:-1])
    again = [measure(np.concatenate([np.repeat(rows[k], w) for k, w in enumerate(drawn)])) for drawn in resamplings(len(rows))]
    errors = (float(scatter([getattr(p, name) for p in again])) for name in ("value", "length"))
    return length_of(whole.value, whole.at, spacing, dimension, *errors)


def length_of(value: float, at: float, spacing: float, dimension: int, value_error: float = np.nan,
              length_error: float = np.nan) -> Plateau:
    """n and xi of a plateau."""
    n = 1.15 * value
    return Plateau(value, at, n, spacing * n ** (1 / dimension), value_error, length_error)


def histogram_median(counts: Floats, edges: Floats, least: int = 1) -> Floats:
    """Medians from histograms, (..., bins) -> (...): linear in ln x inside the bin; NaN with fewer than `least` counts."""
    total = counts.sum(axis=-1)
    running = np.cumsum(counts, axis=-1)
    bin_ = np.minimum((running < total[..., None] / 2).sum(axis=-1), counts.shape[-1] - 1)
    inside = np.take_along_axis(counts, bin_[..., None], -1)[..., 0]
    before = np.take_along_axis(running, bin_[..., None], -1)[..., 0] - inside
    share = (total / 2 - before) / np.maximum(inside, 1e-300)
    with np.errstate(invalid="ignore"):
        return np.where(total >= max(least, 1), edges[bin_] * (edges[bin_ + 1] / edges[bin_]) ** share, np.nan)


# ---------------------------------------------------------------------------------------------- errors from samples


def resamplings(samples: int, count: int = 200, seed: int = 0) -> NDArray[np.int64]:
    """How often each sample is drawn in each of `count` bootstrap resamplings, (count, samples); the same in every call.

    There are none, (0, 1), of a single sample.
    """
    if samples < 2:
        return np.zeros((0, samples), dtype=np.int64)
    return np.random.default_rng(seed).multinomial(samples, np.full(samples, 1 / samples), size=count).astype(np.int64)


def scatter(values: ArrayLike) -> Any:
    """Standard deviation of what resamplings gave, (resamplings, ...) -> (...); NaN where fewer than half of them are finite."""
    given = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(given)
    n = finite.sum(axis=0)
    mean = np.where(finite, given, 0.0).sum(axis=0) / np.maximum(n, 1)
    square = np.where(finite, given - mean, 0.0) ** 2
    enough = n >= max(2, len(given) / 2)
    return np.where(enough, np.sqrt(square.sum(axis=0) / np.maximum(n - 1, 1)), np.nan)[()]


def jackknife(estimate: Callable[[NDArray[np.bool_]], Floats], samples: int) -> Floats:
    """Standard error of `estimate(kept)` by leaving out one sample at a time; NaN with one sample."""
    whole = np.ones(samples, dtype=bool)
    if samples < 2:
        return np.full(np.shape(estimate(whole)), np.nan)
    left = np.array([estimate(np.arange(samples) != k) for k in range(samples)])
    return np.asarray(np.sqrt((samples - 1) / samples * ((left - left.mean(axis=0)) ** 2).sum(axis=0)))

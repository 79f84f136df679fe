"""Distributions of local yield stresses.

A threshold is Q(u), the quantile function of its distribution at a uniform number u; u is keyed by (seed, site, number of events
of the site), so that nothing has to be stored and any rank draws the same. Q is read from a table: cubic Hermite interpolation
with exact slopes in the logit t = ln u/(1 − u), in which tails are smooth, on as many intervals as make the error smaller than
1e-10 of the standard deviation (halfway between nodes, where it is largest). One piece of compiled code then serves every
distribution. An empirical sample is its own table: u picks one of the values.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.stats
from numba import njit
from numpy.typing import ArrayLike, NDArray

from hpcglass.errors import InputError

Table = NDArray[np.float64]
EDGE = 37.5                     # logit of the smallest u that is ever drawn, 2^-53, is -36.7
NAMES = {"normal": ("mean", "std"), "weibull": ("shape", "scale"), "gamma": ("shape", "scale")}


class Distribution:
    """A distribution of thresholds; made by `named` or `sample`.

    Attributes
    ----------
    name : str
    mean, variance : float
        Of the distribution as it is drawn from, that is after truncation; ⟨σ_c²⟩ = mean² + variance.
    table : (n, 2) float64, or (n, 1)
        Quantile function and slope against the logit; or the sorted values of a sample.
    """

    def __init__(self, name: str, mean: float, variance: float, table: Table) -> None:
        self.name, self.mean, self.variance, self.table = name, mean, variance, table

    def quantile(self, uniform: ArrayLike) -> NDArray[np.float64]:
        """Q(u) for u in (0, 1), any shape."""
        u = np.asarray(uniform, dtype=np.float64)
        return _quantiles(self.table, np.atleast_1d(u).ravel()).reshape(u.shape)


@njit(cache=True, error_model="numpy")
def quantile(table: Any, u: Any) -> Any:
    """Q(u), 0 < u < 1."""
    if table.shape[1] == 1:
        return table[min(int(u * table.shape[0]), table.shape[0] - 1), 0]
    intervals = table.shape[0] - 1
    step = 2.0 * EDGE / intervals
    place = (math.log(u) - math.log1p(-u) + EDGE) / step
    i = int(place)
    s = place - i
    r = 1.0 - s
    return (r * r * (1.0 + 2.0 * s) * table[i, 0] + s * s * (3.0 - 2.0 * s) * table[i + 1, 0]
            + s * r * step * (r * table[i, 1] - s * table[i + 1, 1]))


@njit(cache=True, error_model="numpy")
def _quantiles(table: Any, u: Any) -> Any:
    result = np.empty_like(u)
    for i in range(u.size):
        result[i] = quantile(table, u[i])
    return result


def sample(values: ArrayLike) -> Distribution:
    """The distribution in which each of some measured values is equally likely.

    Raises
    ------
    InputError
        No values, or values that are not finite numbers.
    """
    sorted_values = np.sort(np.asarray(values, dtype=np.float64).ravel())
    if sorted_values.size == 0 or not np.all(np.isfinite(sorted_values)):
        raise InputError(f"a sample of thresholds must be finite numbers, at least one; got {sorted_values.size} values, "
                         f"{np.count_nonzero(~np.isfinite(sorted_values))} of them not finite")
    return Distribution("sample", float(sorted_values.mean()), float(sorted_values.var()), sorted_values[:, None])


def named(name: str, *, mean: float | None = None, cv: float | None = None, std: float | None = None, shape: float | None = None,
          scale: float | None = None, lower: float | None = None, upper: float | None = None) -> Distribution:
    """A normal, Weibull or gamma distribution, whole or cut to an interval.

    Parameters
    ----------
    name : {"normal", "weibull", "gamma"}
    mean, cv : float
        Mean and coefficient of variation (std/mean); works for every name.
    mean, std (normal) or shape, scale (Weibull, gamma) : float
        Or its own parameters.
    lower, upper : float, optional
        Only values between them; the parameters are those of the distribution before it is cut.

    Raises
    ------
    InputError
        Unknown name, parameters missing, too many or impossible, or nothing left between `lower` and `upper`.
    """
    if name not in NAMES:
        raise InputError(f'no distribution "{name}"; there are {", ".join(NAMES)}')
    given = {key: value for key, value in dict(mean=mean, cv=cv, std=std, shape=shape, scale=scale).items() if value is not None}
    own = NAMES[name]
    if set(given) not in ({"mean", "cv"}, set(own)):
        raise InputError(f"a {name} distribution needs either mean and cv, or {own[0]} and {own[1]}; "
                         f'got {", ".join(given) or "nothing"}')
    positive = set(given) - ({"mean"} if name == "normal" and "std" in given else set())
    wrong = [key for key, value in given.items() if not math.isfinite(value) or (key in positive and value <= 0.0)]
    if wrong:
        raise InputError(f"{name} distribution: {wrong[0]} = {given[wrong[0]]} "
                         f'must be a finite{" positive" * (wrong[0] in positive)} number')
    base = _from_moments(name, given["mean"], given["cv"]) if "cv" in given else _from_own(name, given[own[0]], given[own[1]])
    low, high = base.support()
    low, high = max(low, -np.inf if lower is None else lower), min(high, np.inf if upper is None else upper)
    if not low < high or not base.cdf(high) - base.cdf(low) > 1e-12:
        raise InputError(f"{name} distribution: nothing is left between lower = {lower} and upper = {upper}")
    cut = _Cut(base, low, high)
    average, variance = cut.moments()
    return Distribution(name, average, variance, _tabulate(cut, math.sqrt(variance)))


def _from_own(name: str, first: float, second: float) -> Any:
    if name == "normal":
        return scipy.stats.norm(first, second)
    return (scipy.stats.weibull_min if name == "weibull" else scipy.stats.gamma)(first, scale=second)


def _from_moments(name: str, mean: float, cv: float) -> Any:
    if name == "normal":
        return _from_own(name, mean, cv * mean)
    if name == "gamma":
        return _from_own(name, cv**-2, mean * cv**2)
    from scipy.optimize import brentq

    def excess(log_shape: float) -> float:
        inverse = math.exp(-log_shape)
        return math.lgamma(1.0 + 2.0 * inverse) - 2.0 * math.lgamma(1.0 + inverse) - math.log1p(cv**2)

    if not 0.002 <= cv <= 50.0:
        raise InputError(f"weibull distribution: cv = {cv} must be between 0.002 and 50")
    exponent = math.exp(brentq(excess, math.log(0.1), math.log(2000.0), xtol=1e-15))
    return _from_own(name, exponent, mean / math.gamma(1.0 + 1.0 / exponent))


class _Cut:
    """A distribution of scipy.stats between two bounds; what lies in its tails is reckoned from the tail's own end."""

    def __init__(self, base: Any, low: float, high: float) -> None:
        self.base, self.low, self.high = base, low, high
        self.below, self.above = float(base.cdf(low)), float(base.sf(high))
        self.share = 1.0 - self.below - self.above

    def at(self, t: Table) -> tuple[Table, Table]:
        """Q and dQ/dt at logits t."""
        u, v = 1.0 / (1.0 + np.exp(-t)), 1.0 / (1.0 + np.exp(t))
        lower_half = t < 0.0
        value = np.where(lower_half, self.base.ppf(np.where(lower_half, self.below + u * self.share, 0.5)),
                         self.base.isf(np.where(lower_half, 0.5, self.above + v * self.share)))
        value = np.clip(value, self.low, self.high)
        density = self.base.pdf(value)
        slope = np.divide(u * v * self.share, density, out=np.zeros_like(density), where=density > 0.0)
        return value, slope

    def moments(self) -> tuple[float, float]:
        """Mean and variance; by quadrature over the logit (the trapezoid rule converges exponentially there)."""
        if self.share == 1.0:
            return float(self.base.mean()), float(self.base.var())
        t, step = np.linspace(-EDGE, EDGE, 20001, retstep=True)
        value = self.at(t)[0]
        weight = step / (2.0 * np.cosh(0.5 * t)) ** 2
        mean = float(weight @ value)
        return mean, float(weight @ (value - mean) ** 2)


def _tabulate(cut: _Cut, scale: float) -> Table:
    """Nodes of the interpolation, doubled until its error is below 1e-10 of `scale`."""
    intervals = 1024
    while True:
        nodes = np.linspace(-EDGE, EDGE, intervals + 1)
        table = np.ascontiguousarray(np.column_stack(cut.at(nodes)))
        middle = 0.5 * (nodes[1:] + nodes[:-1])
        step = nodes[1] - nodes[0]
        between = 0.5 * (table[1:, 0] + table[:-1, 0]) + 0.125 * step * (table[:-1, 1] - table[1:, 1])
        error = np.max(np.abs(between - cut.at(middle)[0]) / (scale + np.abs(between)))
        if error < 1e-10 or intervals >= 1 << 17:
            return table
        intervals *= 2

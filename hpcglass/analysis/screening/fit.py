"""Is a glass screened? Fit of the screening parameter to the displacement around an inflated core.

>>> profile = radial_profile(position, displacement, centre, Annulus(r_in, r_out, d_0))
>>> fit = fit_screening(profile)
>>> fit.kappa, fit.error, fit.screened
>>> measure_deviation(profile).signed

What makes the fit delicate, and what is done about it:

- Bins move together. A particle that moves for itself is in one bin; a plastic event moves all that is outside of it. The
  noise is therefore a part of each bin's own and a walk along the radius, in units of the elastic displacement, which
  carries the flux of the inner wall through all circles. Steps of Student's distribution leave room for large events.
  How much there is of either, and of all, is not known beforehand: the likelihood is averaged over it.
- The scatter between angular sectors is no measure of this noise: in a nearly incompressible medium the flux through a
  circle is conserved and that through a sector is not.
- The misfit has a minimum between any two poles of the theory. The scan follows the poles; every minimum is reported.
- With so many minima one of them fits noise. The decision is by the evidence, the likelihood averaged over all κ,
  of which the Bayesian information criterion is the limit of a single sharp minimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpcglass.analysis.screening.annulus import Annulus, elastic, poles, screened
from hpcglass.analysis.screening.radial import Profile
from hpcglass.errors import InputError

Floats = NDArray[np.float64]
BRANCH = 16             # points of the scan between two poles
FINE = np.linspace(-6.0, 6.0, 49)       # and around each minimum, in standard errors
COMPETING = 40.0        # misfit above the best up to which a minimum gets them
OWN = (0.03, 0.2, 0.7)  # shares of a bin's own noise in the variance that are tried, besides 1
RIM = (0.03, 0.2)       # noise next to the outer wall, where d_el vanishes: that at r is d_el [1 + rim/(1 − (r/r_out)^D)]
FREEDOM = 4.0           # of Student's distribution
STEPS = 4               # towards the size of the noise
SHARES = np.linspace(0.0, 1.0, 161)     # of the bins: quantiles of d_r/d_el that are tried as amplitudes
GOLDEN = (np.sqrt(5) - 1) / 2
MEDIAN = 0.4549         # of the square of a Gaussian of unit variance
HUGE = 1e30             # stands for infinity at a pole
EVIDENCE = 2.0          # delta from which on there is some (Kass and Raftery, J. Am. Stat. Assoc. 90, 773 (1995))
FINEST = 1e-12          # least noise, so that perfect data can be fitted


@dataclass(frozen=True)
class Screening:
    """Result of `fit_screening`.

    The misfit is −2 ln(likelihood), 0 at its least: what is known as χ², less its minimum, when the noise is Gaussian and known.

    Attributes
    ----------
    kappa : where the misfit is least
    low, high : where it is 1, on both sides: an interval of 68 %
    minima : (n, 2) κ and misfit of all minima, the best first
    scan : (points, 2) κ and misfit, ascending in κ
    misfit_elastic : at κ = 0
    delta : twice the logarithm of the evidence for screening over that for elasticity
    amplitude : median of measured over fitted displacement; less than 1 where the medium next to the wall moves less than it
    noise : typical residual, as a part of the elastic displacement
    elastic_amplitude : the number A with which A d_el fits best
    misfit_scaled : misfit of A d_el; negative if it fits better than the best κ does with the actual d_0
    """

    kappa: float
    low: float
    high: float
    minima: Floats
    scan: Floats
    misfit_elastic: float
    delta: float
    amplitude: float
    noise: float
    elastic_amplitude: float
    misfit_scaled: float

    @property
    def error(self) -> float:
        """Half the interval of 68 %."""
        return (self.high - self.low) / 2

    @property
    def screened(self) -> bool:
        """Whether there is evidence for screening, and elasticity with another amplitude is not the better description."""
        return self.delta > EVIDENCE and not self.scaled

    @property
    def scaled(self) -> bool:
        """Whether elasticity with another amplitude fits better than κ does: the core is not as large as its wall."""
        return self.misfit_scaled < -EVIDENCE


class Likelihood:
    """Misfit of the theory, up to a constant, as a function of κ; the likelihood is averaged over kinds of noise.

    With e_b the deviation in bin b in units of d_el [1 + rim/(1 − (r_b/r_out)^D)], a kind of noise has the covariance

        σ² [own δ_bc + (1 − own) v(min(r_b, r_c))],

    a bin's own noise and a walk whose variance v grows as the volume inside, r^D − r_in^D, or as ln(r/r_in): events are
    everywhere, or near the core. In the order of the bins, the independent parts of e (by Cholesky factors) have Student's
    distribution; its σ is that of greatest likelihood at each κ.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.expected = np.abs(profile.average(elastic(profile.nodes, profile.annulus)))
        d, r, annulus = profile.annulus.dimension, profile.r, profile.annulus
        walks = [_walk(r**d - annulus.r_in**d), _walk(np.log(r / annulus.r_in))]
        own = np.eye(len(r))
        kinds = [own, *(share * own + (1 - share) * walk for walk in walks for share in OWN)]
        factors = [np.linalg.cholesky(kind) for kind in kinds]
        units = [self.expected * (1 + rim / (1 - (r / annulus.r_out) ** d)) for rim in RIM]
        self.whiten = np.array([np.linalg.inv(factor) / unit for unit in units for factor in factors])
        self.volume = np.array([2 * np.log(np.diag(factor) * unit).sum() for unit in units for factor in factors])

    def theory(self, kappa: ArrayLike) -> Floats:
        """Screened displacement in the bins, (..., bins), one row per κ."""
        k = np.asarray(kappa, dtype=np.float64)[..., None, None]
        limit = HUGE * self.profile.annulus.d_0
        return np.clip(self.profile.average(screened(self.profile.nodes, k, self.profile.annulus)), -abs(limit), abs(limit))

    def __call__(self, kappa: ArrayLike) -> Floats:
        """Misfit, of the shape of `kappa`, (n,)."""
        return self.of_deviation(self.profile.d_r - self.theory(kappa))

    def of_deviation(self, deviation: Floats) -> Floats:
        """Misfit (n,) of deviations (n, bins)."""
        square = (deviation @ self.whiten.transpose(0, 2, 1)) ** 2 + FINEST**2
        variance = np.median(square, axis=-1, keepdims=True) / MEDIAN
        for _ in range(STEPS):      # expectation and maximisation
            variance = (FREEDOM + 1) * (square / (FREEDOM + square / variance)).mean(axis=-1, keepdims=True)
        tail = (FREEDOM + 1) * np.log1p(square / (FREEDOM * variance)).sum(axis=-1)
        each = square.shape[-1] * np.log(variance[..., 0]) + tail + self.volume[:, None]
        least = each.min(axis=0)
        return np.asarray(least - 2 * np.log(np.exp((least - each) / 2).mean(axis=0)))


def _walk(variance: Floats) -> Floats:
    """Covariance v(min(b, c)) of a walk, 1 on average on the diagonal."""
    bins = np.arange(len(variance))
    return np.asarray(variance[np.minimum(bins[:, None], bins)] / variance.mean())


def fit_screening(profile: Profile, kappa_max: float | None = None) -> Screening:
    """Fit κ, and κ alone, to a profile; decide between elasticity with and without screening.

    Parameters
    ----------
    profile : of `radial_profile`
    kappa_max : largest κ considered; by default a wave has at least four bins, π/(2 width of a bin)

    Returns
    -------
    Screening

    Raises
    ------
    InputError
        `kappa_max` is not positive.

    Notes
    -----
    delta = 2 ln ∫ exp(−[misfit(κ) − misfit(0)]/2) d(ln κ) / ln(κ_max r_out), from 1/r_out to κ_max: no order of magnitude of κ is
    preferred beforehand. Below 1/r_out both solutions are within 10 % of each other.
    """
    likelihood = Likelihood(profile)
    top = float(np.pi / (2 * np.diff(profile.edges).mean()) if kappa_max is None else kappa_max)
    if not 0 < top < np.inf:
        raise InputError(f"screening: the largest kappa must be a positive number, not {top:g}")
    grid = scan_points(profile.annulus, top)
    minima = _minima(likelihood, grid)
    close = minima[minima[:, 1] < minima[0, 1] + COMPETING, 0]
    fine = close[:, None] + _width(likelihood, close, top)[:, None] * FINE
    grid = np.unique(np.concatenate([grid, close, np.clip(fine, 0, top).ravel()]))
    value = likelihood(grid)
    best = float(grid[value.argmin()])
    amplitude, scaled = _scaled(likelihood)
    scaled -= float(value.min())
    minima[0] = best, value.min()
    minima[:, 1] -= value.min()
    value -= value.min()
    evidence = _evidence(grid, value, min(1 / profile.annulus.r_out, top / np.e), top)
    theory = likelihood.theory(best)
    residual = (profile.d_r - theory) / likelihood.expected
    return Screening(best, *_interval(grid, value), minima, np.column_stack([grid, value]), float(value[0]),
                     float(2 * np.log(evidence) + value[0]), float(np.median(profile.d_r / theory)),
                     float(np.sqrt(np.median(residual**2) / MEDIAN)), amplitude, scaled)


def _scaled(likelihood: Likelihood) -> tuple[float, float]:
    """A for which A d_el fits best, among the quantiles of d_r/d_el, and its misfit."""
    expected = likelihood.theory(0.0)
    amplitude = np.quantile(likelihood.profile.d_r / expected, SHARES)
    misfit = likelihood.of_deviation(likelihood.profile.d_r - amplitude[:, None] * expected)
    return float(amplitude[misfit.argmin()]), float(misfit.min())


def _evidence(grid: Floats, value: Floats, low: float, high: float) -> float:
    """Average over ln κ of exp(−misfit/2), by the trapezoidal rule."""
    x = np.append(low, grid[grid > low])
    weight = np.exp(-np.interp(x, grid, value) / 2)
    return float(((weight[1:] + weight[:-1]) * np.diff(np.log(x))).sum() / (2 * np.log(high / low)))


def scan_points(annulus: Annulus, kappa_max: float) -> Floats:
    """κ from 0 to kappa_max, between two poles BRANCH points that crowd towards both."""
    ends = np.concatenate([[0.0], poles(annulus, kappa_max), [kappa_max]])
    share = (1 - np.cos(np.pi * (np.arange(BRANCH) + 0.5) / BRANCH)) / 2
    inner = ends[:-1, None] + np.diff(ends)[:, None] * share
    return np.concatenate([[0.0], inner.ravel(), [kappa_max]])


def _minima(likelihood: Likelihood, grid: Floats) -> Floats:
    """κ and misfit (n, 2) of all minima, the best first: of the scan, then narrowed by golden sections, all at once."""
    value = np.concatenate([[np.inf], likelihood(grid), [np.inf]])
    k = np.flatnonzero((value[1:-1] <= value[:-2]) & (value[1:-1] < value[2:]))
    low, high = grid[np.maximum(k - 1, 0)], grid[np.minimum(k + 1, len(grid) - 1)]
    inner = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)]
    misfit = [likelihood(x) for x in inner]
    for _ in range(22):
        left = misfit[0] < misfit[1]
        low, high = np.where(left, low, inner[0]), np.where(left, inner[1], high)
        new = np.where(left, high - GOLDEN * (high - low), low + GOLDEN * (high - low))
        there = likelihood(new)
        inner = [np.where(left, new, inner[1]), np.where(left, inner[0], new)]
        misfit = [np.where(left, there, misfit[1]), np.where(left, misfit[0], there)]
    # at the ends of the scan the minimum is the end itself
    pairs = np.stack([np.where(value[k + 1] <= misfit[0], grid[k], inner[0]), np.minimum(value[k + 1], misfit[0])], axis=1)
    return pairs[np.argsort(pairs[:, 1], kind="stable")]


def _width(likelihood: Likelihood, kappa: Floats, top: float) -> Floats:
    """Distance from each minimum at which the misfit has grown by about 1."""
    least, step = likelihood(kappa), np.full(len(kappa), 1e-7 * top)
    for _ in range(22):
        grown = np.minimum(likelihood(kappa + step), likelihood(np.abs(kappa - step))) - least
        if (grown > 0.5).all():
            break
        step = np.where(grown < 0.5, 2 * step, step)
    return step


def _interval(grid: Floats, value: Floats) -> tuple[float, float]:
    """Where the misfit first passes 1 on both sides of its least."""
    ends, k = [], int(value.argmin())
    for x, y in ((grid[k::-1], value[k::-1]), (grid[k:], value[k:])):
        beyond = np.flatnonzero(y > 1)
        j = int(beyond[0]) if len(beyond) else 0
        ends.append(float(x[j - 1] + (x[j] - x[j - 1]) * (1 - y[j - 1]) / (y[j] - y[j - 1]) if j else x[-1]))
    return ends[0], ends[1]


@dataclass(frozen=True)
class Deviation:
    """Deviation from elasticity, Eq. 9, with and without sign: M = (r_out − r_in)⁻¹ Σ_b w_b (d_el − d_r)/d_el and |M|.

    The paper prints the modulus in its formula and plots negative values. Errors are from the sectors; |M| is biased
    upwards by the noise.
    """

    signed: float
    signed_error: float
    absolute: float
    absolute_error: float


def measure_deviation(profile: Profile) -> Deviation:
    """M and |M| of a profile; w_b are the widths of the bins."""
    expected = profile.average(elastic(profile.nodes, profile.annulus))
    share = np.diff(profile.edges) / (profile.edges[-1] - profile.edges[0])
    relative = 1 - profile.d_r / expected
    sectors = (share / expected)[:, None] * profile.influence
    return Deviation(float(share @ relative), float(np.linalg.norm(sectors.sum(axis=0))),
                     float(share @ np.abs(relative)), float(np.linalg.norm(np.sign(relative) @ sectors)))

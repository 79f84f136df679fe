"""Is a glass screened? Fit of the screening parameter to the displacement around an inflated core.

>>> profile = radial_profile(position, displacement, centre, Annulus(r_in, r_out, d_0))
>>> fit = fit_screening(profile)
>>> fit.kappa, fit.error, fit.screened
>>> measure_deviation(profile).signed

What makes the fit delicate, and what is done about it:

- Bins move together: a local change of density shifts all that is outside of it, and a plastic event is a jump. The noise
  is taken to remember the bin inside, as long as the residuals say, with jumps of Student's distribution, so that
  a few large ones, as there are next to walls, do not outweigh all others. Its size, too, is that of the residuals: the
  angular average is quieter than its sectors, since in a nearly incompressible medium the flux through a circle is
  conserved and that through a sector is not. The sectors tell how the noise depends on the radius.
- The misfit has a minimum between any two poles of the theory. The scan follows the poles; every minimum is reported.
- With so many minima one of them fits noise. The decision is by the evidence, the likelihood averaged over all κ,
  of which the Bayesian information criterion is the limit of a single sharp minimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpcglass.analysis.annulus import Annulus, elastic, poles, screened
from hpcglass.analysis.radial import Profile
from hpcglass.errors import InputError

Floats = NDArray[np.float64]
BRANCH = 16             # points of the scan between two poles
FINE = np.linspace(-6.0, 6.0, 49)       # and around each minimum, in standard errors
COMPETING = 40.0        # misfit above the best up to which a minimum gets them
MEMORY = np.array([0.0, 0.3, 0.6, 0.8, 0.9, 0.97])      # correlations of neighbouring bins that are tried
FREEDOM = 4.0           # of Student's distribution
FITTED = 4.0            # numbers that the data are fitted with: κ, ρ, σ, and how close κ is to a pole
STEPS = 6               # towards the size of the noise
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
    noise : typical residual over the standard error from the sectors
    independent : number of independent data among the bins, 1 + (bins − 1)(1 − ρ)/(1 + ρ)
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
    independent: float

    @property
    def error(self) -> float:
        """Half the interval of 68 %."""
        return (self.high - self.low) / 2

    @property
    def screened(self) -> bool:
        """Whether there is evidence for screening."""
        return self.delta > EVIDENCE


class Likelihood:
    """Misfit of the theory, up to a constant, as a function of κ; what describes the noise is chosen anew at each κ.

    Deviations are in units of d_el times the relative standard error of a bin, smooth in ln r. With n of them, the noise
    follows e_b = ρ e_(b−1) + σ √(1−ρ²) t_b, t_b from Student's distribution; ρ and σ are those of greatest likelihood.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        expected = np.abs(elastic(profile.nodes, profile.annulus).mean(axis=-1))
        x, relative = np.log(profile.r), np.log(np.maximum(profile.error / expected, FINEST))
        self.unit = expected * np.exp(np.polyval(np.polyfit(x, relative, 2), x))
        self.data = profile.d_r / self.unit

    def theory(self, kappa: ArrayLike) -> Floats:
        """Screened displacement in the bins, (..., bins), one row per κ, without units."""
        k = np.asarray(kappa, dtype=np.float64)[..., None, None]
        d_r = screened(self.profile.nodes, k, self.profile.annulus).mean(axis=-1)
        return np.clip(d_r, -HUGE, HUGE) / self.unit

    def __call__(self, kappa: ArrayLike) -> Floats:
        """Misfit, of the shape of `kappa`."""
        return self.of_memory(self.data - self.theory(kappa)).min(axis=0)

    def of_memory(self, deviation: Floats) -> Floats:
        """Misfit of deviations (..., bins) for each ρ in MEMORY, (memories, ...)."""
        rho = MEMORY.reshape(-1, *(1,) * deviation.ndim)
        first = np.broadcast_to(deviation[..., :1], (len(MEMORY), *deviation.shape[:-1], 1))
        later = (deviation[..., 1:] - rho * deviation[..., :-1]) / np.sqrt(1 - rho**2)
        square = np.concatenate([first, later], axis=-1) ** 2 + FINEST**2
        variance = np.median(square, axis=-1, keepdims=True)
        for _ in range(STEPS):      # expectation and maximisation
            variance = (FREEDOM + 1) * (square / (FREEDOM + square / variance)).mean(axis=-1, keepdims=True)
        n = square.shape[-1]
        few = 1 - FITTED / n
        tail = (FREEDOM + 1) * np.log1p(square / (FREEDOM * variance)).sum(axis=-1)
        return few * (n * np.log(variance[..., 0]) + tail + (n - 1) * np.log(1 - rho[..., 0] ** 2))


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
    delta = 2 ln ∫ exp(−[misfit(κ) − misfit(0)]/2) dκ/κ_max: no κ between 0 and κ_max is preferred beforehand.
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
    minima[0] = best, value.min()
    minima[:, 1] -= value.min()
    value -= value.min()
    weight = np.exp(-value / 2)
    evidence = float(((weight[1:] + weight[:-1]) * np.diff(grid)).sum() / (2 * top))
    theory = likelihood.theory(best)
    residual = likelihood.data - theory
    rho = MEMORY[likelihood.of_memory(residual).argmin()]
    return Screening(best, *_interval(grid, value), minima, np.column_stack([grid, value]), float(value[0]),
                     float(2 * np.log(evidence) + value[0]), float(np.median(likelihood.data / theory)),
                     float(np.sqrt(np.median(residual**2) / MEDIAN)), float(1 + (len(residual) - 1) * (1 - rho) / (1 + rho)))


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
    expected = elastic(profile.nodes, profile.annulus).mean(axis=-1)
    share = np.diff(profile.edges) / (profile.edges[-1] - profile.edges[0])
    relative = 1 - profile.d_r / expected
    sectors = (share / expected)[:, None] * profile.influence
    return Deviation(float(share @ relative), float(np.linalg.norm(sectors.sum(axis=0))),
                     float(share @ np.abs(relative)), float(np.linalg.norm(np.sign(relative) @ sectors)))

"""Shear bands in profiles of plastic activity: numbers in, numbers out, for particles and for lattices alike.

An activity is projected on two directions of the cell, each cut into slabs of equal width; P(x) is its mean in a slab. A *band*
covers at least half of the cell along one direction and at most half as much across it. A single plastic event is localised in
both profiles, a flow without localisation in none, so neither is a band.

>>> found = band([field.mean(axis=1), field.mean(axis=0)], [length, length])      # a lattice: across its rows, across its columns
>>> x, activity = centred(field.mean(axis=1), found.position, length)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
COVERS = 0.5        # share of the cell that a band covers at least along itself,
NARROW = 0.5        # and its width as a share of the cell, compared with that, at most
FINE = 16           # points per slab at which a smoothed profile is looked at


@dataclass(frozen=True)
class Band:
    """The more localised of two profiles, and whether there is a band in it.

    Attributes
    ----------
    orientation : 1 or 2, the profile with a band in it; 0 if there is none
    across : 1 or 2, the more localised profile, whose numbers the others are
    position : where its band is, in [0, period) [length]
    width : w [length]
    localisation : period / w, 1 for a uniform profile
    """

    orientation: int
    across: int
    position: float
    width: float
    localisation: float


def slabs(coordinate: ArrayLike, weight: ArrayLike, count: int) -> Floats:
    """Numbers of particles, and sums of their weights, in slabs: the two rows of (2, count).

    Sums over ranks add up; weight / number then is P(x).

    Parameters
    ----------
    coordinate : (n,) in units of the period; only its fractional part matters
    weight : (n,)
    """
    fraction = np.asarray(coordinate, dtype=np.float64) % 1.0
    slab = np.minimum((fraction * count).astype(np.int64), count - 1)
    return np.array([np.bincount(slab, minlength=count), np.bincount(slab, np.asarray(weight), count)], dtype=np.float64)


def covered(profile: ArrayLike) -> float:
    """Share of the cell that a profile P covers, (sum P)^2 / (n sum P^2): w / period.

    1 if uniform, b for a box that covers the share b, 2 sqrt(pi) s for a Gaussian of standard deviation s; NaN without activity.
    A background counts: what remains outside a band makes w larger. So does noise make it smaller: E independent events spread
    evenly over n slabs give 1 / (1 + (n - 1)/E) in the mean, to leading order.

    Notes
    -----
    D. Richard, "Connecting microscopic and mesoscopic mechanics in model structural glasses", figs. 7 and 9, leaves open how w is
    defined. This number has no parameter, no fit and no threshold, does not depend on where the band is, and its inverse is the
    measure of localisation N sum e^4 / (sum e^2)^2 of lattice models with P in place of e^2.
    """
    p = np.asarray(profile, dtype=np.float64)
    return float(p.sum() ** 2 / (p.size * (p @ p))) if p.any() else np.nan


def centre(profile: ArrayLike, width: float) -> float:
    """Where a periodic profile smoothed by a Gaussian is largest, in [0, 1).

    Unlike a centre of mass this is always inside a band, also if there are two of them.

    Parameters
    ----------
    profile : (n,) means in slabs
    width : of the band, as a share of the period; the Gaussian has half of it as standard deviation
    """
    p = np.asarray(profile, dtype=np.float64)
    wave = np.arange(p.size // 2 + 1)
    spectrum = np.fft.rfft(p) * np.exp(-0.5 * (np.pi * width * wave) ** 2)
    if p.size % 2 == 0:
        spectrum[-1] /= 2       # shared with its negative, which the finer grid has too
    smooth = np.fft.irfft(spectrum, FINE * p.size)
    top = int(smooth.argmax())
    left, here, right = smooth[top - 1], smooth[top], smooth[(top + 1) % smooth.size]
    bend = left - 2 * here + right
    parabola = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(((top + parabola) / FINE + 0.5) / p.size % 1.0)


def band(profiles: Sequence[ArrayLike], periods: Sequence[float]) -> Band:
    """Orientation, position and width of a shear band.

    Parameters
    ----------
    profiles : two of them, (n,) and (m,): mean activity >= 0 in slabs of equal width across the first and the second direction
    periods : of the cell in these directions [length]

    Returns
    -------
    Band
        With orientation 0 and NaN if there was no activity.
    """
    shares = [covered(profile) for profile in profiles]
    if not np.isfinite(shares).all():
        return Band(0, 1, np.nan, np.nan, np.nan)
    across = 0 if shares[0] <= shares[1] else 1
    narrow, along = shares[across], shares[1 - across]
    found = along >= COVERS and narrow <= NARROW * along
    period = float(periods[across])
    return Band((across + 1) * int(found), across + 1, centre(profiles[across], narrow) * period, narrow * period, 1 / narrow)


def centred(profile: ArrayLike, position: float, period: float) -> tuple[Floats, Floats]:
    """Distances from the band (n,), ascending, and the profile there; the slab that the band's position is in comes to 0."""
    p = np.asarray(profile, dtype=np.float64)
    here = int(position / period * p.size) % p.size if np.isfinite(position) else 0
    return (np.arange(p.size) - p.size // 2) * (period / p.size), np.roll(p, p.size // 2 - here)

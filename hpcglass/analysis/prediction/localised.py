"""Indicators where the shear band will be, or is: mean ranks inside, and profiles across it.

The band is that of the largest event: particles with D2min > 0.01 length^2, projected on both directions of the cell
(`numbers.bands`). Its place is kept in units of the cell, so that it moves with the affine strain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.open_run import StageResults
from hpcglass.numbers.bands import Band, band, slabs

Floats = NDArray[np.float64]

ACTIVE = 0.01           # D2min [length^2] of those that an event has moved
SLABS = 40              # of a profile
THICK = 2.5             # slabs by which the band is found, in mean spacings


@dataclass
class Localised:
    """One sample.

    Parameters
    ----------
    strain : at which the band forms
    period, width : of the cell across the band, and of the band [length]
    inside : (I, K) mean rank of the particles inside
    profile : (I, K, SLABS) mean values in slabs, the band in the middle; NaN values do not count
    """

    strain: float
    period: float
    width: float
    inside: Floats
    profile: Floats


def localised(stage: StageResults, loading: StageResults, softness: Floats, values: Floats) -> Localised | None:
    """What indicators are inside the band of the largest event; None without one, or without configurations.

    Parameters
    ----------
    stage, loading : of the indicators, with its frames, and of the loading
    softness, values : (I, K, N) ranks and values
    """
    if not stage.params.get("of") or "event_d2min" not in loading.fields or loading.box is None or len(loading.box) != 2:
        return None
    largest = loading.events[int(loading.tables["events"]["energy_drop"].argmax())]
    found = _band(largest.after.position, largest.after.box, loading.fields["event_d2min"])
    if not found.orientation:
        return None
    axis = 2 - found.across         # the first profile is across y
    frames = stage.frames
    inside, profile = np.full(softness.shape[:2], np.nan), np.full((*softness.shape[:2], SLABS), np.nan)
    period = _normal(largest.after.box, axis)[1]
    middle = found.position / period
    for k in range(len(frames)):
        frame = frames[k]
        away = (frame.position @ _normal(frame.box, axis)[0] - middle + 0.5) % 1.0 - 0.5
        here = np.abs(away) * period < 0.5 * found.width
        inside[:, k] = softness[:, k, here].mean(axis=1)
        for i, row in enumerate(values[:, k]):
            known = np.isfinite(row)
            number, total = slabs(away[known] + 0.5, row[known], SLABS)
            profile[i, k] = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return Localised(float(largest.after.strain), period, found.width, inside, profile)


def _normal(box: Floats, axis: int) -> tuple[Floats, float]:
    """Reciprocal vector m, x.m the coordinate of x in units of the period; and the period."""
    normal = np.linalg.inv(box)[axis]
    return normal, 1.0 / float(np.linalg.norm(normal))


def _band(position: Floats, box: Floats, activity: Floats) -> Band:
    """Of what an event has moved: across y first, as in the table `activity`."""
    spacing = float((abs(np.linalg.det(box)) / len(position)) ** 0.5)
    profiles, periods = [], []
    for axis in (1, 0):
        normal, period = _normal(box, axis)
        number, weight = slabs(position @ normal, activity > ACTIVE, max(2, round(period / (THICK * spacing))))
        profiles.append(weight / np.maximum(number, 1))
        periods.append(period)
    return band(profiles, periods)

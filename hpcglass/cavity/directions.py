"""Directions of shear, and what a patch that is weak in one of them bears under a loading of another one.

In the plane "ab" a shear of direction alpha is

    A(alpha) = (1/2) [[-sin 2 alpha, cos 2 alpha], [cos 2 alpha, sin 2 alpha]],        A : A = 1/2,

so that alpha = 0 is simple shear ab without its rotation, and alpha and alpha + 90 degrees are opposite senses. A loading along L
resolves to 2 A : L = cos 2(alpha - alpha_l) along A, in any dimension.
(D. Richard et al., Phys. Rev. Materials 4, 113609 (2020), App. B 15.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcglass.geometries.periodic import AXES

Floats = NDArray[np.float64]
ANGLES = {2: tuple(range(0, 180, 10)), 3: (0, 45, 90, 135)}     # degrees
PLANES = {2: ("xy",), 3: ("xy", "xz", "yz")}


def direction(dimension: int, plane: str, angle: float) -> Floats:
    """A(alpha) (d, d) in the plane "ab", alpha in degrees."""
    a, b = AXES.index(plane[0]), AXES.index(plane[1])
    twice = 2.0 * np.deg2rad(angle)
    rate = np.zeros((dimension, dimension))
    rate[a, a], rate[b, b] = -0.5 * np.sin(twice), 0.5 * np.sin(twice)
    rate[a, b] = rate[b, a] = 0.5 * np.cos(twice)
    return rate


@dataclass(frozen=True)
class Directions:
    """Directions in which patches are loaded: all angles in all planes.

    planes : "ab"; angles : degrees
    """

    dimension: int
    planes: tuple[str, ...]
    angles: tuple[float, ...]

    @classmethod
    def usual(cls, dimension: int, angles: Sequence[float] = (), planes: Sequence[str] = ()) -> Directions:
        """Every 10 degrees in 2D, every 45 in three planes in 3D, unless others are given."""
        return cls(dimension, tuple(planes) or PLANES[dimension], tuple(float(angle) for angle in angles or ANGLES[dimension]))

    @property
    def count(self) -> int:
        return len(self.planes) * len(self.angles)

    @property
    def labels(self) -> list[tuple[str, float]]:
        """(plane, angle) of each, in the order of `rates`."""
        return [(plane, angle) for plane in self.planes for angle in self.angles]

    @property
    def rates(self) -> Floats:
        """(k, d, d) A of each."""
        return np.array([direction(self.dimension, plane, angle) for plane, angle in self.labels])

    def resolved(self, plane: str, loading: float) -> Floats:
        """(k,) what a loading of direction `loading` [degrees] in a plane resolves to along each: cos 2(alpha - alpha_l)."""
        along = direction(self.dimension, plane, loading)
        return np.asarray(2.0 * np.einsum("kab,ab->k", self.rates, along))

    def weakest(self, missing: Floats, plane: str = "xy", loading: float = 0.0) -> Floats:
        """(s,) Delta tau_y = min over |alpha - alpha_l| < 45 degrees of Delta tau_c(alpha) / cos 2(alpha - alpha_l).

        missing : (s, k) Delta tau_c, NaN where unknown; infinite if no direction is near enough
        """
        cosine = self.resolved(plane, loading)
        near = cosine > 1e-9
        if not near.any():
            return np.full(len(missing), np.inf)
        needed = missing[:, near] / cosine[near]
        return np.asarray(np.where(np.isnan(needed), np.inf, needed).min(axis=1))

"""Maps coarse-grained on blocks: what the particles in each block have on average, and the stress that they bear.

The cell is cut into round(height/xi) blocks along each axis, parallel to its faces; a block has the volume V/blocks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.geometries.periodic import heights
from hpcglass.landscape.forces import per_particle

Floats = NDArray[np.float64]


class Blocks:
    """Blocks of a sample with an edge of about xi.

    Attributes
    ----------
    shape : (d,) blocks along each axis
    particles : (b,) particles of each block, of all ranks; blocks are counted with the last axis fastest
    centres : (b, d) [length]
    """

    def __init__(self, system: System, xi: float) -> None:
        self.system = system
        self.shape = np.maximum(np.rint(heights(system.box) / xi), 1).astype(np.int64)
        self.count = int(self.shape.prod())
        fraction = (system.position @ np.linalg.inv(system.box).T) % 1.0
        place = np.minimum((fraction * self.shape).astype(np.int64), self.shape - 1)
        self._where = np.ravel_multi_index(tuple(place.T), tuple(map(int, self.shape)))
        self.particles = self.summed(np.ones(system.n_owned))
        indices = np.stack(np.unravel_index(np.arange(self.count), tuple(map(int, self.shape))), axis=1)
        self.centres = np.asarray(((indices + 0.5) / self.shape) @ system.box.T)

    def summed(self, values: Floats) -> Floats:
        """(b,) sums of a value of each owned particle. Collective."""
        return np.asarray(ranks.total(self.system.comm, np.bincount(self._where, values, self.count).astype(np.float64)))

    def mean(self, values: Floats) -> Floats:
        """(b,) means over the particles of each block that have a finite value, NaN where none has. Collective."""
        good = np.isfinite(values)
        number = self.summed(good.astype(np.float64))
        total = self.summed(np.where(good, values, 0.0))
        return np.asarray(np.where(number > 0, total / np.maximum(number, 1.0), np.nan))

    def stress(self, along: Floats) -> Floats:
        """(b,) stress resolved along A (d, d), sigma_ab A_ab, from the virials of the particles. Collective."""
        virial = per_particle(self.system)[1]
        return self.summed(np.einsum("iab,ab->i", virial, along)) * (self.count / self.system.volume)

    def near(self, sites: Floats, values: Floats, radius: float) -> Floats:
        """(b,) means over the sites (s, d) closer than a radius to a block's centre that have a finite value. Not collective."""
        inverse, result = np.linalg.inv(self.system.box), np.full(self.count, np.nan)
        fraction, good = sites @ inverse.T, np.isfinite(values)
        for block, centre in enumerate(self.centres @ inverse.T):
            apart = fraction - centre
            apart -= np.rint(apart)
            near = good & (((apart @ self.system.box.T) ** 2).sum(axis=1) < radius**2)
            if near.any():
                result[block] = values[near].mean()
        return result

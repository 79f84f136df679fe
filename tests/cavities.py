"""Patches for tests: maps of a glass in one call, and a single trial whose inside can be looked at, plain descents included."""

from __future__ import annotations

import numpy as np

from hpcglass.cavity import frozen
from hpcglass.cavity.descent import descend
from hpcglass.cavity.directions import Directions
from hpcglass.cavity.frozen import Limits
from hpcglass.cavity.lists import find_candidates, make_list
from hpcglass.cavity.patch import evaluate, stretch
from hpcglass.cavity.strength import Cavities, Frozen, prepare, strength


def cavities_of(system, sites=None, **options):
    """Patches about sites, or on a grid."""
    return Cavities.of(system, None if sites is None else np.asarray(sites, dtype=float), **options)


def map_of(system, sites=None, angles=(), smooth=frozen.SMOOTH, drop=0.0, loading=None, **options):
    """Strength of patches about sites or on a grid in the frozen matrix."""
    method = Frozen(Directions.usual(system.dimension, list(angles)), loading, smooth, drop)
    return strength(system.comm, cavities_of(system, sites, **options), method)


class Trial:
    """One patch in one direction, on one rank."""

    def __init__(self, system, centre, angle, free=5.0, **options):
        self.cavities = cavities_of(system, [centre], free=free, **options)
        self.method = Frozen(Directions.usual(2, [angle]))
        self.memory, self.direction = self.method.memory, self.method._shears[0]
        self.axes, self.table = self.cavities.surroundings.axes, self.cavities.surroundings.system.table
        self.patch = self.cavities.patch(0)
        self.volume, self.candidates = prepare(self.cavities, self.patch, self.memory)

    def loosen(self, row):
        """Make a free particle too small to touch anybody."""
        diameter = self.patch.diameter.copy()
        diameter[row] = 1e-3
        self.patch = self.patch._replace(diameter=diameter)
        self.volume, self.candidates = prepare(self.cavities, self.patch, self.memory)

    def load(self, smooth=frozen.SMOOTH, drop=0.0):
        """(flag, tau_0, tau_c, gamma_c, mu(0), whether the candidates are still those)."""
        found = frozen.load(self.axes, self.table, self.patch, self.candidates, self.direction, self.cavities.surroundings.width,
                            self.volume, Limits(smooth, 1.0, 0.0, drop), self.memory)
        if not found[-1]:
            self.volume, self.candidates = prepare(self.cavities, self.patch, self.memory)
        return found

    def listed(self, y, forward, skin=0.3):
        """Number of pairs of a list for y."""
        cutoff = float(np.sqrt(self.table.edges[-1]))
        return make_list(self.axes, self.table, self.patch.n_free, y, self.patch.tied, self.patch.species, forward, cutoff,
                         self.candidates, skin, self.memory)

    def evaluate(self, y, forward, pairs, second):
        """Largest |F|^2, V sigma, V Born."""
        return evaluate(self.axes, self.table, self.patch.n_free, y, self.patch.stiffness, self.patch.tied.size, forward,
                        self.direction.rate, pairs, second, self.memory)

    def plain(self, strains, force=1e-7):
        """Stress after a descent by FIRE at each strain, one after the other; nothing is predicted."""
        y, forward, back = self.patch.y.copy(), np.empty((2, 2)), np.empty((2, 2))
        stresses, kept, cutoff = [], self.candidates, float(np.sqrt(self.table.edges[-1]))
        for strain in strains:
            stretch(self.axes, self.direction.turn, self.direction.rates, strain, forward, back)
            while True:
                here = self.patch.n_free, y, self.patch.diameter.size, self.patch.diameter, self.patch.species
                self.candidates = find_candidates(self.axes, self.table, *here, forward, cutoff, 0.5, False, self.memory)
                pairs = self.listed(y, forward, 0.2)
                if descend(self.axes, self.table, self.patch, y, forward, back, self.direction.rate, pairs, self.memory, force):
                    break
            stresses.append(self.evaluate(y, forward, pairs, False)[1] / self.volume)
        self.volume, self.candidates = prepare(self.cavities, self.patch, self.memory)
        assert self.candidates == kept
        return stresses

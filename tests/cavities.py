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
    """One patch in one direction, on one rank.

    After `plain`, `contacts` are the sets of pairs in range at each strain.
    """

    def __init__(self, system, centre, angle, free=5.0, plane="xy", **options):
        self.cavities = cavities_of(system, [centre], free=free, **options)
        self.method = Frozen(Directions.usual(system.dimension, [angle], [plane]))
        self.memory, self.direction = self.method.memory, self.method._shears[0]
        self.axes, self.table = self.cavities.surroundings.axes, self.cavities.surroundings.system.table
        self.patch = self.cavities.patch(0)
        self.volume, self.candidates = prepare(self.cavities, self.patch, self.memory)

    def loosen(self, row):
        """Make a free particle touch nobody; contact distances are means of two diameters, nearly."""
        diameter = self.patch.diameter.copy()
        diameter[row] = -0.9
        self._change(diameter=diameter)

    def take_out(self, row):
        """A patch without a free particle."""
        rows = {name: np.delete(getattr(self.patch, name), row, axis=0) for name in ("core", "y", "diameter", "species")}
        self._change(n_free=self.patch.n_free - 1, **rows)

    def relax(self, force=1e-10):
        """To a minimum at zero strain, by FIRE; free particles in the order of their first coordinate, as ever."""
        y = self.patch.y.copy()
        self._descend(y, *self.matrices(identity=True), force)
        order = np.arange(len(y))
        order[: self.patch.n_free] = np.argsort(y[: self.patch.n_free, 0])
        self._change(y=y[order], **{name: getattr(self.patch, name)[order] for name in ("diameter", "species")})

    def matrices(self, identity=False):
        """Room for a deformation and its inverse."""
        d = len(self.axes)
        return (np.eye(d), np.eye(d)) if identity else (np.empty((d, d)), np.empty((d, d)))

    def _change(self, **fields):
        self.patch = self.patch._replace(**fields)
        self.volume, self.candidates = prepare(self.cavities, self.patch, self.memory)

    def load(self, smooth=frozen.SMOOTH, drop=0.0, largest=1.0):
        """(flag, tau_0, tau_c, gamma_c, mu(0), whether the candidates are still those)."""
        found = frozen.load(self.axes, self.table, self.patch, self.candidates, self.direction, self.cavities.surroundings.width,
                            self.volume, Limits(smooth, largest, 0.0, drop), self.memory)
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
        y, (forward, back) = self.patch.y.copy(), self.matrices()
        stresses, kept, self.contacts = [], self.candidates, []
        for strain in strains:
            stretch(self.axes, self.direction.turn, self.direction.rates, strain, forward, back)
            pairs = self._descend(y, forward, back, force)
            stresses.append(self.evaluate(y, forward, pairs, False)[1] / self.volume)
            near = self.memory.x2[:pairs] < self.table.edges[-1]
            self.contacts.append({*zip(self.memory.first[:pairs][near], self.memory.second[:pairs][near], strict=True)})
        self.volume, self.candidates = prepare(self.cavities, self.patch, self.memory)
        assert self.candidates == kept
        return stresses

    def _descend(self, y, forward, back, force):
        """Moves y to a minimum; number of pairs there."""
        cutoff = float(np.sqrt(self.table.edges[-1]))
        while True:
            here = self.patch.n_free, y, self.patch.diameter.size, self.patch.diameter, self.patch.species
            self.candidates = find_candidates(self.axes, self.table, *here, forward, cutoff, 0.5, False, self.memory)
            pairs = self.listed(y, forward, 0.2)
            if descend(self.axes, self.table, self.patch, y, forward, back, self.direction.rate, pairs, self.memory, force):
                return pairs

"""Saddles around a minimum: how high the pass out of it is, what stress is lost on it, and whose motion leads there.

From a patch's minimum by `pull` to a saddle with one negative eigenvalue, and back by `descent.push_back`, as only a saddle that
one side of which leads to the minimum is a way out of it. The disc is about the core, the particle that
moves most, so that a saddle found from different places is the same. The shell is held: barriers are upper bounds, the closer the
larger the disc; `whole` refines them in the whole glass. With Q_0 = U_s - U_0 and V Delta sigma = V (sigma_s - sigma_0)
at a fixed cell, tension positive, a shear of velocity gradient A changes the barrier by dQ/dgamma = V Delta tau =
V Delta sigma : A, and Q = Q_0 (1 - gamma/gamma_c)^(3/2) vanishes at

    gamma_c = -3 Q_0 / (2 V Delta tau),                                                                        (B27)

if that is positive: one saddle foretells the strain for any shear.
D. Richard et al., Phys. Rev. Materials 4, 113609 (2020); pushing back: N. Mousseau et al., J. At. Mol. Opt. Phys. 2012, 925278.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hpcglass.core.system import System
from hpcglass.errors import InputError
from hpcglass.geometries.periodic import heights
from hpcglass.saddles import pull
from hpcglass.saddles.descent import energy, push_back, virial
from hpcglass.saddles.disc import Patch, Work, evaluate, work
from hpcglass.saddles.sites import Sample

Floats = NDArray[np.float64]

MARGIN = 0.5            # between free particles at rest and the rim of what a patch knows of, besides the range [length]
SMALLEST = 1.5          # radius of a disc, in mean spacings
ROOM = 1.4              # for denser places


@dataclass
class Saddle:
    """What a pull came to.

    flag : `pull.SADDLE`, or why it is none; what follows has no meaning then
    barrier : Q_0 [energy]
    stress : (d, d) V Delta sigma [energy]
    eigenvalue : the negative one [energy/length^2]
    connected : whether one side of it leads back to the minimum
    other : energy of the minimum on the other side, less that of the first one; NaN if it was not reached
    rows : (n_free,) the particles that were free, in the sample
    motion : (n_free, d) from the minimum to the saddle [length]
    """

    flag: int
    barrier: float = np.nan
    stress: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    eigenvalue: float = np.nan
    connected: bool = False
    other: float = np.nan
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    motion: Floats = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def core(self) -> int:
        """Row, in the sample, of the particle that moves most."""
        return int(self.rows[np.argmax((self.motion**2).sum(axis=1))])

    @property
    def participation(self) -> float:
        """(sum |u_i|^2)^2 / sum |u_i|^4: about how many particles move."""
        square = (self.motion**2).sum(axis=1)
        return float(square.sum() ** 2 / (square**2).sum())

    def movers(self, share: float) -> NDArray[np.int64]:
        """Rows of the particles that move by more than a share of the largest motion."""
        size = np.linalg.norm(self.motion, axis=1)
        return self.rows[size > share * size.max()]


def critical_strain(barrier: Floats, stress: Floats, gradient: Floats) -> Floats:
    """gamma_c of B27; infinite for barriers that the shear does not lower.

    Parameters
    ----------
    barrier : (...) Q_0
    stress : (..., d, d) V Delta sigma
    gradient : (d, d) A
    """
    rate = np.einsum("...ab,ab->...", stress, gradient)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(rate < 0.0, -1.5 * barrier / rate, np.inf))


class Search:
    """Discs of one radius, and memory for them.

    Parameters
    ----------
    system : a minimum that this rank has alone (`core.replica`), up to date
    radius : of the disc of free particles [length]; a smaller one if the cell has no room for it

    Raises
    ------
    InputError
        The cell is too small for any disc.
    """

    def __init__(self, system: System, radius: float) -> None:
        margin = system.range + MARGIN
        self.radius = min(radius, 0.5 * float(heights(system.box).min()) - margin)
        smallest = SMALLEST * (system.volume / system.n_total) ** (1.0 / system.dimension)
        if self.radius < smallest:
            raise InputError(f"saddles are looked for in discs with a radius of at least {smallest:.3g} and a shell of "
                             f"{margin:.3g} about them, which have no room in this cell; take a larger sample")
        self.system, self.sample = system, Sample(system, self.radius, self.radius + margin)
        d, volume = system.dimension, np.pi * self.radius**2
        if d == 3:
            volume *= 4.0 / 3.0 * self.radius
        density = system.n_total / system.volume
        particles = int(ROOM * density * volume) + 64
        band = int(ROOM * density * 4.0 * system.range * volume / (2.0 * self.radius)) + 64
        self.memory: Work = work(d, particles, (16, 64)[d - 2] * particles, min(band, particles))
        self._place = np.full(system.n_owned, -1)

    def patch(self, row: int) -> Patch:
        """The disc about a particle."""
        return self.sample.patch(self.system.reference[row] + self.system.displacement[row])

    def pulled(self, patch: Patch, load: Floats) -> Saddle:
        """The saddle to which a load leads, from the minimum of a patch; in the disc about its core.

        load : (n_free, d) forces on the free particles, of any norm but zero
        """
        n, y = patch.n_free, patch.y
        direction = np.ascontiguousarray(load / np.linalg.norm(load)).ravel()
        given = (self.system.table, n, y, patch.diameter, patch.species, direction, self.sample.shell, self.memory)
        flag, there = pull.pull(*given)
        if flag in (pull.ENDLESS, pull.ASTRAY):
            pull.response(*given)
            flag, there = pull.pull(*given)
        if flag:
            return Saddle(flag)
        found = Saddle(flag, rows=patch.rows[:n], motion=there[:n] - y[:n])
        return self.settled(found)

    def settled(self, saddle: Saddle) -> Saddle:
        """A saddle, found again in the disc about its core, and looked at: what it costs, and what it connects."""
        patch, table, sample, memory = self.patch(saddle.core), self.system.table, self.sample, self.memory
        n, d, y = patch.n_free, patch.y.shape[1], patch.y
        there = y.copy()
        self._place[patch.rows[:n]] = np.arange(n)
        place = self._place[saddle.rows]
        there[place[place >= 0]] += saddle.motion[place >= 0]
        self._place[patch.rows[:n]] = -1
        flag, _ = pull.rest(table, n, there, there.copy(), patch.diameter, patch.species, sample.shell, -1, memory)
        if flag:
            return Saddle(flag)
        stress, levels, pairs = np.empty((2, d, d)), np.empty(2), 0
        for k, positions in enumerate((y, there)):
            pairs = pull.listed_for(table, n, positions, positions.copy(), patch.diameter, patch.species, sample.shell, -1,
                                    memory)
            if pairs < 0:
                return Saddle(pull.ROOM if pairs == -1 else pull.THIN)
            evaluate(table, n, positions, pairs, memory, True)
            virial(d, pairs, memory, stress[k])
            levels[k] = energy(table, pairs, memory)
        motion = there[:n] - y[:n]
        mode = motion.ravel().copy()
        index, eigenvalue = pull.softest(n, d, pairs, memory, mode)
        if index != 1 or not levels[1] > levels[0]:
            return Saddle(pull.OTHER)
        back, sunk, _, level = push_back(table, n, y, there, mode, patch.diameter, patch.species, sample.shell, memory)
        return Saddle(pull.SADDLE, levels[1] - levels[0], stress[1] - stress[0], eigenvalue, back,
                      level - levels[0] if sunk else np.nan, patch.rows[:n], motion)

"""Local yield stress: what stress is missing, at each site and in each direction, before a patch yields.

    Delta tau_c(alpha) = tau_c - tau_0,          A(alpha) = (1/2) [[-sin 2 alpha, cos 2 alpha], [cos 2 alpha, sin 2 alpha]]   (2D)
    Delta tau_y(alpha_l) = min over |alpha - alpha_l| < 45 degrees of Delta tau_c(alpha) / cos 2(alpha - alpha_l),

the residual strength under a loading of direction alpha_l (0: simple shear xy), which resolves to cos 2(alpha - alpha_l) of it
along alpha. Directions alpha and alpha + 90 degrees are opposite senses of one shear. (D. Richard et al., Phys. Rev. Materials 4,
113609 (2020), App. B 15; S. Patinet, D. Vandembroucq and M. L. Falk, Phys. Rev. Lett. 117, 045501 (2016).)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcglass.cavity import frozen
from hpcglass.cavity.patch import make_list, work
from hpcglass.cavity.sites import Sample
from hpcglass.core import comm as ranks
from hpcglass.core.replica import Replica
from hpcglass.core.system import System
from hpcglass.errors import InputError
from hpcglass.landscape.forces import evaluate

Floats = NDArray[np.float64]

R_FREE, SPACING = 5.0, 2.5      # [length]
ANGLES = tuple(range(0, 180, 10))       # degrees
LARGEST_STRAIN = 1.0
MOST = 2                # ranges of interaction that the shell is thick, where the cell has room for that


@dataclass
class Strength:
    """Trials of all sites, the same on all ranks.

    sites : (s, d) centres [length]
    angles : (k,) directions [degrees]
    tau_0, tau_c : (s, k) stress at zero strain and at its first maximum [energy/length^d]
    gamma_c : (s, k) strain of the maximum
    flag : (s, k) how it ended, see `frozen.FLAGS`
    work : passes over the pairs, factorisations, solves, lists made, in all
    """

    sites: Floats
    angles: Floats
    tau_0: Floats
    tau_c: Floats
    gamma_c: Floats
    flag: NDArray[np.int64]
    work: NDArray[np.int64]

    def residual(self, loading: float = 0.0) -> Floats:
        """(s,) Delta tau_y for a loading direction [degrees]; infinite if no direction was tried within 45 degrees of it."""
        turned = np.deg2rad((self.angles - loading + 90.0) % 180.0 - 90.0)
        near = np.abs(turned) < np.pi / 4 - 1e-12
        with np.errstate(divide="ignore"):
            needed = (self.tau_c - self.tau_0)[:, near] / np.cos(2.0 * turned[near])
        return np.asarray(needed.min(axis=1, initial=np.inf))


def direction(angle: float) -> Floats:
    """A(alpha), alpha in degrees, in 2D."""
    twice = 2.0 * np.deg2rad(angle)
    return 0.5 * np.array([[-np.sin(twice), np.cos(twice)], [np.cos(twice), np.sin(twice)]])


def strength(system: System, sites: Floats | None = None, angles: Floats | tuple[float, ...] = ANGLES, free: float = R_FREE,
             spacing: float = SPACING, smooth: float = frozen.SMOOTH, alive: Callable[[str], None] = lambda what: None
             ) -> Strength:
    """Load a patch at every site in every direction. Collective; the ranks share the sites, and each one holds all of the glass.

    Parameters
    ----------
    system : a minimum in 2D, up to date
    sites : (s, 2) centres, the same on all ranks; default: a grid of about `spacing`
    angles : directions [degrees]
    free : radius of the disc of free particles [length]
    smooth : of the check that a step stays on its branch, `frozen.SMOOTH`
    alive : told of each site, on the rank that works on it

    Raises
    ------
    InputError
        Not in 2D; or the cell is too small for a patch.
    """
    if system.dimension != 2:
        raise InputError("local yield stresses are for 2D, so far")
    replica = Replica(system)
    alone = replica.system
    room = 0.5 * float((1.0 / np.linalg.norm(np.linalg.inv(alone.box), axis=1)).min())
    sample = Sample(alone, free, max(min(free + MOST * alone.range, room), free + alone.range))
    centres = sample.grid(spacing) if sites is None else np.asarray(sites, dtype=np.float64)
    memory, everywhere = work(2), evaluate(alone).pairs
    given = np.asarray(angles, dtype=np.float64)
    turns = [(*np.linalg.eigh(direction(angle))[::-1], direction(angle)) for angle in given]
    cutoff = float(np.sqrt(alone.table.edges[-1]))
    result = np.zeros((4, len(centres), len(given)))
    for number in range(system.comm.rank, len(centres), system.comm.size):
        patch = sample.patch(centres[number])
        held = make_list(alone.table, patch.n_free, patch.y, patch.diameter, patch.species, np.eye(2), cutoff, 0.0, memory)
        volume = alone.volume * max(held, 1) / max(everywhere, 1)
        for k, (turn, rates, rate) in enumerate(turns):
            flag, *found, _ = frozen.load(
                alone.table, patch.n_free, patch.y, patch.diameter, patch.species, np.ascontiguousarray(turn), rates, rate,
                sample.shell, volume, smooth, LARGEST_STRAIN, memory)
            result[:, number, k] = (*found, flag)
        alive(f"site {number} of {len(centres)}")
    result = ranks.total(system.comm, result)
    tau_0, tau_c, gamma_c, flag = result
    return Strength(centres, given, tau_0, tau_c, gamma_c, flag.astype(np.int64), ranks.total(system.comm, memory.counts))


def on_particles(system: System, sites: Floats, values: Floats, radius: float) -> Floats:
    """(n_owned,) smallest value of the sites closer than a radius; infinite where there is none. Not collective."""
    inverse = np.linalg.inv(system.box)
    result = np.full(system.n_owned, np.inf)
    fraction = system.position @ inverse.T
    for site, value in zip(sites @ inverse.T, values, strict=True):
        difference = fraction - site
        difference -= np.rint(difference)
        near = ((difference @ system.box.T) ** 2).sum(axis=1) < radius**2
        result[near] = np.minimum(result[near], value)
    return result

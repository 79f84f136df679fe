"""Local yield stress: what stress is missing, at each site and in each direction, before a patch yields.

    Delta tau_c(alpha) = tau_c - tau_0,
    Delta tau_y(alpha_l) = min over |alpha - alpha_l| < 45 degrees of Delta tau_c(alpha) / cos 2(alpha - alpha_l),

the residual strength under a loading of direction alpha_l (see `directions`; 0: simple shear xy). (D. Richard et al., Phys. Rev.
Materials 4, 113609 (2020), App. B 15; S. Patinet, D. Vandembroucq and M. L. Falk, Phys. Rev. Lett. 117, 045501 (2016).)

Ranks share the sites: each has those in its brick (`surroundings`), and a trial depends on nothing but its patch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numba
import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from hpcglass.cavity import frozen
from hpcglass.cavity.directions import Directions
from hpcglass.cavity.frozen import Direction, Limits
from hpcglass.cavity.lists import CANDIDATES, SKIN, find_candidates
from hpcglass.cavity.patch import Patch, Work, enlarged, work
from hpcglass.cavity.surroundings import Surroundings, grid
from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.geometries.periodic import heights

Floats = NDArray[np.float64]

R_FREE = {2: 5.0, 3: 3.0}       # [length]
SPACING = 2.5                   # [length]
LARGEST_STRAIN = 1.0
MOST = 2                # ranges of interaction that the shell is thick, where the cell has room for that
COLUMNS = ("tau_0", "tau_c", "gamma_c", "modulus", "flag")


@dataclass
class Cavities:
    """Where patches are cut out, and how: the same centres on all ranks, each of which cuts those in its brick.

    centres : (s, d) [length]
    free : radius of the disc, whose stress is measured [length]
    soft, stiffness : thickness of the matrix around it that gives way [length], and of the springs that hold it [energy/length^2]
    """

    surroundings: Surroundings
    centres: Floats
    free: float
    soft: float = 0.0
    stiffness: float = 0.0

    @classmethod
    def of(cls, system: System, sites: Floats | None = None, free: float | None = None, spacing: float = SPACING,
           soft: float = 0.0, stiffness: float = 0.0, thick: bool = True) -> Cavities:
        """Patches of a sample. Collective.

        Parameters
        ----------
        system : a minimum, up to date
        sites : (s, d) centres, the same on all ranks; default: a grid of about `spacing`
        thick : whether the shell is MOST ranges thick, for particles that come nearer to its rim; one is enough without strain

        Raises
        ------
        InputError
            The cell is too small for a patch, or there are walls.
        """
        free = R_FREE[system.dimension] if free is None else free
        room = 0.5 * float(heights(system.box).min()) * (1 - 1e-12)
        radius = max(min(free + soft + MOST * system.range, room) if thick else 0.0, free + soft + system.range)
        surroundings = Surroundings(system, radius)
        found = grid(surroundings.system.box, spacing) if sites is None else np.asarray(sites, dtype=np.float64)
        return cls(surroundings, surroundings.centres(found), free, soft, stiffness)

    def patch(self, number: int) -> Patch:
        """The patch about a centre that is this rank's."""
        return self.surroundings.patch(self.centres[number], self.free, self.soft, self.stiffness)


class Method(Protocol):
    """A way to find the strength of patches in all directions."""

    directions: Directions
    memory: Work

    @property
    def at_once(self) -> int:
        """Sites of one call."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of what is found, the last axis."""

    def __call__(self, cavities: Cavities, numbers: NDArray[np.int64]) -> Floats:
        """(n, k, columns) of the sites `numbers`, which are this rank's."""


class Frozen:
    """Trials in the frozen matrix, one site after the other (`frozen.load`).

    Parameters
    ----------
    directions : in which every patch is loaded
    loading : (plane, angle) if only the weakest direction for this loading is wanted: trials that are not it are stopped
    limits : see `frozen.Limits`; its `drop` [stress] is that of the first large drop, 0 for the first maximum
    """

    at_once = 1
    columns = COLUMNS

    def __init__(self, directions: Directions, loading: tuple[str, float] | None = None, smooth: float = frozen.SMOOTH,
                 drop: float = 0.0) -> None:
        self.directions, self.smooth, self.drop = directions, smooth, drop
        self.memory: Work = work(directions.dimension, *((256, 4096) if directions.dimension == 2 else (512, 32768)))
        self._shears = []
        for rate in directions.rates:
            rates, turn = np.linalg.eigh(rate)
            self._shears.append(Direction(np.ascontiguousarray(turn), rates, rate))
        self._cosine = None if loading is None else directions.resolved(*loading)
        cosine = np.ones(directions.count) if self._cosine is None else self._cosine
        near = np.flatnonzero(cosine > 1e-9)
        self._order = near[np.argsort(-np.round(cosine[near], 9), kind="stable")]       # the nearest is the weakest most often

    def __call__(self, cavities: Cavities, numbers: NDArray[np.int64]) -> Floats:
        return np.array([self.trials(cavities, cavities.patch(number)) for number in numbers.tolist()])

    def trials(self, cavities: Cavities, patch: Patch) -> Floats:
        """(k, columns) of a patch; NaN where no trial was needed."""
        around, axes = cavities.surroundings, cavities.surroundings.axes
        cosine = np.ones(self.directions.count) if self._cosine is None else self._cosine
        table, result = around.system.table, np.full((self.directions.count, len(COLUMNS)), np.nan)
        volume, candidates = self._prepared(cavities, patch)
        best = np.inf
        for k in self._order:
            bounded = self._cosine is not None and self.drop == 0.0 and np.isfinite(best)
            limits = Limits(self.smooth, LARGEST_STRAIN, best * cosine[k] if bounded else 0.0, self.drop)
            flag, kept = frozen.ROOM, False
            while flag == frozen.ROOM:
                flag, tau_0, tau_c, gamma_c, modulus, kept = frozen.load(
                    axes, table, patch, candidates, self._shears[k], around.width, volume, limits, self.memory)
                if flag == frozen.ROOM:
                    self.memory = enlarged(self.memory, patch.n_free)
                if not kept or flag == frozen.ROOM:
                    _, candidates = self._prepared(cavities, patch)
            result[k] = tau_0, tau_c, gamma_c, modulus, flag
            if flag != frozen.BOUND:
                best = min(best, (tau_c - tau_0) / cosine[k])
        return result

    def _prepared(self, cavities: Cavities, patch: Patch) -> tuple[float, int]:
        """As `prepare`, in a memory that is large enough for the patch."""
        if patch.n_free > len(self.memory.begin):
            self.memory = enlarged(self.memory, patch.n_free)
        while True:
            volume, candidates = prepare(cavities, patch, self.memory)
            if candidates >= 0:
                return volume, candidates
            self.memory = enlarged(self.memory, patch.n_free)


def prepare(cavities: Cavities, patch: Patch, memory: Work) -> tuple[float, int]:
    """V_c of a patch, and the number of candidates for its lists, which are in the memory then; -1: no room for them."""
    around = cavities.surroundings
    table, d, axes = around.system.table, len(around.axes), around.axes
    cutoff = float(np.sqrt(table.edges[-1]))
    there = patch.n_free, patch.y, patch.diameter.size, patch.diameter, patch.species
    candidates = find_candidates(axes, table, *there, np.eye(d), cutoff, SKIN + CANDIDATES, True, memory)
    held = interacting(patch.core, max(candidates, 0), patch.y, memory)
    return around.volume * max(held, 1) / max(around.pairs, 1), candidates


@numba.njit(cache=True)
def interacting(core, candidates, y, memory):
    """Number of candidates with a particle of the core that interact, unstrained."""
    count = 0
    for p in range(candidates):
        i, j = memory.candidate_first[p], memory.candidate_second[p]
        square = 0.0
        for a in range(y.shape[1]):
            square += (y[j, a] - y[i, a]) ** 2
        if square < memory.reach[p] ** 2 and (core[i] or (j < core.size and core[j])):
            count += 1
    return count


@dataclass
class Strength:
    """What was found at all sites, the same on all ranks.

    sites : (s, d) centres [length]
    directions : k of them
    columns : names of the last axis of `values`
    values : (s, k, c); NaN where a trial was not needed
    work : passes over the pairs, factorisations, solves, lists made, in all
    """

    sites: Floats
    directions: Directions
    columns: tuple[str, ...]
    values: Floats
    work: NDArray[np.int64]

    def __getattr__(self, name: str) -> Floats:
        """(s, k) a column by its name."""
        if name.startswith("_") or name not in self.columns:
            raise AttributeError(name)
        return self.values[:, :, self.columns.index(name)]

    @property
    def missing(self) -> Floats:
        """(s, k) Delta tau_c; infinite where the trial was given up, as it is not the weakest one."""
        return np.asarray(np.where(self.flag == frozen.BOUND, np.inf, self.tau_c - self.tau_0))

    def residual(self, loading: float = 0.0, plane: str = "xy") -> Floats:
        """(s,) Delta tau_y for a loading direction [degrees]; infinite if no direction was tried within 45 degrees of it."""
        return self.directions.weakest(self.missing, plane, loading)


class Survey:
    """Sites on the way: each rank works on its own, for as long as it is told to, and can say what all have found.

    Parameters
    ----------
    values : (s, k, c) what was found earlier, NaN at sites that are still to be done
    """

    def __init__(self, comm: MPI.Comm, cavities: Cavities, method: Method, values: Floats | None = None) -> None:
        self.comm, self.cavities, self.method = comm, cavities, method
        shape = (len(cavities.centres), method.directions.count, len(method.columns))
        self._before = np.full(shape, np.nan) if values is None else np.asarray(values, dtype=np.float64).reshape(shape)
        self._known = ~np.isnan(self._before).all(axis=(1, 2))
        mine = cavities.surroundings.mine(cavities.centres)
        self._left = [int(number) for number in mine if not self._known[number]]
        self._values = np.zeros(shape)
        self._done = np.zeros(shape[0], dtype=bool)

    @property
    def done(self) -> int:
        """Sites that are done on all ranks together. Collective."""
        return int(ranks.total(self.comm, int(self._done.sum()))) + int(self._known.sum())

    def work(self, seconds: float, alive: Callable[[str], None] = lambda what: None) -> None:
        """Go on with this rank's sites until they are done or the time is up. Not collective."""
        end = time.monotonic() + seconds
        while self._left and time.monotonic() < end:
            now, self._left = self._left[: self.method.at_once], self._left[self.method.at_once:]
            self._values[now] = self.method(self.cavities, np.array(now, dtype=np.int64))
            self._done[now] = True
            alive(f"site {now[-1]} of {len(self._done)}")

    def found(self) -> Floats:
        """(s, k, c) of all ranks, NaN at sites that are still to be done. Collective."""
        mine = np.where(self._done[:, None, None], self._values, 0.0)
        unknown = ranks.total(self.comm, np.isnan(mine).astype(np.int8)).astype(bool)
        summed = ranks.total(self.comm, np.nan_to_num(mine))
        done = ranks.total(self.comm, self._done.astype(np.int8)).astype(bool)
        result = np.where(done[:, None, None], summed, self._before)
        result[unknown] = np.nan
        return np.asarray(result)


def strength(comm: MPI.Comm, cavities: Cavities, method: Method, alive: Callable[[str], None] = lambda what: None) -> Strength:
    """Strength of all patches in all directions. Collective.

    Parameters
    ----------
    alive : told of each site, on the rank that works on it
    """
    survey = Survey(comm, cavities, method)
    survey.work(np.inf, alive)
    work_done = ranks.total(comm, method.memory.counts)
    return Strength(cavities.centres, method.directions, method.columns, survey.found(), work_done)


def on_particles(system: System, sites: Floats, values: Floats, radius: float) -> Floats:
    """(n_owned,) smallest value of the sites closer than a radius; infinite where there is none. Not collective."""
    inverse = np.linalg.inv(system.box)
    result = np.full(system.n_owned, np.inf)
    shape = np.maximum((heights(system.box) / radius).astype(np.int64), 1)
    _lowest_near((system.position @ inverse.T) % 1.0, (sites @ inverse.T) % 1.0, values, system.box, shape, radius, result)
    return result


@numba.njit(cache=True)
def _lowest_near(fraction, sites, values, box, shape, radius, result):
    """result[i] = min of the values of the sites closer than the radius; sites in bins at least a radius high."""
    d = shape.size
    bins = 1
    for a in range(d):
        bins *= shape[a]
    where = np.zeros(len(sites), dtype=np.int64)
    start = np.zeros(bins + 1, dtype=np.int64)
    for k in range(len(sites)):
        for a in range(d):
            where[k] = where[k] * shape[a] + min(np.int64(sites[k, a] * shape[a]), shape[a] - 1)
        start[where[k] + 1] += 1
    start = np.cumsum(start)
    order = np.argsort(where, kind="mergesort")
    difference, place = np.empty(d), np.empty(d, dtype=np.int64)
    steps = 3**d
    for i in range(len(fraction)):
        for a in range(d):
            place[a] = min(np.int64(fraction[i, a] * shape[a]), shape[a] - 1)
        for step in range(steps):
            rest, cell, twice = step, 0, False
            for a in range(d):
                shift = rest % 3 - 1
                rest //= 3
                twice = twice or (shape[a] < 3 and shift >= shape[a] - 1 and shift > 0) or (shape[a] == 1 and shift < 0)
                cell = cell * shape[a] + (place[a] + shift) % shape[a]
            if twice:
                continue
            for k in range(start[cell], start[cell + 1]):
                site, square = order[k], 0.0
                for a in range(d):
                    difference[a] = fraction[i, a] - sites[site, a]
                    difference[a] -= np.rint(difference[a])
                for a in range(d):
                    value = 0.0
                    for b in range(d):
                        value += box[a, b] * difference[b]
                    square += value * value
                if square < radius * radius:
                    result[i] = min(result[i], values[site])

"""Swap Monte Carlo on any number of ranks.

Time is cut into sub-sweeps of about 20 sweeps. Each begins with a random origin, common to all ranks; particles migrate to
the bricks, ghosts of half the largest cut-off are fetched, and every rank then works alone, region by region, on the particles
in its active zone (`zones`): as many attempts as it has active particles, times the sweeps. Zones of two ranks never
interact, so the changes of energy add up, and nobody waits but at the next origin.

All random numbers are functions of (seed, sub-sweep, rank, attempt); particles are sorted by position and id at each
sub-sweep. What follows a sub-sweep is therefore a function of the particles alone, and goes on to the bit after a restart on as
many ranks. A long sub-sweep has pauses, at each of which every rank has done about the same share of its attempts: see `regions`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core import random
from hpcglass.core.decomposition import Bricks
from hpcglass.core.halo import Halo
from hpcglass.core.random import Stream
from hpcglass.core.system import System
from hpcglass.errors import InputError
from hpcglass.moves.swap import kernels as kernels
from hpcglass.moves.swap import probe as probe
from hpcglass.moves.swap.frame import INFINITE, Frame, three
from hpcglass.moves.swap.potential import can_bound, kernel_potential
from hpcglass.moves.swap.regions import Cycles, Regions, SingleMoves
from hpcglass.moves.swap.zones import Zone, active_fraction, choose_grid, upper_triangular

Floats = NDArray[np.float64]
Array = NDArray[Any]

ACCEPTANCE, ACCEPTANCE_OF_TRAJECTORIES = 0.35, 0.7      # to which the step is tuned
SKIN = {2: 0.7, 3: 0.5}     # in mean spacings: a list lasts about 20 sweeps of a region of 1000
SKIN_OF_TRAJECTORIES = {2: 0.55, 3: 0.4}    # three lists for forty steps
WHOLE = 8_000               # particles of a rank that make one region: they fit in the cache
WHOLE_OF_TRAJECTORIES = 1500    # that may move together: the time step falls as N^(-1/4)
PROBES = 1024               # exchange proposals of one measurement, over all ranks
FAR = 0.03                  # share of exchanges between far pairs, when there are regions
PART = 2_000_000            # attempts of a rank between two pauses: about half a second


@dataclass
class Measurement:
    """Sums over the whole system at the start of a sub-sweep."""

    energy: float
    force2: float        # sum |F|^2
    laplacian: float     # sum of lap_i U
    up: float            # sum over dE > 0 of exp(-dE/T)
    down: float          # number with dE < 0


@dataclass
class Tally:
    """Counts and energy change of one sub-sweep, over all ranks."""

    counts: NDArray[np.int64]      # see kernels: MOVED, MOVES, SWAPPED, SWAPS, LEFT, BUILDS
    change: float
    measured: Measurement | None = None


class SwapMonteCarlo:
    """The particles of a System, in the arrays this method needs.

    Parameters
    ----------
    system : read by the constructor and `load`, written by `store`
    temperature : [energy]
    exchange : share of attempts that exchange two sizes
    step : largest displacement along each axis [length], at most `limit`; of trajectories the time step, with mass 1
    seed : 64-bit key
    trajectories : cycles of hybrid Monte Carlo and exchanges up the ladder (`regions.Cycles`) in place of single moves

    Attributes
    ----------
    id, size (n,), x (n, d), period (n, d), start (n, d) : this rank's particles. x lies in the cell at `origin`; positions are
        continuous in time as x + h (origin + period); `start` is where they were when `mark` was called.

    Raises
    ------
    InputError
        The cell is too small for the range of interaction, or has too many ranks.
    """

    def __init__(self, system: System, temperature: float, exchange: float, step: float, seed: int,
                 trajectories: bool = False) -> None:
        self.trajectories = trajectories
        self.system, self.comm = system, system.comm
        self.temperature, self.exchange, self.step, self.seed = temperature, exchange, step, seed
        self.by_species = system.model.mixing.by_species
        self.dimension = system.dimension
        self.rotation, self.h = upper_triangular(system.box)
        self.frame = Frame(self.h)
        biggest = float(ranks.largest(self.comm, float(system.diameter[: system.n_owned].max(initial=0.0))))
        scale = biggest if not self.by_species else float(np.max(np.array(system.model.mixing.length)))
        self.cut = system.model.potential.cutoff * scale
        self.potential = kernel_potential(system.model, system.table)
        self.two_rows = can_bound(system.model, biggest)
        self.grid = np.array(choose_grid(self.h, self.comm.size, self.cut), dtype=np.int64)
        self.active_fraction = active_fraction(self.h, tuple(self.grid), self.cut)
        self.bricks = Bricks(tuple(int(g) for g in self.grid), self.comm.rank)
        self.room = self._room()
        self.set_skin(max((SKIN_OF_TRAJECTORIES if trajectories else SKIN)[self.dimension] * self._spacing, self._longest))
        self.origin = np.zeros(self.dimension)
        self.widths = [40, 24] if self.dimension == 2 else [128, 64]     # of wide and tight rows; they grow
        self.part, self._resumed = 0, np.empty(0)
        self.work: Regions | None = None
        self.load()

    @property
    def _spacing(self) -> float:
        return float((self.system.volume / self.system.n_total) ** (1.0 / self.dimension))

    @property
    def _longest(self) -> float:
        """Skin without which a single displacement could make a list useless."""
        return 2.05 * np.sqrt(self.dimension) * self.step if not self.trajectories else 0.1 * self._spacing

    def _room(self) -> float:
        """Largest possible skin: lists reach as far as the minimum image is unique in dimensions of one rank."""
        whole = self.grid == 1
        room = 0.499 * float(np.diag(self.h)[whole].min()) - self.cut if whole.any() else INFINITE
        if room < (needed := self._longest):
            why = "" if self.trajectories else f", twice the longest step for a displacement of {self.step:g} along each axis"
            raise InputError(f"swap Monte Carlo: the cell is too small. Half of its height must exceed the largest cut-off "
                             f"{self.cut:.4g} by {needed:.3g}{why}; it does by {room:.3g}. Use more particles"
                             f"{'' if self.trajectories else ', or a smaller `displacement`'}")
        return room

    def set_skin(self, skin: float) -> None:
        """Choose how far lists reach beyond the cut-off; limits the displacement to `limit`."""
        self.skin = float(min(skin, self.room))
        self.limit = 0.49 * self.skin / np.sqrt(self.dimension)
        self.zone = Zone.of(self.h, self.grid, self.bricks.coordinate, self.cut, self.system.n_total / self.comm.size,
                            self.cut + self.skin, WHOLE_OF_TRAJECTORIES if self.trajectories else WHOLE)

    def tune(self, tally: Tally, number: int) -> None:
        """Adapt step and skin after short sub-sweep `number` of the warm-up; never in production, where they stay."""
        moved, moves = tally.counts[kernels.MOVED], tally.counts[kernels.MOVES]
        acceptance = ACCEPTANCE_OF_TRAJECTORIES if self.trajectories else ACCEPTANCE
        if self.trajectories:       # few numbers: towards it by ever smaller steps (Robbins and Monro)
            self.step *= float(np.exp((moved / moves - acceptance) * 2 / (2 + number))) if moves else 1.0
            return
        if tally.counts[kernels.BUILDS] > 1.5 * self.zone.n_regions * self.comm.size:
            self.set_skin(min(1.1 * self.skin, 2 * SKIN[self.dimension] * self._spacing))
        if moves:
            self.step = float(min(self.step * np.clip(moved / moves / acceptance, 0.7, 1.4), self.limit))

    # ------------------------------------------------------------------ the system's arrays

    def load(self) -> None:
        """Take the particles from the system."""
        own = slice(0, self.system.n_owned)
        self.id = self.system.id[own].copy()
        self.size = (self.system.species if self.by_species else self.system.diameter)[own].astype(np.float64)
        self.period = self.system.image.astype(np.int64)
        self.x = self.system.position @ self.rotation
        self._wrap()
        self.mark()
        self.now = np.empty((self.id.size, 0))

    def store(self) -> None:
        """Write the particles back and rebuild the system. Collective."""
        position = (self.x + self.origin @ self.h.T) @ self.rotation.T
        rows = np.hstack([position, self.size[:, None], self.period])
        rows = self.system.reorder(self.id, rows)
        d, own = self.dimension, slice(0, self.system.n_owned)
        self.system.reference[own] = rows[:, :d]
        self.system.displacement[own] = 0.0
        if self.by_species:
            self.system.species[own] = rows[:, d].astype(np.int32)
            self.system.diameter[own] = np.array(self.system.model.sizes.diameters)[self.system.species[own]]
        else:
            self.system.diameter[own] = rows[:, d]
        self.system.image = rows[:, d + 1:].astype(np.int32)
        self.system.rebuild()

    def state(self) -> dict[str, Array]:
        """Rows in the system's present order from which `restore` goes on to the bit; call `store` first."""
        d, now = self.dimension, self.work.now() if self.work else self.now
        rows = self.system.reorder(self.id, np.hstack([self.x, self.period, self.start, now]))
        x, period, start, now = np.split(rows, [d, 2 * d, 3 * d], axis=1)
        return {"swap x": x, "swap period": period, "swap start": start, **({"swap now": now} if self.work else {})}

    def numbers(self) -> Floats:
        """(ranks, n) numbers that `restore` needs besides `state`. Collective."""
        own = [self.part, *self.widths, *(self.work.numbers if self.work else [])]
        return np.asarray(ranks.gathered(self.comm, np.array([own], dtype=np.float64)))

    def restore(self, fields: dict[str, Array], numbers: Floats, subsweep: int) -> None:
        """Continue from `state` after that many sub-sweeps, or in the next one; the system must have been restored.

        On another number of ranks a sub-sweep that was begun is done again from its start.
        """
        self.load()
        self.x, self.start = np.array(fields["swap x"]), np.array(fields["swap start"])
        self.period = np.rint(fields["swap period"]).astype(np.int64)
        begun = "swap now" in fields
        self.origin = self._draw_origin(subsweep if begun else subsweep - 1) if begun or subsweep else np.zeros(self.dimension)
        if len(numbers) == self.comm.size:
            part, *rest = numbers[self.comm.rank].tolist()
            self.part, self.widths = int(part), [int(width) for width in rest[:2]]
            self._resumed = np.array(rest[2:])
            self.now = np.array(fields["swap now"]) if begun else self.now

    def mark(self) -> None:
        """Measure displacements from here."""
        self.start = self._continuous()

    def mean_square_displacement(self) -> float:
        """Mean of |x(t) - x(mark)|^2 over all particles [length^2]. Collective."""
        moved = self._continuous() - self.start
        return float(ranks.total(self.comm, float((moved * moved).sum()))) / self.system.n_total

    def some(self, most: int) -> Floats:
        """(n, d + 1) positions, continuous in time, and sizes of up to `most` particles, by id, always the same. Collective."""
        chosen = self.id % -(-self.system.n_total // most) == 0
        rows = np.hstack([self.id[chosen, None], self._continuous()[chosen], self.size[chosen, None]])
        rows = np.asarray(ranks.gathered(self.comm, rows))
        return np.ascontiguousarray(rows[np.argsort(rows[:, 0]), 1:])

    def _continuous(self) -> Floats:
        return self.x + (self.origin + self.period) @ self.h.T

    # ------------------------------------------------------------------ one sub-sweep

    def sub_sweep(self, number: int, sweeps: int, measure: bool = False, pause: Callable[[float], None] | None = None) -> Tally:
        """New origin, then sweeps x (active particles) attempts on every rank; `measure` first. Collective.

        Parameters
        ----------
        pause : called on the way, where `state` may be asked for, with the share of the attempts that is done

        Raises
        ------
        InputError
            More attempts than there are random numbers for one sub-sweep.
        """
        if sweeps * self.system.n_total >= 2**31 * self.comm.size:
            raise InputError(f"swap Monte Carlo: sub_sweeps = {sweeps} is too long for {self.system.n_total} particles on "
                             f"{self.comm.size} ranks; the product per rank must stay below 2^31")
        if self.trajectories and self.system.walls is not None:
            raise InputError("swap Monte Carlo: trajectories know no rigid walls; take single moves")
        begun = self.now.shape[1] > 0
        if not begun:
            self._shift(self._draw_origin(number))
        self._place_walls()
        self._migrate()
        inside, region = self._sort()
        record, ghost_region = self._with_ghosts(measure)
        measured = self._measure(record, number, int(inside.sum())) if measure else None
        kind = Cycles if self.trajectories else SingleMoves
        work = self.work = kind(self.frame, self.zone, self.cut, self.skin, self.potential, self.system.table, self.two_rows,
                                self.widths, record, self.id.size, region[inside],
                                np.concatenate([region[~inside], ghost_region]))
        if begun:
            work.resume(sweeps, self.now, self._resumed)
            self.now = np.empty((self.id.size, 0))
        elif self.zone.n_regions > 1:
            self._far_exchanges(record, work.n_active, number, sweeps, work.tally, work.gain)
        self._visit_regions(work, number, sweeps, begun, pause)
        self.work = None
        self.x = np.ascontiguousarray(record[: self.id.size, : self.dimension])
        self.size = record[: self.id.size, 3].copy()
        summed = ranks.total(self.comm, np.concatenate([work.tally.astype(np.float64), work.gain]))
        return Tally(np.rint(summed[:-1]).astype(np.int64), float(summed[-1]), measured)

    def _visit_regions(self, work: Regions, number: int, sweeps: int, begun: bool, pause: Callable[[float], None] | None) -> None:
        """All attempts, or those that are left, with pauses."""
        moves = self._moves(Stream.SWAP_MOVES, number)
        parts = -(-sweeps * self.system.n_total // (PART * self.comm.size))
        for part in range(self.part, parts):
            if pause and parts > 1 and not (begun and part == self.part):
                self.part = part
                pause(part / parts)
            work.advance(moves, sweeps, (part + 1) / parts)
        self.part = 0

    def _draw_origin(self, number: int) -> Floats:
        return random.uniform(self.seed, Stream.SWAP_ORIGIN, number, [0], self.dimension)[0]

    def _shift(self, origin: Floats) -> None:
        self.x = self.x - (origin - self.origin) @ self.h.T
        self.origin = origin
        self._wrap()

    def _place_walls(self) -> None:
        """Tell the kernels where the walls are in coordinates at the present origin; they take the nearest image."""
        walls = self.system.walls
        if walls is not None:
            centre = three(np.array(walls.centre) @ self.rotation - self.origin @ self.h.T, 0.0)
            self.potential = self.potential._replace(walls=(*centre, float(self.h[0, 0]), walls.r_in, walls.r_out))

    def _wrap(self) -> None:
        periods = np.floor(self._fraction(self.x)).astype(np.int64)
        self.x = self.x - periods @ self.h.T
        self.period = self.period + periods

    def _fraction(self, x: Floats) -> Floats:
        return x @ self.frame.inverse.T

    def _migrate(self) -> None:
        if self.comm.size > 1:
            owner = self.bricks.owner(self._fraction(self.x))
            self.id, self.x, self.size, self.period, self.start, self.now = ranks.send_rows(
                self.comm, owner, self.id, self.x, self.size, self.period, self.start, self.now)

    def _sort(self) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Order: active first, by region, cell in it, id. Returns which are active, and their regions."""
        inside, region, cell = self.zone.place(self._fraction(self.x))
        key = (np.where(inside, 0, self.zone.n_regions) + region) * 8**self.dimension + cell
        order = np.argsort(key * self.system.n_total + self.id)
        for name in ("id", "x", "size", "period", "start", "now"):
            setattr(self, name, getattr(self, name)[order])
        return inside[order], region[order]

    def _with_ghosts(self, measure: bool) -> tuple[Floats, NDArray[np.int64]]:
        """Records (x, y, z, size) of owned particles and ghosts, and the regions nearest to the ghosts."""
        width = np.where(self.zone.split, (1.0 if measure else 0.5) * self.cut / self.frame.heights, 0.0)
        n, d = self.id.size, self.dimension
        if self.comm.size == 1:
            record = np.zeros((n, 4))
            record[:, :d], record[:, 3] = self.x, self.size
            return record, np.empty(0, dtype=np.int64)
        halo = Halo(self.comm, self.bricks, self._fraction(self.x), width)
        record = np.zeros((n + halo.n_ghosts, 4))
        record[:n, :d], record[:n, 3] = self.x, self.size
        halo.forward(record, n)
        record[n:, :d] += halo.periods @ self.h.T
        return record, self.zone.place(self._fraction(record[n:, :d]))[1]

    # ------------------------------------------------------------------ parts of a sub-sweep

    def _bins_of_rank(self, particles: int) -> tuple[Any, Any, Any]:
        around = np.where(self.zone.split, 1.5 * self.cut / self.frame.heights, 0.0)
        return self.frame.bins(self.zone.low - around, self.zone.high + around, self.cut, particles)

    def _moves(self, stream: Stream, number: int) -> kernels.Moves:
        tag, low = random.counter(stream, number)
        return kernels.Moves(self.temperature, self.step, round(self.exchange * 2**32), random.key(self.seed), tag, low,
                             np.uint64(self.comm.rank))

    def _measure(self, record: Floats, number: int, n_active: int) -> Measurement:
        """Energy, the configurational temperature's sums over owned particles, and exchange proposals among active ones."""
        sums, cell, grid = np.zeros(5), self.frame.cell(~self.zone.split), self._bins_of_rank(len(record))
        probe.thermometer(record, self.id.size, self.potential, self.system.table, cell, grid, self.cut, sums)
        everywhere = max(int(ranks.total(self.comm, n_active)), 1)
        probe.exchange_pairs(record, np.arange(n_active, dtype=np.uint32), self.potential, cell, grid, self.cut,
                             self._moves(Stream.SWAP_PROBE, number), -(-PROBES * n_active // everywhere), False, sums,
                             np.zeros(6, dtype=np.int64))
        return Measurement(*[float(value) for value in ranks.total(self.comm, sums)])

    def _far_exchanges(self, record: Floats, n_active: int, number: int, sweeps: int, tally: Array, gain: Floats) -> None:
        """Exchanges of pairs from anywhere in the zone."""
        probe.exchange_pairs(record, np.arange(n_active, dtype=np.uint32), self.potential, self.frame.cell(~self.zone.split),
                             self._bins_of_rank(len(record)), self.cut, self._moves(Stream.SWAP_GLOBAL, number),
                             int(FAR * self.exchange * sweeps * n_active), True, gain, tally)

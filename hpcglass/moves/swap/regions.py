"""What a rank does between two messages: the regions of its zone, one after the other.

It can be left and taken up again, to the bit, where a list has expired and would be built anew anyhow, and between two regions:
`now` and `numbers` are all that is needed, besides the particles at the start of the sub-sweep.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core.pairs import PairTable
from hpcglass.moves.swap import kernels, ladder, probe, trajectories
from hpcglass.moves.swap.frame import INFINITE, Frame, three
from hpcglass.moves.swap.zones import Zone

Floats = NDArray[np.float64]
Array = NDArray[Any]


class Regions(ABC):
    """One rank's part of a sub-sweep.

    Parameters
    ----------
    cut, skin : reach of the lists beyond the particles [length]
    potential, table, two_rows : for the kernels
    widths : of wide and tight rows of the lists; they grow
    record : (n, 4) x, y, z, size of the active particles, sorted by region, then of all others; changed by the moves
    n_owned : rows of `record` that are this rank's
    active, others : regions of the active particles and of the others

    Attributes
    ----------
    attempt : how many are done
    tally, gain : counts (see `kernels`) and change of energy
    """

    def __init__(self, frame: Frame, zone: Zone, cut: float, skin: float, potential: Any, table: PairTable, two_rows: bool,
                 widths: list[int], record: Floats, n_owned: int, active: Array, others: Array) -> None:
        self.frame, self.zone, self.cut, self.skin = frame, zone, cut, skin
        self.potential, self.table, self.two_rows, self.widths = potential, table, two_rows, widths
        self.record, self.n_owned = record, n_owned
        order = np.argsort(others, kind="stable")
        self.first = np.searchsorted(active, np.arange(zone.n_regions + 1))
        self.frozen_start = np.searchsorted(others[order], np.arange(zone.n_regions + 1))
        self.frozen = order + self.n_active
        self.attempt, self.tally, self.gain = 0, np.zeros(6, dtype=np.int64), np.zeros(1)
        d = frame.dimension
        self.grid = [int(v) for v in zone.regions] + [1] * (3 - d)
        self.periodic = [bool(v) for v in ~zone.split] + [False] * (3 - d)
        self.reach = (cut + skin) / frame.heights
        self.cell = frame.cell(~zone.split & (zone.regions == 1))
        self.whole = frame.cell(np.zeros(d, dtype=bool))
        largest = int((np.diff(self.first) + np.diff(self.frozen_start)).max())
        self.work = np.empty((3**d * largest if zone.n_regions > 1 else len(record), 4))
        self.region, self.rows = -1, 0          # the one that is being visited, and how many rows of `work` it has
        self.crossed = np.zeros((0, 3))         # periods that its particles have crossed

    @property
    def n_active(self) -> int:
        return int(self.first[-1])

    def advance(self, moves: kernels.Moves, sweeps: int, share: float) -> None:
        """Attempts until this share of all, sweeps x (active particles), is done, and on to where one can pause."""
        enough = int(np.ceil(share * sweeps * self.n_active))
        while self.attempt < enough:
            region = int(np.searchsorted(self.first, self.attempt // sweeps, side="right")) - 1
            if region != self.region:
                self._enter(region)
            last = int(self.first[region + 1]) * sweeps
            local, edge, bins = self.work[: self.rows], *self._bounds(region)
            self.attempt = self._visit(local, edge, bins, moves, sweeps, self.attempt, last, enough)
            if self.attempt == last:
                n = len(self.crossed)
                kernels.unfold(local, self.crossed, self.cell)
                self.record[self.first[region]: self.first[region + 1]] = local[:n]
                self.region = -1

    def _enter(self, region: int) -> None:
        """Copy a region and what is around it to `work`."""
        edge, _ = self._bounds(region)
        self.rows = probe.gather(self.record, region, self.first, self.frozen_start, self.frozen, tuple(self.grid),
                                 tuple(self.periodic), self.whole, edge[0], edge[1], three(self.reach, 0.0), self.work)
        self.region, self.crossed = region, np.zeros((int(self.first[region + 1] - self.first[region]), 3))

    def _bounds(self, region: int) -> tuple[list[tuple[float, float, float]], Any]:
        """Edges that no particle may cross, and bins for the lists."""
        low, high = self.zone.bounds(region)
        span = [np.where(np.isinf(v), f, v + s * self.reach) for v, f, s in ((low, 0.0, -1), (high, 1.0, 1))]
        return [three(low, -INFINITE), three(high, INFINITE)], self.frame.bins(span[0], span[1], self.cut + self.skin, self.rows)

    @abstractmethod
    def _visit(self, local: Floats, edge: list[Any], bins: Any, moves: kernels.Moves, sweeps: int, first: int, last: int,
               enough: int) -> int:
        """Attempts from `first` on in the region in `local`, to `last` or to where one can pause after `enough`: the next one."""

    # ------------------------------------------------------------------ to go on from a pause

    def now(self) -> Floats:
        """(n_owned, 7) records of this rank's particles, and the periods they have crossed in the region being visited."""
        rows = np.zeros((self.n_owned, 7))
        rows[:, :4] = self.record[: self.n_owned]
        if self.region >= 0:
            here = slice(self.first[self.region], self.first[self.region + 1])
            rows[here, :4], rows[here, 4:] = self.work[: len(self.crossed)], self.crossed
        return rows

    @property
    def numbers(self) -> Floats:
        """What else `resume` needs."""
        return np.array([self.attempt, *self.gain, *self.tally], dtype=np.float64)

    def resume(self, sweeps: int, now: Floats, numbers: Floats) -> None:
        """Go on from there, with the particles in the order they had."""
        self.record[: self.n_owned] = now[:, :4]
        self.attempt, self.gain[0], self.tally[:] = int(numbers[0]), numbers[1], np.rint(numbers[2:]).astype(np.int64)
        region = int(np.searchsorted(self.first, self.attempt // sweeps, side="right")) - 1
        if region < self.zone.n_regions and self.attempt > self.first[region] * sweeps:
            self._enter(region)
            self.crossed[:] = now[self.first[region]: self.first[region + 1], 4:]


class SingleMoves(Regions):
    """Attempts that displace one particle or exchange two sizes."""

    def _visit(self, local: Floats, edge: list[Any], bins: Any, moves: kernels.Moves, sweeps: int, first: int, last: int,
               enough: int) -> int:
        n, widths = len(self.crossed), self.widths
        while first < min(last, enough):
            work = (np.empty((len(local), 4)), np.empty((n, widths[0]), np.uint32), np.empty(n, np.uint32),
                    np.empty((n, widths[1]), np.uint32), np.empty(n, np.uint32))
            first, wide, tight = kernels.visit(local, self.crossed, work, self.potential, self.cell, edge[0], edge[1], bins,
                                               self.cut, self.skin, self.two_rows, moves, first, last, enough, self.tally,
                                               self.gain)
            if wide > widths[0] or tight > widths[1]:
                widths[:] = max(widths[0], wide + 8), max(widths[1], tight + 8)
        return first


class Cycles(Regions):
    """Cycles of a trajectory of all particles of a region and exchanges up the ladder, which count as SWEEPS sweeps.

    With a share f of exchanges a cycle has EXCHANGES f exchanges per particle and STEPS (1 - f) time steps. Both are chosen
    for f = 0.2, by how soon sizes and positions are forgotten (tools/benchmarks/swap_relaxation.py).
    """

    SWEEPS = 20
    STEPS = 50
    EXCHANGES = 40
    DRAWS = 64      # of a cycle, per particle: enough for n + 1 and EXCHANGES f n

    @classmethod
    def within(cls, sweeps: int) -> int:
        """Cycles of a sub-sweep of so many sweeps."""
        return max(round(sweeps / cls.SWEEPS), 1)

    def _visit(self, local: Floats, edge: list[Any], bins: Any, moves: kernels.Moves, sweeps: int, first: int, last: int,
               enough: int) -> int:
        n, cycles = len(self.crossed), self.within(sweeps)
        begin, share = last - n * sweeps, moves.exchange / 2**32
        while first < min(last, enough):
            cycle = (first - begin) * cycles // (n * sweeps)
            draw = self.DRAWS * (cycle * self.n_active + begin // sweeps)
            trajectories.trajectory(local, self.crossed, moves, draw, self.potential, self.table, self.cell, edge[0], edge[1],
                                    bins, self.cut, self.skin, round(self.STEPS * (1 - share)), self.tally, self.gain)
            ladder.exchanges(local, n, self.potential, self.cell, bins, self.cut, moves, draw + n + 1,
                             round(self.EXCHANGES * share * n), self.tally, self.gain)
            first = begin + -(-(cycle + 1) * n * sweeps // cycles)
        return first

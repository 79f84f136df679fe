"""Many pulls, shared out to ranks: the distinct saddles of a glass, and the softest of them refined.

Each rank holds all of the glass and makes the pulls that are its own; what they came to is a row of numbers that all ranks hear
of, in an order that does not depend on how many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.look import Look, straight_on
from hpcglass.saddles.pull import SADDLE
from hpcglass.saddles.search import Saddle, Search, critical_strain
from hpcglass.saddles.whole import Whole

Floats = NDArray[np.float64]
Alive = Callable[[str], None]

DISC, LARGER, WHOLE = 0, 1, 2       # where a saddle was refined
WIDER = 1.5                         # radius of the larger disc, of the first
ROUND, FEW = 32, 2                  # starts, saddles of each rank between two looks up
SAME = 1e-6                         # relative difference of the barriers of one saddle, found twice


@dataclass
class Start:
    """A pull about a particle.

    kind : what it stands for, for those who ask later
    row : of the particle, in the sample
    owner : rank that makes it
    rows, forces : (k,) particles, (k, d) forces on them; needed on that rank only
    """

    kind: int
    row: int
    owner: int
    rows: NDArray[np.int64]
    forces: Floats


@dataclass
class Sampling:
    """What pulls came to; each start is pulled both ways, trial 2 s + (0, 1). The same on all ranks but for `saddles`.

    flag : (t,) `pull.FLAGS`; connected : (t,) whether the saddle is a way out of the minimum
    core : (t,) id of the particle that moves most; barrier, eigenvalue, other, participation : (t,) see `Saddle`
    stress : (t, d, d) V Delta sigma
    refined : (t,) DISC, LARGER, WHOLE
    saddles : those of this rank's trials that are connected
    """

    flag: NDArray[np.int64]
    connected: NDArray[np.bool_]
    core: NDArray[np.int64]
    barrier: Floats
    eigenvalue: Floats
    other: Floats
    participation: Floats
    stress: Floats
    refined: NDArray[np.int64]
    saddles: dict[int, Saddle]

    def distinct(self) -> NDArray[np.int64]:
        """Connected trials that led to a saddle for the first time: another core, or another barrier."""
        kept: list[int] = []
        connected = np.flatnonzero(self.connected)
        for trial in connected[np.lexsort((connected, self.barrier[connected], self.core[connected]))]:
            if not (kept and self.core[trial] == self.core[kept[-1]]
                    and self.barrier[trial] - self.barrier[kept[-1]] < SAME * self.barrier[trial]):
                kept.append(int(trial))
        return np.array(sorted(kept), dtype=np.int64)

    def strains(self, trials: NDArray[np.int64], gradient: Floats) -> Floats:
        """gamma_c of some of the trials."""
        return critical_strain(self.barrier[trials], self.stress[trials], gradient)


def sample(comm: MPI.Comm, search: Search, starts: Sequence[Start], alive: Alive, look: Look = straight_on) -> Sampling:
    """Pull at all starts, both ways. Collective over `comm`; `alive` is told of each start, on the rank that makes it."""
    found: dict[int, Saddle] = {}
    for number, start in enumerate(starts):
        if number % (ROUND * comm.size) == 0:
            look()
        if start.owner != comm.rank:
            continue
        patch = search.patch(start.row)
        place = np.full(search.system.n_owned, -1)
        place[patch.rows[: patch.n_free]] = np.arange(patch.n_free)
        free = place[start.rows] >= 0
        load = np.zeros((patch.n_free, search.system.dimension))
        np.add.at(load, place[start.rows[free]], start.forces[free])
        for side, sign in enumerate((1.0, -1.0)):
            found[2 * number + side] = search.pulled(patch, sign * load)
        alive(f"start {number} of {len(starts)} for saddles")
    return _told(comm, search, 2 * len(starts), found, dict.fromkeys(found, DISC))


def refine(comm: MPI.Comm, search: Search, sampling: Sampling, trials: Sequence[int], alive: Alive, look: Look = straight_on
           ) -> Sampling:
    """Some trials, in a larger disc and in the whole glass, as far as they can be followed. Collective over `comm`."""
    found, refined = dict(sampling.saddles), {trial: int(sampling.refined[trial]) for trial in sampling.saddles}
    larger, whole = Search(search.system, WIDER * search.radius), Whole(search.system)
    for count, trial in enumerate(trials):
        if count % (FEW * comm.size) == 0:
            look()
        if trial not in found:
            continue
        if larger.radius > search.radius:
            wider = larger.settled(found[trial])
            if not wider.connected:
                continue
            found[trial], refined[trial] = wider, LARGER
        best = whole.refined(found[trial])
        if best is not None:
            found[trial], refined[trial] = best, WHOLE
        alive(f"saddle {trial} in the whole glass")
    whole.destroy()
    rest = _told(comm, search, len(sampling.flag), found, refined)
    rest.flag = sampling.flag
    return rest


def _told(comm: MPI.Comm, search: Search, trials: int, found: dict[int, Saddle], refined: dict[int, int]) -> Sampling:
    """All ranks hear of what each one found."""
    d = search.system.dimension
    rows = np.zeros((trials, 8 + d * d))
    for trial, one in found.items():
        rows[trial, 0] = one.flag
        if one.flag == SADDLE:
            rows[trial, 1:8] = (one.connected, search.system.id[one.core], one.barrier, one.eigenvalue, one.other,
                                one.participation, refined[trial])
            rows[trial, 8:] = one.stress.ravel()
    rows = ranks.total(comm, rows)
    flag, connected, core, barrier, eigenvalue, other, participation, where = rows[:, :8].T
    return Sampling(flag.astype(np.int64), connected > 0, core.astype(np.int64), barrier, eigenvalue, other, participation,
                    rows[:, 8:].reshape(-1, d, d), where.astype(np.int64),
                    {trial: one for trial, one in found.items() if one.connected})

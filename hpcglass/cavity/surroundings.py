"""Where patches are cut out of a sample, and what is in them: the particles in and around a brick, whatever other rank has them.

Every rank cuts the patches whose centres lie in its brick. Differences of positions are exact (see `core.system`), and particles
of a patch come in an order that depends on them alone: a patch is the same to the bit whichever rank cuts it, at an edge of the
cell or not. A centre is a point of the grid of references, so that its differences from particles are exact, too.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.cavity.patch import AXES, Floats, Ints, Patch
from hpcglass.core import comm as ranks
from hpcglass.core.halo import Halo
from hpcglass.core.system import System
from hpcglass.errors import InputError
from hpcglass.geometries.periodic import heights
from hpcglass.landscape.forces import evaluate

BIN = 2.0           # height of the bins [length]


class Crowd(NamedTuple):
    """Particles of a rank and around it, sorted into bins, with what kernels need to look around a point.

    reference, displacement : (n, d), their sum is the position; diameter, species, id : (n,)
    start : (bins + 1,) first row of each bin; shape : (d,) bins along each axis; low, scale : (d,) bin = (fraction - low) scale
    inverse : (d, d) of the cell; heights : (d,) of a bin [length]
    """

    reference: Floats
    displacement: Floats
    diameter: Floats
    species: NDArray[np.int32]
    id: Ints
    start: Ints
    shape: Ints
    low: Floats
    scale: Floats
    inverse: Floats
    heights: Floats


class Surroundings:
    """All particles closer than a distance to this rank's brick. Making it is collective, and so is `share`.

    Parameters
    ----------
    system : up to date, stays as it is
    width : the distance: radius of the largest patch [length]

    Attributes
    ----------
    crowd : those particles
    pairs, volume, range : number of interacting pairs, volume and largest range of interaction of the whole sample

    Raises
    ------
    InputError
        The cell is too narrow for a patch, which would meet its own image; or there are walls.
    """

    def __init__(self, system: System, width: float) -> None:
        if system.walls is not None:
            raise InputError("patches are cut out of periodic samples: this glass is between rigid walls")
        narrow = float(heights(system.box).min())
        if 2.0 * width > narrow:
            raise InputError(f"a patch of radius {width:.3g} (free disc and a shell) needs a cell at least "
                             f"{2 * width:.3g} high, this one is {narrow:.3g}: take a larger sample, or a smaller radius")
        self.system = system.renewed()
        self.axes, self.width = AXES[system.dimension], width
        self.pairs, self.volume, self.range = evaluate(self.system).pairs, self.system.volume, self.system.range
        self.crowd = self._gather(width)

    def _gather(self, width: float) -> Crowd:
        system, own = self.system, slice(0, self.system.n_owned)
        inverse = np.linalg.inv(system.box)
        halo = Halo(system.comm, system.bricks, system.reference[own] @ inverse.T - system.origin, width / heights(system.box))
        rows = {}
        for name in ("reference", "displacement", "diameter", "species", "id"):
            values = getattr(system, name)[own]
            rows[name] = np.empty((system.n_owned + halo.n_ghosts, *values.shape[1:]), dtype=values.dtype)
            rows[name][own] = values
            halo.forward(rows[name], system.n_owned)
        high, low = system.box_high, system.box_low
        rows["reference"][system.n_owned:] += halo.periods @ high.T
        rows["displacement"][system.n_owned:] += halo.periods @ low.T
        fraction = rows["reference"] @ inverse.T
        none = np.zeros(system.dimension)
        corner, end = (fraction.min(axis=0), fraction.max(axis=0)) if len(fraction) else (none, none + 1.0)
        extent = np.maximum(end - corner, 1e-12)
        shape = np.maximum((extent * heights(system.box) / BIN).astype(np.int64), 1)
        scale = shape / extent
        place = np.clip(((fraction - corner) * scale).astype(np.int64), 0, shape - 1)
        flat = np.ravel_multi_index(tuple(place.T), tuple(map(int, shape)))
        order = np.argsort(flat, kind="stable")
        start = np.searchsorted(flat[order], np.arange(shape.prod() + 1))
        return Crowd(**{name: np.ascontiguousarray(values[order]) for name, values in rows.items()}, start=start, shape=shape,
                     low=corner, scale=scale, inverse=inverse, heights=heights(system.box) / scale)

    def centres(self, sites: Floats) -> Floats:
        """(s, d) the sites, moved to the nearest point of the grid of references within the cell."""
        fraction = (sites @ self.crowd.inverse.T - self.system.origin) % 1.0 + self.system.origin
        step = self.system.grid_step
        return np.asarray(np.rint(fraction @ self.system.box.T / step) * step)

    def mine(self, centres: Floats) -> Ints:
        """Which of the centres (s, d) lie in this rank's brick; each lies in one."""
        fraction = np.clip(centres @ self.crowd.inverse.T - self.system.origin, 0.0, 1.0 - 1e-16)
        return np.flatnonzero(self.system.bricks.owner(fraction) == self.system.comm.rank)

    def patch(self, centre: Floats, free: float, soft: float = 0.0, stiffness: float = 0.0) -> Patch:
        """The patch about a centre (d,): free particles within `free` + `soft`, those beyond `free` tied with `stiffness`."""
        rows, y = around(self.axes, self.crowd, centre, self.width)
        distance2 = (y**2).sum(axis=1)
        inside = distance2 < (free + soft) ** 2
        order = np.lexsort((self.crowd.id[rows], y[:, 0], ~inside))
        rows, y, n_free = rows[order], y[order], int(inside.sum())
        core = distance2[order[:n_free]] < free**2
        tied = np.flatnonzero(~core) if stiffness > 0.0 else np.empty(0, np.int64)
        y = np.concatenate([y, y[tied]])
        return Patch(n_free, core, y, self.crowd.diameter[rows], self.crowd.species[rows], tied, stiffness)


def grid(box: Floats, spacing: float) -> Floats:
    """(sites, d) points of a grid of the cell with about this spacing, the first one at half a spacing from the origin."""
    counts = np.maximum(np.rint(heights(box) / spacing), 1).astype(np.int64)
    places = np.stack(np.meshgrid(*((np.arange(n) + 0.5) / n for n in counts), indexing="ij"), axis=-1)
    return np.asarray(places.reshape(-1, len(counts)) @ box.T)


def particles(system: System) -> Floats:
    """(N, d) positions of all particles in the order of their ids, on all ranks. Collective."""
    own = slice(0, system.n_owned)
    rows = ranks.gathered(system.comm, system.position)
    return np.asarray(rows[np.argsort(ranks.gathered(system.comm, system.id[own]), kind="stable")])


def spaced(box: Floats, positions: Floats, spacing: float) -> Floats:
    """(sites, d) of the positions (n, d), in each cell of a grid with about this spacing the one next to its middle."""
    counts = np.maximum(np.rint(heights(box) / spacing), 1).astype(np.int64)
    fraction = (positions @ np.linalg.inv(box).T) % 1.0
    place = np.minimum((fraction * counts).astype(np.int64), counts - 1)
    cell = np.ravel_multi_index(tuple(place.T), tuple(map(int, counts)))
    distance2 = (((fraction - (place + 0.5) / counts) @ box.T) ** 2).sum(axis=1)
    order = np.lexsort((np.arange(len(cell)), distance2, cell))
    first = np.ones(len(order), dtype=bool)
    first[1:] = np.diff(cell[order]) > 0
    return np.asarray(positions[order[first]])


@numba.njit(cache=True)
def around(axes, crowd, centre, radius):
    """(rows of the crowd, positions relative to the centre) of all that are closer than the radius, bin by bin."""
    d = len(axes)
    low, high = np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64)
    extent = np.ones(3, dtype=np.int64)
    for a in range(d):
        place = -crowd.low[a]
        for b in range(d):
            place += crowd.inverse[a, b] * centre[b]
        extent[a] = crowd.shape[a]
        low[a] = max(np.int64(np.floor(place * crowd.scale[a] - radius / crowd.heights[a])), 0)
        high[a] = min(np.int64(np.floor(place * crowd.scale[a] + radius / crowd.heights[a])), crowd.shape[a] - 1)
    room = 0
    for i in range(low[0], high[0] + 1):
        for j in range(low[1], high[1] + 1):
            line = (i * extent[1] + j) * extent[2]
            room += crowd.start[line + high[2] + 1] - crowd.start[line + low[2]]
    rows, y = np.empty(room, dtype=np.int64), np.empty((room, d))
    count = 0
    for i in range(low[0], high[0] + 1):
        for j in range(low[1], high[1] + 1):
            line = (i * extent[1] + j) * extent[2]
            for row in range(crowd.start[line + low[2]], crowd.start[line + high[2] + 1]):
                square = 0.0
                for a in range(d):
                    value = (crowd.reference[row, a] - centre[a]) + crowd.displacement[row, a]
                    y[count, a] = value
                    square += value * value
                rows[count] = row
                count += 1 if square < radius * radius else 0
    return rows[:count].copy(), y[:count].copy()

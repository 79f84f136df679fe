"""Where patches are cut out of a sample, and what is in them."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core.system import System
from hpcglass.errors import InputError
from hpcglass.geometries.periodic import heights
from hpcglass.saddles.disc import Patch

Floats = NDArray[np.float64]


class Sample:
    """All particles of a system that one rank has alone (`core.replica`), sorted so that those around a point are found at once.

    Parameters
    ----------
    system : on one rank, up to date
    free, shell : radii of the disc of free particles and of the patch [length]

    Raises
    ------
    InputError
        The cell is too narrow for the patch, which would meet its own image.
    """

    def __init__(self, system: System, free: float, shell: float) -> None:
        narrow = float(heights(system.box).min())
        if 2.0 * shell > narrow:
            raise InputError(f"a patch of radius {shell:.3g} (free disc {free:g} and a shell) needs a cell at least "
                             f"{2 * shell:.3g} high, this one is {narrow:.3g}: take a larger sample, or a smaller radius")
        self.system, self.free, self.shell = system, free, shell
        self.inverse = np.linalg.inv(system.box)
        self.fraction = (system.position @ self.inverse.T) % 1.0
        self.shape = np.maximum((heights(system.box) / shell).astype(np.int64), 1)
        place = np.minimum((self.fraction * self.shape).astype(np.int64), self.shape - 1)
        flat = np.ravel_multi_index(tuple(place.T), tuple(map(int, self.shape)))
        self.order = np.argsort(flat, kind="stable")
        self.start = np.searchsorted(flat[self.order], np.arange(self.shape.prod() + 1))

    def patch(self, centre: Floats) -> Patch:
        """The patch about a point (d,); its particles are in an order that depends on them alone."""
        system = self.system
        here = (self.inverse @ centre) % 1.0
        rows, y = _around(self.fraction, self.order, self.start, self.shape, system.box, here, self.shell)
        inside = (y**2).sum(axis=1) < self.free**2
        ids = system.id[rows]
        order = np.lexsort((ids, y[:, 0], ~inside))
        rows, y = rows[order], np.ascontiguousarray(y[order])
        return Patch(int(inside.sum()), rows, y, system.diameter[rows], system.species[rows])

    def grid(self, spacing: float) -> Floats:
        """(sites, d) centres on a grid of the cell with about this spacing, the first one at half a spacing from the origin."""
        counts = np.maximum(np.rint(heights(self.system.box) / spacing), 1).astype(np.int64)
        places = np.stack(np.meshgrid(*((np.arange(n) + 0.5) / n for n in counts), indexing="ij"), axis=-1)
        return np.asarray(places.reshape(-1, len(counts)) @ self.system.box.T)


@numba.njit(cache=True)
def _around(fraction, order, start, shape, box, here, radius):
    """(rows, positions relative to the point) of all particles within the radius, nearest images."""
    d = shape.size
    found, y = np.empty(order.size, dtype=np.int64), np.empty((order.size, d))
    home, difference, x = np.empty(3, dtype=np.int64), np.empty(d), np.empty(d)
    low, high = np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64)
    extent = np.ones(3, dtype=np.int64)
    for a in range(d):
        extent[a] = shape[a]
        home[a] = min(int(here[a] * shape[a]), shape[a] - 1)
        low[a], high[a] = (-1, 1) if shape[a] > 2 else (-home[a], shape[a] - 1 - home[a])
    count = 0
    for i in range(low[0], high[0] + 1):
        for j in range(low[1], high[1] + 1):
            for k in range(low[2], high[2] + 1):
                cell = (home[0] + i) % extent[0]
                cell = cell * extent[1] + (home[1] + j) % extent[1]
                if d == 3:
                    cell = cell * extent[2] + (home[2] + k) % extent[2]
                for p in range(start[cell], start[cell + 1]):
                    row = order[p]
                    for a in range(d):
                        difference[a] = fraction[row, a] - here[a]
                        difference[a] -= np.rint(difference[a])
                    square = 0.0
                    for a in range(d):
                        x[a] = 0.0
                        for b in range(d):
                            x[a] += box[a, b] * difference[b]
                        square += x[a] * x[a]
                    if square < radius * radius:
                        found[count] = row
                        y[count] = x
                        count += 1
    return found[:count].copy(), y[:count].copy()

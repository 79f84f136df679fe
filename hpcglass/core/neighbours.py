"""Lists of pairs that may interact until somebody has moved by half the skin.

Particles are sorted into bins one range wide (parallel to the cell's faces, so that a tilted cell is no special
case); ghosts into the same bins. Owned particles are stored in bin order, so that candidates are runs of consecutive rows and
the distance test is a vector loop. A pair is kept when r < x_c lambda_ij + skin. Owned-owned pairs appear once (j > i),
owned-ghost pairs always: each owner computes its own force, no reverse communication is needed.
Cost: 3^d / V_d(1) candidates per pair; bins half as wide have a third fewer, in shorter runs, and take longer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core.pairs import KEEP_NAN, PairTable, pair_length
from hpcglass.geometries.periodic import heights

BLOCK = 256     # candidates tested together
MOST_BINS = 2**40

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass
class Bins:
    """A grid of bins over the brick and its halo, in fractional coordinates."""

    low: Floats
    per_fraction: Floats
    shape: Ints
    reach: Ints

    @classmethod
    def covering(cls, box: Floats, low: Floats, high: Floats, reach: float, particles: int) -> Bins:
        """Bins at least `reach` high between the fractional corners, and not many more than particles.

        However large the cell: counts are cut at MOST_BINS along an axis, and multiplied as floats, which do not overflow.
        """
        extent = high - low
        thickness = heights(box)
        shape = np.clip(extent * thickness / reach, 1, MOST_BINS).astype(np.int64)
        while shape.prod(dtype=np.float64) > 8 * particles + 64:
            shape = np.maximum(shape // 2, 1)
        bin_height = extent * thickness / shape
        return cls(low, shape / extent, shape, np.maximum(np.ceil(reach / bin_height - 1e-12), 1).astype(np.int64))

    def index(self, fraction: Floats) -> Ints:
        """(n,) flat bin of each fractional position, last axis fastest."""
        place = np.clip(((fraction - self.low) * self.per_fraction).astype(np.int64), 0, self.shape - 1)
        flat = place[:, 0]
        for k in range(1, place.shape[1]):
            flat = flat * self.shape[k] + place[:, k]
        return flat

    def octant(self, fraction: Floats) -> Ints:
        """(n,) which of the 2^d halves of its bin along all axes each position is in: for an order that keeps neighbours near."""
        place = ((fraction - self.low) * (2.0 * self.per_fraction)).astype(np.int64) & 1
        return place @ (1 << np.arange(place.shape[1], dtype=np.int64))

    def starts(self, flat: Ints) -> Ints:
        """First row of each bin, and the end, for rows sorted by bin."""
        return np.searchsorted(flat, np.arange(self.shape.prod() + 1))


@dataclass
class PairList:
    """Compressed rows: partners of owned particle i are index[start[i]:start[i+1]].

    owner : (pairs,) i of each pair in 2D, where rows are too short for loops along them; empty in 3D
    """

    start: NDArray[np.int64]
    owner: NDArray[np.uint32]
    index: NDArray[np.uint32]
    inverse_length2: Floats    # 1 / lambda_ij^2 of each pair
    energy: Floats             # eps_ij of each pair; empty when all are 1

    @property
    def size(self) -> int:
        return int(self.index.size)


def build_pairs(table: PairTable, bins: Bins, position: Floats, diameter: Floats, species: NDArray[np.int32],
                owned_bins: Ints, ghost_bins: Ints, skin: float, capacity: int) -> PairList:
    """All pairs with an owned first member closer than their cut-off plus skin.

    Parameters
    ----------
    position : (n_all, d)
        Owned rows in bin order, then ghosts in bin order.
    owned_bins, ghost_bins : (n,)
        Flat bin of each row of either kind, non-decreasing.
    capacity : int
        First guess of the number of pairs; grown as needed.
    """
    n_owned = owned_bins.size
    owned_start, ghost_start = bins.starts(owned_bins), bins.starts(ghost_bins)
    start = np.empty(n_owned + 1, dtype=np.int64)
    shape = np.ones(3, np.int64)
    reach = np.zeros(3, np.int64)
    shape[3 - position.shape[1]:] = bins.shape
    reach[3 - position.shape[1]:] = bins.reach
    cutoff = float(np.sqrt(table.edges[-1]))
    longest = float(table.length.max()) if table.by_species else float(diameter.max(initial=0.0))
    axes = np.ascontiguousarray(position.T)
    flat = len(axes) == 2
    while True:
        index = np.empty(max(capacity, 2 * BLOCK), dtype=np.uint32)
        needed = _fill(table, axes, diameter, species, n_owned, owned_bins, owned_start, ghost_start, shape, reach,
                       cutoff, longest, skin, start, index)
        if needed >= 0:
            index = index[:needed].copy() if needed < 0.8 * index.size else index[:needed]
            owner = np.repeat(np.arange(n_owned if flat else 0, dtype=np.uint32), np.diff(start) if flat else 0)
            uniform = not table.energy_power and bool((table.energy == 1.0).all())
            if table.by_species and table.length.size == 1 and uniform:
                alike = np.broadcast_to(1.0 / table.length[0, 0] ** 2, needed)
                return PairList(start, owner, index, alike, np.empty(0))
            inverse_length2 = np.empty(needed)
            energy = np.empty(0 if uniform else needed)
            _mix(table, diameter, species, start, index, inverse_length2, energy)
            return PairList(start, owner, index, inverse_length2, energy)
        capacity = 2 * index.size


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _fill(table, axes, diameter, species, n_owned, owned_bins, owned_start, ghost_start, shape, reach, cutoff, longest, skin,
          start, index):
    """Write the list; the number of pairs, or -1 when `index` is too short.

    axes : (d, n_all) positions; longest : upper bound of lambda_ij.
    """
    distance2 = np.empty(BLOCK)
    by_species, lengths, nonadditivity = table.by_species, table.length, table.nonadditivity
    all_alike = by_species and lengths.size == 1
    near2 = (cutoff * longest + skin) ** 2
    flat = axes.shape[0] == 2
    count = 0
    for i in range(n_owned):
        start[i] = count
        home = owned_bins[i]
        c = home % shape[2]
        b = (home // shape[2]) % shape[1]
        a = home // (shape[2] * shape[1])
        low, high = max(c - reach[2], 0), min(c + reach[2], shape[2] - 1)
        x, y, z = axes[0, i], axes[1, i], 0.0 if flat else axes[2, i]
        begin = count
        for aa in range(max(a - reach[0], 0), min(a + reach[0], shape[0] - 1) + 1):
            for bb in range(max(b - reach[1], 0), min(b + reach[1], shape[1] - 1) + 1):
                row = (aa * shape[1] + bb) * shape[2]
                for ghosts in range(2):
                    if ghosts:
                        here, last = n_owned + ghost_start[row + low], n_owned + ghost_start[row + high + 1]
                    else:
                        here, last = max(owned_start[row + low], i + 1), owned_start[row + high + 1]
                    while here < last:
                        n = np.uint64(min(last - here, BLOCK))
                        first = np.uint64(here)      # unsigned: otherwise every access asks whether it is negative
                        if flat:
                            for k in range(n):
                                dx, dy = axes[0, first + k] - x, axes[1, first + k] - y
                                distance2[k] = dx * dx + dy * dy
                        else:
                            for k in range(n):
                                dx, dy, dz = axes[0, first + k] - x, axes[1, first + k] - y, axes[2, first + k] - z
                                distance2[k] = dx * dx + dy * dy + dz * dz
                        if count + BLOCK > index.size:
                            return -1
                        end = np.uint64(count)
                        for k in range(n):
                            index[end] = first + k
                            end += np.uint64(distance2[k] < near2)
                        count = np.int64(end)
                        here += BLOCK
        if all_alike:
            continue
        end, count = count, begin
        for p in range(begin, end):      # of these candidates keep what is within this pair's own reach
            j = index[p]
            dx, dy = axes[0, j] - x, axes[1, j] - y
            dz = 0.0 if flat else axes[2, j] - z
            far = cutoff * pair_length(by_species, lengths, nonadditivity, diameter, species, i, j) + skin
            index[count] = j
            count += dx * dx + dy * dy + dz * dz < far * far
    start[n_owned] = count
    return count


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _mix(table, diameter, species, start, index, inverse_length2, energy):
    """1/lambda_ij^2 and eps_ij of every pair of the list."""
    by_species, lengths, nonadditivity, energies = table.by_species, table.length, table.nonadditivity, table.energy
    for i in range(start.size - 1):
        for p in range(start[i], start[i + 1]):
            j = index[p]
            length = pair_length(by_species, lengths, nonadditivity, diameter, species, i, j)
            inverse_length2[p] = 1.0 / (length * length)
            if energy.size:
                scale = energies[species[i], species[j]] if by_species else 1.0
                for _ in range(table.energy_power):
                    scale *= length
                energy[p] = scale

"""Neighbours for swap Monte Carlo: pair energies, bins, and the two lists of each active particle.

A record is (x, y, z, size), 32 bytes: one gather; `size` is the diameter, or the species of models that mix by
species. The *wide* row of a particle holds all partners within the largest cut-off + skin, the *tight* row those within
the cut-off of the present sizes + skin. Lists are built bin by bin: candidates are copied once per bin, distances run in SIMD
registers, and hits are kept by advancing a counter by the comparison, without a branch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from hpcglass.core.pieces import piece_scalar
from hpcglass.core.vectors import assign

FAST = {"reassoc", "contract", "arcp", "nsz"}     # NaN is kept
# NumPy's error model: Python's checks every division for zero, which keeps loops out of SIMD registers
compiled = njit(cache=True, fastmath=FAST, error_model="numpy")
inner = njit(forceinline=True, fastmath=FAST, error_model="numpy")     # helpers, compiled into the cached kernels


class Potential(NamedTuple):
    """phi = eps sum_m a_m t^-m + sum_k b_k t^k per segment; t = x^2, or x when `root` is set. None prunes code."""

    segments: Any        # ((edge in x^2, (a_1, ..., a_M), (b_0, ..., b_K)), ...)
    root: Any            # None, or True: t = x
    floor: float         # x^2 below which phi stays constant, so that overlaps never overflow
    cut2: float          # x_c^2
    nonadditivity: float
    length: Any          # None, or (S, S) lambda_ab
    energy: Any          # None, or (S, S) eps_ab
    power: Any           # None, or p: eps is multiplied by lambda^p
    pieces: Any = None   # None, or other powers than whole ones of x: instead of `segments`
    walls: Any = None    # None, or (centre x, y, z, edge of the cell, r_in, r_out) of rigid walls


class Cell(NamedTuple):
    """Upper triangular cell h and the dimensions in which it is periodic here."""

    axes: Any            # (0, 1) or (0, 1, 2): its length is the dimension, known to the compiler
    periodic: Any        # (3) bool
    half: Any            # (3) half of the diagonal, or inf; None when no dimension is periodic: no minimum image
    h: Any               # (h_00, h_01, h_11, h_02, h_12, h_22)
    inverse: Any         # the same six of h^-1


@inner
def pair_length(a, b, nonadditivity, length):
    """lambda_ij of two sizes."""
    if length is None:
        return 0.5 * (a + b) * (1.0 - nonadditivity * abs(a - b))
    else:
        return length[np.uint32(a), np.uint32(b)]


@inner
def pair_strength(a, b, lam, energy, power):
    """eps_ij of two sizes."""
    strength = 1.0
    if energy is not None:
        strength = energy[np.uint32(a), np.uint32(b)]
    if power is not None:
        strength *= lam**power
    return strength


@inner
def separation(dx, dy, dz, cell):
    """Minimum image of a separation, last axis first; exact for lengths below half the diagonal of h."""
    if len(cell.axes) != 3:
        dz = 0.0
    return _minimum_image(dx, dy, dz, len(cell.axes), cell.half, cell.h)


@inner
def _minimum_image(dx, dy, dz, dimension, half, h):
    if half is None:
        return dx, dy, dz
    else:
        h00, h01, h11, h02, h12, h22 = h
        if dimension == 3:
            n = 1.0 if dz > half[2] else (-1.0 if dz < -half[2] else 0.0)
            dx -= n * h02
            dy -= n * h12
            dz -= n * h22
        n = 1.0 if dy > half[1] else (-1.0 if dy < -half[1] else 0.0)
        dx -= n * h01
        dy -= n * h11
        n = 1.0 if dx > half[0] else (-1.0 if dx < -half[0] else 0.0)
        dx -= n * h00
        return dx, dy, dz


@inner
def fraction(x, y, z, inverse):
    """s = h^-1 x."""
    i00, i01, i11, i02, i12, i22 = inverse
    return i00 * x + i01 * y + i02 * z, i11 * y + i12 * z, i22 * z


@inner
def phi(y, segments, root, floor, pieces):
    """phi / eps at x^2 = y; zero beyond the last segment."""
    t = y if y > floor else floor
    if pieces is not None:
        return piece_scalar(pieces, 0, t)
    else:
        if root is not None:
            t = np.sqrt(t)
        z = 1.0 / t
        value = 0.0
        for n in range(len(segments)):
            edge, a, b = segments[len(segments) - 1 - n]
            inverse, direct = a[len(a) - 1], b[len(b) - 1]
            for m in range(1, len(a)):
                inverse = inverse * z + a[len(a) - 1 - m]
            for m in range(1, len(b)):
                direct = direct * t + b[len(b) - 1 - m]
            value = inverse * z + direct if y < edge else value
        return value


@inner
def from_centre(x, y, z, flat, walls):
    """Vector from the centre of the walls to the nearest image of a position, and its length."""
    cx, cy, cz, edge, _, _ = walls
    dx, dy, dz = x - cx, y - cy, 0.0 if flat else z - cz
    dx -= edge * np.rint(dx / edge)
    dy -= edge * np.rint(dy / edge)
    dz -= edge * np.rint(dz / edge)
    return dx, dy, dz, np.sqrt(dx * dx + dy * dy + dz * dz)


@inner
def wall_energy(x, y, z, size, pot, cell, walls):
    """phi of both walls for a particle of a size, infinite beyond them."""
    if walls is None:
        return 0.0
    else:
        r = from_centre(x, y, z, len(cell.axes) != 3, walls)[3]
        inner_gap, outer_gap = r - walls[4], walls[5] - r
        if inner_gap <= 0.0 or outer_gap <= 0.0:
            return np.inf
        lam = pair_length(size, size, pot.nonadditivity, pot.length)
        scale, nearest = 1.0 / (lam * lam), min(inner_gap, outer_gap)
        if nearest * nearest * scale >= pot.cut2:
            return 0.0
        value = phi(inner_gap * inner_gap * scale, pot.segments, pot.root, pot.floor, pot.pieces) \
            + phi(outer_gap * outer_gap * scale, pot.segments, pot.root, pot.floor, pot.pieces)
        return value * pair_strength(size, size, lam, pot.energy, pot.power)


@compiled
def bin_particles(record, n, cell, low, bins, width):
    """Counting sort into bins of `width` (fractions) from `low`: start (bins + 1,), order (n,) uint32; z runs fastest."""
    nx, ny, nz = bins
    start = np.zeros(nx * ny * nz + 1, dtype=np.int64)
    place = np.empty(n, dtype=np.int64)
    for i in range(n):
        b = bin_of(record[i, 0], record[i, 1], record[i, 2], cell, low, bins, width)
        place[i] = (b[0] * ny + b[1]) * nz + b[2]
        start[place[i] + 1] += 1
    for b in range(nx * ny * nz):
        start[b + 1] += start[b]
    fill = start.copy()
    order = np.empty(n, dtype=np.uint32)
    for i in range(n):
        order[fill[place[i]]] = i
        fill[place[i]] += 1
    return start, order


@inner
def bin_of(x, y, z, cell, low, bins, width):
    """Bin coordinates: periodic axes wrap, others are clamped."""
    s = fraction(x, y, z, cell.inverse)
    return (_bin_axis(s[0], 0, cell, low, bins, width), _bin_axis(s[1], 1, cell, low, bins, width),
            _bin_axis(s[2], 2, cell, low, bins, width) if len(cell.axes) == 3 else 0)


@inner
def _bin_axis(s, k, cell, low, bins, width):
    if cell.periodic[k]:
        s -= np.floor(s)
    b = int((s - low[k]) / width[k])
    return 0 if b < 0 else (bins[k] - 1 if b >= bins[k] else b)


@inner
def neighbour_bins(b, bins, periodic):
    """First neighbour of bin b along an axis, and how many there are; they wrap on periodic axes."""
    if periodic:
        return (b - 1 + bins) % bins, (3 if bins > 3 else bins)
    else:
        first = b - 1 if b > 0 else 0
        last = b + 1 if b < bins - 1 else b
        return first, last - first + 1


@inner
def bins_around(bx, by, bz, cell, bins):
    """First bin, and how many, along each axis: a bin and its neighbours."""
    xa, xn = neighbour_bins(bx, bins[0], cell.periodic[0])
    ya, yn = neighbour_bins(by, bins[1], cell.periodic[1])
    za, zn = 0, 1
    if len(cell.axes) == 3:
        za, zn = neighbour_bins(bz, bins[2], cell.periodic[2])
    return xa, xn, ya, yn, za, zn


@compiled
def near(record, order, start, i, cell, low, bins, width, reach2, found):
    """Write to `found` all particles within sqrt(reach2) of particle i, itself excepted; returns how many."""
    x, y, z = record[i, 0], record[i, 1], record[i, 2]
    b = bin_of(x, y, z, cell, low, bins, width)
    xa, xn, ya, yn, za, zn = bins_around(b[0], b[1], b[2], cell, bins)
    count = np.uint32(0)
    for p in range(xn):
        bx = (xa + p) % bins[0]
        for q in range(yn):
            by = (ya + q) % bins[1]
            for r in range(zn):
                bin_ = (bx * bins[1] + by) * bins[2] + (za + r) % bins[2]
                for c in range(start[bin_], start[bin_ + 1]):
                    j = order[c]
                    dx, dy, dz = separation(record[j, 0] - x, record[j, 1] - y, record[j, 2] - z, cell)
                    found[count] = j
                    count += np.uint32((dx * dx + dy * dy + dz * dz < reach2) & (j != i))
    return count


@inner
def longer(values, length):
    """The same with room for more."""
    result = np.empty(length, dtype=values.dtype)
    for k in range(len(values)):
        result[k] = values[k]
    return result


@inner
def crowd(start, b, cell, bins):
    """How many particles `candidates` finds."""
    xa, xn, ya, yn, za, zn = bins_around(b // (bins[2] * bins[1]), b // bins[2] % bins[1], b % bins[2], cell, bins)
    count = 0
    for p in range(xn):
        for q in range(yn):
            for r in range(zn):
                other = (((xa + p) % bins[0]) * bins[1] + (ya + q) % bins[1]) * bins[2] + (za + r) % bins[2]
                count += start[other + 1] - start[other]
    return count


@inner
def candidates(record, order, start, b, cell, bins, around, index):
    """Copy the particles of bin b and of the bins around it to around (4, m), index (m,); returns their number."""
    xa, xn, ya, yn, za, zn = bins_around(b // (bins[2] * bins[1]), b // bins[2] % bins[1], b % bins[2], cell, bins)
    count = 0
    for p in range(xn):
        for q in range(yn):
            for r in range(zn):
                other = (((xa + p) % bins[0]) * bins[1] + (ya + q) % bins[1]) * bins[2] + (za + r) % bins[2]
                for c in range(start[other], start[other + 1]):
                    j = order[c]
                    around[0, count], around[1, count] = record[j, 0], record[j, 1]
                    around[2, count], around[3, count] = record[j, 2], record[j, 3]
                    index[count] = j
                    count += 1
    return count


@compiled
def build_lists(record, n_active, lists, pot, cell, grid, cut, skin, two_rows):
    """Fill wide and tight rows and the reference positions. Returns the widths they need (> present: incomplete)."""
    reference, wide, n_wide, tight, n_tight = lists
    low, bins, width = grid
    start, order = bin_particles(record, len(record), cell, low, bins, width)
    index = np.empty(len(record), dtype=np.uint32)
    found = np.empty(len(record) + 1, dtype=np.uint32)
    around = np.empty((4, len(record)))
    distance2 = np.empty(len(record))
    reach2 = (cut + skin) ** 2
    x_c = np.sqrt(pot.cut2)
    most_wide, most_tight = 0, 0
    assign(reference, record)
    for b in range(len(start) - 1):
        m = -1
        for k in range(start[b], start[b + 1]):
            i = order[k]
            if i >= n_active:
                continue
            if m < 0:
                m = candidates(record, order, start, b, cell, bins, around, index)
            x, y, z, size = record[i, 0], record[i, 1], record[i, 2], record[i, 3]
            for c in range(m):
                dx, dy, dz = separation(around[0, c] - x, around[1, c] - y, around[2, c] - z, cell)
                distance2[c] = dx * dx + dy * dy + dz * dz
            count = np.uint32(0)
            for c in range(m):
                found[count] = c
                count += np.uint32((distance2[c] < reach2) & (index[c] != i))
            n_wide[i] = count
            most_wide = max(most_wide, np.int64(count))
            if count > wide.shape[1]:
                continue
            kept = np.uint32(0)
            for n in range(count):
                c = found[n]
                wide[i, n] = index[c]
                if two_rows:
                    found[kept] = index[c]
                    reach = x_c * pair_length(size, around[3, c], pot.nonadditivity, pot.length) + skin
                    kept += np.uint32(distance2[c] < reach * reach)
            n_tight[i] = kept
            most_tight = max(most_tight, np.int64(kept))
            if kept <= tight.shape[1]:
                for n in range(kept):
                    tight[i, n] = found[n]
    return most_wide, most_tight

"""Compiled inner loops of swap Monte Carlo: one region, frozen surroundings.

A region is a set of active particles, rows [:n_active] of `record`, that may not leave it, and the frozen ones around. A record
is (x, y, z, size): 32 bytes, one gather; `size` is the diameter, or the species of models that mix by species.

Two lists per active particle: the *wide* row holds all partners within the largest cut-off + skin, the *tight* row
those within the cut-off of the present sizes + skin. A displacement looks at the tight row (8 instead of 20 candidates): one
pass computes the old and the new squared distance and keeps a pair by advancing a counter by the comparison, without
a branch; energies are evaluated for the 6-7 pairs kept. An exchange grows one particle g and shrinks another s. When phi >= 0 falls
with r/lambda, the terms of g over its tight row bound the change from below, and most exchanges stop there; only survivors
read g's wide row. Pair g-s itself never changes. Models with attraction have one row, and no early exit.

Alternatives measured: cell lists with four sums (4 times slower), whole rows without compaction, sequential order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from hpcglass.core.random import fill_draws

FAST = {"reassoc", "contract", "arcp", "nsz"}     # NaN is kept
inner = njit(forceinline=True, fastmath=FAST)     # helpers, compiled into the cached kernels
BATCH = 256                                       # attempts whose random words are drawn together
DONE, EXPIRED = 0, 1                              # attempts made; the lists must be rebuilt
WORD = 2.0**-32
MOVED, MOVES, SWAPPED, SWAPS, LEFT, BUILDS = range(6)     # places in a tally: accepted and attempted, zone rejections


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


class Cell(NamedTuple):
    """Upper triangular cell h and the dimensions in which it is periodic here (half = inf elsewhere)."""

    axes: Any            # (0, 1) or (0, 1, 2): its length is the dimension, known to the compiler
    half: Any            # (3) half of the diagonal, or inf
    h: Any               # (h_00, h_01, h_11, h_02, h_12, h_22)
    inverse: Any         # the same six of h^-1


class Moves(NamedTuple):
    """What is attempted, and the key and counter of its random numbers."""

    temperature: float
    step: float
    exchange: int        # probability of an exchange, times 2^32
    seed: Any
    tag: Any
    time: Any
    index: Any


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
    half = cell.half
    h00, h01, h11, h02, h12, h22 = cell.h
    if len(cell.axes) == 3:
        n = 1.0 if dz > half[2] else (-1.0 if dz < -half[2] else 0.0)
        dx -= n * h02
        dy -= n * h12
        dz -= n * h22
    else:
        dz = 0.0
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
def phi(y, segments, root, floor):
    """phi / eps at x^2 = y; zero beyond the last segment."""
    t = y if y > floor else floor
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
def displacement_change(record, row, count, i, ux, uy, uz, pot, cell, kept):
    """Energy of particle i after the step u minus before. `kept` is a (3, width) buffer."""
    x, y, z, size = record[i, 0], record[i, 1], record[i, 2], record[i, 3]
    hits = np.uint32(0)
    for c in range(count):
        j = row[c]
        dx, dy, dz = separation(record[j, 0] - x, record[j, 1] - y, record[j, 2] - z, cell)
        other = record[j, 3]
        lam = pair_length(size, other, pot.nonadditivity, pot.length)
        ex, ey = dx - ux, dy - uy
        ez = dz - uz if len(cell.axes) == 3 else 0.0
        old = dx * dx + dy * dy + dz * dz
        new = ex * ex + ey * ey + ez * ez
        lam2 = lam * lam
        kept[0, hits] = old
        kept[1, hits] = new
        kept[2, hits] = lam2
        if pot.energy is not None or pot.power is not None:
            kept[3, hits] = pair_strength(size, other, lam, pot.energy, pot.power)
        nearest = old if old < new else new
        hits += np.uint32(nearest < pot.cut2 * lam2)
    change = 0.0
    for c in range(hits):
        scale = 1.0 / kept[2, c]
        part = phi(kept[1, c] * scale, pot.segments, pot.root, pot.floor) \
            - phi(kept[0, c] * scale, pot.segments, pot.root, pot.floor)
        if pot.energy is not None or pot.power is not None:
            part *= kept[3, c]
        change += part
    return change


@inner
def resize_change(record, row, count, i, partner, before, after, pot, cell, kept):
    """Energy of particle i with size `after` minus with size `before`, without its pair with `partner`."""
    x, y, z = record[i, 0], record[i, 1], record[i, 2]
    hits = np.uint32(0)
    for c in range(count):
        j = row[c]
        dx, dy, dz = separation(record[j, 0] - x, record[j, 1] - y, record[j, 2] - z, cell)
        other = record[j, 3]
        old = pair_length(before, other, pot.nonadditivity, pot.length)
        new = pair_length(after, other, pot.nonadditivity, pot.length)
        largest = old if old > new else new
        r2 = dx * dx + dy * dy + dz * dz
        kept[0, hits] = r2
        kept[1, hits] = old
        kept[2, hits] = new
        kept[3, hits] = other
        hits += np.uint32((r2 < pot.cut2 * largest * largest) & (j != partner))
    change = 0.0
    for c in range(hits):
        r2, old, new = kept[0, c], kept[1, c], kept[2, c]
        above = phi(r2 / (new * new), pot.segments, pot.root, pot.floor)
        below = phi(r2 / (old * old), pot.segments, pot.root, pot.floor)
        if pot.energy is not None or pot.power is not None:
            above *= pair_strength(after, kept[3, c], new, pot.energy, pot.power)
            below *= pair_strength(before, kept[3, c], old, pot.energy, pot.power)
        change += above - below
    return change


@njit(cache=True, fastmath=FAST)
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
    if cell.half[k] < np.inf:
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


@njit(cache=True, fastmath=FAST)
def near(record, order, start, i, cell, low, bins, width, reach2, found):
    """Write to `found` all particles within sqrt(reach2) of particle i, itself excepted; returns how many."""
    x, y, z = record[i, 0], record[i, 1], record[i, 2]
    b = bin_of(x, y, z, cell, low, bins, width)
    half = cell.half
    xa, xn = neighbour_bins(b[0], bins[0], half[0] < np.inf)
    ya, yn = neighbour_bins(b[1], bins[1], half[1] < np.inf)
    za, zn = 0, 1
    if len(cell.axes) == 3:
        za, zn = neighbour_bins(b[2], bins[2], half[2] < np.inf)
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
def candidates(record, order, start, b, cell, bins, around, index):
    """Copy the particles of bin b and of the bins around it to around (4, m), index (m,); returns their number."""
    bz, by, bx = b % bins[2], b // bins[2] % bins[1], b // (bins[2] * bins[1])
    half = cell.half
    xa, xn = neighbour_bins(bx, bins[0], half[0] < np.inf)
    ya, yn = neighbour_bins(by, bins[1], half[1] < np.inf)
    za, zn = 0, 1
    if len(cell.axes) == 3:
        za, zn = neighbour_bins(bz, bins[2], half[2] < np.inf)
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


@njit(cache=True, fastmath=FAST)
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
    reference[:] = record
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
            most_wide = max(most_wide, int(count))
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
            most_tight = max(most_tight, int(kept))
            if kept <= tight.shape[1]:
                tight[i, :kept] = found[:kept]
    return most_wide, most_tight


@inner
def tighten(i, n_active, record, lists, pot, cell, skin):
    """Particle i has grown: add the pairs that became tight to its tight row and to its partners'. False when a row is full."""
    reference, wide, n_wide, tight, n_tight = lists
    x, y, z = reference[i, 0], reference[i, 1], reference[i, 2]
    x_c = np.sqrt(pot.cut2)
    for c in range(n_wide[i]):
        j = wide[i, c]
        dx, dy, dz = separation(reference[j, 0] - x, reference[j, 1] - y, reference[j, 2] - z, cell)
        reach = x_c * pair_length(record[i, 3], record[j, 3], pot.nonadditivity, pot.length) + skin
        if dx * dx + dy * dy + dz * dz < reach * reach:
            present = False
            for k in range(n_tight[i]):
                present |= tight[i, k] == j
            if not present:
                if n_tight[i] == tight.shape[1] or (j < n_active and n_tight[j] == tight.shape[1]):
                    return False
                tight[i, n_tight[i]] = j
                n_tight[i] += np.uint32(1)
                if j < n_active:
                    tight[j, n_tight[j]] = i
                    n_tight[j] += np.uint32(1)
    return True


@inner
def try_displacement(i, ux, uy, uz, limit, record, lists, pot, cell, low, high, skin, two_rows, kept, tally, gain):
    """One attempted displacement. Returns EXPIRED, with nothing done, when the row of i may be incomplete."""
    reference, wide, n_wide, tight, n_tight = lists
    x, y, z = record[i, 0] + ux, record[i, 1] + uy, record[i, 2] + uz
    dx, dy, dz = x - reference[i, 0], y - reference[i, 1], z - reference[i, 2]
    if dx * dx + dy * dy + dz * dz > 0.25 * skin * skin:
        return EXPIRED
    tally[MOVES] += 1
    s = fraction(x, y, z, cell.inverse)
    inside = (s[0] >= low[0]) & (s[0] < high[0]) & (s[1] >= low[1]) & (s[1] < high[1])
    if len(cell.axes) == 3:
        inside &= (s[2] >= low[2]) & (s[2] < high[2])
    if not inside:
        tally[LEFT] += 1
        return DONE
    if two_rows:
        change = displacement_change(record, tight[i], n_tight[i], i, ux, uy, uz, pot, cell, kept)
    else:
        change = displacement_change(record, wide[i], n_wide[i], i, ux, uy, uz, pot, cell, kept)
    if change <= limit:
        record[i, 0], record[i, 1], record[i, 2] = x, y, z
        tally[MOVED] += 1
        gain[0] += change
    return DONE


@inner
def try_exchange(i, j, limit, n_active, record, lists, pot, cell, skin, two_rows, kept, tally, gain):
    """One attempted exchange of sizes. Returns EXPIRED, with the exchange done, when a tight row is full."""
    reference, wide, n_wide, tight, n_tight = lists
    if record[i, 3] == record[j, 3]:
        return DONE
    tally[SWAPS] += 1
    grow, shrink = (i, j) if record[i, 3] < record[j, 3] else (j, i)
    small, large = record[grow, 3], record[shrink, 3]
    if two_rows:
        change = resize_change(record, tight[shrink], n_tight[shrink], shrink, grow, large, small, pot, cell, kept)
        bound = resize_change(record, tight[grow], n_tight[grow], grow, shrink, small, large, pot, cell, kept)
        if change + bound > limit:
            return DONE
    else:
        change = resize_change(record, wide[shrink], n_wide[shrink], shrink, grow, large, small, pot, cell, kept)
    change += resize_change(record, wide[grow], n_wide[grow], grow, shrink, small, large, pot, cell, kept)
    if change <= limit:
        record[grow, 3], record[shrink, 3] = large, small
        tally[SWAPPED] += 1
        gain[0] += change
        if two_rows and not tighten(grow, n_active, record, lists, pot, cell, skin):
            return EXPIRED
    return DONE


@njit(cache=True, fastmath=FAST)
def attempt(record, n_active, lists, pot, cell, low, high, skin, two_rows, moves, first, last, tally, gain):
    """Attempts first..last-1 of this sub-sweep on one region. Returns (code, next attempt).

    Attempt a uses draws 2a and 2a + 1: (kind, i, u, u) and (ux, uy, uz, j).
    """
    words = np.empty((4, 2 * BATCH), dtype=np.uint32)
    kept = np.empty((4, max(lists[1].shape[1], lists[3].shape[1]) + 1))
    n = np.uint64(n_active)
    shift = np.uint64(32)
    three = 1.0 if len(cell.axes) == 3 else 0.0
    drawn = first
    for a in range(first, last):
        if a == drawn:
            fill_draws(moves.seed, moves.tag, moves.time, moves.index, np.uint64(2 * a), words)
            drawn += BATCH
        q = 2 * (a - drawn + BATCH)
        i = np.uint32((np.uint64(words[1, q]) * n) >> shift)
        u = (words[2, q] + (words[3, q] + 0.5) * WORD) * WORD
        limit = -moves.temperature * np.log(u)
        if words[0, q] < moves.exchange:
            j = np.uint32((np.uint64(words[3, q + 1]) * n) >> shift)
            if try_exchange(i, j, limit, n_active, record, lists, pot, cell, skin, two_rows, kept, tally, gain) != DONE:
                return EXPIRED, a + 1
        else:
            ux = moves.step * (2.0 * WORD * (words[0, q + 1] + 0.5) - 1.0)
            uy = moves.step * (2.0 * WORD * (words[1, q + 1] + 0.5) - 1.0)
            uz = moves.step * (2.0 * WORD * (words[2, q + 1] + 0.5) - 1.0) * three
            if try_displacement(i, ux, uy, uz, limit, record, lists, pot, cell, low, high, skin, two_rows,
                                kept, tally, gain) != DONE:
                return EXPIRED, a
    return DONE, last


@njit(cache=True, fastmath=FAST)
def visit(record, n_active, lists, pot, cell, low, high, grid, cut, skin, two_rows, moves, first, last, tally, gain):
    """All attempts first..last-1 on one region, with lists rebuilt as needed.

    Returns (next attempt, widths that wide and tight rows need): an attempt before `last` asks for wider rows and another call.
    """
    while first < last:
        most_wide, most_tight = build_lists(record, n_active, lists, pot, cell, grid, cut, skin, two_rows)
        tally[BUILDS] += 1
        if most_wide > lists[1].shape[1] or most_tight > lists[3].shape[1]:
            return first, most_wide, most_tight
        _, first = attempt(record, n_active, lists, pot, cell, low, high, skin, two_rows, moves, first, last, tally, gain)
    return last, 0, 0

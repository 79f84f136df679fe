"""Compiled inner loops of swap Monte Carlo: one region, frozen surroundings.

A region is a set of active particles, rows [:n_active] of `record`, that may not leave it, and the frozen ones around.
Lists and records: `lists`.

A displacement looks at the tight row (8 instead of 20 candidates): one pass computes the old and the new squared
distance and keeps a pair by advancing a counter by the comparison, without a branch; energies are evaluated for the 6-7
pairs kept. An exchange grows one particle g and shrinks another s. When phi >= 0 falls with r/lambda, the terms of g over its
tight row bound the change from below, and most exchanges stop there; only survivors read g's wide row. Pair g-s itself never
changes. Models with attraction have one row, and no early exit. Rigid walls, if any, are part of the energy of either move.

Alternatives measured: cell lists with four sums (4 times slower), whole rows without compaction, sequential order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hpcglass.core.random import fill_draws
from hpcglass.moves.swap.lists import (
    build_lists,
    compiled,
    fraction,
    inner,
    pair_length,
    pair_strength,
    phi,
    separation,
    wall_energy,
)

BATCH = 256                                       # attempts whose random words are drawn together
DONE, EXPIRED = 0, 1                              # attempts made; the lists must be rebuilt
WORD = 2.0**-32
MOVED, MOVES, SWAPPED, SWAPS, LEFT, BUILDS = range(6)     # places in a tally: accepted and attempted, zone rejections


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
def displacement_change(record, rows, count, i, ux, uy, uz, pot, cell, kept):
    """Energy of particle i after the step u minus before. `kept` is a (3, width) buffer."""
    x, y, z, size = record[i, 0], record[i, 1], record[i, 2], record[i, 3]
    hits = np.uint32(0)
    for c in range(count):
        j = rows[i, c]
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
        part = phi(kept[1, c] * scale, pot.segments, pot.root, pot.floor, pot.pieces) \
            - phi(kept[0, c] * scale, pot.segments, pot.root, pot.floor, pot.pieces)
        if pot.energy is not None or pot.power is not None:
            part *= kept[3, c]
        change += part
    return change + (wall_energy(x + ux, y + uy, z + uz, size, pot, cell, pot.walls)
                     - wall_energy(x, y, z, size, pot, cell, pot.walls))


@inner
def resize_change(record, rows, at, count, i, partner, before, after, pot, cell, kept):
    """Energy of particle i with size `after` minus with size `before`, without its pair with `partner`; row `at` of `rows`."""
    x, y, z = record[i, 0], record[i, 1], record[i, 2]
    hits = np.uint32(0)
    for c in range(count):
        j = rows[at, c]
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
    return resized(kept, hits, x, y, z, before, after, pot, cell)


@inner
def resized(kept, hits, x, y, z, before, after, pot, cell):
    """Energy with the size `after` minus with `before`; `kept` has r^2, lambda before, after, and the other size of each pair."""
    change = 0.0
    for c in range(hits):
        r2, old, new = kept[0, c], kept[1, c], kept[2, c]
        above = phi(r2 / (new * new), pot.segments, pot.root, pot.floor, pot.pieces)
        below = phi(r2 / (old * old), pot.segments, pot.root, pot.floor, pot.pieces)
        if pot.energy is not None or pot.power is not None:
            above *= pair_strength(after, kept[3, c], new, pot.energy, pot.power)
            below *= pair_strength(before, kept[3, c], old, pot.energy, pot.power)
        change += above - below
    return change + (wall_energy(x, y, z, after, pot, cell, pot.walls) - wall_energy(x, y, z, before, pot, cell, pot.walls))


@inner
def tighten(i, before, n_active, record, reference, wide, n_wide, tight, n_tight, pot, cell, skin):
    """Particle i has grown: add the pairs that became tight to its tight row and to its partners'. False when a row is full.

    A pair that was tight with the size `before` is there already; one that was so earlier may be, if i has shrunk since.
    """
    x, y, z, after = reference[i, 0], reference[i, 1], reference[i, 2], record[i, 3]
    x_c = np.sqrt(pot.cut2)
    for c in range(n_wide[i]):
        j = wide[i, c]
        dx, dy, dz = separation(reference[j, 0] - x, reference[j, 1] - y, reference[j, 2] - z, cell)
        r2 = dx * dx + dy * dy + dz * dz
        old = x_c * pair_length(before, record[j, 3], pot.nonadditivity, pot.length) + skin
        new = x_c * pair_length(after, record[j, 3], pot.nonadditivity, pot.length) + skin
        if (r2 >= old * old) & (r2 < new * new) and not contains(tight, i, n_tight[i], j):
            if n_tight[i] == tight.shape[1] or (j < n_active and n_tight[j] == tight.shape[1]):
                return False
            tight[i, n_tight[i]] = j
            n_tight[i] += np.uint32(1)
            if j < n_active:
                tight[j, n_tight[j]] = i
                n_tight[j] += np.uint32(1)
    return True


@inner
def contains(tight, i, count, j):
    """Whether row i names particle j."""
    present = False
    for c in range(count):
        present |= tight[i, c] == j
    return present


@inner
def leaves(x, y, z, cell, low, high):
    """Whether a position is outside the region."""
    s = fraction(x, y, z, cell.inverse)
    inside = (s[0] >= low[0]) & (s[0] < high[0]) & (s[1] >= low[1]) & (s[1] < high[1])
    if len(cell.axes) == 3:
        inside &= (s[2] >= low[2]) & (s[2] < high[2])
    return not inside


@compiled
def attempt(record, n_active, lists, pot, cell, low, high, skin, two_rows, moves, first, last, tally, gain):
    """Attempts first..last-1 of this sub-sweep on one region. Returns (code, next attempt).

    Attempt a uses draws 2a and 2a + 1: (kind, i, u, u) and (ux, uy, uz, j). An exchange for which a tight row is full has been
    made; a displacement whose row may be incomplete has not.

    Which rows are looked at is chosen here, and no helper returns from a branch: else references to the arrays are counted at
    every attempt, which took as long as the energies.
    """
    reference, wide, n_wide, tight, n_tight = lists
    rows, n_rows = wide, n_wide
    if two_rows:
        rows, n_rows = tight, n_tight
    words = np.empty((4, 2 * BATCH), dtype=np.uint32)
    kept = np.empty((4, max(wide.shape[1], tight.shape[1]) + 1))
    n, shift = np.uint64(n_active), np.uint64(32)
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
        if words[0, q] >= moves.exchange:
            ux = moves.step * (2.0 * WORD * (words[0, q + 1] + 0.5) - 1.0)
            uy = moves.step * (2.0 * WORD * (words[1, q + 1] + 0.5) - 1.0)
            uz = moves.step * (2.0 * WORD * (words[2, q + 1] + 0.5) - 1.0) * three
            x, y, z = record[i, 0] + ux, record[i, 1] + uy, record[i, 2] + uz
            dx, dy, dz = x - reference[i, 0], y - reference[i, 1], z - reference[i, 2]
            if dx * dx + dy * dy + dz * dz > 0.25 * skin * skin:
                return EXPIRED, a
            tally[MOVES] += 1
            if leaves(x, y, z, cell, low, high):
                tally[LEFT] += 1
                continue
            change = displacement_change(record, rows, n_rows[i], i, ux, uy, uz, pot, cell, kept)
            if change <= limit:
                record[i, 0], record[i, 1], record[i, 2] = x, y, z
                tally[MOVED] += 1
                gain[0] += change
            continue
        j = np.uint32((np.uint64(words[3, q + 1]) * n) >> shift)
        if record[i, 3] == record[j, 3]:
            continue
        tally[SWAPS] += 1
        grow, shrink = (i, j) if record[i, 3] < record[j, 3] else (j, i)
        small, large = record[grow, 3], record[shrink, 3]
        part = resize_change(record, rows, shrink, n_rows[shrink], shrink, grow, large, small, pot, cell, kept)
        change = part + resize_change(record, rows, grow, n_rows[grow], grow, shrink, small, large, pot, cell, kept)
        if two_rows and change <= limit:        # so far a bound from below
            change = part + resize_change(record, wide, grow, n_wide[grow], grow, shrink, small, large, pot, cell, kept)
        if change <= limit:
            record[grow, 3], record[shrink, 3] = large, small
            tally[SWAPPED] += 1
            gain[0] += change
            if two_rows and not tighten(grow, small, n_active, record, reference, wide, n_wide, tight, n_tight, pot, cell, skin):
                return EXPIRED, a + 1
    return DONE, last


@inner
def translate(record, i, nx, ny, nz, h):
    """x_i += h n."""
    record[i, 0] += nx * h[0] + ny * h[1] + nz * h[3]
    record[i, 1] += ny * h[2] + nz * h[4]
    record[i, 2] += nz * h[5]


@inner
def fold(record, cell, crossed):
    """Wrap all particles into the periodic dimensions: one reduction by a period then gives minimum images until the next build.

    `crossed` collects the periods of active particles, to give positions that are continuous in time at the end.
    """
    for i in range(len(record)):
        s = fraction(record[i, 0], record[i, 1], record[i, 2], cell.inverse)
        nx = np.floor(s[0]) if cell.periodic[0] else 0.0
        ny = np.floor(s[1]) if cell.periodic[1] else 0.0
        nz = np.floor(s[2]) if cell.periodic[2] else 0.0
        if nx != 0.0 or ny != 0.0 or nz != 0.0:
            translate(record, i, -nx, -ny, -nz, cell.h)
            if i < len(crossed):
                crossed[i, 0] += nx
                crossed[i, 1] += ny
                crossed[i, 2] += nz


@compiled
def visit(record, crossed, lists, pot, cell, low, high, grid, cut, skin, two_rows, moves, first, last, enough, tally, gain):
    """Attempts from `first` on in one region, with lists rebuilt as needed, to `last`, or until lists expire after `enough`.

    Positions are left folded, the periods that active particles crossed added to `crossed` (see `unfold`): called once more it
    goes on as if it had never returned. Returns (next attempt, widths that wide and tight rows need): more than they have ask for
    wider rows and another call.
    """
    n_active = len(crossed)
    most_wide, most_tight = np.int64(0), np.int64(0)
    while first < min(last, enough):
        fold(record, cell, crossed)
        most_wide, most_tight = build_lists(record, n_active, lists, pot, cell, grid, cut, skin, two_rows)
        tally[BUILDS] += 1
        if most_wide > lists[1].shape[1] or most_tight > lists[3].shape[1]:
            break
        _, first = attempt(record, n_active, lists, pot, cell, low, high, skin, two_rows, moves, first, last, tally, gain)
    return first, most_wide, most_tight


@compiled
def unfold(record, crossed, cell):
    """Put back the periods that active particles crossed: positions that are continuous in time."""
    for i in range(len(crossed)):
        translate(record, i, crossed[i, 0], crossed[i, 1], crossed[i, 2], cell.h)

"""Pairs of a patch, on two levels: candidates, found once for all directions, and a short list that is taken from them.

The short list is what every pass over the pairs takes time for, so that its skin is thin, and it is renewed often: that costs no
more than a pass. It holds as long as no pair outside can have come closer than its range: since it was made at strain g_0 the
points moved, in the frame of that time, by at most u each, and the frame was strained by g - g_0, so that they are at least

    exp(-a |g - g_0|) (range + skin - 2 u)        apart,       a the largest rate of the strain.
"""

from __future__ import annotations

import numba
import numpy as np

from hpcglass.cavity.skyline import FAST, layout
from hpcglass.core.pairs import pair_length

SKIN, CANDIDATES = 0.2, 1.0         # of the short list, and of the candidates beyond that [length]


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def find_candidates(axes, table, n_free, y, particles, diameter, species, forward, cutoff, extra, in_order, memory):
    """Pairs with a free particle that are closer than their range plus `extra`; their number, or -1: no room.

    particles : those that interact, the points of ties are behind; in_order : whether `forward` is the identity and both free
    particles and those of the shell come in the order of their first coordinate
    """
    d = len(axes)
    by_species, lengths, nonadditivity = table.by_species, table.length, table.nonadditivity
    first, second, reach = memory.candidate_first, memory.candidate_second, memory.reach
    x = np.empty((particles, d))
    longest = 0.0
    for i in range(particles):
        longest = max(longest, diameter[i])
        for a in range(d):
            x[i, a] = 0.0
            for b in range(d):
                x[i, a] += forward[a, b] * y[i, b]
    if by_species:
        longest = lengths.max()
    far = cutoff * longest + extra
    far2 = far * far
    near = np.empty(particles, dtype=np.uint32)
    count, free_end, low, high = 0, n_free, n_free, particles
    if in_order:
        free_end, high = 0, n_free
    for i in range(n_free):
        if in_order:
            while free_end < n_free and x[free_end, 0] - x[i, 0] <= far:
                free_end += 1
            while low < particles and x[low, 0] < x[i, 0] - far:
                low += 1
            high = max(high, low)
            while high < particles and x[high, 0] - x[i, 0] <= far:
                high += 1
        found = within(axes, x, i, i + 1, free_end, far2, near, 0)
        found = within(axes, x, i, low, high, far2, near, found)
        for k in range(found):
            j = near[k]
            square = 0.0
            for a in range(d):
                square += (x[j, a] - x[i, a]) ** 2
            own = cutoff * pair_length(by_species, lengths, nonadditivity, diameter, species, i, j)
            if square < (own + extra) ** 2:
                if count == first.size:
                    return -1
                first[count], second[count], reach[count] = i, j, own
                count += 1
    return count


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def within(axes, x, i, begin, end, far2, near, count):
    """Appends to `near` the points begin..end - 1 closer to point i than far, without a branch; returns how many it has then."""
    j, have = np.uint64(begin), np.uint64(count)        # unsigned: a signed index could be negative, and every access asks
    me, one = np.uint64(i), np.uint64(1)
    for _ in range(end - begin):
        square = 0.0
        for a in range(len(axes)):
            square += (x[j, a] - x[me, a]) ** 2
        near[have] = j
        have += one if square < far2 else np.uint64(0)
        j += one
    return np.int64(have)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def make_list(axes, table, n_free, y, tied, species, forward, cutoff, candidates, skin, memory):
    """Candidates that are closer than their range plus the skin, then the ties, and the skyline; number of pairs, -1: no room."""
    d = len(axes)
    energies, by_species = table.energy, table.by_species
    first, second, begin = memory.first, memory.second, memory.begin
    memory.counts[3] += 1
    for i in range(n_free):
        begin[i] = i
    count = 0
    for p in range(candidates):
        i, j = memory.candidate_first[p], memory.candidate_second[p]
        square = 0.0
        for a in range(d):
            value = 0.0
            for b in range(d):
                value += forward[a, b] * (y[j, b] - y[i, b])
            square += value * value
        if square >= (memory.reach[p] + skin) ** 2:
            continue
        length = memory.reach[p] / cutoff
        first[count], second[count] = i, j
        memory.inverse_length2[count] = 1.0 / (length * length)
        value = energies[species[i], species[j]] if by_species else 1.0
        for _ in range(table.energy_power):
            value *= length
        memory.scale[count] = value
        if j < n_free:
            begin[j] = min(begin[j], np.int64(i))
        count += 1
    if count + tied.size > first.size:
        return -1
    for k in range(tied.size):
        first[count], second[count] = tied[k], y.shape[0] - tied.size + k
        memory.inverse_length2[count] = memory.scale[count] = 1.0
        count += 1
    return count if layout(begin[:n_free], d, memory.offset) <= memory.matrix.size else -1


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def moved(axes, n_free, y, listed, forward):
    """By how much two free particles may have approached since `listed`, in the frame of then [length]."""
    largest = 0.0
    for i in range(n_free):
        square = 0.0
        for a in range(len(axes)):
            value = 0.0
            for b in range(len(axes)):
                value += forward[a, b] * (y[i, b] - listed[i, b])
            square += value * value
        largest = max(largest, square)
    return 2.0 * np.sqrt(largest)

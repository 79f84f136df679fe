"""Exchanges of sizes at fixed positions, up the ladder of sizes.

The active particles stand on a ladder in the order of their sizes. From a random rung the pointer r walks up: m uniform in
1..w, the particles of r and r + m are asked to exchange their sizes, and r becomes r + m whether they do or not; past the top it
starts again from the bottom. Partners of similar size accept three times as often as partners from anywhere. r moves by itself,
independently of the configuration, and each step is a Metropolis step for a given pair of rungs: the Boltzmann law is stationary.

As nobody moves, the squared distances of all partners within the largest cut-off are found once.
Models that mix by species have few rungs that differ: their pairs are drawn from anywhere.
"""

from __future__ import annotations

import numpy as np

from hpcglass.core.random import fill_draws
from hpcglass.moves.swap.kernels import BATCH, SWAPPED, SWAPS, WORD, resized
from hpcglass.moves.swap.lists import (
    bin_particles,
    candidates,
    compiled,
    crowd,
    inner,
    pair_length,
    separation,
)

WINDOW = 0.15       # w, of all rungs


@compiled
def rows_within(record, n_active, pot, cell, grid, cut):
    """Partners of each active particle within the largest cut-off: (start, index, squared distance)."""
    low, bins, width = grid
    begin, order = bin_particles(record, len(record), cell, low, bins, width)
    numbers, around, near2 = np.empty(len(record), dtype=np.uint32), np.empty((4, len(record))), np.empty(len(record))
    most = 0
    for b in range(len(begin) - 1):
        most = max(most, crowd(begin, b, cell, bins))
    index, distance2 = np.empty(n_active * most + 1, dtype=np.uint32), np.empty(n_active * most + 1)    # little of it is touched
    start, stop = np.zeros(n_active, dtype=np.int64), np.zeros(n_active, dtype=np.int64)
    total = np.uint64(0)
    for b in range(len(begin) - 1):
        m = -1
        for k in range(begin[b], begin[b + 1]):
            i = order[k]
            if i >= n_active:
                continue
            if m < 0:
                m = candidates(record, order, begin, b, cell, bins, around, numbers)
            x, y, z = record[i, 0], record[i, 1], record[i, 2]
            for c in range(m):
                dx, dy, dz = separation(around[0, c] - x, around[1, c] - y, around[2, c] - z, cell)
                near2[c] = dx * dx + dy * dy + dz * dz
            start[i] = np.int64(total)
            for c in range(m):
                index[total], distance2[total] = numbers[c], near2[c]
                total += np.uint64((near2[c] < cut * cut) & (numbers[c] != i))
            stop[i] = np.int64(total)
    return start, stop, index, distance2


@inner
def _change(record, size, start, stop, index, distance2, i, partner, before, after, pot, cell, kept):
    """Energy of particle i with size `after` minus with size `before`, without its pair with `partner`."""
    hits = np.uint32(0)
    for p in range(start[i], stop[i]):
        j, r2 = index[p], distance2[p]
        other = size[j]
        old = pair_length(before, other, pot.nonadditivity, pot.length)
        new = pair_length(after, other, pot.nonadditivity, pot.length)
        largest = old if old > new else new
        kept[0, hits], kept[1, hits], kept[2, hits] = r2, old, new
        if pot.energy is not None or pot.power is not None:
            kept[3, hits] = other
        hits += np.uint32((r2 < pot.cut2 * largest * largest) & (j != partner))
    return resized(kept, hits, record[i, 0], record[i, 1], record[i, 2], before, after, pot, cell)


@compiled
def exchanges(record, n_active, pot, cell, grid, cut, moves, first, count, tally, gain):
    """`count` attempted exchanges between active particles; attempt k uses the draw first + k. Equal sizes do not count."""
    if n_active < 2:
        return
    start, stop, index, distance2 = rows_within(record, n_active, pot, cell, grid, cut)
    most = 0
    for i in range(n_active):
        most = max(most, stop[i] - start[i])
    kept, words = np.empty((4, most + 1)), np.empty((4, BATCH), dtype=np.uint32)
    size = record[:, 3].copy()
    rungs = np.argsort(size[:n_active])
    n, w, shift = np.uint64(n_active), np.uint64(max(WINDOW * n_active, 1.0)), np.uint64(32)
    anywhere = pot.length is not None
    here = np.int64(0)
    for k in range(count):
        q = k % BATCH
        if q == 0:
            fill_draws(moves.seed, moves.tag, moves.time, moves.index, np.uint64(first + k), words)
        if anywhere or k == 0:
            here = np.int64((np.uint64(words[1, q]) * n) >> shift)
        if anywhere:
            there = np.int64((np.uint64(words[0, q]) * n) >> shift)
        else:
            there = here + 1 + np.int64((np.uint64(words[0, q]) * w) >> shift)
        if there < n_active:
            i, j = rungs[here], rungs[there]
            a, b = size[i], size[j]
            if a != b:
                tally[SWAPS] += 1
                u = (words[2, q] + (words[3, q] + 0.5) * WORD) * WORD
                change = _change(record, size, start, stop, index, distance2, i, j, a, b, pot, cell, kept)
                change += _change(record, size, start, stop, index, distance2, j, i, b, a, pot, cell, kept)
                if change <= -moves.temperature * np.log(u):
                    size[i], size[j] = b, a
                    rungs[here], rungs[there] = j, i
                    tally[SWAPPED] += 1
                    gain[0] += change
        here = there if there < n_active else there - n_active
    for i in range(n_active):
        record[i, 3] = size[i]

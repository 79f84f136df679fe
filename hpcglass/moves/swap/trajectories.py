"""Hybrid Monte Carlo of the particles of a region: short trajectories, each accepted or rejected as a whole.

Velocities are drawn from exp(-v^2/2T) (mass 1), the equations of motion followed for some steps of the leapfrog, and the end
is accepted with probability min(1, exp(-dH/T)), H = v^2/2 + U (Duane, Kennedy, Pendleton, Roweth, Phys. Lett. B 195, 216 (1987)).
All particles of a region move at once and each pair is seen once: per particle a step costs a fifth of an attempted single move,
and forty of them carry everybody across its cage.

The active particles of a region may not leave it. One whose drift would end outside stays where it is, and turns round:

    (x, v) -> (x + v dt, v) if that is inside, else (x, -v).

That preserves volume in phase space, and from the end with v reversed it leads back, whatever the shape of the region; so does
the leapfrog with it, and detailed balance holds with everybody else frozen, as for single moves (`zones`).
"""

from __future__ import annotations

import numpy as np

from hpcglass.core.pairs import C0, C1, CHUNK
from hpcglass.core.random import fill_draws
from hpcglass.core.vectors import assign
from hpcglass.landscape.forces import gather, scalars, scatter
from hpcglass.moves.swap.kernels import LEFT, MOVED, MOVES, WORD, fold
from hpcglass.moves.swap.lists import (
    bin_particles,
    candidates,
    compiled,
    fraction,
    inner,
    longer,
    pair_length,
    pair_strength,
    separation,
)

EXPLODED = 100.0    # squared, in skins: who gets there between two looks at the list has exploded


@compiled
def half_list(record, n_active, pot, cell, grid, cut, skin):
    """Each pair with an active particle once, as compressed rows: (start, index, 1/lambda^2, eps or empty, periods or None).

    A pair is kept when r < x_c lambda_ij + skin; its vector is x_j - x_i + period, in the dimensions that are periodic here.
    """
    low, bins, width = grid
    begin, order = bin_particles(record, len(record), cell, low, bins, width)
    numbers, around, near2 = np.empty(len(record), dtype=np.uint32), np.empty((4, len(record))), np.empty(len(record))
    found = np.empty(16 * n_active + len(record), dtype=np.uint32)
    row, length = np.empty(n_active, dtype=np.int64), np.zeros(n_active, dtype=np.int64)
    x_c, total = np.sqrt(pot.cut2), np.uint64(0)
    for b in range(len(begin) - 1):
        m = -1
        for k in range(begin[b], begin[b + 1]):
            i = order[k]
            if i >= n_active:
                continue
            if m < 0:
                m = candidates(record, order, begin, b, cell, bins, around, numbers)
            if total + np.uint64(m) > np.uint64(len(found)):
                found = longer(found, 2 * len(found) + m)
            x, y, z, size = record[i, 0], record[i, 1], record[i, 2], record[i, 3]
            for c in range(m):
                dx, dy, dz = separation(around[0, c] - x, around[1, c] - y, around[2, c] - z, cell)
                reach = x_c * pair_length(size, around[3, c], pot.nonadditivity, pot.length) + skin
                near2[c] = dx * dx + dy * dy + dz * dz - reach * reach
            row[i] = np.int64(total)
            for c in range(m):
                found[total] = numbers[c]
                total += np.uint64((near2[c] < 0.0) & (numbers[c] > i))     # frozen ones have the larger numbers
            length[i] = np.int64(total) - row[i]
    return _in_order(record, pot, cell, row, length, found, np.int64(total))


@inner
def _in_order(record, pot, cell, row, length, found, total):
    """The rows in the order of the particles, and what goes with each pair."""
    n = len(row)
    start, index, inverse_length2 = np.zeros(n + 1, dtype=np.int64), np.empty(total, dtype=np.uint32), np.empty(total)
    owner = np.empty(total, dtype=np.uint32)
    plain = pot.energy is None and pot.power is None
    strength = np.empty(0 if plain else total)
    period = None if cell.half is None else np.empty((len(cell.axes), total))
    p = 0
    for i in range(n):
        x, y, z, size = record[i, 0], record[i, 1], record[i, 2], record[i, 3]
        for q in range(row[i], row[i] + length[i]):
            j = found[q]
            lam = pair_length(size, record[j, 3], pot.nonadditivity, pot.length)
            owner[p], index[p], inverse_length2[p] = i, j, 1.0 / (lam * lam)
            if not plain:
                strength[p] = pair_strength(size, record[j, 3], lam, pot.energy, pot.power)
            if period is not None:
                raw = record[j, 0] - x, record[j, 1] - y, record[j, 2] - z
                image = separation(raw[0], raw[1], raw[2], cell)
                for a in range(len(cell.axes)):
                    period[a, p] = image[a] - raw[a]
            p += 1
        start[i + 1] = p
    return start, owner, index, inverse_length2, strength, period


@inner
def _vectors(x, pairs, row, first, n, vector, x2):
    """Vectors and squared reduced distances of pairs first .. first+n; returns the owner of the last."""
    start, owner, index, inverse_length2, _, period = pairs
    row = gather(x, None, start, owner, index, inverse_length2, row, first, n, vector, x2)
    if period is not None:
        x2[:n] = 0.0
        for a in range(x.shape[1]):
            for k in range(n):
                vector[a, k] += period[a, first + k]
                x2[k] += vector[a, k] * vector[a, k]
        for k in range(n):
            x2[k] *= inverse_length2[first + k]
    return row


@compiled
def _push(x, pairs, table, buffers, force):
    """force = that on each particle, of active ones all of it."""
    vector, x2, c, work = buffers
    start, owner, index, inverse_length2, strength, _ = pairs
    force[:] = 0.0
    row = np.int64(0)
    for first in range(0, len(index), CHUNK):
        n = min(CHUNK, len(index) - first)
        last = _vectors(x, pairs, row, first, n, vector, x2)
        scalars(C1, first, n, inverse_length2, strength, table, x2, work, c)
        scatter(start, owner, index, row, first, n, vector, c, force)
        row = last


@compiled
def _energy(x, pairs, table, buffers):
    """Energy of all pairs."""
    vector, x2, c, work = buffers
    _, _, index, inverse_length2, strength, _ = pairs
    total, row = 0.0, np.int64(0)
    for first in range(0, len(index), CHUNK):
        n = min(CHUNK, len(index) - first)
        row = _vectors(x, pairs, row, first, n, vector, x2)
        scalars(C0, first, n, inverse_length2, strength, table, x2, work, c)
        for k in range(n):
            total += c[k]
    return total


@compiled
def trajectory(record, crossed, moves, draw, pot, table, cell, low, high, grid, cut, skin, steps, tally, gain):
    """A trajectory of the active particles, `record[:len(crossed)]`, of so many steps of `moves.step` [time, mass 1].

    Uses the draws `draw`, ..., `draw` + n. low, high : edges of the region [fractions]; skin : of the lists. Periods that active
    particles have crossed at its start are added to `crossed`, and `record` is folded.
    """
    n, d, step = len(crossed), len(cell.axes), moves.step
    velocity, limit = _velocities(moves, draw, n)
    fold(record, cell, crossed)
    listed, x, force = record.copy(), record[:, :d].copy(), np.empty((len(record), d))
    buffers = np.empty((d, CHUNK)), np.empty(CHUNK), np.empty(CHUNK), np.empty((2, CHUNK))
    pairs = half_list(listed, n, pot, cell, grid, cut, skin)
    change = -_energy(x, pairs, table, buffers)
    kinetic = _kinetic(velocity, n, d)
    _push(x, pairs, table, buffers, force)
    _kick(velocity, force, 0.5 * step, n, d)
    tally[MOVES] += 1
    for s in range(steps):
        turned, far, exploded = _drift(x, velocity, listed, step, n, cell, low, high, 0.25 * skin * skin, EXPLODED * skin * skin)
        tally[LEFT] += turned
        if exploded:
            return
        if far:
            assign(listed, x[:n])
            pairs = half_list(listed, n, pot, cell, grid, cut, skin)
        _push(x, pairs, table, buffers, force)
        _kick(velocity, force, step if s < steps - 1 else 0.5 * step, n, d)
    change += _energy(x, pairs, table, buffers)
    if change + (_kinetic(velocity, n, d) - kinetic) <= limit:
        assign(record, x[:n])
        tally[MOVED] += 1
        gain[0] += change


@inner
def _velocities(moves, draw, n):
    """(n, 4) normal numbers of variance T by Box and Muller, of which a velocity takes the first d; and -T log u."""
    words = np.empty((4, n + 1), dtype=np.uint32)
    fill_draws(moves.seed, moves.tag, moves.time, moves.index, np.uint64(draw), words)
    velocity = np.empty((n, 4))
    for i in range(n):
        for half in range(2):
            radius = np.sqrt(-2.0 * moves.temperature * np.log((words[2 * half, i] + 0.5) * WORD))
            angle = 2.0 * np.pi * WORD * words[2 * half + 1, i]
            velocity[i, 2 * half], velocity[i, 2 * half + 1] = radius * np.cos(angle), radius * np.sin(angle)
    return velocity, -moves.temperature * np.log((words[0, n] + (words[1, n] + 0.5) * WORD) * WORD)


@inner
def _kick(velocity, force, step, n, d):
    """v += F dt."""
    for i in range(n):
        for a in range(d):
            velocity[i, a] += step * force[i, a]


@inner
def _kinetic(velocity, n, d):
    """sum v^2/2."""
    total = 0.0
    for i in range(n):
        for a in range(d):
            total += 0.5 * velocity[i, a] * velocity[i, a]
    return total


@inner
def _drift(x, velocity, listed, step, n, cell, low, high, far2, exploded2):
    """x += v dt, or v reversed where that is outside. How many turned, are `far` from where they were listed, or have exploded.

    Counts, and no branches: loops that run in SIMD registers, and in which NaN is far.
    """
    turned, far, exploded = 0, 0, 0
    three = len(cell.axes) == 3
    for i in range(n):
        ex, ey = x[i, 0] + step * velocity[i, 0], x[i, 1] + step * velocity[i, 1]
        ez = x[i, 2] + step * velocity[i, 2] if three else 0.0
        s = fraction(ex, ey, ez, cell.inverse)
        inside = (s[0] >= low[0]) & (s[0] < high[0]) & (s[1] >= low[1]) & (s[1] < high[1])
        if three:
            inside &= (s[2] >= low[2]) & (s[2] < high[2])
        x[i, 0], x[i, 1] = ex if inside else x[i, 0], ey if inside else x[i, 1]
        velocity[i, 0] = velocity[i, 0] if inside else -velocity[i, 0]
        velocity[i, 1] = velocity[i, 1] if inside else -velocity[i, 1]
        dx, dy, dz = x[i, 0] - listed[i, 0], x[i, 1] - listed[i, 1], 0.0
        if three:
            x[i, 2] = ez if inside else x[i, 2]
            velocity[i, 2] = velocity[i, 2] if inside else -velocity[i, 2]
            dz = x[i, 2] - listed[i, 2]
        square = dx * dx + dy * dy + dz * dz
        turned += not inside
        far += not square <= far2
        exploded += not square <= exploded2
    return turned, far, exploded

"""Swap Monte Carlo written as plainly as possible: every energy is a sum over all particles and images, four sums per exchange.

Takes the arguments of the compiled kernel `visit` and the model itself, and draws the same random numbers.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from hpcglass.core import random


def pair_energy(model, r, a, b):
    """Energies of pairs at distances r; sizes a and b (all arrays or numbers)."""
    r, a, b = np.broadcast_arrays(np.asarray(r, float), a, b)
    mixing = model.mixing
    if mixing.length is not None:
        species = a.astype(int), b.astype(int)
        length = np.array(mixing.length)[species]
        strength = np.array(mixing.energy)[species] if mixing.energy is not None else 1.0
    else:
        length, strength = 0.5 * (a + b) * (1 - mixing.nonadditivity * abs(a - b)), 1.0
    x, phi, below = r / length, np.zeros(r.shape), 0.0
    for segment in model.potential.segments:
        y = segment.sign * (x - segment.origin)
        value = sum(c * np.maximum(y, 1e-9) ** float(p) for p, c in zip(segment.powers, segment.coefficients, strict=True))
        phi = np.where((x >= below) & (x < segment.upto), value, phi)
        below = segment.upto
    return strength * length**mixing.energy_power * phi


def images(cell):
    """Lattice vectors of the nearest images in the periodic dimensions."""
    h = np.zeros((3, 3))
    for (a, b), value in zip(((0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2)), cell.h, strict=True):
        h[a, b] = value
    counts = [(-1, 0, 1) if cell.periodic[k] else (0,) for k in range(3)]
    return np.array([h @ np.array(n) for n in product(*counts)])


def energy_of(model, cell, record, i, place, size, without=()):
    """Energy of particle i, at `place` with `size`, with all particles but itself and `without`."""
    others = np.array([j for j in range(len(record)) if j != i and j not in without], dtype=int)
    apart = record[others, :3] - place
    r = np.sqrt(((apart[:, None, :] + images(cell)[None]) ** 2).sum(-1)).min(1)
    return pair_energy(model, r, size, record[others, 3]).sum()


def energy_of_two(model, cell, record, i, j):
    """Energy of i with all, and of j with all but i."""
    return energy_of(model, cell, record, i, record[i, :3], record[i, 3]) \
        + energy_of(model, cell, record, j, record[j, :3], record[j, 3], (i,))


def run(model, record, n, cell, low, high, moves, first, last):
    """Attempts first..last-1 on the active rows [:n], in place. Returns moved, moves, swapped, swaps, left."""
    counts = np.zeros(5, dtype=np.int64)
    words = np.empty((4, 2 * last), dtype=np.uint32)
    random.fill_draws(moves.seed, moves.tag, moves.time, moves.index, np.uint64(0), words)
    inverse = np.zeros((3, 3))
    for (a, b), value in zip(((0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2)), cell.inverse, strict=True):
        inverse[a, b] = value
    for attempt in range(first, last):
        kind, pick, u0, u1 = (int(w) for w in words[:, 2 * attempt])
        wx, wy, wz, other = (int(w) for w in words[:, 2 * attempt + 1])
        i, j = pick * n >> 32, other * n >> 32
        u = (u0 + (u1 + 0.5) / 2**32) / 2**32
        if kind < moves.exchange:
            a, b = record[i, 3], record[j, 3]
            if a == b:
                continue
            counts[3] += 1
            before = energy_of_two(model, cell, record, i, j)
            record[i, 3], record[j, 3] = b, a
            after = energy_of_two(model, cell, record, i, j)
            accepted = u < np.exp(min(-(after - before) / moves.temperature, 0.0))
            if not accepted:
                record[i, 3], record[j, 3] = a, b
            counts[2] += accepted
        else:
            counts[1] += 1
            step = moves.step * (2 * (np.array([wx, wy, wz]) + 0.5) / 2**32 - 1)
            step[len(cell.axes):] = 0.0
            place = record[i, :3] + step
            s = inverse @ place
            if not all(low[k] <= s[k] < high[k] for k in cell.axes):
                counts[4] += 1
                continue
            change = energy_of(model, cell, record, i, place, record[i, 3]) \
                - energy_of(model, cell, record, i, record[i, :3], record[i, 3])
            if u < np.exp(min(-change / moves.temperature, 0.0)):
                record[i, :3] = place
                counts[0] += 1
    return counts

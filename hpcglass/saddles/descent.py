"""Downhill in a patch, and what a saddle connects: pushed off to either side, where does it roll?

Descent is L-BFGS (D. C. Liu and J. Nocedal, Math. Program. 45, 503 (1989)) with steps so short that no ridge is crossed. A saddle
counts as a way out of a minimum only if one of its two sides leads back there (push-back).
"""

from __future__ import annotations

import numba
import numpy as np

from hpcglass.cavity.skyline import FAST
from hpcglass.core.pairs import pair_scalar
from hpcglass.core.vectors import assign_rows
from hpcglass.saddles.disc import evaluate
from hpcglass.saddles.pull import listed_for

MEMORY = 6
FIRST = 1e-3            # of the force: a move before anything is known of the curvature [length^2/energy]
FLAT = 1e-10            # smallest curvature of a move that is learnt from [length^2/energy, inverse]
LARGEST = 0.05          # motion of a particle in one step [length]
PUSH, PART = 0.05, 0.2  # off the saddle: largest motion of a particle [length], of that between minimum and saddle
STILL = 1e-7            # largest force at the end [energy/length]
EVALUATIONS = 3000
SAME = 0.01             # of the largest motion between minimum and saddle: two positions of one minimum


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def energy(table, pairs, memory):
    """Energy of the pairs of the last evaluation."""
    pair_scalar(table, 0, pairs, memory.x2, memory.buffer, memory.along)
    total = 0.0
    for p in range(pairs):
        total += memory.scale[p] * memory.along[p]
    return total


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def virial(d, pairs, memory, out):
    """(d, d) sum of c_1 v v^T over the pairs of the last evaluation: volume times stress."""
    out[:] = 0.0
    for p in range(pairs):
        for a in range(d):
            for b in range(d):
                out[a, b] += memory.c1[p] * memory.vector[a, p] * memory.vector[b, p]


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def largest_motion(n_free, y, other):
    """Of one free particle between two sets of positions."""
    largest = 0.0
    for i in range(n_free):
        square = 0.0
        for a in range(y.shape[1]):
            square += (y[i, a] - other[i, a]) ** 2
        largest = max(largest, square)
    return np.sqrt(largest)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _direction(kept, moves, changes, curvature, alpha, x):
    """x = -(estimate of the inverse Hessian) gradient from x = -gradient, in place, by the last `kept` moves (two loops)."""
    first = max(kept - MEMORY, 0)
    for m in range(kept - 1, first - 1, -1):
        slot = m % MEMORY
        alpha[slot] = np.dot(moves[slot], x) / curvature[slot]
        for k in range(x.size):
            x[k] -= alpha[slot] * changes[slot, k]
    slot = (kept - 1) % MEMORY
    scale = curvature[slot] / np.dot(changes[slot], changes[slot]) if kept else FIRST
    for k in range(x.size):
        x[k] *= scale
    for m in range(first, kept):
        slot = m % MEMORY
        part = alpha[slot] - np.dot(changes[slot], x) / curvature[slot]
        for k in range(x.size):
            x[k] += part * moves[slot, k]


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def descend(table, n_free, y, diameter, species, shell, memory, goal, near):
    """Minimise, in place. Returns (whether forces vanish or the goal is reached, number of pairs).

    goal : (n, d) a minimum; once all particles are closer to it than `near` and roll towards it, the rest is not walked
    """
    d = y.shape[1]
    size = n_free * d
    listed, x, before = y.copy(), np.zeros(size), np.zeros(size)
    moves, changes, curvature, alpha = np.zeros((MEMORY, size)), np.zeros((MEMORY, size)), np.zeros(MEMORY), np.zeros(MEMORY)
    pairs, kept = -1, 0
    for count in range(EVALUATIONS):
        pairs = listed_for(table, n_free, y, listed, diameter, species, shell, pairs, memory)
        if pairs < 0:
            return False, pairs
        largest = evaluate(table, n_free, y, pairs, memory, False)
        towards = 0.0
        for i in range(n_free):
            for a in range(d):
                towards += memory.force[i * d + a] * (goal[i, a] - y[i, a])
        if largest < STILL or (towards > 0.0 and largest_motion(n_free, y, goal) < near):
            return True, pairs
        if count:
            slot, along, square = kept % MEMORY, 0.0, 0.0
            for k in range(size):
                moves[slot, k], changes[slot, k] = x[k], before[k] - memory.force[k]
                along += x[k] * changes[slot, k]
                square += changes[slot, k] ** 2
            kept = kept + 1 if along > FLAT * square else 0         # no upward curvature: begin anew
            curvature[slot] = along
        assign_rows(before, memory.force[:size])
        assign_rows(x, before)
        _direction(kept, moves, changes, curvature, alpha, x)
        if np.dot(x, before) <= 0.0:
            kept = 0
            for k in range(size):
                x[k] = FIRST * before[k]
        farthest = 0.0
        for i in range(n_free):
            square = 0.0
            for a in range(d):
                square += x[i * d + a] ** 2
            farthest = max(farthest, square)
        x *= min(LARGEST / np.sqrt(farthest), 1.0)
        for i in range(n_free):
            for a in range(d):
                y[i, a] += x[i * d + a]
    return False, pairs


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def push_back(table, n_free, minimum, saddle, mode, diameter, species, shell, memory):
    """Roll down on both sides of a saddle.

    mode : (n_free d,) its direction of negative curvature

    Returns (whether one side leads to the minimum, whether the other came to rest elsewhere, (n, d) there, the energy there).
    """
    d = minimum.shape[1]
    size = towards = 0.0
    for i in range(n_free):
        square = 0.0
        for a in range(d):
            square += mode[i * d + a] ** 2
            towards += mode[i * d + a] * (minimum[i, a] - saddle[i, a])
        size = max(size, square)
    reach = largest_motion(n_free, saddle, minimum)
    push = min(PUSH, PART * reach) / np.sqrt(size)
    if towards < 0.0:
        push = -push
    back = False
    other, sunk, level = saddle.copy(), False, 0.0
    for _ in range(2):
        y = saddle.copy()
        for i in range(n_free):
            for a in range(d):
                y[i, a] += push * mode[i * d + a]
        push = -push
        ended, pairs = descend(table, n_free, y, diameter, species, shell, memory, minimum, SAME * reach)
        home = ended and largest_motion(n_free, y, minimum) < SAME * reach
        if home and not back:
            back = True
            continue
        if ended:
            assign_rows(other, y)
            sunk = True
            level = energy(table, pairs, memory)
    return back, sunk, other, level

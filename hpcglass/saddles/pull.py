"""From a minimum to a saddle by pulling: a patch under a load that grows, gives way, and is not needed any more.

    grad U(x) = lambda v

is a curve through the minimum (lambda = 0), for any load v on the free particles, the shell being held. Along it lambda
rises; at a fold, where the softest eigenvalue of the Hessian passes zero, the patch gives way and lambda falls; where it is
back at zero there is a saddle. No random push is needed, nor a search for the softest mode: the load brings it about. The curve
is followed by its length s in the space of the free particles (pseudo-arclength: the next point is looked for in the plane
normal to the tangent, a step ahead),

    w = H^-1 v,   dx/ds = t = +- w/|w|,   dlambda/ds = +- 1/|w|,   correction  a - (t.a / t.w) w,   a = H^-1 (lambda v - grad U),

with one indefinite factorisation a step. Where tangents turn too much, or the correction is large, the step is tried again,
shorter. Once the load falls, Newton's method tries to reach the saddle from here, and again after each bit of the curve: it
mostly does long before the load is gone.
"""

from __future__ import annotations

import numba
import numpy as np

from hpcglass.cavity.skyline import FAST
from hpcglass.core.vectors import assign_rows
from hpcglass.saddles.disc import SKIN, assemble, evaluate, make_list, product
from hpcglass.saddles.factors import factorise, solve

SADDLE, UNSTABLE, ENDLESS, ASTRAY, ROOM, THIN, OTHER = 0, 1, 2, 3, 4, 5, 6
FLAGS = {SADDLE: "a saddle with one negative eigenvalue", UNSTABLE: "not a stable minimum to begin with",
         ENDLESS: "the load did not return to zero", ASTRAY: "Newton's method did not come to rest", ROOM: "too many pairs",
         THIN: "a free particle came too near to the rim of the shell", OTHER: "a stationary point of another index"}

FORCE = 1e-10           # largest force left on a free particle at a saddle [energy/length]
FIRST_STEP, LONGEST, SHORTEST = 0.05, 0.3, 3e-3     # of the curve [length, norm over all free particles]
TURN = 0.85             # smallest cosine between two tangents
OFF, NEAR = 0.3, 0.02   # largest correction, of the step, or [length]
CLOSE = 1e-3            # of the largest load: forces off the curve that are left alone
LEFT = 0.05             # of the largest load: so little is left to Newton's method
STEPS, NEWTON, CORRECTIONS = 200, 25, 4
AGAIN = 0.2             # of the curve, before Newton's method is tried once more [length]
FARTHEST = 0.15         # of one Newton correction [length]
MANY = 1 << 20          # negative pivots are only counted
RATIO = 1e-3            # error of the softest eigenvalue, of itself


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def listed_for(table, n_free, y, listed, diameter, species, shell, pairs, memory):
    """Number of pairs of a list that is good for y, a new one if need be; -1: no room, -2: too near to the rim of the shell."""
    d, largest, farthest = y.shape[1], 0.0, 0.0
    for i in range(n_free):
        moved, distance = 0.0, 0.0
        for a in range(d):
            moved += (y[i, a] - listed[i, a]) ** 2
            distance += y[i, a] ** 2
        largest, farthest = max(largest, moved), max(farthest, distance)
    cutoff = np.sqrt(table.edges[table.edges.size - 1])
    if np.sqrt(farthest) + cutoff * (table.length.max() if table.by_species else diameter.max()) > shell:
        return -2
    if pairs >= 0 and 2.0 * np.sqrt(largest) < SKIN:
        return pairs
    assign_rows(listed, y)
    return make_list(table, n_free, y, diameter, species, cutoff, SKIN, memory)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _factors(n_free, d, pairs, memory, shift, most):
    """Factors of H - shift at the last evaluation; the number of eigenvalues below the shift."""
    assemble(n_free, d, pairs, memory)
    if shift != 0.0:
        for row in range(n_free * d):
            memory.matrix[memory.offset[row] + row] -= shift
    memory.counts[1] += 1
    return factorise(n_free, d, memory.begin, memory.offset, memory.matrix, memory.inverse, most)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _solve(n_free, d, memory, x):
    memory.counts[2] += 1
    solve(n_free, d, memory.begin, memory.offset, memory.matrix, memory.inverse, x)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _move(n_free, y, x, factor):
    """y += factor x for the free particles; the largest motion of one."""
    d, largest = y.shape[1], 0.0
    for i in range(n_free):
        square = 0.0
        for a in range(d):
            y[i, a] += factor * x[i * d + a]
            square += x[i * d + a] ** 2
        largest = max(largest, square)
    return abs(factor) * np.sqrt(largest)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def response(table, n_free, start, diameter, species, load, shell, memory):
    """H^-1 v at the minimum, of unit norm, in place of the load v: a second one to try, spread as the patch gives way."""
    pairs = listed_for(table, n_free, start, start.copy(), diameter, species, shell, -1, memory)
    if pairs >= 0:
        evaluate(table, n_free, start, pairs, memory, True)
        _factors(n_free, start.shape[1], pairs, memory, 0.0, MANY)
        _solve(n_free, start.shape[1], memory, load)
        load /= np.sqrt(np.dot(load, load))


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _correct(table, n_free, y, load, level, tangent, w, a, farthest, close, pairs, memory):
    """Towards the curve in the plane normal to the tangent, in place, by factors of its first point; (whether close, level)."""
    d = y.shape[1]
    size = n_free * d
    share = np.dot(tangent, w)
    for count in range(CORRECTIONS):
        off = 0.0
        for k in range(size):
            a[k] = memory.force[k] + level * load[k]
            off += a[k] * a[k]
        if np.sqrt(off) < close:
            return True, level
        _solve(n_free, d, memory, a)
        along = np.dot(tangent, a) / share
        moved = 0.0
        for k in range(size):
            a[k] -= along * w[k]
            moved += a[k] * a[k]
        if np.sqrt(moved) > farthest:
            return False, level
        level -= along
        _move(n_free, y, a, 1.0)
        if count + 1 < CORRECTIONS:
            evaluate(table, n_free, y, pairs, memory, False)
    return False, level


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def pull(table, n_free, start, diameter, species, load, shell, memory):
    """Follow the curve from a minimum until the load is gone.

    start : (n, d) positions, free particles first; load : (n_free d,) v, of unit norm; shell : distance from the centre beyond
    which there are particles that the patch does not know of [length]

    Returns (flag, (n, d) positions). With flag SADDLE forces vanish, but the index has still to be looked at.
    """
    d = start.shape[1]
    size = n_free * d
    y, guess, listed = start.copy(), start.copy(), start.copy()
    tangent, w, a = np.zeros(size), np.empty(size), np.empty(size)
    level = rise = highest = path = hope = 0.0
    step, pairs = FIRST_STEP, -1
    for count in range(STEPS):
        assign_rows(guess, y)
        there = level + (step * rise if count else 0.0)
        if count:
            _move(n_free, guess, tangent, step)
        pairs = listed_for(table, n_free, guess, listed, diameter, species, shell, pairs, memory)
        if pairs < 0:
            return (ROOM if pairs == -1 else THIN), y
        evaluate(table, n_free, guess, pairs, memory, True)
        negative = _factors(n_free, d, pairs, memory, 0.0, MANY)
        if count == 0 and negative:
            return UNSTABLE, y
        assign_rows(w, load)
        _solve(n_free, d, memory, w)
        length = np.sqrt(np.dot(w, w))
        turned = np.dot(tangent, w) / length if count else 1.0
        good = abs(turned) > TURN
        if good and count:
            good, there = _correct(table, n_free, guess, load, there, tangent, w, a, max(OFF * step, NEAR),
                                   CLOSE * max(highest, there), pairs, memory)
        if not good and step > SHORTEST:
            step = max(0.4 * step, SHORTEST)
            continue
        sign = 1.0 if turned > 0.0 else -1.0
        assign_rows(y, guess)
        for k in range(size):
            tangent[k] = sign * w[k] / length
        level, rise = there, sign / length
        highest = max(highest, level)
        if count:
            step = min(1.5 * step, LONGEST)
        if rise < 0.0 and level > 0.0:
            step = min(step, max(-level / rise, SHORTEST))      # to where the load would be gone
        path += step
        if rise < 0.0 and (path > hope or level <= LEFT * highest):
            assign_rows(guess, y)
            flag, pairs = rest(table, n_free, guess, listed, diameter, species, shell, pairs, memory)
            if flag == SADDLE:
                return flag, guess
            hope = path + AGAIN
    return ENDLESS, y


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def rest(table, n_free, y, listed, diameter, species, shell, pairs, memory):
    """Newton's method to a saddle, in place; (flag, number of pairs).

    It is given up where all eigenvalues are positive: downhill lies a minimum.
    """
    d = y.shape[1]
    step = np.empty(n_free * d)
    for _ in range(NEWTON):
        pairs = listed_for(table, n_free, y, listed, diameter, species, shell, pairs, memory)
        if pairs < 0:
            return (ROOM if pairs == -1 else THIN), pairs
        largest = evaluate(table, n_free, y, pairs, memory, True)
        index = _factors(n_free, d, pairs, memory, 0.0, MANY)
        if largest < FORCE:
            return (SADDLE if index == 1 else OTHER), pairs
        if index == 0 or index > n_free * d:
            return ASTRAY, pairs
        for k in range(n_free * d):
            step[k] = memory.force[k]
        _solve(n_free, d, memory, step)
        largest = 0.0
        for i in range(n_free):
            square = 0.0
            for a in range(d):
                square += step[i * d + a] ** 2
            largest = max(largest, square)
        _move(n_free, y, step, min(FARTHEST / np.sqrt(largest), 1.0))
    return ASTRAY, pairs


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def softest(n_free, d, pairs, memory, vector):
    """(index, lowest eigenvalue) of the Hessian at the last evaluation, which had second derivatives; its vector in place.

    Inverse iteration about a shift just below the eigenvalue, which inertia vouches for: nothing lies below it.
    """
    size = n_free * d
    image = np.empty(size)
    index = _factors(n_free, d, pairs, memory, 0.0, MANY)
    vector /= np.sqrt(np.dot(vector, vector))
    product(n_free, d, pairs, memory, vector, image)
    value = np.dot(vector, image)
    below = max(0.2 * abs(value), 1e-3)
    for _ in range(60):
        if _factors(n_free, d, pairs, memory, value - below, 0):
            below *= 2.0
            continue
        for _ in range(4):
            _solve(n_free, d, memory, vector)
            vector /= np.sqrt(np.dot(vector, vector))
        product(n_free, d, pairs, memory, vector, image)
        value = np.dot(vector, image)
        error = 0.0
        for k in range(size):
            error += (image[k] - value * vector[k]) ** 2
        if np.sqrt(error) < RATIO * abs(value):
            break
        below = max(2.0 * np.sqrt(error), 1e-9)
    return index, value

"""One point of a branch: Newton's method for the free particles of a patch, and what it says of stress and modulus.

The residual force f that is left moves the free particles by H^-1 f. With x' = -H^-1 Xi the velocity of the branch, to second
order in what is left of f and of the residual rho = -Xi - H x' of the velocity,

    V sigma = V sigma(y) - x'.f,            V mu = Born + Xi.x' - x'.rho,

as sigma is conjugate to gamma. So neither needs to be converged far, which saves a third of the solves. In a soft matrix the
stress of the core is not conjugate to gamma; there P = d(V sigma)/dx of the core takes the place of Xi on the left,

    V sigma = V sigma(y) + P.H^-1 f,        V mu = Born + P.x'.
"""

from __future__ import annotations

import numba
import numpy as np

from hpcglass.cavity.patch import assemble, evaluate, product
from hpcglass.cavity.skyline import FAST, factorise, solve
from hpcglass.core.vectors import assign_rows

FORCE = 1e-6            # largest force left
FARTHEST = 0.02         # of one Newton correction [length]
CHORD, SHRINKS, STUCK = 5e-3, 0.2, 0.9
NEAR = 2e-4             # a correction after which the next point is likely to be the last
NEWTON = 16
TANGENT, TANGENT_SOFT = 1e-4, 1e-9      # residual of the velocity


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def factors(axes, n_free, pairs, memory):
    """Factors of the Hessian of the last evaluation; whether it is positive definite."""
    assemble(axes, n_free, pairs, memory)
    memory.counts[1] += 1
    return factorise(n_free, len(axes), memory.begin, memory.offset, memory.matrix, memory.inverse)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def solved(axes, n_free, memory, x):
    """x = H^-1 x in place, by the last factors; (n_free, d)."""
    memory.counts[2] += 1
    solve(n_free, len(axes), memory.begin, memory.offset, memory.matrix, memory.inverse, x.reshape(-1))


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def correct(axes, table, patch, y, forward, back, rate, pairs, memory, step):
    """Newton's method for the free y, in place.

    Returns (0 converged, 1 not positive definite, 2 far or slow; how far it moved; V sigma; V Born), and leaves vectors, c_2 and
    the shear force of the end, and factors of the end or a little before.
    """
    n_free, ties, d = patch.n_free, patch.tied.size, len(axes)
    second, factored, stale, last, moved, count = True, False, True, 0.0, 0.0, 0
    while True:
        largest, stress, born = evaluate(axes, table, n_free, y, patch.stiffness, ties, forward, rate, pairs, second, memory)
        done = largest < FORCE * FORCE
        if done and not second:
            second = True           # once more at the same place, with all that is asked for
            continue
        if (stale and not done) or not factored:
            if not factors(axes, n_free, pairs, memory):
                return 1, moved, stress, born
            factored = True
        if done:
            return 0, moved, stress, born
        if count == NEWTON:
            return 2, moved, stress, born
        assign_rows(step, memory.force[:n_free])
        solved(axes, n_free, memory, step)
        size = 0.0
        for i in range(n_free):
            square = 0.0
            for a in range(d):
                square += step[i, a] * step[i, a]
                value = 0.0
                for b in range(d):
                    value += back[a, b] * step[i, b]
                y[i, a] += value
            size = max(size, square)
        size = np.sqrt(size)
        moved += size
        if not size <= FARTHEST or (count > 0 and size > STUCK * last):
            return 2, moved, stress, born
        stale = not (size < CHORD and (count == 0 or size < SHRINKS * last))
        last, second = size, stale or size < NEAR
        count += 1


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def respond(axes, patch, rate, pairs, memory, stress, born, x, rest):
    """Velocity x = -H^-1 Xi of the last evaluation, by factors that may be a little old; (V sigma, V mu), NaN if that fails."""
    n_free, d = patch.n_free, len(axes)
    shear, force = memory.shear, memory.force
    size, soft = 0.0, patch.tied.size > 0 or not patch.core.all()
    for i in range(n_free):
        for a in range(d):
            x[i, a] = 0.0
            rest[i, a] = -shear[i, a]
            size = max(size, abs(rest[i, a]))
    good = False
    for _ in range(12):
        solved(axes, n_free, memory, rest)
        for i in range(n_free):
            for a in range(d):
                x[i, a] += rest[i, a]
        product(axes, n_free, pairs, memory, x, rest)
        left = 0.0
        for i in range(n_free):
            for a in range(d):
                rest[i, a] = -shear[i, a] - rest[i, a]
                left = max(left, abs(rest[i, a]))
        if left <= (TANGENT_SOFT if soft else TANGENT) * size:
            good = True
            break
    if not good:
        return np.nan, np.nan
    if soft:
        assign_rows(rest, force[:n_free])
        solved(axes, n_free, memory, rest)
        return _of_the_core(axes, patch, rate, pairs, memory, x, rest)
    for i in range(n_free):
        for a in range(d):
            stress -= x[i, a] * force[i, a]
            born += x[i, a] * (shear[i, a] - rest[i, a])
    return stress, born


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _of_the_core(axes, patch, rate, pairs, memory, x, correction):
    """(V sigma, V mu) of the pairs with a particle of the core; free particles move at x and are still off by -correction."""
    n_free, d = patch.n_free, len(axes)
    stress = modulus = 0.0
    for p in range(pairs - patch.tied.size):
        i, j = memory.first[p], memory.second[p]
        free = j < n_free
        if not (patch.core[i] or (free and patch.core[j])):
            continue
        c1, inner = memory.c[1, p], memory.c[2, p] * memory.along[p]
        stress += c1 * memory.along[p]
        modulus += inner * memory.along[p]
        for a in range(d):
            turned = memory.turned[p, a]
            modulus += 2.0 * c1 * turned * turned
            slope = inner * memory.vector[p, a] + 2.0 * c1 * turned        # d(c_1 v.A v)/dv
            modulus += slope * ((x[j, a] if free else 0.0) - x[i, a])
            stress += slope * ((correction[j, a] if free else 0.0) - correction[i, a])
    return stress, modulus

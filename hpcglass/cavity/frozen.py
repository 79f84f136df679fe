"""The frozen-matrix method: what stress a patch bears before it yields, exactly, without minimising step by step.

The shell follows exp(A gamma), the free particles an elastic branch dU/dy = 0. The modulus mu = d sigma/d gamma goes to minus
infinity where the branch ends, so the stress has a smooth first maximum just before: tau_c, which depends on no step.
(S. Patinet, D. Vandembroucq and M. L. Falk, Phys. Rev. Lett. 117, 045501 (2016), look for the first drop in steps.)

Along the branch: predictor by cubic extrapolation through two points and their tangents, Newton's method on a skyline factor that
is kept while it converges, the tangent x' = -H^-1 Xi, and three reasons to go back and take a smaller step: the factor is not
positive definite; Newton moves far or slowly; or the stress is not that of one smooth branch,

    |sigma_1 - sigma_0 - d (mu_0 + mu_1)/2| > 0.02 d mu(0).

Without the last one a small event is stepped over, and another branch followed. At mu <= 0 the maximum of the cubic through the
last points is solved for, until it does not change.
"""

from __future__ import annotations

import numba
import numpy as np

from hpcglass.cavity.patch import SKIN, assemble, evaluate, make_list, product, stretch
from hpcglass.cavity.skyline import FAST, factorise, solve

MAXIMUM, WEAK, UNSTABLE, THIN, ENDLESS, ROOM = 0, 1, 2, 3, 4, 5
FLAGS = {MAXIMUM: "first maximum of the stress", WEAK: "weak fold: the branch ends with mu > 0, the last stress is taken",
         UNSTABLE: "not stable or not rising at zero strain", THIN: "a free particle came too near to the rim of the shell",
         ENDLESS: "no maximum up to the largest strain", ROOM: "too many pairs"}

FORCE = 1e-8            # largest force left
FIRST_STEP, SMALLEST_STEP = 1e-3, 1e-10
FARTHEST = 0.02         # of one Newton correction [length]
CHORD, SHRINKS, STUCK = 2e-3, 0.1, 0.9
SMOOTH = 0.02           # of the branch check
AIM = 1e-3              # correction of the predictor that the step is chosen for [length]
ASTRAY = 5e-3           # a larger one is another branch: weak folds show in the positions, not in the stress
LAST = 1e-3             # of the bearable stress: change at which the maximum is good
NEWTON, POINTS = 16, 12


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def correct(table, n_free, y, forward, back, rate, pairs, memory, step):
    """Newton's method for the free y, in place.

    Returns (0 converged, 1 not positive definite, 2 far or slow; how far it moved; V sigma; V Born), and leaves vectors, c_2 and
    the shear force of the end, and factors of the end or a little before.
    """
    d = y.shape[1]
    largest, stress, born = evaluate(table, n_free, y, forward, rate, pairs, True, memory)
    stale, factored, last, moved = False, False, 0.0, 0.0
    for count in range(NEWTON):
        if largest < FORCE * FORCE:
            break
        if not factored or stale:
            assemble(n_free, d, pairs, memory)
            memory.counts[1] += 1
            if not factorise(n_free, d, memory.begin, memory.offset, memory.matrix, memory.inverse):
                return 1, moved, stress, born
            factored, stale = True, False
        for k in range(n_free * d):
            step[k] = memory.force[k]
        memory.counts[2] += 1
        solve(n_free, d, memory.begin, memory.offset, memory.matrix, memory.inverse, step)
        size = 0.0
        for i in range(n_free):
            square = 0.0
            for a in range(d):
                square += step[i * d + a] ** 2
                value = 0.0
                for b in range(d):
                    value += back[a, b] * step[i * d + b]
                y[i, a] += value
            size = max(size, square)
        size = np.sqrt(size)
        moved += size
        if size > FARTHEST or (count > 0 and size > STUCK * last):
            return 2, moved, stress, born
        chord = size < CHORD and (count == 0 or size < SHRINKS * last)
        last = size
        stale = not chord
        largest, stress, born = evaluate(table, n_free, y, forward, rate, pairs, stale, memory)
    if largest >= FORCE * FORCE:
        return 2, moved, stress, born
    largest, stress, born = evaluate(table, n_free, y, forward, rate, pairs, True, memory)
    if not factored:
        assemble(n_free, d, pairs, memory)
        memory.counts[1] += 1
        if not factorise(n_free, d, memory.begin, memory.offset, memory.matrix, memory.inverse):
            return 1, moved, stress, born
    return 0, moved, stress, born


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def tangent(n_free, d, pairs, memory, x, rest):
    """x = -H^-1 Xi of the last evaluation, by factors that may be a little old; Xi.x, or NaN if refinement does not converge."""
    size = 0.0
    for k in range(n_free * d):
        x[k] = 0.0
        rest[k] = -memory.shear[k]
        size = max(size, abs(rest[k]))
    for _ in range(8):
        memory.counts[2] += 1
        solve(n_free, d, memory.begin, memory.offset, memory.matrix, memory.inverse, rest)
        for k in range(n_free * d):
            x[k] += rest[k]
        product(n_free, d, pairs, memory, x, rest)
        left, along = 0.0, 0.0
        for k in range(n_free * d):
            along += memory.shear[k] * x[k]
            rest[k] = -memory.shear[k] - rest[k]
            left = max(left, abs(rest[k]))
        if left <= 1e-9 * size:
            return along
    return np.nan


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def load(table, n_free, start, diameter, species, turn, rates, rate, shell, volume, smooth, largest_strain, memory):
    """Load a patch until its stress has a maximum.

    start : (n, d) positions at zero strain; turn, rates, rate : A = turn diag(rates) turn^T; shell : distance from the centre
    beyond which there are particles that the patch does not know of [length]; smooth : of the branch check

    Returns (flag, tau_0, tau_c, gamma_c, mu(0)).
    """
    d = start.shape[1]
    size = n_free * d
    y, before, guess, listed = start.copy(), start.copy(), start.copy(), start.copy()
    slope, slope_before, x, rest, step = np.zeros(size), np.zeros(size), np.empty(size), np.empty(size), np.empty(size)
    forward, back, list_forward, list_strain = np.empty((d, d)), np.empty((d, d)), np.empty((d, d)), 0.0
    cutoff = np.sqrt(table.edges[table.edges.size - 1])
    reach = table.length.max() if table.by_species else diameter.max()
    stretch(turn, rates, 0.0, forward, back)
    list_forward[:] = forward
    fastest = np.abs(rates).max()
    pairs = make_list(table, n_free, y, diameter, species, forward, cutoff, SKIN, memory)
    if pairs < 0:
        return ROOM, 0.0, 0.0, 0.0, 0.0
    status, _, stress, born = correct(table, n_free, y, forward, back, rate, pairs, memory, step)
    along = tangent(n_free, d, pairs, memory, x, rest) if status == 0 else np.nan
    tau_0 = stress / volume
    mu = mu_0 = (born + along) / volume
    if status != 0 or not mu > 0.0:
        return UNSTABLE, tau_0, tau_0, 0.0, 0.0 if np.isnan(mu) else mu
    slope[:] = x
    strain = strain_before = 0.0
    sigma = tau_0
    width, points, rejected = FIRST_STEP, 1, False
    while True:
        if width < SMALLEST_STEP:
            return WEAK, tau_0, sigma, strain, mu_0
        there = strain + width
        if there > largest_strain:
            return ENDLESS, tau_0, sigma, strain, mu_0
        stretch(turn, rates, there, forward, back)
        _predict(n_free, d, y, slope, before, slope_before, strain, strain_before, points, there, guess)
        moved, farthest = _moved(n_free, d, guess, listed, list_forward)
        if farthest + cutoff * reach * np.exp(fastest * there) > shell:
            return THIN, tau_0, sigma, strain, mu_0
        # is the list still good for the guess, with room for Newton's corrections?
        if np.exp(-fastest * abs(there - list_strain)) * (cutoff * reach + SKIN - moved - 4.0 * FARTHEST) < cutoff * reach:
            pairs = make_list(table, n_free, guess, diameter, species, forward, cutoff, SKIN, memory)
            if pairs < 0:
                return ROOM, tau_0, sigma, strain, mu_0
            listed[:] = guess
            list_forward[:] = forward
            list_strain = there
        status, moved, stress, born = correct(table, n_free, guess, forward, back, rate, pairs, memory, step)
        if status == 0:
            along = tangent(n_free, d, pairs, memory, x, rest)
            new_sigma, new_mu = stress / volume, (born + along) / volume
            if not (abs(new_sigma - sigma - 0.5 * width * (mu + new_mu)) <= smooth * width * mu_0 and moved <= ASTRAY):
                status = 3
        if status != 0:
            width *= 0.4
            rejected = True
            continue
        _to_y(n_free, d, back, x)
        if new_mu <= 0.0:
            return _maximum(table, n_free, y, slope, strain, sigma, mu, guess, x, there, new_sigma, new_mu, turn, rates, rate,
                            pairs, volume, tau_0, mu_0, memory, step, rest)
        before[:], slope_before[:], strain_before = y, slope, strain
        y[:], slope[:], strain, sigma, mu = guess, x, there, new_sigma, new_mu
        points += 1
        factor = (AIM / max(moved, 1e-12)) ** 0.25
        width *= min(max(factor, 0.3), 1.3 if rejected else 2.5)
        rejected = False


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _moved(n_free, d, y, listed, forward):
    """(By how much two free particles may have approached since the list was made; distance of the farthest from the centre)."""
    largest = farthest = 0.0
    for i in range(n_free):
        square, distance2 = 0.0, 0.0
        for a in range(d):
            value = 0.0
            for b in range(d):
                value += forward[a, b] * (y[i, b] - listed[i, b])
            square += value * value
            distance2 += y[i, a] ** 2
        largest, farthest = max(largest, square), max(farthest, distance2)
    return 2.0 * np.sqrt(largest), np.sqrt(farthest)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _to_y(n_free, d, back, x):
    """Velocities of x to those of y, in place."""
    old = np.empty(d)
    for i in range(n_free):
        for a in range(d):
            old[a] = x[i * d + a]
        for a in range(d):
            x[i * d + a] = 0.0
            for b in range(d):
                x[i * d + a] += back[a, b] * old[b]


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _predict(n_free, d, y, slope, before, slope_before, strain, strain_before, points, there, guess):
    """The cubic through two points and their tangents, continued; a straight line from the first point."""
    h = strain - strain_before
    t = there - strain
    for i in range(n_free):
        for a in range(d):
            k = i * d + a
            guess[i, a] = y[i, a] + t * slope[k]
            if points > 1:
                # y(s) = y1 + t m1 + t^2 [(2 m1 + m0) h - 3 (y1 - y0)] / h^2 + t^3 [(m1 + m0) h - 2 (y1 - y0)] / h^3
                gap = y[i, a] - before[i, a]
                two = ((2.0 * slope[k] + slope_before[k]) * h - 3.0 * gap) / (h * h)
                three = ((slope[k] + slope_before[k]) * h - 2.0 * gap) / (h * h * h)
                guess[i, a] += t * t * (two + t * three)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _maximum(table, n_free, y, slope, strain, sigma, mu, y_1, slope_1, strain_1, sigma_1, mu_1, turn, rates, rate, pairs, volume,
             tau_0, mu_0, memory, step, rest):
    """The maximum of the stress between a point with mu > 0 and one with mu <= 0."""
    d = y.shape[1]
    forward, back, guess, x = np.empty((d, d)), np.empty((d, d)), y.copy(), slope.copy()
    best, best_strain = max(sigma, sigma_1), strain if sigma > sigma_1 else strain_1
    for _ in range(POINTS):
        h = strain_1 - strain
        rise = (sigma_1 - sigma) / h
        # mu(t) of the cubic, t in [0, 1]: mu + 2 (3 rise - 2 mu - mu_1) t + 3 (mu + mu_1 - 2 rise) t^2
        b, a = 2.0 * (3.0 * rise - 2.0 * mu - mu_1), 3.0 * (mu + mu_1 - 2.0 * rise)
        root = np.sqrt(max(b * b - 4.0 * a * mu, 0.0))
        t = 2.0 * mu / (root - b) if root - b > 0.0 else 0.5
        t = min(max(t, 0.02), 0.98)
        there = strain + t * h
        stretch(turn, rates, there, forward, back)
        for i in range(n_free):
            for c in range(d):
                k = i * d + c
                gap = y_1[i, c] - y[i, c]
                two = (3.0 * gap / h - 2.0 * slope[k] - slope_1[k]) / h
                three = (slope[k] + slope_1[k] - 2.0 * gap / h) / (h * h)
                s = t * h
                guess[i, c] = y[i, c] + s * (slope[k] + s * (two + s * three))
        status, _, stress, born = correct(table, n_free, guess, forward, back, rate, pairs, memory, step)
        if status != 0:
            break
        along = tangent(n_free, d, pairs, memory, x, rest)
        new, new_mu = stress / volume, (born + along) / volume
        _to_y(n_free, d, back, x)
        change = abs(new - best)
        if new > best:
            best, best_strain = new, there
        if change <= LAST * abs(best - tau_0):
            break
        if new_mu > 0.0:
            y[:], slope[:], strain, sigma, mu = guess, x, there, new, new_mu
        else:
            y_1[:], slope_1[:], strain_1, sigma_1, mu_1 = guess, x, there, new, new_mu
    return MAXIMUM, tau_0, best, best_strain, mu_0

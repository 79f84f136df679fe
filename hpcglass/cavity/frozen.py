"""The frozen-matrix method: what stress a patch bears before it yields, exactly, without minimising step by step.

The shell follows exp(A gamma), the free particles an elastic branch dU/dy = 0. The modulus mu = d sigma/d gamma goes to minus
infinity where the branch ends, so the stress has a smooth first maximum just before: tau_c, which depends on no step.
(S. Patinet, D. Vandembroucq and M. L. Falk, Phys. Rev. Lett. 117, 045501 (2016), look for the first drop in steps.)

Along the branch: predictor by cubic extrapolation through two points and their tangents, Newton's method (`newton.py`) on a
skyline factor that is kept while it converges, the tangent x' = -H^-1 Xi, and three reasons to go back and take a smaller step:
the factor is not positive definite; Newton moves far or slowly; or the stress is not that of one smooth branch,

    |sigma_1 - sigma_0 - d (mu_0 + mu_1)/2| > 0.02 d mu(0),

and so with the parabola through the last three mu in place of the line through two. Without the last one a small event is
stepped over, and another branch followed. At mu <= 0 the maximum of the cubic through the last points is solved for, until it
has foretold the last one, and the next would add nothing. A modulus that falls towards zero and rises again is looked into on
both sides: a contact that opens can end a branch's first maximum after a strain of 1e-5.

With `bound` a trial ends as soon as it bears that much more stress than at the start: it is not the weakest one of its site. With
`drop` events are followed, by descents (`descent.py`), until the stress falls by that much at once; tau_c then is the largest
stress of the branch that ends so.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from hpcglass.cavity.descent import descend
from hpcglass.cavity.lists import CANDIDATES, SKIN, find_candidates, make_list, moved
from hpcglass.cavity.newton import correct, respond
from hpcglass.cavity.patch import Floats, stretch
from hpcglass.cavity.skyline import FAST
from hpcglass.core.vectors import assign_rows

MAXIMUM, WEAK, UNSTABLE, THIN, ENDLESS, ROOM, BOUND, DROP = 0, 1, 2, 3, 4, 5, 6, 7
FLAGS = {MAXIMUM: "first maximum of the stress", WEAK: "weak fold: the branch ends with mu > 0, the last stress is taken",
         UNSTABLE: "not stable or not rising at zero strain", THIN: "a free particle came too near to the rim of the shell",
         ENDLESS: "no maximum up to the largest strain",
         BOUND: "not the weakest of its site: stopped at the bound, tau_c is at least that",
         DROP: "largest stress of the branch that ends with the first large drop"}
IRREGULAR = (WEAK, UNSTABLE, THIN, ENDLESS)

FIRST_STEP, SMALLEST_STEP = 1e-3, 1e-9
SMOOTH = 0.02           # of the branch check
AIM = 1e-3              # correction of the predictor that the step is chosen for [length]
ASTRAY = 5e-3           # a larger one is another branch: weak folds show in the positions, not in the stress
LAST = 3e-7             # of the bearable stress: what another point at the maximum would add when it is good
POINTS = 12
NEAR_ZERO, NARROW = 0.1, 2e-5       # modulus over the first one, and width of a step, at which a dip of it is looked into
WITHIN, BEFORE = 1, 2       # the step in which it may dip
BLUR = 1e-6             # of a step: in shorter ones round-off and contacts that open are more than what the check looks for
BEYOND, TRIES = 1e-4, 20     # strain by which the end of a branch is overstepped, if events are followed, and how often
EVENTS = 1000


class Direction(NamedTuple):
    """A = turn diag(rates) turn^T, symmetric and traceless, (d, d)."""

    turn: Floats
    rates: Floats
    rate: Floats


class Limits(NamedTuple):
    """What a trial is stopped by (0: by no such thing).

    smooth : of the branch check; largest_strain
    bound : stress above that at the start; drop : of the stress at once, over the modulus at the start
    """

    smooth: float
    largest_strain: float
    bound: float
    drop: float


class Point(NamedTuple):
    """A point of the branch: y (n, d), velocity of the free ones in the frame of y (n_free, d), and (strain, sigma, mu)."""

    y: Floats
    slope: Floats
    numbers: Floats


class Lists(NamedTuple):
    """The two lists of pairs: for which y (n, d) and under which strain each was made.

    numbers : candidates, their strain, pairs, their strain, cut-off, largest range [length], largest rate
    """

    candidate_y: Floats
    candidate_forward: Floats
    y: Floats
    forward: Floats
    numbers: Floats


@numba.njit(cache=True)
def empty_point(patch):
    """A Point of a patch, at its start."""
    return Point(patch.y.copy(), np.zeros((patch.n_free, patch.y.shape[1])), np.zeros(3))


@numba.njit(cache=True)
def copy_point(source, target):
    """Copies what may change."""
    n_free = source.slope.shape[0]
    assign_rows(target.y, source.y[:n_free])
    assign_rows(target.slope, source.slope)
    assign_rows(target.numbers, source.numbers)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def renew(axes, table, patch, y, forward, strain, always, lists, memory):
    """See that the list is good for y and what Newton may do to it; the number of pairs, or -1: no room."""
    n_free, numbers = patch.n_free, lists.numbers
    _, made, pairs, listed, cutoff, reach, fastest = numbers
    if not always:
        far = moved(axes, n_free, y, lists.y, lists.forward)
        if np.exp(-fastest * abs(strain - listed)) * (reach + SKIN - far) >= reach + 2.0 * ASTRAY:
            return np.int64(pairs)
    far = moved(axes, n_free, y, lists.candidate_y, lists.candidate_forward)
    if np.exp(-fastest * abs(strain - made)) * (reach + SKIN + CANDIDATES - far) < reach + SKIN:
        count = find_candidates(axes, table, n_free, y, patch.diameter.size, patch.diameter, patch.species, forward, cutoff,
                                SKIN + CANDIDATES, False, memory)
        if count < 0:
            return -1
        assign_rows(lists.candidate_y, y[:n_free])
        assign_rows(lists.candidate_forward, forward)
        numbers[0], numbers[1] = count, strain
    count = make_list(axes, table, n_free, y, patch.tied, patch.species, forward, cutoff, np.int64(numbers[0]), SKIN, memory)
    assign_rows(lists.y, y[:n_free])
    assign_rows(lists.forward, forward)
    numbers[2], numbers[3] = count, strain
    return count


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def load(axes, table, patch, candidates, direction, shell, volume, limits, memory):
    """Load a patch until its stress has a maximum, or as `limits` say.

    candidates : number of candidates in the memory, found at zero strain with SKIN + CANDIDATES; shell : distance from the
    centre beyond which there are particles that the patch does not know of [length]

    Returns (flag, tau_0, tau_c, gamma_c, mu(0), whether the candidates in the memory are still those); the flag ROOM, if the
    memory has no room for all pairs.
    """
    d = len(axes)
    cutoff = np.sqrt(table.edges[table.edges.size - 1])
    reach = cutoff * (table.length.max() if table.by_species else patch.diameter.max())
    lists = Lists(patch.y.copy(), np.eye(d), patch.y.copy(), np.eye(d),
                  np.array([candidates, 0.0, 0.0, 0.0, cutoff, reach, np.abs(direction.rates).max()]))
    here = empty_point(patch)
    flag = _settle(axes, table, patch, direction, here, 0.0, volume, lists, memory)
    _, tau_0, mu_0 = here.numbers
    if flag != 0:
        return flag, tau_0, tau_0, 0.0, mu_0, True
    events = 0
    while True:
        flag, top, top_strain = _follow(axes, table, patch, direction, shell, volume, limits, tau_0, mu_0, here, lists, memory)
        if limits.drop <= 0.0 or flag != WEAK or events == EVENTS:
            return flag, tau_0, top, top_strain, mu_0, lists.numbers[1] == 0.0
        events += 1
        last, end, settled = here.numbers[1], here.numbers[0], UNSTABLE
        for k in range(1, TRIES + 1):
            settled = _settle(axes, table, patch, direction, here, end + k * BEYOND, volume, lists, memory)
            if settled != UNSTABLE:
                break
        if settled != 0:
            return ROOM if settled == ROOM else flag, tau_0, top, top_strain, mu_0, lists.numbers[1] == 0.0
        if last - here.numbers[1] > limits.drop * mu_0:
            return DROP, tau_0, top, top_strain, mu_0, lists.numbers[1] == 0.0


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _settle(axes, table, patch, direction, here, strain, volume, lists, memory):
    """A stable state at a strain, from y where a minimum is near, else by a descent; 0, or why there is none."""
    n_free, d = patch.n_free, len(axes)
    forward, back, rest = np.empty((d, d)), np.empty((d, d)), np.empty((n_free, d))
    stretch(axes, direction.turn, direction.rates, strain, forward, back)
    for _ in range(100):
        pairs = renew(axes, table, patch, here.y, forward, strain, True, lists, memory)
        if pairs < 0:
            return ROOM
        if strain == 0.0 or descend(axes, table, patch, here.y, forward, back, direction.rate, pairs, memory):
            break
    status, _, stress, born = correct(axes, table, patch, here.y, forward, back, direction.rate, pairs, memory, rest)
    here.numbers[0], here.numbers[1], here.numbers[2] = strain, stress / volume, 0.0
    if status != 0:
        return UNSTABLE
    stress, born = respond(axes, patch, direction.rate, pairs, memory, stress, born, here.slope, rest)
    if np.isnan(born) or (strain == 0.0 and not born > 0.0):
        return UNSTABLE
    here.numbers[1], here.numbers[2] = stress / volume, born / volume
    _to_y(axes, n_free, back, here.slope)
    return 0


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _follow(axes, table, patch, direction, shell, volume, limits, tau_0, mu_0, here, lists, memory):
    """Follow a branch from `here`: (how it ended, largest stress of it, its strain); `here` is the last point."""
    n_free, d = patch.n_free, len(axes)
    before, there = empty_point(patch), empty_point(patch)
    forward, back, rest = np.empty((d, d)), np.empty((d, d)), np.empty((n_free, d))
    width, points, rejected, top, top_strain = FIRST_STEP, 1, False, here.numbers[1], here.numbers[0]
    earlier_top, earlier_top_strain = top, top_strain
    while True:
        strain = here.numbers[0] + width
        if here.numbers[1] > top:
            top, top_strain = here.numbers[1], here.numbers[0]
        if limits.bound > 0.0 and here.numbers[1] - tau_0 > limits.bound and here.numbers[2] > NEAR_ZERO * mu_0:
            return BOUND, top, top_strain
        if width < SMALLEST_STEP:
            return WEAK, top, top_strain
        if strain > limits.largest_strain:
            return ENDLESS, top, top_strain
        stretch(axes, direction.turn, direction.rates, strain, forward, back)
        _predict(axes, n_free, here, before, points, strain, there.y)
        if _farthest(axes, n_free, there.y) + lists.numbers[5] * np.exp(lists.numbers[6] * strain) > shell:
            return THIN, top, top_strain
        pairs = renew(axes, table, patch, there.y, forward, strain, False, lists, memory)
        if pairs < 0:
            return ROOM, top, top_strain
        good, far, rough = _solve_at(axes, table, patch, direction, strain, forward, back, pairs, volume, memory, there, here,
                                     before, points, mu_0, limits.smooth, rest)
        if not good:
            width *= min(max(np.sqrt(0.5 / rough), 0.2), 0.6) if rough > 1.0 else 0.4
            rejected = True
            continue
        turns = _turns(before.numbers, here.numbers, there.numbers, mu_0) if points > 1 else 0
        if turns:
            width, rejected = 0.4 * width, True
            if turns == BEFORE:
                width, points = 0.4 * (here.numbers[0] - before.numbers[0]), 1
                copy_point(before, here)
                top, top_strain = earlier_top, earlier_top_strain
            continue
        if here.numbers[2] > 0.0 and there.numbers[2] <= 0.0:
            peak, peak_strain = _maximum(axes, table, patch, direction, here, there, volume, tau_0, lists, memory, rest)
            if np.isnan(peak):
                return ROOM, top, top_strain
            if peak > top:
                top, top_strain = peak, peak_strain
            if limits.drop <= 0.0:
                return MAXIMUM, top, top_strain
        copy_point(here, before)
        copy_point(there, here)
        earlier_top, earlier_top_strain = top, top_strain
        points += 1
        factor = min((AIM / max(far, 1e-12)) ** 0.25, np.sqrt(0.5 / max(rough, 1e-3)))
        width *= min(max(factor, 0.3), 1.3 if rejected else 2.5)
        rejected = False


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _solve_at(axes, table, patch, direction, strain, forward, back, pairs, volume, memory, there, here, before, points, mu_0,
              smooth, rest):
    """Solve for `there`, whose y is a guess; (is it on the branch, correction of the guess, roughness over its limit)."""
    status, far, stress, born = correct(axes, table, patch, there.y, forward, back, direction.rate, pairs, memory, rest)
    if status != 0:
        return False, far, 0.0
    stress, born = respond(axes, patch, direction.rate, pairs, memory, stress, born, there.slope, rest)
    there.numbers[0], there.numbers[1], there.numbers[2] = strain, stress / volume, born / volume
    width, mu, mu_1 = strain - here.numbers[0], here.numbers[2], there.numbers[2]
    rise, mean, curved = (there.numbers[1] - here.numbers[1]) / width, 0.5 * (mu + mu_1), 0.0
    if points > 1:
        step = here.numbers[0] - before.numbers[0]
        curved = width * ((mu_1 - mu) - (mu - before.numbers[2]) * width / step) / (6.0 * (width + step))
    rough = min(abs(rise - mean), abs(rise - mean + curved)) * min(width / BLUR, 1.0) / (smooth * mu_0)
    _to_y(axes, patch.n_free, back, there.slope)
    return rough <= 1.0 and far <= ASTRAY and not _dips(mu, mu_1, rise, width, mu_0), far, rough


@numba.njit(cache=True, error_model="numpy")
def _dips(mu, mu_1, rise, width, mu_0):
    """Whether the modulus comes near to zero within a step, between two ends where it does not: the cubic through them says."""
    b, a = 2.0 * (3.0 * rise - 2.0 * mu - mu_1), 3.0 * (mu + mu_1 - 2.0 * rise)
    if not (width > NARROW and mu_1 > 0.0 and a > 0.0 and b < 0.0 and b + 2.0 * a > 0.0):
        return False
    return mu - 0.25 * b * b / a < NEAR_ZERO * mu_0


@numba.njit(cache=True, error_model="numpy")
def _turns(before, here, there, mu_0):
    """Whether the modulus, near zero and lowest at the second of three points, may have been negative: WITHIN the last step, or
    in the one BEFORE, if it falls, or rises, as steeply as in the other one; else 0. Contacts that open make such dips.
    """
    strain, _, mu = here
    if not 0.0 < mu < NEAR_ZERO * mu_0:
        return 0
    width, width_before = there[0] - strain, strain - before[0]
    fall, rise = (before[2] - mu) / width_before, (there[2] - mu) / width
    if not (fall > 0.0 and rise > 0.0):
        return 0
    if width > NARROW and fall * width > mu:
        return WITHIN
    return BEFORE if width_before > NARROW and rise * width_before > mu else 0


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _farthest(axes, n_free, y):
    """Distance of the farthest free particle from the centre, unstrained."""
    largest = 0.0
    for i in range(n_free):
        square = 0.0
        for a in range(len(axes)):
            square += y[i, a] ** 2
        largest = max(largest, square)
    return np.sqrt(largest)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _to_y(axes, n_free, back, x):
    """Velocities of x to those of y, in place."""
    d = len(axes)
    old = np.empty(d)
    for i in range(n_free):
        for a in range(d):
            old[a] = x[i, a]
        for a in range(d):
            x[i, a] = 0.0
            for b in range(d):
                x[i, a] += back[a, b] * old[b]


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _predict(axes, n_free, here, before, points, strain, guess):
    """The cubic through two points and their tangents, continued; a straight line from the first point."""
    h, t = here.numbers[0] - before.numbers[0], strain - here.numbers[0]
    y, slope, old, old_slope = here.y, here.slope, before.y, before.slope
    for i in range(n_free):
        for a in range(len(axes)):
            guess[i, a] = y[i, a] + t * slope[i, a]
            if points > 1:
                # y(s) = y1 + t m1 + t^2 [(2 m1 + m0) h - 3 (y1 - y0)] / h^2 + t^3 [(m1 + m0) h - 2 (y1 - y0)] / h^3
                gap = y[i, a] - old[i, a]
                two = ((2.0 * slope[i, a] + old_slope[i, a]) * h - 3.0 * gap) / (h * h)
                three = ((slope[i, a] + old_slope[i, a]) * h - 2.0 * gap) / (h * h * h)
                guess[i, a] += t * t * (two + t * three)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _maximum(axes, table, patch, direction, low_end, high_end, volume, tau_0, lists, memory, rest):
    """(Stress, strain) of the maximum between a point with mu > 0 and one with mu <= 0, which stay as they are; NaN: no room."""
    n_free, d = patch.n_free, len(axes)
    low, high, new = empty_point(patch), empty_point(patch), empty_point(patch)
    copy_point(low_end, low)
    copy_point(high_end, high)
    forward, back = np.empty((d, d)), np.empty((d, d))
    expected = np.inf
    for _ in range(POINTS):
        strain, sigma, mu = low.numbers
        strain_1, sigma_1, mu_1 = high.numbers
        h = strain_1 - strain
        rise = (sigma_1 - sigma) / h
        # mu(t) of the cubic, t in [0, 1]: mu + 2 (3 rise - 2 mu - mu_1) t + 3 (mu + mu_1 - 2 rise) t^2
        b, a = 2.0 * (3.0 * rise - 2.0 * mu - mu_1), 3.0 * (mu + mu_1 - 2.0 * rise)
        root = np.sqrt(max(b * b - 4.0 * a * mu, 0.0))
        t = 2.0 * mu / (root - b) if root - b > 0.0 else 0.5
        t = min(max(t, 0.02), 0.98)
        top = sigma + h * t * (mu + t * (0.5 * b + t * a / 3.0))
        best = max(sigma, sigma_1)
        good = LAST * abs(best - tau_0)
        if abs(top - best) <= good and abs(expected - new.numbers[1]) <= good:      # the cubic has foretold the last point
            return max(top, best), strain + t * h
        stretch(axes, direction.turn, direction.rates, strain + t * h, forward, back)
        for i in range(n_free):
            for c in range(d):
                gap = high.y[i, c] - low.y[i, c]
                two = (3.0 * gap / h - 2.0 * low.slope[i, c] - high.slope[i, c]) / h
                three = (low.slope[i, c] + high.slope[i, c] - 2.0 * gap / h) / (h * h)
                s = t * h
                new.y[i, c] = low.y[i, c] + s * (low.slope[i, c] + s * (two + s * three))
        pairs = renew(axes, table, patch, new.y, forward, strain + t * h, False, lists, memory)
        if pairs < 0:
            return np.nan, np.nan
        status, _, stress, born = correct(axes, table, patch, new.y, forward, back, direction.rate, pairs, memory, rest)
        if status != 0:
            break
        stress, born = respond(axes, patch, direction.rate, pairs, memory, stress, born, new.slope, rest)
        if np.isnan(born):
            break
        _to_y(axes, n_free, back, new.slope)
        new.numbers[0], new.numbers[1], new.numbers[2] = strain + t * h, stress / volume, born / volume
        expected = top
        if new.numbers[2] > 0.0:
            copy_point(new, low)
        else:
            copy_point(new, high)
    if low.numbers[1] > high.numbers[1]:
        return low.numbers[1], low.numbers[0]
    return high.numbers[1], high.numbers[0]

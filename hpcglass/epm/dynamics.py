"""Loading, slips and avalanches: the compiled part of the lattice.

A site slips when Σ + μ* v_i ≥ c_i. Divided by μ*: when the *load* f = Σ/μ* = (γ − γ_p)(1 + μ/K) reaches its *strength*
s_i = c_i/μ* − v_i (backward: when −f reaches c⁻_i/μ* + v_i). Loading goes to the smallest strength; avalanches are at constant γ.

A slip changes v everywhere, yet few sites come near their strength because of it. So a slip is only written to a *log*, and each
*tile* of the lattice, a few blocks wide, remembers up to where in the log it is up to date, and a lower bound of its smallest
strength. A slip lowers the bound of a tile by at most 2ε_0 times the largest G in it, which is tabulated for relative positions
of tile and slip. Only if a bound says that a site of the tile could be unstable (or be the next one) is the tile brought up to
date, entry after entry, and looked at. This is exact: each v_i gets the same additions in the same order whenever and by
whichever rank they are done, so that results do not depend on that to the last bit. When the log is full, v is computed afresh
from all slips by FFT, which bounds round-off and clears what far tiles have not looked at. A slip then costs the tiles around it
and the few with a near-critical site, instead of L² or a Fourier transform.

`propose` is what a rank does alone; `absorb` is done by all ranks alike, with all their slips; `alone` is the loop of one rank.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hpcglass.core.random import philox
from hpcglass.epm.thresholds import quantile

EVENTS = np.uint64(10 << 24)       # stream of random numbers (third counter word) of thresholds and slips
MASK = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
GO_ON, THERE, ENOUGH, REFRESH, ENDLESS = range(5)
TILE = 8                           # edge of a tile; a constant, so that the compiler knows it
I, II, III, IV, V, VI, VII = (np.uint64(n) for n in range(1, TILE))      # noqa: E741
# unsigned: an index that needs no test for being negative
GUARD = 1e-10                      # of the largest threshold: more than round-off can do to a bound

CLOCK = np.dtype([
    ("strain", "f8"), ("slipped", "f8"), ("virgin", "i8"), ("logged", "i8"), ("slips", "i8"), ("steps", "i8"),
    ("avalanches", "i8"), ("active", "i8"), ("stress_before", "f8"), ("slips_before", "i8"), ("steps_before", "i8")])


class Rules(NamedTuple):
    """What does not change: see `Model`. `rows` is `kernel_rows`; `rise` and `fall` bound G and −G in a tile (`tile_bounds`)."""

    rows: NDArray[np.float64]
    rise: NDArray[np.float64]
    fall: NDArray[np.float64]
    renewal: NDArray[np.float64]       # tables of quantiles
    opposite: NDArray[np.float64]
    modulus: float
    renewed: float
    compliance: float                  # 1/K
    c0: float
    c1: float
    random: bool
    weakest: bool
    seed: np.uint64


class Sites(NamedTuple):
    """What a rank holds: fields (rows, L), and what is known of each tile. `backward` is empty if there are no backward slips."""

    internal: NDArray[np.float64]      # v, as it was at log entry `done` of the tile
    slip: NDArray[np.float64]          # Σ ε_0
    forward: NDArray[np.float64]
    backward: NDArray[np.float64]
    counts: NDArray[np.int32]
    up: NDArray[np.float64]            # (tile rows, tiles in a row): lower bound of the strengths
    down: NDArray[np.float64]
    done: NDArray[np.int64]
    top: NDArray[np.float64]           # (1,) largest |threshold| so far
    first: int                         # first row of this rank


class Log(NamedTuple):
    """Slips that not all tiles have seen: row, L − column (where a row of the kernel begins that is centred on it), and 2ε_0."""

    row: NDArray[np.int64]
    shift: NDArray[np.int64]
    amplitude: NDArray[np.float64]


class Avalanches(NamedTuple):
    """One entry per avalanche: its strain, stress before, drop of the stress, number of slips and of synchronous steps."""

    strain: NDArray[np.float64]
    stress: NDArray[np.float64]
    drop: NDArray[np.float64]
    slips: NDArray[np.int64]
    steps: NDArray[np.int64]


@njit(cache=True, error_model="numpy", forceinline=True)
def modulus_now(rules: Any, clock: Any, sites: Any) -> Any:
    """Mean modulus of all `sites` blocks: those that never slipped, and the renewed ones."""
    return rules.renewed + (rules.modulus - rules.renewed) * (clock.virgin / sites)


@njit(cache=True, error_model="numpy")
def stress_now(rules: Any, clock: Any) -> Any:
    """Σ = μ(γ − γ_p)."""
    n = 0.25 * rules.rows.shape[1] ** 2
    return modulus_now(rules, clock, n) * (clock.strain - 2.0 * clock.slipped / n)


@njit(cache=True, error_model="numpy", forceinline=True)
def load_and_compliance(rules: Any, clock: Any) -> Any:
    """f = Σ/μ*, 1/μ*, and df/dγ = 1 + μ/K."""
    n = 0.25 * rules.rows.shape[1] ** 2
    modulus = modulus_now(rules, clock, n)
    ratio = 1.0 + modulus * rules.compliance
    return (clock.strain - 2.0 * clock.slipped / n) * ratio, ratio / modulus, ratio


@njit(cache=True, error_model="numpy")
def draw(seed: Any, site: Any, event: Any, number: Any) -> Any:
    """Two uniform numbers in (0, 1) that belong to the event-th slip of a site (0: the initial state)."""
    a, b, c, d = philox(np.uint64(number), np.uint64(site), np.uint64(event), EVENTS, seed & MASK, seed >> HALF)
    return (np.float64((a << np.uint64(20)) | (b >> np.uint64(12))) + 0.5) * 2.0**-52, \
        (np.float64((c << np.uint64(20)) | (d >> np.uint64(12))) + 0.5) * 2.0**-52


@njit(cache=True, error_model="numpy", forceinline=True)
def update_tile(rules: Any, sites: Any, log: Any, clock: Any, ty: Any, tx: Any) -> None:
    """Add the kernel of the slips logged since to a tile, in their order; a row of a whole tile stays in registers meanwhile."""
    v, rows = sites.internal, rules.rows
    size = v.shape[1]
    first, last = sites.done[ty, tx], clock.logged
    left, right = tx * TILE, min((tx + 1) * TILE, size)
    for y in range(ty * TILE, min((ty + 1) * TILE, v.shape[0])):
        if right - left < TILE:
            for j in range(first, last):
                distance = abs(sites.first + y - log.row[j])
                distance = min(distance, size - distance)
                for x in range(left, right):
                    v[y, x] += log.amplitude[j] * rows[distance, log.shift[j] + x]
            continue
        row, x = np.uint64(y), np.uint64(left)  # type: ignore[assignment]
        a, b, c, d = v[row, x], v[row, x + I], v[row, x + II], v[row, x + III]
        e, f, g, h = v[row, x + IV], v[row, x + V], v[row, x + VI], v[row, x + VII]
        for j in range(first, last):
            distance = abs(sites.first + y - log.row[j])
            near = np.uint64(min(distance, size - distance))
            k = x + np.uint64(log.shift[j])
            amplitude = log.amplitude[j]
            a += amplitude * rows[near, k]
            b += amplitude * rows[near, k + I]
            c += amplitude * rows[near, k + II]
            d += amplitude * rows[near, k + III]
            e += amplitude * rows[near, k + IV]
            f += amplitude * rows[near, k + V]
            g += amplitude * rows[near, k + VI]
            h += amplitude * rows[near, k + VII]
        v[row, x], v[row, x + I], v[row, x + II], v[row, x + III] = a, b, c, d
        v[row, x + IV], v[row, x + V], v[row, x + VI], v[row, x + VII] = e, f, g, h
    sites.done[ty, tx] = last


@njit(cache=True, error_model="numpy")
def update_all(rules: Any, sites: Any, log: Any, clock: Any) -> None:
    """Bring all tiles up to date."""
    for ty in range(sites.done.shape[0]):
        for tx in range(sites.done.shape[1]):
            update_tile(rules, sites, log, clock, ty, tx)


@njit(cache=True, error_model="numpy", forceinline=True)
def examine_tile(sites: Any, ty: Any, tx: Any, unit: Any) -> Any:
    """Smallest strengths of an up-to-date tile, forward and backward; sets its bounds. `unit` is 1/μ*."""
    slack = GUARD * sites.top[0] * unit
    low = _smallest(sites.forward, sites.internal, ty, tx, unit, -1.0)
    sites.up[ty, tx] = low - slack
    back = np.inf
    if sites.backward.shape[0]:
        back = _smallest(sites.backward, sites.internal, ty, tx, unit, 1.0)
        sites.down[ty, tx] = back - slack
    return low, back


@njit(cache=True, error_model="numpy", forceinline=True)
def _smallest(threshold: Any, v: Any, ty: Any, tx: Any, unit: Any, sign: Any) -> Any:
    """min(c/μ* ± v) in a tile, in eight minima that do not wait for each other."""
    left, right = tx * TILE, min((tx + 1) * TILE, v.shape[1])
    begin, end = ty * TILE, min((ty + 1) * TILE, v.shape[0])
    if right - left < TILE:
        low = np.inf
        for y in range(begin, end):
            for x in range(left, right):
                low = min(low, threshold[y, x] * unit + sign * v[y, x])
        return low
    a = b = c = d = e = f = g = h = np.inf
    x = np.uint64(left)  # type: ignore[assignment]
    for y in range(np.uint64(begin), np.uint64(end)):
        a = _lower(threshold[y, x] * unit + sign * v[y, x], a)
        b = _lower(threshold[y, x + I] * unit + sign * v[y, x + I], b)
        c = _lower(threshold[y, x + II] * unit + sign * v[y, x + II], c)
        d = _lower(threshold[y, x + III] * unit + sign * v[y, x + III], d)
        e = _lower(threshold[y, x + IV] * unit + sign * v[y, x + IV], e)
        f = _lower(threshold[y, x + V] * unit + sign * v[y, x + V], f)
        g = _lower(threshold[y, x + VI] * unit + sign * v[y, x + VI], g)
        h = _lower(threshold[y, x + VII] * unit + sign * v[y, x + VII], h)
    return _lower(_lower(_lower(a, b), _lower(c, d)), _lower(_lower(e, f), _lower(g, h)))


@njit(cache=True, error_model="numpy", forceinline=True)
def _lower(value: Any, least: Any) -> Any:
    return value if value < least else least


@njit(cache=True, error_model="numpy")
def slip_site(rules: Any, sites: Any, y: Any, x: Any, forward: Any, found: Any, n: Any) -> Any:
    """Slip a site and draw new thresholds; (site, ε_0) goes to row n of `found` if there is room. Returns if it was the first."""
    site = (sites.first + y) * sites.internal.shape[1] + x
    event = sites.counts[y, x] + 1
    old = sites.forward[y, x] if forward else sites.backward[y, x]
    uniform, other = draw(rules.seed, site, event, 0)
    amount = rules.c0 + rules.c1 * old * old
    if rules.random:
        amount *= -math.log(other)
    if not forward:
        amount = -amount
    sites.forward[y, x] = quantile(rules.renewal, uniform)
    sites.top[0] = max(sites.top[0], abs(sites.forward[y, x]))
    if sites.backward.shape[0]:
        uniform, other = draw(rules.seed, site, event, 1)
        sites.backward[y, x] = quantile(rules.opposite, uniform)
        sites.top[0] = max(sites.top[0], abs(sites.backward[y, x]))
        sites.down[y // TILE, x // TILE] = -np.inf
    sites.up[y // TILE, x // TILE] = -np.inf
    sites.slip[y, x] += amount
    sites.counts[y, x] = event
    if n < found.shape[0]:
        found[n, 0] = site
        found[n, 1] = amount
    return event == 1


@njit(cache=True, error_model="numpy")
def slip_unstable(rules: Any, sites: Any, log: Any, clock: Any, found: Any) -> Any:
    """Slip every unstable site of this rank, by ascending number. Returns how many, and how many for the first time."""
    load, unit, _ = load_and_compliance(rules, clock)
    n = fresh = 0
    for ty in range(sites.up.shape[0]):
        for tx in range(sites.up.shape[1]):
            if sites.up[ty, tx] > load and sites.down[ty, tx] > -load:
                continue
            update_tile(rules, sites, log, clock, ty, tx)
            low, back = examine_tile(sites, ty, tx, unit)
            if low > load and back > -load:
                continue
            for y in range(ty * TILE, min((ty + 1) * TILE, sites.internal.shape[0])):
                for x in range(tx * TILE, min((tx + 1) * TILE, sites.internal.shape[1])):
                    forward = sites.forward[y, x] * unit - sites.internal[y, x] <= load
                    if forward or (sites.backward.shape[0] and sites.backward[y, x] * unit + sites.internal[y, x] <= -load):
                        fresh += slip_site(rules, sites, y, x, forward, found, n)
                        n += 1
    if 1 < n <= found.shape[0]:
        found[:n] = found[np.argsort(found[:n, 0])]
    return n, fresh


@njit(cache=True, error_model="numpy")
def nearest(rules: Any, sites: Any, log: Any, clock: Any, direction: Any) -> Any:
    """Smallest difference of strength and load among this rank's sites, and its site; (inf, -1) if nothing can slip that way."""
    load, unit, _ = load_and_compliance(rules, clock)
    bound = sites.up if direction > 0 else sites.down
    threshold = sites.forward if direction > 0 else sites.backward
    best, site = np.inf, -1
    if threshold.shape[0] == 0:
        return best, site
    sign = -1.0 if direction > 0 else 1.0
    size = sites.internal.shape[1]
    start = np.argmin(bound)
    for step in range(-1, bound.size):
        ty, tx = divmod(start if step < 0 else step, bound.shape[1])
        if bound[ty, tx] > best or step == start:
            continue
        update_tile(rules, sites, log, clock, ty, tx)
        low, back = examine_tile(sites, ty, tx, unit)
        if (low if direction > 0 else back) > best:
            continue
        for y in range(ty * TILE, min((ty + 1) * TILE, sites.internal.shape[0])):
            for x in range(tx * TILE, min((tx + 1) * TILE, size)):
                strength = threshold[y, x] * unit + sign * sites.internal[y, x]
                number = (sites.first + y) * size + x
                if strength < best or (strength == best and number < site):
                    best, site = strength, number
    return best - direction * load, site


@njit(cache=True, error_model="numpy")
def propose(rules: Any, sites: Any, log: Any, clock: Any, target: Any) -> Any:
    """The site of this rank that would slip next, alone: (gap, site, direction). While loading only towards the target."""
    if clock.active:
        gap, site = nearest(rules, sites, log, clock, 1)
        other, opposite = nearest(rules, sites, log, clock, -1)
        return (gap, site, 1) if gap <= other else (other, opposite, -1)
    direction = 1 if target >= clock.strain else -1
    gap, site = nearest(rules, sites, log, clock, direction)
    return gap, site, direction


@njit(cache=True, error_model="numpy")
def reaches(rules: Any, clock: Any, target: Any, gap: Any, direction: Any) -> Any:
    """Whether a site with this gap slips before the target; if the lattice is stable it is loaded exactly to that point."""
    if clock.active:
        return gap <= 0.0
    _, _, ratio = load_and_compliance(rules, clock)
    distance = max(gap, 0.0) / ratio
    if not distance <= direction * (target - clock.strain):
        return False
    clock.strain += direction * distance
    return True


@njit(cache=True, error_model="numpy")
def absorb(rules: Any, sites: Any, log: Any, clock: Any, target: Any, found: Any, n: Any, fresh: Any,
           events: Any, recorded: Any) -> Any:
    """Take in one step of all ranks' slips; with none the avalanche is over, or the target reached. Returns what to do now."""
    if n == 0 and clock.active:
        events.strain[recorded[0]] = clock.strain
        events.stress[recorded[0]] = clock.stress_before
        events.drop[recorded[0]] = clock.stress_before - stress_now(rules, clock)
        events.slips[recorded[0]] = clock.slips - clock.slips_before
        events.steps[recorded[0]] = clock.steps - clock.steps_before
        recorded[0] += 1
        clock.active = 0
        clock.avalanches += 1
        return ENOUGH if recorded[0] == events.strain.size else GO_ON
    if n == 0:
        clock.strain = target
        return THERE
    if not clock.active:
        clock.active = 1
        clock.stress_before = stress_now(rules, clock)
        clock.slips_before = clock.slips
        clock.steps_before = clock.steps
    _, unit, _ = load_and_compliance(rules, clock)
    clock.steps += 1
    clock.slips += n
    clock.virgin -= fresh
    size = sites.internal.shape[1]
    if clock.slips - clock.slips_before > 1000 * size * size:
        return ENDLESS
    if clock.logged + n > log.row.size:
        return REFRESH
    for i in range(n):
        row = np.int64(found[i, 0]) // size
        column = np.int64(found[i, 0]) - row * size
        log.row[clock.logged] = row
        log.shift[clock.logged] = size - column
        log.amplitude[clock.logged] = 2.0 * found[i, 1]
        clock.logged += 1
        clock.slipped += found[i, 1]
        _lower_bounds(rules, sites, row, column, 2.0 * found[i, 1])
    _, now, _ = load_and_compliance(rules, clock)
    if now != unit:
        change = abs(now - unit) * sites.top[0]
        sites.up[:] -= change
        sites.down[:] -= change
    return GO_ON


@njit(cache=True, error_model="numpy")
def _lower_bounds(rules: Any, sites: Any, row: Any, column: Any, amplitude: Any) -> None:
    """A slip lowers the strengths in each tile by at most this."""
    size = sites.internal.shape[1]
    tiles = sites.up.shape[1]
    begin = tiles - 1 - column // TILE
    rise = rules.rise if amplitude > 0.0 else rules.fall
    fall = rules.fall if amplitude > 0.0 else rules.rise
    amplitude = abs(amplitude)
    for ty in range(sites.up.shape[0]):
        distance = sites.first + ty * TILE - row
        distance += size if distance < 0 else 0
        for tx in range(tiles):
            sites.up[ty, tx] -= amplitude * rise[distance, begin + tx]
        if sites.backward.shape[0]:
            for tx in range(tiles):
                sites.down[ty, tx] -= amplitude * fall[distance, begin + tx]


@njit(cache=True, error_model="numpy")
def alone(rules: Any, sites: Any, log: Any, clock: Any, target: Any, found: Any, events: Any, recorded: Any) -> Any:
    """What one rank does without asking others, until something else is needed."""
    while True:
        if clock.active and not rules.weakest:
            n, fresh = slip_unstable(rules, sites, log, clock, found)
        else:
            n = fresh = 0
            gap, site, direction = propose(rules, sites, log, clock, target)
            if reaches(rules, clock, target, gap, direction):
                size = sites.internal.shape[1]
                fresh += slip_site(rules, sites, site // size - sites.first, site % size, direction > 0, found, 0)
                n = 1
        status = absorb(rules, sites, log, clock, target, found, n, fresh, events, recorded)
        if status != GO_ON:
            return status

"""Loading, slips and avalanches: the compiled part of the lattice.

A site slips when Σ + μ* v_i ≥ c_i. Divided by μ*: when the *load* f = Σ/μ* = (γ − γ_p)(1 + μ/K) reaches its *strength*
s_i = c_i/μ* − v_i (backward: when −f reaches c⁻_i/μ* + v_i). Loading goes to the smallest strength; avalanches are at constant γ.

Which sites those are is known by `tiles`, without looking at all of them.

`propose` is what a rank does alone; `absorb` is done by all ranks alike, with all their slips. `alone` is the loop of one rank;
several ones go round with `offer` and `take`, telling each other what they did once per step.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hpcglass.core.random import philox
from hpcglass.epm.thresholds import quantile
from hpcglass.epm.tiles import TILE, forget, kernel, look, lower_all, lower_bounds, update_tile, weakest_site

EVENTS = np.uint64(10 << 24)       # stream of random numbers (third counter word) of thresholds and slips
MASK = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
GO_ON, THERE, ENOUGH, REFRESH, ENDLESS, MORE = range(6)
ROOM = 16                          # slips in a message; more are rare enough to be sent after it
GAP, SITE, DIRECTION, AMOUNT, FIRST, SLIPS = range(2, 8)          # columns of a message, after the numbers of (first) slips
MESSAGE = SLIPS + 2 * ROOM

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
    size: int                          # L
    softening: float                   # of the mean modulus per unit of weight that slips for the first time, times L²
    renewed: float
    compliance: float                  # 1/K
    c0: float
    c1: float
    random: bool
    weakest: bool
    seed: np.uint64


class Avalanches(NamedTuple):
    """One entry per avalanche: its strain, stress before, drop of the stress, number of slips and of synchronous steps."""

    strain: NDArray[np.float64]
    stress: NDArray[np.float64]
    drop: NDArray[np.float64]
    slips: NDArray[np.int64]
    steps: NDArray[np.int64]


@kernel(forceinline=True)
def modulus_now(rules: Any, clock: Any, sites: Any) -> Any:
    """Mean modulus of all `sites` blocks: those that never slipped, and the renewed ones."""
    return rules.renewed + rules.softening * (clock.virgin / sites)


@kernel(forceinline=True)
def weight_of(sites: Any, y: Any, x: Any) -> Any:
    """What a site that never slipped has of `virgin`: 1, or its modulus less the renewed one in whole units of `softening`."""
    return sites.weight[y, x] if sites.weight.shape[0] else 1


@kernel()
def stress_now(rules: Any, clock: Any) -> Any:
    """Σ = μ(γ − γ_p)."""
    n = rules.size**2
    return modulus_now(rules, clock, n) * (clock.strain - 2.0 * clock.slipped / n)


@kernel(forceinline=True)
def load_and_compliance(rules: Any, clock: Any) -> Any:
    """f = Σ/μ*, 1/μ*, and df/dγ = 1 + μ/K."""
    n = rules.size**2
    modulus = modulus_now(rules, clock, n)
    ratio = 1.0 + modulus * rules.compliance
    return (clock.strain - 2.0 * clock.slipped / n) * ratio, ratio / modulus, ratio


@kernel()
def draw(seed: Any, site: Any, event: Any, number: Any) -> Any:
    """Two uniform numbers in (0, 1) that belong to the event-th slip of a site (0: the initial state)."""
    a, b, c, d = philox(np.uint64(number), np.uint64(site), np.uint64(event), EVENTS, seed & MASK, seed >> HALF)
    return (np.float64((a << np.uint64(20)) | (b >> np.uint64(12))) + 0.5) * 2.0**-52, \
        (np.float64((c << np.uint64(20)) | (d >> np.uint64(12))) + 0.5) * 2.0**-52


@kernel()
def next_slip(rules: Any, sites: Any, y: Any, x: Any, forward: Any) -> Any:
    """ε_0 of the next slip of a site, and the number that its new threshold comes from."""
    site = (sites.first + y) * sites.internal.shape[1] + x
    old = sites.forward[y, x] if forward else sites.backward[y, x]
    uniform, other = draw(rules.seed, site, sites.counts[y, x] + 1, 0)
    amount = rules.c0 + rules.c1 * old * old
    if rules.random:
        amount *= -math.log(other)
    return (amount if forward else -amount), uniform


@kernel()
def slip_site(rules: Any, sites: Any, y: Any, x: Any, forward: Any, found: Any, n: Any) -> Any:
    """Slip a site, draw new thresholds; (site, ε_0) goes to row n of `found` if there is room. Its weight if it never slipped."""
    site = (sites.first + y) * sites.internal.shape[1] + x
    amount, uniform = next_slip(rules, sites, y, x, forward)
    event = sites.counts[y, x] + 1
    sites.forward[y, x] = quantile(rules.renewal, uniform)
    sites.top[0] = max(sites.top[0], abs(sites.forward[y, x]))
    if sites.backward.shape[0]:
        uniform, _ = draw(rules.seed, site, event, 1)
        sites.backward[y, x] = quantile(rules.opposite, uniform)
        sites.top[0] = max(sites.top[0], abs(sites.backward[y, x]))
    forget(sites, y, x)
    sites.slip[y, x] += amount
    sites.counts[y, x] = event
    if n < found.shape[0]:
        found[n, 0] = site
        found[n, 1] = amount
    return weight_of(sites, y, x) if event == 1 else 0


@kernel()
def _sort(found: Any, n: Any) -> None:
    """The first n slips by ascending site (D. L. Shell, Commun. ACM 2, 30 (1959)): they are nearly in order, by tiles."""
    gap = n // 2
    while gap > 0:
        for i in range(gap, n):
            site, amount = found[i, 0], found[i, 1]
            k = i
            while k >= gap and found[k - gap, 0] > site:
                found[k, 0], found[k, 1] = found[k - gap, 0], found[k - gap, 1]
                k -= gap
            found[k, 0], found[k, 1] = site, amount
        gap //= 2


@kernel()
def slip_unstable(rules: Any, sites: Any, log: Any, clock: Any, found: Any) -> Any:
    """Slip every unstable site of this rank, by ascending number. Returns how many, and the weight of first slips."""
    load, unit, _ = load_and_compliance(rules, clock)
    n = fresh = 0
    up, down, above, below = sites.up.low, sites.down.low, sites.up.least, sites.down.least
    for ty in range(sites.done.shape[0]):
        if above[ty] > load and below[ty] > -load:
            continue
        for tx in range(sites.done.shape[1]):
            if up[ty, tx] > load and down[ty, tx] > -load:
                continue
            update_tile(rules, sites, log, clock, ty, tx)
            stable = look(sites, sites.up, sites.forward, -1.0, unit, ty, tx) > load
            if sites.backward.shape[0]:
                stable &= look(sites, sites.down, sites.backward, 1.0, unit, ty, tx) > -load
            if stable:
                continue
            for y in range(ty * TILE, min((ty + 1) * TILE, sites.internal.shape[0])):
                for x in range(tx * TILE, min((tx + 1) * TILE, sites.internal.shape[1])):
                    forward = sites.forward[y, x] * unit - sites.internal[y, x] <= load
                    if forward or (sites.backward.shape[0] and sites.backward[y, x] * unit + sites.internal[y, x] <= -load):
                        fresh += slip_site(rules, sites, y, x, forward, found, n)
                        n += 1
    if 1 < n <= found.shape[0]:
        _sort(found, n)
    return n, fresh


@kernel()
def propose(rules: Any, sites: Any, log: Any, clock: Any, direction: Any) -> Any:
    """The site of this rank that slips next, alone: (gap of strength and load, site, direction); 0 is either direction."""
    load, unit, _ = load_and_compliance(rules, clock)
    strength = other = np.inf
    site = opposite = -1
    if direction >= 0:
        strength, site = weakest_site(rules, sites, log, clock, sites.up, sites.forward, -1.0, unit)
    if direction <= 0:
        other, opposite = weakest_site(rules, sites, log, clock, sites.down, sites.backward, 1.0, unit)
    return (strength - load, site, 1) if strength - load <= other + load else (other + load, opposite, -1)


@kernel(forceinline=True)
def towards(clock: Any, target: Any) -> Any:
    """Direction of the slips to look for while the lattice is loaded, or of both when it is unstable."""
    return 0 if clock.active else 1 if target >= clock.strain else -1


@kernel()
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


@kernel()
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
        lower_bounds(rules, sites, row, column, 2.0 * found[i, 1])
    _, now, _ = load_and_compliance(rules, clock)
    if now != unit:
        lower_all(sites, abs(now - unit) * sites.top[0])
    return GO_ON


@kernel()
def alone(rules: Any, sites: Any, log: Any, clock: Any, target: Any, found: Any, events: Any, recorded: Any) -> Any:
    """What one rank does without asking others, until something else is needed."""
    while True:
        if clock.active and not rules.weakest:
            n, fresh = slip_unstable(rules, sites, log, clock, found)
        else:
            n = fresh = 0
            gap, site, direction = propose(rules, sites, log, clock, towards(clock, target))
            if reaches(rules, clock, target, gap, direction):
                size = sites.internal.shape[1]
                fresh += slip_site(rules, sites, site // size - sites.first, site % size, direction > 0, found, 0)
                n = 1
        status = absorb(rules, sites, log, clock, target, found, n, fresh, events, recorded)
        if status != GO_ON:
            return status


@kernel()
def offer(rules: Any, sites: Any, log: Any, clock: Any, target: Any, found: Any, message: Any) -> None:
    """What a rank tells the others: its slips of this step; if there are none, the site that it would slip next, and how far."""
    n = fresh = 0
    direction = towards(clock, target)
    if clock.active and not rules.weakest:
        n, fresh = slip_unstable(rules, sites, log, clock, found)
        direction = 1 if target >= clock.strain else -1        # if no rank has any: how the loading goes on
    message[0], message[1], message[GAP] = n, fresh, np.inf
    for i in range(min(n, ROOM)):
        message[SLIPS + 2 * i], message[SLIPS + 2 * i + 1] = found[i, 0], found[i, 1]
    if n == 0:
        gap, site, direction = propose(rules, sites, log, clock, direction)
        message[GAP], message[SITE], message[DIRECTION] = gap, site, direction
        if site >= 0:
            y, x = site // sites.internal.shape[1] - sites.first, site % sites.internal.shape[1]
            message[AMOUNT] = next_slip(rules, sites, y, x, direction > 0)[0]
            message[FIRST] = weight_of(sites, y, x) if sites.counts[y, x] == 0 else 0


@njit(cache=True, error_model="numpy")
def take(rules: Any, sites: Any, log: Any, clock: Any, target: Any, found: Any, message: Any, messages: Any,
         events: Any, recorded: Any) -> Any:
    """Do what the messages of all ranks, (ranks, MESSAGE), say, and make the next offer unless something else is needed."""
    n, fresh = np.int64(messages[:, 0].sum()), np.int64(messages[:, 1].sum())
    if n > 0:
        if messages[:, 0].max() > ROOM:
            return MORE
        k = 0
        for rank in range(messages.shape[0] if n <= found.shape[0] else 0):
            for i in range(np.int64(messages[rank, 0])):
                found[k, 0], found[k, 1] = messages[rank, SLIPS + 2 * i], messages[rank, SLIPS + 2 * i + 1]
                k += 1
        status = absorb(rules, sites, log, clock, target, found, n, fresh, events, recorded)
    else:
        best = messages[np.argmin(messages[:, GAP])]           # the first one if several: the lowest site
        if clock.active and not (rules.weakest and best[GAP] <= 0.0):
            status = absorb(rules, sites, log, clock, target, found, 0, 0, events, recorded)
            if status == GO_ON and rules.weakest:              # the offers were for both directions
                offer(rules, sites, log, clock, target, found, message)
            if status != GO_ON or rules.weakest:
                return status
        if reaches(rules, clock, target, best[GAP], best[DIRECTION]):
            site = np.int64(best[SITE])
            y, x = site // sites.internal.shape[1] - sites.first, site % sites.internal.shape[1]
            if 0 <= y < sites.internal.shape[0]:
                slip_site(rules, sites, y, x, best[DIRECTION] > 0, found, 0)
            found[0, 0], found[0, 1] = site, best[AMOUNT]
            n, fresh = np.int64(1), np.int64(best[FIRST])
        status = absorb(rules, sites, log, clock, target, found, n, fresh, events, recorded)
    if status == GO_ON:
        offer(rules, sites, log, clock, target, found, message)
    return status

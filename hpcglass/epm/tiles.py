"""Which sites are near their strength: a log of slips, and a lower bound of the strengths in each tile.

A slip changes v everywhere, yet few sites come near their strength because of it. So a slip is only written to a *log*, and
each *tile* of the lattice, a few blocks wide, remembers up to where in the log it is up to date, and a lower bound of its
smallest strength. A slip lowers the bound of a tile by at most 2ε_0 times the largest G in it, which is tabulated for relative
positions of tile and slip. Only if a bound says that a site of the tile could be unstable (or be the next one) is it looked at:
first its weakest site alone is brought up to date, and only if that does not settle it the whole tile, entry after entry. Rows
of tiles have a bound of their own, so that most are not even asked. This is exact: each v_i gets the same additions in the same
order whenever and by whichever rank they are done, so that results do not depend on that to the last bit. When the log is full,
v is computed afresh from all slips by FFT, which bounds round-off and clears what far tiles have not looked at. A slip then
costs the tiles around it and the few with a near-critical site, instead of L² or a Fourier transform.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

TILE = 8                           # edge of a tile; a constant, so that the compiler knows it
I, II, III, IV, V, VI, VII = (np.uint64(n) for n in range(1, TILE))      # noqa: E741
# unsigned: an index that needs no test for being negative
FEW = 64                           # slips: a tile that was up to date so recently will be again, and its weakest site another one
GUARD = 1e-10                      # of the largest threshold: more than round-off can do to a bound

# These kernels only use arrays that others own, so references need not be counted: an atomic operation for each array that is
# taken out of a tuple was a third of the time.
kernel = partial(njit, cache=True, error_model="numpy", _nrt=False)


class Bounds(NamedTuple):
    """What is known of the strengths of slips in one direction, (tile rows, tiles in a row) but for `least`."""

    low: NDArray[np.float64]           # lower bound in a tile, -inf if nothing is known; +inf if there are no such slips
    least: NDArray[np.float64]         # (tile rows,) lower bound in a row of tiles
    margin: NDArray[np.float64]        # by how much the strengths of all but the weakest site are above `low` at least
    weakest: NDArray[np.int64]         # y L + x within this rank, -1 if it is not known
    internal: NDArray[np.float64]      # v of the weakest site, as it was at log entry `seen`
    seen: NDArray[np.int64]


class Sites(NamedTuple):
    """What a rank holds: fields (rows, L), and what is known of each tile. `backward` is empty if there are no backward slips."""

    internal: NDArray[np.float64]      # v, as it was at log entry `done` of the tile
    slip: NDArray[np.float64]          # Σ ε_0
    forward: NDArray[np.float64]
    backward: NDArray[np.float64]
    counts: NDArray[np.int32]
    weight: NDArray[np.int64]          # of the modulus of a block, see `dynamics.weight_of`; empty if all are equal
    up: Bounds
    down: Bounds
    done: NDArray[np.int64]
    top: NDArray[np.float64]           # (1,) largest |threshold| so far
    first: int                         # first row of this rank


class Log(NamedTuple):
    """Slips that not all tiles have seen: row, L − column (where a row of the kernel begins that is centred on it), and 2ε_0."""

    row: NDArray[np.int64]
    shift: NDArray[np.int64]
    amplitude: NDArray[np.float64]


def bounds(rows: int, tiles: int, exist: bool) -> Bounds:
    """Nothing is known, or that there is nothing."""
    shape = (rows, tiles)
    low = -np.inf if exist else np.inf
    return Bounds(np.full(shape, low), np.full(rows, low), np.zeros(shape), np.full(shape, -1), np.zeros(shape),
                  np.zeros(shape, dtype=np.int64))


@kernel(forceinline=True)
def update_tile(rules: Any, sites: Any, log: Any, clock: Any, ty: Any, tx: Any) -> None:
    """Add the kernel of the slips logged since to a tile, in their order; a row of a whole tile stays in registers meanwhile."""
    v, rows, log_row, log_shift, log_amplitude, top = sites.internal, rules.rows, log.row, log.shift, log.amplitude, sites.first
    size = v.shape[1]
    first, last = sites.done[ty, tx], clock.logged
    left, right = tx * TILE, min((tx + 1) * TILE, size)
    for y in range(ty * TILE, min((ty + 1) * TILE, v.shape[0])):
        if right - left < TILE:
            for j in range(first, last):
                distance = abs(top + y - log_row[j])
                distance = min(distance, size - distance)
                for x in range(left, right):
                    v[y, x] += log_amplitude[j] * rows[distance, _column(log_shift[j] + x, size)]
            continue
        row, x = np.uint64(y), np.uint64(left)  # type: ignore[assignment]
        a, b, c, d = v[row, x], v[row, x + I], v[row, x + II], v[row, x + III]
        e, f, g, h = v[row, x + IV], v[row, x + V], v[row, x + VI], v[row, x + VII]
        for j in range(first, last):
            distance = abs(top + y - log_row[j])
            near = np.uint64(min(distance, size - distance))
            k = np.uint64(_column(log_shift[j] + left, size))
            amplitude = log_amplitude[j]
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


@kernel()
def update_all(rules: Any, sites: Any, log: Any, clock: Any) -> None:
    """Bring all tiles up to date."""
    for ty in range(sites.done.shape[0]):
        for tx in range(sites.done.shape[1]):
            update_tile(rules, sites, log, clock, ty, tx)


@kernel()
def refine(rules: Any, sites: Any, log: Any, clock: Any, bounds: Any, threshold: Any, sign: Any, unit: Any,
           ty: Any, tx: Any) -> Any:
    """Strength of the weakest site of a tile, brought up to date alone; and whether it is still the weakest one for certain."""
    rows, log_row, log_shift, log_amplitude, top = rules.rows, log.row, log.shift, log.amplitude, sites.first
    size = sites.internal.shape[1]
    site = bounds.weakest[ty, tx]
    y = site // size
    x = site - y * size
    v = bounds.internal[ty, tx]
    for j in range(bounds.seen[ty, tx], clock.logged):
        distance = abs(top + y - log_row[j])
        v += log_amplitude[j] * rows[min(distance, size - distance), _column(log_shift[j] + x, size)]
    bounds.internal[ty, tx], bounds.seen[ty, tx] = v, clock.logged
    strength = threshold[y, x] * unit + sign * v
    others = bounds.low[ty, tx] + bounds.margin[ty, tx]
    low = min(strength - GUARD * sites.top[0] * unit, others)
    bounds.low[ty, tx], bounds.margin[ty, tx] = low, others - low
    return strength, strength < others


@kernel(forceinline=True)
def look(sites: Any, bounds: Any, threshold: Any, sign: Any, unit: Any, ty: Any, tx: Any) -> Any:
    """Smallest strength in a tile that is up to date; sets its bound. `unit` is 1/μ*."""
    v = sites.internal
    left, right = tx * TILE, min((tx + 1) * TILE, v.shape[1])
    begin, end = ty * TILE, min((ty + 1) * TILE, v.shape[0])
    if right - left == TILE:
        least = _smallest(threshold, v, begin, end, left, unit, sign)
    else:
        least = np.inf
        for y in range(begin, end):
            for x in range(left, right):
                least = _lower(threshold[y, x] * unit + sign * v[y, x], least)
    bounds.low[ty, tx], bounds.weakest[ty, tx] = least - GUARD * sites.top[0] * unit, -1
    return least


@kernel(forceinline=True)
def _smallest(threshold: Any, v: Any, begin: Any, end: Any, left: Any, unit: Any, sign: Any) -> Any:
    """min(c/μ* ± v) in a tile, in eight minima that do not wait for each other."""
    a = b = c = d = e = f = g = h = np.inf
    x = np.uint64(left)
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


@kernel()
def examine(sites: Any, clock: Any, bounds: Any, threshold: Any, sign: Any, unit: Any, ty: Any, tx: Any) -> Any:
    """The same, and which site it is, the first of several, and how far the others are."""
    v = sites.internal
    size = v.shape[1]
    least = others = np.inf
    site = -1
    for y in range(ty * TILE, min((ty + 1) * TILE, v.shape[0])):
        for x in range(tx * TILE, min((tx + 1) * TILE, size)):
            strength = threshold[y, x] * unit + sign * v[y, x]
            if strength < least:
                least, others, site = strength, least, y * size + x
            else:
                others = _lower(strength, others)
    bounds.low[ty, tx], bounds.margin[ty, tx] = least - GUARD * sites.top[0] * unit, others - least
    bounds.weakest[ty, tx], bounds.seen[ty, tx] = site, clock.logged
    bounds.internal[ty, tx] = v[site // size, site % size]
    return least


@kernel(forceinline=True)
def _lower(value: Any, least: Any) -> Any:
    return value if value < least else least


@kernel(forceinline=True)
def _column(x: Any, size: Any) -> Any:
    return x - size if x >= size else x


@kernel()
def weakest_site(rules: Any, sites: Any, log: Any, clock: Any, bounds: Any, threshold: Any, sign: Any, unit: Any) -> Any:
    """Smallest strength c/μ* ± v among this rank's sites, and its site, the lowest of several; (inf, -1) if there is none."""
    best, site = np.inf, -1
    if threshold.shape[0] == 0:
        return best, site
    low, least, weakest, done = bounds.low, bounds.least, bounds.weakest, sites.done
    row = np.argmin(least)
    column = np.argmin(low[row])
    for step in range(-1, least.size):
        ty = row if step < 0 else step
        if least[ty] > best:
            continue
        for tx in range(column if step < 0 else 0, column + 1 if step < 0 else low.shape[1]):
            if low[ty, tx] > best:
                continue
            certain, strength = False, np.inf
            if weakest[ty, tx] >= 0:
                strength, certain = refine(rules, sites, log, clock, bounds, threshold, sign, unit, ty, tx)
            if not certain and low[ty, tx] <= best:
                busy = clock.logged - done[ty, tx] < FEW
                update_tile(rules, sites, log, clock, ty, tx)
                if busy and look(sites, bounds, threshold, sign, unit, ty, tx) > best:
                    continue
                strength = examine(sites, clock, bounds, threshold, sign, unit, ty, tx)
            number = sites.first * sites.internal.shape[1] + weakest[ty, tx]
            if strength < best or (strength == best and number < site):
                best, site = strength, number
    return best, site


@kernel()
def lower_bounds(rules: Any, sites: Any, row: Any, column: Any, amplitude: Any) -> None:
    """A slip lowers the strengths in each tile by at most this."""
    size = sites.internal.shape[1]
    tiles = sites.done.shape[1]
    begin = tiles - 1 - column // TILE
    rise = rules.rise if amplitude > 0.0 else rules.fall
    fall = rules.fall if amplitude > 0.0 else rules.rise
    amplitude = abs(amplitude)
    up, least_up, down, least_down = sites.up.low, sites.up.least, sites.down.low, sites.down.least
    for ty in range(sites.done.shape[0]):
        distance = sites.first + ty * TILE - row
        distance += size if distance < 0 else 0
        least_up[ty] = _lower_row(up[ty], rise[distance, begin: begin + tiles], amplitude)
        if sites.backward.shape[0]:
            least_down[ty] = _lower_row(down[ty], fall[distance, begin: begin + tiles], amplitude)


@kernel(fastmath={"nnan", "nsz"})      # minima of numbers that are never NaN: in vector registers
def _lower_row(bound: Any, change: Any, amplitude: Any) -> Any:
    least = np.inf
    for x in range(np.uint64(bound.size)):
        bound[x] -= amplitude * change[x]
        least = bound[x] if bound[x] < least else least
    return least


@kernel()
def lower_all(sites: Any, change: Any) -> None:
    """All bounds at once."""
    for bounds in (sites.up, sites.down):
        for ty in range(bounds.least.size):
            bounds.least[ty] -= change
            for tx in range(bounds.low.shape[1]):
                bounds.low[ty, tx] -= change


@kernel()
def forget(sites: Any, y: Any, x: Any) -> None:
    """Nothing is known any more of the tile of a site."""
    ty, tx = y // TILE, x // TILE
    sites.up.low[ty, tx], sites.up.least[ty], sites.up.weakest[ty, tx] = -np.inf, -np.inf, -1
    if sites.backward.shape[0]:
        sites.down.low[ty, tx], sites.down.least[ty], sites.down.weakest[ty, tx] = -np.inf, -np.inf, -1

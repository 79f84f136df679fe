"""Potentials beyond whole powers of x: powers of any kind of x or 1 - x, and splines, for compiled kernels.

On each segment phi is a sum of powers of y = sign (x - origin). With c_n = L^n phi, L = (1/x) d/dx,

    c_n = sum_{m=1..n} a_nm phi^(m) x^(m-2n) = x^(1-2n) sum_m a_nm phi^(m) (origin + sign y)^(m-1),      c_0 = phi,

whatever multiplies x^(1-2n) is again a sum of powers of y. Those that differ by whole numbers are kept together as y^lead times a
polynomial in y, and lead is split into a whole number and the rest: a square root for half-integer powers, as in Hertz's law, a
general power only where it must be. A few segments are evaluated for all pairs of a chunk, in SIMD registers; of a spline, which
has hundreds, the one that holds a pair is searched for. Whole powers of x alone have faster loops in `pairs`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core.series import KEEP_NAN, polynomial, times_power
from hpcglass.potentials.model import HIGHEST, PairPotential, Segment

Floats = NDArray[np.float64]
FEW = 4          # segments up to which all are evaluated
BESSEL = ((), (1,), (-1, 1), (3, -3, 1), (-15, 15, -6, 1))      # a_nm, m = 1..n


class Pieces(NamedTuple):
    """Numbers of a potential of G segments; M classes of powers, K terms in each.

    edges : (G,) upper ends in x^2
    origin, sign : (G,)
    whole, rest : (5, G, M) whole number and remainder in [0, 1) of the lowest power of each class, for c_0 .. c_4
    terms : (5, G, M) number of coefficients
    coefficient : (5, G, M, K) polynomials in y, lowest power first
    """

    edges: Floats
    origin: Floats
    sign: Floats
    whole: NDArray[np.int64]
    rest: Floats
    terms: NDArray[np.int64]
    coefficient: Floats


def pieces(potential: PairPotential) -> Pieces | None:
    """Translate a potential; None if it has whole powers of x only."""
    if potential.plain:
        return None
    segments = potential.segments
    classes = [[_classes(_series(segment, order)) for segment in segments] for order in range(HIGHEST + 1)]
    most = max((len(found) for row in classes for found in row), default=1)
    longest = max((len(values) for row in classes for found in row for _, _, values in found), default=1)
    shape = (HIGHEST + 1, len(segments), most)
    whole, rest, terms = np.zeros(shape, np.int64), np.zeros(shape), np.ones(shape, np.int64)
    coefficient = np.zeros((*shape, longest))
    for order, row in enumerate(classes):
        for g, found in enumerate(row):
            for m, (power, fraction, values) in enumerate(found):
                whole[order, g, m], rest[order, g, m], terms[order, g, m] = power, fraction, len(values)
                coefficient[order, g, m, : len(values)] = values
    return Pieces(np.array([s.upto**2 for s in segments]), np.array([s.origin for s in segments], dtype=np.float64),
                  np.array([s.sign for s in segments], dtype=np.float64), whole, rest, terms, coefficient)


def _series(segment: Segment, order: int) -> dict[float, float]:
    """Power of y -> coefficient of c_order x^(2 order - 1), or of phi."""
    result: dict[float, float] = {}
    for power, value in zip(segment.powers, segment.coefficients, strict=True):
        if not order:
            result[power] = result.get(power, 0.0) + value
            continue
        for m, factor in enumerate(BESSEL[order], 1):
            slope = value * factor * segment.sign**m
            for n in range(m):
                slope *= power - n
            for k in range(m):          # (origin + sign y)^(m-1)
                part = slope * math.comb(m - 1, k) * segment.sign**k * segment.origin ** (m - 1 - k)
                if part:
                    result[power - m + k] = result.get(power - m + k, 0.0) + part
    return {power: value for power, value in result.items() if value}


def _classes(series: dict[float, float]) -> list[tuple[int, float, list[float]]]:
    """(whole, rest, coefficients) of the powers that differ by whole numbers."""
    rests: dict[float, tuple[float, dict[int, float]]] = {}
    for power, value in series.items():
        rest = power % 1.0
        if min(rest, 1.0 - rest) < 1e-9:
            rest = 0.0
        rest, found = rests.setdefault(round(rest, 9), (rest, {}))
        whole = round(power - rest)
        found[whole] = found.get(whole, 0.0) + value
    return [(min(found), rest, [found.get(k, 0.0) for k in range(min(found), max(found) + 1)]) for rest, found in rests.values()]


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def piece_scalars(table, order, n, x2, work, out):
    """out[:n] = lambda^2n c_n / eps for the pairs of a chunk, zero beyond the cut-off. False, nothing done, if `table` is None.

    work : (2, >= n) buffers
    """
    if table is None:
        return False
    else:
        if table.edges.size > FEW:
            for k in range(n):
                out[k] = piece_scalar(table, order, x2[k])
        else:
            _few(table, order, n, x2, work, out)
        return True


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _few(table, order, n, x2, work, out):
    """All segments for all pairs, each where it holds."""
    y, part = work[0], work[1]
    for g in range(table.edges.size):
        origin, sign = table.origin[g], table.sign[g]
        _variable(origin, sign, n, x2, y)
        low = table.edges[g - 1] if g else -1.0
        for m in range(table.terms.shape[2]):
            polynomial(table.coefficient[order, g, m], table.terms[order, g, m], y, n, part)
            _times_rest(part, y, table.rest[order, g, m], n)
            if order:
                _times_distance(part, y, origin, sign, order, n)
            if m == 0:
                times_power(part, y, table.whole[order, g, m], x2, low, table.edges[g], n, out)
            else:
                more = np.zeros(n)
                times_power(part, y, table.whole[order, g, m], x2, low, table.edges[g], n, more)
                for k in range(n):
                    out[k] += more[k]


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _variable(origin, sign, n, x2, y):
    """y of each pair, by a difference of squares, so that a small overlap is as exact as x2."""
    if origin == 0.0:
        for k in range(n):
            y[k] = np.sqrt(x2[k])
    else:
        for k in range(n):
            y[k] = sign * (x2[k] - origin * origin) / (np.sqrt(x2[k]) + origin)


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _times_rest(value, y, rest, n):
    """value *= y^rest."""
    if rest == 0.5:
        for k in range(n):
            value[k] *= np.sqrt(y[k])
    elif rest != 0.0:
        for k in range(n):
            value[k] *= y[k] ** rest


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _times_distance(value, y, origin, sign, order, n):
    """value *= x^(1 - 2 order)."""
    one, two = order == 2 or order == 4, order > 2
    for k in range(n):
        b = 1.0 / (origin + sign * y[k])
        b2 = b * b
        value[k] *= b * (b2 if one else 1.0) * (b2 * b2 if two else 1.0)


@numba.njit(forceinline=True, fastmath=KEEP_NAN, error_model="numpy")
def piece_scalar(table, order, x2):
    """lambda^2n c_n / eps of one pair at the squared reduced distance x2; zero beyond the cut-off."""
    edges = table.edges
    if not x2 < edges[edges.size - 1]:
        return 0.0
    low, left = np.uint64(0), np.uint64(edges.size)
    while left > np.uint64(1):              # always as many steps, without a branch to guess
        half = left // np.uint64(2)
        low += half if x2 >= edges[low + half - np.uint64(1)] else np.uint64(0)
        left -= half
    x, origin = np.sqrt(x2), table.origin[low]
    # a difference of squares, so that a small overlap is as exact as x2
    y = table.sign[low] * (x2 - origin * origin) / (x + origin) if origin != 0.0 else x
    value = 0.0
    for m in range(table.terms.shape[2]):
        last = table.terms[order, low, m] - 1
        part = table.coefficient[order, low, m, last]
        for k in range(last):
            part = part * y + table.coefficient[order, low, m, last - 1 - k]
        rest, whole = table.rest[order, low, m], table.whole[order, low, m]
        if rest == 0.5:
            part *= np.sqrt(y)
        elif rest != 0.0:
            part *= y**rest
        factor = y if whole > 0 else 1.0 / y
        for _ in range(abs(whole)):
            part *= factor
        value += part
    if order > 0:
        factor = 1.0 / x
        value *= factor
        for _ in range(order - 1):
            value *= factor * factor
    return value

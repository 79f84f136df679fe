"""Indefinite factors on a skyline, and their inertia.

L D L^T without pivoting of the matrices of `cavity.skyline` (rows that begin late, d x d blocks, no fill outside), which one that
is not positive definite has as well, unless a leading minor vanishes. By Sylvester's law it has as many negative eigenvalues as D
has negative entries: none at a stable minimum, one at a saddle. While a row is worked on it holds L D; finished ones hold L.
"""

from __future__ import annotations

import numba
import numpy as np

from hpcglass.cavity.skyline import FAST


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def factorise(n, d, first, offset, matrix, inverse, most):
    """L D L^T in place of a matrix of n block rows; inverse[r] = 1/D_r.

    Returns the number of negative pivots; most + 1 as soon as there are more than `most`, or one is zero or not a number.
    """
    negative = 0
    if d == 2:
        for i in range(n):
            negative += _rows_2(i, first, offset, matrix, inverse)
            if negative > most:
                return most + 1
        return negative
    for i in range(n):
        begin = d * first[i]
        for a in range(d):
            row, p = d * i + a, offset[d * i + a]
            for c in range(begin, row):
                low = max(begin, d * first[c // d])
                count, of_row, of_column = np.uint64(c - low), np.uint64(p + low), np.uint64(offset[c] + low)
                total = 0.0
                for k in range(count):
                    total += matrix[of_row + k] * matrix[of_column + k]
                matrix[p + c] -= total
            pivot = matrix[p + row]
            for c in range(begin, row):
                value = matrix[p + c] * inverse[c]
                pivot -= matrix[p + c] * value
                matrix[p + c] = value
            negative += _pivot(pivot, row, inverse, most)
            if negative > most:
                return most + 1
    return negative


@numba.njit(cache=True, inline="always")
def _pivot(pivot, row, inverse, bad):
    """Keep 1/D: 0 if it is positive, 1 if negative, more than `bad` if it has no sign."""
    inverse[row] = 1.0 / pivot
    if pivot > 0.0:
        return 0
    return 1 if pivot < 0.0 else bad + 1


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _rows_2(i, first, offset, matrix, inverse):
    """The two rows of one block; the number of negative pivots."""
    begin = 2 * first[i]
    p, q = offset[2 * i], offset[2 * i + 1]
    for j in range(first[i], i):
        low, high = max(begin, 2 * first[j]), 2 * j
        r, s = offset[2 * j], offset[2 * j + 1]
        count = np.uint64(high - low)
        pa, qa, ra, sa = np.uint64(p + low), np.uint64(q + low), np.uint64(r + low), np.uint64(s + low)
        s00 = s01 = s10 = s11 = 0.0
        for k in range(count):
            a0, a1, b0, b1 = matrix[pa + k], matrix[qa + k], matrix[ra + k], matrix[sa + k]
            s00 += a0 * b0
            s01 += a0 * b1
            s10 += a1 * b0
            s11 += a1 * b1
        below = matrix[s + high]
        y0, y1 = matrix[p + high] - s00, matrix[q + high] - s10
        matrix[p + high], matrix[q + high] = y0, y1
        matrix[p + high + 1] -= s01 + y0 * below
        matrix[q + high + 1] -= s11 + y1 * below
    high = 2 * i
    count = np.uint64(high - begin)
    pa, qa, at = np.uint64(p + begin), np.uint64(q + begin), np.uint64(begin)
    s00 = s10 = s11 = 0.0
    for k in range(count):
        a0, a1, factor = matrix[pa + k], matrix[qa + k], inverse[at + k]
        l0, l1 = a0 * factor, a1 * factor
        s00 += a0 * l0
        s10 += a1 * l0
        s11 += a1 * l1
        matrix[pa + k], matrix[qa + k] = l0, l1
    negative = _pivot(matrix[p + high] - s00, high, inverse, 1 << 30)
    left = matrix[q + high] - s10
    below = left * inverse[high]
    matrix[q + high] = below
    return negative + _pivot(matrix[q + high + 1] - s11 - left * below, high + 1, inverse, 1 << 30)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def solve(n, d, first, offset, matrix, inverse, x):
    """x = A^-1 x from the factors, in place; x is flat, n d long."""
    for row in range(n * d):
        begin = d * first[row // d]
        p, count = np.uint64(offset[row] + begin), np.uint64(row - begin)
        at, total = np.uint64(begin), x[row]
        for k in range(count):
            total -= matrix[p + k] * x[at + k]
        x[row] = total
    for row in range(n * d):
        x[row] *= inverse[row]
    for row in range(n * d - 1, -1, -1):
        begin = d * first[row // d]
        p, count = np.uint64(offset[row] + begin), np.uint64(row - begin)
        at, value = np.uint64(begin), x[row]
        for k in range(count):
            x[at + k] -= matrix[p + k] * value

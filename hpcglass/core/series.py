"""Polynomials and whole powers over a chunk of numbers, in loops that run in SIMD registers."""

from __future__ import annotations

import numba
import numpy as np

KEEP_NAN = {"reassoc", "contract", "arcp", "nsz"}     # fast arithmetic under which NaN still shows


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def polynomial(coefficient, terms, s, n, out):
    """out = sum_m coefficient[m] s^m by Horner's rule, three terms a pass."""
    m = np.uint64(terms - 1)        # unsigned, as below: a signed index could be negative, and every access would ask
    head, one, two, three, n = m % np.uint64(3), np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(n)
    last = coefficient[m]
    if head == 0:
        for k in range(n):
            out[k] = last
    elif head == 1:
        first = coefficient[m - one]
        for k in range(n):
            out[k] = last * s[k] + first
    else:
        first, second = coefficient[m - one], coefficient[m - two]
        for k in range(n):
            out[k] = (last * s[k] + first) * s[k] + second
    m -= head
    while m > 0:
        first, second, third = coefficient[m - one], coefficient[m - two], coefficient[m - three]
        for k in range(n):
            out[k] = ((out[k] * s[k] + first) * s[k] + second) * s[k] + third
        m -= three


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def times_power(value, s, power, x2, low, high, n, out):
    """out = value * s^power where low <= x2 < high, 0 beyond; what is below stays. Binary digits of the power as blends."""
    count, n = abs(power), np.uint64(n)
    while count > 15:      # sixteen at a time, for steep potentials
        for k in range(n):
            b = 1.0 / s[k] if power < 0 else s[k]
            b *= b
            b *= b
            b *= b
            value[k] *= b * b
        count -= 16
    one, two, four, eight = count & 1 != 0, count & 2 != 0, count & 4 != 0, count & 8 != 0
    if power < 0:
        for k in range(n):
            b = 1.0 / s[k]
            b2 = b * b
            b4 = b2 * b2
            b8 = b4 * b4
            product = value[k] * ((b if one else 1.0) * (b2 if two else 1.0)) * ((b4 if four else 1.0) * (b8 if eight else 1.0))
            out[k] = (product if x2[k] >= low else out[k]) if x2[k] < high else 0.0
    else:
        for k in range(n):
            b = s[k]
            b2 = b * b
            b4 = b2 * b2
            b8 = b4 * b4
            product = value[k] * ((b if one else 1.0) * (b2 if two else 1.0)) * ((b4 if four else 1.0) * (b8 if eight else 1.0))
            out[k] = (product if x2[k] >= low else out[k]) if x2[k] < high else 0.0

"""Polynomials and whole powers over a chunk of numbers, in loops that run in SIMD registers."""

from __future__ import annotations

import numba

KEEP_NAN = {"reassoc", "contract", "arcp", "nsz"}     # fast arithmetic under which NaN still shows


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def polynomial(coefficient, terms, s, n, out):
    """out = sum_m coefficient[m] s^m by Horner's rule, three terms a pass."""
    m = terms - 1
    last = coefficient[m]
    for k in range(n):
        out[k] = last
    while m >= 3:
        first, second, third = coefficient[m - 1], coefficient[m - 2], coefficient[m - 3]
        for k in range(n):
            out[k] = ((out[k] * s[k] + first) * s[k] + second) * s[k] + third
        m -= 3
    while m > 0:
        first = coefficient[m - 1]
        for k in range(n):
            out[k] = out[k] * s[k] + first
        m -= 1


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def times_power(value, s, power, x2, low, high, n, out):
    """out = value * s^power where low <= x2 < high (everywhere when low < 0): binary digits of the power as blends."""
    count = abs(power)
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
            out[k] = product if x2[k] >= low else out[k]
    else:
        for k in range(n):
            b = s[k]
            b2 = b * b
            b4 = b2 * b2
            b8 = b4 * b4
            product = value[k] * ((b if one else 1.0) * (b2 if two else 1.0)) * ((b4 if four else 1.0) * (b8 if eight else 1.0))
            out[k] = product if x2[k] >= low else out[k]

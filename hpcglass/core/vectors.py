"""Sweeps over rows of vectors that minimisers and dynamics make after each force evaluation, without temporaries.

Where rows do not matter the arrays, which are contiguous, are taken as flat ones: loops of two or three turns do not run in SIMD
registers.
"""

from __future__ import annotations

import numba


@numba.njit(cache=True, error_model="numpy")
def largest_square(values):
    """max_i |v_i|^2; NaN if any is NaN."""
    worst = 0.0
    for i in range(values.shape[0]):
        square = 0.0
        for c in range(values.shape[1]):
            square += values[i, c] * values[i, c]
        if not square <= worst:
            worst = square
            if square != square:
                return square
    return worst


@numba.njit(cache=True, error_model="numpy")
def assign(target, source):
    """target = source in the rows and columns of `source`. For slices of arrays the compiler also makes what their errors say."""
    for i in range(source.shape[0]):
        for c in range(source.shape[1]):
            target[i, c] = source[i, c]


@numba.njit(cache=True, error_model="numpy")
def assign_rows(target, source):
    """target[:n] = source, n the rows of `source`; of as many columns, or vectors."""
    x, v = target.reshape(-1), source.reshape(-1)
    for k in range(v.size):
        x[k] = v[k]


@numba.njit(cache=True, error_model="numpy")
def add_scaled(target, factor, values):
    """target[:n] += factor * values, n the rows of `values`."""
    x, v = target.reshape(-1), values.reshape(-1)
    for k in range(v.size):
        x[k] += factor * v[k]


@numba.njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})
def dots(a, b):
    """(a.a, a.b, b.b)"""
    x, y = a.reshape(-1), b.reshape(-1)
    xx = xy = yy = 0.0
    for k in range(x.size):
        xx += x[k] * x[k]
        xy += x[k] * y[k]
        yy += y[k] * y[k]
    return xx, xy, yy


@numba.njit(cache=True)
def farthest(displacement, reference, n, strain):
    """max |u_i - strain X_i|^2 over the first n rows; NaN if any is NaN."""
    dimension = displacement.shape[1]
    affine = strain.any()
    worst = 0.0
    for i in range(n):
        square = 0.0
        for a in range(dimension):
            w = displacement[i, a]
            if affine:
                for b in range(dimension):
                    w -= strain[a, b] * reference[i, b]
            square += w * w
        if not square <= worst:
            worst = square
            if square != square:
                return square
    return worst

"""Block matrices on the pattern of a pair list: where each block stands in scalar compressed rows, and its values.

Counters are unsigned where they index: a signed one could be negative, and every access would ask.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core.pairs import C1, C2, CHUNK, KEEP_NAN
from hpcglass.landscape.forces import gather, scalars


@numba.njit(cache=True)
def block_pattern(start, index, row, n_owned, dimension):
    """Block rows of owned particles.

    row : (n_all,) block column of each particle

    Returns
    -------
    first : (n_owned + 1,) first block of each row
    columns : block columns in ascending order
    places, mirrors : (pairs,) scalar entry where the block of a pair begins in its first and in its second particle's row (or -1)
    diagonals : (n_owned,) the same of diagonal blocks
    widths : (n_owned,) scalar entries of each row of scalars
    """
    count = np.ones(n_owned, dtype=np.int64)
    for i in range(n_owned):
        count[i] += start[i + 1] - start[i]
        for p in range(start[i], start[i + 1]):
            if index[p] < n_owned:
                count[index[p]] += 1
    begin = np.zeros(n_owned + 1, dtype=np.int64)
    for i in range(n_owned):
        begin[i + 1] = begin[i] + count[i]
    raw = np.empty(begin[n_owned], dtype=np.int64)
    fill = begin[:-1].copy()
    for i in range(n_owned):
        raw[fill[i]] = row[i]
        fill[i] += 1
        for p in range(start[i], start[i + 1]):
            j = index[p]
            raw[fill[i]] = row[j]
            fill[i] += 1
            if j < n_owned:
                raw[fill[j]] = row[i]
                fill[j] += 1
    first = np.zeros(n_owned + 1, dtype=np.int64)
    columns = np.empty_like(raw)
    kept = 0
    for i in range(n_owned):
        part = np.sort(raw[begin[i]:begin[i + 1]])
        for k in range(part.size):
            if k == 0 or part[k] != part[k - 1]:
                columns[kept] = part[k]
                kept += 1
        first[i + 1] = kept
    columns = columns[:kept].copy()
    places, mirrors = np.empty(index.size, dtype=np.int64), np.full(index.size, -1, dtype=np.int64)
    diagonals = np.empty(n_owned, dtype=np.int64)
    widths = dimension * (first[1:] - first[:-1])
    for i in range(n_owned):
        base = dimension * dimension * first[i]
        own = columns[first[i]:first[i + 1]]
        diagonals[i] = base + dimension * np.searchsorted(own, row[i])
        for p in range(start[i], start[i + 1]):
            j = index[p]
            places[p] = base + dimension * np.searchsorted(own, row[j])
            if j < n_owned:
                other = columns[first[j]:first[j + 1]]
                mirrors[p] = dimension * dimension * first[j] + dimension * np.searchsorted(other, row[i])
    return first, columns, places, mirrors, diagonals, widths


@numba.njit(cache=True)
def expanded(first, columns, dimension):
    """Scalar compressed rows (pointer, index) of a block pattern."""
    n = first.size - 1
    pointer = np.zeros(n * dimension + 1, dtype=np.int64)
    index = np.empty(columns.size * dimension * dimension, dtype=np.int64)
    at = 0
    for i in range(n):
        for a in range(dimension):
            for k in range(first[i], first[i + 1]):
                for b in range(dimension):
                    index[at] = columns[k] * dimension + b
                    at += 1
            pointer[i * dimension + a + 1] = at
    return pointer, index


def block_places(start: NDArray[np.int64], dimension: int) -> NDArray[np.int64]:
    """(b, d, d) where the entries of each block stand among those of scalar compressed rows."""
    count = np.diff(start)
    row, axis = np.repeat(np.arange(len(count)), count), np.arange(dimension)
    first = dimension**2 * start[row] + dimension * (np.arange(start[-1]) - start[row])
    return first[:, None, None] + dimension * count[row, None, None] * axis[:, None] + axis


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def fill(reference, displacement, start, owner, index, inverse_length2, scale, table, places, mirrors, diagonals, widths, bonds,
         values):
    """Add c_2 x x^T + c_1 1 (or n n^T if `bonds`) of each interacting pair: minus it off the diagonal, plus it on it."""
    cutoff2 = table.edges[table.edges.size - 1]
    dimension, n_owned = reference.shape[1], start.size - 1
    vector = np.empty((dimension, CHUNK))
    x2, c1, c2, work = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK), np.empty((2, CHUNK))
    diagonal = np.zeros((n_owned, 6))
    row = np.int64(0)
    total = start[n_owned]
    for first in range(0, total, CHUNK):
        n = min(CHUNK, total - first)
        next_row = gather(reference, displacement, start, owner, index, inverse_length2, row, first, n, vector, x2)
        if bonds:
            for k in range(n):
                c1[k], c2[k] = 0.0, inverse_length2[first + k] / x2[k]
        else:
            scalars(C1, first, n, inverse_length2, scale, table, x2, work, c1)
            scalars(C2, first, n, inverse_length2, scale, table, x2, work, c2)
        if dimension == 2:
            _fill_flat(start, index, row, first, n, vector, x2, cutoff2, c1, c2, places, mirrors, widths, diagonal, values)
        else:
            _fill_solid(start, index, row, first, n, vector, x2, cutoff2, c1, c2, places, mirrors, widths, diagonal, values)
        row = next_row
    for i in range(n_owned):
        at, w = diagonals[i], widths[i]
        if dimension == 2:
            values[at] += diagonal[i, 0]
            values[at + 1] += diagonal[i, 1]
            values[at + w] += diagonal[i, 1]
            values[at + w + 1] += diagonal[i, 2]
        else:
            xx, xy, xz, yy, yz, zz = diagonal[i]
            values[at] += xx
            values[at + 1] += xy
            values[at + 2] += xz
            values[at + w] += xy
            values[at + w + 1] += yy
            values[at + w + 2] += yz
            values[at + 2 * w] += xz
            values[at + 2 * w + 1] += yz
            values[at + 2 * w + 2] += zz


@numba.njit(cache=True, inline="always")
def _take_flat(values, at, width, xx, xy, yy):
    one = np.uint64(1)
    values[at] -= xx
    values[at + one] -= xy
    values[at + width] -= xy
    values[at + width + one] -= yy


@numba.njit(cache=True, inline="always")
def _take_solid(values, at, width, xx, xy, xz, yy, yz, zz):
    one, two = np.uint64(1), np.uint64(2)
    values[at] -= xx
    values[at + one] -= xy
    values[at + two] -= xz
    values[at + width] -= xy
    values[at + width + one] -= yy
    values[at + width + two] -= yz
    values[at + two * width] -= xz
    values[at + two * width + one] -= yz
    values[at + two * width + two] -= zz


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _fill_flat(start, index, row, first, n, vector, x2, cutoff2, c1, c2, places, mirrors, widths, diagonal, values):
    i, begin, one = np.uint64(row), np.uint64(first), np.uint64(1)
    p, last = begin, begin + np.uint64(n)
    while p < last:
        while np.uint64(start[i + one]) <= p:
            i += one
        stop, width = min(np.uint64(start[i + one]), last), np.uint64(widths[i])
        sum_xx = sum_xy = sum_yy = 0.0
        while p < stop:
            k = p - begin
            if x2[k] < cutoff2:
                x, y = vector[0, k], vector[1, k]
                xx, xy, yy = c1[k] + c2[k] * x * x, c2[k] * x * y, c1[k] + c2[k] * y * y
                sum_xx += xx
                sum_xy += xy
                sum_yy += yy
                _take_flat(values, np.uint64(places[p]), width, xx, xy, yy)
                if mirrors[p] >= 0:
                    j = np.uint64(index[p])
                    _take_flat(values, np.uint64(mirrors[p]), np.uint64(widths[j]), xx, xy, yy)
                    diagonal[j, 0] += xx
                    diagonal[j, 1] += xy
                    diagonal[j, 2] += yy
            p += one
        diagonal[i, 0] += sum_xx
        diagonal[i, 1] += sum_xy
        diagonal[i, 2] += sum_yy


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _fill_solid(start, index, row, first, n, vector, x2, cutoff2, c1, c2, places, mirrors, widths, diagonal, values):
    i, begin, one = np.uint64(row), np.uint64(first), np.uint64(1)
    p, last = begin, begin + np.uint64(n)
    while p < last:
        while np.uint64(start[i + one]) <= p:
            i += one
        stop, width = min(np.uint64(start[i + one]), last), np.uint64(widths[i])
        sum_xx = sum_xy = sum_xz = sum_yy = sum_yz = sum_zz = 0.0
        while p < stop:
            k = p - begin
            if x2[k] < cutoff2:
                u, v = c1[k], c2[k]
                x, y, z = vector[0, k], vector[1, k], vector[2, k]
                xx, xy, xz = u + v * x * x, v * x * y, v * x * z
                yy, yz, zz = u + v * y * y, v * y * z, u + v * z * z
                sum_xx += xx
                sum_xy += xy
                sum_xz += xz
                sum_yy += yy
                sum_yz += yz
                sum_zz += zz
                _take_solid(values, np.uint64(places[p]), width, xx, xy, xz, yy, yz, zz)
                if mirrors[p] >= 0:
                    j = np.uint64(index[p])
                    _take_solid(values, np.uint64(mirrors[p]), np.uint64(widths[j]), xx, xy, xz, yy, yz, zz)
                    diagonal[j, 0] += xx
                    diagonal[j, 1] += xy
                    diagonal[j, 2] += xz
                    diagonal[j, 3] += yy
                    diagonal[j, 4] += yz
                    diagonal[j, 5] += zz
            p += one
        diagonal[i, 0] += sum_xx
        diagonal[i, 1] += sum_xy
        diagonal[i, 2] += sum_xz
        diagonal[i, 3] += sum_yy
        diagonal[i, 4] += sum_yz
        diagonal[i, 5] += sum_zz

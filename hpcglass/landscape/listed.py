"""The pairs that interact, out of a list that has others too, with their pair scalars: for loops that come back often."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core.pairs import CHUNK, KEEP_NAN
from hpcglass.core.system import System
from hpcglass.landscape.forces import gather, pair_lists, scalars

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def interacting_pairs(system: System, lowest: int, highest: int) -> tuple[Integers, Integers, Floats, Floats]:
    """Pairs within their cut-off, each as often as it is listed. Not collective.

    Returns
    -------
    first, second : (b,) rows of the system, the first one owned
    vector : (b, d) x_j - x_i [length]
    c : (highest - lowest + 1, b) pair scalars c_n, n = lowest ... highest, see `core.pairs`
    """
    found: tuple[Integers, Integers, Floats, Floats] = _list(*pair_lists(system), lowest, highest)
    return found


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _list(reference, displacement, start, owner, index, inverse_length2, scale, table, lowest, highest):
    dimension, total, count = reference.shape[1], start[start.size - 1], highest - lowest + 1
    x = np.empty((dimension, CHUNK))
    x2, work, value = np.empty(CHUNK), np.empty((2, CHUNK)), np.empty((count, CHUNK))
    first, second = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int64)
    vector, c = np.empty((total, dimension)), np.empty((count, total))
    cutoff2 = table.edges[table.edges.size - 1]
    row = kept = 0
    for begin in range(0, total, CHUNK):
        size = min(CHUNK, total - begin)
        next_row = gather(reference, displacement, start, owner, index, inverse_length2, row, begin, size, x, x2)
        for n in range(count):
            scalars(lowest + n, begin, size, inverse_length2, scale, table, x2, work, value[n])
        for k in range(size):
            while start[row + 1] <= begin + k:
                row += 1
            if x2[k] >= cutoff2:
                continue
            first[kept], second[kept] = row, index[begin + k]
            for a in range(dimension):
                vector[kept, a] = x[a, k]
            for n in range(count):
                c[n, kept] = value[n, k]
            kept += 1
        row = next_row
    return first[:kept].copy(), second[:kept].copy(), vector[:kept].copy(), c[:, :kept].copy()

"""Profiles of fields across a cell: means in slabs of equal thickness, parallel to one of its faces.

Sums are made in blocks of rows that depend on the number of particles only, and added up in their order: whoever sums which
blocks, the result has the same bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpcglass.geometries.periodic import heights
from hpcglass.numbers.bands import slabs

Floats = NDArray[np.float64]
SMALLEST, MOST = 1 << 12, 1 << 8        # rows of a block, and blocks of a frame at most
SPACINGS = 5.0                          # thickness of a slab, unless said otherwise


def block_rows(particles: int) -> int:
    """Rows of a block: a power of two."""
    rows = SMALLEST
    while rows * MOST < particles:
        rows *= 2
    return rows


def usual(box: Floats, axis: int, particles: int) -> int:
    """Number of slabs that are about five mean spacings (V/N)^(1/d) thick."""
    spacing = (abs(float(np.linalg.det(box))) / particles) ** (1.0 / len(box))
    return max(1, round(float(heights(box)[axis]) / (SPACINGS * spacing)))


def sums(position: Floats, values: Floats, box: Floats, axis: int, count: int, block: int) -> Floats:
    """Numbers of particles, and sums of values and of their squares, in the slabs of each block of rows.

    Parameters
    ----------
    position : (n, d), rows of a frame from the beginning of a block on; anywhere, the cell is periodic [length]
    values : (n,) or (n, k)
    box : (d, d), columns are the edge vectors
    axis : slabs are cut along this edge, from face to face
    count : of slabs
    block : rows

    Returns
    -------
    (blocks, k + 2, count)
        1, the k values, and the sum of their squares.
    """
    along = np.linalg.inv(box)[axis]
    columns = np.reshape(values, (len(values), -1))
    found = []
    for first in range(0, len(position), block):
        some = slice(first, first + block)
        fraction = position[some] @ along
        own = columns[some].astype(np.float64)
        weights = [*own.T, np.einsum("nk,nk->n", own, own)]
        summed = [slabs(fraction, weight, count) for weight in weights]
        found.append([summed[0][0], *(rows[1] for rows in summed)])
    return np.array(found).reshape(len(found), columns.shape[1] + 2, count)

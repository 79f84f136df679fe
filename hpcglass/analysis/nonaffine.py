"""Non-affine motion between two stored configurations of any size: in little memory, a part at a time.

    u_i = x_i - F x0_i,   F = h h0^-1,

is what a particle moves besides the cell, and D^2_min what its neighbours do besides the best affine map of their own (of frames
in Python: `structure.nonaffine`).

    D^2_min(i) = min over F of  sum_j |x_ij - F x0_ij|^2  =  sum_j |x_ij|^2 - tr(A B^-1 A^T),
    A = sum_j x_ij x0_ij^T,   B = sum_j x0_ij x0_ij^T        (Falk and Langer, Phys. Rev. E 57, 7192 (1998), eq. 2.11)

over the neighbours j that interact with i now, r_ij < x_c lambda_ij; x0_ij is the vector of the same pair before. [length^2]

A k-d tree of all particles, and of their images behind the faces of the cell as far as the interaction reaches, is asked for the
neighbours of some thousands of rows at a time: besides the arguments, memory is that of two or three copies of the positions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.geometries.periodic import heights
from hpcglass.numbers.nonaffine import d2min_of_sums
from hpcglass.potentials.model import Model

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
PAIRS = 1 << 15     # pairs that are looked at together, about
ROWS = 1 << 14      # rows that are moved at the same time
LEAF = 32           # particles in a leaf of the tree: fewer nodes
FEW = 50            # periods whose differences fit into eight bits


def d2min(before: Floats, now: Floats, box_before: Floats, box: Floats, model: Model, diameter: Floats,
          species: NDArray[np.int32], rows: tuple[int, int] | None = None) -> Floats:
    """D^2_min of each particle between an earlier configuration and now.

    Parameters
    ----------
    before, now : (N, d)
        Unwrapped positions, rows in the same order [length]; those of a particle may be taken back by the same periods.
    box_before, box : (d, d)
        Their cells, columns are the edge vectors, those before that became those now (`same_edges`).
    model : says who interacts
    diameter, species : (N,)
        Now.
    rows : (first, past the last) particle that is asked for; default: all.

    Returns
    -------
    (n,) [length^2]
        Particles with too few neighbours for a map (fewer than d independent ones) get 0: any motion of theirs is affine.
    """
    from scipy.spatial import cKDTree

    first, last = rows or (0, len(now))
    d = len(box)
    cutoff = model.potential.cutoff
    reach = cutoff * _longest(model, diameter)
    place, index, shift = _with_images(now, box, reach)
    tree = cKDTree(place, leafsize=LEAF, balanced_tree=False, compact_nodes=False)
    result = np.empty(last - first)
    density = len(now) / abs(float(np.linalg.det(box)))
    step = max(1, int(PAIRS / (1 + density * (2.1 * reach if d == 2 else 1.7 * reach) ** d)))
    for low in range(0, len(place), step):
        rows_here = tree.indices[low: low + step]       # neighbours come after each other
        rows_here = rows_here[(rows_here >= first) & (rows_here < last)]
        if not len(rows_here):
            continue
        near = cKDTree(place[rows_here]).sparse_distance_matrix(tree, reach, output_type="ndarray")
        i, j = near["i"], near["j"]
        keep = near["v"] < cutoff * _length(model, diameter, species, rows_here[i], index[j])
        i, j = i[keep], j[keep]
        order = np.argsort(i * len(place) + j)      # the same sums whatever rows are asked for together
        i, j = i[order], j[order]
        row, other = rows_here[i], index[j]
        x = place[j] - place[row]
        x0 = before[other] - before[row] + (shift[j] - shift[row]) @ box_before.T
        result[rows_here - first] = _residual(x, x0, i, len(rows_here))
    return result


def displacement(before: Floats, now: Floats, box_before: Floats, box: Floats) -> Floats:
    """(n, d) non-affine displacement u = x - F x0, F = h h0^-1, of particles between an earlier configuration and now [length].

    Arguments as of `d2min`; of any particles.
    """
    return np.asarray(now - before @ (box @ np.linalg.inv(box_before)).T)


def unwrapped_like(before: Floats, now: Floats, box_before: Floats, box: Floats) -> Floats:
    """(N, d) positions of an earlier frame that has no images, each in the period where the particle moved least."""
    moved = now @ np.linalg.inv(box).T - before @ np.linalg.inv(box_before).T
    return np.asarray(before + np.rint(moved) @ box_before.T)


def _longest(model: Model, diameter: Floats) -> float:
    """Upper bound of lambda_ij."""
    length = model.mixing.length
    return float(diameter.max()) if length is None else max(map(max, length))


def _length(model: Model, diameter: Floats, species: NDArray[np.int32], i: Ints, j: Ints) -> Floats:
    """(n,) lambda_ij of pairs."""
    if model.mixing.length is not None:
        return np.array(model.mixing.length)[species[i], species[j]]
    a, b = diameter[i], diameter[j]
    return np.asarray(0.5 * (a + b) * (1.0 - model.mixing.nonadditivity * np.abs(a - b)))


def _with_images(now: Floats, box: Floats, reach: float) -> tuple[Floats, Ints, NDArray[Any]]:
    """Positions in the cell, and images of them within `reach` of its faces; of each row its particle, and the periods (m, d) by
    which that is moved. The particles come first, in their order.
    """
    d, inverse = len(box), np.linalg.inv(box).T
    farthest = max(now.max(initial=0.0), -now.min(initial=0.0)) * np.abs(inverse).sum(axis=0).max()
    fraction: Any = np.empty(now.shape)
    shift: Any = np.empty(now.shape, dtype=np.int8 if farthest < FEW else np.int64)
    for first in range(0, len(now), ROWS):
        rows = slice(first, first + ROWS)
        some = np.asarray(now[rows] @ inverse)
        shift[rows] = -np.floor(some)
        fraction[rows] = some + shift[rows]
    none: Any = np.empty(0, dtype=np.int64)
    extra: list[Any] = [(np.empty((0, d)), none, none.reshape(0, d))]       # fractions, particles, periods
    for axis, width in enumerate(reach / heights(box)):
        new = []
        for some, index, moved in ((fraction, None, None), *extra):
            for times in range(1, int(np.ceil(width)) + 1):
                for sign, near in ((1, some[:, axis] < width - times + 1), (-1, some[:, axis] >= times - width)):
                    chosen, step = np.flatnonzero(near), np.zeros(d, dtype=np.int64)
                    step[axis] = sign * times
                    new.append((some[chosen] + step, chosen if index is None else index[chosen],
                                step + (shift[chosen] if moved is None else moved[chosen])))
        extra += new
    del fraction, some
    kind = np.int32 if len(now) < 2**30 else np.int64
    index = np.concatenate([np.arange(len(now), dtype=kind), *(one[1].astype(kind) for one in extra)])
    shift = np.concatenate([shift, *(one[2].astype(shift.dtype) for one in extra)])
    place = np.empty((len(index), d))
    for first in range(0, len(index), ROWS):
        rows = slice(first, first + ROWS)
        place[rows] = now[index[rows]] + shift[rows] @ box.T
    return place, index, shift


def _residual(x: Floats, x0: Floats, row: Ints, rows: int) -> Floats:
    """What the best affine map of the neighbours' x0 leaves of their x, summed by row."""
    d = x.shape[1]

    def summed(values: Floats) -> Floats:
        return np.asarray(np.bincount(row, values, rows), dtype=np.float64)

    square = summed(np.einsum("pc,pc->p", x, x))
    a, b = (np.stack([summed(left[:, i] * x0[:, j]) for i in range(d) for j in range(d)], axis=1).reshape(rows, d, d)
            for left in (x, x0))
    return d2min_of_sums(square, a, b)

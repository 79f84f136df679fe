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
PAIRS = 1 << 17     # pairs that are looked at together, about


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
    period = np.floor(now @ np.linalg.inv(box).T)
    if period.any():
        now, before = now - period @ box.T, before - period @ box_before.T
    del period
    place, index, shift = _with_images(now, box, reach)
    tree = cKDTree(place, balanced_tree=False, compact_nodes=False)
    wanted = tree.indices[(tree.indices >= first) & (tree.indices < last)]      # neighbours come after each other
    result = np.empty(last - first)
    density = len(now) / abs(float(np.linalg.det(box)))
    step = max(1, int(PAIRS / (1 + density * (2.1 * reach if d == 2 else 1.7 * reach) ** d)))
    for rows_here in (wanted[low: low + step] for low in range(0, len(wanted), step)):
        near = cKDTree(place[rows_here]).sparse_distance_matrix(tree, reach, output_type="ndarray")
        i, j = near["i"], near["j"]
        keep = near["v"] < cutoff * _length(model, diameter, species, rows_here[i], index[j])
        i, j = i[keep], j[keep]
        order = np.argsort(i * len(place) + j)      # the same sums whatever rows are asked for together
        i, j = i[order], j[order]
        row, other = rows_here[i], index[j]
        x = place[j] - place[row]
        x0 = before[other] - before[row] + shift[j] @ box_before.T
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


def _with_images(place: Floats, box: Floats, reach: float) -> tuple[Floats, Ints, NDArray[np.int8]]:
    """Positions in the cell and images of them within `reach` of its faces; the particle and the periods (m, d) of each row."""
    index: Any = np.arange(len(place), dtype=np.int32 if len(place) < 2**30 else np.int64)
    shift: Any = np.zeros((len(place), len(box)), dtype=np.int8)
    fraction = place @ np.linalg.inv(box).T
    for axis, width in enumerate(reach / heights(box)):
        parts = [(fraction, index, shift)]
        for period in range(1, int(np.ceil(width)) + 1):
            for sign, chosen in ((1, fraction[:, axis] < width - period + 1), (-1, fraction[:, axis] >= period - width)):
                step = np.zeros(len(box), dtype=np.int8)
                step[axis] = sign * period
                parts.append((fraction[chosen] + step, index[chosen], shift[chosen] + step))
        fraction, index, shift = (np.concatenate(rows) for rows in zip(*parts, strict=True))
    del fraction, parts
    return np.concatenate([place, place[index[len(place):]] + shift[len(place):] @ box.T]), index, shift


def _residual(x: Floats, x0: Floats, row: Ints, rows: int) -> Floats:
    """What the best affine map of the neighbours' x0 leaves of their x, summed by row."""
    d = x.shape[1]

    def summed(values: Floats) -> Floats:
        return np.asarray(np.bincount(row, values, rows), dtype=np.float64)

    square = summed(np.einsum("pc,pc->p", x, x))
    a, b = (np.stack([summed(left[:, i] * x0[:, j]) for i in range(d) for j in range(d)], axis=1).reshape(rows, d, d)
            for left in (x, x0))
    return d2min_of_sums(square, a, b)

"""Radical Voronoi cells (power cells) in 2D, by clipping.

The cell of particle i holds the points x with |x - x_i|^2 - w_i <= |x - x_j|^2 - w_j for all j; the weight w_i = (lambda_ii/2)^2
lets cell walls pass between surfaces instead of centres. A square around the centre is cut by the radical lines

    x.r = (r^2 + w_i - w_j) / 2,    r = x_j - x_i,

of one neighbour after the other in the order of their distance, until the nearest line that any farther one could draw,
(r^2 + w_i - w_max) / (2 r) away, misses the corner of the polygon that is farthest from the centre. That criterion says whether
the halo sufficed: each rank makes the cells of its own particles from its own ghosts, without any communication. Mean cost per
particle: 20 neighbours, independent of N.

A cell may be empty (a small particle inside a big one's territory), and its particle then has no neighbours. In the dual
triangulation every corner of a cell is a triangle: particle i and two consecutive neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.pairs import KEEP_NAN
from hpcglass.core.system import System
from hpcglass.errors import InputError
from hpcglass.indicators.neighbours.surroundings import Surroundings, apart, surroundings

Floats = NDArray[np.float64]

REACH = 2.6         # first try, in units of (V/N)^(1/2)
FARTHER = 1.5       # the next one is so many times longer
MOST_CORNERS = 64


@dataclass
class Cells:
    """Power cells of the owned particles of `around.view`.

    around : the neighbours they were made from
    area : (n,) [length^2]; 0 if empty, NaN if open: it reaches beyond a wall, or a free boundary
    centroid : (n, 2) centre of mass of the cell relative to the particle [length]; NaN if empty or open
    start, neighbours : rows of `view` of the particles whose cells share an edge with that of i,
        neighbours[start[i]:start[i+1]], anticlockwise
    """

    around: Surroundings
    area: Floats
    centroid: Floats
    start: NDArray[np.int64]
    neighbours: NDArray[np.int64]

    @property
    def degree(self) -> NDArray[np.int64]:
        """(n,) number of edges."""
        return np.diff(self.start)


def power_cells(system: System, free: bool = False) -> Cells:
    """Cells of all particles. Collective.

    Parameters
    ----------
    free : the particles do not fill their cell: where one could be cut by particles 2.6 spacings away, it is open

    Raises
    ------
    InputError
        Not a 2D system.
    """
    if system.dimension != 2:
        raise InputError("cells by clipping are for 2D")
    reach = REACH * float(np.sqrt(system.volume / system.n_total))
    walls = np.array(system.walls.numbers if system.walls is not None else ())
    while True:
        around = surroundings(system, reach)
        weight = (0.5 * around.view.diameter) ** 2
        largest = float(ranks.largest(system.comm, float(weight.max(initial=0.0))))
        area, centroid, start, neighbours, unfinished = _clip(*around.lists, weight, largest, reach, walls)
        if free or walls.size or reach > np.abs(system.box).sum() or not ranks.largest(system.comm, int(unfinished)):
            return Cells(around, area, centroid, start, neighbours)
        reach *= FARTHER


def divergence(cells: Cells, printed: bool = False) -> Floats:
    """(n,) Q: divergence of the field p of centroids minus centres, on the triangles at each particle (B3).

    Linear on each triangle k of area A_k, Q_k = (div p)_k A_k/<A>, and Q(i) their plain mean over the triangles that touch i. The
    paper prints a division by A_k/<A> (`printed`): only with the product does the sum over all triangles vanish in a periodic
    cell.
    NaN where a cell nearby is empty or open. Collective.
    """
    view = cells.around.view
    p = np.empty((view.n_all, 2))
    p[: view.n_owned] = cells.centroid
    view.forward(p)
    triangles = float(ranks.total(view.comm, int(cells.degree.sum()))) / 3.0
    return _divergence(view.reference, view.displacement, cells.start, cells.neighbours, p, view.volume / triangles, printed)


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _clip(reference, displacement, start, index, weight, largest_weight, reach, walls):
    """(area, centroid, start and neighbours of the cells, whether one may lack a neighbour beyond the reach)."""
    n = start.size - 1
    area, centroid = np.empty(n), np.empty((n, 2))
    first = np.zeros(n + 1, dtype=np.int64)
    found = np.empty(8 * n + MOST_CORNERS, dtype=np.int64)
    most = 1
    for i in range(n):
        most = max(most, start[i + 1] - start[i])
    order, square = np.empty(most, dtype=np.int64), np.empty(most)
    corner, label = np.empty((2, MOST_CORNERS)), np.empty(MOST_CORNERS, dtype=np.int64)
    other, side = np.empty((2, MOST_CORNERS)), np.empty(MOST_CORNERS, dtype=np.int64)
    beyond = np.empty(MOST_CORNERS)
    unfinished = False
    for i in range(n):
        count = _by_distance(reference, displacement, i, start, index, order, square)
        corners = 4
        for k in range(4):
            corner[0, k] = reach if k == 0 or k == 3 else -reach
            corner[1, k] = reach if k < 2 else -reach
            label[k] = -1
        farthest2 = 2.0 * reach * reach
        finished = False
        for m in range(count):
            j, r2 = order[m], square[m]
            gap = r2 + weight[i] - largest_weight
            if gap > 0.0 and gap * gap > 4.0 * r2 * farthest2:
                finished = True
                break
            x, y = apart(reference, displacement, i, j, 0), apart(reference, displacement, i, j, 1)
            half = 0.5 * (r2 + weight[i] - weight[j])
            cut = False
            for k in range(corners):
                beyond[k] = corner[0, k] * x + corner[1, k] * y - half
                cut = cut or beyond[k] > 0.0
            if not cut:
                continue
            kept = 0
            for k in range(corners):
                following = k + 1 if k + 1 < corners else 0
                if beyond[k] <= 0.0:
                    other[0, kept], other[1, kept], side[kept] = corner[0, k], corner[1, k], label[k]
                    kept += 1
                if (beyond[k] <= 0.0) != (beyond[following] <= 0.0):
                    t = beyond[k] / (beyond[k] - beyond[following])
                    other[0, kept] = corner[0, k] + t * (corner[0, following] - corner[0, k])
                    other[1, kept] = corner[1, k] + t * (corner[1, following] - corner[1, k])
                    side[kept] = j if beyond[k] <= 0.0 else label[k]
                    kept += 1
            corners = kept
            if corners == 0:
                finished = True
                break
            farthest2 = 0.0
            for k in range(corners):
                corner[0, k], corner[1, k], label[k] = other[0, k], other[1, k], side[k]
                farthest2 = max(farthest2, corner[0, k] ** 2 + corner[1, k] ** 2)
        gap = reach * reach + weight[i] - largest_weight
        finished = finished or (gap > 0.0 and gap * gap > 4.0 * reach * reach * farthest2)
        unfinished = unfinished or not finished
        inside = finished
        if walls.size:
            for k in range(corners):
                x = reference[i, 0] + displacement[i, 0] + corner[0, k] - walls[0]
                y = reference[i, 1] + displacement[i, 1] + corner[1, k] - walls[1]
                inside = inside and walls[2] ** 2 < x * x + y * y < walls[3] ** 2
        if first[i] + corners > found.size:
            longer = np.empty(2 * found.size, dtype=np.int64)
            longer[: first[i]] = found[: first[i]]
            found = longer
        bounded = _measure(corner, label, corners, area, centroid, i)
        first[i + 1] = first[i]
        for k in range(corners):
            if label[k] >= 0:
                found[first[i + 1]] = label[k]
                first[i + 1] += 1
        if not (bounded and inside):
            area[i] = centroid[i, 0] = centroid[i, 1] = np.nan
    return area, centroid, first, found[: first[n]].copy(), unfinished


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _by_distance(reference, displacement, i, start, index, order, square):
    """Neighbours of row i in the order of their distance; their number."""
    count = 0
    for p in range(start[i], start[i + 1]):
        j = np.int64(index[p])
        x, y = apart(reference, displacement, i, j, 0), apart(reference, displacement, i, j, 1)
        r2 = x * x + y * y
        k = count
        while k > 0 and square[k - 1] > r2:
            square[k], order[k] = square[k - 1], order[k - 1]
            k -= 1
        square[k], order[k] = r2, j
        count += 1
    return count


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _measure(corner, label, corners, area, centroid, i):
    """Area and centroid of the polygon; whether only neighbours bound it."""
    double, x, y = 0.0, 0.0, 0.0
    bounded = True
    for k in range(corners):
        following = k + 1 if k + 1 < corners else 0
        cross = corner[0, k] * corner[1, following] - corner[0, following] * corner[1, k]
        double += cross
        x += cross * (corner[0, k] + corner[0, following])
        y += cross * (corner[1, k] + corner[1, following])
        bounded = bounded and label[k] >= 0
    area[i] = 0.5 * double
    centroid[i, 0], centroid[i, 1] = x / (3.0 * double), y / (3.0 * double)
    return bounded


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _divergence(reference, displacement, start, neighbours, p, mean_area, printed):
    n = start.size - 1
    result = np.empty(n)
    for i in range(n):
        total, count = 0.0, start[i + 1] - start[i]
        for k in range(count):
            a, b = neighbours[start[i] + k], neighbours[start[i] + (k + 1 if k + 1 < count else 0)]
            ax, ay = apart(reference, displacement, i, a, 0), apart(reference, displacement, i, a, 1)
            bx, by = apart(reference, displacement, i, b, 0), apart(reference, displacement, i, b, 1)
            value = (p[a, 0] - p[i, 0]) * by - (p[a, 1] - p[i, 1]) * bx - (p[b, 0] - p[i, 0]) * ay + (p[b, 1] - p[i, 1]) * ax
            double = ax * by - ay * bx
            total += 2.0 * value * mean_area / (double * double) if printed else 0.5 * value / mean_area
        result[i] = total / count if count else np.nan
    return result

"""Radical Voronoi cells in 3D, by Voro++ (C. H. Rycroft, Chaos 19, 041111 (2009)) through pyvoro2.

Each rank makes the cells of its own particles and ghosts in a plain box around them; a cell of its own is right if no farther
particle could cut it, by the criterion of `cells`: otherwise all do it again with a wider halo.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.errors import InputError
from hpcglass.indicators.neighbours.surroundings import Surroundings, surroundings

Floats = NDArray[np.float64]

REACH = 3.0         # first try, in units of (V/N)^(1/3)
FARTHER = 1.5


def power_cells_3d(system: System) -> tuple[Floats, Floats]:
    """((n_owned,) volumes, (n_owned, 3) centroids relative to the particles); 0 and NaN for empty cells. Collective.

    Raises InputError where pyvoro2 is not installed.
    """
    try:
        library = import_module("pyvoro2")
    except ModuleNotFoundError:
        raise InputError("cells in 3D need pyvoro2: pip install pyvoro2 (or leave out rho, packing_fraction, phi, P)") from None
    reach = REACH * float(np.cbrt(system.volume / system.n_total))
    while True:
        around = surroundings(system, reach)
        largest = float(ranks.largest(system.comm, float(around.view.diameter.max(initial=0.0))))
        volume, centroid, finished = _own_cells(library, around, reach, (0.5 * largest) ** 2)
        if ranks.smallest(system.comm, int(finished)) or reach > np.abs(system.box).sum():
            found, middle = around.back(volume, centroid)
            return found, middle
        reach *= FARTHER


def _own_cells(library: Any, around: Surroundings, reach: float, largest: float) -> tuple[Floats, Floats, bool]:
    """Volumes and centroids of the owned rows of the view, and whether the halo sufficed for all of them."""
    view = around.view
    n = view.n_owned
    volume, centroid, finished = np.zeros(n), np.full((n, 3), np.nan), True
    if not n:
        return volume, centroid, finished
    origin = view.reference[:n].mean(axis=0)
    position = (view.reference - origin) + view.displacement
    weight = (0.5 * view.diameter) ** 2
    low, high = position.min(axis=0) - reach, position.max(axis=0) + reach
    cells = library.compute(position, domain=library.Box(tuple(zip(low, high, strict=True))), mode="power", weights=weight,
                            output="cells", return_adjacency=False)
    for cell in cells:
        i = int(cell["id"])
        if i >= n:
            continue
        corner = np.asarray(cell["vertices"]) - position[i]
        volume[i], centroid[i] = _measure(corner, [face["vertices"] for face in cell["faces"]])
        farthest = np.sqrt((corner**2).sum(axis=1).max())
        finished = finished and (reach**2 + weight[i] - largest) / (2.0 * reach) > farthest
    return volume, centroid, finished


def _measure(corner: Floats, faces: list[Any]) -> tuple[float, Floats]:
    """Volume and centroid of a convex polyhedron, out of tetrahedra from a point inside to triangles of its faces."""
    inside = corner.mean(axis=0)
    a = np.concatenate([np.repeat(corner[face[:1]], len(face) - 2, axis=0) for face in faces]) - inside
    b = np.concatenate([corner[face[1:-1]] for face in faces]) - inside
    c = np.concatenate([corner[face[2:]] for face in faces]) - inside
    six = np.abs(np.einsum("ta,ta->t", a, np.cross(b, c)))
    volume = six.sum() / 6.0
    return float(volume), inside + ((a + b + c) * six[:, None]).sum(axis=0) / (4.0 * six.sum())

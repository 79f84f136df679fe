"""How deep points lie inside their convex hull: who is so far from an open boundary that it has all its neighbours.

>>> depth, density = within(position)
>>> depth > reach           # these have no neighbour beyond the boundary that is nearer than `reach`
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def within(position: Floats, share: float = 0.1) -> tuple[Floats, float]:
    """Depths of points, and their density away from the boundary.

    Parameters
    ----------
    position : (N, d)
    share : of the largest depth that counts as boundary for the density

    Returns
    -------
    depth : (N,) distance to the nearest face of the convex hull [length]
    density : of the points deeper than that, over the volume that is as deep; points on the rim belong to it by half only, and
        would bias N/V [length^-d]

    Raises
    ------
    ValueError
        There are too few points, or all lie on a line (in a plane).
    """
    from scipy.spatial import ConvexHull, HalfspaceIntersection, QhullError

    middle = position.mean(axis=0)
    try:
        faces = ConvexHull(position - middle).equations        # n.x + b <= 0 inside, |n| = 1
        depth = np.full(len(position), np.inf)
        for face in faces:
            np.minimum(depth, -((position - middle) @ face[:-1] + face[-1]), out=depth)
        deepest = int(depth.argmax())
        least = share * float(depth[deepest])
        inner = faces.copy()
        inner[:, -1] += least
        corners = HalfspaceIntersection(inner, (position - middle)[deepest]).intersections
        return depth, float((depth > least).sum()) / float(ConvexHull(corners).volume)
    except QhullError as error:
        raise ValueError(f"{len(position)} points that have no hull ({str(error).partition(chr(10))[0]})") from None

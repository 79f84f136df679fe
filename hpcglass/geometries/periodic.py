"""The periodic cell of any shape: box vectors, strain, tilt reduction.

The box matrix h has the box vectors as columns: x = h s with fractional s. Deformation with a constant
velocity gradient A makes the box follow exp(gamma A) h_0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpcglass.errors import InputError

Floats = NDArray[np.float64]
AXES = "xyz"
CLOSE = 0.25        # of an edge, by which a cell may change if its edges are to be known again


def heights(box: Floats) -> Floats:
    """(d,) distances between opposite faces of the cell: 1 / |row of h^-1|."""
    return 1.0 / np.linalg.norm(np.linalg.inv(box), axis=1)


def cell(volume: float, dimension: int, aspect: list[float] | None = None, tilt: list[float] | None = None) -> Floats:
    """Box matrix of given volume, edge ratios and tilt (xy; in 3D xy, xz, yz, as strains)."""
    edges = np.ones(dimension) if aspect is None else np.array(aspect, dtype=np.float64)
    edges *= (volume / edges.prod()) ** (1.0 / dimension)
    shear = np.eye(dimension)
    for (a, b), strain in zip([(0, 1), (0, 2), (1, 2)], tilt or [], strict=False):
        shear[a, b] = strain
    return shear @ np.diag(edges)


def simple_shear(dimension: int, plane: str) -> Floats:
    """Velocity gradient A = a b^T of simple shear in the plane "ab"."""
    gradient = np.zeros((dimension, dimension))
    gradient[AXES.index(plane[0]), AXES.index(plane[1])] = 1.0
    return gradient


def pure_shear(dimension: int, plane: str) -> Floats:
    """Velocity gradient diag(1, -1) in the plane "ab": extends a, compresses b."""
    gradient = np.zeros((dimension, dimension))
    a, b = AXES.index(plane[0]), AXES.index(plane[1])
    gradient[a, a], gradient[b, b] = 1.0, -1.0
    return gradient


def deformation(gradient: Floats, strain: float) -> Floats:
    """exp(strain * A) of any A: 1 + strain A where A A = 0 (simple shear), exponentials of the diagonal where A is diagonal."""
    step = strain * np.asarray(gradient, dtype=np.float64)
    if not (step @ step).any():
        return np.eye(len(step)) + step
    diagonal = np.diagonal(step)
    if not (step - np.diag(diagonal)).any():
        with np.errstate(over="ignore"):
            return np.diag(np.exp(diagonal))
    from scipy.linalg import expm  # not at the top: `validate` is here too, and in a hurry

    return np.asarray(expm(step))


def reduce_tilt(box: Floats) -> NDArray[np.int64]:
    """Unimodular T such that the box vectors h T are tilted by at most half a period (exact re-mapping).

    The lattice of images is the same before and after; only its description changes. Image
    counters transform with T^-1.
    """
    dimension = len(box)
    change = np.eye(dimension, dtype=np.int64)
    reduced = box.copy()
    for _ in range(64):
        moved = False
        for b in range(dimension):
            for a in range(dimension):
                if a == b:
                    continue
                ratio = reduced[:, a] @ reduced[:, b] / (reduced[:, a] @ reduced[:, a])
                periods = int(np.rint(ratio)) if abs(ratio) > 0.5 + 1e-9 else 0
                if periods:
                    reduced[:, b] -= periods * reduced[:, a]
                    change[:, b] -= periods * change[:, a]
                    moved = True
        if not moved:
            break
    return change


def same_edges(before: Floats, box: Floats) -> NDArray[np.int64]:
    """T of whole numbers such that the edges `before` T of an earlier cell became those of `box`.

    They are others of the same lattice if the cell was reduced in between.

    Raises
    ------
    InputError
        The cells differ by more than a quarter of an edge: it cannot be told how one became the other.
    """
    change = np.linalg.solve(before, box)
    whole = np.rint(change)
    if not np.abs(change - whole).max() < CLOSE:
        raise InputError(f"it cannot be told how a cell with the edges {before.T.tolist()} became one with {box.T.tolist()}: "
                         "take frames that are nearer to each other")
    return whole.astype(np.int64)

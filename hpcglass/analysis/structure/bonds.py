"""Bonds of a frame: pairs that interact, or are nearer than a distance; how many a particle has, and how they are arranged."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.structure.neighbours import lengths, neighbours
from hpcglass.analysis.tables import Table

if TYPE_CHECKING:
    from hpcglass.analysis.frames.frame import Frame

Floats = NDArray[np.float64]


def bonds(frame: Frame, cutoff: float | None = None) -> Table:
    """Each bond once: `i`, `j` (ids, i <= j), `length`, `scaled` (r / lambda_ij) and its direction `x`, `y`, `z` from i to j.

    Parameters
    ----------
    cutoff : longest bond [length]; by default pairs that interact
    """
    found = neighbours(frame, cutoff)
    first = found.vector[np.arange(len(found.i)), np.abs(found.vector).argmax(axis=1)] > 0
    found = found.where((found.i < found.j) | ((found.i == found.j) & first))
    order = np.lexsort((found.length2, found.j, found.i))
    i, j, vector = found.i[order], found.j[order], found.vector[order]
    length = np.linalg.norm(vector, axis=1)
    columns: dict[str, NDArray[Any]] = {
        "i": i, "j": j, "length": length, "scaled": length / lengths(frame.model, frame.diameter, frame.species, i, j)}
    columns |= {axis: vector[:, k] / length for k, axis in enumerate("xyz"[: frame.dimension])}
    about = {"i": "id", "j": "id", "length": "distance", "scaled": "distance over lambda_ij"}
    return Table(columns, {"length": "length"}, about)


def coordination(frame: Frame, cutoff: float | None = None) -> NDArray[np.int64]:
    """(N,) number of bonds of each particle."""
    return np.bincount(neighbours(frame, cutoff).i, minlength=frame.particles)


def bond_order(frame: Frame, order: int = 6, cutoff: float | None = None) -> Floats:
    """(N,) rotationally invariant order of the bonds of each particle; 0 without bonds.

    In 2D |psi_l| = |1/n sum_j exp(i l theta_ij)|; in 3D q_l = sqrt(4 pi / (2 l + 1) sum_m |1/n sum_j Y_lm|^2), by the addition
    theorem sqrt(sum_jk P_l(cos theta_jk)) / n (Steinhardt, Nelson and Ronchetti, Phys. Rev. B 28, 784 (1983)).
    """
    found = neighbours(frame, cutoff)
    number = np.bincount(found.i, minlength=frame.particles)
    if frame.dimension == 2:
        angle = order * np.arctan2(found.vector[:, 1], found.vector[:, 0])
        real, imaginary = (np.bincount(found.i, part, frame.particles) for part in (np.cos(angle), np.sin(angle)))
        return np.asarray(np.hypot(real, imaginary) / np.maximum(number, 1))
    from scipy.special import eval_legendre

    by_particle = np.argsort(found.i, kind="stable")
    unit = found.vector[by_particle] / np.linalg.norm(found.vector[by_particle], axis=1, keepdims=True)
    start = np.concatenate([[0], np.cumsum(number)])
    sums = np.array([eval_legendre(order, np.clip(mine @ mine.T, -1, 1)).sum()
                     for mine in (unit[first:last] for first, last in pairwise(start))])
    return np.asarray(np.sqrt(np.maximum(sums, 0)) / np.maximum(number, 1))

"""D^2_min between any two frames (Falk and Langer, Phys. Rev. E 57, 7192 (1998), eq. 2.11).

    D^2_min(i) = min over F of  sum_j |x_ij - F x0_ij|^2

The same number as `landscape.nonaffine`, which has it for live systems on many ranks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.structure.neighbours import neighbours
from hpcglass.errors import InputError
from hpcglass.geometries.periodic import deformation
from hpcglass.numbers.nonaffine import d2min_of_sums

if TYPE_CHECKING:
    from hpcglass.analysis.frames.frame import Frame

Floats = NDArray[np.float64]
EXACT, NEAR = 1e-6, 0.25         # how far entries of T may be from whole numbers


def d2min(before: Frame, after: Frame, cutoff: float | None = None) -> Floats:
    """(N,) D^2_min of the motion from one frame to another [length^2].

    Parameters
    ----------
    before, after : of the same particles
    cutoff : neighbours are nearer than this in `after`; by default they are those that interact there

    Raises
    ------
    InputError
        They have not the same particles, or it is not known how one cell became the other.
    """
    if before.position.shape != after.position.shape:
        raise InputError(f"{before} and {after} have not the same particles")
    found = neighbours(after, cutoff)
    earlier, now = before.unwrapped(), after.unwrapped()
    periods = found.periods + after.image[found.i] - after.image[found.j]       # between unwrapped positions
    x = now[found.j] - now[found.i] + periods @ after.box.T
    x0 = earlier[found.j] - earlier[found.i] + periods @ (before.box @ same_edges(before, after)).T
    count, d = now.shape

    def sums(values: Floats) -> Floats:
        return np.asarray(np.bincount(found.i, values, minlength=count), dtype=np.float64)

    a, b = (np.stack([sums(left[:, k] * x0[:, m]) for k in range(d) for m in range(d)], axis=-1).reshape(count, d, d)
            for left in (x, x0))
    return d2min_of_sums(sums(np.einsum("nd,nd->n", x, x)), a, b)


def same_edges(before: Frame, after: Frame) -> NDArray[np.int64]:
    """Unimodular T such that the edges `before.box` @ T became those of `after`.

    In a loading the cell is described by other edges of the same lattice whenever its tilt is more than half a period. Between
    frames of one loading, and from the configuration that it began with, the strain tells exactly; else the cell must have
    changed by little.

    Raises
    ------
    InputError
        That cannot be told.
    """
    gradient = after.gradient if after.gradient is not None else before.gradient
    if gradient is not None:
        strain = (after.strain if after.gradient is not None else 0.0) - (before.strain if before.gradient is not None else 0.0)
        whole = _whole(before, after, deformation(gradient, strain), EXACT)
        if whole is not None:
            return whole
    whole = _whole(before, after, np.eye(after.dimension), NEAR)
    if whole is None:
        raise InputError(f"{before} and {after}: it cannot be told how one cell became the other; take frames of one loading, or "
                         "of cells that differ by less than a quarter of an edge")
    return whole


def _whole(before: Frame, after: Frame, stretch: Floats, tolerance: float) -> NDArray[np.int64] | None:
    """T, if it is one of whole numbers."""
    change = np.linalg.solve(before.box, np.linalg.solve(stretch, after.box))
    whole = np.rint(change).astype(np.int64)
    good = np.abs(change - whole).max() < tolerance and round(abs(np.linalg.det(whole))) == 1
    return whole if good else None

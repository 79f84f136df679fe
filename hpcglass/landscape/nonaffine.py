"""How far neighbourhoods moved from an affine map: D^2_min (Falk and Langer, Phys. Rev. E 57, 7192 (1998), eq. 2.11).

    D^2_min(i) = min over F of  sum_j |x_ij - F x0_ij|^2  =  sum_j |x_ij|^2 - tr(A B^-1 A^T),
    A = sum_j x_ij x0_ij^T,   B = sum_j x0_ij x0_ij^T,

over the neighbours j that interact with i now; x0_ij is the pair vector before. [length^2]
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.numbers.nonaffine import d2min_of_sums

Floats = NDArray[np.float64]


def d2min(system: System, before: Floats, deformation: Floats) -> Floats:
    """(n_owned,) D^2_min between an earlier configuration and now. Collective.

    Parameters
    ----------
    before : (n_owned, d)
        Earlier `system.unwrapped()` of the particles owned now.
    deformation : (d, d)
        Map of the box from then to now.

    Particles with too few neighbours for a map (fewer than d independent ones) get 0: any motion of theirs is affine.
    """
    moved = np.empty((system.n_all, system.dimension))
    stretch = (system.box - np.linalg.solve(deformation, system.box)).T
    # a copy that lies `image` or `periods` cells away also moved with the cells
    moved[: system.n_owned] = system.unwrapped() - before - system.image @ stretch
    system.forward(moved)
    moved[system.n_owned:] += system.halo.periods @ stretch
    sums = np.zeros((system.n_all, 1 + 2 * system.dimension**2))
    _accumulate(system.reference, system.displacement, moved, system.pairs.start, system.pairs.index,
                system.pairs.inverse_length2, system.model.potential.cutoff**2, sums)
    sums = sums[: system.n_owned]
    square = system.dimension**2
    shape = (-1, system.dimension, system.dimension)
    return d2min_of_sums(sums[:, 0], sums[:, 1:1 + square].reshape(shape), sums[:, 1 + square:].reshape(shape))


def participation(system: System, weight: Floats) -> float:
    """(sum w)^2 / (N sum w^2) of a non-negative field: 1 if uniform, 1/N on one particle. Collective."""
    first, second = ranks.total(system.comm, np.array([weight.sum(), np.vdot(weight, weight)]))
    return float(first**2 / (system.n_total * second)) if second > 0 else 0.0


def position_of_largest(system: System, weight: Floats) -> tuple[int, Floats]:
    """(global id, position) of the particle with the largest weight; the lowest id wins a tie. Collective."""
    top = float(weight.max()) if weight.size else -np.inf
    best = ranks.largest(system.comm, top)
    mine = system.id[: system.n_owned][weight == best]
    chosen = int(ranks.smallest(system.comm, int(mine.min()) if mine.size else system.n_total))
    place = np.zeros(system.dimension)
    row = np.flatnonzero(system.id[: system.n_owned] == chosen)
    if row.size:
        place = system.position[row[0]]
    return chosen, np.asarray(ranks.total(system.comm, place))


@numba.njit(cache=True)
def _accumulate(reference, displacement, moved, start, index, inverse_length2, cutoff2, sums):
    """sums[i] = (sum |x|^2, sum x x0^T, sum x0 x0^T) over interacting neighbours."""
    dimension = reference.shape[1]
    x, x0 = np.empty(dimension), np.empty(dimension)
    for i in range(start.size - 1):
        for p in range(start[i], start[i + 1]):
            j = index[p]
            square = 0.0
            for c in range(dimension):
                x[c] = (reference[j, c] - reference[i, c]) + (displacement[j, c] - displacement[i, c])
                x0[c] = x[c] - (moved[j, c] - moved[i, c])
                square += x[c] * x[c]
            if square * inverse_length2[p] >= cutoff2:
                continue
            sums[i, 0] += square
            sums[j, 0] += square
            for a in range(dimension):
                for b in range(dimension):
                    sums[i, 1 + a * dimension + b] += x[a] * x0[b]
                    sums[j, 1 + a * dimension + b] += x[a] * x0[b]
                    sums[i, 1 + (dimension + a) * dimension + b] += x0[a] * x0[b]
                    sums[j, 1 + (dimension + a) * dimension + b] += x0[a] * x0[b]

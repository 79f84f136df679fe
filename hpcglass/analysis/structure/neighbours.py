"""Pairs of particles in a periodic cell of any shape, at any distance: also each with its own images in a small cell."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.geometries.periodic import heights
from hpcglass.potentials.model import Model

if TYPE_CHECKING:
    from hpcglass.analysis.frames.frame import Frame

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """Ordered pairs: (i, j) and (j, i) are two.

    i, j : (n,) particles
    vector : (n, d) from i to that image of j [length]
    periods : (n, d) edges that lie between j and the image
    """

    i: Ints
    j: Ints
    vector: Floats
    periods: Ints

    @property
    def length2(self) -> Floats:
        """(n,) squared distances."""
        return np.einsum("nd,nd->n", self.vector, self.vector)

    def where(self, chosen: NDArray[np.bool_]) -> Pairs:
        return Pairs(self.i[chosen], self.j[chosen], self.vector[chosen], self.periods[chosen])


def pairs(position: Floats, box: Floats, cutoff: float) -> Pairs:
    """All ordered pairs nearer than a cut-off.

    Parameters
    ----------
    position : (N, d), anywhere
    box : (d, d), its columns are the edge vectors
    cutoff : may be larger than the cell
    """
    from scipy.spatial import cKDTree

    count, dimension = position.shape
    inverse = np.linalg.inv(box)
    home = np.floor(position @ inverse.T).astype(np.int64)
    fraction = position @ inverse.T - home
    reach = cutoff / heights(box)
    owners, shifts = [np.arange(count)], [np.zeros((count, dimension), dtype=np.int64)]
    for shift in product(*(range(-int(np.ceil(far)), int(np.ceil(far)) + 1) for far in reach)):
        if any(shift):
            moved = fraction + shift
            near = np.flatnonzero(((moved >= -reach) & (moved < 1 + reach)).all(axis=1))
            owners.append(near)
            shifts.append(np.broadcast_to(np.array(shift, dtype=np.int64), (len(near), dimension)))
    owner, shift_of = np.concatenate(owners), np.concatenate(shifts)
    points = (fraction[owner] + shift_of) @ box.T
    found = cKDTree(points).query_pairs(cutoff, output_type="ndarray")
    found = found[found[:, 0] < count]          # the first is the smaller number: one of the cell
    real = found[:, 1] < count
    a, b = np.concatenate([found, found[real][:, ::-1]]).T
    i, j = a, owner[b]
    periods = shift_of[b] + home[i] - home[j]
    vector = position[j] - position[i] + periods @ box.T
    keep = np.einsum("nd,nd->n", vector, vector) < cutoff**2
    return Pairs(i[keep], j[keep], vector[keep], periods[keep])


def lengths(model: Model, diameter: Floats, species: NDArray[Any], i: Ints, j: Ints) -> Floats:
    """(n,) lambda_ij of pairs."""
    if model.mixing.length is not None:
        return np.array(model.mixing.length)[species[i], species[j]]
    first, second = diameter[i], diameter[j]
    return (first + second) / 2 * (1 - model.mixing.nonadditivity * np.abs(first - second))


def interacting(frame: Frame) -> Pairs:
    """Ordered pairs nearer than the range of their interaction."""
    model = frame.model
    cutoff = model.potential.cutoff
    widest = model.largest_cutoff
    if not model.mixing.by_species and model.mixing.nonadditivity >= 0:
        widest = min(widest, cutoff * float(frame.diameter.max())) if len(frame.diameter) else widest
    found = pairs(frame.position, frame.box, widest * (1 + 1e-12))
    limit = cutoff * lengths(model, frame.diameter, frame.species, found.i, found.j)
    return found.where(found.length2 < limit**2)


def neighbours(frame: Frame, cutoff: float | None) -> Pairs:
    """Ordered pairs nearer than a cut-off; by default those that interact."""
    return interacting(frame) if cutoff is None else pairs(frame.position, frame.box, cutoff)

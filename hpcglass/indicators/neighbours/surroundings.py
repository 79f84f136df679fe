"""Who is around a particle: all neighbours within a distance, which may be longer than the range of interaction.

Structure knows no potential. So the same particles get a list with another reach, on bricks with a halo as wide as that, and
what is found goes back to the rows of the system that was asked about.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.pairs import KEEP_NAN, PairTable, pair_table
from hpcglass.core.system import System
from hpcglass.potentials.model import Mixing, Model, PairPotential, Segment, Sizes

Floats = NDArray[np.float64]
Array = NDArray[Any]


@dataclass
class Surroundings:
    """Neighbours of the owned particles of `view`.

    view : the particles, with ghosts as far as the reach; its owned rows are in another order than those of the system. Its pairs
        are half a list, in which two owned particles stand once
    lengths : the table of the model, which has lambda_ij
    """

    view: System
    lengths: PairTable

    @cached_property
    def lists(self) -> tuple[Any, ...]:
        """What kernels take: positions (n_all, d) as reference and displacement, start, index, each pair from both sides."""
        start, index = _both_ways(self.view.pairs.start, self.view.pairs.index)
        return self.view.reference, self.view.displacement, start, index

    @property
    def half_lists(self) -> tuple[Any, ...]:
        """The same with each pair of owned particles once."""
        return self.view.reference, self.view.displacement, self.view.pairs.start, self.view.pairs.index

    @property
    def mixing(self) -> tuple[Any, ...]:
        """What `core.pairs.pair_length` takes before the two rows."""
        return self.lengths.by_species, self.lengths.length, self.lengths.nonadditivity, self.view.diameter, self.view.species

    def brought(self, system: System, *values: Array) -> list[Array]:
        """Rows of the owned particles of the system as rows of `view`, ghosts filled. Collective."""
        home = ranks.send_rows(self.view.comm, self.view.fields["home"], self.view.fields["row"],
                               np.full(self.view.n_owned, self.view.comm.rank), np.arange(self.view.n_owned))
        row, owner, place = home
        place, *moved = ranks.send_rows(self.view.comm, owner, place, *(array[row] for array in values))
        result = []
        for array in moved:
            rows = np.empty((self.view.n_all, *array.shape[1:]), dtype=array.dtype)
            rows[place] = array
            self.view.forward(rows)
            result.append(rows)
        return result

    def back(self, *values: Array) -> list[Array]:
        """Rows of the owned particles of `view`, to the ranks and rows of the system. Collective."""
        row, *moved = ranks.send_rows(self.view.comm, self.view.fields["home"], self.view.fields["row"], *values)
        order = np.argsort(row)
        return [array[order] for array in moved]


def surroundings(system: System, reach: float, reduced: bool = False) -> Surroundings:
    """All pairs closer than `reach`. Collective.

    Parameters
    ----------
    system : up to date; stays as it is
    reach : a distance [length]; or, if `reduced`, in units of lambda_ij
    """
    view = copy.copy(system)
    view.model = _reaching(system.model, reach, reduced)
    view.table = pair_table(view.model)
    return _rebuilt(system, view, 0.0)


def with_skin(system: System, reach: float) -> Surroundings:
    """The same for the model as it is: all pairs closer than `reach` [length] and, with their pair scalars, those that interact.

    Collective.
    """
    return _rebuilt(system, copy.copy(system), reach)


def _rebuilt(system: System, view: System, skin: float) -> Surroundings:
    view.skin = skin
    view.fields = {"home": np.full(system.n_owned, system.comm.rank), "row": np.arange(system.n_owned)}
    view.rebuild()
    return Surroundings(view, system.table)


def _reaching(model: Model, reach: float, reduced: bool) -> Model:
    """A model whose pairs interact up to there."""
    potential = PairPotential((Segment(reach, (0,), (0.0,)),))
    if reduced:
        return Model(model.name, "", potential, model.mixing, model.sizes)
    kinds = max(len(model.sizes.diameters), 1)
    return Model(model.name, "", potential, Mixing(length=((1.0,) * kinds,) * kinds), Sizes("power"))


@numba.njit(cache=True, error_model="numpy")
def _both_ways(start, index):
    """A half list, in which pairs of owned particles stand once, as a full one."""
    n = start.size - 1
    count = np.zeros(n + 1, dtype=np.int64)
    for i in range(n):
        for p in range(start[i], start[i + 1]):
            count[i + 1] += 1
            if index[p] < n:
                count[index[p] + 1] += 1
    full = np.cumsum(count)
    place = full[:-1].copy()
    other = np.empty(full[n], dtype=np.uint32)
    for i in range(n):
        for p in range(start[i], start[i + 1]):
            j = index[p]
            other[place[i]] = j
            place[i] += 1
            if j < n:
                other[place[j]] = i
                place[j] += 1
    return full, other


@numba.njit(cache=True, inline="always")
def apart(reference, displacement, i, j, axis):
    """Component of x_j - x_i, without the round-off of the cell's size."""
    return (reference[j, axis] - reference[i, axis]) + (displacement[j, axis] - displacement[i, axis])


@numba.njit(cache=True, inline="always")
def distance(reference, displacement, i, j):
    """|x_j - x_i|."""
    square = 0.0
    for axis in range(reference.shape[1]):
        square += apart(reference, displacement, i, j, axis) ** 2
    return np.sqrt(square)


__all__ = ["KEEP_NAN", "Surroundings", "apart", "distance", "surroundings"]

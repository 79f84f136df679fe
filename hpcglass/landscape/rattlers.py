"""Rattlers: particles that nothing holds in place, and the glass without them.

In a packing of repulsive particles some sit in cages without being pressed from all sides: with at most d contacts no net force
can vanish unless every single one does. Their rows of the Hessian are empty or spurious (a contact that carries 1e-15 is a
full spring), so they are found and left out. Taking one out may leave its neighbours with too few contacts: the search goes on
until nothing changes. A particle in a configuration that is not at rest, or held by attraction, carries forces and is kept.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.pairs import KEEP_NAN
from hpcglass.core.system import System
from hpcglass.landscape.forces import evaluate, pair_lists, scalars

WEAK = 1e-6         # of the force scale: a contact that carries less holds nothing
FAR = 1e4           # by this factor squared distances grow of pairs that shall not interact: beyond any cut-off


def rattlers(system: System) -> NDArray[np.bool_]:
    """(n_owned,) particles with fewer than d + 1 contacts left, all of them without force. Collective.

    The system must be up to date.
    """
    loose = np.zeros(system.n_all, dtype=np.bool_)
    few = _contacts(*pair_lists(system), loose)[: system.n_owned] <= system.dimension
    if not ranks.total(system.comm, int(few.sum())):
        return few
    weak = WEAK * evaluate(system).force_scale
    while True:
        strongest = _strongest(*pair_lists(system), loose)[: system.n_owned]
        loose[: system.n_owned] |= few & (strongest <= weak)
        system.forward(loose)
        again = _contacts(*pair_lists(system), loose)[: system.n_owned] <= system.dimension
        if not ranks.total(system.comm, int((again & ~few).sum())):
            return loose[: system.n_owned]
        few = again


def bonded(system: System) -> System:
    """The system in which rattlers touch nobody: itself, or a view of its present state with a pair list of its own. Collective.

    Energy and stress do not change, as the contacts of rattlers carry nothing.
    """
    own = rattlers(system)
    if not ranks.total(system.comm, int(own.sum())):
        return system
    loose = np.zeros(system.n_all, dtype=np.bool_)
    loose[: system.n_owned] = own
    system.forward(loose)
    pairs = system.pairs
    first = np.repeat(np.arange(system.n_owned), np.diff(pairs.start))
    view = copy.copy(system)
    view.pairs = replace(pairs, inverse_length2=np.where(loose[first] | loose[pairs.index], FAR, 1.0) * pairs.inverse_length2)
    return view


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _contacts(reference, displacement, start, index, inverse_length2, scale, table, loose):
    """(n_all,) interacting partners of each owned particle that are not loose, at a particle that is not."""
    cutoff2 = table.edges[table.edges.size - 1]
    dimension = reference.shape[1]
    count = np.zeros(reference.shape[0], dtype=np.int64)
    for i in range(start.size - 1):
        for p in range(start[i], start[i + 1]):
            j = index[p]
            square = 0.0
            for a in range(dimension):
                x = (reference[j, a] - reference[i, a]) + (displacement[j, a] - displacement[i, a])
                square += x * x
            touching = square * inverse_length2[p] < cutoff2 and not (loose[i] or loose[j])
            count[i] += touching
            count[j] += touching
    return count


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _strongest(reference, displacement, start, index, inverse_length2, scale, table, loose):
    """(n_all,) largest |phi'| among the contacts that `_contacts` counts."""
    dimension = reference.shape[1]
    largest = np.zeros(reference.shape[0])
    x2, c1, work = np.empty(1), np.empty(1), np.empty((2, 1))
    for i in range(start.size - 1):
        for p in range(start[i], start[i + 1]):
            j = index[p]
            if loose[i] or loose[j]:
                continue
            square = 0.0
            for a in range(dimension):
                x = (reference[j, a] - reference[i, a]) + (displacement[j, a] - displacement[i, a])
                square += x * x
            x2[0] = square * inverse_length2[p]
            scalars(1, p, 1, inverse_length2, scale, table, x2, work, c1)
            force = abs(c1[0]) * np.sqrt(square)
            largest[i] = max(largest[i], force)
            largest[j] = max(largest[j], force)
    return largest

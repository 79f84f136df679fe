"""Rattlers: particles that nothing holds in place; and the glass of interacting pairs without them.

In a packing of repulsive particles some sit in cages without being pressed from all sides: with at most d contacts no net force
can vanish unless every single one does. The rows of such rattlers in the Hessian are empty or spurious (a contact that carries
1e-15 is a full spring), so they are found and left out. Taking one out may leave its neighbours with too few contacts: the
search goes on until nothing changes. A rigid wall is a contact like a particle.

Who is held by attraction is kept: a pair at the bottom of its well carries no force, and yet is a spring. And in a configuration
that is not at rest every contact counts, however weak: the Hessian is then the derivative of the forces, and only particles
without any contact are left out.
"""

from __future__ import annotations

import copy

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.neighbours import PairList
from hpcglass.core.pairs import C1, C2, KEEP_NAN
from hpcglass.core.system import System
from hpcglass.landscape import walls
from hpcglass.landscape.forces import evaluate, pair_lists, scalars
from hpcglass.landscape.rest import FORCE_TOLERANCE, force_scale, unrest

WEAK = 1e-6         # of the force scale: a contact that carries less holds nothing ...
NEAR, INSIDE = 0.1, 1e-6    # ... unless it is bound: phi'/phi'' is less of the way to the cut-off, which is farther, in lambda_ij

Flags = NDArray[np.bool_]


def rattlers(system: System) -> Flags:
    """(n_owned,) particles with fewer than d + 1 contacts left, all without force or attraction, in a system at rest. Collective.

    In one that is not, particles without contacts. The system must be up to date.
    """
    return bonded_pairs(system)[1][: system.n_owned]


def bonded(system: System) -> System:
    """A view of the present state with the interacting pairs alone in its list, and none of those of rattlers. Collective.

    Energy and stress are those of the system, as the contacts of rattlers carry nothing.
    """
    return with_pairs(system, select(system.pairs, bonded_pairs(system)[0]))


def bonded_pairs(system: System, shell: float = 0.0) -> tuple[Flags, Flags]:
    """(entries,) pairs that interact, or nearly do, without those of rattlers; (n_all,) rattlers. Collective.

    shell : pairs up to so far beyond the cut-off count too, in units of lambda_ij
    """
    touching, count = _contacts(*pair_lists(system), 0.0)
    if shell:
        near = _contacts(*pair_lists(system), shell)[0]
    else:
        near = touching
    loose = np.zeros(system.n_all, dtype=np.bool_)
    walled, pressed = walls.holding(system)
    few = count[: system.n_owned] + walled <= system.dimension
    if not ranks.total(system.comm, int(few.sum())):
        return near, loose
    mechanics = evaluate(system)
    most, weak = system.dimension, WEAK * force_scale(mechanics)
    if not unrest(system, mechanics) <= FORCE_TOLERANCE:
        most, weak = 0, np.inf      # only who has no contact at all
    first = np.repeat(np.arange(system.n_owned), np.diff(system.pairs.start))
    while True:
        held = touching & ~loose[first] & ~loose[system.pairs.index]
        count, strongest = _load(*pair_lists(system), held)
        strongest = np.maximum(strongest[: system.n_owned], pressed)
        few = (count[: system.n_owned] + walled <= most) & (strongest <= weak)
        if not ranks.total(system.comm, int((few & ~loose[: system.n_owned]).sum())):
            return near & ~loose[first] & ~loose[system.pairs.index], loose
        loose[: system.n_owned] |= few
        system.forward(loose)


def select(pairs: PairList, chosen: Flags) -> PairList:
    """The chosen entries of a list."""
    before = np.concatenate([[0], np.cumsum(chosen)])
    energy = pairs.energy[chosen] if pairs.energy.size else pairs.energy
    owner = pairs.owner[chosen] if pairs.owner.size else pairs.owner
    return PairList(before[pairs.start], owner, pairs.index[chosen], pairs.inverse_length2[chosen], energy)


def with_pairs(system: System, pairs: PairList) -> System:
    """A view of the system's present state with another list; good until the system is rebuilt."""
    view = copy.copy(system)
    view.pairs = pairs
    return view


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _contacts(reference, displacement, start, owner, index, inverse_length2, scale, table, shell):
    """((entries,) pairs closer than cut-off + shell, (n_all,) number of them that each owned particle has)."""
    reach2 = (np.sqrt(table.edges[table.edges.size - 1]) + shell) ** 2
    flat = reference.shape[1] == 2
    count, near = np.zeros(reference.shape[0], dtype=np.int64), np.empty(index.size, dtype=np.bool_)
    one = np.uint64(1)
    for row in range(start.size - 1):
        i = np.uint64(row)
        own = 0
        for entry in range(start[i], start[i + one]):
            p = np.uint64(entry)
            j = np.uint64(index[p])
            x = (reference[j, 0] - reference[i, 0]) + (displacement[j, 0] - displacement[i, 0])
            y = (reference[j, 1] - reference[i, 1]) + (displacement[j, 1] - displacement[i, 1])
            square = x * x + y * y
            if not flat:
                z = (reference[j, 2] - reference[i, 2]) + (displacement[j, 2] - displacement[i, 2])
                square += z * z
            touching = square * inverse_length2[p] < reach2
            near[p] = touching
            own += touching
            count[j] += touching
        count[i] += own
    return near, count


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _load(reference, displacement, start, owner, index, inverse_length2, scale, table, chosen):
    """((n_all,) number of chosen pairs of each owned particle, (n_all,) largest |phi'| among them, infinite for a bound one)."""
    dimension = reference.shape[1]
    count, largest = np.zeros(reference.shape[0], dtype=np.int64), np.zeros(reference.shape[0])
    x2, c1, c2, work = np.empty(1), np.empty(1), np.empty(1), np.empty((2, 1))
    cutoff = np.sqrt(table.edges[table.edges.size - 1])
    for i in range(start.size - 1):
        for p in range(start[i], start[i + 1]):
            if not chosen[p]:
                continue
            j = index[p]
            square = 0.0
            for a in range(dimension):
                x = (reference[j, a] - reference[i, a]) + (displacement[j, a] - displacement[i, a])
                square += x * x
            x2[0] = square * inverse_length2[p]
            scalars(C1, p, 1, inverse_length2, scale, table, x2, work, c1)
            scalars(C2, p, 1, inverse_length2, scale, table, x2, work, c2)
            force, room = abs(c1[0]) * np.sqrt(square), cutoff - np.sqrt(x2[0])
            # a bound pair: the bottom of its well is near, the cut-off is not
            if room > INSIDE and force < NEAR * (c2[0] * square + c1[0]) * room / np.sqrt(inverse_length2[p]):
                force = np.inf
            count[i] += 1
            count[j] += 1
            largest[i] = max(largest[i], force)
            largest[j] = max(largest[j], force)
    return count, largest

"""pi: where the nonlinear modes are.

    pi(i) = sum over the distinct modes found of |T:pi_k pi_k|_i^2 / kappa_k,                                   (B26)

kappa = H:pi pi, T the third derivatives of the energy. The search starts from responses to dipoles, one for each cell of an edge
of about `nonlinear_cell`: of the pairs with their midpoint in it, the one for which |phi' n.(xdot_j - xdot_i)| is largest, xdot
the nonaffine velocity of the shear (B25). Two starts that end in the same mode count once: same core, same cost, which is
stationary there. Starts know nothing of each other and are shared out to the ranks, each of which holds all of the glass.
D. Richard et al., Phys. Rev. Materials 4, 113609 (2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpcglass.indicators.base import Indicator

if TYPE_CHECKING:
    from hpcglass.core.replica import Replica
    from hpcglass.indicators.bonds import Bonds
    from hpcglass.indicators.glass import Glass

SAME = 1e-6         # relative difference of the costs of one and the same mode, found twice
SMALL = 1e-13       # of the largest term of a mode: terms decay as r^(-4d), and the rest need not be kept
LOCAL = 1e-3        # of the largest force H pi on a particle: smaller ones are not kept
MOST_SOLVES = 400
COLUMNS = {"core_id": ("", "particle that moves most"), "stiffness": ("energy/length^2", "kappa = H:pi pi"),
           "form": ("energy/length^n", "U^(n).pi^n"), "cost": ("", "kappa^(n/2) / |form|"),
           "participation": ("", "participation ratio of |pi_i|^2"),
           "gradient": ("", "how well the two terms of the equation cancel, 0 for a solution"),
           "solves": ("", "linear solves"), "first_id": ("", "pair whose dipole it started from"), "second_id": ("", "the other")}


@dataclass
class Found:
    """Nonlinear modes of one order, in a replica of the glass.

    starts : number of them
    rows : (starts, columns) numbers of the mode that each start led to, see COLUMNS; on all ranks
    kept : starts that led to a mode for the first time
    fields : for starts of this rank, number -> (rows of particles, |T:pi pi|_i^2 / kappa there), where it is not negligible
    forces : number -> (rows of particles, H pi there (k, d))
    """

    replica: Replica
    starts: int
    rows: Any
    kept: list[int]
    fields: dict[int, tuple[Any, Any]]
    forces: dict[int, tuple[Any, Any]]


def modes(glass: Glass, degree: int) -> Found:
    """The modes of a glass, looked for once. Collective."""
    if degree not in glass.nonlinear:
        glass.nonlinear[degree] = _search(glass, degree)
    return glass.nonlinear[degree]


def _search(glass: Glass, degree: int) -> Found:
    import numpy as np

    from hpcglass.core import comm as ranks
    from hpcglass.core.replica import Replica
    from hpcglass.indicators.bonds import interacting
    from hpcglass.landscape.lockstep import together
    from hpcglass.landscape.matrix.factors import Inverse
    from hpcglass.landscape.matrix.hessian import Hessian
    from hpcglass.landscape.nonlinear import Derivatives, from_force

    comm, replica = glass.system.comm, Replica(glass.system)
    system, bonds = replica.system, interacting(replica.system)
    starts = dipoles(bonds, loads(bonds, replica.taken(glass.velocity)), glass.choices.nonlinear_cell)
    inverse, form = Inverse(Hessian(system)), Derivatives(system, degree)
    rows = np.zeros((len(starts), len(COLUMNS)))
    fields, forces = {}, {}
    mine = range(comm.rank, len(starts), comm.size)
    searches = (from_force(system, form, dipole(bonds, starts[number]), glass.choices.nonlinear_tolerance, MOST_SOLVES)
                for number in mine)
    for count, (place, mode) in enumerate(together(searches, inverse.apply_all)):
        number = mine[place]
        i, j = bonds.rows[starts[number]]
        square = (mode.mode**2).sum(axis=1)
        participation = 1.0 / (system.n_total * (square**2).sum())
        rows[number] = (system.id[square.argmax()], mode.stiffness, mode.form, mode.cost, participation, mode.gradient,
                        mode.iterations, system.id[i], system.id[j])
        field = bonds.third_squares(mode.mode[:, :, None])[:, 0] / mode.stiffness
        near = np.flatnonzero(field > SMALL * field.max())
        fields[number] = near, field[near]
        force = bonds.second_with_field(mode.mode)
        square = (force**2).sum(axis=1)
        near = np.flatnonzero(square > LOCAL**2 * square.max())
        forces[number] = near, force[near]
        glass.alive(f"start {count} of {len(mine)}")
    rows = ranks.total(comm, rows)
    return Found(replica, len(starts), rows, distinct(rows[:, 0], rows[:, 3]), fields, forces)


def nonlinear(degree: int) -> Any:
    """The indicator of modes of third or fourth order."""
    def compute(glass: Glass) -> Any:
        import numpy as np

        found = modes(glass, degree)
        glass.tables[f"nonlinear_modes_{degree}"] = (found.rows[found.kept], COLUMNS)
        glass.results[f"nonlinear_starts_{degree}"] = (found.starts, "", f"starts of the search for modes of order {degree}")
        glass.results[f"nonlinear_solves_{degree}"] = (int(found.rows[:, 6].sum()), "", "linear solves in all")
        total = np.zeros(found.replica.system.n_owned)
        for number in found.kept:
            if number in found.fields:
                near, values = found.fields[number]
                total[near] += values
        return glass.unless_loose(found.replica.summed(total))
    return compute


def loads(bonds: Bonds, velocity: Any) -> Any:
    """(b,) |phi' n.(xdot_j - xdot_i)| of each pair, where one rank has all; velocity: (n_owned, d) nonaffine."""
    import numpy as np

    return np.abs(bonds.c[1] * np.einsum("ba,ba->b", bonds.vector, bonds.differences(velocity)))


def dipoles(bonds: Bonds, loaded: Any, cell: float) -> Any:
    """(k,) number of the pair of each cell that is loaded most, on a configuration that one rank has alone.

    loaded : (b,) of each pair; cell : about the edge of a cell [length]
    """
    import numpy as np

    from hpcglass.geometries.periodic import heights

    system = bonds.system
    first = bonds.rows[:, 0]
    middle = system.reference[first] + system.displacement[first] + 0.5 * bonds.vector
    cells = np.maximum(np.rint(heights(system.box) / cell), 1).astype(np.int64)
    fraction = (middle @ np.linalg.inv(system.box).T) % 1.0
    place = np.ravel_multi_index(np.minimum((fraction * cells).astype(np.int64), cells - 1).T, tuple(cells))
    ids = system.id[bonds.rows]
    order = np.lexsort((ids.max(axis=1), ids.min(axis=1), -loaded, place))      # the largest first; ids decide between images
    return order[np.unique(place[order], return_index=True)[1]]


def dipole(bonds: Bonds, number: int) -> Any:
    """(n_owned, d) unit forces along a pair that push its particles apart, times its length, on one rank."""
    import numpy as np

    system = bonds.system
    i, j = bonds.rows[number]
    force = np.zeros((system.n_all, system.dimension))
    force[j] += bonds.vector[number]
    system.reverse_add(force)
    force[i] -= bonds.vector[number]
    return force[: system.n_owned]


def distinct(core: Any, cost: Any) -> list[int]:
    """Numbers of the modes that are found for the first time, in the order of their costs."""
    import numpy as np

    kept: list[int] = []
    for number in np.lexsort((np.arange(len(core)), cost)):
        if not any(core[number] == core[other] and abs(cost[number] - cost[other]) < SAME * cost[other]
                   for other in kept[-8:]):
            kept.append(int(number))
    return kept


INDICATORS = tuple(
    Indicator(f"nonlinear_n{degree}", f"π_{degree}", "energy/length^4", "high", "factors", "nonlinear", "B24-B26",
              f"nonlinear modes of order {degree}", nonlinear(degree)) for degree in (3, 4))

"""The end of a descent: where the minimum is near, factors of the Hessian there take the place of most force evaluations.

A descent by forces alone wins a digit of max|F| in a number of evaluations that grows with the size of the glass, to the end.
Once the forces are small the glass is in the basin of its minimum, and a quasi-Newton search with factors of the Hessian
(`quasistatic.newton`) gets the remaining digits in about ten solves. Small forces alone do not prove that the basin is reached:
in the bottleneck that an instability leaves behind they are small, too. So the search must begin and stay where the Hessian is
positive definite, and move nobody far; else the descent goes on from where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hpcglass.core.look import Look, straight_on
from hpcglass.core.system import System
from hpcglass.landscape.forces import Mechanics, evaluate, largest_force
from hpcglass.moves.minimise import Report
from hpcglass.moves.relax import Watch, force_scale, to_minimum

if TYPE_CHECKING:
    from hpcglass.landscape.matrix.factors import Inverse

NEAR = 1e-5             # max|F| in units of the force scale from which factors are tried ...
NEAR_LIQUID = 1e-4      # the same of a quench: no bottleneck of an instability lies on its way
NEAR_CORE = 1e-2        # the same where only a core was inflated: far from it the glass has stayed in its basin
NEARER, LAST = 0.1, 5e-7        # ... and, if in vain, so much lower once more, but not below this
REACH = 0.02            # largest way of a particle to the minimum that was near
ROUNDS = 6              # factorisations at most
GAIN = 0.1              # by which max|F| must fall for another one
SAFETY = 0.999          # of the tolerance: the force scale of the minimum is not known before
REASON = "max|F| is below the tolerance, at last by factors"


@dataclass
class Settled:
    """How a search with factors ended.

    converged : at the tolerance, nobody far from the start
    max_force : where it ended [energy/length]
    evaluations, solves : force evaluations, solutions
    iterations : of the last round: few, if the last factors are good for the minimum
    """

    converged: bool
    max_force: float
    evaluations: int
    solves: int
    iterations: int


def settle(system: System, factors: Callable[[], Inverse], tolerance: float, look: Look = straight_on) -> Settled:
    """Move to the minimum nearby, with new factors where those in use do not lead on. Collective.

    Parameters
    ----------
    factors : makes those of the present configuration
    tolerance : on max_i |F_i| [energy/length]
    """
    from hpcglass.moves.quasistatic.newton import correct

    system.fields["corrected"] = np.zeros((system.n_owned, system.dimension))
    best, settled = np.inf, Settled(False, np.inf, 0, 0, 0)
    for _ in range(ROUNDS):
        system.update()
        inverse = factors()
        if not inverse.stable:
            break
        correction = correct(system, inverse, tolerance, look)
        settled.max_force, settled.iterations = correction.max_force, correction.iterations
        settled.evaluations += correction.evaluations
        settled.solves += correction.iterations
        if correction.converged:
            settled.converged = largest_force(system, system.fields["corrected"]) <= REACH
            break
        if not correction.rebuilt:
            if not correction.max_force <= GAIN * best:
                break
            best = correction.max_force
    system.fields.pop("corrected")
    return settled


def land(system: System, algorithm: str, tolerance: float, max_evaluations: int, factors: Callable[[], Inverse],
         watch: Watch | None = None, state: dict[str, Any] | None = None, look: Look = straight_on, near: float = NEAR
         ) -> tuple[Report, Mechanics, Settled | None]:
    """As `to_minimum`, with factors at the end where they lead there. Collective.

    Parameters
    ----------
    factors : makes those of the present configuration; the last ones are left to the caller
    watch, state : as of `to_minimum`
    look : called before each solve
    near : max|F| in units of the force scale from which factors are tried

    Returns
    -------
    (report, mechanics, the search with factors if it led to the minimum)
    """
    state = dict(state or {})
    tried, evaluations = int(state.pop("tried", 0)), 0
    while (level := near * NEARER**tried) > max(tolerance, LAST):
        report, mechanics = to_minimum(system, algorithm, level, max_evaluations, _marked(watch, tried), state, evaluations)
        here, state, tried = system.state(), {}, tried + 1
        settled = settle(system, factors, SAFETY * tolerance * force_scale(mechanics), look)
        evaluations = report.evaluations + settled.evaluations
        if settled.converged:
            mechanics = evaluate(system)
            if settled.max_force <= tolerance * force_scale(mechanics):
                return Report(True, REASON, settled.max_force, evaluations), mechanics, settled
        system.restore(*here)
    return (*to_minimum(system, algorithm, tolerance, max_evaluations, _marked(watch, tried), state, evaluations), None)


def land_alone(system: System, algorithm: str, tolerance: float, max_evaluations: int, watch: Watch | None = None,
               state: dict[str, Any] | None = None, near: float = NEAR_LIQUID) -> tuple[Report, Mechanics]:
    """As `to_minimum`, with factors at the end that nobody else needs. From a liquid they can be tried early. Collective."""
    from hpcglass.landscape.matrix.factors import Inverse
    from hpcglass.landscape.matrix.hessian import Hessian

    made: list[Inverse] = []

    def factors() -> Inverse:
        drop()
        made.append(Inverse(Hessian(system)))
        return made[0]

    def drop() -> None:
        while made:
            made.pop().destroy()

    try:
        return land(system, algorithm, tolerance, max_evaluations, factors, watch, state, near=near)[:2]
    finally:
        drop()


def _marked(watch: Watch | None, tried: int) -> Watch | None:
    """A `watch` to which is also said how often factors were tried."""
    if watch is None:
        return None

    def marked(count: int, largest: float, numbers: dict[str, Any]) -> int:
        return watch(count, largest, {**numbers, "tried": tried})

    return marked

"""Quasistatic steps without memory: an affine step, then a descent. What `branch` does when there is no branch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core.look import Look, straight_on
from hpcglass.core.system import System
from hpcglass.geometries.periodic import deformation
from hpcglass.landscape.forces import Mechanics, evaluate
from hpcglass.moves.minimise import Report
from hpcglass.moves.relax import paced, to_minimum

Floats = NDArray[np.float64]


class Descents:
    """The same verbs as `branch.Branch`.

    Parameters
    ----------
    system : a minimum
    gradient : (d, d) velocity gradient A
    algorithm : "fire" or "cg"
    tolerance : of max|F|, in units of the root-mean-square pair force
    max_evaluations : of one descent
    scalars : of an interrupted run
    look : called now and then; may leave a step where it is, by an exception
    """

    surprised = False       # nothing was expected

    def __init__(self, system: System, gradient: Floats, algorithm: str, tolerance: float, max_evaluations: int,
                 scalars: dict[str, Any] | None = None, look: Look = straight_on) -> None:
        self.system, self.gradient = system, gradient
        self.algorithm, self.tolerance, self.max_evaluations = algorithm, tolerance, max_evaluations
        self.look = look
        self.counts: Counter[str] = Counter(evaluations=int(scalars["evaluations"]) if scalars else 0)
        self.mechanics: Mechanics = evaluate(system)

    def advance(self, step: float) -> tuple[Report, Mechanics] | None:
        """A step of strain. Collective. Raises PhysicsError if no minimum is reached."""
        return self.fall(step)

    def fall(self, step: float) -> tuple[Report, Mechanics]:
        """The same."""
        self.system.deform(deformation(self.gradient, step))
        report, self.mechanics = to_minimum(self.system, self.algorithm, self.tolerance, self.max_evaluations,
                                            paced(self.system, self.look))
        self.counts["evaluations"] += report.evaluations
        return report, self.mechanics

    def peep(self, step: float, question: Callable[[], Any]) -> None:
        """Nothing: there is no branch to look along."""

    def finish(self) -> None:
        """Nothing to drop."""

    @property
    def scalars(self) -> dict[str, Any]:
        """What `__init__` takes to go on."""
        return {"evaluations": self.counts["evaluations"]}

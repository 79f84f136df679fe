"""Is a plastic event reversible? The strain is taken back until the glass is again where it was, or is not.

In very stable glasses first events are often anelastic: the barrier that vanished at the event comes back and another vanishes on
unloading, at the recovering strain, and the glass returns to the branch it left: a hysteresis loop, and no trace of it afterwards
(D. Richard et al., Phys. Rev. Materials 4, 113609 (2020), Fig. 5). Two copies are unloaded in step, one from after the event and
one from the last state before it; when they coincide the old state is recovered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.landscape.forces import largest_force

SAME = 1e-5         # largest distance of a particle between two copies of one state, in units of the model's length

State = tuple[dict[str, Any], dict[str, Any]]


@dataclass
class Reversal:
    """How events of a loading are tested.

    system : the glass; left as it is
    mover : makes what takes quasistatic steps of a system, as `Branch` or `Descents`
    reach : strain by which it is unloaded at most
    """

    system: System
    mover: Callable[[System], Any]
    reach: float

    def __call__(self, before: State, strain: float, step: float) -> dict[str, float]:
        """{"reversible": 0 or 1, "recovering_strain": NaN if not} of an event between `before` and the present. Collective.

        Parameters
        ----------
        before : state of the system before the event
        strain : there
        step : strain from there to the present state, signed
        """
        system = self.system
        glass = System.from_state(system.comm, system.model, *system.state())
        twin = System.from_state(system.comm, system.model, *before)
        glass.fields, twin.fields = {}, {}
        movers = [self.mover(glass), self.mover(twin)]
        move(movers[0], -step)
        here = strain
        steps = max(1, round(self.reach / abs(step)))
        for k in range(steps + 1):
            if distance(glass, twin) <= SAME:
                return {"reversible": 1.0, "recovering_strain": here}
            if k < steps:
                for mover in movers:
                    move(mover, -step)
                here -= step
        return {"reversible": 0.0, "recovering_strain": np.nan}


def move(mover: Any, step: float) -> None:
    """One quasistatic step."""
    if mover.advance(step) is None:
        mover.fall(step)


def distance(a: System, b: System) -> float:
    """Largest distance between the same particle in two copies of a glass in the same cell, a uniform shift apart. Collective."""
    there = a.reorder(b.id[: b.n_owned].copy(), b.unwrapped())
    apart: NDArray[np.float64] = a.unwrapped() - there
    apart -= ranks.total(a.comm, apart.sum(axis=0)) / a.n_total
    return largest_force(a, apart)

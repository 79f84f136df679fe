"""Is a plastic event reversible? The strain is taken back until the glass is again where it was, or is not.

In very stable glasses first events are often anelastic: the barrier that vanished at the event comes back and another vanishes on
unloading, at the recovering strain, and the glass returns to the branch it left: a hysteresis loop, and no trace of it afterwards
(D. Richard et al., Phys. Rev. Materials 4, 113609 (2020), Fig. 5). Two copies are unloaded in step, one from after the event and
one from the last state before it; when they coincide the old state is recovered.

It takes as long as a loading of that length: one or two minutes at N = 10^4, hours in the largest glasses. Meanwhile the glass
itself is put back to the state before its step: a checkpoint is that of the last step, and besides it the two copies, where they
were after the last step of both. After a restart the step is made again, to the bit, and the unloading goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.landscape.forces import largest_force
from hpcglass.stages.base import Snapshot

SAME = 1e-5         # largest distance of a particle between two copies of one state, in units of the model's length
COPIES = ("unload glass", "unload twin")        # from after the event, and from before it
SHARED = ("id", "diameter", "species")          # rows that the copies have in common with the glass

Rows = dict[str, Any]
State = tuple[dict[str, Any], Rows]
SafePoint = Callable[[str, Callable[[dict[str, Any]], Snapshot]], None]


class Unloading:
    """How events of a loading are tested, with safe points on the way.

    system : the glass; left as it is
    mover : makes what takes quasistatic steps of a system, as `Branch` or `Descents`, also from scalars of an interrupted run
    reach : strain by which it is unloaded at most
    restored : of an interrupted run, None at the start of one; the system is then as it was in that checkpoint
    """

    def __init__(self, system: System, mover: Callable[..., Any], reach: float, restored: Snapshot | None) -> None:
        self.system, self.mover, self.reach = system, mover, reach
        self.done = 0                   # steps of both copies
        self.movers: list[Any] = []     # of the copies; none when nothing is being unloaded
        self.kept: tuple[dict[str, Any], dict[str, Rows]] | None = None     # numbers, and rows of each copy, as last stored
        if restored and "unload done" in restored.scalars:
            self.done = int(restored.scalars["unload done"])
            self.movers = [self._resume(name, restored) for name in COPIES]
            self._keep()

    def __call__(self, before: State, strain: float, step: float, safe_point: SafePoint) -> dict[str, float]:
        """{"reversible": 0 or 1, "recovering_strain": NaN if not} of an event between `before` and the present. Collective.

        Parameters
        ----------
        before : state of the system before the event
        strain : there
        step : strain from there to the present state, signed
        safe_point : called after each step with a note, and what makes a snapshot of the numbers kept from before the event
        """
        after = self.system.state()
        if not self.movers:
            self.done = 0
            self.movers = [self.mover(self._copy(state)) for state in (after, before)]
            move(self.movers[0], -step)
            self._keep()
        self.system.restore(*before)
        glass, twin = (mover.system for mover in self.movers)
        steps = max(1, round(self.reach / abs(step)))
        while (apart := distance(glass, twin) > SAME) and self.done < steps:
            for mover in self.movers:
                move(mover, -step)
            self.done += 1
            self._keep()
            safe_point(f"strain {strain:.4g} unloaded to {strain - self.done * step:.4g}", self.snapshot)
        for mover in self.movers:
            mover.finish()
        self.movers, self.kept = [], None
        self.system.restore(*after)
        return {"reversible": float(not apart), "recovering_strain": np.nan if apart else strain - self.done * step}

    def _copy(self, state: State) -> System:
        """A glass of its own, without the fields of the loading."""
        numbers, rows = state
        return System.from_state(self.system.comm, self.system.model, numbers,
                                 {name: values for name, values in rows.items() if not name.startswith("field:")})

    def _keep(self) -> None:
        """Both copies, as they are."""
        scalars: dict[str, Any] = {"unload done": self.done}
        copies = {}
        for name, mover in zip(COPIES, self.movers, strict=True):
            numbers, copies[name] = mover.system.state()
            scalars |= {f"{name} {key}": value for key, value in (numbers | mover.scalars).items()}
        self.kept = scalars, copies

    def snapshot(self, scalars: dict[str, Any]) -> Snapshot:
        """The copies that were kept, if any, besides the numbers of the loading; rows in the order of the glass. Collective."""
        if self.kept is None:
            return Snapshot(scalars)
        numbers, copies = self.kept
        fields = {f"{name} {key}": self.system.reorder(rows["id"], values)
                  for name, rows in copies.items() for key, values in rows.items() if key not in SHARED}
        return Snapshot(scalars | numbers, fields)

    def _resume(self, name: str, restored: Snapshot) -> Any:
        """The mover of one copy, as it was."""
        own = len(name) + 1
        numbers, rows = ({key[own:]: value for key, value in entries.items() if key.startswith(name)}
                         for entries in (restored.scalars, restored.fields))
        everybody = self.system.state()[1]
        copy = System.from_state(self.system.comm, self.system.model, numbers, rows | {key: everybody[key] for key in SHARED})
        return self.mover(copy, numbers)


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

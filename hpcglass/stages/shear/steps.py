"""The steps of a loading: made, taken back where they are too long, and judged: was this one a plastic event?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpcglass.core.look import Look
from hpcglass.core.system import System
from hpcglass.errors import PhysicsError
from hpcglass.stages.base import Context, Snapshot
from hpcglass.stages.protocol import Walk
from hpcglass.stages.shear.loading import Floats, Record, State, Step, SystemState, dissipation, missing
from hpcglass.stages.shear.params import ShearParams
from hpcglass.stages.shear.reversal import SAME, SafePoint, Unloading, distance

if TYPE_CHECKING:
    from hpcglass.moves.minimise import Report
    from hpcglass.moves.quasistatic.branch import Branch
    from hpcglass.moves.quasistatic.descents import Descents
    from hpcglass.moves.relax import Watch

PARTS = 8       # of a step that is made again


@dataclass
class Movers:
    """What takes quasistatic steps: a `Branch` if elastic branches are followed, else `Descents` (`moves.quasistatic`).

    look : called now and then within a step
    """

    follow: bool
    gradient: Any
    algorithm: str
    tolerance: float
    max_evaluations: int
    look: Look

    def relax(self, system: System, watch: Watch, state: dict[str, Any] | None) -> Report:
        """To the minimum to start from, with `watch` and `state` as in `to_minimum`."""
        from hpcglass.moves.relax import to_minimum

        return to_minimum(system, self.algorithm, self.tolerance, self.max_evaluations, watch, state)[0]

    def __call__(self, system: System, scalars: dict[str, Any] | None = None) -> Branch | Descents:
        """One for a system, new or as its `scalars` say."""
        if not self.follow:
            return self.descents(system, scalars)
        from hpcglass.moves.quasistatic.branch import Branch

        return Branch(system, self.gradient, self.algorithm, self.tolerance, self.max_evaluations, scalars, self.look)

    def descents(self, system: System, scalars: dict[str, Any] | None = None) -> Descents:
        """One that follows no branch."""
        from hpcglass.moves.quasistatic.descents import Descents

        return Descents(system, self.gradient, self.algorithm, self.tolerance, self.max_evaluations, scalars, self.look)


class Steps:
    """Makes one step after the other.

    Parameters
    ----------
    walk : which strains are visited; steps are halved there
    movers : make what takes the steps
    restored : of an interrupted loading

    Attributes
    ----------
    before : state of the system before the step in hand
    """

    def __init__(self, system: System, context: Context, params: ShearParams, walk: Walk, movers: Movers,
                 restored: Snapshot | None) -> None:
        self.system, self.context, self.params, self.walk = system, context, params, walk
        self.movers, self.follow = movers, movers.follow
        self.gradient: Floats = movers.gradient
        self.unloading = Unloading(system, movers, params.reverse_strain, restored) if params.reverse else None
        self.before: SystemState = system.state()
        self.mover = movers(system, restored.scalars if restored else None)

    def attempt(self, record: Record, safe_point: SafePoint) -> Step | None:
        """The next step; None if it was taken back, and a shorter one is to be tried. Collective.

        safe_point : called while an event is unloaded, as `Unloading` says
        """
        system, walk = self.system, self.walk
        before, size, strain = system.state(), walk.step, walk.ahead
        self.before = before
        with self.context.timer("minimise"):
            done = self.mover.advance(size)
            fell = done is None
            if done is None and not walk.halve():
                done = self.mover.fall(size)
        if done is None:
            return None
        report, mechanics = done
        state = State.of(strain, self.gradient, system.volume, mechanics)
        dissipated = dissipation(record.history, state)
        event = self._is_event(dissipated, fell, before, record.history[-1], state)
        if event and not fell and walk.halve():
            system.restore(*before)
            return None
        unloaded = {}
        if event and self.unloading:
            with self.context.timer("unload"):
                unloaded = self.unloading(before, record.history[-1].strain, size, safe_point)
        return Step(record.steps + 1, size, record.history, state, mechanics, report, dissipated, event, before, unloaded)

    def back(self) -> None:
        """The system as it was before the step in hand, to the bit. Collective."""
        self.system.restore(*self.before)

    def snapshot(self, scalars: dict[str, Any]) -> Snapshot:
        """What goes on from there: the loading's numbers of before the step, and an unloading that had begun. Collective."""
        return self.unloading.snapshot(scalars) if self.unloading else Snapshot(scalars)

    def _is_event(self, dissipated: float, fell: bool, before: SystemState, last: State, state: State) -> bool:
        """A step along a branch is none by definition; a fall from its end is one, however little is lost.

        Not every fall is from an end: a long step may be too much for the corrector although the branch goes on. If little was
        lost, the new branch is asked where it comes from, then the end itself is looked for; where there is none to be found
        (contacts that open make ends which are no folds), but the energies do not balance, the step is made again in parts.
        """
        if dissipated > self.params.event_energy:
            return fell or not self.follow
        if not (fell and self.follow):
            return False
        with self.context.timer("events"):
            return (self._led_elsewhere(before, state.strain - last.strain)
                    or branch_ends(self.system, before, self.gradient, state.strain - last.strain, self.movers.look)
                    or (self.mover.surprised and self._lost_in_parts(before, last, state)))

    def _led_elsewhere(self, before: SystemState, size: float) -> bool:
        """Whether the present branch, one step back, is seen not to be that of the state `before`. Collective."""
        old = System.from_state(self.system.comm, self.system.model, *before)
        return bool(self.mover.peep(-size, lambda: distance(self.system, old) > SAME))

    def _lost_in_parts(self, before: SystemState, last: State, state: State) -> bool:
        """Whether energy is also lost between two states when the strain is made in parts. Collective.

        In n parts the trapezoid's error is smaller by n^2; what is lost at an instability stays.
        """
        copy = self.movers.descents(System.from_state(self.system.comm, self.system.model, *before))
        lost, here = 0.0, last
        for k in range(1, PARTS + 1):
            strain = last.strain + k * (state.strain - last.strain) / PARTS
            _, mechanics = copy.fall(strain - here.strain)
            there = State.of(strain, self.gradient, copy.system.volume, mechanics)
            lost, here = lost + missing(here, there), there
        return lost > 0.5 * abs(missing(last, state))


def branch_ends(system: System, before: SystemState, gradient: Floats, size: float, look: Look) -> bool:
    """Whether the branch of the state `before` has its fold within a strain `size`, as far as can be told. Collective."""
    from hpcglass.moves.quasistatic.fold import WHETHER, locate

    try:
        fold = locate(System.from_state(system.comm, system.model, *before), gradient, size, look, WHETHER)
    except PhysicsError:            # two softest modes alike
        return False
    return fold is not None and abs(fold.strain) <= abs(size)

"""The steps of a loading: made, taken back where they are too long, and judged: was this one a plastic event?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpcglass.core.system import System
from hpcglass.errors import PhysicsError
from hpcglass.stages.base import Context
from hpcglass.stages.protocol import Walk
from hpcglass.stages.shear.loading import Floats, Record, State, Step, SystemState, dissipation
from hpcglass.stages.shear.params import ShearParams
from hpcglass.stages.shear.reversal import SafePoint, Unloading

if TYPE_CHECKING:
    from hpcglass.moves.minimise import Report
    from hpcglass.moves.quasistatic.branch import Branch
    from hpcglass.moves.quasistatic.descents import Descents


@dataclass
class Movers:
    """What takes quasistatic steps: a `Branch` if elastic branches are followed, else `Descents` (`moves.quasistatic`)."""

    follow: bool
    gradient: Any
    algorithm: str
    tolerance: float
    max_evaluations: int

    def relax(self, system: System) -> Report:
        """To the minimum to start from."""
        from hpcglass.moves.relax import to_minimum

        return to_minimum(system, self.algorithm, self.tolerance, self.max_evaluations)[0]

    def __call__(self, system: System, scalars: dict[str, Any] | None = None) -> Branch | Descents:
        """One for a system, new or as its `scalars` say."""
        kind: type[Branch | Descents]
        if self.follow:
            from hpcglass.moves.quasistatic.branch import Branch as kind
        else:
            from hpcglass.moves.quasistatic.descents import Descents as kind
        return kind(system, self.gradient, self.algorithm, self.tolerance, self.max_evaluations, scalars)


class Steps:
    """Makes one step after the other.

    Parameters
    ----------
    walk : which strains are visited; steps are halved there
    movers : make what takes the steps
    """

    def __init__(self, system: System, context: Context, params: ShearParams, walk: Walk, movers: Movers) -> None:
        self.system, self.context, self.params, self.walk = system, context, params, walk
        self.gradient: Floats = movers.gradient
        self.follow = movers.follow
        kept = context.restored
        self.unloading = Unloading(system, movers, params.reverse_strain, kept) if params.reverse else None
        self.mover = movers(system, kept.scalars if kept else None)

    def attempt(self, record: Record, safe_point: SafePoint) -> Step | None:
        """The next step; None if it was taken back, and a shorter one is to be tried. Collective.

        safe_point : called while an event is unloaded, as `Unloading` says
        """
        system, walk = self.system, self.walk
        before, size, strain = system.state(), walk.step, walk.ahead
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
        event = self._is_event(dissipated, fell, before, size)
        if event and not fell and walk.halve():
            system.restore(*before)
            return None
        unloaded = {}
        if event and self.unloading:
            with self.context.timer("unload"):
                unloaded = self.unloading(before, record.history[-1].strain, size, safe_point)
        return Step(record.steps + 1, size, record.history, state, mechanics, report, dissipated, event, before, unloaded)

    def _is_event(self, dissipated: float, fell: bool, before: SystemState, size: float) -> bool:
        """A step along a branch is none by definition; a fall from its end is one, however little is lost.

        Not every fall is from an end: a long step may be too much for the corrector although the branch goes on. If little was
        lost, the end itself is looked for; the balance of energies decides only where it cannot be found out.
        """
        if dissipated > self.params.event_energy:
            return fell or not self.follow
        if not (fell and self.follow):
            return False
        with self.context.timer("events"):
            ends = branch_ends(self.system, before, self.gradient, size)
        return self.mover.surprised if ends is None else ends


def branch_ends(system: System, before: SystemState, gradient: Floats, size: float) -> bool | None:
    """Whether the branch of the state `before` ends within a strain `size` from there; None if it cannot be told. Collective."""
    from hpcglass.moves.quasistatic.fold import locate

    try:
        fold = locate(System.from_state(system.comm, system.model, *before), gradient, size)
    except PhysicsError:            # two softest modes alike
        return None
    return fold is not None and abs(fold.strain) <= abs(size)

"""Athermal quasistatic deformation: a small step of strain, then the nearest minimum, again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hpcglass.stages.base import Context, GivenUp, Snapshot, Stage, concentrate
from hpcglass.stages.protocol import Walk, legs
from hpcglass.stages.shear.params import ShearParams

if TYPE_CHECKING:
    from hpcglass.core.system import System
    from hpcglass.moves.minimise import Report
    from hpcglass.stages.shear.loading import Record
    from hpcglass.stages.shear.observer import Observer
    from hpcglass.stages.shear.steps import Movers, Steps

BEFORE_THE_START = {"relaxing", "relaxed"}       # in checkpoints of the way to the first minimum
COUNTS = {
    "steps": "steps along elastic branches", "falls": "steps by a plain descent, where a branch ended",
    "evaluations": "force evaluations", "solves": "linear solves", "factorisations": "factorisations of the Hessian",
    "refused": "attempted steps that were taken back"}


class Shear(Stage):
    """Quasistatic deformation."""

    name = "shear"
    Params = ShearParams

    def run(self, system: System, context: Context) -> None:
        """Strain a little, find the minimum, compare the energy with the work done; record it, and let the observers look."""
        from hpcglass.stages.shear.loading import Record

        params: ShearParams = self.params
        concentrate(system, context)
        kept = context.restored.scalars if context.restored else None
        if kept and not BEFORE_THE_START.isdisjoint(kept):
            kept = None
        gradient = self.gradient(system.dimension)
        record = Record(system, context, gradient, kept)
        walk = Walk(legs(params.max_strain, params.strain_step, params.turning_points, params.cycles),
                    params.smallest_step if params.adaptive else None, kept)
        movers = self.mover(system, context, gradient)
        steps, report = self.begin(system, context, walk, movers, kept)
        if report:
            record.start(steps.mover.mechanics, report)
        observers = self.observers(system, context, gradient, walk, kept)
        resumable = [record, walk, steps.mover, *observers]

        def safe_point(note: str, snapshot: Callable[[dict[str, Any]], Snapshot] = Snapshot) -> None:
            context.safe_point(number, walk.total, lambda: snapshot(scalars), note)

        while not walk.done:
            scalars = {name: value for part in resumable for name, value in part.scalars.items()}   # of before the step
            number = walk.whole_steps if params.adaptive else record.steps
            last = record.history[-1]
            note = f"strain {last.strain:.4g}, stress {last.stress:.4g}, {number_of_events(record.events)}"
            safe_point(note)
            for observer in observers:
                observer.before()
            try:
                step, leg = steps.attempt(record, safe_point), walk.leg
                if step is None:
                    continue
                walk.advance()
                record.add(step, turned=walk.leg != leg and len(walk.path) > 1)
                for observer in observers:
                    observer.after(step)
            except GivenUp:
                steps.back()
                safe_point(note, steps.snapshot)
                raise
        context.end_point(Snapshot({name: value for part in resumable for name, value in part.scalars.items()}))
        mechanics = steps.mover.mechanics
        self.finish(context, steps.mover.counts, record, walk.strain)
        steps.mover.finish()
        for observer in observers:
            observer.finish(walk.strain)
        context.result("energy", mechanics.energy, "energy", "potential energy at the end")
        context.result("stress", mechanics.stress, "energy/length^d", "stress tensor at the end, tension positive")

    def begin(self, system: System, context: Context, walk: Walk, movers: Movers, kept: dict[str, Any] | None
              ) -> tuple[Steps, Report | None]:
        """What makes the steps; at the start of a loading in the minimum to begin with, and then how that was found."""
        from hpcglass.stages.shear.steps import Steps

        if kept:
            return Steps(system, context, self.params, walk, movers, context.restored), None
        report = self.relax(system, context, walk, movers)
        rested = system.state()
        try:
            return Steps(system, context, self.params, walk, movers, None), report
        except GivenUp:
            system.restore(*rested)
            context.safe_point(0, walk.total, lambda: Snapshot({"relaxed": 1, **vars(report)}))
            raise

    def relax(self, system: System, context: Context, walk: Walk, movers: Movers) -> Report:
        """Say what is going to happen, and find the minimum to begin with."""
        from hpcglass.moves.minimise import Report
        from hpcglass.moves.relax import after

        how = "along branches" if movers.follow else f"by descents ({movers.algorithm})"
        context.log(f"shear: {self.plan(walk.total)}, {how}")
        state = dict(context.restored.scalars) if context.restored else {}
        if state.pop("relaxed", 0):
            return Report(bool(state["converged"]), str(state["reason"]), float(state["max_force"]), int(state["evaluations"]))
        state.pop("relaxing", 0)

        def watch(count: int, largest: float, numbers: dict[str, Any]) -> int:
            if count % system.pace == 0:
                context.safe_point(0, walk.total, lambda: Snapshot({"relaxing": 1, **numbers}), f"relaxing, max|F| {largest:.2e}")
            return after(system, count)

        with context.timer("minimise"):
            return movers.relax(system, watch, state or None)

    def observers(self, system: System, context: Context, gradient: Any, walk: Walk,
                  kept: dict[str, Any] | None) -> list[Observer]:
        """Who looks at each step, in this order."""
        from hpcglass.stages.shear.activity import Activity
        from hpcglass.stages.shear.events import Events
        from hpcglass.stages.shear.observer import Frames

        params: ShearParams = self.params
        frames = Frames(context, walk, params.frames_every, kept)
        activity = [Activity(system, context, gradient, params, walk, kept)] if params.activity_every else []
        return [Events(system, context, gradient, frames, params, kept), *activity, frames]

    def mover(self, system: System, context: Context, gradient: Any) -> Movers:
        """How steps are made."""
        from hpcglass.moves.quasistatic.choice import branch_pays, without_factors
        from hpcglass.stages.shear.steps import Movers

        params: ShearParams = self.params
        pays = params.method == "auto" and branch_pays(system.n_total, system.dimension, params.strain_step)
        if pays and (reason := without_factors()):
            context.log(f"shear: following branches would be faster, but {reason}")
            pays = False
        algorithm = params.method if params.method in ("fire", "cg") else params.algorithm
        follow = params.method == "branch" or pays
        context.cite("maloney2006", "falk1998", "bitzek2006" if algorithm == "fire" else "polak1969")
        if follow or params.locate:         # along branches the ends of small events are looked for, too
            context.cite("nocedal1980", "keller1977")
        return Movers(follow, gradient, algorithm, params.force_tolerance, params.max_evaluations, context.look)

    def gradient(self, dimension: int) -> Any:
        """(d, d) velocity gradient A."""
        import numpy as np

        from hpcglass.geometries import periodic

        if self.params.mode == "dilation":
            return np.eye(dimension)
        return (periodic.simple_shear if self.params.mode == "simple" else periodic.pure_shear)(dimension, self.params.plane)

    def plan(self, steps: int) -> str:
        """The protocol in words."""
        params: ShearParams = self.params
        what = params.mode if params.mode == "dilation" else f"{params.mode} shear {params.plane}"
        way = f"{steps} step{'s' * (steps != 1)} of {params.strain_step:g}{' or less' * params.adaptive}"
        if params.cycles:
            way += f", {params.cycles} cycle{'s' * (params.cycles != 1)} of amplitude {params.max_strain:g}"
        if params.turning_points:
            way += f", from 0 to {', '.join(f'{point:g}' for point in params.turning_points)}"
        return f"{what}, {way}"

    def finish(self, context: Context, counts: dict[str, int], record: Record, strain: float) -> None:
        """The work that was done."""
        for name, long_name in COUNTS.items():
            context.result(f"count_{name}", counts[name], "", long_name)
        context.reached(record.steps, strain)
        way = f"{record.steps} step{'s' * (record.steps != 1)} to strain {strain:g}"
        context.log(f"shear: {way}, {number_of_events(record.events)}")
        if counts["factorisations"]:
            context.log("shear: " + ", ".join(f"{counts[name]} {name}" for name in COUNTS))

    def force_evaluations(self, particles: int) -> float:
        return 900.0 * self.params.steps

    def frames(self) -> int:
        every = self.params.frames_every
        return int(self.params.steps) // every if every else 0


def number_of_events(count: int) -> str:
    return f"{count} event{'s' * (count != 1)}"

"""Athermal quasistatic deformation: a small step of strain, then the nearest minimum, again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpcglass.stages.base import Context, Snapshot, Stage
from hpcglass.stages.protocol import Walk, legs
from hpcglass.stages.shear.params import ShearParams

if TYPE_CHECKING:
    from hpcglass.core.system import System
    from hpcglass.landscape.forces import Mechanics
    from hpcglass.moves.minimise import Report
    from hpcglass.moves.quasistatic.branch import Branch
    from hpcglass.moves.quasistatic.descents import Descents
    from hpcglass.stages.shear.events import State

COUNTS = {
    "steps": "steps along elastic branches", "falls": "steps by a plain descent, where a branch ended",
    "evaluations": "force evaluations", "solves": "linear solves", "factorisations": "factorisations of the Hessian",
    "refused": "attempted steps that were taken back"}


class Shear(Stage):
    """Quasistatic deformation."""

    name = "shear"
    Params = ShearParams

    def run(self, system: System, context: Context) -> None:
        """Step, minimise, compare the energy with the work done; a row per step, a row per event."""
        import numpy as np

        from hpcglass.geometries import periodic
        from hpcglass.stages.shear.activity import Activity
        from hpcglass.stages.shear.events import Events, State, dissipation, missing
        from hpcglass.stages.shear.reversal import Unloading

        params: ShearParams = self.params
        restored = context.restored.scalars if context.restored else None
        gradient = self.gradient(system.dimension)
        table = LoadingTable(context, gradient)
        walk = Walk(legs(params.max_strain, params.strain_step, params.turning_points, params.cycles),
                    params.smallest_step if params.adaptive else None, restored)
        make = self.mover(system, context, gradient)
        report = None
        if not restored:
            how = "along branches" if make.follow else f"by descents ({make.algorithm})"
            context.log(f"shear: {self.plan(walk.total)}, {how}")
            with context.timer("minimise"):
                report = make.relax(system)
        unloading = Unloading(system, make, params.reverse_strain, context.restored) if params.reverse else None
        mover = make(system, restored)
        events = Events(system, context, gradient, params.event_frames, params.locate, params.reverse, restored)
        activity = Activity(system, context, gradient, params, restored)
        if restored:
            step, lost = int(restored["step"]), float(restored["lost"])
            history = [State.of_row(row) for row in np.asarray(restored["history"]).tolist()]
        else:
            step, lost = 0, 0.0
            assert report is not None
            history = [table.row(0.0, system.volume, mover.mechanics, 0.0, 0.0, report)]

        kept: dict[str, Any] = {}       # what goes on from before the step

        def safe_point(note: str, snapshot: Callable[[dict[str, Any]], Snapshot] = Snapshot) -> None:
            context.safe_point(walk.whole_steps if params.adaptive else step, walk.total, lambda: snapshot(kept), note)

        while not walk.done:
            kept = {"step": step, "lost": lost, "history": np.array([row.row for row in history]),
                    **walk.scalars, **events.scalars, **activity.scalars, **mover.scalars}
            safe_point(f"strain {history[-1].strain:.4g}, stress {history[-1].stress:.4g}, {number_of_events(events.count)}")
            before, size, strain, leg = system.state(), walk.step, walk.ahead, walk.leg
            system.fields["before the step"] = system.unwrapped()
            with context.timer("minimise"):
                done = mover.advance(size)
                fell = done is None
                if done is None and not walk.halve():
                    done = mover.fall(size)
            if done is None:
                system.fields.pop("before the step")
                continue
            report, mechanics = done
            state = State.of(strain, gradient, system.volume, mechanics)
            dissipated = dissipation(history, state)
            # a step along a branch is none by definition; a fall from its end is one, however little is lost
            found = (fell or not make.follow) and (dissipated > params.event_energy or mover.surprised)
            if fell and make.follow and not found:
                with context.timer("events"):
                    found = events.ended(before, size)
            if found and not fell and walk.halve():
                system.restore(*before)
                continue
            unloaded = {}
            if found and unloading:
                with context.timer("unload"):
                    unloaded = unloading(before, history[-1].strain, size, safe_point)
            step += 1
            walk.advance()
            lost += missing(history[-1], state) / system.volume
            table.row(strain, system.volume, mechanics, dissipated, lost, report)
            if found:
                with context.timer("events"):
                    events.add(step, history, state, dissipated, before, unloaded)
            system.fields.pop("before the step", None)
            activity.step(walk, strain)
            history = [*history[-1:], state._replace(after_event=float(found or walk.leg != leg))]
            if (params.frames_every and not walk.between and walk.whole_steps % params.frames_every == 0
                    and events.last_frame != step):
                context.frame(step, strain)
                events.last_frame = step
        self.finish(context, mover.counts, step, walk.strain, events.count)
        mover.finish()
        events.finish(periodic.deformation(gradient, walk.strain))
        activity.finish()
        context.result("energy", mechanics.energy, "energy", "potential energy at the end")
        context.result("stress", mechanics.stress, "energy/length^d", "stress tensor at the end, tension positive")

    def mover(self, system: System, context: Context, gradient: Any) -> Movers:
        """How steps are made."""
        from hpcglass.moves.quasistatic.branch import branch_pays

        params: ShearParams = self.params
        pays = branch_pays(system.n_total, system.dimension, params.strain_step)
        algorithm = params.method if params.method in ("fire", "cg") else params.algorithm
        follow = params.method == "branch" or (params.method == "auto" and pays)
        context.cite("maloney2006", "falk1998", "bitzek2006" if algorithm == "fire" else "polak1969")
        if follow or params.locate:         # along branches the ends of small events are looked for, too
            context.cite("nocedal1980", "keller1977")
        return Movers(follow, gradient, algorithm, params.force_tolerance, params.max_evaluations)

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

    def finish(self, context: Context, counts: dict[str, int], steps: int, strain: float, events: int) -> None:
        """The work that was done."""
        for name, long_name in COUNTS.items():
            context.result(f"count_{name}", counts[name], "", long_name)
        context.reached(steps, strain)
        context.log(f"shear: {steps} step{'s' * (steps != 1)} to strain {strain:g}, {number_of_events(events)}")
        if counts["factorisations"]:
            context.log("shear: " + ", ".join(f"{counts[name]} {name}" for name in COUNTS))

    def force_evaluations(self, particles: int) -> float:
        return 900.0 * self.params.steps

    def frames(self) -> int:
        every = self.params.frames_every
        return self.params.steps // every if every else 0


def number_of_events(count: int) -> str:
    return f"{count} event{'s' * (count != 1)}"


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
        from hpcglass.moves.quasistatic.branch import Branch
        from hpcglass.moves.quasistatic.descents import Descents

        kind = Branch if self.follow else Descents
        return kind(system, self.gradient, self.algorithm, self.tolerance, self.max_evaluations, scalars)


class LoadingTable:
    """/results/loading: strain, stress, energy and the minimiser's work, a row per step."""

    def __init__(self, context: Context, gradient: Any) -> None:
        self.gradient = gradient
        dimension = len(gradient)
        self.entries = {f"stress_{'xyz'[a]}{'xyz'[b]}": (a, b) for a in range(dimension) for b in range(a, dimension)}
        self.table = context.table(
            "loading", strain=("", "strain"),
            shear_stress=("energy/length^d", "stress : velocity gradient, conjugate to the strain"),
            **{name: ("energy/length^d", "stress, tension positive") for name in self.entries},
            pressure=("energy/length^d", "-tr(stress)/d"), energy=("energy", "potential energy"),
            dissipated=("energy", "work minus energy gained in the step"),
            dissipation_density=("energy/length^d", "energy dissipated since the start per volume"),
            evaluations=("", "force evaluations of the step"), max_force=("energy/length", "largest force on a particle"))

    def row(self, strain: float, volume: float, mechanics: Mechanics, dissipated: float, lost: float, report: Report) -> State:
        """Append a row; returns the state as events see it."""
        from hpcglass.stages.shear.events import State

        state = State.of(strain, self.gradient, volume, mechanics)
        self.table.append(strain=strain, shear_stress=state.stress, pressure=mechanics.pressure, energy=mechanics.energy,
                          dissipated=dissipated, dissipation_density=lost, evaluations=report.evaluations,
                          max_force=report.max_force,
                          **{name: float(mechanics.stress[place]) for name, place in self.entries.items()})
        return state

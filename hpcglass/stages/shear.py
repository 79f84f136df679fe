"""Athermal quasistatic shear: an affine step, then minimisation, again and again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from hpcglass.stages.base import Context, Snapshot, Stage, StageParams

if TYPE_CHECKING:
    from hpcglass.core.system import System
    from hpcglass.landscape.forces import Mechanics
    from hpcglass.moves.minimise import Report


class ShearParams(StageParams):
    """Simple shear in a plane "ab" (velocity along a, gradient along b) or pure shear (extend a, compress b)."""

    kind: Literal["shear"] = "shear"
    mode: Literal["simple", "pure"] = Field("simple", description="simple shear or pure shear")
    plane: Literal["xy", "xz", "yx", "yz", "zx", "zy"] = Field("xy", description="plane of the shear")
    strain_step: float = Field(1e-3, description="strain increment; negative shears backward")
    max_strain: float = Field(gt=0, description="largest |strain| to reach")
    algorithm: Literal["cg", "fire"] = Field("fire", description="minimiser after each step")
    force_tolerance: float = Field(1e-10, gt=0, description="max|F| <= force_tolerance * force scale after each step")
    max_evaluations: int = Field(2_000_000, gt=0, description="give up (an error) after so many force evaluations in one step")
    event_energy: float = Field(1e-3, gt=0, description="a step that dissipates more than this is a plastic event [energy]")
    frames_every: int = Field(0, ge=0, description="keep the configuration every so many steps; 0 = none")
    event_frames: bool = Field(True, description="keep the configurations before and after each event")

    @property
    def steps(self) -> int:
        """Number of strain steps."""
        return max(1, round(self.max_strain / abs(self.strain_step)))


class Shear(Stage):
    """Quasistatic shear."""

    name = "shear"
    Params = ShearParams

    def run(self, system: System, context: Context) -> None:
        """Step, minimise, compare the energy with the work done; a row per step, a row per event."""
        import numpy as np

        from hpcglass.geometries import periodic
        from hpcglass.moves.relax import to_minimum
        from hpcglass.stages.events import Events, State, dissipation

        params: ShearParams = self.params
        context.cite("maloney2006", "falk1998", "bitzek2006" if params.algorithm == "fire" else "polak1969")
        gradient = (periodic.simple_shear if params.mode == "simple" else periodic.pure_shear)(system.dimension, params.plane)
        step_map = periodic.deformation(gradient, params.strain_step)
        volume_step = system.volume * params.strain_step
        table = LoadingTable(context, gradient)
        minimise = partial(to_minimum, system, params.algorithm, params.force_tolerance, params.max_evaluations)

        if context.restored:
            scalars = context.restored.scalars
            begin, history = int(scalars["step"]), [State(*entry) for entry in scalars["history"]]
            events = Events(system, context, params.event_frames, scalars)
        else:
            with context.timer("minimise"):
                report, mechanics = minimise()
            begin, history = 0, [State(table.row(0.0, mechanics, 0.0, report), mechanics.energy, 0.0)]
            events = Events(system, context, params.event_frames)

        for step in range(begin + 1, params.steps + 1):
            strain = step * params.strain_step
            before = system.state()
            system.fields["before the step"] = system.unwrapped()
            system.deform(step_map)
            with context.timer("minimise"):
                report, mechanics = minimise()
            stress = table.conjugate(mechanics)
            dissipated = dissipation(history, stress, mechanics.energy, volume_step)
            table.row(strain, mechanics, dissipated, report)
            is_event = dissipated > params.event_energy
            if is_event:
                with context.timer("events"):
                    events.add(step, strain, params.strain_step, history, stress, dissipated, step_map, before)
            system.fields.pop("before the step", None)
            history = [*history[-1:], State(stress, mechanics.energy, float(is_event))]
            if params.frames_every and step % params.frames_every == 0 and events.last_frame != step:
                context.frame(step, strain)
                events.last_frame = step
            if step < params.steps:
                context.safe_point(step, params.steps, lambda: Snapshot(
                    {"step": step, "history": np.array(history), **events.scalars}),   # noqa: B023
                    note=f"strain {strain:.4g}, stress {stress:.4g}, {events.count} events")
        total = params.steps * params.strain_step
        events.finish(periodic.deformation(gradient, total))
        context.reached(params.steps, total)
        context.log(f"shear: {params.steps} steps to strain {total:g}, {events.count} events")
        context.result("energy", mechanics.energy, "energy", "potential energy at the end")
        context.result("stress", mechanics.stress, "energy/length^d", "stress tensor at the end, tension positive")

    def force_evaluations(self, particles: int) -> float:
        return 900.0 * self.params.steps

    def frames(self) -> int:
        every = self.params.frames_every
        return self.params.steps // every if every else 0


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
            evaluations=("", "force evaluations of the step"), max_force=("energy/length", "largest force on a particle"))

    def conjugate(self, mechanics: Mechanics) -> float:
        """sigma : A, so that dU = V (sigma : A) d(gamma)."""
        return float((mechanics.stress * self.gradient).sum())

    def row(self, strain: float, mechanics: Mechanics, dissipated: float, report: Report) -> float:
        """Append a row; returns the conjugate stress."""
        stress = self.conjugate(mechanics)
        self.table.append(strain=strain, shear_stress=stress, pressure=mechanics.pressure, energy=mechanics.energy,
                          dissipated=dissipated, evaluations=report.evaluations, max_force=report.max_force,
                          **{name: float(mechanics.stress[place]) for name, place in self.entries.items()})
        return stress

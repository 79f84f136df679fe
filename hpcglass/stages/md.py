"""Molecular dynamics at constant or linearly ramped temperature (velocity Verlet and a thermostat)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field

from hpcglass.errors import PhysicsError
from hpcglass.stages.base import Context, Snapshot, Stage, StageParams, concentrate

if TYPE_CHECKING:
    from hpcglass.core.system import System

DRIFT = 0.1                 # of the energy in a run without thermostat, over the kinetic energy: the step is too long
EXPLODED = 10.0             # kinetic temperature over the thermostat's: neither a fluctuation nor potential energy set free


class MDParams(StageParams):
    """Integrate Newton's equations with a thermostat; times in units of sqrt(m l^2 / eps)."""

    kind: Literal["md"] = "md"
    temperature: float = Field(gt=0, description="temperature at the start [energy]")
    temperature_end: float | None = Field(None, gt=0, description="temperature at the end of a linear ramp; default: constant")
    time: float = Field(gt=0, description="length of the run [time]")
    time_step: float = Field(0.005, gt=0, description="integration step [time]")
    thermostat: Literal["langevin", "nose-hoover", "none"] = Field("nose-hoover",
                                                                  description="stochastic, deterministic, or none (NVE)")
    damping_time: float = Field(1.0, gt=0, description="relaxation time of the thermostat [time]")
    measure_every: int = Field(100, gt=0, description="steps between two rows of the table")
    frames: int = Field(0, ge=0, description="configurations to keep along the way, evenly spaced")

    GROWS: ClassVar[tuple[str, ...]] = ("time",)

    def no_longer(self, old: Self) -> str:
        if self.temperature_end is not None:
            return "a ramp over a longer time is another ramp from its first step on"
        if self.frames:
            return "its frames are spread evenly over the whole run"
        return "the run that was made is longer" if self.steps < old.steps else ""

    def derivatives(self) -> int:
        return 0          # a force that jumps at the cut-off of a truncated potential is usual

    @property
    def steps(self) -> int:
        """Number of time steps."""
        return max(1, round(self.time / self.time_step))


class MD(Stage):
    """Molecular dynamics."""

    name = "md"
    Params = MDParams

    def run(self, system: System, context: Context) -> None:
        """Integrate; one row of the table every `measure_every` steps."""
        from hpcglass.landscape.forces import evaluate
        from hpcglass.moves.dynamics import Dynamics, maxwell_velocities

        params: MDParams = self.params
        concentrate(system, context)
        context.cite("nose1984", "hoover1985") if params.thermostat == "nose-hoover" else None
        context.cite("leimkuhler2013") if params.thermostat == "langevin" else None
        table = context.table("thermo", step=("", "time step"), time=("time", "time"),
                              temperature=("energy", "kinetic temperature"), target=("energy", "thermostat temperature"),
                              kinetic=("energy", "kinetic energy"), potential=("energy", "potential energy"),
                              pressure=("energy/length^d", "pressure, kinetic part included"),
                              conserved=("energy", "conserved quantity of the thermostatted dynamics at constant temperature"))
        begin, scalars, start = 0, None, float("nan")
        if context.restored:
            scalars = dict(context.restored.scalars)
            begin, start = int(scalars.pop("step")), float(scalars.pop("energy at the start"))
        else:
            system.fields["velocity"] = maxwell_velocities(system, params.temperature, context.seed)
        dynamics = Dynamics(system, params.thermostat, params.time_step, params.damping_time, context.seed, scalars)
        every_frame = max(1, params.steps // params.frames) if params.frames else 0

        def target(step: int) -> float:
            if params.temperature_end is None:
                return params.temperature
            return params.temperature + (params.temperature_end - params.temperature) * step / params.steps

        def measure(step: int) -> None:
            nonlocal start
            dynamics.check(step)
            mechanics = evaluate(system)
            kinetic = dynamics.kinetic_energy()
            conserved = dynamics.conserved(mechanics.energy, target(step))
            start = start if step else conserved
            if params.thermostat == "none":
                if not abs(conserved - start) <= DRIFT * kinetic:
                    raise PhysicsError(f"the energy drifts: {start:.6g} at the start, {conserved:.6g} at step {step}, kinetic "
                                       f"energy {kinetic:.3g}; use a shorter time_step than {params.time_step:g}")
            elif not kinetic <= EXPLODED * 0.5 * dynamics.freedom * max(params.temperature, target(step)):
                raise PhysicsError(f"the system explodes: kinetic temperature {2 * kinetic / dynamics.freedom:.3g} at step {step}"
                                   f", thermostat at {target(step):g}; use a shorter time_step than {params.time_step:g}")
            table.append(step=step, time=step * params.time_step, temperature=2 * kinetic / dynamics.freedom,
                         target=target(step), kinetic=kinetic, potential=mechanics.energy,
                         pressure=mechanics.pressure + 2 * kinetic / (system.dimension * system.volume),
                         conserved=conserved)

        if begin == 0:
            measure(0)
        for step in range(begin + 1, params.steps + 1):
            with context.timer("integrate"):
                dynamics.step(step, target(step))
            if step % params.measure_every == 0:
                measure(step)
            if every_frame and step % every_frame == 0:
                context.frame(step, step * params.time_step, velocity=dynamics.velocity)
            if step % system.pace == 0 and step < params.steps:
                dynamics.check(step)
                kept = {"step": step, "energy at the start": start}
                context.safe_point(step, params.steps, lambda: Snapshot({**dynamics.scalars, **kept}),  # noqa: B023
                                   note=f"T {target(step):.4g}")
        context.end_point(Snapshot({**dynamics.scalars, "step": params.steps, "energy at the start": start}))
        if params.steps % params.measure_every:
            measure(params.steps)
        context.reached(params.steps, params.steps * params.time_step)
        context.field("velocity", system.fields.pop("velocity"), "length/time", "velocity")

    def force_evaluations(self, particles: int) -> float:
        return float(2 * self.params.steps)

    def frames(self) -> int:
        return int(self.params.frames)

"""Inflation of the inner of two rigid walls, and what the glass around it does (A. Kumar et al., Sect. III and IV)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from hpcglass.stages.base import Context, Snapshot, Stage, StageParams

if TYPE_CHECKING:
    from hpcglass.core.system import System
    from hpcglass.landscape.forces import Mechanics
    from hpcglass.moves.minimise import Report

SAFE_POINT_EVERY = 20       # force evaluations
ADVICE = "take more `steps`, or inflate less"
BEFORE = "position before"  # rows that travel with the particles


class InflateParams(StageParams):
    """Move the inner wall outward, in one jump or quasistatically, and minimise the energy before and after each step."""

    kind: Literal["inflate"] = "inflate"
    d_0: float | None = Field(None, gt=0, description="how far the inner wall moves outward [length]")
    fraction: float | None = Field(None, gt=0, description="the same as a fraction of r_in, instead of d_0")
    steps: int = Field(1, ge=1, le=100_000, description="minimise after each of so many equal steps of the wall; 1 = one jump")
    algorithm: Literal["cg", "fire"] = Field("cg", description="minimiser: nonlinear conjugate gradients or FIRE")
    force_tolerance: float = Field(1e-10, gt=0, description="max|F| <= force_tolerance * force scale after each step")
    max_evaluations: int = Field(2_000_000, gt=0, description="give up (an error) after so many force evaluations in one step")

    @model_validator(mode="after")
    def _one_size(self) -> InflateParams:
        if (self.d_0 is None) == (self.fraction is None):
            raise ValueError("give either d_0 or fraction: how far the inner wall moves")
        return self

    def inflation(self, r_in: float) -> float:
        """How far the wall moves [length]."""
        return self.d_0 if self.d_0 is not None else (self.fraction or 0.0) * r_in


class Inflate(Stage):
    """Inflation of the inner wall."""

    name = "inflate"
    Params = InflateParams

    def run(self, system: System, context: Context) -> None:
        """Minimise, then step and minimise; a row per step, and the displacement between the first and the last minimum.

        Raises
        ------
        PhysicsError
            There are no walls; the wall ran over a particle; a minimum is not reached.
        """
        import numpy as np

        from hpcglass.core.comm import largest
        from hpcglass.errors import PhysicsError
        from hpcglass.landscape.nonaffine import d2min
        from hpcglass.landscape.walls import check_inside, load

        params: InflateParams = self.params
        if system.walls is None:
            raise PhysicsError("inflate: the glass is not between walls; start it with r_in and r_out in [system]")
        context.cite("kumar2022", "bitzek2006" if params.algorithm == "fire" else "polak1969")
        table = InflationTable(context)
        state: dict[str, Any] = dict(context.restored.scalars) if context.restored else {}
        step, r_in = int(state.pop("inflation step", 0)), float(state.pop("r_in before", system.walls.r_in))
        energy, pressure = float(state.pop("energy before", 0.0)), state.pop("pressure before", np.zeros(2))
        d_0 = params.inflation(r_in)
        minimise = Minimiser(system, context, params, state or None)
        while True:
            report, mechanics = minimise({"inflation step": step, "r_in before": r_in, "energy before": energy,
                                          "pressure before": pressure})
            check_inside(system, ADVICE)
            walls = load(system)
            if step == 0:
                energy, pressure = mechanics.energy, walls.pressure
                system.fields[BEFORE] = system.unwrapped()
            table.row(step, system, report, mechanics, walls)
            if step == params.steps:
                break
            step += 1
            system.walls = system.walls.inflated(r_in + d_0 * step / params.steps)
            check_inside(system, ADVICE)

        displacement = system.unwrapped() - system.fields[BEFORE]
        farthest = float(np.sqrt(largest(system.comm, float((displacement**2).sum(axis=1).max(initial=0.0)))))
        context.field("displacement", displacement, "length", "displacement from the minimum before to the one after inflation")
        context.field("d2min", d2min(system, system.fields[BEFORE], np.eye(system.dimension)), "length^2",
                      "D^2_min between the two minima")
        context.field("position_before", system.fields.pop(BEFORE), "length", "position at the minimum before inflation")
        put = context.result
        put("centre", np.array(system.walls.centre), "length", "common centre of the walls")
        put("r_in", r_in, "length", "radius of the inner wall before inflation")
        put("r_in_after", system.walls.r_in, "length", "radius of the inner wall after it")
        put("r_out", system.walls.r_out, "length", "radius of the outer wall")
        put("d_0", d_0, "length", "how far the inner wall moved")
        put("energy_before", energy, "energy", "potential energy of the minimum before inflation, walls included")
        put("energy_after", mechanics.energy, "energy", "potential energy of the minimum after it")
        put("pressure_before", pressure, "energy/length^d", "pressure on the inner and on the outer wall before inflation")
        put("pressure_after", walls.pressure, "energy/length^d", "the same after it")
        put("net_force", walls.net_force, "energy/length", "force on the inner and on the outer wall; they add up to zero")
        put("largest_displacement", farthest, "length", "of all particles")
        put("max_force", report.max_force, "energy/length", "largest force on a particle")
        context.reached(params.steps, d_0)
        context.log(f"inflate: r_in {r_in:g} -> {system.walls.r_in:g} in {params.steps} step{'s' * (params.steps > 1)}, energy "
                    f"{energy:.10g} -> {mechanics.energy:.10g} ({mechanics.energy - energy:+.4g}), largest displacement "
                    f"{farthest:.4g}; {minimise.evaluations} force evaluations")

    def force_evaluations(self, particles: int) -> float:
        return 2000.0 * (1 + self.params.steps)


class Minimiser:
    """Minimisations with safe points in between.

    evaluations : of force, by all of them
    resumed : numbers of an interrupted minimisation, used up by the next call
    """

    def __init__(self, system: System, context: Context, params: InflateParams, resumed: dict[str, Any] | None) -> None:
        self.system, self.context, self.params, self.resumed = system, context, params, resumed
        self.evaluations = int(resumed.pop("evaluations before", 0)) if resumed else 0

    def __call__(self, progress: dict[str, Any]) -> tuple[Report, Mechanics]:
        """To the next minimum; `progress` is what the stage needs to resume there."""
        from hpcglass.moves.relax import to_minimum

        def watch(count: int, largest: float, numbers: dict[str, Any]) -> None:
            if count % SAFE_POINT_EVERY == 0:
                kept = {**progress, **numbers, "evaluations before": self.evaluations}
                self.context.safe_point(self.evaluations + count, 0, lambda: Snapshot(kept),
                                        f"r_in {self.system.walls.r_in:.5g}, max|F| {largest:.2e}" if self.system.walls else "")

        with self.context.timer("minimise"):
            params, resumed, self.resumed = self.params, self.resumed, None
            report, mechanics = to_minimum(self.system, params.algorithm, params.force_tolerance, params.max_evaluations, watch,
                                           resumed)
        self.evaluations += report.evaluations
        return report, mechanics


class InflationTable:
    """/results/inflation: a row for the minimum before, and for the one after each step."""

    def __init__(self, context: Context) -> None:
        self.table = context.table(
            "inflation", step=("", "step of the wall"), r_in=("length", "radius of the inner wall"),
            energy=("energy", "potential energy"),
            force_in=("energy/length", "sum of the normal forces on the inner wall, dU/dr_in"),
            force_out=("energy/length", "sum of the normal forces on the outer wall, -dU/dr_out"),
            pressure_in=("energy/length^d", "pressure on the inner wall"),
            pressure_out=("energy/length^d", "pressure on the outer wall"),
            evaluations=("", "force evaluations of the step"), max_force=("energy/length", "largest force on a particle"))

    def row(self, step: int, system: System, report: Report, mechanics: Mechanics, walls: Any) -> None:
        """Append a minimum."""
        assert system.walls is not None
        self.table.append(step=step, r_in=system.walls.r_in, energy=mechanics.energy, force_in=float(walls.normal_force[0]),
                          force_out=float(walls.normal_force[1]), pressure_in=float(walls.pressure[0]),
                          pressure_out=float(walls.pressure[1]), evaluations=report.evaluations, max_force=report.max_force)

"""Energy minimisation to an inherent state, optionally at constant pressure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from hpcglass.stages.base import Context, Snapshot, Stage, StageParams, concentrate

if TYPE_CHECKING:
    from hpcglass.core.system import System


class QuenchParams(StageParams):
    """Minimise the energy (or, with `pressure`, the enthalpy over particles and isotropic box)."""

    kind: Literal["quench"] = "quench"
    algorithm: Literal["cg", "fire"] = Field("cg", description="minimiser: nonlinear conjugate gradients or FIRE")
    force_tolerance: float = Field(1e-12, gt=0,
                                   description="stop when max|F| <= force_tolerance * force scale (rms pair force)")
    max_evaluations: int = Field(2_000_000, gt=0, description="give up (an error) after so many force evaluations")
    pressure: float | None = Field(None, description="target pressure [energy/length^d]; the box relaxes isotropically")
    pressure_tolerance: float = Field(1e-9, gt=0, description="relative accuracy of the pressure")


class Quench(Stage):
    """Inherent state."""

    name = "quench"
    Params = QuenchParams

    def run(self, system: System, context: Context) -> None:
        """Minimise, recording energy and largest force at evenly spaced logarithms of the evaluations."""
        from hpcglass.landscape.forces import evaluate
        from hpcglass.moves import relax
        from hpcglass.moves.landing import land_alone
        from hpcglass.moves.quasistatic.choice import landing_pays

        params: QuenchParams = self.params
        concentrate(system, context)
        context.cite("bitzek2006" if params.algorithm == "fire" else "polak1969")
        minimise: Callable[..., Any] = relax.to_minimum
        if landing_pays(system.n_total, system.dimension):
            minimise = land_alone
            context.cite("nocedal1980")
        table = context.table("minimisation", evaluations=("", "force evaluations"), energy=("energy", "potential energy"),
                              max_force=("energy/length", "largest force on a particle"))
        state: dict[str, Any] = dict(context.restored.scalars) if context.restored else {}
        done = int(state.pop("done before", 0))           # evaluations of earlier minimisations of this stage
        next_row = int(state.pop("next row", 1))
        box = {name[4:]: state.pop(name) for name in list(state) if name.startswith("box:")}    # on the way to a pressure
        resumed: dict[str, Any] | None = state or None

        def watch(count: int, largest: float, numbers: dict[str, Any]) -> int:
            nonlocal next_row
            if done + count >= next_row:
                table.append(evaluations=done + count, energy=energy_here(), max_force=largest)
                next_row = int(1.08 * (done + count)) + 1
            if (done + count) % system.pace == 0:
                kept = {"done before": done, "next row": next_row, **{f"box:{name}": value for name, value in box.items()}}
                context.safe_point(done + count, 0, lambda: Snapshot({**numbers, **kept}), note=f"max|F| {largest:.2e}")
            return min(next_row, relax.after(system, done + count)) - done

        def energy_here() -> float:
            system.update()
            return evaluate(system).energy

        def minimum(rounds: dict[str, Any]) -> Any:
            nonlocal done, resumed, box
            box = rounds
            with context.timer("minimise"):
                report, mechanics = minimise(system, params.algorithm, params.force_tolerance, params.max_evaluations,
                                             watch, resumed)
            done, resumed = done + report.evaluations, None
            last[:] = [report]
            return mechanics

        last: list[Any] = []
        if params.pressure is None:
            mechanics, rounds = minimum({}), 1
        else:
            mechanics, rounds = relax.to_pressure(system, params.pressure, params.pressure_tolerance, minimum,
                                                  box if box.get("rounds") else None)
        report, scale = last[0], relax.force_scale(mechanics)
        context.reached(done, 0.0)
        table.append(evaluations=done, energy=mechanics.energy, max_force=report.max_force)
        context.log(f"quench: {report.reason}, {report.max_force:.3e} <= {params.force_tolerance:g} x {scale:.4g} "
                    f"(rms pair force); {done} force evaluations, {rounds} minimisation{'s' if rounds > 1 else ''}; "
                    f"energy per particle {mechanics.energy / system.n_total:.10g}, pressure {mechanics.pressure:.6g}")
        context.result("energy", mechanics.energy, "energy", "potential energy of the inherent state")
        context.result("stress", mechanics.stress, "energy/length^d", "stress tensor, tension positive")
        context.result("pressure", mechanics.pressure, "energy/length^d", "-tr(stress)/d")
        context.result("max_force", report.max_force, "energy/length", "largest force on a particle")
        context.result("force_scale", scale, "energy/length", "root-mean-square pair force")
        context.result("evaluations", done, "", "force evaluations")
        context.result("reason", report.reason, "", "why the minimisation stopped")

    def force_evaluations(self, particles: int) -> float:
        return 4000.0 if self.params.pressure is None else 20000.0

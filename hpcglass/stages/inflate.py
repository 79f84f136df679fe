"""Inflation of the inner of two rigid walls, and what the glass around it does (A. Kumar et al., Sect. III to V)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator, model_validator

from hpcglass.stages.base import Context, Snapshot, Stage, StageParams, concentrate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hpcglass.core.system import System
    from hpcglass.landscape.forces import Mechanics
    from hpcglass.landscape.walls import WallLoad
    from hpcglass.moves.minimise import Report

    Minimum = tuple[Report, Mechanics, WallLoad]

ADVICE = "take more `steps`, or inflate less"
Sizes = tuple[float, ...]
ONE_OR_MORE: dict[str, Any] = {"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}, "minItems": 1}]}


class InflateParams(StageParams):
    """Move the inner wall outward and minimise the energy; by several amounts in turn, each from the same minimum."""

    kind: Literal["inflate"] = "inflate"
    d_0: Sizes | None = Field(None, min_length=1, description="how far the inner wall moves, a number or several [length]",
                              json_schema_extra=ONE_OR_MORE)
    fraction: Sizes | None = Field(None, min_length=1, description="the same in units of r_in, instead of d_0",
                                   json_schema_extra=ONE_OR_MORE)
    steps: int = Field(1, ge=1, le=100_000, description="minimise after each of so many equal steps of the wall; 1 = one jump")
    deflate: bool = Field(True, description="take the wall back in as many steps: splits the energy into elastic and plastic")
    algorithm: Literal["cg", "fire"] = Field("cg", description="minimiser: nonlinear conjugate gradients or FIRE")
    force_tolerance: float = Field(1e-10, gt=0, description="max|F| <= force_tolerance * force scale after each step")
    max_evaluations: int = Field(2_000_000, gt=0, description="give up (an error) after so many force evaluations in one step")

    @field_validator("d_0", "fraction", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return value if value is None else tuple(value) if isinstance(value, list | tuple) else (value,)

    @field_validator("d_0", "fraction")
    @classmethod
    def _outward(cls, value: Sizes | None) -> Sizes | None:
        if value is not None and not min(value) > 0:
            raise ValueError("must be > 0")
        return value

    @model_validator(mode="after")
    def _one_size(self) -> InflateParams:
        if (self.d_0 is None) == (self.fraction is None):
            raise ValueError("give either d_0 or fraction: how far the inner wall moves")
        return self

    def inflations(self, r_in: float) -> list[float]:
        """How far the wall moves, each time [length]."""
        return list(self.d_0) if self.d_0 is not None else [part * r_in for part in self.fraction or ()]

    def inflation(self, r_in: float) -> float:
        """The largest of them."""
        return max(self.inflations(r_in))


@dataclass
class Progress:
    """Where the stage is: with the particles and their `Place`s, all that a checkpoint needs.

    r_in, energy, force : of the minimum before, force that on the inner wall
    number : inflations done; -1 before the first minimum
    step : of the wall, 1 to `steps` outward, then as many back
    evaluations : of force, before the present minimisation
    row : what is known so far of the present inflation's row in the table
    """

    r_in: float
    energy: float = 0.0
    force: float = 0.0
    number: int = -1
    step: int = 0
    evaluations: int = 0
    row: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, scalars: dict[str, Any]) -> Progress:
        """From what `scalars` gave."""
        row = {name[4:]: float(value) for name, value in scalars.items() if name.startswith("row:")}
        return cls(**{name: scalars[name] for name in ("r_in", "energy", "force", "number", "step", "evaluations")}, row=row)

    def scalars(self) -> dict[str, Any]:
        numbers = {name: value for name, value in vars(self).items() if name != "row"}
        return {**numbers, **{f"row:{name}": value for name, value in self.row.items()}}

    def begin(self, number: int) -> None:
        """An inflation from the minimum before."""
        self.number, self.step = number, 1
        self.row = {"work": 0.0, "force": self.force, "counted": float(self.evaluations)}


class Inflate(Stage):
    """Inflation of the inner wall."""

    name = "inflate"
    Params = InflateParams

    def run(self, system: System, context: Context) -> None:
        """Minimise; then, for each size, move the wall outward and minimise, and take it back the same way.

        ΔE = E_after − E_before has an elastic part, E_after − E_deflated, which the glass gives back when the wall returns, and
        a plastic part, E_deflated − E_before. The work of the wall, less ΔE, is what was dissipated on the way.

        Raises
        ------
        PhysicsError
            There are no walls; the wall ran over a particle; a minimum is not reached.
        """
        import numpy as np

        from hpcglass.errors import PhysicsError
        from hpcglass.landscape.walls import check_inside, load
        from hpcglass.moves.place import Place
        from hpcglass.moves.quasistatic.choice import landing_pays

        params: InflateParams = self.params
        if system.walls is None:
            raise PhysicsError("inflate: the glass is not between walls; start it with r_in and r_out in [system]")
        concentrate(system, context)
        context.cite("kumar2022", "bitzek2006" if params.algorithm == "fire" else "polak1969")
        if landing_pays(system.n_total, system.dimension):
            context.cite("nocedal1980")
        tables, before, after = Tables(context), Place("before"), Place("after")
        restored = context.restored.scalars if context.restored else None
        now = Progress.of(restored) if restored else Progress(system.walls.r_in)
        minimise = Minimiser(system, context, params, now, restored)
        sizes, steps = params.inflations(now.r_in), params.steps

        if now.number < 0:
            report, mechanics = minimise()
            check_inside(system, ADVICE)
            pushed = load(system)
            tables.step(now, system, report, mechanics, pushed)
            now.energy, now.force = mechanics.energy, float(pushed.normal_force[0])
            before.keep(system)
            self._start(system, context, before.position(system), now, pushed)
            now.begin(0)
        while now.number < len(sizes):
            d_0 = sizes[now.number]
            while now.step <= (2 if params.deflate else 1) * steps:
                minimum = self._step(system, tables, minimise, now, d_0)
                if now.step == steps:
                    number = f"_{now.number}" if len(sizes) > 1 else ""
                    self._measure(system, context, before.position(system), number, now, minimum)
                    if params.deflate:
                        after.keep(system)
                now.step += 1
            deflated = (np.nan, np.nan)
            if params.deflate:
                deflated = (minimum[1].energy, _longest(system, system.unwrapped() - before.position(system)))
                system.walls = system.walls.inflated(now.r_in + d_0)
                after.go_back(system)
            tables.inflation(now, d_0, deflated)
            now.begin(now.number + 1)
            if now.number < len(sizes):
                before.go_back(system)
        before.forget(system)
        after.forget(system)
        context.reached(len(sizes), sizes[-1])

    def _step(self, system: System, tables: Tables, minimise: Minimiser, now: Progress, d_0: float) -> Minimum:
        """Move the wall to its next place, find the minimum there, and add up the work on the way out. Collective."""
        from hpcglass.landscape.walls import check_inside, load

        assert system.walls is not None
        steps = self.params.steps
        system.walls = system.walls.inflated(now.r_in + d_0 * min(now.step, 2 * steps - now.step) / steps)
        check_inside(system, ADVICE)
        report, mechanics = minimise()
        check_inside(system, ADVICE)
        pushed = load(system)
        tables.step(now, system, report, mechanics, pushed)
        if now.step <= steps:
            force = float(pushed.normal_force[0])
            now.row["work"] += 0.5 * (now.row["force"] + force) * d_0 / steps
            now.row["force"] = force
        return report, mechanics, pushed

    @staticmethod
    def _start(system: System, context: Context, start: NDArray[Any], now: Progress, pushed: WallLoad) -> None:
        """At the minimum before: what all inflations have in common."""
        import numpy as np

        assert system.walls is not None
        put = context.result
        put("centre", np.array(system.walls.centre), "length", "common centre of the walls")
        put("r_in", now.r_in, "length", "radius of the inner wall before inflation")
        put("r_out", system.walls.r_out, "length", "radius of the outer wall")
        put("energy_before", now.energy, "energy", "potential energy of the minimum before inflation, walls included")
        put("pressure_before", pushed.pressure, "energy/length^d", "pressure on the inner and on the outer wall before")
        context.field("position_before", start, "length", "position at the minimum before inflation")

    @staticmethod
    def _measure(system: System, context: Context, start: NDArray[Any], number: str, now: Progress,
                 minimum: Minimum) -> None:
        """At the inflated minimum: the displacement field, and numbers of the table's row."""
        import numpy as np

        from hpcglass.landscape.nonaffine import d2min

        report, mechanics, pushed = minimum
        displacement = system.unwrapped() - start
        context.field(f"displacement{number}", displacement, "length", "from the minimum before to the one after inflation")
        context.field(f"d2min{number}", d2min(system, start, np.eye(system.dimension)), "length^2", "D^2_min between the minima")
        now.row |= {"energy_after": mechanics.energy, "largest_displacement": _longest(system, displacement),
                    "pressure_in": float(pushed.pressure[0]), "pressure_out": float(pushed.pressure[1]),
                    "imbalance": float(np.linalg.norm(pushed.net_force.sum(axis=0))), "max_force": report.max_force}

    def force_evaluations(self, particles: int) -> float:
        params: InflateParams = self.params
        return 2000.0 * (1 + len(params.inflations(1.0)) * params.steps * (2 if params.deflate else 1))


def _longest(system: System, rows: NDArray[Any]) -> float:
    """Length of the longest row of all ranks. Collective."""
    import numpy as np

    from hpcglass.core.comm import largest

    return float(np.sqrt(largest(system.comm, float((rows**2).sum(axis=1).max(initial=0.0)))))


class Minimiser:
    """Minimisations with safe points in between.

    resumed : numbers of an interrupted minimisation, used up by the next call
    """

    def __init__(self, system: System, context: Context, params: InflateParams, now: Progress,
                 resumed: dict[str, Any] | None) -> None:
        self.system, self.context, self.params, self.now, self.resumed = system, context, params, now, resumed

    def __call__(self) -> tuple[Report, Mechanics]:
        """To the next minimum."""
        from hpcglass.moves.landing import NEAR_CORE, land_alone
        from hpcglass.moves.quasistatic.choice import landing_pays
        from hpcglass.moves.relax import after, to_minimum

        now, system = self.now, self.system

        def watch(count: int, largest: float, numbers: dict[str, Any]) -> int:
            if count % system.pace == 0:
                self._safe_point(count, numbers, f", max|F| {largest:.2e}")
            return after(system, count)

        with self.context.timer("minimise"):
            params, resumed, self.resumed = self.params, self.resumed, None
            running = {name[9:]: value for name, value in (resumed or {}).items() if name.startswith("minimise:")}
            if not running:
                self._safe_point(0, {})         # a short minimisation has no other one
            to_rest: Callable[..., Any] = to_minimum
            if landing_pays(system.n_total, system.dimension):
                to_rest = partial(land_alone, near=NEAR_CORE)
            report, mechanics = to_rest(system, params.algorithm, params.force_tolerance, params.max_evaluations, watch,
                                        running or None)
        now.evaluations += report.evaluations
        return report, mechanics

    def _safe_point(self, count: int, numbers: dict[str, Any], note: str = "") -> None:
        """After so many evaluations of the present minimisation, with its numbers. Collective."""
        assert self.system.walls is not None
        kept = {**self.now.scalars(), **{f"minimise:{name}": value for name, value in numbers.items()}}
        self.context.safe_point(self.now.evaluations + count, 0, lambda: Snapshot(kept),
                                f"r_in {self.system.walls.r_in:.5g}{note}")


class Tables:
    """/results/inflation, a row per d_0, and /results/wall, a row per minimum."""

    def __init__(self, context: Context) -> None:
        self.context = context
        pressures = {"pressure_in": ("energy/length^d", "pressure on the inner wall"),
                     "pressure_out": ("energy/length^d", "pressure on the outer wall")}
        self.inflations = context.table(
            "inflation", d_0=("length", "how far the inner wall moved"), energy_after=("energy", "potential energy after it"),
            energy_change=("energy", "after less before inflation"),
            energy_elastic=("energy", "what the glass gives back when the wall returns"),
            energy_plastic=("energy", "the rest of the change: what the return does not undo"),
            work=("energy", "of the inner wall, by the trapezoidal rule over its steps"),
            dissipated=("energy", "work less the change of energy"),
            largest_displacement=("length", "of all particles"), remaining=("length", "the same after the wall's return"),
            **pressures, imbalance=("energy/length", "sum of the forces on both walls, 0 at a minimum"),
            evaluations=("", "force evaluations"), max_force=("energy/length", "largest force on a particle"))
        self.steps = context.table(
            "wall", inflation=("", "number of the inflation; -1 before the first"), step=("", "step of the wall"),
            r_in=("length", "radius of the inner wall"), energy=("energy", "potential energy"),
            force_in=("energy/length", "sum of the normal forces on the inner wall, dU/dr_in"),
            force_out=("energy/length", "sum of the normal forces on the outer wall, -dU/dr_out"),
            **pressures, evaluations=("", "force evaluations of the step"),
            max_force=("energy/length", "largest force on a particle"))

    def step(self, now: Progress, system: System, report: Report, mechanics: Mechanics, pushed: WallLoad) -> None:
        """Append a minimum."""
        assert system.walls is not None
        self.steps.append(inflation=now.number, step=now.step, r_in=system.walls.r_in, energy=mechanics.energy,
                          force_in=float(pushed.normal_force[0]), force_out=float(pushed.normal_force[1]),
                          pressure_in=float(pushed.pressure[0]), pressure_out=float(pushed.pressure[1]),
                          evaluations=report.evaluations, max_force=report.max_force)

    def inflation(self, now: Progress, d_0: float, deflated: tuple[float, float]) -> None:
        """Append an inflation; `deflated` is the energy, and the largest displacement, after the wall's return."""
        row = dict(now.row)
        del row["force"]
        evaluations, change = now.evaluations - row.pop("counted"), row["energy_after"] - now.energy
        self.inflations.append(d_0=d_0, energy_change=change, energy_elastic=row["energy_after"] - deflated[0],
                               energy_plastic=deflated[0] - now.energy, dissipated=row["work"] - change, remaining=deflated[1],
                               evaluations=evaluations, **row)
        self.context.log(f"inflate: r_in {now.r_in:g} -> {now.r_in + d_0:g}, energy {now.energy:.10g} {change:+.4g} (plastic "
                         f"{deflated[0] - now.energy:+.2g}), largest displacement {row['largest_displacement']:.4g}; "
                         f"{evaluations:.0f} force evaluations")

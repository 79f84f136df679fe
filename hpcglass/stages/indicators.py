"""Structural indicators of a configuration: who may yield?"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from hpcglass.stages.base import Context, Snapshot, Solvers, Stage, StageParams, sparse_memory

if TYPE_CHECKING:
    from hpcglass.core.system import System

RESPONSE = ("hessian", "factors", "modes")


class IndicatorsParams(StageParams):
    """Structural indicators of each particle; those that need more than positions and sizes need a minimum."""

    kind: Literal["indicators"] = "indicators"
    which: list[str] = Field(["all"], min_length=1, description="names or families of `hpcglass list indicators`, or all")
    plane: Literal["xy", "xz", "yx", "yz", "zx", "zy"] = Field("xy", description="plane of the shear that is foretold")
    x_cut: float | None = Field(None, gt=0, le=10, description="neighbours of Psi and Theta are closer than x_cut lambda_ij; "
                                "default 1.33, or 1.5 for models of species")
    s2_delta: float = Field(0.12, gt=0, le=10, description="width of the Gaussians of s2 [length]")
    s2_range: float | None = Field(None, gt=0, le=100, description="upper end of the integral of s2 [length]; default: first "
                                   "minimum of g(r) behind its highest peak")
    r_c: float | None = Field(None, gt=0, le=100, description="radius of coarse-graining [length]; default 5 in 2D, 3 in 3D")
    modes: int = Field(512, gt=0, le=100_000, description="lowest modes in M; fewer if there are not as many")
    nonlinear_cell: float = Field(4.0, gt=0, le=1000, description="edge of the cells that each give a start for nonlinear modes "
                                  "[length]")
    nonlinear_tolerance: float = Field(1e-4, gt=0, le=1e-2, description="how well the two sides of the equation of a nonlinear "
                                       "mode agree")
    kick_steps: int = Field(4000, ge=100, le=10_000_000, description="steps of the motion that gives the nonaffinity; its "
                            "relative error is 2.9 / kick_steps^(1/2)")

    @field_validator("which")
    @classmethod
    def _known(cls, which: list[str]) -> list[str]:
        from hpcglass.errors import InputError
        from hpcglass.indicators.catalogue import INDICATORS, chosen

        try:
            chosen(which, 2 if all(2 in INDICATORS[word].dimensions for word in which if word in INDICATORS) else 3)
        except InputError as error:
            raise ValueError(str(error)) from None
        return which

    def derivatives(self) -> int:
        from hpcglass.indicators.catalogue import needs

        needed = needs(self.which)
        return 3 if needed & {"factors", "modes"} else 2 if "cavity" in needed else 0

    def solvers(self, ranks: int) -> Solvers | None:
        from hpcglass.indicators.catalogue import needs

        if needs(self.which) & {"factors", "modes"}:
            return Solvers(("mumps",), 'which = ["structure", "contacts"] does without')
        return None


class Indicators(Stage):
    """Structural indicators."""

    name = "indicators"
    Params = IndicatorsParams

    def run(self, system: System, context: Context) -> None:
        """One after the other, a safe point after each."""
        import numpy as np

        from hpcglass.indicators.catalogue import INDICATORS, chosen
        from hpcglass.indicators.glass import Choices, Glass
        from hpcglass.landscape.expansion import check_minimum

        params: IndicatorsParams = self.params
        wanted = chosen(params.which, system.dimension)
        if any(indicator.needs in RESPONSE for indicator in wanted):
            check_minimum(system)
        context.cite("richard2020")
        lacking = {name: indicator.lacks(system.dimension) for name, indicator in INDICATORS.items()
                   if indicator not in wanted and indicator.lacks(system.dimension)}
        if lacking:
            packages = ", ".join(sorted(set(lacking.values())))
            context.log(f"indicators: left out, as {packages} is not installed: {', '.join(lacking)}")
        glass = Glass(system, Choices(params.plane, params.x_cut, params.s2_delta, params.s2_range, params.r_c, params.modes,
                                      params.kick_steps, params.nonlinear_cell, params.nonlinear_tolerance))
        done = int(context.restored.scalars["done"]) if context.restored else 0
        for number, indicator in enumerate(wanted[done:], done + 1):
            with context.timer(indicator.family):
                values = np.asarray(indicator.compute(glass), dtype=np.float64)
            context.field(indicator.name, values, indicator.units, f"{indicator.symbol}: {indicator.summary}")
            for name, told in glass.results.items():
                context.result(name, *told)
            for name, (rows, columns) in glass.tables.items():
                table = context.table(name, **columns)
                for row in rows:
                    table.append(**dict(zip(columns, map(float, row), strict=True)))
            glass.tables.clear()
            context.safe_point(number, len(wanted), partial(Snapshot, {"done": number}), indicator.name)
        context.reached(len(wanted), 0.0)

    def force_evaluations(self, particles: int) -> float:
        from hpcglass.indicators.catalogue import needs

        params: IndicatorsParams = self.params
        needed = needs(params.which)
        starts = 20.0 * particles / params.nonlinear_cell**2 * bool({"all", "nonlinear"} & set(params.which))
        return 200.0 + (30.0 * params.modes + 5 * params.kick_steps) * bool(needed & {"factors", "modes"}) + 2.0 * starts

    def memory(self, particles: int, dimension: int) -> float:
        return sparse_memory(particles, dimension) + 1000.0 * particles

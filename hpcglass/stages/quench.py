"""Energy minimisation to an inherent state, optionally at constant pressure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from hpcglass.stages.base import Context, Stage, StageParams

if TYPE_CHECKING:
    from hpcglass.core.system import System


class QuenchParams(StageParams):
    """Minimise the energy (or, with `pressure`, the enthalpy over particles and isotropic box)."""

    kind: Literal["quench"] = "quench"
    algorithm: Literal["cg", "fire"] = Field("fire", description="minimiser: nonlinear conjugate gradients or FIRE")
    force_tolerance: float = Field(1e-12, gt=0,
                                   description="stop when max|F| <= force_tolerance * force scale (rms pair force)")
    max_evaluations: int = Field(2_000_000, gt=0, description="give up (an error) after so many force evaluations")
    pressure: float | None = Field(None, description="target pressure [energy/length^d]; box relaxes isotropically")


class Quench(Stage):
    """Inherent state."""

    name = "quench"
    Params = QuenchParams

    def run(self, system: System, context: Context) -> None:
        raise RuntimeError("not yet")

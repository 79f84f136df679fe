"""Athermal quasistatic shear: an affine step, then minimisation, again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from hpcglass.stages.base import Context, Stage, StageParams

if TYPE_CHECKING:
    from hpcglass.core.system import System


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
    event_drop: float = Field(1e-4, gt=0,
                              description="an event is a drop of the shear stress by more than this below elastic extrapolation [energy/length^d]")
    frames_every: int = Field(0, ge=0, description="keep the configuration every so many steps; 0 = none")
    event_frames: bool = Field(True, description="keep the configurations before and after each event")


class Shear(Stage):
    """Quasistatic shear."""

    name = "shear"
    Params = ShearParams

    def run(self, system: System, context: Context) -> None:
        raise RuntimeError("not yet")

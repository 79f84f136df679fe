"""Swap Monte Carlo at a parent temperature (paper 003, section II; physics of the parent state T_p)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from hpcglass.stages.base import Context, Stage, StageParams

if TYPE_CHECKING:
    from hpcglass.core.system import System


class SwapParams(StageParams):
    """Equilibrate with displacements and exchanges of diameters (or species)."""

    kind: Literal["swap"] = "swap"
    temperature: float = Field(gt=0, description="parent temperature T_p [energy]")
    sweeps: int = Field(gt=0, description="production sweeps; one sweep = one attempted move per particle")
    warmup: int = Field(100, ge=0, description="sweeps before production during which the displacement step is tuned")
    swap_fraction: float = Field(0.2, ge=0, le=1, description="share of attempts that exchange two diameters")
    displacement: float = Field(0.1, gt=0, description="largest displacement along each axis [length]; tuned during warm-up")
    sub_sweeps: int = Field(20, gt=0, description="sweeps between two random shifts of the active zones")
    measure_every: int = Field(20, gt=0, description="sweeps between two measurements (a multiple of sub_sweeps is used)")
    frames: int = Field(0, ge=0, description="configurations to keep along the way, evenly spaced")


class Swap(Stage):
    """Swap Monte Carlo."""

    name = "swap"
    Params = SwapParams

    def run(self, system: System, context: Context) -> None:
        raise RuntimeError("not yet")

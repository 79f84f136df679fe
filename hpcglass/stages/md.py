"""Molecular dynamics at constant or linearly ramped temperature (velocity Verlet and a thermostat)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from hpcglass.stages.base import Context, Stage, StageParams

if TYPE_CHECKING:
    from hpcglass.core.system import System


class MDParams(StageParams):
    """Integrate Newton's equations with a thermostat; lengths of time in units of sqrt(m l^2 / eps)."""

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


class MD(Stage):
    """Molecular dynamics."""

    name = "md"
    Params = MDParams

    def run(self, system: System, context: Context) -> None:
        raise RuntimeError("not yet")

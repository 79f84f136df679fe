"""Plastic events of quasistatic loading: found by their dissipation, described by D^2_min.

A stress drop alone misses events in large systems (the stress can even rise across one): what never fails is the energy. The work
done in a step exceeds the energy gained by what was dissipated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hpcglass.core.comm import largest
from hpcglass.landscape.nonaffine import d2min, participation, position_of_largest
from hpcglass.stages.base import Context

if TYPE_CHECKING:
    from hpcglass.core.system import System

Floats = NDArray[np.float64]
AXES = "xyz"


class State(NamedTuple):
    """A minimised state along the loading path: conjugate stress, energy, whether an event led to it (0 or 1)."""

    stress: float
    energy: float
    after_event: float


def dissipation(history: list[State], stress: float, energy: float, volume_step: float) -> float:
    """Energy dissipated in the step from history[-1] to (stress, energy), at least.

    D = V int sigma d(gamma) - dE, with the integral by the trapezoid and, where the step before was elastic, by the third-order
    Adams-Moulton rule; the smaller D of the two, so that the curvature of an elastic branch is not taken for dissipation.

    Parameters
    ----------
    volume_step : V d(gamma), signed
    """
    gained = energy - history[-1].energy
    work = volume_step * (history[-1].stress + stress) / 2
    if len(history) > 1 and not history[-1].after_event:
        work = min(work, volume_step * (5 * stress + 8 * history[-1].stress - history[-2].stress) / 12)
    return work - gained


class Events:
    """Records the events of one loading: a table row and two configurations each, and the fields of the largest.

    Reference positions and the field of the largest event live in `system.fields`, so that they move with the particles.
    """

    def __init__(self, system: System, context: Context, keep_frames: bool, scalars: dict[str, Any] | None = None) -> None:
        self.system, self.context, self.keep_frames = system, context, keep_frames
        self.count = int(scalars["events"]) if scalars else 0
        self.largest = float(scalars["largest event"]) if scalars else 0.0
        self.last_frame = int(scalars["last frame"]) if scalars else -1
        core = {f"core_{axis}": ("length", "position of the core") for axis in AXES[: system.dimension]}
        self.table = context.table(
            "events", step=("", "strain step"), strain=("", "strain at the end of the step"),
            stress=("energy/length^d", "conjugate stress before"),
            stress_drop=("energy/length^d", "stress below its elastic extrapolation"),
            energy_drop=("energy", "energy dissipated"), participation=("", "participation ratio of D2min"),
            largest_d2min=("length^2", "largest D2min"), core_id=("", "particle with the largest D2min"), **core)
        if scalars is None:
            system.fields["at the start"] = system.unwrapped()

    @property
    def scalars(self) -> dict[str, Any]:
        """Numbers that `__init__` takes to go on."""
        return {"events": self.count, "largest event": self.largest, "last frame": self.last_frame}

    def add(self, step: int, strain: float, strain_step: float, history: list[State], stress: float, dissipated: float,
            step_map: Floats, before: tuple[dict[str, Any], dict[str, Any]]) -> None:
        """Record that the step to `strain` was an event; `before` is the system's state before it. Collective.

        The unwrapped positions before the step are in `system.fields["before the step"]`.
        """
        system = self.system
        field = d2min(system, system.fields.pop("before the step"), step_map)
        elastic = history[-1].stress - history[-2].stress if len(history) > 1 and not history[-1].after_event else 0.0
        core, place = position_of_largest(system, field)
        top = float(largest(system.comm, float(field.max()) if field.size else 0.0))
        self.table.append(step=step, strain=strain, stress=history[-1].stress,
                          stress_drop=history[-1].stress + elastic - stress, energy_drop=dissipated,
                          participation=participation(system, field), largest_d2min=top, core_id=core,
                          **{f"core_{axis}": float(x) for axis, x in zip(AXES, place, strict=False)})
        self.count += 1
        if dissipated > self.largest:
            self.largest = dissipated
            system.fields["largest event"] = field
        if self.keep_frames:
            if self.last_frame != step - 1:
                after = system.state()
                system.restore(*before)
                self.context.frame(step - 1, strain - strain_step)
                system.restore(*after)
            self.context.frame(step, strain)
            self.last_frame = step

    def finish(self, total_map: Floats) -> None:
        """Store D^2_min of the whole loading and of the largest event. Collective."""
        fields = self.system.fields
        self.context.field("d2min", d2min(self.system, fields.pop("at the start"), total_map), "length^2",
                           "D2min from the start to the end of the loading")
        if "largest event" in fields:
            self.context.field("event_d2min", fields.pop("largest event"), "length^2", "D2min of the largest event")

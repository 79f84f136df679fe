"""Plastic events of quasistatic loading: found by their dissipation, described by D^2_min and by the instability they begin with.

A stress drop alone misses events in large systems (the stress can even rise across one): what never fails is the energy. The work
done in a step exceeds the energy gained by what was dissipated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core.comm import largest
from hpcglass.geometries.periodic import deformation
from hpcglass.landscape.nonaffine import d2min, participation, position_of_largest
from hpcglass.stages.base import Context
from hpcglass.stages.shear.loading import AXES, STRESS, State, Step
from hpcglass.stages.shear.observer import Frames
from hpcglass.stages.shear.params import ShearParams
from hpcglass.stages.shear.slips import COLUMNS, Slips

if TYPE_CHECKING:
    from hpcglass.core.system import System
    from hpcglass.moves.quasistatic.fold import Fold

Floats = NDArray[np.float64]


class Events:
    """Records the events of one loading: a table row and two configurations each, and the fields of the largest.

    Reference positions and the field of the largest event live in `system.fields`, so that they move with the particles.

    Parameters
    ----------
    gradient : (d, d) velocity gradient A
    frames : where configurations go
    params : whether to keep those before and after each event (`event_frames`), to find its instability (`locate`, see
        `moves.quasistatic.fold.locate`), how much its core slips (`slips`), and whether it is tested by unloading (`reverse`)
    scalars : of an interrupted run
    """

    def __init__(self, system: System, context: Context, gradient: Floats, frames: Frames, params: ShearParams,
                 scalars: dict[str, Any] | None = None) -> None:
        self.system, self.context, self.gradient, self.frames = system, context, gradient, frames
        self.keep_frames, self.locate, self.reverse = params.event_frames, params.locate, params.reverse
        self.slips = Slips(system, gradient, params.plane, scalars) if params.slips else None
        self.largest = float(scalars["largest event"]) if scalars else 0.0
        self.start: tuple[NDArray[np.int64], Floats]        # ids and unwrapped positions before the step
        self.table = context.table("events", **self._columns())
        if scalars is None:
            system.fields["at the start"] = system.unwrapped()

    def _columns(self) -> dict[str, tuple[str, str]]:
        axes = AXES[: self.system.dimension]
        columns = {
            "step": ("", "strain step"), "strain": ("", "strain at the end of the step"),
            "stress": (STRESS, "conjugate stress before"), "stress_drop": (STRESS, "stress below its elastic extrapolation"),
            **{f"drop_{a}{b}": (STRESS, "the same of each component of the stress") for a in axes for b in axes if a <= b},
            "energy_drop": ("energy", "energy dissipated"), "participation": ("", "participation ratio of D2min"),
            "size": ("", "number of particles, N times the participation ratio"), "largest_d2min": ("length^2", "largest D2min"),
            "core_id": ("", "particle with the largest D2min"),
            **{f"core_{axis}": ("length", "position of the core") for axis in axes}}
        if self.slips:
            columns |= COLUMNS
        if self.locate:
            columns |= {
                "gamma_c": ("", "strain of the instability; NaN if none was found"),
                "sigma_c": (STRESS, "conjugate stress there"),
                "critical_eigenvalue": ("energy/length^2", "eigenvalue there, 0 but for the error"),
                "critical_participation": ("", "participation ratio of the critical mode"),
                "trigger_id": ("", "particle that moves most in the critical mode"),
                **{f"trigger_{axis}": ("length", "its position") for axis in axes}}
        if self.reverse:
            columns |= {"reversible": ("", "1 if unloading recovers the state before, else 0"),
                        "recovering_strain": ("", "strain at which it is recovered; NaN if not")}
        return columns

    @property
    def scalars(self) -> dict[str, Any]:
        """Numbers that `__init__` takes to go on."""
        return {"largest event": self.largest, **(self.slips.scalars if self.slips else {})}

    def before(self) -> None:
        """Keep the positions."""
        self.start = self.system.id[: self.system.n_owned].copy(), self.system.unwrapped()

    def after(self, step: Step) -> None:
        """A row if the step was an event. Collective."""
        if step.event:
            with self.context.timer("events"):
                self._add(step)

    def _add(self, step: Step) -> None:
        system, state, last = self.system, step.state, step.history[-1]
        size = state.strain - last.strain
        begin, stretch = system.reorder(*self.start), deformation(self.gradient, size)
        field = d2min(system, begin, stretch)
        core, place = position_of_largest(system, field)
        top = float(largest(system.comm, float(field.max()) if field.size else 0.0))
        part = participation(system, field)
        row = {"step": step.number, "strain": state.strain, "stress": last.stress, **self._drops(step.history, state),
               "energy_drop": step.dissipated, "participation": part, "size": part * system.n_total,
               "largest_d2min": top, "core_id": core,
               **{f"core_{axis}": float(x) for axis, x in zip(AXES, place, strict=False)}}
        if self.slips:
            row |= self.slips.of(step, system.unwrapped() - begin @ stretch.T, field, place, row["stress_drop"])
        if step.dissipated > self.largest:
            self.largest = step.dissipated
            system.fields["largest event"] = field
        modes: dict[str, Any] = {}
        missing_frame = self.keep_frames and self.frames.last != step.number - 1
        if self.locate or missing_frame:
            after = system.state()
            system.restore(*step.before)
            if self.locate:
                row |= self._instability(last.strain, size, modes)
                system.restore(*step.before)
            if missing_frame:
                self.frames.write(step.number - 1, last.strain, **self._rows(modes))
            system.restore(*after)
        if self.keep_frames:
            self.frames.write(step.number, state.strain, **self._rows(modes))
        self.table.append(**row, **step.unloaded)

    def _drops(self, history: list[State], state: State) -> dict[str, float]:
        """Stresses below the linear continuation of the branch."""
        last = history[-1]
        before = np.array([last.stress, *last.tensor])
        drop = before - np.array([state.stress, *state.tensor])
        if len(history) > 1 and not last.after_event:
            ratio = (state.strain - last.strain) / (last.strain - history[-2].strain)
            drop += ratio * (before - np.array([history[-2].stress, *history[-2].tensor]))
        d = self.system.dimension
        return {"stress_drop": float(drop[0]),
                **{f"drop_{AXES[a]}{AXES[b]}": float(drop[1 + a * d + b]) for a in range(d) for b in range(a, d)}}

    def _instability(self, strain: float, size: float, modes: dict[str, Any]) -> dict[str, float]:
        """Columns of the instability after the present state; its mode by global id in `modes`. Moves the particles."""
        from hpcglass.moves.quasistatic.fold import locate

        axes = AXES[: self.system.dimension]
        fold: Fold | None = locate(self.system, self.gradient, size, self.context.look)
        if fold is None:
            return {name: np.nan for name in ("gamma_c", "sigma_c", "critical_eigenvalue", "critical_participation")} | {
                "trigger_id": -1, **{f"trigger_{axis}": np.nan for axis in axes}}
        trigger, place = position_of_largest(self.system, (fold.mode**2).sum(axis=1))
        modes |= {"id": self.system.id[: self.system.n_owned].copy(), "mode": fold.mode}
        return {"gamma_c": strain + fold.strain, "sigma_c": float((fold.mechanics.stress * self.gradient).sum()),
                "critical_eigenvalue": fold.eigenvalue, "critical_participation": fold.participation, "trigger_id": trigger,
                **{f"trigger_{axis}": float(x) for axis, x in zip(AXES, place, strict=False)}}

    def _rows(self, modes: dict[str, Any]) -> dict[str, Floats]:
        """The critical mode in the present order, zero if it is not known; nothing if it was not asked for."""
        if not self.locate:
            return {}
        system = self.system
        if not modes:
            return {"critical_mode": np.zeros((system.n_owned, system.dimension))}
        return {"critical_mode": system.reorder(modes["id"], modes["mode"])}

    def finish(self, strain: float) -> None:
        """Store D^2_min of the whole loading and of the largest event. Collective."""
        fields, total_map = self.system.fields, deformation(self.gradient, strain)
        self.context.field("d2min", d2min(self.system, fields.pop("at the start"), total_map), "length^2",
                           "D2min from the start to the end of the loading")
        if "largest event" in fields:
            self.context.field("event_d2min", fields.pop("largest event"), "length^2", "D2min of the largest event")

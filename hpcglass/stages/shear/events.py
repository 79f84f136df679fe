"""Plastic events of quasistatic loading: found by their dissipation, described by D^2_min and by the instability they begin with.

A stress drop alone misses events in large systems (the stress can even rise across one): what never fails is the energy. The work
done in a step exceeds the energy gained by what was dissipated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hpcglass.core.comm import largest
from hpcglass.errors import PhysicsError
from hpcglass.geometries.periodic import deformation
from hpcglass.landscape.nonaffine import d2min, participation, position_of_largest
from hpcglass.stages.base import Context

if TYPE_CHECKING:
    from hpcglass.core.system import System
    from hpcglass.landscape.forces import Mechanics
    from hpcglass.moves.quasistatic.fold import Fold

Floats = NDArray[np.float64]
AXES = "xyz"
STRESS = "energy/length^d"


class State(NamedTuple):
    """A minimised state along the loading path.

    strain, volume, energy : of the state
    stress : sigma : A, conjugate to the strain
    after_event : whether an event, or a turning point, is at or just before it (0 or 1)
    tensor : the d * d components of the stress
    """

    strain: float
    stress: float
    volume: float
    energy: float
    after_event: float
    tensor: tuple[float, ...]

    @classmethod
    def of(cls, strain: float, gradient: Floats, volume: float, mechanics: Mechanics) -> State:
        """From what `landscape.forces.evaluate` says."""
        stress = float((mechanics.stress * gradient).sum())
        return cls(strain, stress, volume, mechanics.energy, 0.0, tuple(mechanics.stress.ravel().tolist()))

    @classmethod
    def of_row(cls, row: list[float]) -> State:
        """From `row`."""
        strain, stress, volume, energy, after_event, *tensor = row
        return cls(strain, stress, volume, energy, after_event, tuple(tensor))

    @property
    def row(self) -> list[float]:
        """All numbers in a row, for a checkpoint."""
        return [self.strain, self.stress, self.volume, self.energy, self.after_event, *self.tensor]


def missing(last: State, state: State) -> float:
    """Work done between two states, by the trapezoid, minus energy gained: what sums up to the dissipation of a loading.

    Exact for the way there and back, as the errors of the trapezoid on an elastic branch cancel.
    """
    work = 0.5 * (state.strain - last.strain) * (last.volume * last.stress + state.volume * state.stress)
    return work - (state.energy - last.energy)


def dissipation(history: list[State], state: State) -> float:
    """Energy dissipated in the step from history[-1] to `state`, at least.

    D = int V sigma d(gamma) - dE, with the integral by the trapezoid and, where the step before was elastic and as long, by the
    third-order Adams-Moulton rule; the smaller D of the two, so that the curvature of an elastic branch is not taken for
    dissipation.
    """
    last = history[-1]
    step = state.strain - last.strain
    least = missing(last, state)
    if len(history) > 1 and not last.after_event and abs(last.strain - history[-2].strain - step) < 1e-6 * abs(step):
        before, here, there = (each.volume * each.stress for each in (history[-2], last, state))
        least = min(least, step * (5 * there + 8 * here - before) / 12 - (state.energy - last.energy))
    return least


class Events:
    """Records the events of one loading: a table row and two configurations each, and the fields of the largest.

    Reference positions and the field of the largest event live in `system.fields`, so that they move with the particles.

    Parameters
    ----------
    gradient : (d, d) velocity gradient A
    keep_frames : the configurations before and after each event
    locate : the instability of each, as `moves.quasistatic.fold.locate` finds it
    reverse : whether each is tested by unloading; `add` is told what came out
    scalars : of an interrupted run
    """

    def __init__(self, system: System, context: Context, gradient: Floats, keep_frames: bool, locate: bool = False,
                 reverse: bool = False, scalars: dict[str, Any] | None = None) -> None:
        self.system, self.context, self.gradient = system, context, gradient
        self.keep_frames, self.locate, self.reverse = keep_frames, locate, reverse
        self.count = int(scalars["events"]) if scalars else 0
        self.largest = float(scalars["largest event"]) if scalars else 0.0
        self.last_frame = int(scalars["last frame"]) if scalars else -1
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
        return {"events": self.count, "largest event": self.largest, "last frame": self.last_frame}

    def add(self, step: int, history: list[State], state: State, dissipated: float,
            before: tuple[dict[str, Any], dict[str, Any]], unloaded: dict[str, float]) -> None:
        """Record that the step to `state` was an event; `before` is the system's state before it. Collective.

        `unloaded` has what the test by unloading found, the columns of `reversal.Unloading`.

        The unwrapped positions before the step are in `system.fields["before the step"]`.
        """
        system, last = self.system, history[-1]
        size = state.strain - last.strain
        field = d2min(system, system.fields.pop("before the step"), deformation(self.gradient, size))
        core, place = position_of_largest(system, field)
        top = float(largest(system.comm, float(field.max()) if field.size else 0.0))
        part = participation(system, field)
        row = {"step": step, "strain": state.strain, "stress": last.stress, **self._drops(history, state),
               "energy_drop": dissipated, "participation": part, "size": part * system.n_total,
               "largest_d2min": top, "core_id": core,
               **{f"core_{axis}": float(x) for axis, x in zip(AXES, place, strict=False)}}
        self.count += 1
        if dissipated > self.largest:
            self.largest = dissipated
            system.fields["largest event"] = field
        modes: dict[str, Any] = {}
        if self.locate or (self.keep_frames and self.last_frame != step - 1):
            after = system.state()
            system.restore(*before)
            if self.locate:
                row |= self._instability(last.strain, size, modes)
                system.restore(*before)
            if self.keep_frames and self.last_frame != step - 1:
                self.context.frame(step - 1, last.strain, **self._rows(modes))
            system.restore(*after)
        if self.keep_frames:
            self.context.frame(step, state.strain, **self._rows(modes))
            self.last_frame = step
        self.table.append(**row, **unloaded)

    def ended(self, before: tuple[dict[str, Any], dict[str, Any]], size: float) -> bool:
        """Whether the branch of the state `before` ends within a strain `size` from there, as far as can be told. Collective.

        A fall may dissipate less than the trapezoid leaves open; the end of the branch is there or not.
        """
        from hpcglass.core.system import System
        from hpcglass.moves.quasistatic.fold import locate

        try:
            fold = locate(System.from_state(self.system.comm, self.system.model, *before), self.gradient, size)
        except PhysicsError:            # two softest modes alike
            return False
        return fold is not None and abs(fold.strain) <= abs(size)

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
        fold: Fold | None = locate(self.system, self.gradient, size)
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

    def finish(self, total_map: Floats) -> None:
        """Store D^2_min of the whole loading and of the largest event. Collective."""
        fields = self.system.fields
        self.context.field("d2min", d2min(self.system, fields.pop("at the start"), total_map), "length^2",
                           "D2min from the start to the end of the loading")
        if "largest event" in fields:
            self.context.field("event_d2min", fields.pop("largest event"), "length^2", "D2min of the largest event")

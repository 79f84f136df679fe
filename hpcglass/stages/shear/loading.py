"""The record of a loading: a row per step, what a step has dissipated, and the states that the next one is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hpcglass.stages.base import Context

if TYPE_CHECKING:
    from hpcglass.core.system import System
    from hpcglass.landscape.forces import Mechanics
    from hpcglass.moves.minimise import Report

Floats = NDArray[np.float64]
SystemState = tuple[dict[str, Any], dict[str, Any]]     # of `System.state`
STRESS = "energy/length^d"
AXES = "xyz"


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


@dataclass(frozen=True)
class Step:
    """A step that was made.

    number : counted from 1
    size : strain, signed
    history : states before it, the last one last; two at most
    state : after it
    dissipated : energy, at least
    event : whether it was a plastic event
    before : the system's state before it
    unloaded : what unloading from an event found, the columns of `reversal.Unloading`; empty if it was not tried
    """

    number: int
    size: float
    history: list[State]
    state: State
    mechanics: Mechanics
    report: Report
    dissipated: float
    event: bool
    before: SystemState
    unloaded: dict[str, float]


class Record:
    """/results/loading: strain, stress, energy and the minimiser's work, a row per step.

    Parameters
    ----------
    gradient : (d, d) velocity gradient A
    scalars : of an interrupted run

    Attributes
    ----------
    steps, events : how many there were
    lost : energy dissipated since the start, per volume
    history : the last two states, or the first one
    """

    def __init__(self, system: System, context: Context, gradient: Floats, scalars: dict[str, Any] | None) -> None:
        self.system, self.gradient = system, gradient
        self.steps, self.events, self.lost = 0, 0, 0.0
        self.history: list[State] = []
        if scalars:
            self.steps, self.events, self.lost = int(scalars["step"]), int(scalars["events"]), float(scalars["lost"])
            self.history = [State.of_row(row) for row in np.asarray(scalars["history"]).tolist()]
        d = system.dimension
        self.entries = {f"stress_{AXES[a]}{AXES[b]}": (a, b) for a in range(d) for b in range(a, d)}
        self.table = context.table(
            "loading", strain=("", "strain"), shear_stress=(STRESS, "stress : velocity gradient, conjugate to the strain"),
            **{name: (STRESS, "stress, tension positive") for name in self.entries},
            pressure=(STRESS, "-tr(stress)/d"), energy=("energy", "potential energy"),
            dissipated=("energy", "work minus energy gained in the step"),
            dissipation_density=(STRESS, "energy dissipated since the start per volume"),
            evaluations=("", "force evaluations of the step"), max_force=("energy/length", "largest force on a particle"))

    @property
    def scalars(self) -> dict[str, Any]:
        """Numbers that `__init__` takes to go on."""
        return {"step": self.steps, "events": self.events, "lost": self.lost,
                "history": np.array([state.row for state in self.history])}

    def start(self, mechanics: Mechanics, report: Report) -> None:
        """The minimum that the loading begins with."""
        self.history = [State.of(0.0, self.gradient, self.system.volume, mechanics)]
        self._row(self.history[0], mechanics, 0.0, report)

    def add(self, step: Step, turned: bool) -> None:
        """A step; the loading may have turned at its end."""
        self.steps += 1
        self.events += step.event
        self.lost += missing(step.history[-1], step.state) / self.system.volume
        self._row(step.state, step.mechanics, step.dissipated, step.report)
        self.history = [*self.history[-1:], step.state._replace(after_event=float(step.event or turned))]

    def _row(self, state: State, mechanics: Mechanics, dissipated: float, report: Report) -> None:
        self.table.append(strain=state.strain, shear_stress=state.stress, pressure=mechanics.pressure, energy=mechanics.energy,
                          dissipated=dissipated, dissipation_density=self.lost, evaluations=report.evaluations,
                          max_force=report.max_force,
                          **{name: float(mechanics.stress[place]) for name, place in self.entries.items()})

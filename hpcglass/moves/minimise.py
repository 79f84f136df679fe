"""Energy minimisation with forces only: FIRE and nonlinear conjugate gradients.

Both see one force evaluation at a time: `advance(F)` looks at the forces where the system is now and moves it. Line
searches look for the zero of the slope F.p, never at the energy, whose round-off (1e-16 U) would stop them at
forces of 1e-8 sqrt(U). What must survive a rebuild (velocities, directions) lives in `system.fields` and moves with the
particles; the few numbers besides are in `scalars`: together they make a minimisation resumable at any evaluation, to the bit.

Elastic steps of a glass take FIRE fewer evaluations; a quench from the liquid takes conjugate gradients half as many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.core.vectors import dots
from hpcglass.landscape.forces import forces, largest_force
from hpcglass.landscape.walls import check_inside

Floats = NDArray[np.float64]

LONGEST_STEP = 0.1      # no particle moves further in one evaluation, in units of the model's length


@dataclass
class Report:
    """How a minimisation ended.

    converged, reason : whether max|F| <= tolerance, and the stop in words
    max_force : max_i |F_i| where it ended [energy/length]
    evaluations : force evaluations used
    """

    converged: bool
    reason: str
    max_force: float
    evaluations: int


class Fire:
    """Fast inertial relaxation engine, semi-implicit Euler (Bitzek et al., PRL 97, 170201 (2006)).

    The largest time step is 1.6/sqrt(stiffness), with the stiffness the largest eigenvalue of the Hessian, found by a few power
    iterations on force differences: 2/sqrt(stiffness) is where the integrator turns unstable.
    """

    name = "fire"

    def __init__(self, system: System, scalars: dict[str, Any] | None = None) -> None:
        self.system = system
        if scalars is None:
            longest = 1.6 / np.sqrt(largest_stiffness(system))
            scalars = {"step": 0.25 * longest, "longest": longest, "mixing": 0.1, "downhill": 0}
            system.fields["velocity"] = np.zeros((system.n_owned, system.dimension))
        self.scalars = scalars

    def advance(self, force: Floats) -> None:
        """One step of the damped dynamics from the present forces."""
        system, state = self.system, self.scalars
        velocity = system.fields["velocity"]
        force2, power, velocity2 = ranks.total(system.comm, np.array(dots(force, velocity)))
        if power > 0:
            state["downhill"] += 1
            if state["downhill"] > 5:
                state["step"] = min(1.1 * state["step"], state["longest"])
                state["mixing"] *= 0.99
        else:
            # half a step back: the last one went uphill
            if velocity2 > 0:
                system.move(velocity, -0.5 * state["step"])
            velocity[:] = 0.0
            velocity2 = 0.0
            state.update(downhill=0, mixing=0.1, step=0.5 * state["step"])
        blend = state["mixing"] * np.sqrt(velocity2 / force2) if force2 > 0 else 0.0
        fastest2 = ranks.largest(system.comm, _fire_velocity(force, velocity, state["step"], state["mixing"], blend))
        scale = min(1.0, LONGEST_STEP / (state["step"] * np.sqrt(fastest2))) if fastest2 > 0 else 1.0
        system.move(velocity, state["step"] * scale)

    def finish(self) -> None:
        """Drop the work arrays."""
        self.system.fields.pop("velocity", None)


class ConjugateGradient:
    """Polak-Ribiere conjugate gradients, restarted when not downhill, at about one force evaluation per direction.

    A trial step gives the slope F.p a second value; the secant rule says where it vanishes. Near there the forces are
    interpolated, F = F_0 + r (F_trial - F_0), instead of evaluated again; as r is close to 1, errors do not pile up. Where the
    energy is not convex along p, or the trial was far off, the line search goes on with evaluations.
    """

    name = "cg"
    ACCURACY = 0.1      # a line search ends when the slope has fallen to this part of its start
    NEAR = 2.0          # interpolate when the zero lies within this factor of the trial

    def __init__(self, system: System, scalars: dict[str, Any] | None = None) -> None:
        self.system = system
        if scalars is None:
            scalars = {"begun": False, "slope_start": 0.0, "along": 0.0, "guess": 1.0 / largest_stiffness(system),
                       "along_last": 0.0, "slope_last": 0.0, "force2": 0.0}
            for name in ("direction", "line force"):
                system.fields[name] = np.zeros((system.n_owned, system.dimension))
        self.scalars = scalars

    def advance(self, force: Floats) -> None:
        """Continue the line search, or begin a new one from the present forces."""
        state = self.scalars
        if not state["begun"]:
            self._new_direction(force)
            return
        slope = float(ranks.total(self.system.comm, dots(self.system.fields["direction"], force)[1]))
        if abs(slope) <= self.ACCURACY * state["slope_start"]:
            self._new_direction(force)
            return
        change = state["along"] - state["along_last"]
        bend = (state["slope_last"] - slope) / change if change else 0.0
        if bend > 0 and state["along_last"] == 0.0 and state["along"] > 0:
            ratio = 1.0 + slope / (bend * state["along"])
            if 1 / self.NEAR < ratio < self.NEAR:
                start = self.system.fields["line force"]
                step = (ratio - 1.0) * state["along"]
                self.system.move(self.system.fields["direction"], step)
                state["along"] += step
                _interpolate(start, force, ratio)
                self._new_direction(force)
                return
        # convex: jump to the zero of the slope; else go on downhill, twice as far
        step = slope / bend if bend > 0 else np.sign(slope) * max(2 * abs(change), state["guess"])
        state.update(slope_last=slope, along_last=state["along"])
        self._go(step)

    def _new_direction(self, force: Floats) -> None:
        system, state = self.system, self.scalars
        direction, last = system.fields["direction"], system.fields["line force"]
        force2, force_last, _ = ranks.total(system.comm, np.array(dots(force, last)))
        if state["begun"] and state["along"] > 0:
            state["guess"] = state["along"]
        beta = max(0.0, (force2 - force_last) / state["force2"]) if state["begun"] and state["force2"] else 0.0
        _turn(direction, beta, force)
        slope = float(ranks.total(system.comm, dots(direction, force)[1]))
        if slope <= 0:
            direction[:] = force
            slope = float(force2)
        last[:] = force
        state.update(begun=True, force2=float(force2), slope_start=slope, slope_last=slope, along=0.0, along_last=0.0)
        self._go(state["guess"])

    def _go(self, step: float) -> None:
        direction = self.system.fields["direction"]
        longest = largest_force(self.system, direction)      # the largest |row|, of any vector field
        limit = LONGEST_STEP / longest if longest > 0 else 0.0
        step = float(np.clip(step, -limit, limit))
        self.scalars["along"] += step
        self.system.move(direction, step)

    def finish(self) -> None:
        """Drop the work arrays."""
        for name in ("direction", "line force"):
            self.system.fields.pop(name, None)


METHODS: dict[str, Any] = {"fire": Fire, "cg": ConjugateGradient}


def minimise(system: System, method: str | Any, tolerance: float, max_evaluations: int = 2_000_000,
             watch: Callable[[int, float, Any], None] | None = None, evaluations: int = 0) -> Report:
    """Move the particles downhill until max_i |F_i| <= tolerance. Collective.

    Parameters
    ----------
    method : name in METHODS, or a method object restored from a checkpoint
    tolerance : [energy/length]
    watch : called as watch(evaluations, max_force, method) after each evaluation that did not end the search; a safe point
    evaluations : count to start from, when resuming

    Returns
    -------
    Report
        With `converged` False when evaluations ran out; nothing is raised.
    """
    if isinstance(method, str):
        system.update()
        method = METHODS[method](system)
    while True:
        system.update()
        force = forces(system, reuse=True)
        evaluations += 1
        largest = largest_force(system, force)
        if largest <= tolerance:
            report = Report(True, "max|F| is below the tolerance", largest, evaluations)
            break
        if not np.isfinite(largest):
            system.check_finite("during minimisation")
            check_inside(system, "it or the wall moved too far at once: take more, smaller steps")
            report = Report(False, "forces are not finite", largest, evaluations)
            break
        if evaluations >= max_evaluations:
            report = Report(False, "the number of force evaluations reached its limit", largest, evaluations)
            break
        method.advance(force)
        if watch is not None:
            watch(evaluations, largest, method)
    method.finish()
    return report


def largest_stiffness(system: System, iterations: int = 12) -> float:
    """Largest eigenvalue of the Hessian [energy/length^2], by power iteration on force differences (10 % is enough here).

    The start vector is a hash of the global ids, the same on any number of ranks.
    """
    n, dimension = system.n_owned, system.dimension
    ids = system.id[:n, None] * dimension + np.arange(dimension)
    vector = np.sin(12.9898 * (ids + 1.0))
    start = forces(system)
    here = system.displacement.copy()
    stiffness = 1.0
    for _ in range(iterations):
        norm = float(np.sqrt(ranks.total(system.comm, float(np.vdot(vector, vector)))))
        if norm == 0 or not np.isfinite(norm):
            break
        stiffness = norm
        longest = largest_force(system, vector)
        step = 1e-5 / longest
        system.displacement[:n] = here[:n] + step * vector
        system.refresh_ghosts()
        vector = (start - forces(system)) / (step * norm)
    system.displacement[:] = here
    return max(1.1 * stiffness, 1e-3)


@numba.njit(cache=True, error_model="numpy")
def _interpolate(start, force, ratio):
    """force <- start + ratio (force - start), in place."""
    for i in range(force.shape[0]):
        for c in range(force.shape[1]):
            force[i, c] = start[i, c] + ratio * (force[i, c] - start[i, c])


@numba.njit(cache=True, error_model="numpy")
def _turn(direction, beta, force):
    """direction <- beta direction + force, in place."""
    for i in range(force.shape[0]):
        for c in range(force.shape[1]):
            direction[i, c] = beta * direction[i, c] + force[i, c]


@numba.njit(cache=True)
def _fire_velocity(force, velocity, step, mixing, blend):
    """v <- (1 - a) v + a |v| F/|F| + dt F, in place; the largest |v_i|^2."""
    fastest2 = 0.0
    for i in range(force.shape[0]):
        square = 0.0
        for c in range(force.shape[1]):
            v = (1.0 - mixing) * velocity[i, c] + (blend + step) * force[i, c]
            velocity[i, c] = v
            square += v * v
        fastest2 = max(fastest2, square)
    return fastest2

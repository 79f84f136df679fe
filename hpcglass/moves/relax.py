"""Minimisation with what a stage needs around it: force scale, table, checkpoints; and relaxation to a pressure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hpcglass.core.look import Look
from hpcglass.core.system import System
from hpcglass.errors import PhysicsError
from hpcglass.landscape.forces import Mechanics, evaluate
from hpcglass.landscape.rest import force_scale
from hpcglass.moves.methods import METHODS, Method
from hpcglass.moves.minimise import Report, minimise

LARGEST_COMPRESSION = 0.02  # true strain of the box between two minimisations
MOST_ROUNDS = 60            # of them
LARGE = 10_000              # particles of a glass in two dimensions in which "cg" is preconditioned at the end ...
WAVES = 0.1                 # ... which begins at this max|F| in units of the force scale, where the basin has been chosen

Watch = Callable[[int, float, dict[str, Any]], int]


def to_minimum(system: System, algorithm: str, tolerance: float, max_evaluations: int, watch: Watch | None = None,
               state: dict[str, Any] | None = None, evaluations: int = 0) -> tuple[Report, Mechanics]:
    """Minimise until max|F| <= tolerance * force scale, with the scale of the minimum itself. Collective.

    Parameters
    ----------
    algorithm : "fire", "cg", or "pcg"; "cg" becomes "pcg" in a large glass once forces are small
    tolerance : in units of the root-mean-square pair force
    watch : called with (evaluations, max_force, state) at safe points; `state` given back resumes from there. Returns after how
        many evaluations in all it is to be called next, at first after one
    state : numbers of an interrupted call
    evaluations : count to start from

    Raises
    ------
    PhysicsError
        When the minimum is not reached.
    """
    evaluations = int(state["evaluations"]) if state else evaluations
    ways = ["cg", "pcg"] if algorithm == "cg" and medium_pays(system) else [algorithm]
    way = int(state.get("way", 0)) if state else 0
    method: str | Method = ways[way]
    if state:
        scale = float(state["scale"])
        method = METHODS[ways[way]](system, {k[7:]: v for k, v in state.items() if k.startswith("method:")})
    else:
        system.update()
        scale = force_scale(evaluate(system))

    def look(count: int, largest: float, running: Method) -> int:
        assert watch is not None
        return watch(count, largest, {"evaluations": count, "scale": scale, "way": way,
                                      **{f"method:{key}": value for key, value in running.scalars.items()}})

    while True:
        level = tolerance if way == len(ways) - 1 else max(tolerance, WAVES)
        report = minimise(system, method, level * scale, max_evaluations, look if watch is not None else None, evaluations)
        if not report.converged:
            raise PhysicsError(f"minimisation ({algorithm}) did not converge: {report.reason} after {report.evaluations} "
                               f"evaluations, max|F| = {report.max_force:.3g}, wanted {tolerance * scale:.3g}; "
                               "raise max_evaluations or force_tolerance, or try the other algorithm")
        mechanics = evaluate(system)
        if report.max_force <= tolerance * force_scale(mechanics):
            return report, mechanics
        way = len(ways) - 1
        scale, evaluations, method = force_scale(mechanics), report.evaluations, ways[way]


def medium_pays(system: System) -> bool:
    """Whether conjugate gradients are worth preconditioning (`medium`): where waves relax last. In 3D other soft modes do."""
    return system.walls is None and system.dimension == 2 and system.n_total >= LARGE


def paced(system: System, look: Look) -> Watch:
    """A `watch` that looks up at the system's pace."""
    def watch(count: int, largest: float, state: dict[str, Any]) -> int:
        if count % system.pace == 0:
            look()
        return after(system, count)

    return watch


def after(system: System, count: int) -> int:
    """The next safe point at the system's pace: a multiple of it beyond `count`."""
    return (count // system.pace + 1) * system.pace


def to_pressure(system: System, target: float, tolerance: float, relax: Callable[[dict[str, Any]], Mechanics],
                state: dict[str, Any] | None = None) -> tuple[Mechanics, int]:
    """Minimise the enthalpy U + P V over particles and isotropic box: F = 0 and -tr(sigma)/d = P. Collective.

    Newton in the true strain eta of the box, V = V_0 exp(d eta), on inherent states: d(eta) = (p - P) / (d K), with the bulk
    modulus K by the secant rule (from the affine modulus at first, which is an upper bound). Quadratic near the end, so
    a handful of minimisations.

    Parameters
    ----------
    tolerance : on |p - P| relative to the larger of |P| and the pressure scale 1e-6
    relax : minimises at fixed box; it is given the numbers from which this goes on if it is interrupted there, as `state`
    state : such numbers

    Returns
    -------
    (mechanics, minimisations)

    Raises
    ------
    PhysicsError
        When 60 minimisations do not suffice.
    """
    allowed = tolerance * max(abs(target), 1e-6)
    if state:
        mechanics, modulus = _next_round(system, relax, state)
    else:
        state = {"rounds": 0}
        mechanics = relax(state)
        modulus = max(_affine_bulk_modulus(system, mechanics), 1e-9)
    while not abs(excess := mechanics.pressure - target) <= allowed:
        if state["rounds"] == MOST_ROUNDS:
            raise PhysicsError(f"the box did not reach pressure {target:g} in {MOST_ROUNDS} minimisations: it is at "
                               f"{mechanics.pressure:g}, volume {system.volume:g}; is there a glass at this pressure?")
        strain = float(np.clip(excess / (system.dimension * modulus), -LARGEST_COMPRESSION, LARGEST_COMPRESSION))
        if mechanics.pairs == 0 or mechanics.pressure == 0.0:
            strain = float(np.sign(excess)) * LARGEST_COMPRESSION      # nothing touches: no modulus to go by
        state = {"rounds": state["rounds"] + 1, "before": mechanics.pressure, "strain": strain, "modulus": modulus}
        system.deform(np.exp(strain) * np.eye(system.dimension))
        mechanics, modulus = _next_round(system, relax, state)
    return mechanics, state["rounds"] + 1


def _next_round(system: System, relax: Callable[[dict[str, Any]], Mechanics], state: dict[str, Any]) -> tuple[Mechanics, float]:
    """Relax after the box was strained; also the bulk modulus seen in this."""
    mechanics = relax(state)
    secant = (state["before"] - mechanics.pressure) / (system.dimension * state["strain"])
    return mechanics, secant if secant > 0.1 * state["modulus"] else 0.5 * state["modulus"]


def _affine_bulk_modulus(system: System, mechanics: Mechanics) -> float:
    """-V dP/dV of the frozen configuration, by a small dilation that is undone. Collective."""
    strain = 1e-6
    state = system.state()
    system.deform(np.exp(strain) * np.eye(system.dimension))
    system.update()
    modulus = (mechanics.pressure - evaluate(system).pressure) / (system.dimension * strain)
    system.restore(*state)
    return modulus

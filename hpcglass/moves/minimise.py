"""Energy minimisation with forces only: the loop around a method (`methods`) and its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hpcglass.core.system import System
from hpcglass.landscape.forces import forces, largest_force
from hpcglass.landscape.walls import check_inside
from hpcglass.moves.burst import burst, near_end
from hpcglass.moves.methods import METHODS, Method

Watch = Callable[[int, float, Method], int]


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


def minimise(system: System, method: str | Method, tolerance: float, max_evaluations: int = 2_000_000,
             watch: Watch | None = None, evaluations: int = 0) -> Report:
    """Move the particles downhill until max_i |F_i| <= tolerance. Collective.

    Parameters
    ----------
    method : name in METHODS, or a method object restored from a checkpoint
    tolerance : [energy/length]
    watch : called as watch(evaluations, max_force, method) after evaluations that did not end the search; a safe point.
        Returns after how many evaluations in all it is to be called next; the first time after one
    evaluations : count to start from, when resuming

    Returns
    -------
    Report
        With `converged` False when evaluations ran out; nothing is raised.
    """
    if isinstance(method, str):
        system.update()
        method = METHODS[method](system)
    due = evaluations + 1 if watch is not None else max_evaluations
    far = np.inf                    # a bound of how far anybody has moved since the ghosts were refreshed
    while True:
        done, largest = burst(method, tolerance, max(min(due, max_evaluations - 1) - evaluations, 0))
        evaluations += done
        far = np.inf if done else far       # the loop does not tell
        if evaluations < due:       # the loop left it to us
            system.update(far)
            force = forces(system, reuse=True)
            evaluations += 1
            sums = method.sums(force)
            if evaluations in (due, max_evaluations) or near_end(sums[0], system.n_total, tolerance):
                largest = largest_force(system, force)
                if reason := _end(system, largest, tolerance, evaluations >= max_evaluations):
                    break
            far = method.advance(force, sums)
        if watch is not None and evaluations == due:
            due = watch(evaluations, largest, method)
    method.finish()
    return Report(largest <= tolerance, reason, largest, evaluations)


def _end(system: System, largest: float, tolerance: float, last: bool) -> str:
    """Why the minimisation ends here; "" if it does not. Collective."""
    if largest <= tolerance:
        return "max|F| is below the tolerance"
    if not np.isfinite(largest):
        system.check_finite("during minimisation")
        check_inside(system, "it or the wall moved too far at once: take more, smaller steps")
        return "forces are not finite"
    return "the number of force evaluations reached its limit" if last else ""

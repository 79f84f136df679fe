"""Minimisation near a minimum, with factors of the Hessian of a configuration nearby: limited-memory BFGS from H_0 = K^-1.

A handful of force evaluations and solves take the place of a thousand force evaluations of FIRE, as long as there is a minimum
nearby. If there is none the search says so soon, and leaves the rest to a plain descent: with K^-1 it would not end well.

J. Nocedal, Math. Comp. 35, 773 (1980): the two loops.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.look import Look, straight_on
from hpcglass.core.system import System
from hpcglass.landscape.critical import dot
from hpcglass.landscape.forces import forces, largest_force
from hpcglass.landscape.matrix.factors import Inverse

Floats = NDArray[np.float64]

MEMORY = 20             # pairs of (step, change of force)
ITERATIONS = 20
PATIENCE = 4            # the largest force must halve in so many iterations
LONGEST_STEP = 0.05     # of any particle in one iteration
OVERSHOT = -0.5         # slope after a step over the slope before, from which the step is cut back


@dataclass
class Correction:
    """How the search ended.

    converged : max|F| <= tolerance, meeting only positive curvature
    rebuilt : the list had to be rebuilt: the particles are in another order now, for which new factors are needed
    max_force : where it ended [energy/length]
    evaluations, iterations : force evaluations, solves
    curved : whether it met negative curvature
    """

    converged: bool
    rebuilt: bool
    max_force: float
    evaluations: int
    iterations: int
    curved: bool = False


def correct(system: System, inverse: Inverse, tolerance: float, look: Look = straight_on, convex: bool = False) -> Correction:
    """Move to the minimum nearby; the way there is added to `system.fields["corrected"]`, (n_owned, d) [length]. Collective.

    Parameters
    ----------
    inverse : made in the present order of the particles
    tolerance : on max_i |F_i| [energy/length]
    look : called before each iteration
    convex : end where negative curvature is met
    """
    steps: list[Floats] = []
    changes: list[Floats] = []
    evaluations, best, since, curved = 0, np.inf, 0, False
    last: Floats | None = None
    direction = np.zeros((system.n_owned, system.dimension))
    way = system.fields.setdefault("corrected", direction.copy())
    for iteration in range(ITERATIONS + 1):
        look()
        if system.update():
            return Correction(False, True, np.inf, evaluations, iteration)
        force = forces(system)
        evaluations += 1
        largest = largest_force(system, force)
        if last is not None:
            before, after, turn = _products(system, direction, last, force)
            if after < OVERSHOT * before:           # beyond the bottom: back to where the slope vanishes
                back = before / (before - after) - 1.0
                system.move(direction, back)
                way += back * direction
                system.refresh_ghosts()
                force = forces(system)
                evaluations += 1
                largest = largest_force(system, force)
                direction = (1.0 + back) * direction
                before, after, turn = _products(system, direction, last, force)
            if turn > 0:
                steps.append(direction)
                changes.append(last - force)
                del steps[:-MEMORY], changes[:-MEMORY]
            else:
                curved = True
        if largest <= tolerance or (curved and convex):
            return Correction(not curved, False, largest, evaluations, iteration, curved)
        best, since = (largest, 0) if largest < 0.5 * best else (best, since + 1)
        if since >= PATIENCE or iteration == ITERATIONS or not np.isfinite(largest):
            break
        direction = _two_loops(system, inverse, force, steps, changes)
        longest = largest_force(system, direction)
        if longest > LONGEST_STEP:
            direction *= LONGEST_STEP / longest
        last = force
        system.move(direction)
        way += direction
    return Correction(False, False, largest, evaluations, iteration, curved)


def _two_loops(system: System, inverse: Inverse, force: Floats, steps: list[Floats], changes: list[Floats]) -> Floats:
    """(n_owned, d) the quasi-Newton step."""
    q = force.copy()
    weights = []
    for s, y in zip(reversed(steps), reversed(changes), strict=True):
        sy, sq = ranks.total(system.comm, np.array([float(np.vdot(s, y)), float(np.vdot(s, q))]))
        weights.append((sq / sy, sy))
        q -= sq / sy * y
    r = inverse.apply(q)
    for s, y, (alpha, sy) in zip(steps, changes, reversed(weights), strict=True):
        r += (alpha - dot(system, y, r) / sy) * s
    return r


def _products(system: System, direction: Floats, before: Floats, after: Floats) -> tuple[float, float, float]:
    """Slopes F.p before and after a step p, and p.(F_before - F_after)."""
    a, b = ranks.total(system.comm, np.array([float(np.vdot(direction, before)), float(np.vdot(direction, after))]))
    return float(a), float(b), float(a - b)

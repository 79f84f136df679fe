"""Where a branch of minima ends: the strain, stress and mode of a saddle-node bifurcation, to round-off.

Two stages. From a stable minimum towards the instability: the softest mode foretells how far it is (`landscape.critical`); three
quarters of that is gone, again and again, in steps that are halved when they are too long. Near the end the strain g becomes an
unknown besides the particles u, and the way s = psi.(u - u_0) along the mode takes its place, in which nothing is singular:

    F(u, g) = 0,   psi.(u - u_0) = s            (Newton, bordered with psi)
    H u' + H.(A x) g' = 0,   psi.u' = 1         (tangent along s)

Where g'(s) = 0 the strain turns back: u' is the critical mode, and lambda = u'.H u' / u'.u' = 0. All solves use factors of
one stable minimum nearby, with what they lack iterated away.

H. B. Keller, in "Applications of Bifurcation Theory" (Academic Press, 1977): bordering and continuation through folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hpcglass.core.look import Look, straight_on
from hpcglass.core.system import System
from hpcglass.geometries.periodic import deformation
from hpcglass.landscape.contractions import along_path
from hpcglass.landscape.critical import SoftMode, dot, soft_mode
from hpcglass.landscape.forces import Mechanics, evaluate, forces, largest_force
from hpcglass.landscape.matrix.factors import Inverse
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.landscape.nonaffine import participation
from hpcglass.landscape.rattlers import bonded
from hpcglass.moves.quasistatic.newton import correct
from hpcglass.moves.relax import force_scale

Floats = NDArray[np.float64]

APPROACHES = 60         # minima on the way at most
SHARE = 0.75            # of the distance foretold
NEAR = 1e-5             # strain from which the fold is tried
ROUGH = 1e-3            # angle of a mode that shows the way
MARGIN = 1e-6           # strain by which a fold may lie beyond the end
ROUNDS, SECANTS = 60, 12
LINEAR = 1e-9           # |H u' + H.(A x) g'| of a tangent
STRAYED = 0.3           # largest correction over the largest motion foretold, beyond which we are not on the branch any more
SMALLEST = 1e-14        # strain
STILL = 1e-14           # rest of a way along psi
SLOWEST = 0.8           # least contraction of an iteration with factors from nearby


@dataclass
class Fold:
    """The end of a branch.

    strain : from where the search began
    mechanics : energy and stress there
    mode : (n_owned, d) critical mode, |Psi| = 1, pointing to where the glass will go
    eigenvalue : lambda, zero but for the error [energy/length^2]
    drive, cubic : nu and kappa of the critical mode, see `SoftMode`
    participation : (sum |Psi_i|^2)^2 / (N sum |Psi_i|^4)
    """

    strain: float
    mechanics: Mechanics
    mode: Floats
    eigenvalue: float
    drive: float
    cubic: float
    participation: float


class Accuracy(NamedTuple):
    """How well an instability is to be known.

    force : max|F| on the way, in units of the force scale
    aim, accepted : |lambda| [energy/length^2]; g_c is then known to lambda^2/(2 kappa nu)
    tangent : |H u' + H.(A x) g'| that will do before rounding ends the iterations
    """

    force: float
    aim: float
    accepted: float
    tangent: float


EXACT = Accuracy(1e-12, 1e-8, 1e-6, 0.0)            # errors of g_c below 1e-15
WHETHER = Accuracy(1e-9, 1e-4, 1e-3, 1e-6)          # below 1e-8: enough to know whether there is one


def locate(system: System, gradient: Floats, end: float, look: Look = straight_on, accuracy: Accuracy = EXACT) -> Fold | None:
    """The instability between the present minimum and a further strain `end`, either sign. Collective.

    The particles are left at the instability; keep `system.state()` to return. `look` is called before each solve or two.

    Returns
    -------
    Fold, or None if no eigenvalue vanishes there: contacts that open (potentials without second derivative), or no event at all.
    """
    system.rebuild()                    # none is wanted on the way
    covered, limit, sign = 0.0, abs(end), float(np.sign(end))
    tolerance = accuracy.force * force_scale(evaluate(system))
    here, guess, longest = (0.0, system.state()), None, limit
    for _ in range(APPROACHES):
        inverse = Inverse(Hessian(system))
        if not inverse.stable:                      # the step led across
            longest = 0.25 * (covered - here[0])
            covered = here[0]
            system.restore(*here[1])
        else:
            here = covered, system.state()
            mode = soft_mode(system, gradient, inverse, guess, look, ROUGH)
            ahead, guess = sign * mode.distance, mode.vector
            if 0.0 < ahead < NEAR:
                fold = _fold(system, gradient, inverse, mode, tolerance, accuracy, look)
                if fold is not None and 0.0 < sign * fold.strain <= limit - covered + MARGIN:
                    inverse.destroy()
                    fold.strain += sign * covered
                    return fold
                system.restore(*here[1])
            step = min(longest, limit - covered, SHARE * ahead if ahead > 0.0 else np.inf)
            while step > SMALLEST and not _approach(system, gradient, inverse, mode, sign * step, tolerance, look):
                system.restore(*here[1])
                step *= 0.5
            covered += step
            longest = 2.0 * step
        inverse.destroy()
        if longest < SMALLEST or covered >= limit:
            return None
    return None


def _approach(system: System, gradient: Floats, inverse: Inverse, mode: SoftMode, step: float, tolerance: float,
              look: Look) -> bool:
    """A step of strain along the branch: affine, nonaffine, and along the softest mode as its cubic says; then corrected."""
    remains = mode.eigenvalue**2 - 2.0 * mode.cubic * mode.drive * step
    along = -2.0 * mode.drive * step / (mode.eigenvalue + np.sqrt(max(remains, 0.0)))
    velocity = inverse.apply(-along_path(bonded(system), gradient, [], 1).gradient)
    motion = step * (velocity - dot(system, mode.vector, velocity) * mode.vector) + along * mode.vector
    system.deform(deformation(gradient, step))
    system.move(motion)
    system.fields.pop("corrected", None)
    correction = correct(system, inverse, tolerance, look)
    corrected = system.fields.pop("corrected")
    if correction.rebuilt or not correction.max_force <= tolerance:
        return False
    return largest_force(system, corrected) <= STRAYED * largest_force(system, motion)


def _fold(system: System, gradient: Floats, inverse: Inverse, mode: SoftMode, tolerance: float, accuracy: Accuracy, look: Look
          ) -> Fold | None:
    """Newton to the fold from a stable minimum nearby; None if the iterations do not contract."""
    border = Border(system, gradient, inverse, mode.vector, look, accuracy.tangent)
    aim, strain = 0.0, 0.0
    seen: list[tuple[float, float]] = []
    guess = mode.vector, -mode.eigenvalue / mode.drive
    for _ in range(SECANTS):
        moved = border.equilibrium(aim - (seen[-1][0] if seen else 0.0), tolerance)
        tangent = border.tangent(*guess) if moved is not None else None
        if moved is None or tangent is None:
            return None
        strain += moved
        guess = direction, slope = tangent
        load = along_path(bonded(system), gradient, [], 1).gradient
        norm2 = dot(system, direction, direction)
        eigenvalue = -slope * dot(system, direction, load) / norm2
        seen.append((aim, slope))
        if abs(eigenvalue) <= accuracy.aim or (len(seen) == SECANTS and abs(eigenvalue) <= accuracy.accepted):
            psi = direction / np.sqrt(norm2)
            cubic = float(along_path(bonded(system), np.zeros_like(system.box), [psi], 3).energy[3])
            way = 1.0 if cubic <= 0.0 else -1.0
            return Fold(strain, evaluate(system), way * psi, eigenvalue, way * dot(system, psi, load), way * cubic,
                        participation(system, (psi**2).sum(axis=1)))
        if len(seen) == 1:
            aim = -mode.eigenvalue / mode.cubic
        else:
            (s0, g0), (s1, g1) = seen[-2:]
            aim = s1 - g1 * (s1 - s0) / (g1 - g0) if g1 != g0 else s1
    return None


class Border:
    """Solutions of H x + H.(A x_0) y = r, psi.x = c with factors of a minimum nearby."""

    def __init__(self, system: System, gradient: Floats, inverse: Inverse, psi: Floats, look: Look,
                 enough: float = 0.0) -> None:
        self.system, self.gradient, self.inverse, self.psi, self.look = system, gradient, inverse, psi, look
        self.enough = enough
        self.response = inverse.apply(along_path(bonded(system), gradient, [], 1).gradient)
        self.along = dot(system, psi, self.response)

    def solve(self, right: Floats, along: float) -> tuple[Floats, float]:
        """(x, y), exact where the factors were made."""
        self.look()
        free = self.inverse.apply(right)
        y = (dot(self.system, self.psi, free) - along) / self.along
        return free - y * self.response, y

    def equilibrium(self, along: float, tolerance: float) -> float | None:
        """Move to rest, by `along` in the direction of psi, at a strain of its own; the change of strain, or None. Collective."""
        system, strain, last = self.system, 0.0, np.inf
        for _ in range(ROUNDS):
            system.refresh_ghosts()
            force = forces(system)
            largest = largest_force(system, force)
            if largest <= tolerance and (abs(along) <= STILL or not largest < SLOWEST * last):
                return strain
            if not largest < 1e3 * last:
                return None
            last = min(last, largest) if abs(along) <= STILL else np.inf     # a move along psi takes the particles out of balance
            x, y = self.solve(force, along)
            along -= dot(system, self.psi, x)
            strain += y
            system.deform(deformation(self.gradient, y))
            system.move(x)
        return None

    def tangent(self, direction: Floats, slope: float) -> tuple[Floats, float] | None:
        """(du/ds, dg/ds) at the present state, from a guess; None if it does not converge. Collective."""
        system, view, last = self.system, bonded(self.system), np.inf
        for _ in range(ROUNDS):
            right = -along_path(view, slope * self.gradient, [direction], 1).gradient
            size = np.sqrt(dot(system, right, right))
            if size <= self.enough:
                return direction, slope
            if not size < SLOWEST * last:
                return (direction, slope) if last <= LINEAR else None
            last = size
            x, y = self.solve(right, 1.0 - dot(system, self.psi, direction))
            direction, slope = direction + x, slope + y
        return None

"""Localised soft modes: minima of the cost |A|^n / B^2 of a stiffness and a form of n-th degree, by conjugate gradients.

    A = H:zz,      B a form of degree n with gradient n Q(z),      C(z) = A^(n/2) / |B|,

neither the length of z nor translations matter. A small numerator asks for softness, a large denominator for relative motion in
one place. With z.Q = B,

    dC/dz = n (C/A) r,      r = H z - (A/B) Q(z):

minima are solutions of H z = (A/B) Q(z), and z -> H^+ Q(z) iterated leads there, like the power method for eigenvectors. The step
of that iteration is -H^+ r; here it serves as the steepest descent of conjugate gradients (Polak and Ribiere). Along a line z + t
p, A is a polynomial of second degree and B of n-th: one pass over the pairs gives their coefficients, hence the exact minimum on
the line. Five to thirty linear solves do, whatever the size of the glass; descent without H^+ takes a thousand steps at N = 10^4.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.errors import InputError, PhysicsError
from hpcglass.landscape.expansion import LinearSolver
from hpcglass.landscape.lockstep import alone

Floats = NDArray[np.float64]
LARGEST_TURN = 1.0      # tangent of the largest angle by which a step may turn z, so that it stays near its start
USUAL = 16              # linear solves of one mode
STILL = 1e-12           # of its norm: what round-off leaves of a uniform translation


class Form(Protocol):
    """A and B over the interacting pairs of a configuration.

    degree : n of B
    first, second : rows of the pairs, the first one owned
    """

    degree: int
    first: NDArray[np.int64]
    second: NDArray[np.int64]

    def terms(self, z: Floats, force: Floats, power: Floats) -> float:
        """Add H z to `force` and Q to `power`, (n_all, d), right for owned rows; returns this rank's part of B."""

    def line(self, z: Floats, direction: Floats) -> Floats:
        """This rank's parts of the coefficients of A (3) and B (n+1) along z + t p, lowest power first."""


@dataclass
class Localised:
    """A minimum of the cost.

    mode : (n_owned, d) pi, unit norm, zero mean, zero for particles without contacts
    cost : C(pi)
    stiffness : kappa = H:pi pi [energy/length^2]
    form : B(pi)
    gradient : |r| / |H pi|, norms over all particles: how well the two terms of dC/dz cancel
    iterations : linear solves
    """

    mode: Floats
    cost: float
    stiffness: float
    form: float
    gradient: float
    iterations: int


class Point(NamedTuple):
    """A, B, C, r and |r| / |H z| at a field."""

    stiffness: float
    form: float
    cost: float
    residual: Floats
    error: float


def localised_mode(system: System, form: Form, start: Floats, tolerance: float, iterations: int, solver: LinearSolver,
                   what: str) -> Localised:
    """The minimum of C downhill from a field. Collective.

    Parameters
    ----------
    system : a minimum of the energy, up to date
    start : (n_owned, d)
    tolerance : of `Localised.gradient`
    iterations : linear solves at most
    solver : of this system's Hessian
    what : name of such a mode, for messages

    Raises
    ------
    InputError
        The start has another shape.
    PhysicsError
        Not converged; H:zz <= 0, the configuration is a saddle; the start is a translation; or a solve failed.
    """
    return alone(search(system, form, start, tolerance, iterations, what), solver.solve)


def search(system: System, form: Form, start: Floats, tolerance: float, iterations: int, what: str,
           ) -> Generator[Floats, Floats, Localised]:
    """The same, for `lockstep`: yields the right-hand side of each linear solve and is sent the solution. Collective."""
    own = (system.n_owned, system.dimension)
    if ranks.largest(system.comm, int(np.shape(start) != own)):
        raise InputError(f"the start of a {what} needs one row of {own[1]} numbers for each particle of each rank")
    z = _start(system, form, start, what)
    direction, before = np.zeros_like(z), np.zeros_like(z)
    slope = 1.0
    for count in range(iterations + 1):
        point = evaluate(system, form, z)
        if not point.stiffness > 0.0:
            raise PhysicsError(f"H:zz = {point.stiffness:.3g} along a field of unit norm: the configuration is a saddle, not a "
                               "minimum; relax it further")
        if point.error <= tolerance:
            return Localised(z, point.cost, point.stiffness, point.form, point.error, count)
        if count == iterations:
            break
        down = -(yield point.residual)
        new, change, along, across, turned = ranks.total(system.comm, np.array([
            np.vdot(down, point.residual), np.vdot(down, point.residual - before), np.vdot(z, down), np.vdot(z, direction),
            np.vdot(direction, point.residual)]))
        mix = max(change / slope, 0.0)      # Polak and Ribiere; zero at first, when `direction` is
        if new + mix * turned >= 0.0:
            mix = 0.0
        # without its part along z, which changes the length only
        direction = down + mix * direction - (along + mix * across) * z
        z = z + _step(system, form, z, direction, new + mix * turned) * direction
        z /= np.sqrt(ranks.total(system.comm, float(np.vdot(z, z))))
        before, slope = point.residual, new
    raise PhysicsError(f"no {what} after {iterations} linear solves: the gradient is {point.error:.1e} of its two "
                       f"terms, asked for are {tolerance:.0e}, at a cost of {point.cost:.6g}; allow more "
                       "iterations or a larger tolerance")


def evaluate(system: System, form: Form, z: Floats) -> Point:
    """A, B, C and r of a field of the owned particles. Collective.

    Raises PhysicsError if B vanishes: the field moves no interacting pair.
    """
    force, power = np.zeros((2, system.n_all, system.dimension))
    value = form.terms(_with_ghosts(system, z), force, power)
    force, power = force[: system.n_owned], power[: system.n_owned]
    stiffness, square, value = ranks.total(system.comm, np.array([np.vdot(z, force), np.vdot(force, force), value]))
    if not abs(value) > 0.0:
        raise PhysicsError(f"the field moves no interacting pair, or is not finite: its form of degree {form.degree} is "
                           f"{value:.3g}")
    residual = force - stiffness / value * power
    error = float(np.sqrt(ranks.total(system.comm, float(np.vdot(residual, residual))) / square))
    cost = abs(stiffness) ** (0.5 * form.degree) / abs(value)
    return Point(stiffness, value, cost, residual, error)


def _start(system: System, form: Form, start: Floats, what: str) -> Floats:
    """The start without particles that touch nothing and without the mean of the others, of unit norm."""
    bound = np.zeros(system.n_all, dtype=np.bool_)
    bound[form.first] = bound[form.second] = True
    z = np.where(bound[: system.n_owned, None], start, 0.0)
    *mean, count, before = ranks.total(system.comm, np.append(z.sum(axis=0), [bound[: system.n_owned].sum(), np.vdot(z, z)]))
    if not count:
        raise PhysicsError("no two particles interact: there are no modes; compress the configuration")
    z -= np.where(bound[: system.n_owned, None], np.array(mean) / count, 0.0)
    size = ranks.total(system.comm, float(np.vdot(z, z)))
    if not size > STILL**2 * before:
        raise PhysicsError(f"the start of a {what} moves no pair: without its mean its norm is "
                           f"{np.sqrt(size):.1e}; take a mode or the response to a dipole")
    return z / np.sqrt(size)


def _step(system: System, form: Form, z: Floats, direction: Floats, slope: float) -> float:
    """t of the first minimum of C along z + t p, or of the largest turn if that comes first. Collective.

    z has unit norm, p is normal to it, and slope = p.r. From dC/dt, which has the sign of (n A' B - 2 A B') / B, a polynomial of
    degree n.
    """
    n = form.degree
    sums = form.line(_with_ghosts(system, z), _with_ghosts(system, direction))
    *sums, size = ranks.total(system.comm, np.append(sums, np.vdot(direction, direction)))
    a, b = np.array(sums[:3]), np.array(sums[3:])
    b *= np.sign(b[0])
    rise = 0.5 * n * np.convolve([a[1], 2.0 * a[2]], b) - np.convolve(a, b[1:] * np.arange(1.0, n + 1))
    rise = rise[: n + 1]                # those of degree n + 1 cancel
    rise[0] = n * b[0] * slope          # the same number; but close to a minimum it, too, is what is left of two terms
    inverse = np.roots(rise)            # lowest power first: roots of 1/t, the largest is the most accurate
    inverse = inverse.real[np.abs(inverse.imag) <= 1e-9 * np.abs(inverse.real)]
    return float(1.0 / max(inverse.max(initial=0.0), np.sqrt(size) / LARGEST_TURN))


def _with_ghosts(system: System, rows: Floats) -> Floats:
    result = np.empty((system.n_all, system.dimension))
    result[: system.n_owned] = rows
    system.forward(result)
    return result

"""Pseudo-harmonic modes: soft, localised directions of the harmonic energy, free of phonons.

They are minima pi of the cost

    C(z) = (H:zz)^2 / sum_pairs |z_ij|^4,      z_ij = z_j - z_i,

over interacting pairs: a small numerator asks for softness, a large denominator for relative motion in one place (D. Richard
et al., Phys. Rev. Lett. 126, 015501 (2021)). C depends neither on the length of z nor on translations. With A = H:zz, B the
denominator and Q_i = sum_j |z_ij|^2 (z_i - z_j), a quarter of its derivative,

    dC/dz = 4 (A/B) r,      r = H z - (A/B) Q(z):

at a minimum the forces H z are those of purely quartic springs, hence z -> H^+ Q(z) iterated leads there, like the power method
for eigenvectors. The step of that iteration is -H^+ r; here it serves as the steepest descent of conjugate gradients (Polak and
Ribiere). Along a line z + t p, A is a polynomial of second order and B of fourth: one pass over the pairs gives their
coefficients, hence the exact minimum on the line. Ten to thirty linear solves do, whatever the size of the glass; descent
without H^+ takes a thousand steps at N = 10^4, and more time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.pairs import CHUNK, KEEP_NAN
from hpcglass.core.system import System
from hpcglass.errors import InputError, PhysicsError
from hpcglass.landscape.contractions import along_path
from hpcglass.landscape.expansion import LinearSolver, default_solver
from hpcglass.landscape.forces import gather, pair_lists, scalars

Floats = NDArray[np.float64]
LARGEST_TURN = 1.0      # tangent of the largest angle by which a step may turn z, so that it stays near its start
USUAL = 16              # linear solves of one mode
STILL = 1e-12           # of its norm: what round-off leaves of a uniform translation


@dataclass
class PseudoHarmonic:
    """A minimum of the cost.

    mode : (n_owned, d) pi, unit norm, zero mean, zero for particles without contacts
    cost : C(pi) [energy^2/length^4]
    stiffness : H:pi pi [energy/length^2]
    gradient : |r| / |H pi|, norms over all particles: how well the two terms of dC/dz cancel
    iterations : linear solves
    """

    mode: Floats
    cost: float
    stiffness: float
    gradient: float
    iterations: int


def cost(system: System, z: Floats) -> tuple[float, Floats]:
    """C(z) and dC/dz, (n_owned, d), of a field z (n_owned, d). Collective.

    The system must be up to date; it need not be a minimum.

    Raises
    ------
    PhysicsError
        z moves no interacting pair.
    """
    point = _evaluate(system, _springs(system), z)
    return point.stiffness**2 / point.fourth, 4.0 * point.stiffness / point.fourth * point.residual


def companion_force(system: System, mode: Floats) -> Floats:
    """(n_owned, d) F = H pi, the forces that hold the glass displaced along a mode [energy/length^2]. Collective."""
    return along_path(system, np.zeros_like(system.box), [mode], 1).gradient


def pseudo_harmonic_mode(system: System, start: Floats, tolerance: float = 1e-10, iterations: int = 200,
                         solver: LinearSolver | None = None) -> PseudoHarmonic:
    """The minimum of C downhill from a field. Collective.

    Parameters
    ----------
    system : a minimum of the energy, up to date
    start : (n_owned, d) a displacement mode of the bond operator, the response to a dipole, a harmonic mode
    tolerance : of `PseudoHarmonic.gradient`
    iterations : linear solves at most; usual are 10 to 30
    solver : of this system's Hessian; a new one is made without. Hand one in when there are several starts

    Raises
    ------
    InputError
        The start has another shape.
    PhysicsError
        Not converged; H:zz <= 0, the configuration is a saddle; the start is a translation; or a solve failed.
    """
    own = (system.n_owned, system.dimension)
    if ranks.largest(system.comm, int(np.shape(start) != own)):
        raise InputError(f"the start of a pseudo-harmonic mode needs one row of {own[1]} numbers for each particle of each rank")
    solver = solver or default_solver(system, USUAL)
    springs = _springs(system)
    z = _start(system, springs, start)
    direction, before = np.zeros_like(z), np.zeros_like(z)
    slope = 1.0
    for count in range(iterations + 1):
        point = _evaluate(system, springs, z)
        if not point.stiffness > 0.0:
            raise PhysicsError(f"H:zz = {point.stiffness:.3g} along a field of unit norm: the configuration is a saddle, not a "
                               "minimum; relax it further")
        if point.error <= tolerance:
            return PseudoHarmonic(z, point.stiffness**2 / point.fourth, point.stiffness, point.error, count)
        if count == iterations:
            break
        down = -solver.solve(point.residual)
        new, change, along, across, turned = ranks.total(system.comm, np.array([
            np.vdot(down, point.residual), np.vdot(down, point.residual - before), np.vdot(z, down), np.vdot(z, direction),
            np.vdot(direction, point.residual)]))
        mix = max(change / slope, 0.0)      # Polak and Ribiere; zero at first, when `direction` is
        if new + mix * turned >= 0.0:
            mix = 0.0
        # without its part along z, which changes the length only
        direction = down + mix * direction - (along + mix * across) * z
        z = z + _step(system, springs, z, direction, new + mix * turned) * direction
        z /= np.sqrt(ranks.total(system.comm, float(np.vdot(z, z))))
        before, slope = point.residual, new
    raise PhysicsError(f"no pseudo-harmonic mode after {iterations} linear solves: the gradient is {point.error:.1e} of its two "
                       f"terms, asked for are {tolerance:.0e}, at a cost of {point.stiffness**2 / point.fourth:.6g}; allow more "
                       "iterations or a larger tolerance")


class _Springs(NamedTuple):
    """The harmonic glass: rows of interacting pairs, the first one owned, and K_ij = c_2 x x^T + c_1 1, (pairs, d, d)."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    stiffness: Floats


class _Point(NamedTuple):
    """A = H:zz, B = sum |z_ij|^4, r, and |r| / |H z|."""

    stiffness: float
    fourth: float
    residual: Floats
    error: float


def _springs(system: System) -> _Springs:
    return _Springs(*_list_springs(*pair_lists(system)))


def _start(system: System, springs: _Springs, start: Floats) -> Floats:
    """The start without particles that touch nothing and without the mean of the others, of unit norm."""
    bound = np.zeros(system.n_all, dtype=np.bool_)
    bound[springs.first] = bound[springs.second] = True
    z = np.where(bound[: system.n_owned, None], start, 0.0)
    *mean, count, before = ranks.total(system.comm, np.append(z.sum(axis=0), [bound[: system.n_owned].sum(), np.vdot(z, z)]))
    if not count:
        raise PhysicsError("no two particles interact: there are no modes; compress the configuration")
    z -= np.where(bound[: system.n_owned, None], np.array(mean) / count, 0.0)
    size = ranks.total(system.comm, float(np.vdot(z, z)))
    if not size > STILL**2 * before:
        raise PhysicsError("the start of a pseudo-harmonic mode moves no pair: without its mean its norm is "
                           f"{np.sqrt(size):.1e}; take a mode or the response to a dipole")
    return z / np.sqrt(size)


def _evaluate(system: System, springs: _Springs, z: Floats) -> _Point:
    """A, B and r of a field of the owned particles. Collective."""
    force, quartic = np.zeros((2, system.n_all, system.dimension))
    fourth = _terms(*springs, system.n_owned, _with_ghosts(system, z), force, quartic)
    force, quartic = force[: system.n_owned], quartic[: system.n_owned]
    stiffness, square, fourth = ranks.total(system.comm, np.array([np.vdot(z, force), np.vdot(force, force), fourth]))
    if not fourth > 0.0:
        raise PhysicsError(f"the field moves no interacting pair, or is not finite: sum |z_ij|^4 = {fourth:.3g}")
    residual = force - stiffness / fourth * quartic
    error = float(np.sqrt(ranks.total(system.comm, float(np.vdot(residual, residual))) / square))
    return _Point(stiffness, fourth, residual, error)


def _step(system: System, springs: _Springs, z: Floats, direction: Floats, slope: float) -> float:
    """t of the first minimum of C along z + t p, or of the largest turn if that comes first. Collective.

    z has unit norm, p is normal to it, and slope = p.r. From dC/dt = (A/B^2) (2 A' B - A B'), a polynomial of fourth order.
    """
    sums = _line(*springs, system.n_owned, _with_ghosts(system, z), _with_ghosts(system, direction))
    *sums, size = ranks.total(system.comm, np.append(sums, np.vdot(direction, direction)))
    a, b = np.array(sums[:3]), np.array(sums[3:])
    rise = 2.0 * np.convolve([a[1], 2.0 * a[2]], b) - np.convolve(a, b[1:] * np.arange(1.0, 5.0))
    rise = rise[:5]                     # those of fifth order cancel
    rise[0] = 4.0 * b[0] * slope        # the same number; but close to a minimum it, too, is what is left of two terms
    inverse = np.roots(rise)            # lowest power first: roots of 1/t, the largest is the most accurate
    inverse = inverse.real[np.abs(inverse.imag) <= 1e-9 * np.abs(inverse.real)]
    return float(1.0 / max(inverse.max(initial=0.0), np.sqrt(size) / LARGEST_TURN))


def _with_ghosts(system: System, rows: Floats) -> Floats:
    result = np.empty((system.n_all, system.dimension))
    result[: system.n_owned] = rows
    system.forward(result)
    return result


@numba.njit(cache=True, error_model="numpy")
def _list_springs(reference, displacement, start, index, inverse_length2, scale, table):
    """(first, second, stiffness) of the entries of the list that interact."""
    dimension, total = reference.shape[1], start[start.size - 1]
    vector = np.empty((dimension, CHUNK))
    x2, c1, c2, work = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK), np.empty((2, CHUNK))
    first, second = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int64)
    stiffness = np.empty((total, dimension, dimension))
    cutoff2 = table.edges[table.edges.size - 1]
    row = kept = 0
    for begin in range(0, total, CHUNK):
        size = min(CHUNK, total - begin)
        next_row = gather(reference, displacement, start, index, inverse_length2, row, begin, size, vector, x2)
        scalars(1, begin, size, inverse_length2, scale, table, x2, work, c1)
        scalars(2, begin, size, inverse_length2, scale, table, x2, work, c2)
        for k in range(size):
            while start[row + 1] <= begin + k:
                row += 1
            if x2[k] >= cutoff2:
                continue
            first[kept], second[kept] = row, index[begin + k]
            for a in range(dimension):
                for b in range(dimension):
                    stiffness[kept, a, b] = c2[k] * vector[a, k] * vector[b, k]
                stiffness[kept, a, a] += c1[k]
            kept += 1
        row = next_row
    return first[:kept].copy(), second[:kept].copy(), stiffness[:kept].copy()


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _terms(first, second, stiffness, n_owned, z, force, quartic):
    """Add H z to `force` and Q to `quartic`, right for owned rows; returns this rank's part of B."""
    dimension = z.shape[1]
    u = np.empty(dimension)
    fourth = 0.0
    for p in range(first.size):
        i, j = first[p], second[p]
        square = 0.0
        for a in range(dimension):
            u[a] = z[i, a] - z[j, a]
            square += u[a] * u[a]
        fourth += square * square if j < n_owned else 0.5 * square * square
        for a in range(dimension):
            value = 0.0
            for b in range(dimension):
                value += stiffness[p, a, b] * u[b]
            force[i, a] += value
            force[j, a] -= value
            quartic[i, a] += square * u[a]
            quartic[j, a] -= square * u[a]
    return fourth


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _line(first, second, stiffness, n_owned, z, direction):
    """This rank's parts of the coefficients of A (3) and B (5), lowest power first."""
    dimension = z.shape[1]
    u, w = np.empty(dimension), np.empty(dimension)
    sums = np.zeros(8)
    for p in range(first.size):
        i, j = first[p], second[p]
        weight = 1.0 if j < n_owned else 0.5
        uu = uw = ww = 0.0
        for a in range(dimension):
            u[a] = z[i, a] - z[j, a]
            w[a] = direction[i, a] - direction[j, a]
            uu += u[a] * u[a]
            uw += u[a] * w[a]
            ww += w[a] * w[a]
        for a in range(dimension):
            for b in range(dimension):
                k = weight * stiffness[p, a, b]
                sums[0] += k * u[a] * u[b]
                sums[1] += 2.0 * k * u[a] * w[b]
                sums[2] += k * w[a] * w[b]
        sums[3] += weight * uu * uu
        sums[4] += weight * 4.0 * uu * uw
        sums[5] += weight * (4.0 * uw * uw + 2.0 * uu * ww)
        sums[6] += weight * 4.0 * uw * ww
        sums[7] += weight * ww * ww
    return sums

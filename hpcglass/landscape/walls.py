"""Rigid circular walls as a potential: phi of the model with the distance to the wall for r and lambda_ii for lambda_ij.

    U = sum_i phi(g_i / lambda_ii) over both walls,     g = r - r_in  or  r_out - r,     r = |x_i - centre|,

zero beyond the cut-off. The gap g has the unit vector n = +-x/r as gradient, and curvature +-(1 - n n^T)/r, so that

    F_i = -phi' n,      H_ii = phi'' n n^T + (+-phi'/r) (1 - n n^T).

Walls hold the particles but not their rotation about the centre, which leaves every distance as it is: at a minimum the
rotations are the zero modes, in place of the translations of the periodic cell.

The gap is the difference of two radii, and would carry the round-off of the larger one: it is computed from the difference of
their squares, with the exact square of the reference position, so that forces at the outer wall are as exact as those of pairs.
A. Kumar et al., "Anomalous elasticity in classical glass-formers", Sect. III: the walls. A particle beyond a wall has no energy
(NaN), unless phi is finite at contact: there it goes on as a straight line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.pairs import pair_scalar
from hpcglass.core.system import System
from hpcglass.errors import PhysicsError

Floats = NDArray[np.float64]

CLOSEST = 1e-6      # gap in units of lambda below which a finite potential goes on as a straight line


class Contacts(NamedTuple):
    """Particles within reach of a wall; a particle within reach of both occurs twice.

    row : (m,) int64 owned rows
    outer : (m,) bool whether it is the outer wall
    normal : (m, d) gradient of the gap: away from the wall
    bend : (m,) eigenvalue of the gap's second derivative across the normal, +-1/r [1/length]
    energy, slope, curvature : (m,) phi, phi', phi'' by the gap
    """

    row: NDArray[np.int64]
    outer: NDArray[np.bool_]
    normal: Floats
    bend: Floats
    energy: Floats
    slope: Floats
    curvature: Floats


@dataclass
class WallLoad:
    """What the glass does to its walls; the first entry is the inner wall's, the second the outer one's.

    energy : of the contacts with both walls [energy]
    contacts : (2,) particles within their cut-off
    normal_force : (2,) sum of -phi' [energy/length]; of the inner wall it is dU/dr_in
    pressure : (2,) the same by the area of the wall [energy/length^d]
    net_force : (2, d) vector sum of the forces; at a minimum the two add up to zero [energy/length]
    """

    energy: float
    contacts: NDArray[np.int64]
    normal_force: Floats
    pressure: Floats
    net_force: Floats


def contacts(system: System) -> Contacts:
    """The contacts of the owned particles with the walls; none without walls. Not collective."""
    d = system.dimension
    if system.walls is None:
        nothing = np.empty(0)
        return Contacts(np.empty(0, dtype=np.int64), np.empty(0, dtype=bool), np.empty((0, d)), *[nothing] * 4)
    row, outer, gap, radius, normal, length, strength = _near(
        system.reference, system.displacement, system.n_owned, np.array(system.walls.centre), system.walls.r_in,
        system.walls.r_out, system.table, system.diameter, system.species)
    # a straight line goes on where phi is finite; elsewhere the power of a negative number is NaN for the asking
    finite = system.model.potential.finite
    closest = CLOSEST * length
    beyond = gap < closest
    at = np.where(beyond, closest if finite else np.where(gap > 0.0, gap, np.nan), gap)
    x2 = (at / length) ** 2
    work, c = np.empty((2, len(gap))), np.empty((3, len(gap)))
    for order in range(3):
        pair_scalar(system.table, order, len(gap), x2, work, c[order])
        c[order] *= strength / length ** (2 * order)
        c[order][np.isnan(at)] = np.nan
    energy, slope, curvature = c[0], c[1] * at, c[2] * at**2 + c[1]
    if finite:
        energy = energy + slope * (gap - at)
        curvature = np.where(beyond, 0.0, curvature)
    sign = np.where(outer, -1.0, 1.0)
    return Contacts(row, outer, normal, sign / radius, energy, slope, curvature)


def push(system: System, force: Floats) -> Contacts:
    """Add the walls' forces to the first n_owned rows of `force`, in place. Not collective."""
    found = contacts(system)
    _push(found.row, found.slope, found.normal, force)
    return found


def blocks(system: System) -> tuple[NDArray[np.int64], Floats]:
    """(rows, (m, d, d) parts of their diagonal blocks of the Hessian). Not collective."""
    found = contacts(system)
    along = found.normal[:, :, None] * found.normal[:, None, :]
    across = np.eye(system.dimension) - along
    return found.row, found.curvature[:, None, None] * along + (found.slope * found.bend)[:, None, None] * across


def holding(system: System) -> tuple[NDArray[np.int64], Floats]:
    """(n_owned,) walls that each owned particle touches, and the largest |phi'| of them. Not collective."""
    found, strongest = contacts(system), np.zeros(system.n_owned)
    np.maximum.at(strongest, found.row, np.abs(found.slope))
    return np.bincount(found.row, minlength=system.n_owned), strongest


def load(system: System) -> WallLoad:
    """Forces and pressures on the walls of a system that is up to date. Collective.

    Raises
    ------
    PhysicsError
        The system has no walls.
    """
    if system.walls is None:
        raise PhysicsError("the system has no walls: start it with r_in and r_out in [system]")
    found, d = contacts(system), system.dimension
    sums = np.zeros((2, 3 + d))
    for wall in range(2):
        here = found.outer == bool(wall)
        sums[wall, 0] = found.energy[here].sum()
        sums[wall, 1] = here.sum()
        sums[wall, 2] = -found.slope[here].sum()
        sums[wall, 3:] = (found.slope[here, None] * found.normal[here]).sum(axis=0)
    sums = ranks.total(system.comm, sums)
    return WallLoad(float(sums[:, 0].sum()), np.rint(sums[:, 1]).astype(np.int64), sums[:, 2],
                    sums[:, 2] / np.array(system.walls.areas), sums[:, 3:])


def check_inside(system: System, advice: str) -> None:
    """Raise PhysicsError, naming a particle, if one is beyond a wall. Collective.

    advice : what to do about it
    """
    if system.walls is None:
        return
    own = slice(0, system.n_owned)
    apart = (system.reference[own] - np.array(system.walls.centre)) + system.displacement[own]
    radius = np.sqrt((apart * apart).sum(axis=1))
    bad = np.flatnonzero(~((radius > system.walls.r_in) & (radius < system.walls.r_out)))
    worst = int(ranks.smallest(system.comm, int(system.id[bad].min()) if bad.size else system.n_total))
    if worst < system.n_total:
        where = np.flatnonzero(system.id[own] == worst)
        distance = float(ranks.total(system.comm, float(radius[where[0]]) if where.size else 0.0))
        raise PhysicsError(f"particle {worst} is beyond a wall: {distance:.6g} from the centre, where the walls have radii "
                           f"{system.walls.r_in:.6g} and {system.walls.r_out:.6g}; {advice}")


def rigid_motions(system: System, chosen: NDArray[np.bool_] | None = None) -> list[Floats]:
    """Orthonormal motions of the whole glass that cost no energy, each (n_owned, d). Collective.

    The d translations of the periodic cell; between walls the d(d-1)/2 rotations about their centre.

    Parameters
    ----------
    chosen : (n_owned,) particles that take part; default: all
    """
    n, d = system.n_owned, system.dimension
    part = np.ones(n, dtype=bool) if chosen is None else chosen
    if system.walls is None:
        one = part / np.sqrt(max(ranks.total(system.comm, int(part.sum())), 1))
        return [one[:, None] * axis for axis in np.eye(d)]
    apart = np.where(part[:, None], (system.reference[:n] - np.array(system.walls.centre)) + system.displacement[:n], 0.0)
    motions: list[Floats] = []
    for a in range(d):
        for b in range(a + 1, d):
            motion = np.zeros((n, d))
            motion[:, a], motion[:, b] = -apart[:, b], apart[:, a]
            for _ in range(2):                  # twice is enough for Gram and Schmidt
                for other in motions:
                    motion -= float(ranks.total(system.comm, float(np.vdot(other, motion)))) * other
                norm = float(np.sqrt(ranks.total(system.comm, float(np.vdot(motion, motion)))))
                motion = motion / norm if norm > 0 else motion
            motions.append(motion)
    return motions


@numba.njit(cache=True, inline="always")
def _square(a):
    """a^2 as a number and its rounding error, exactly (T. J. Dekker, Numer. Math. 18, 224 (1971))."""
    t = 134217729.0 * a
    high = t - (t - a)
    low = a - high
    p = a * a
    return p, ((high * high - p) + 2.0 * high * low) + low * low


@numba.njit(cache=True, error_model="numpy")        # no fastmath: it would cancel the rounding errors that are kept
def _gap(w, u, radius, wall):
    """r - wall, for r = |w + u| = radius up to rounding: (w^2 - wall^2 + 2 w.u + u^2) / (r + wall)."""
    p, e = _square(wall)
    high, low = -p, -e
    rest = 0.0
    for a in range(w.size):
        p, e = _square(w[a])
        total = high + p
        back = total - high
        low += ((high - (total - back)) + (p - back)) + e
        high = total
        rest += (2.0 * w[a] + u[a]) * u[a]
    return (high + (low + rest)) / (radius + wall)


@numba.njit(cache=True, error_model="numpy")
def _near(reference, displacement, n_owned, centre, r_in, r_out, table, diameter, species):
    """(row, outer, gap, radius, normal, lambda, eps) of all particles within their cut-off of a wall."""
    d = centre.size
    x_c = np.sqrt(table.edges[table.edges.size - 1])
    row, outer = np.empty(2 * n_owned, dtype=np.int64), np.empty(2 * n_owned, dtype=np.bool_)
    numbers, normal = np.empty((4, 2 * n_owned)), np.empty((2 * n_owned, d))
    w, u = np.empty(d), np.empty(d)
    m = 0
    for i in range(n_owned):
        length = table.length[species[i], species[i]] if table.by_species else diameter[i]
        square = 0.0
        for a in range(d):
            w[a], u[a] = reference[i, a] - centre[a], displacement[i, a]
            square += (w[a] + u[a]) ** 2
        inner, rim = r_in + x_c * length, max(r_out - x_c * length, 0.0)
        # not (far from both walls), so that NaN counts as near
        if square >= inner * inner and square <= rim * rim:
            continue
        radius = np.sqrt(square)
        strength = table.energy[species[i], species[i]] if table.by_species else 1.0
        for _ in range(table.energy_power):
            strength *= length
        for wall in range(2):
            sign = -1.0 if wall else 1.0
            gap = sign * _gap(w, u, radius, r_out if wall else r_in)
            if gap >= x_c * length:
                continue
            row[m], outer[m] = i, wall == 1
            numbers[0, m], numbers[1, m], numbers[2, m], numbers[3, m] = gap, radius, length, strength
            for a in range(d):
                normal[m, a] = sign * (w[a] + u[a]) / radius
            m += 1
    return (row[:m].copy(), outer[:m].copy(), numbers[0, :m].copy(), numbers[1, :m].copy(), normal[:m].copy(),
            numbers[2, :m].copy(), numbers[3, :m].copy())


@numba.njit(cache=True, error_model="numpy")
def _push(row, slope, normal, force):
    """F_i -= phi' n."""
    for k in range(row.size):
        for a in range(normal.shape[1]):
            force[row[k], a] -= slope[k] * normal[k, a]

"""Pseudo-harmonic modes: soft, localised directions of the harmonic energy, free of phonons.

They are minima pi of the cost

    C(z) = (H:zz)^2 / sum_pairs |z_ij|^4,      z_ij = z_j - z_i,

over interacting pairs: a small numerator asks for softness, a large denominator for relative motion in one place (D. Richard
et al., Phys. Rev. Lett. 126, 015501 (2021)). At a minimum the forces H z are those of purely quartic springs. The way there is
that of `localised`, with the form B = sum |z_ij|^4 of fourth degree.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core.pairs import KEEP_NAN
from hpcglass.core.system import System
from hpcglass.landscape.contractions import along_path
from hpcglass.landscape.expansion import LinearSolver, default_solver
from hpcglass.landscape.listed import interacting_pairs
from hpcglass.landscape.localised import USUAL, Localised, evaluate, localised_mode

Floats = NDArray[np.float64]


class Quartic:
    """H and B = sum |z_ij|^4 of the harmonic glass: rows of interacting pairs, and K_ij = c_2 x x^T + c_1 1, (pairs, d, d)."""

    degree = 4

    def __init__(self, system: System) -> None:
        self.first, self.second, vector, (c1, c2) = interacting_pairs(system, 1, 2)
        unit = np.eye(system.dimension)
        self.stiffness = c2[:, None, None] * vector[:, :, None] * vector[:, None, :] + c1[:, None, None] * unit
        self.n_owned = system.n_owned

    def terms(self, z: Floats, force: Floats, power: Floats) -> float:
        """Add H z and a quarter of dB/dz, right for owned rows; returns this rank's part of B."""
        return float(_terms(self.first, self.second, self.stiffness, self.n_owned, z, force, power))

    def line(self, z: Floats, direction: Floats) -> Floats:
        """This rank's parts of the coefficients of A (3) and B (5) along z + t p, lowest power first."""
        return _line(self.first, self.second, self.stiffness, self.n_owned, z, direction)


def cost(system: System, z: Floats) -> tuple[float, Floats]:
    """C(z) and dC/dz, (n_owned, d), of a field z (n_owned, d). Collective.

    The system must be up to date; it need not be a minimum.

    Raises
    ------
    PhysicsError
        z moves no interacting pair.
    """
    point = evaluate(system, Quartic(system), z)
    return point.cost, 4.0 * point.stiffness / point.form * point.residual


def companion_force(system: System, mode: Floats) -> Floats:
    """(n_owned, d) F = H pi, the forces that hold the glass displaced along a mode [energy/length^2]. Collective."""
    return along_path(system, np.zeros_like(system.box), [mode], 1).gradient


def pseudo_harmonic_mode(system: System, start: Floats, tolerance: float = 1e-10, iterations: int = 200,
                         solver: LinearSolver | None = None) -> Localised:
    """The minimum of C downhill from a field, its cost in energy^2/length^4. Collective.

    Parameters
    ----------
    system : a minimum of the energy, up to date
    start : (n_owned, d) a displacement mode of the bond operator, the response to a dipole, a harmonic mode
    tolerance : of `Localised.gradient`
    iterations : linear solves at most; usual are 10 to 30
    solver : of this system's Hessian; a new one is made without. Hand one in when there are several starts

    Raises
    ------
    InputError, PhysicsError
        As `localised_mode`.
    """
    return localised_mode(system, Quartic(system), start, tolerance, iterations, solver or default_solver(system, USUAL),
                          "pseudo-harmonic mode")


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

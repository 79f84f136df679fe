"""Nonlinear modes: directions along which the anharmonic energy takes over soonest.

    H pi = (H:pi pi / U^(n).pi^n) U^(n).pi^(n-1),      n = 3, 4,

U^(n) the n-th derivatives of the energy: cubic and quartic modes (L. Gartner and E. Lerner, SciPost Phys. 1, 016 (2016); D.
Richard et al., Phys. Rev. Materials 4, 113609 (2020), eq. B24). They are minima of the cost of `localised` with B = U^(n).z^n:
for n = 3 that of a barrier, A^3/B^2. Contracted with w = z_j - z_i, s_1 = x.w, s_2 = w.w, a pair gives

    U^(3) w^3 = c_3 s_1^3 + 3 c_2 s_1 s_2,      U^(4) w^4 = c_4 s_1^4 + 6 c_3 s_1^2 s_2 + 3 c_2 s_2^2.

n = 4 needs a bounded fourth derivative: potentials whose third one jumps at the cut-off, as most do, are taken pointwise.
"""

from __future__ import annotations

from collections.abc import Generator

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core.pairs import KEEP_NAN
from hpcglass.core.system import System
from hpcglass.landscape.expansion import LinearSolver
from hpcglass.landscape.listed import interacting_pairs
from hpcglass.landscape.localised import Localised, localised_mode, search

Floats = NDArray[np.float64]


class Derivatives:
    """H and U^(n): rows and vectors of the interacting pairs, and their scalars c_1 ... c_4."""

    def __init__(self, system: System, degree: int) -> None:
        assert degree in (3, 4)
        self.degree, self.n_owned = degree, system.n_owned
        self.first, self.second, self.vector, c = interacting_pairs(system, 1, 4)
        self.c = np.ascontiguousarray(c.T)

    def terms(self, z: Floats, force: Floats, power: Floats) -> float:
        """Add H z and U^(n).z^(n-1), right for owned rows; returns this rank's part of U^(n).z^n."""
        return float(_terms(self.first, self.second, self.vector, self.c, self.degree, self.n_owned, z, force, power))

    def line(self, z: Floats, direction: Floats) -> Floats:
        """This rank's parts of the coefficients of A (3) and B (n+1) along z + t p, lowest power first."""
        return _line(self.first, self.second, self.vector, self.c, self.degree, self.n_owned, z, direction)


def nonlinear_mode(system: System, form: Derivatives, start: Floats, solver: LinearSolver, tolerance: float = 1e-4,
                   iterations: int = 200) -> Localised:
    """The nonlinear mode downhill from a field. Collective.

    Parameters
    ----------
    system : a minimum of the energy, up to date
    form : its `Derivatives`
    start : (n_owned, d) the response to a dipole, a harmonic mode
    solver : of this system's Hessian
    tolerance : of `Localised.gradient`

    Raises
    ------
    InputError, PhysicsError
        As `localised_mode`.
    """
    return localised_mode(system, form, start, tolerance, iterations, solver, "nonlinear mode")


def from_force(system: System, form: Derivatives, force: Floats, tolerance: float = 1e-4, iterations: int = 200,
               ) -> Generator[Floats, Floats, Localised]:
    """The nonlinear mode downhill from the response to forces, for `lockstep`. Collective.

    force : (n_owned, d), such as a dipole; their response is the first solution that is asked for
    """
    start = yield force
    return (yield from search(system, form, start, tolerance, iterations, "nonlinear mode"))


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _terms(first, second, vector, c, degree, n_owned, z, force, power):
    dimension = z.shape[1]
    w = np.empty(dimension)
    total = 0.0
    for p in range(first.size):
        i, j = first[p], second[p]
        along = square = 0.0
        for a in range(dimension):
            w[a] = z[j, a] - z[i, a]
            along += vector[p, a] * w[a]
            square += w[a] * w[a]
        if degree == 3:
            of_x, of_w = c[p, 2] * along**2 + c[p, 1] * square, 2.0 * c[p, 1] * along
        else:
            of_x = along * (c[p, 3] * along**2 + 3.0 * c[p, 2] * square)
            of_w = 3.0 * (c[p, 2] * along**2 + c[p, 1] * square)
        value = of_x * along + of_w * square
        total += value if j < n_owned else 0.5 * value
        for a in range(dimension):
            linear = c[p, 1] * along * vector[p, a] + c[p, 0] * w[a]
            higher = of_x * vector[p, a] + of_w * w[a]
            force[i, a] -= linear
            force[j, a] += linear
            power[i, a] -= higher
            power[j, a] += higher
    return total


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _line(first, second, vector, c, degree, n_owned, z, direction):
    dimension = z.shape[1]
    sums = np.zeros(4 + degree)
    for p in range(first.size):
        i, j = first[p], second[p]
        weight = 1.0 if j < n_owned else 0.5
        a0 = a1 = s0 = s1 = s2 = 0.0        # x.w = a0 + a1 t,  w.w = s0 + s1 t + s2 t^2
        for a in range(dimension):
            u, v = z[j, a] - z[i, a], direction[j, a] - direction[i, a]
            a0 += vector[p, a] * u
            a1 += vector[p, a] * v
            s0 += u * u
            s1 += 2.0 * u * v
            s2 += v * v
        c1, c2, c3, c4 = weight * c[p, 0], weight * c[p, 1], weight * c[p, 2], weight * c[p, 3]
        q0, q1, q2 = a0 * a0, 2.0 * a0 * a1, a1 * a1
        sums[0] += c2 * q0 + c1 * s0
        sums[1] += c2 * q1 + c1 * s1
        sums[2] += c2 * q2 + c1 * s2
        if degree == 3:
            e0, e1, e2 = c3 * q0 + 3.0 * c2 * s0, c3 * q1 + 3.0 * c2 * s1, c3 * q2 + 3.0 * c2 * s2
            sums[3] += a0 * e0
            sums[4] += a0 * e1 + a1 * e0
            sums[5] += a0 * e2 + a1 * e1
            sums[6] += a1 * e2
        else:
            e0, e1, e2 = c4 * q0 + 6.0 * c3 * s0, c4 * q1 + 6.0 * c3 * s1, c4 * q2 + 6.0 * c3 * s2
            sums[3] += q0 * e0 + 3.0 * c2 * s0 * s0
            sums[4] += q0 * e1 + q1 * e0 + 6.0 * c2 * s0 * s1
            sums[5] += q0 * e2 + q1 * e1 + q2 * e0 + 3.0 * c2 * (2.0 * s0 * s2 + s1 * s1)
            sums[6] += q1 * e2 + q2 * e1 + 6.0 * c2 * s1 * s2
            sums[7] += q2 * e2 + 3.0 * c2 * s2 * s2
    return sums

"""Coarse-grained fields: strain and stress around a point (I. Goldhirsch and C. Goldenberg, Eur. Phys. J. E 9, 245 (2002)).

    f(r) = (1/A) [1 - 2 (r/r_c)^4 + (r/r_c)^8],        r < r_c,
    u(x) = sum_j u_j f(x - x_j) / sum_j f(x - x_j),                                                              (B18)
    sigma(x) = sum over pairs c_1 v v^T int_0^1 ds f(x - x_i - s v),      v = x_j - x_i,                         (B20)

tension positive, evaluated at the particles. All is linear response, without a finite step: particles move with A x_j + v_j,
the point with A x, and the integrand is a polynomial of eighth degree in s within the disc, which five Gauss points integrate
exactly. D. Richard et al., 2020, App. B 11; its B21 is twice the modulus, mu = d sigma_xy / (2 d eps_xy).
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core.pairs import KEEP_NAN
from hpcglass.core.system import System
from hpcglass.indicators.bonds import interacting
from hpcglass.indicators.neighbours.surroundings import Surroundings, apart, with_skin

Floats = NDArray[np.float64]

R_C = {2: 5.0, 3: 3.0}
_NODE, _WEIGHT = np.polynomial.legendre.leggauss(5)


def displacement_gradient(around: Surroundings, field: Floats, affine: Floats, r_c: float) -> Floats:
    """(n, d, d) entries ab: d u_a / d x_b of the coarse-grained displacements A x_j + v_j, at the owned rows of `around.view`.

    Parameters
    ----------
    around : of `discs`
    field : (n_all of the view, d) v_j
    affine : (d, d) A
    """
    return _gradient(*around.lists, field, affine, r_c)


def stress_rate(around: Surroundings, field: Floats, affine: Floats, r_c: float) -> tuple[Floats, Floats]:
    """Coarse-grained stress at the owned rows of `around.view`, and its rate along this motion, (n, d, d) each. Collective."""
    view = around.view
    bonds = interacting(view)
    stress, rate = (np.zeros((view.n_all, view.dimension, view.dimension)) for _ in range(2))
    _stress(*around.lists, bonds.rows, bonds.vector, bonds.c, bonds.weight, field, affine, r_c, stress, rate)
    view.reverse_add(stress)
    view.reverse_add(rate)
    factor = 1.0 / norm(view.dimension, r_c)
    return factor * stress[: view.n_owned], factor * rate[: view.n_owned]


def discs(system: System, r_c: float) -> Surroundings:
    """Neighbours as far as any pair that crosses the disc (the ball) of radius r_c around a particle may begin. Collective."""
    return with_skin(system, r_c + system.range)


def norm(dimension: int, r_c: float) -> float:
    """A: the integral of f is one."""
    return 8.0 * np.pi * r_c**2 / 15.0 if dimension == 2 else 128.0 * np.pi * r_c**3 / 231.0


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _gradient(reference, displacement, start, index, fields, affine, r_c):
    n, d = start.size - 1, reference.shape[1]
    result = np.empty((n, d, d))
    y, slope, u = np.empty(d), np.empty(d), np.empty(d)
    sum_u, sum_slope, sum_product = np.empty(d), np.empty(d), np.empty((d, d))
    for i in range(n):
        total = 1.0         # the particle itself, whose relative displacement is zero
        sum_u[:], sum_slope[:], sum_product[:] = 0.0, 0.0, 0.0
        for p in range(start[i], start[i + 1]):
            j = index[p]
            square = 0.0
            for a in range(d):
                y[a] = apart(reference, displacement, i, j, a)
                square += y[a] ** 2
            q = square / r_c**2
            if q >= 1.0:
                continue
            value, factor = (1.0 - q * q) ** 2, 8.0 * q * (1.0 - q * q) / r_c**2      # f, and its gradient at the point is this y
            total += value
            for a in range(d):
                u[a] = fields[j, a] - fields[i, a]
                for b in range(d):
                    u[a] += affine[a, b] * y[b]
                slope[a] = factor * y[a]
                sum_u[a] += value * u[a]
                sum_slope[a] += slope[a]
            for a in range(d):
                for b in range(d):
                    sum_product[a, b] += u[a] * slope[b]
        for a in range(d):
            for b in range(d):
                result[i, a, b] = sum_product[a, b] / total - sum_u[a] * sum_slope[b] / total**2
    return result


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _stress(reference, displacement, start, index, rows, vector, c, weight, field, affine, r_c, stress, rate):
    """Add up what each pair does to the points near it, owned particles and ghosts."""
    d = reference.shape[1]
    v, relative, step, y = np.empty(d), np.empty(d), np.empty(d), np.empty(d)
    for bond in range(rows.shape[0]):
        i, j = rows[bond, 0], rows[bond, 1]
        length2, turn = 0.0, 0.0
        for a in range(d):
            v[a] = vector[bond, a]
            relative[a] = field[j, a] - field[i, a]
            step[a] = relative[a]
            length2 += v[a] * v[a]
        for a in range(d):
            for b in range(d):
                step[a] += affine[a, b] * v[b]
            turn += v[a] * step[a]
        c1, c2 = weight[bond] * c[1, bond], weight[bond] * c[2, bond] * turn
        far2 = (r_c + np.sqrt(length2)) ** 2
        for p in range(start[i] - 1, start[i + 1]):         # the first one stands for the particle itself
            k = i if p < start[i] else np.int64(index[p])
            square, along = 0.0, 0.0
            for a in range(d):
                y[a] = apart(reference, displacement, i, k, a)
                square += y[a] * y[a]
                along += y[a] * v[a]
            if square >= far2:
                continue
            root = along * along - length2 * (square - r_c * r_c)
            if root <= 0.0:
                continue
            root = np.sqrt(root)
            low, high = max((along - root) / length2, 0.0), min((along + root) / length2, 1.0)
            if low >= high:
                continue
            inside, change = 0.0, 0.0
            for m in range(5):
                s = 0.5 * (low + high) + 0.5 * (high - low) * _NODE[m]
                q = (square - 2.0 * s * along + s * s * length2) / (r_c * r_c)
                product = 0.0
                for a in range(d):
                    motion = -field[i, a] - s * relative[a]
                    for b in range(d):
                        motion += affine[a, b] * (y[b] - s * v[b])
                    product += (y[a] - s * v[a]) * motion
                inside += _WEIGHT[m] * (1.0 - q * q) ** 2
                change -= _WEIGHT[m] * 8.0 * q * (1.0 - q * q) * product / (r_c * r_c)
            inside *= 0.5 * (high - low)
            change *= 0.5 * (high - low)
            for a in range(d):
                for b in range(d):
                    stress[k, a, b] += c1 * v[a] * v[b] * inside
                    turned = c2 * v[a] * v[b] + c1 * (step[a] * v[b] + v[a] * step[b])
                    rate[k, a, b] += turned * inside + c1 * v[a] * v[b] * change

"""Local excess entropy s_2 of pairs (P. M. Piaggi and M. Parrinello, J. Chem. Phys. 147, 114112 (2017)).

    g_i(r) = 1/(Omega rho r^(d-1)) sum_j exp(-(r - r_ij)^2 / 2 delta^2) / (2 pi delta^2)^(1/2),     Omega = 2 pi, 4 pi in 2D, 3D,
    s_2(i) = -(Omega/2) rho int_0^r_m [g_i ln g_i - g_i + 1] r^(d-1) dr          [k_B]

over all neighbours j, r_m the first minimum after the highest peak of the mean of g_i. (D. Richard et al., Phys. Rev. Materials
4, 113609 (2020), eq. B5, lacks r^(d-1), and its B4 says A for Omega rho r^(d-1).) The integrand is smooth on the scale delta, so
that the trapezoidal rule with corrected ends (Gregory's) and twelve nodes for each delta gives eight digits, and on its even grid
a Gaussian costs two multiplications a node.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.pairs import KEEP_NAN
from hpcglass.errors import PhysicsError
from hpcglass.indicators.neighbours.surroundings import Surroundings, distance

Floats = NDArray[np.float64]

DELTA = 0.12
FAR = 6.5           # in units of delta: what a Gaussian beyond that adds is below 1e-9
FINE = 12           # nodes for each delta
GREGORY = np.array([475, 1902, 1104, 1586, 1413]) / 1440.0     # weights at either end of the trapezoidal rule, of sixth order
HISTOGRAM = 64      # bins for each delta
WINDOW = 12         # Chebyshev nodes around the minimum


def excess_entropy(around: Surroundings, r_m: float, density: float, delta: float = DELTA) -> Floats:
    """(n,) s_2 of the owned rows of `around.view`; its reach must be r_m + 6.5 delta. Zero for an ideal gas.

    density : rho [length^-d]
    """
    view = around.view
    nodes = max(int(np.ceil(r_m / delta * FINE)), 2 * len(GREGORY)) + 1
    r = np.linspace(0.0, r_m, nodes)
    weight = np.full(nodes, r[1])
    weight[: len(GREGORY)] *= GREGORY
    weight[-len(GREGORY):] *= GREGORY[::-1]
    power = view.dimension - 1
    omega_rho = _omega(view.dimension) * density
    at_zero = np.maximum(r, 1e-3 * r[1])        # the integrand vanishes there
    return _entropy(*around.lists, r, weight * r**power * (-0.5 * omega_rho), 1.0 / (omega_rho * at_zero**power), delta)


def first_minimum(around: Surroundings, reach: float, delta: float = DELTA) -> float:
    """r_m: where the mean of g_i has its first minimum behind its highest peak [length]. Collective.

    Raises PhysicsError if there is none within the reach.
    """
    view = around.view
    width = delta / HISTOGRAM
    count = ranks.total(view.comm, _distances(*around.lists, width, int(reach / width)))
    middle = width * (np.arange(len(count)) + 0.5)
    offset = np.arange(-int(FAR * HISTOGRAM), int(FAR * HISTOGRAM) + 1) * width
    blurred = np.convolve(count, np.exp(-0.5 * (offset / delta) ** 2), "same")[: len(count)] / middle ** (view.dimension - 1)
    seen = middle < reach - FAR * delta
    peak = int(np.argmax(np.where(seen & (middle > 2.0 * delta), blurred, -np.inf)))
    rising = np.flatnonzero(seen[peak:-1] & (np.diff(blurred[peak:]) > 0.0))
    if not rising.size or not seen[peak]:
        raise PhysicsError(f"s2: the radial distribution function has no minimum behind its highest peak within "
                           f"{reach - FAR * delta:.3g}; give r_m (key s2_range)")
    near = middle[peak + rising[0]]
    low, high = near - 8 * width, near + 8 * width
    r = 0.5 * (low + high) + 0.5 * (high - low) * np.cos(np.pi * (np.arange(WINDOW) + 0.5) / WINDOW)
    mean = ranks.total(view.comm, _blurred(*around.lists, r, delta)) / r ** (view.dimension - 1)
    slope = np.polynomial.Chebyshev.fit(r, mean, WINDOW - 1).deriv()
    roots = slope.roots()
    inside = roots[(np.abs(roots.imag) < 1e-9) & (roots.real > low) & (roots.real < high)].real
    return float(inside[np.argmin(np.abs(inside - near))]) if inside.size else float(near)


def _omega(dimension: int) -> float:
    return 2.0 * np.pi if dimension == 2 else 4.0 * np.pi


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _entropy(reference, displacement, start, index, r, weight, scale, delta):
    """Sums over the uniform grid r; the Gaussians by the recurrence G(r + h) = G(r) q, q -> q exp(-(h/delta)^2)."""
    n, nodes, h = start.size - 1, r.size, r[1] - r[0]
    result, g = np.empty(n), np.empty(nodes)
    steps = int(FAR * delta / h)
    shrink = np.exp(-((h / delta) ** 2))
    norm = 1.0 / (np.sqrt(2.0 * np.pi) * delta)
    for i in range(n):
        g[:] = 0.0
        for p in range(start[i], start[i + 1]):
            away = distance(reference, displacement, i, index[p])
            middle = int((away - r[0]) / h)
            if middle - steps >= nodes:
                continue
            u = r[0] + middle * h - away
            value = np.exp(-0.5 * (u / delta) ** 2)
            up, factor = value, np.exp(-(u + 0.5 * h) * h / delta**2)
            for k in range(middle, min(middle + steps, nodes)):
                g[k] += up
                up *= factor
                factor *= shrink
            down, factor = value, np.exp((u - 0.5 * h) * h / delta**2)
            for k in range(middle - 1, max(middle - steps, 0) - 1, -1):
                down *= factor
                factor *= shrink
                if k < nodes:
                    g[k] += down
        total = 0.0
        for k in range(nodes):
            value = norm * scale[k] * g[k]
            total += weight[k] * ((value * np.log(value) if value > 0.0 else 0.0) - value + 1.0)
        result[i] = total
    return result


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _distances(reference, displacement, start, index, width, bins):
    """Histogram of all distances."""
    count = np.zeros(bins)
    for i in range(start.size - 1):
        for p in range(start[i], start[i + 1]):
            k = int(distance(reference, displacement, i, index[p]) / width)
            if k < bins:
                count[k] += 1.0
    return count


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _blurred(reference, displacement, start, index, r, delta):
    """Sum over all pairs of exp(-(r - r_ij)^2 / 2 delta^2) at a few close r."""
    total = np.zeros(r.size)
    low, high = r.min() - FAR * delta, r.max() + FAR * delta
    for i in range(start.size - 1):
        for p in range(start[i], start[i + 1]):
            away = distance(reference, displacement, i, index[p])
            if low < away < high:
                for k in range(r.size):
                    total[k] += np.exp(-0.5 * ((r[k] - away) / delta) ** 2)
    return total

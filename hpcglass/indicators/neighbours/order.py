"""Bond-orientational order in 2D: Psi_m, and Theta, which allows for different sizes.

Neighbours are those with r < x_cut lambda_ij, all images counted. With theta_jk the direction of x_jk,

    Psi_m(j) = |(1/n_j) sum_k exp(i m theta_jk)|,                                             (B1)
    Theta(j) = (1/n_j) sum over <kl> of |theta1_kl - theta2_kl|,                              (B2)

<kl> neighbours next to each other in direction, a closed loop of n_j pairs; theta1 the angle between x_jk and x_jl, in [0, pi];
theta2 the same angle if j, k, l just touched one another, from the cosine rule with lambda_jk, lambda_jl and lambda_kl. Zero
without neighbours, Theta also with one. D. Richard et al., Phys. Rev. Materials 4, 113609 (2020).
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core.pairs import KEEP_NAN, pair_length
from hpcglass.indicators.neighbours.surroundings import Surroundings, apart

Floats = NDArray[np.float64]
SYMMETRIES = tuple(range(2, 10))


def orientational_order(around: Surroundings, x_cut: float) -> tuple[Floats, Floats]:
    """((n, 8) Psi_2 ... Psi_9, (n,) Theta [rad]) of the owned rows of `around.view`, whose reach is at least x_cut lambda_ij."""
    return _order(*around.lists, *around.mixing, x_cut)


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _order(reference, displacement, start, index, by_species, lengths, nonadditivity, diameter, species, x_cut):
    n = start.size - 1
    psi, theta = np.zeros((n, len(SYMMETRIES))), np.zeros(n)
    most = 1
    for i in range(n):
        most = max(most, start[i + 1] - start[i])
    row, angle = np.empty(most, dtype=np.int64), np.empty(most)
    x, y, length = np.empty(most), np.empty(most), np.empty(most)
    total_power = np.empty(len(SYMMETRIES), dtype=np.complex128)
    for i in range(n):
        count = 0
        for p in range(start[i], start[i + 1]):
            j = np.int64(index[p])
            a, b = apart(reference, displacement, i, j, 0), apart(reference, displacement, i, j, 1)
            touching = pair_length(by_species, lengths, nonadditivity, diameter, species, i, j)
            if a * a + b * b >= (x_cut * touching) ** 2:
                continue
            direction = np.arctan2(b, a)
            k = count
            while k > 0 and angle[k - 1] > direction:
                angle[k], row[k], x[k], y[k], length[k] = angle[k - 1], row[k - 1], x[k - 1], y[k - 1], length[k - 1]
                k -= 1
            angle[k], row[k], x[k], y[k], length[k] = direction, j, a, b, touching
            count += 1
        if count == 0:
            continue
        total_power[:] = 0.0
        for k in range(count):
            unit = complex(x[k], y[k]) / np.sqrt(x[k] * x[k] + y[k] * y[k])
            power = unit
            for s in range(len(SYMMETRIES)):
                power *= unit
                total_power[s] += power
        for s in range(len(SYMMETRIES)):
            psi[i, s] = abs(total_power[s]) / count
        if count < 2:
            continue
        total = 0.0
        for k in range(count):
            m = k + 1 if k + 1 < count else 0
            across = pair_length(by_species, lengths, nonadditivity, diameter, species, row[k], row[m])
            # |cross| and dot: no cancellation where the angle is near 0 or pi
            found = np.arctan2(abs(x[k] * y[m] - y[k] * x[m]), x[k] * x[m] + y[k] * y[m])
            cosine = (length[k] ** 2 + length[m] ** 2 - across**2) / (2.0 * length[k] * length[m])
            total += abs(found - np.arccos(min(1.0, max(-1.0, cosine))))
        theta[i] = total / count
    return psi, theta

"""Atomic nonaffinity: who makes a glass softer under shear, without a single mode.

    G(i) = -(1/V) sum_m (Xi.psi_m)^2 |psi_m^i|^2 / lambda_m,       Xi = d^2 U / dx d gamma.

The sum over all modes is a mean over time: give the harmonic glass at rest the velocity Xi; then G(i) = -(2/V) <|u_i(t)|^2>,
apart from beats of modes with nearly equal frequencies, which a long time averages out. The motion is followed by

    u(+-1/2) = +-(dt/2) Xi,      u(k+1) = 2 u(k) - u(k-1) - dt^2 H u(k),

a Chebyshev recurrence, which gives every mode its amplitude (Xi.psi_m)/omega_m exactly, whatever dt < 2/omega_max is: there is no
error of the time step, and dt is as long as it can be. With a Hann window of K steps the relative error of a particle's value is
2.9/K^(1/2) (root mean square, independent of N while K << 2 N d), and falls faster when all modes are told apart. The sum over
particles is known from one linear solve, -(1/V) Xi.H^+ Xi, the nonaffine modulus.
D. Richard et al., Phys. Rev. Materials 4, 113609 (2020), eq. B17.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.pairs import KEEP_NAN
from hpcglass.errors import PhysicsError
from hpcglass.landscape.matrix.hessian import Hessian

Floats = NDArray[np.float64]

STEPS = 4000
ERROR = 2.9             # of a value, relative, times the root of the number of steps
STABILITY = 3.95        # dt^2 omega_max^2; the recurrence explodes above 4
LANCZOS = 60


def kicked(hessian: Hessian, force: Floats, steps: int = STEPS) -> Floats:
    """(n_owned,) sum_m (Xi.psi_m)^2 |psi_m^i|^2 / lambda_m of a field of forces Xi (n_owned, d) without zero modes. Collective.

    Raises PhysicsError if the configuration is no minimum: it moves away.
    """
    system = hessian.system
    step2 = STABILITY / largest_eigenvalue(hessian)
    window = np.hanning(steps + 2)[1:-1]
    window /= window.sum()
    half = 0.5 * np.sqrt(step2) * force
    last, now, image = hessian.vector(-half), hessian.vector(half), hessian.vector()
    result = np.zeros(system.n_owned)
    for k in range(steps):
        hessian.matrix.mult(now, image)
        _advance(last.array, now.array_r, image.array_r, step2, 2.0 * window[k], system.dimension, result)
        last, now = now, last
    # the velocity of no mode of a minimum is ever larger than at first
    last.axpy(-1.0, now)
    if not last.norm() <= 1.01 * np.sqrt(step2 * ranks.total(system.comm, float(np.vdot(force, force)))):
        raise PhysicsError("the harmonic glass moves away from its configuration: it is no minimum; quench it further")
    return result


def largest_eigenvalue(hessian: Hessian) -> float:
    """The largest eigenvalue, or a little more: Lanczos' largest Ritz value and its residual. Collective."""
    system = hessian.system
    rows = np.cos(1.0 + 1.7 * system.id[: system.n_owned, None] + np.arange(system.dimension))     # the same on any ranks
    now, last, image = hessian.vector(rows), hessian.vector(), hessian.vector()
    now.scale(1.0 / now.norm())
    diagonal, beside = [], [0.0]
    for _ in range(min(LANCZOS, system.n_total * system.dimension)):
        hessian.matrix.mult(now, image)
        image.axpy(-beside[-1], last)
        diagonal.append(image.dot(now))
        image.axpy(-diagonal[-1], now)
        beside.append(image.norm())
        if beside[-1] == 0.0:
            break
        last, now = now, last
        image.copy(now)
        now.scale(1.0 / beside[-1])
    tridiagonal = np.diag(diagonal) + np.diag(beside[1:-1], 1) + np.diag(beside[1:-1], -1)
    values, vectors = np.linalg.eigh(tridiagonal)
    return float(values[-1] + beside[-1] * abs(vectors[-1, -1]))


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _advance(last, now, image, step2, weight, dimension, result):
    """result += weight |u_i|^2, and the next displacements in place of the last ones."""
    for i in range(result.size):
        square = 0.0
        for a in range(dimension):
            k = i * dimension + a
            square += now[k] * now[k]
            last[k] = 2.0 * now[k] - last[k] - step2 * image[k]
        result[i] += weight * square

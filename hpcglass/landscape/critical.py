"""The softest mode of a stable configuration, and where under strain the instability is that it announces.

Along the softest mode psi, H psi = lambda psi, |psi| = 1, the energy under a further strain g is
U(a) = lambda a^2/2 + kappa a^3/6 + nu g a with

    nu = -psi . dF/dg = psi . H.(A x),      kappa = U''' : psi psi psi.

Minimum and saddle of this cubic meet at a = -lambda/kappa, g = lambda^2 / (2 kappa nu): a saddle-node bifurcation, before which
lambda falls as [2 kappa nu (g_c - g)]^(1/2). All three numbers are contractions over pairs, exact at the configuration; the
estimate of g_c has an error of order (g_c - g)^(3/2), and nothing is fitted.

C. Maloney, A. Lemaitre, Phys. Rev. E 74, 016118 (2006); D. Richard et al., Phys. Rev. Materials 4, 113609 (2020), App. A.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.look import Look, straight_on
from hpcglass.core.system import System
from hpcglass.errors import PhysicsError
from hpcglass.landscape.contractions import along_path
from hpcglass.landscape.matrix.factors import Inverse
from hpcglass.landscape.rattlers import bonded

Floats = NDArray[np.float64]
KRYLOV = 100            # solves at most
CLOSE = 1e-7            # |H^-1 psi - psi/lambda| lambda of a mode that is accepted: about its angle to the true one
NOISE = 1e-2            # admixture to a first guess, lest the mode it knows hides a softer one


@dataclass
class SoftMode:
    """The softest mode and its part in the energy.

    eigenvalue : lambda [energy/length^2]
    vector : (n_owned, d) psi, |psi| = 1, of the sign for which kappa <= 0: along it lies the saddle
    drive : nu [energy/length]; negative if a growing strain pushes along psi
    cubic : kappa [energy/length^3]
    distance : lambda^2 / (2 kappa nu), signed strain from here to the instability
    """

    eigenvalue: float
    vector: Floats
    drive: float
    cubic: float
    distance: float


def soft_mode(system: System, gradient: Floats, inverse: Inverse, guess: Floats | None = None, look: Look = straight_on,
              close: float = CLOSE) -> SoftMode:
    """Softest mode of a stable configuration, with its coupling to a strain of velocity gradient A. Collective.

    Parameters
    ----------
    gradient : (d, d) A
    inverse : factors of this very configuration
    guess : (n_owned, d) softest mode of a configuration nearby; saves two thirds of the solves
    look : called before each solve
    close : angle to the true mode that is accepted, about

    Raises
    ------
    PhysicsError
        Not found in 100 solves.
    """
    system = bonded(system)
    vector = _lanczos(system, inverse, guess, look, close)
    vector /= np.sqrt(dot(system, vector, vector))
    path = along_path(system, np.zeros_like(system.box), [vector], 3)
    eigenvalue, cubic = float(path.energy[2]), float(path.energy[3])
    drive = dot(system, vector, along_path(system, gradient, [], 1).gradient)
    if cubic > 0:
        vector, drive, cubic = -vector, -drive, -cubic
    product = 2.0 * cubic * drive
    return SoftMode(eigenvalue, vector, drive, cubic, eigenvalue**2 / product if product else np.inf)


def dot(system: System, a: Floats, b: Floats) -> float:
    """Scalar product of two (n_owned, d) fields over all ranks. Collective."""
    return float(ranks.total(system.comm, float(np.vdot(a, b))))


def hessian_times(system: System, field: Floats) -> Floats:
    """(n_owned, d) H v, straight from the pair list. Collective."""
    return along_path(system, np.zeros_like(system.box), [field], 1).gradient


def _lanczos(system: System, inverse: Inverse, guess: Floats | None, look: Look, close: float) -> Floats:
    """Eigenvector of the largest eigenvalue of H^-1, by Lanczos' method with full orthogonalisation."""
    start = irregular(system)
    if guess is not None:
        start = guess + NOISE * start
    basis = [start / np.sqrt(dot(system, start, start))]
    diagonal: list[float] = []
    beside: list[float] = []
    for size in range(1, KRYLOV + 1):
        look()
        image = inverse.apply(basis[-1])
        if size == 1:       # the start may have parts that no solution has
            basis = [image / np.sqrt(dot(system, image, image))]
            image = inverse.apply(basis[-1])
        diagonal.append(dot(system, basis[-1], image))
        for _ in range(2):
            overlaps = ranks.total(system.comm, np.array([float(np.vdot(other, image)) for other in basis]))
            for other, overlap in zip(basis, overlaps, strict=True):
                image -= overlap * other
        values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
        norm = float(np.sqrt(dot(system, image, image)))
        # the residual of the inverse, times lambda, bounds the angle to the mode
        if norm * abs(vectors[-1, -1]) <= 0.1 * close * values[-1]:
            return np.asarray(sum(weight * other for weight, other in zip(vectors[:, -1], basis, strict=True)))
        beside.append(norm)
        basis.append(image / norm)
    raise PhysicsError(f"the softest mode was not found in {KRYLOV} solves: the two softest may be too close together")


def irregular(system: System) -> Floats:
    """(n_owned, d) unit field without structure, the same on any number of ranks: a hash of the ids."""
    ids = system.id[: system.n_owned, None] * system.dimension + np.arange(system.dimension)
    field = np.sin(12.9898 * (ids + 1.0))
    return np.asarray(field / np.sqrt(dot(system, field, field)))

"""Sound in an isotropic elastic body: speeds, and the plane waves that fit into the periodic cell.

    c_t = sqrt(mu/rho),    c_l = sqrt((K + 2 (d-1)/d mu)/rho),    omega = c |k|,    k = 2 pi h^-T n,  n integer,

with particles of mass 1, so that rho = N/V. In a square cell |k| = 2 pi |n|/L. Shear and bulk modulus are those under stress, as
`expansion.Moduli` has them: the isotropic part of the stress is in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import NDArray

from hpcglass.errors import PhysicsError
from hpcglass.landscape.expansion import Moduli

Floats = NDArray[np.float64]
SAME = 1e-6         # wave numbers that differ by less than this share are one level
TRANSVERSE, LONGITUDINAL = 0, 1


@dataclass
class Phonons:
    """Plane waves of a cell in order of frequency, n levels.

    frequency : (n,) omega of each level [(energy/length^2)^(1/2)]
    degeneracy : (n,) number of independent waves, k and -k counted
    branch : (n,) 0 transverse, 1 longitudinal
    """

    frequency: Floats
    degeneracy: NDArray[np.int64]
    branch: NDArray[np.int64]


def mean_shear_modulus(moduli: Moduli) -> float:
    """Modulus of shear without rotation, averaged over all orientations [energy/length^d].

    mu = (C_abab - C_aabb/d) / ((d-1)(d+2)) + tr(sigma)/d: the mean of C over traceless symmetric strains, and the stress. In 2D
    this is the mean of `shear_extremes`.
    """
    d = len(moduli.stress)
    whole, bulk = np.einsum("abab", moduli.tensor), np.einsum("aabb", moduli.tensor)
    return float((whole - bulk / d) / ((d - 1) * (d + 2)) + np.trace(moduli.stress) / d)


def sound_speeds(moduli: Moduli, density: float) -> tuple[float, float]:
    """(c_t, c_l) [(energy)^(1/2)] for a number density of particles of mass 1.

    Raises PhysicsError if a modulus is not positive: no solid.
    """
    d = len(moduli.stress)
    shear = mean_shear_modulus(moduli)
    squares = np.array([shear, moduli.bulk + 2 * (d - 1) / d * shear]) / density
    if not squares.min() > 0.0:
        raise PhysicsError(f"there is no sound: the shear modulus is {shear:.4g}, the bulk modulus {moduli.bulk:.4g}")
    transverse, longitudinal = np.sqrt(squares).tolist()
    return transverse, longitudinal


def wave_numbers(box: Floats, levels: int) -> tuple[Floats, NDArray[np.int64]]:
    """The smallest |k| > 0 of plane waves in a cell of any shape, and how many k have each; columns of `box` are edges."""
    edges = np.linalg.norm(box, axis=0)
    reach = 2 * pi / edges.min()
    while True:
        # n_a = a_a . k / (2 pi), hence no k within the reach has a larger n_a
        most = np.floor(reach * edges / (2 * pi) + SAME).astype(int)
        numbers = np.stack(np.meshgrid(*[np.arange(-m, m + 1) for m in most], indexing="ij"), -1).reshape(-1, len(box))
        length = np.sort(2 * pi * np.linalg.norm(numbers @ np.linalg.inv(box), axis=1))[1:]
        length = length[length <= reach]
        first = np.flatnonzero(np.diff(length, prepend=0.0) > SAME * length)
        if first.size > levels:             # the last level found may be cut by the reach
            return length[first[:levels]], np.diff(first)[:levels]
        reach *= 1.5


def phonons(box: Floats, speeds: tuple[float, float], levels: int = 20) -> Phonons:
    """Waves of the `levels` smallest wave numbers, d - 1 transverse ones and a longitudinal one for each k."""
    length, vectors = wave_numbers(box, levels)
    frequency = np.concatenate([speed * length for speed in speeds])
    degeneracy = np.concatenate([(len(box) - 1) * vectors, vectors])
    branch = np.repeat([TRANSVERSE, LONGITUDINAL], levels)
    order = np.argsort(frequency, kind="stable")
    return Phonons(frequency[order], degeneracy[order], branch[order])


def debye_level(volume: float, speeds: tuple[float, float], dimension: int, modes: int) -> float:
    """A_D of Debye's density of states D(omega) = A_D omega^(d-1), whose integral counts waves in units of `modes`.

    Waves up to omega fill spheres in k space of volume V_d (omega/c)^d, at a density V/(2 pi)^d:
    A_D = d V_d V/(2 pi)^d [(d-1)/c_t^d + 1/c_l^d] / modes, with V_2 = pi, V_3 = 4 pi/3.
    """
    sphere = {2: pi, 3: 4 * pi / 3}[dimension]
    transverse, longitudinal = speeds
    waves = (dimension - 1) / transverse**dimension + 1 / longitudinal**dimension
    return dimension * sphere * volume / (2 * pi) ** dimension * waves / modes

"""Continuum theory of an annulus or spherical shell whose inner wall is inflated: elastic and screened displacement.

The inner wall at r_in moves out by d_0, the outer one at r_out stays. The radial displacement d(r) obeys

    d'' + (D−1) d'/r − (D−1) d/r² = −κ² d,        d(r_in) = d_0,  d(r_out) = 0,

in D = 2 or 3 dimensions; κ = 0 is classical elasticity, κ > 0 screening by dipoles of plastic quadrupoles.
Source: A. Kumar, M. Moshe, I. Procaccia, M. Singh, Phys. Rev. E 106, 015001 (2022), Eqs. 1-4 and 9; D = 3 by the same steps.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpcglass.errors import InputError

Floats = NDArray[np.float64]
SMALL = 1e-8            # of κ r_out: below it the screened solution is the elastic one to all digits
ORDER = 24              # Gauss points on each piece of an integral over r


@dataclass(frozen=True)
class Annulus:
    """An inflated annulus (dimension 2) or shell (3).

    Attributes
    ----------
    r_in, r_out : radii of the walls before inflation
    d_0 : displacement of the inner wall, negative if it was deflated
    dimension : 2 or 3

    Raises
    ------
    InputError
        The radii are not 0 < r_in < r_out, d_0 is 0, or the dimension is neither 2 nor 3.
    """

    r_in: float
    r_out: float
    d_0: float
    dimension: int = 2

    def __post_init__(self) -> None:
        if not 0 < self.r_in < self.r_out < np.inf:
            raise InputError(f"annulus: 0 < r_in < r_out is needed, not r_in = {self.r_in:g}, r_out = {self.r_out:g}")
        if not np.isfinite(self.d_0) or self.d_0 == 0:
            raise InputError(f"annulus: the displacement of the inner wall, d_0, must be a number other than 0, not {self.d_0:g}")
        if self.dimension not in (2, 3):
            raise InputError(f"annulus: the dimension must be 2 or 3, not {self.dimension}")


def elastic(r: ArrayLike, annulus: Annulus) -> Floats:
    """Elastic displacement d_el = a r + b/r^(D−1), Eq. 2; shape of `r`."""
    r = np.asarray(r, dtype=np.float64)
    d, inner, outer = annulus.dimension, annulus.r_in, annulus.r_out
    return annulus.d_0 * (outer**d - r**d) / (outer**d - inner**d) * (inner / r) ** (d - 1)


def screened(r: ArrayLike, kappa: ArrayLike, annulus: Annulus) -> Floats:
    """Screened displacement, Eq. 4 in 2D (J₁, Y₁), with spherical Bessel functions j₁, y₁ in 3D.

    Parameters
    ----------
    r : any shape, within the walls
    kappa : screening parameter, >= 0, of a shape that broadcasts with that of `r`

    Returns
    -------
    d_r : array
        The elastic solution where κ = 0; not finite, or huge, at a pole (see `poles`).
    """
    r, kappa = np.asarray(r, dtype=np.float64), np.asarray(kappa, dtype=np.float64)     # the walls need one value per κ only
    small = kappa * annulus.r_out < SMALL
    k = np.where(small, 1.0, kappa)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = cross(r, k, annulus) / cross(annulus.r_in, k, annulus)
    return np.where(small, elastic(r, annulus), annulus.d_0 * ratio)


def cross(r: ArrayLike, kappa: ArrayLike, annulus: Annulus) -> Floats:
    """Y₁(κr) J₁(κr_out) − J₁(κr) Y₁(κr_out), or the same with y₁, j₁: zero at the outer wall; κ > 0."""
    k, d = np.asarray(kappa, dtype=np.float64), annulus.dimension
    (first, second), (first_out, second_out) = (_bessel(k * np.asarray(radius), d) for radius in (r, annulus.r_out))
    return second * first_out - first * second_out


def _bessel(x: Any, dimension: int) -> tuple[Floats, Floats]:
    """Bessel functions of the first and second kind, of order 1."""
    from scipy import special

    if dimension == 2:
        return special.j1(x), special.y1(x)
    return special.spherical_jn(1, x), special.spherical_yn(1, x)


def poles(annulus: Annulus, kappa_max: float) -> Floats:
    """All κ up to `kappa_max` where the screened solution diverges, ascending.

    There the annulus has a free oscillation: cross(r_in, κ) = 0. The phases of the Bessel functions grow like κr, so the
    poles are about π/(r_out − r_in) apart; ten points per distance separate them.
    """
    return np.array(_poles(annulus, kappa_max))


@functools.lru_cache(maxsize=64)
def _poles(annulus: Annulus, kappa_max: float) -> tuple[float, ...]:
    """The same for all samples with these walls, and slow to find."""
    from scipy.optimize import brentq

    spacing = np.pi / (annulus.r_out - annulus.r_in)
    k = np.linspace(spacing / 10, kappa_max, max(2, int(np.ceil(10 * kappa_max / spacing))))
    value = cross(annulus.r_in, k, annulus)
    change = np.flatnonzero(np.sign(value[:-1]) != np.sign(value[1:]))
    return tuple(brentq(lambda x: float(cross(annulus.r_in, x, annulus)), k[i], k[i + 1], xtol=1e-14) for i in change)


def deviation_of_kappa(kappa: ArrayLike, annulus: Annulus) -> tuple[Floats, Floats]:
    """M and |M| of the screened solution as functions of κ, Eq. 9 (Fig. 10).

    M = (r_out − r_in)⁻¹ ∫ (d_el − d_r)/d_el dr; |M| has the modulus of the integrand. Neither depends on d_0.

    Returns
    -------
    signed, absolute : arrays of the shape of `kappa`
    """
    k = np.asarray(kappa, dtype=np.float64)
    length = annulus.r_out - annulus.r_in
    turns = 1 + int(float(k.max(initial=0.0)) * length / np.pi)      # pieces no longer than half a wavelength
    nodes, weights = np.polynomial.legendre.leggauss(ORDER)
    edges = np.linspace(annulus.r_in, annulus.r_out, 4 * turns + 1)
    r = (edges[:-1, None] + np.diff(edges)[:, None] * (nodes + 1) / 2).ravel()
    weight = (np.diff(edges)[:, None] * weights / 2).ravel() / length
    integrand = 1 - screened(r, k[..., None], annulus) / elastic(r, annulus)
    return integrand @ weight, np.abs(integrand) @ weight


def elastic_energy(annulus: Annulus, bulk: float, shear: float, pressure: float = 0.0) -> float:
    """Energy that a homogeneous elastic medium takes up when the inner wall is inflated.

    The wall works against the pressure P over the volume ΔV that it takes, and strains the medium:

        ΔE_el = P ΔV + ½ A(r_in) d_0 · 2(D−1) μ b/r_in^D − ½ A(r_in) d_0 · D K a,        d_el = a r + b/r^(D−1),

    with the area A of the inner wall. K and μ belong to the medium under its pressure: they are derivatives of its stress.

    Parameters
    ----------
    bulk, shear : K and μ, in energy/length^D
    pressure : P before inflation

    Raises
    ------
    InputError
        A modulus is not positive.
    """
    if not (bulk > 0 and shear > 0):
        raise InputError(f"elastic energy: moduli must be positive, not K = {bulk:g}, mu = {shear:g}")
    d, inner, outer, d_0 = annulus.dimension, annulus.r_in, annulus.r_out, annulus.d_0
    a = -d_0 * inner ** (d - 1) / (outer**d - inner**d)
    b = -a * outer**d
    sphere = np.pi if d == 2 else 4 * np.pi / 3
    volume = sphere * ((inner + d_0) ** d - inner**d)
    force = d * sphere * inner ** (d - 1) * (2 * (d - 1) * shear * b / inner**d - d * bulk * a)
    return float(pressure * volume + force * d_0 / 2)

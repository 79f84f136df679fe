"""The published models, each a table. Adding one = one entry in MODELS and one row in the shared tests."""

from __future__ import annotations

from fractions import Fraction
from math import pi, prod, sin, sqrt

from hpcglass.potentials.model import Mixing, Model, PairPotential, Segment, Sizes


def inverse_power(beta: int, q: int, x_c: float) -> PairPotential:
    """Inverse power law smoothed to order q at the cut-off.

        phi(x) = x^-beta + sum_{l=0..q} c_2l x^2l,   phi and its first q derivatives vanish at x_c,
        c_2l = (-1)^(l+1) / [(2q-2l)!! (2l)!!] * (beta+2q)!! / [(beta-2)!! (beta+2l)] * x_c^-(beta+2l).

    Source: Lerner, J. Non-Cryst. Solids 522, 119570 (2019).
    """
    rising = prod(range(beta, beta + 2 * q + 1, 2))     # (beta+2q)!! / (beta-2)!!
    coefficients = []
    for n in range(q + 1):
        exact = Fraction((-1) ** (n + 1) * rising, _even_factorial(q - n) * _even_factorial(n) * (beta + 2 * n))
        coefficients.append(float(exact) * x_c ** -(beta + 2 * n))
    powers = (-beta, *range(0, 2 * q + 1, 2))
    return PairPotential((Segment(x_c, powers, (1.0, *coefficients)),))


def _even_factorial(n: int) -> int:
    """(2n)!!"""
    return prod(range(2, 2 * n + 1, 2))


_LJ = Segment(float("inf"), (-12, -6), (4.0, -4.0))


def lennard_jones_smoothed(x_c: float) -> PairPotential:
    """4 (x^-12 - x^-6) + A + B x + C x^2 with phi = phi' = phi'' = 0 at x_c (Kumar et al., Phys. Rev. E 106, 015001 (2022))."""
    c = -_LJ.derivative(x_c, 2) / 2
    b = -_LJ.derivative(x_c, 1) - 2 * c * x_c
    a = -_LJ.derivative(x_c) - b * x_c - c * x_c**2
    return PairPotential((Segment(x_c, (-12, -6, 0, 1, 2), (4.0, -4.0, a, b, c)),))


def lennard_jones_quartic(x_s: float, x_c: float) -> PairPotential:
    """4 (x^-12 - x^-6) + A below x_s, a quartic on [x_s, x_c], C^2 everywhere (Barbot et al., Phys. Rev. E 97, 033001 (2018)).

    The quartic is a t^3 + b t^4 with t = x - x_c, so that phi, phi', phi'' vanish at x_c; phi' and
    phi'' are continuous at x_s, which fixes a and b; A makes phi continuous.
    """
    t = x_s - x_c
    first, second = _LJ.derivative(x_s, 1), _LJ.derivative(x_s, 2)
    b = (second * t - 2 * first) / (4 * t**3)
    a = (first - 4 * b * t**3) / (3 * t**2)
    shift = a * t**3 + b * t**4 - _LJ.derivative(x_s)
    quartic = (a * -(x_c**3) + b * x_c**4, a * 3 * x_c**2 - b * 4 * x_c**3, -a * 3 * x_c + b * 6 * x_c**2, a - b * 4 * x_c, b)
    return PairPotential((Segment(x_s, (-12, -6, 0), (4.0, -4.0, shift)), Segment(x_c, (0, 1, 2, 3, 4), quartic)))


_POWER_LAW_MEAN_1 = (1 + 0.449) / (2 * 0.449)     # largest diameter of p(D) ~ D^-3 with ratio 0.449 and mean 1
_SIZES_KUMAR = Sizes("power", 1.45 / 0.9 / 2.219, 1.45 / 0.9)
_SMALL, _LARGE = 2 * sin(pi / 10), 2 * sin(pi / 5)
_NAMES = (("S", "small"), ("L", "large"))          # of two sizes
_GOLDEN = (1 + sqrt(5)) / 4                        # N_L / N_S of lj-binary

MODELS: dict[str, Model] = {model.name: model for model in (
    Model("ipl12", "polydisperse x^-12, smoothed to 2nd order, non-additive (Ninarello et al. 2017; Richard et al. 2020)",
          inverse_power(12, 2, 1.25), Mixing(nonadditivity=0.2), Sizes("power", 0.449 * _POWER_LAW_MEAN_1, _POWER_LAW_MEAN_1),
          {2: 1.0}, repulsive=True, reference="ninarello2017"),
    Model("ipl10", "polydisperse x^-10, smoothed to 3rd order, non-additive (Lerner 2019; Richard 2023)",
          inverse_power(10, 3, 1.4), Mixing(nonadditivity=0.1), Sizes("power", 1.0, 2.22),
          {2: 0.86, 3: 0.58}, repulsive=True, reference="lerner2019"),
    Model("ipl10-binary", "50:50 mixture of x^-10 (Richard 2023)",
          inverse_power(10, 3, 1.4), Mixing(length=((1.0, 1.18), (1.18, 1.4)), energy=((1.0, 1.0), (1.0, 1.0))),
          Sizes("species", fractions=(0.5, 0.5), diameters=(1.0, 1.4), names=_NAMES),
          {2: 0.86}, repulsive=True, reference="lerner2019"),
    Model("lj", "polydisperse Lennard-Jones, quadratic smoothing (Kumar et al. 2022)",
          lennard_jones_smoothed(2.5), Mixing(nonadditivity=0.2), _SIZES_KUMAR, reference="kumar2022"),
    Model("lj-binary", "binary Lennard-Jones of S and L, quartic smoothing (Barbot et al. 2018; Richard et al. 2020)",
          lennard_jones_quartic(2.0, 2.5),
          Mixing(length=((_SMALL, 1.0), (1.0, _LARGE)), energy=((0.5, 1.0), (1.0, 0.5))),
          Sizes("species", fractions=(1 / (1 + _GOLDEN), _GOLDEN / (1 + _GOLDEN)), diameters=(_SMALL, _LARGE),
                names=_NAMES),
          {2: 1e4 / 98.8045**2}, reference="barbot2018"),
    Model("harmonic", "50:50 harmonic discs or spheres, diameters 1 and 1.4 (O'Hern et al. 2003)",
          PairPotential((Segment(1.0, (0, 1, 2), (0.5, -1.0, 0.5)),)), Mixing(energy_power=2),
          Sizes("species", fractions=(0.5, 0.5), diameters=(1.0, 1.4), names=_NAMES),
          {2: 0.87, 3: 0.80}, repulsive=True, reference="ohern2003"),
)}

"""Linear response: to temperature, to shear. One factorisation of the Hessian serves them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpcglass.indicators.base import Indicator

if TYPE_CHECKING:
    from hpcglass.indicators.glass import Glass


def vibrality(glass: Glass) -> Any:
    """Psi."""
    return glass.unless_loose(glass.thermal.vibrality)


def heat_capacity(glass: Glass) -> Any:
    """c_alpha, the sum of the moduli of its pairs' anharmonic parts."""
    return glass.unless_loose(glass.thermal.heat_capacity)


def thermal_expansion(glass: Glass) -> Any:
    """alpha in the limit of low temperature: divergence of the coarse-grained mean displacement, at fixed cell."""
    import numpy as np

    from hpcglass.indicators.coarse import displacement_gradient

    around, d = glass.discs, glass.system.dimension
    field, = around.brought(glass.system, -0.5 * glass.thermal.response)
    return around.back(np.einsum("iaa->i", displacement_gradient(around, field, np.zeros((d, d)), glass.r_c)))[0]


def nonaffine_velocity(glass: Glass) -> Any:
    """|T:xdot xdot|."""
    import numpy as np

    return glass.unless_loose(np.sqrt(glass.bonds.third_squares(glass.velocity[:, :, None])[:, 0]))


def nonaffinity(glass: Glass) -> Any:
    """G(i) <= 0, with the exact sum, the nonaffine part of the shear modulus."""
    import numpy as np

    from hpcglass.core import comm as ranks
    from hpcglass.indicators.nonaffinity import ERROR, kicked

    system = glass.system
    found = kicked(glass.hessian, glass.shear_force, glass.choices.kick_steps)
    total = ranks.total(system.comm, float(np.vdot(glass.shear_force, glass.velocity)))
    ratio = total / ranks.total(system.comm, float(found.sum()))
    glass.results["nonaffine_modulus"] = (-total / system.volume, "energy/length^d", "nonaffine part of the shear modulus, exact")
    glass.results["nonaffinity_error"] = (ERROR / glass.choices.kick_steps**0.5, "", "relative error of a particle's nonaffinity")
    return glass.unless_loose(-ratio * found / system.volume)


def shear_modulus(glass: Glass) -> Any:
    """mu = d sigma_ab / (2 d eps_ab) of coarse-grained stress and strain."""
    from hpcglass.geometries.periodic import AXES
    from hpcglass.indicators.coarse import displacement_gradient, stress_rate

    around = glass.discs
    field, = around.brought(glass.system, glass.velocity)
    strain = displacement_gradient(around, field, glass.gradient, glass.r_c)
    rate = stress_rate(around, field, glass.gradient, glass.r_c)[1]
    a, b = (AXES.index(axis) for axis in glass.choices.plane)
    return around.back(rate[:, a, b] / (strain[:, a, b] + strain[:, b, a]))[0]


INDICATORS = (
    Indicator("vibrality", "Ψ", "length^2/energy", "high", "factors", "response", "B13",
              "mean square displacement per temperature in the harmonic solid", vibrality),
    Indicator("c_alpha", "c_α", "k_B", "high", "factors", "response", "B12",
              "local heat capacity, anharmonic part", heat_capacity),
    Indicator("thermal_expansion", "α", "1/energy", "high", "factors", "response", "B22",
              "local thermal expansion in the limit of low temperature", thermal_expansion),
    Indicator("xdot", "ẋ", "energy/length", "high", "factors", "response", "B23",
              "third derivatives with the nonaffine velocity", nonaffine_velocity),
    Indicator("nafmu", "nafμ", "energy/length^d", "low", "factors", "response", "B17", "atomic shear nonaffinity", nonaffinity),
    Indicator("mu", "μ", "energy/length^d", "low", "factors", "response", "B18-B21", "local shear modulus", shear_modulus),
)

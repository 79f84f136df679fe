"""Response of a minimum to strain: expansion to third order, energies of pairs, elastic moduli."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from hpcglass.stages.base import Context, Stage, StageParams

if TYPE_CHECKING:
    from hpcglass.core.system import System
    from hpcglass.landscape.contractions import Bonds
    from hpcglass.landscape.expansion import Expansion, Moduli

FIELDS = {"velocity": "nonaffine velocity", "acceleration": "nonaffine acceleration", "jerk": "nonaffine jerk"}
DECADES, PER_DECADE = 6, 10         # bins of pair energies on either side of their geometric mean


class ExpandParams(StageParams):
    """Derivatives at zero strain under simple shear or pure shear in a plane "ab", or dilation; needs a minimum."""

    kind: Literal["expand"] = "expand"
    mode: Literal["simple", "pure", "dilation"] = Field("simple", description="simple shear, pure shear or dilation")
    plane: Literal["xy", "xz", "yx", "yz", "zx", "zy"] = Field("xy", description="plane of the shear")
    order: int = Field(3, ge=1, le=3, description="order of the expansion: so many linear solves and fields")
    moduli: bool = Field(True, description="elastic moduli too: 3 more linear solves in 2D, 6 in 3D")


class Expand(Stage):
    """Strain expansion and elastic moduli."""

    name = "expand"
    Params = ExpandParams

    def run(self, system: System, context: Context) -> None:
        """Solve for the fields, then store derivatives, fields, the distribution of pair energies, moduli."""
        import numpy as np

        from hpcglass.geometries import periodic
        from hpcglass.landscape.expansion import bond_expansion, default_solver, elastic_moduli, strain_expansion

        params: ExpandParams = self.params
        d = system.dimension
        shears = {"simple": periodic.simple_shear, "pure": periodic.pure_shear}
        gradient = np.eye(d) if params.mode == "dilation" else shears[params.mode](d, params.plane)
        context.cite("richard-expansions", "maloney2006")
        with context.timer("factorise"):
            solver = default_solver(system, params.order + params.moduli * d * (d + 1) // 2)
        with context.timer("expand"):
            expansion = strain_expansion(system, gradient, params.order, solver)
            bonds = bond_expansion(system, expansion)
        store_expansion(context, expansion)
        distribution(system, context, bonds)
        if params.order > 1:
            context.field("bond_product", bonds.on_particles(system, bonds.phi[0] * bonds.phi[1]), "energy^2",
                          "sum over pairs of phi_g phi_gg, half to either particle")
        if params.moduli:
            with context.timer("moduli"):
                store_moduli(context, elastic_moduli(system, solver))
        context.reached(params.order, 0.0)
        context.log(f"expand: {params.mode}, order {params.order}; d(stress : A)/dg = {expansion.sigma_along[1]:.8g}")

    def force_evaluations(self, particles: int) -> float:
        return 500.0 * (self.params.order + 3 * self.params.moduli)


def store_expansion(context: Context, expansion: Expansion) -> None:
    """Derivatives as results, nonaffine fields as fields."""
    stress = "energy/length^d"
    context.result("gradient", expansion.gradient, "", "velocity gradient A of the strain")
    context.result("energy_derivatives", expansion.energy, "energy", "derivatives 1, 2, ... of the energy by strain")
    context.result("stress_derivatives", expansion.cauchy, stress, "derivatives 0, 1, ... of the stress by strain")
    context.result("stress_derivatives_fixed_volume", expansion.sigma, stress, "the same, divided by the volume at zero strain")
    context.result("stress_along", expansion.sigma_along, stress, "derivatives 0, 1, ... of stress : A, at fixed volume")
    for (name, long_name), rows in zip(FIELDS.items(), expansion.fields, strict=False):
        context.field(name, rows, "length", long_name)


def store_moduli(context: Context, moduli: Moduli) -> None:
    """Elastic constants as results."""
    units, axes = "energy/length^d", range(len(moduli.stress))
    context.result("elastic_tensor", moduli.tensor, units, "second derivatives of energy/volume by Lagrangian strain")
    context.result("born_tensor", moduli.born, units, "the same without nonaffine motion")
    context.result("bulk_modulus", moduli.bulk, units, "-V dP/dV")
    for a in axes:
        for b in axes:
            if a != b:
                plane = "xyz"[a] + "xyz"[b]
                context.result(f"shear_modulus_{plane}", moduli.shear(a, b), units, f"stress {plane} by simple shear {plane}")
    if len(moduli.stress) == 2:
        context.result("shear_modulus_extremes", list(moduli.shear_extremes), units, "smallest and largest over orientation")


def distribution(system: System, context: Context, bonds: Bonds) -> None:
    """/results/bond_distribution: densities of |phi_n| over its geometric mean (finite whatever the tail), logarithmic bins."""
    import numpy as np

    from hpcglass.core import comm as ranks

    edges = np.logspace(-DECADES, DECADES, 2 * DECADES * PER_DECADE + 1)
    columns: dict[str, Any] = {"value": np.sqrt(edges[1:] * edges[:-1])}
    scales = []
    for n, values in enumerate(np.abs(bonds.phi), start=1):
        values = values[values > 0.0]
        count, logarithm = ranks.total(system.comm, np.array([values.size, np.log(values).sum()]))
        scales.append(float(np.exp(logarithm / max(count, 1.0))))
        counts = ranks.total(system.comm, np.histogram(values / scales[-1], edges)[0].astype(np.float64))
        columns[f"density_{n}"] = counts / (max(count, 1.0) * np.diff(edges))
        columns[f"count_{n}"] = counts
    names = {name: ("", name.replace("_", " of order ")) for name in columns} | {"value": ("", "|phi_n| / its geometric mean")}
    table = context.table("bond_distribution", **names)
    for row in zip(*columns.values(), strict=True):
        table.append(**dict(zip(columns, map(float, row), strict=True)))
    context.result("bond_scales", scales, "energy", "geometric means of |phi_g|, |phi_gg|, ...")

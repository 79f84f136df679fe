"""Response of a minimum to strain: expansion to third order, energies of pairs, elastic moduli; truly strained states beside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from hpcglass.stages.base import Context, Snapshot, Solvers, Stage, StageParams, sparse_memory

if TYPE_CHECKING:
    from hpcglass.core.system import System
    from hpcglass.landscape.contractions import Bonds
    from hpcglass.landscape.expansion import Expansion, Moduli

FIELDS = {"velocity": "nonaffine velocity", "acceleration": "nonaffine acceleration", "jerk": "nonaffine jerk"}
LOW, HIGH = -30, 30                     # decades of pair energies; only bins in use are stored
EXPONENTS = (7 / 2, 11 / 6, 3 / 2)      # of the tails that soft modes with D(omega) ~ omega^4 give to orders 1, 2, 3


class ExpandParams(StageParams):
    """Derivatives at zero strain under simple shear or pure shear in a plane "ab", dilation, or any gradient; needs a minimum."""

    kind: Literal["expand"] = "expand"
    mode: Literal["simple", "pure", "dilation"] = Field("simple", description="simple shear, pure shear or dilation")
    plane: Literal["xy", "xz", "yx", "yz", "zx", "zy"] = Field("xy", description="plane of the shear")
    gradient: tuple[tuple[float, ...], ...] | None = Field(
        None, description="velocity gradient A as rows of a d x d matrix, instead of mode and plane")
    order: int = Field(3, ge=1, le=3, description="order of the expansion: so many linear solves and fields")
    moduli: bool = Field(True, description="elastic moduli too: 3 more linear solves in 2D, 6 in 3D")
    bonds: bool = Field(False, description="store a table of all pairs: ids, vector, derivatives of the energy")
    compare: float = Field(0.0, description="strain the glass really up to here (either sign), for comparison; 0 = no")
    compare_steps: int = Field(20, ge=1, description="number of strained states")
    method: Literal["auto", "direct", "cg"] = Field("auto", description="linear solver: MUMPS or multigrid CG; auto: by size")

    def derivatives(self) -> int:
        return self.order + 1          # forces to this order

    def solvers(self, ranks: int) -> Solvers:
        return Solvers(("mumps",), 'method = "cg" does without') if self.method == "direct" else Solvers()


class Expand(Stage):
    """Strain expansion and elastic moduli."""

    name = "expand"
    Params = ExpandParams

    def run(self, system: System, context: Context) -> None:
        """Solve for the fields, store derivatives, fields, the distribution of pair energies and moduli, then compare."""
        import numpy as np

        from hpcglass.stages.expand.comparison import compare

        params: ExpandParams = self.params
        gradient = self.gradient(system.dimension)
        context.cite("richard-expansions", "maloney2006")
        if context.restored and "strained" in context.restored.scalars:
            derivatives = np.asarray(context.restored.scalars["derivatives"])
        else:
            derivatives = self.expand(system, context, gradient)
        if params.compare:
            compare(system, context, gradient, derivatives, params.compare, params.compare_steps)
        context.reached(params.order, 0.0)

    def expand(self, system: System, context: Context, gradient: Any) -> Any:
        """Everything but the comparison; returns (order + 1, d, d) derivatives of the true stress."""
        from hpcglass.landscape.expansion import bond_expansion, elastic_moduli, strain_expansion
        from hpcglass.landscape.matrix.hessian import Hessian
        from hpcglass.landscape.matrix.solve import Solver

        params: ExpandParams = self.params
        solves = params.order + params.moduli * system.dimension * (system.dimension + 1) // 2
        with context.timer("factorise"):
            hessian = Hessian(system, context.look)
            solver = Solver(hessian, params.method, right_hand_sides=solves)
        if hessian.n_loose:
            context.log(f"expand: {hessian.n_loose} rattlers are left out")

        def found(fields: list[Any]) -> None:
            context.safe_point(len(fields), params.order, lambda: Snapshot(fields=dict(zip(FIELDS, fields, strict=False))),
                               note=f"order {len(fields)}: {solver.iterations} iterations, residual {solver.residual:.1e}")

        restored = context.restored.fields if context.restored else {}
        known = [restored[name] for name in FIELDS if name in restored]
        with context.timer("expand"):
            expansion = strain_expansion(system, gradient, params.order, solver, known, found)
        store_expansion(context, expansion)
        with context.timer("bonds"):
            bonds = bond_expansion(system, expansion)
            distribution(system, context, bonds)
            if params.order > 1:
                context.field("bond_product", bonds.on_particles(system, bonds.phi[0] * bonds.phi[1]), "energy^2",
                              "sum over pairs of phi_g phi_gg, half to either particle")
            if params.bonds:
                store_bonds(system, context, bonds)
        if params.moduli:
            with context.timer("moduli"):
                store_moduli(context, elastic_moduli(system, solver))
        context.log(f"expand: {self.what()}, order {params.order}, {solver.method} solver, {hessian.system.n_total} particles; "
                    f"d(stress : A)/dg = {expansion.sigma_along[1]:.8g}")
        solver.destroy()
        hessian.destroy()
        return expansion.cauchy

    def gradient(self, dimension: int) -> Any:
        """(d, d) velocity gradient of the input."""
        import numpy as np

        from hpcglass.geometries import periodic

        params: ExpandParams = self.params
        if params.gradient is not None:
            return np.array(params.gradient)
        if params.mode == "dilation":
            return np.eye(dimension)
        return (periodic.simple_shear if params.mode == "simple" else periodic.pure_shear)(dimension, params.plane)

    def what(self) -> str:
        """The deformation in words."""
        params: ExpandParams = self.params
        if params.gradient is not None:
            return f"velocity gradient {[list(row) for row in params.gradient]}"
        return params.mode if params.mode == "dilation" else f"{params.mode} shear {params.plane}"

    def force_evaluations(self, particles: int) -> float:
        states = self.params.compare_steps if self.params.compare else 0
        return 500.0 * (self.params.order + 3 * self.params.moduli) + 1500.0 * states

    def memory(self, particles: int, dimension: int) -> float:
        return sparse_memory(particles, dimension)


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


def store_bonds(system: System, context: Context, bonds: Bonds) -> None:
    """/pairs/bonds: every interacting pair."""
    columns = {f"phi_{n}": (values, "energy", f"derivative {n} of the pair's energy by strain")
               for n, values in enumerate(bonds.phi, start=1)}
    vectors = bonds.vectors(system)
    context.pairs("bonds", bonds.ids, vector=(vectors, "length", "from the first particle to the second"), **columns)


def distribution(system: System, context: Context, bonds: Bonds) -> None:
    """/results/bond_distribution, numbers of pairs in logarithmic bins of |phi_n|, and /results/bond_tails, power laws fitted."""
    import numpy as np

    from hpcglass.core import comm as ranks
    from hpcglass.numbers import tails

    edges = tails.log_edges(LOW, HIGH)
    orders = range(1, len(bonds.phi) + 1)
    counts = ranks.total(system.comm, np.array([tails.log_histogram(np.abs(values), edges) for values in bonds.phi]))
    pairs = ranks.total(system.comm, bonds.phi.shape[1])
    used = np.flatnonzero(counts.sum(axis=0))
    first, last = (int(used[0]), int(used[-1]) + 1) if used.size else (0, 0)
    table = context.table(
        "bond_distribution", value=("energy", "|phi_n|, geometric centre of the bin"),
        **{f"count_{n}": ("", f"pairs in the bin, order {n}") for n in orders},
        **{f"density_{n}": ("1/energy", f"probability density of |phi_{n}|") for n in orders})
    width, value = np.diff(edges), tails.centres(edges)
    for k in range(first, last):
        table.append(value=float(value[k]), **{f"count_{n}": float(counts[n - 1, k]) for n in orders},
                     **{f"density_{n}": float(counts[n - 1, k] / (pairs * width[k])) for n in orders})
    fits = context.table(
        "bond_tails", order=("", "order of the derivative"), expected=("", "exponent if D(omega) ~ omega^4"),
        exponent=("", "exponent beta of P ~ A x^-beta"), exponent_error=("", "its statistical error"),
        prefactor=("", "A at the fitted exponent"), prefactor_error=("", "its statistical error"),
        prefactor_expected=("", "A at the expected exponent, same window"), prefactor_expected_error=("", "its error"),
        low=("energy", "window of the fit"), high=("energy", "window of the fit"), count=("", "pairs in the window"))
    for n, expected in zip(orders, EXPONENTS, strict=False):
        free = tails.fit_tail(edges, counts[n - 1], pairs)
        fixed = tails.fit_tail(edges, counts[n - 1], pairs, window=free.window, exponent=expected)
        fits.append(order=n, expected=expected, exponent=free.exponent, exponent_error=free.exponent_error,
                    prefactor=free.prefactor, prefactor_error=free.prefactor_error, prefactor_expected=fixed.prefactor,
                    prefactor_expected_error=fixed.prefactor_error, low=free.window[0], high=free.window[1], count=free.count)

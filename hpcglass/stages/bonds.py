"""Soft spots of a minimum: modes of the bond operator, their spectrum, and the pseudo-harmonic modes next to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from hpcglass.stages.base import Context, Solvers, Stage, StageParams, sparse_memory

if TYPE_CHECKING:
    from hpcglass.core.system import System
    from hpcglass.landscape.bonds import BondModes
    from hpcglass.landscape.expansion import LinearSolver, Moduli
    from hpcglass.landscape.matrix.hessian import Hessian
    from hpcglass.landscape.matrix.solve import Solver

MODES = {
    "index": ("", "mode, 0 is the softest"), "eigenvalue": ("length^2/energy", "eigenvalue lambda of the bond operator"),
    "participation_displacement": ("", "participation ratio of D"), "participation_force": ("", "participation ratio of F"),
    "residual": ("", "|S^T S D - lambda H D| / |lambda H D|")}
PSEUDO_HARMONIC = {
    "index": ("", "mode it starts from"), "eigenvalue": ("length^2/energy", "eigenvalue lambda of that mode"),
    "overlap_displacement": ("", "1 - <D|D_PH>"), "overlap_force": ("", "1 - <F|F_PH>"),
    "cost": ("energy^2/length^4", "cost C"), "stiffness": ("energy/length^2", "stiffness H:pi pi, |pi| = 1"),
    "gradient": ("", "gradient of the cost over either of its terms"), "iterations": ("", "linear solves")}
DECAY = {"D": "displacement mode", "F": "force mode", "D_PH": "pseudo-harmonic mode", "F_PH": "pseudo-harmonic force"}


class BondsParams(StageParams):
    """Modes of the bond operator: soft spots without phonons; needs a minimum."""

    kind: Literal["bonds"] = "bonds"
    count: int = Field(20, ge=1, description="softest modes: so many are computed, or, with `all`, stored")
    all: bool = Field(False, description="the whole spectrum, by dense algebra: up to about 7000 particles in 3D, 10 000 in 2D")
    vectors: bool = Field(True, description="store the modes, not their numbers only")
    pseudo_harmonic: int = Field(0, ge=0, description="so many softest modes are relaxed to pseudo-harmonic ones")
    dipoles: int = Field(0, ge=0, description="responses to unit dipoles on so many bonds, spread over the particles")

    def derivatives(self) -> int:
        return 2          # the Hessian

    @model_validator(mode="after")
    def _no_more_than_there_are(self) -> BondsParams:
        if self.pseudo_harmonic > self.count:
            raise ValueError(f"pseudo_harmonic = {self.pseudo_harmonic} is more than count = {self.count} modes")
        return self

    def solvers(self, ranks: int) -> Solvers:
        return Solvers(("mumps",))      # states of self stress are counted by its inertia


class Bonds(Stage):
    """Bond operator."""

    name = "bonds"
    Params = BondsParams

    def run(self, system: System, context: Context) -> None:
        """Solve, then store the spectrum, the softest modes, their decay with distance and their pseudo-harmonic partners."""
        from hpcglass.landscape.bonds import bond_counts, bond_spectrum, softest_bond_modes
        from hpcglass.landscape.expansion import check_minimum, elastic_moduli
        from hpcglass.landscape.matrix.hessian import Hessian
        from hpcglass.landscape.matrix.solve import Solver

        params: BondsParams = self.params
        check_minimum(system)
        context.cite("giannini2021", "hernandez2005")
        hessian = Hessian(system, context.look)
        with context.timer("modes"):
            modes = bond_spectrum(hessian) if params.all else softest_bond_modes(hessian, params.count)
        store_spectrum(context, modes)
        if modes.uncounted:
            context.log(f"bonds: it was not verified by inertia that none of the softest modes is missing: {modes.uncounted}")
        with context.timer("counts"):
            bonds, nonzero = bond_counts(hessian)
        context.result("bonds", bonds, "", "interacting pairs, without those of rattlers")
        context.result("nonzero_count", nonzero, "", "eigenvalues of the bond operator that are not zero")
        context.result("self_stress_count", bonds - nonzero, "", "states of self stress")
        context.result("rattlers", hessian.n_loose, "", "particles that nothing holds in place")
        if params.all:
            context.result("trace", float(modes.eigenvalue.sum()), "length^2/energy", "trace of the bond operator")
        modes = modes.softest(params.count)
        with context.timer("moduli"):
            solver = Solver(hessian, right_hand_sides=6 + 30 * params.pseudo_harmonic + params.dipoles)
            store_units(system, context, elastic_moduli(system, solver))
        if params.vectors:
            store_modes(context, hessian, modes)
        fields = {"D": modes.displacement, "F": modes.force}
        if params.pseudo_harmonic:
            with context.timer("pseudo-harmonic"):
                fields |= relax(system, context, modes.softest(params.pseudo_harmonic), solver, params.vectors)
        if params.dipoles:
            with context.timer("dipoles"):
                store_dipoles(system, context, hessian, solver, params.dipoles)
        with context.timer("decay"):
            store_decay(system, context, fields, params.pseudo_harmonic or len(modes.eigenvalue))
        context.reached(len(modes.eigenvalue), 0.0)
        context.log(f"bonds: largest lambda {modes.eigenvalue[0]:.8g}, {bonds - nonzero} states of self stress in {bonds} bonds")

    def force_evaluations(self, particles: int) -> float:
        params: BondsParams = self.params
        return 0.3 * particles**2 if params.all else 2000.0 + 100.0 * params.count + 500.0 * params.pseudo_harmonic

    def memory(self, particles: int, dimension: int) -> float:
        params: BondsParams = self.params
        fields = 8.0 * (4 * (params.count + params.pseudo_harmonic) + params.dipoles + 100) * particles * dimension
        return fields + (64.0 * (particles * dimension) ** 2 if params.all else 2 * sparse_memory(particles, dimension))


def store_spectrum(context: Context, modes: BondModes) -> None:
    """/results/bond_modes: a row per mode."""
    table = context.table("bond_modes", **MODES)
    for k, values in enumerate(zip(modes.eigenvalue, modes.participation_displacement, modes.participation_force, modes.residuals,
                                   strict=True)):
        table.append(**dict(zip(MODES, (float(k), *map(float, values)), strict=True)))
    context.result("bond_modes_verified", int(not modes.uncounted), "", "1: the eigenvalues were counted, and no mode is missing")


def store_modes(context: Context, hessian: Hessian, modes: BondModes) -> None:
    """D and F of each particle, f of each bond, mode by mode in the last axis."""
    from hpcglass.landscape.bonds import bond_forces

    context.field("displacement_modes", modes.displacement, "", "particle displacement modes D, (d, mode)")
    context.field("force_modes", modes.force, "", "particle force modes F, (d, mode)")
    bonds, forces = bond_forces(hessian, modes)
    context.pairs("bond_modes", bonds.ids, force=(forces, "", "bond force modes f, extension positive"))


def store_units(system: System, context: Context, moduli: Moduli) -> None:
    """omega_0 = c_s / a_0 and lambda_0 = omega_0^-2, c_s = sqrt(mu V / N) the speed of shear waves, mass 1."""
    d = system.dimension
    modulus = sum(moduli.shear(a, b) for a in range(d) for b in range(d) if a != b) / (d * (d - 1))
    context.result("shear_modulus", modulus, "energy/length^d", "shear modulus mu, mean over planes")
    if modulus > 0.0:           # a small glass may be stable in its fixed cell alone
        spacing = (system.volume / system.n_total) ** (1 / d)
        frequency = (modulus * spacing**d) ** 0.5 / spacing
        context.result("frequency_unit", frequency, "energy^1/2/length", "omega_0 = c_s/a_0, shear waves at the mean spacing")
        context.result("eigenvalue_unit", frequency**-2, "length^2/energy", "lambda_0 = omega_0^-2")


def relax(system: System, context: Context, modes: BondModes, solver: LinearSolver, vectors: bool) -> dict[str, Any]:
    """The pseudo-harmonic mode next to each mode, and its force: (n_owned, d, k) fields by name. A row of a table for each."""
    import numpy as np

    from hpcglass.core import comm as ranks
    from hpcglass.landscape.pseudo_harmonic import companion_force, pseudo_harmonic_mode

    context.cite("richard2021")
    table = context.table("pseudo_harmonic", **PSEUDO_HARMONIC)
    partners, forces = np.empty_like(modes.displacement), np.empty_like(modes.displacement)
    for k, eigenvalue in enumerate(modes.eigenvalue):
        found = pseudo_harmonic_mode(system, np.ascontiguousarray(modes.displacement[..., k]), solver=solver)
        force = companion_force(system, found.mode)
        force /= np.sqrt(ranks.total(system.comm, float((force**2).sum())))
        overlap = ranks.total(system.comm, np.array([np.vdot(modes.displacement[..., k], found.mode),
                                                     np.vdot(modes.force[..., k], force)]))
        sign = -1.0 if overlap[0] < 0.0 else 1.0        # far away from its start a mode may come out turned round
        partners[..., k], forces[..., k] = sign * found.mode, sign * force
        row = (k, eigenvalue, *(1.0 - sign * overlap), found.cost, found.stiffness, found.gradient, found.iterations)
        table.append(**dict(zip(PSEUDO_HARMONIC, map(float, row), strict=True)))
    if vectors:
        context.field("pseudo_harmonic_modes", partners, "", "pseudo-harmonic modes D_PH, (d, mode)")
        context.field("pseudo_harmonic_forces", forces, "", "their forces F_PH = H D_PH, normalised, (d, mode)")
    return {"D_PH": partners, "F_PH": forces}


def store_dipoles(system: System, context: Context, hessian: Hessian, solver: Solver, count: int) -> None:
    """/fields/dipole_responses (N, d, count) to unit dipoles on bonds, and /results/dipoles, which bonds and how they open."""
    import numpy as np

    from hpcglass.landscape.bonds import dipole_response

    table = context.table("dipoles", first=("", "id of a particle of the bond"), second=("", "id of the other"),
                          response=("length^2/energy", "how much the bond opens: entry of the bond operator"))
    fields = np.empty((system.n_owned, system.dimension, count))
    for k in range(count):
        (i, j), response, fields[..., k] = dipole_response(hessian, (2 * k + 1) * system.n_total // (2 * count), solver)
        table.append(first=float(i), second=float(j), response=response)
    context.field("dipole_responses", fields, "length^2/energy", "displacements by unit dipoles on bonds, (d, dipole)")


def store_decay(system: System, context: Context, fields: dict[str, Any], count: int) -> None:
    """/results/decay: |v| against the distance from the core, its median over particles, then over the `count` softest modes."""
    import numpy as np

    from hpcglass.landscape.profiles import decay_profile

    profiles = {name: [decay_profile(system, np.ascontiguousarray(modes[..., k])) for k in range(count)]
                for name, modes in fields.items()}
    everything = [profile for several in profiles.values() for profile in several]
    filled = np.min([profile.count for profile in everything], axis=0) > 0      # around every core there is somebody
    columns = {"distance": everything[0].distance[filled]}
    columns |= {name: np.median([profile.median[filled] for profile in several], axis=0) for name, several in profiles.items()}
    names = {name: ("", f"median |v| of the {DECAY[name]}") for name in fields}
    table = context.table("decay", distance=("length", "distance from the core, the particle that moves most"), **names)
    for row in zip(*columns.values(), strict=True):
        table.append(**dict(zip(columns, map(float, row), strict=True)))

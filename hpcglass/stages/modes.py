"""Vibrational modes of a minimum: the softest ones, those in an interval of frequencies, or all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from hpcglass.stages.base import Context, Solvers, Stage, StageParams, sparse_memory

if TYPE_CHECKING:
    from hpcglass.core.system import System
    from hpcglass.landscape.matrix.hessian import Hessian
    from hpcglass.landscape.modes import Modes as Found

COUNT = 50          # modes when nothing is said
BINS = 100          # of the density of states, at most
FREQUENCY = "(energy/length^2)^(1/2)"


class ModesParams(StageParams):
    """Modes and frequencies of the Hessian, participation, vibrality, phonons; needs a minimum."""

    kind: Literal["modes"] = "modes"
    count: int | None = Field(None, gt=0, description="so many modes of lowest frequency; without `range` or `all` 50, "
                              "or half of all if that is less")
    range: tuple[float, float] | None = Field(None, description="all modes with omega in [low, high] instead")
    all: bool = Field(False, description="the whole spectrum instead: dense algebra on one rank, up to 20000 degrees of freedom")
    tolerance: float = Field(1e-8, gt=0, description="largest |H v - omega^2 v| of a mode [energy/length^2]")
    vectors: bool = Field(True, description="store the modes themselves")
    moduli: bool = Field(True, description="speeds of sound and phonon frequencies: 3 linear solves in 2D, 6 in 3D")

    def derivatives(self) -> int:
        return 2          # the Hessian

    @model_validator(mode="after")
    def _one_choice(self) -> ModesParams:
        given = [name for name in ("count", "range", "all") if getattr(self, name) not in (None, False)]
        if len(given) > 1:
            raise ValueError(f"give only one of count, range, all, not {' and '.join(given)}")
        if self.range is not None and not 0 <= self.range[0] < self.range[1]:
            raise ValueError(f"range must be [low, high] with 0 <= low < high, not {list(self.range)}")
        return self

    def solvers(self, ranks: int) -> Solvers:
        if self.all:
            return Solvers()
        if self.range is not None:
            return Solvers(("mumps",), "lowest modes (count) on one rank can do with CHOLMOD, all = true with neither")
        return Solvers(("cholmod", "mumps") if ranks == 1 else ("mumps",), "all = true does without, in a small glass")


class Modes(Stage):
    """Normal modes of vibration."""

    name = "modes"
    Params = ModesParams

    def run(self, system: System, context: Context) -> None:
        """Solve, then store the table of modes, their fields and what sound would do."""
        from hpcglass.landscape.expansion import check_minimum
        from hpcglass.landscape.matrix.hessian import Hessian
        from hpcglass.landscape.modes import lowest_modes, modes_in_interval, number_of_modes, some_modes, spectrum

        params: ModesParams = self.params
        context.cite("hernandez2005", "tong2014", *["maloney2006"] * params.moduli)
        check_minimum(system)
        hessian = Hessian(system, context.look)
        if hessian.n_loose:
            context.log(f"modes: {hessian.n_loose} rattlers are left out; they have no modes")
        with context.timer("modes"):
            if params.all:
                modes = spectrum(hessian, params.tolerance)
            elif params.range is not None:
                modes = modes_in_interval(hessian, *params.range, params.tolerance)
            else:
                modes = lowest_modes(hessian, params.count or min(COUNT, max(some_modes(hessian) // 2, 1)), params.tolerance)
        if modes.uncounted:
            context.log(f"modes: it was not verified by inertia that none is missing: {modes.uncounted}")
        total = number_of_modes(hessian)
        store_modes(system, context, modes, total, params.vectors)
        if params.all:
            density_of_states(context, modes)
        if params.moduli:
            with context.timer("moduli"):
                store_sound(hessian, context, total)
        context.reached(len(modes.frequency2), 0.0)
        span = f", omega = {modes.frequency[0]:.6g} to {modes.frequency[-1]:.6g}" if len(modes.frequency) else ""
        context.log(f"modes: {len(modes.frequency)} of {total}{span}")

    def force_evaluations(self, particles: int) -> float:
        return 0.2 * particles**2 if self.params.all else 1000.0 + 30.0 * (self.params.count or COUNT)

    def memory(self, particles: int, dimension: int) -> float:
        if self.params.all:
            return 32.0 * (particles * dimension) ** 2
        basis = 2 * (self.params.count or COUNT) + 150
        return sparse_memory(particles, dimension) + 8.0 * basis * particles * dimension


def store_modes(system: System, context: Context, modes: Found, total: int, vectors: bool) -> None:
    """The table of modes, the modes themselves, the vibrality."""
    import numpy as np

    unstable, floppy = int((modes.stability < 0).sum()), int((modes.stability == 0).sum())
    if floppy:
        context.log(f"modes: {floppy} of the modes found have omega^2 = 0, which translations would have: parts of the "
                    "configuration move or turn freely; they are not in the vibrality")
    if unstable:
        context.log(f"modes: the configuration is a saddle, not a minimum: {unstable} of the modes found have omega^2 < 0, "
                    "given as negative omega")
    table = context.table("modes", index=("", "number of the mode"), omega2=("energy/length^2", "eigenvalue of the Hessian"),
                          omega=(FREQUENCY, "frequency; -|omega| where omega^2 < 0"), participation=("", "participation ratio e"),
                          residual=("energy/length^2", "|H v - omega^2 v|"))
    for k, row in enumerate(zip(modes.frequency2, modes.frequency, modes.participation, modes.residuals, strict=True)):
        omega2, omega, participation, residual = map(float, row)
        table.append(index=k, omega2=omega2, omega=omega, participation=participation, residual=residual)
    context.result("modes_verified", int(not modes.uncounted), "", "1: the eigenvalues were counted, and no mode is missing")
    context.result("modes_total", total, "", "number of modes of the configuration, translations and rattlers left out")
    if vectors and len(modes.frequency2):
        context.field("modes", modes.vectors, "", "orthonormal modes, the last axis counts them")
    stable = modes.stability > 0
    vibrality = ((modes.vectors**2).sum(axis=1)[:, stable] / modes.frequency2[stable]).sum(axis=1)
    partial = len(modes.frequency2) < total
    context.field("partial_vibrality" if partial else "vibrality", np.ascontiguousarray(vibrality), "length^2/energy",
                  f"sum over the {'modes found' if partial else 'modes'} of |v_i|^2 / omega^2")


def density_of_states(context: Context, modes: Found) -> None:
    """/results/density_of_states: a histogram of omega whose integral is 1, and its running integral."""
    import numpy as np

    omega = modes.frequency
    edges = np.linspace(min(0.0, omega[0]), omega[-1], min(BINS, max(10, round(len(omega) ** 0.5))) + 1)
    share = np.histogram(omega, edges)[0] / len(omega)
    table = context.table("density_of_states", omega=(FREQUENCY, "frequency, middle of the bin"),
                          density=(f"1/{FREQUENCY}", "density of states"),
                          cumulative=("", "share of the modes up to the bin's end"))
    for middle, density, cumulative in zip(0.5 * (edges[1:] + edges[:-1]), share / np.diff(edges), share.cumsum(), strict=True):
        table.append(omega=float(middle), density=float(density), cumulative=float(cumulative))


def store_sound(hessian: Hessian, context: Context, total: int) -> None:
    """Speeds of sound, Debye's level, frequencies of the plane waves; nothing but a line in the log where there is no solid."""
    from hpcglass.errors import PhysicsError
    from hpcglass.landscape.expansion import elastic_moduli
    from hpcglass.landscape.matrix.solve import Solver
    from hpcglass.landscape.phonons import debye_level, mean_shear_modulus, phonons, sound_speeds

    system = hessian.system
    d = system.dimension
    try:
        moduli = elastic_moduli(system, Solver(hessian, right_hand_sides=d * (d + 1) // 2))
        speeds = sound_speeds(moduli, (system.n_total - hessian.n_loose) / system.volume)
    except PhysicsError as error:
        context.log(f"modes: no speeds of sound: {error}")
        return
    context.result("shear_modulus", mean_shear_modulus(moduli), "energy/length^d", "mean over all orientations")
    context.result("bulk_modulus", moduli.bulk, "energy/length^d", "-V dP/dV")
    context.result("shear_wave_speed", speeds[0], "energy^(1/2)", "speed c_t of transverse sound, mass 1")
    context.result("longitudinal_wave_speed", speeds[1], "energy^(1/2)", "speed c_l of longitudinal sound, mass 1")
    context.result("debye_level", debye_level(system.volume, speeds, d, total), "(length^2/energy)^(d/2)",
                   "A_D of Debye's density of states A_D omega^(d-1)")
    table = context.table("phonons", frequency=(FREQUENCY, "frequency of plane waves in the cell"),
                          degeneracy=("", "number of waves of this frequency"), branch=("", "0 transverse, 1 longitudinal"))
    waves = phonons(system.box, speeds)
    for frequency, degeneracy, branch in zip(waves.frequency, waves.degeneracy, waves.branch, strict=True):
        table.append(frequency=float(frequency), degeneracy=float(degeneracy), branch=float(branch))

"""How a glass responds to strain, to third order, and its elastic moduli.

A minimum that follows a slow strain g with velocity gradient A stays a minimum: the derivatives of dU/dx vanish at every order.
With the path d_1 = A x + v_1, d_2 = A d_1 + v_2, d_3 = A d_2 + v_3 (nonaffine velocity, acceleration, jerk) this reads

    H v_1 = -H.(A x),    H v_2 = -[T:d_1 d_1 + H.(A d_1)],    H v_3 = -[M:d_1 d_1 d_1 + 3 T:d_1 d_2 + H.(A d_2)]:

the right-hand side of order n is the derivative of order n along the path without its last field (`contractions.along_path`).
D. Richard, "Connecting microscopic and mesoscopic mechanics in model structural glasses", eqs. 9-18, App. C.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import comb
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.errors import InputError, PhysicsError
from hpcglass.landscape.contractions import HIGHEST, Bonds, along_path, pair_energies
from hpcglass.landscape.forces import evaluate
from hpcglass.landscape.rattlers import bonded
from hpcglass.landscape.rest import FORCE_TOLERANCE, force_scale, unrest

Floats = NDArray[np.float64]
MODULI_ACCURACY = 1e-6      # residual of the linear solves for moduli, whose errors are of second order in it


class LinearSolver(Protocol):
    """H^+ on rows of the owned particles."""

    def solve(self, rows: Floats, accuracy: float | None = None) -> Floats:
        """(n_owned, d) zero-mean solution of H v = rows. Collective."""

    def solve_all(self, fields: Sequence[Floats], accuracy: float | None = None) -> list[Floats]:
        """Those of several right-hand sides, at once where that is quicker. Collective."""


@dataclass
class Expansion:
    """Response to the strain g with x -> exp(g A) x, derivatives at g = 0.

    gradient : (d, d) A
    fields : nonaffine velocity, acceleration, jerk, as many as asked for, each (n_owned, d) [length]
    energy : U_g, U_gg, ... to one order more than there are fields, but at most three [energy]
    sigma : (n+1, d, d) derivatives 0..n of (1/V_0) sum_pairs c_1 x x^T at fixed volume V_0, n the number of fields
        [energy/length^d]
    sigma_along : derivatives of sigma : A, one order more than `sigma` but at most three; the missing field is not needed, as
        n fields of a minimum give its energy to order 2n+1
    """

    gradient: Floats
    fields: list[Floats] = field(repr=False)
    energy: Floats
    sigma: Floats
    sigma_along: Floats

    @property
    def cauchy(self) -> Floats:
        """(n+1, d, d) derivatives of the true stress: the volume follows as V_0 exp(g tr A)."""
        rate = -float(np.trace(self.gradient))
        return np.array([sum(comb(n, k) * rate ** (n - k) * self.sigma[k] for k in range(n + 1)) for n in range(len(self.sigma))])


def strain_expansion(system: System, gradient: Floats, order: int = 3, solver: LinearSolver | None = None,
                     known: Sequence[Floats] = (), found: Callable[[list[Floats]], None] | None = None) -> Expansion:
    """Fields and derivatives of energy and stress under strain. Collective.

    Parameters
    ----------
    system : a minimum, up to date
    gradient : (d, d) velocity gradient A, as `geometries.periodic.simple_shear`; the identity for dilation
    order : number of fields, 1 to 3, each one linear solve; two give sigma : A to third order
    solver : of this system's Hessian; a new one is made without
    known : fields of lower order that were solved for before
    found : called with all fields so far after each solve

    Raises
    ------
    InputError
        Wrong order, or a gradient of another shape.
    PhysicsError
        The system is not at a minimum, or a solve failed.
    """
    gradient = np.asarray(gradient, dtype=np.float64)
    if gradient.shape != system.box.shape or not np.isfinite(gradient).all():
        d = system.dimension
        raise InputError(f"the velocity gradient must be a finite {d} x {d} matrix, not {gradient.tolist()}")
    if not 1 <= order <= HIGHEST:
        raise InputError(f"a strain expansion has order 1, 2 or 3, not {order}")
    check_minimum(system)
    solver = solver or default_solver(system, order)
    system = bonded(system)
    fields = list(known)[:order]
    for n in range(len(fields) + 1, order + 1):
        fields.append(solver.solve(-along_path(system, gradient, fields, n).gradient))
        if found is not None:
            found(fields)
    highest = min(order + 1, HIGHEST)
    path = along_path(system, gradient, fields, highest)
    sigma = path.virial / system.volume
    along = np.einsum("nab,ab->n", sigma, gradient)
    if highest > order:
        # the missing field enters as H:(A x) v_n = -(H v_1).v_n = v_1.(right-hand side), without a solve
        along[highest] += ranks.total(system.comm, float(np.vdot(fields[0], path.gradient))) / system.volume
    return Expansion(gradient, fields, path.energy[1:], sigma[: order + 1], along)


def bond_expansion(system: System, expansion: Expansion) -> Bonds:
    """phi_g, phi_gg, ... of every interacting pair, each pair on one rank. Not valid after a rebuild. Collective."""
    return pair_energies(bonded(system), expansion.gradient, expansion.fields)


@dataclass
class Moduli:
    """Elastic constants of a minimum [energy/length^d].

    tensor : (d, d, d, d) C_abcd = (1/V) d^2 U / d eta_ab d eta_cd at the minimum, eta the Lagrangian strain, with all its
        symmetries
    born : (d, d, d, d) the same at fixed affine positions, (1/V) sum_pairs c_2 x_a x_b x_c x_d
    stress : (d, d) stress of the glass, by which moduli of a stressed solid differ from entries of C
    """

    tensor: Floats
    born: Floats
    stress: Floats

    def shear(self, a: int, b: int) -> float:
        """d sigma_ab / d gamma under simple shear x_a -> x_a + gamma x_b:  C_abab + sigma_bb."""
        return float(self.tensor[a, b, a, b] + self.stress[b, b])

    @property
    def bulk(self) -> float:
        """-V dP/dV = (sum_ab C_aabb + (2 - d) tr sigma) / d^2."""
        d = len(self.stress)
        return float((np.einsum("aabb", self.tensor) + (2 - d) * np.trace(self.stress)) / d**2)

    @property
    def shear_extremes(self) -> tuple[float, float]:
        """Smallest and largest modulus of shear without rotation over all orientations in 2D.

        d sigma_ab / d gamma under x_a -> x_a + gamma x_b / 2, x_b -> x_b + gamma x_a / 2 is, in the rotated frame,
        C_abab + tr sigma / 2: a quadratic form on the two shears, whose eigenvalues these are.
        """
        if len(self.stress) != 2:
            raise InputError("extremes of the shear modulus over orientation are defined in 2D only")
        shears = np.array([[[0.5, 0.0], [0.0, -0.5]], [[0.0, 0.5], [0.5, 0.0]]])
        values = np.linalg.eigvalsh(np.einsum("mab,abcd,ncd->mn", shears, self.tensor, shears))
        low, high = values + 0.5 * np.trace(self.stress)
        return float(low), float(high)


def elastic_moduli(system: System, solver: LinearSolver | None = None) -> Moduli:
    """Elastic tensor, Born part and nonaffine part, by one linear solve for each of the d(d+1)/2 strains. Collective.

    With X_j the forces of strain j and v_j about -H^+ X_j, the nonaffine part is taken as X_i.v_j + v_i.(X_j + H v_j): errors of
    the solutions enter as their product, so that a residual of 1e-6 is good for ten digits.

    Raises PhysicsError if the system is not at a minimum, or a solve failed.
    """
    check_minimum(system)
    d = system.dimension
    solver = solver or default_solver(system, d * (d + 1) // 2)
    system = bonded(system)
    born, tensor = np.zeros((d, d, d, d)), np.zeros((d, d, d, d))
    stress = evaluate(system).stress
    places = [(c, e) for c in range(d) for e in range(c, d)]
    strains = np.zeros((len(places), d, d))
    for strain, (c, e) in zip(strains, places, strict=True):
        strain[c, e] += 0.5
        strain[e, c] += 0.5
    straight = [along_path(system, strain, [], 1) for strain in strains]
    fields = solver.solve_all([-path.gradient for path in straight], MODULI_ACCURACY)
    rests = []
    for (c, e), strain, affine, one in zip(places, strains, straight, fields, strict=True):
        relaxed = along_path(system, strain, [one], 1)
        rests.append(relaxed.gradient)
        turned = strain @ stress + stress @ strain      # change of x x^T at fixed c_1
        for target, path in ((born, affine), (tensor, relaxed)):
            target[:, :, c, e] = target[:, :, e, c] = path.virial[1] / system.volume - turned
    change = ranks.total(system.comm, np.array([[np.vdot(one, rest) for rest in rests] for one in fields])) / system.volume
    for (a, b), row in zip(places, change, strict=True):
        for (c, e), value in zip(places, row, strict=True):
            for entry in {(a, b, c, e), (b, a, c, e), (a, b, e, c), (b, a, e, c)}:
                tensor[entry] += value
    return Moduli(tensor, born, stress)


def default_solver(system: System, solves: int = 1) -> LinearSolver:
    """A solver of the present configuration's Hessian, for about so many solves. Collective."""
    from hpcglass.landscape.matrix.hessian import Hessian
    from hpcglass.landscape.matrix.solve import Solver

    return Solver(Hessian(system), right_hand_sides=solves)


def check_minimum(system: System) -> None:
    """Raise PhysicsError where forces do not balance. Collective."""
    mechanics = evaluate(system)
    share, scale = unrest(system, mechanics), force_scale(mechanics)
    if not share <= FORCE_TOLERANCE:
        raise PhysicsError(f"the configuration is not at a minimum: the largest force {share * scale:.3g} is more than "
                           f"{FORCE_TOLERANCE:g} of the force scale {scale:.3g}; quench it first")

"""Indicators of the harmonic solid at a small temperature: vibrality, local heat capacity, mean displacement by anharmonicity.

All come from the blocks of H^+ on the diagonal and on interacting pairs (`landscape.matrix.inverse`): with the covariance of a
pair K_ij = H^+_ii + H^+_jj - H^+_ij - H^+_ji and the third derivatives T of the energy,

    Psi(i) = tr H^+_ii,                             vibrality (B13)
    u = H^+ (T:H^+),                                <displacement> = -(T/2) u + O(T^2)
    c_pair = c_2 x.Kx + c_1 tr K - c_1 x.(u_j - u_i),          heat capacity of a pair (B12)

whose first part sums to N d - d over all pairs, and whose second, anharmonic one to zero, as the forces balance.
D. Richard et al., Phys. Rev. Materials 4, 113609 (2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcglass.indicators.bonds import Bonds, interacting
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.landscape.matrix.inverse import inverse_blocks
from hpcglass.landscape.matrix.solve import Solver

Floats = NDArray[np.float64]


@dataclass
class Thermal:
    """The harmonic solid at a minimum, per temperature.

    vibrality : (n_owned,) mean square displacement [length^2/energy]
    response : (n_owned, d) u = H^+ (T:H^+); the mean displacement is -u/2 [length/energy]
    harmonic, anharmonic : (b,) both parts of the heat capacity of each pair of `bonds` [k_B]
    """

    bonds: Bonds
    vibrality: Floats
    response: Floats
    harmonic: Floats
    anharmonic: Floats

    @property
    def heat_capacity(self) -> Floats:
        """(n_owned,) sum of |anharmonic part| over the pairs of a particle, the full value on both ends [k_B]."""
        return self.bonds.on_both_ends(np.abs(self.anharmonic))


def thermal(hessian: Hessian, solver: Solver) -> Thermal:
    """From one factorisation, the entries of its inverse, and d + 1 solves. Collective.

    Raises
    ------
    InputError, PhysicsError
        As `inverse_blocks`: the solver has no factors, or the configuration is no minimum.
    """
    system = hessian.system
    blocks = inverse_blocks(hessian, solver=solver)
    bonds = interacting(system)
    diagonal = np.empty((system.n_all, system.dimension, system.dimension))
    diagonal[: system.n_owned] = blocks.diagonal
    system.forward(diagonal)
    first, second = bonds.rows.T
    across = blocks.between(system, bonds.rows)
    k = diagonal[first] + diagonal[second] - across - across.transpose(0, 2, 1)
    response = solver.solve(bonds.third_with_covariance(k))
    x = bonds.vector
    harmonic = bonds.c[2] * np.einsum("ba,bac,bc->b", x, k, x) + bonds.c[1] * np.einsum("baa->b", k)
    anharmonic = -bonds.c[1] * np.einsum("ba,ba->b", x, bonds.differences(response))
    return Thermal(bonds, np.einsum("iaa->i", blocks.diagonal), response, harmonic, anharmonic)

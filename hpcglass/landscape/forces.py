"""Energy, forces and stress of a configuration, in total and per particle.

    F_i = sum_j c_1(r_ij) x_ij,      sigma = (1/V) sum_pairs c_1 x x^T,      c_1 = phi'/r,   x_ij = x_j - x_i,

tension positive, pressure P = -tr(sigma)/d. Pairs are evaluated in chunks of a few hundred: gather, distances, scalars, scatter, each
a loop of its own over buffers in the first-level cache, so that all but the scatter run in SIMD registers. Half lists, no reverse
communication: pairs with a ghost are evaluated by both owners, and count half in sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.pairs import CHUNK, KEEP_NAN, pair_energy_scale, pair_length, pair_scalar
from hpcglass.core.system import System

Floats = NDArray[np.float64]


@dataclass
class Mechanics:
    """Result of `evaluate`.

    forces : (n_owned, d) [energy/length]
    energy : total over all ranks [energy]
    stress : (d, d) [energy/length^d], tension positive
    force_scale : root-mean-square |phi'| over interacting pairs [energy/length], the unit of force tolerances
    pairs : number of interacting pairs
    """

    forces: Floats
    energy: float
    stress: Floats
    force_scale: float
    pairs: int

    @property
    def pressure(self) -> float:
        """P = -tr(sigma)/d."""
        return -float(np.trace(self.stress)) / len(self.stress)


def forces(system: System) -> Floats:
    """(n_owned, d) forces; the system must be up to date (`system.update()`). Not collective."""
    out = np.zeros((system.n_all, system.dimension))
    _forces(system.reference, system.displacement, system.pairs.start, system.pairs.index, system.diameter,
            system.species, system.table, out)
    return out[: system.n_owned]


def evaluate(system: System) -> Mechanics:
    """Forces, energy and stress of a system that is up to date. Collective."""
    out = np.zeros((system.n_all, system.dimension))
    sums = np.zeros(3 + system.dimension**2)
    _sums(system.reference, system.displacement, system.pairs.start, system.pairs.index, system.diameter, system.species,
          system.table, out, sums, np.zeros(0), np.zeros((0, 0, 0)))
    sums = ranks.total(system.comm, sums)
    stress = sums[3:].reshape(system.dimension, system.dimension) / system.volume
    scale = float(np.sqrt(sums[1] / sums[2])) if sums[2] else 0.0
    return Mechanics(out[: system.n_owned], float(sums[0]), stress, scale, int(round(sums[2])))


def per_particle(system: System) -> tuple[Floats, Floats]:
    """Energies (n_owned,) and virials (n_owned, d, d), half of each pair's to either partner.

    sum_i e_i = U and sum_i w_i = V sigma. Not collective.
    """
    out = np.zeros((system.n_all, system.dimension))
    energy = np.zeros(system.n_all)
    virial = np.zeros((system.n_all, system.dimension, system.dimension))
    _sums(system.reference, system.displacement, system.pairs.start, system.pairs.index, system.diameter, system.species,
          system.table, out, np.zeros(3 + system.dimension**2), energy, virial)
    return energy[: system.n_owned], virial[: system.n_owned]


def largest_force(system: System, values: Floats) -> float:
    """max_i |F_i| over all particles of all ranks. Collective."""
    here = float(np.einsum("ic,ic->i", values, values).max()) if len(values) else 0.0
    return float(np.sqrt(ranks.largest(system.comm, here)))


@numba.njit(cache=True, fastmath=KEEP_NAN)
def _gather(reference, displacement, index, diameter, species, table, owner, first, n, vector, x2, inverse_length2, scale):
    """Pair vectors, squared reduced distances, 1/lambda^2 and eps of pairs first .. first+n of the list."""
    for c in range(reference.shape[1]):
        for k in range(n):
            i, j = owner[k], index[first + k]
            vector[c, k] = (reference[j, c] - reference[i, c]) + (displacement[j, c] - displacement[i, c])
    if table.by_species or table.energy_power:
        for k in range(n):
            i, j = owner[k], index[first + k]
            length = pair_length(table, diameter, species, i, j)
            inverse_length2[k] = 1.0 / (length * length)
            scale[k] = pair_energy_scale(table, species, i, j, length)
    else:
        for k in range(n):
            length = pair_length(table, diameter, species, owner[k], index[first + k])
            inverse_length2[k] = 1.0 / (length * length)
            scale[k] = 1.0
    if reference.shape[1] == 2:
        for k in range(n):
            x2[k] = (vector[0, k] * vector[0, k] + vector[1, k] * vector[1, k]) * inverse_length2[k]
    else:
        for k in range(n):
            x2[k] = (vector[0, k] * vector[0, k] + vector[1, k] * vector[1, k] + vector[2, k] * vector[2, k]) * inverse_length2[k]


@numba.njit(cache=True)
def _owners(start, row, first, n, owner):
    """owner[k] of pairs first .. first+n, beginning the search at `row`; returns the row of the last one."""
    for k in range(n):
        while start[row + 1] <= first + k:
            row += 1
        owner[k] = row
    return row


@numba.njit(cache=True, fastmath=KEEP_NAN)
def _scatter(index, owner, first, n, vector, c1, out):
    """F_i += c1 x_ij, F_j -= c1 x_ij."""
    if out.shape[1] == 2:
        for k in range(n):
            i, j = owner[k], index[first + k]
            fx, fy = c1[k] * vector[0, k], c1[k] * vector[1, k]
            out[i, 0] += fx
            out[i, 1] += fy
            out[j, 0] -= fx
            out[j, 1] -= fy
    else:
        for k in range(n):
            i, j = owner[k], index[first + k]
            fx, fy, fz = c1[k] * vector[0, k], c1[k] * vector[1, k], c1[k] * vector[2, k]
            out[i, 0] += fx
            out[i, 1] += fy
            out[i, 2] += fz
            out[j, 0] -= fx
            out[j, 1] -= fy
            out[j, 2] -= fz


@numba.njit(cache=True, fastmath=KEEP_NAN)
def _forces(reference, displacement, start, index, diameter, species, table, out):
    """Forces alone: what minimisers and dynamics call most."""
    dimension = reference.shape[1]
    vector = np.empty((dimension, CHUNK))
    x2, inverse_length2, scale, c1 = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK)
    work, other = np.empty(CHUNK), np.empty(CHUNK)
    owner = np.empty(CHUNK, dtype=np.uint32)
    row = 0
    total = start[start.size - 1]
    for first in range(0, total, CHUNK):
        n = min(CHUNK, total - first)
        row = _owners(start, row, first, n, owner)
        _gather(reference, displacement, index, diameter, species, table, owner, first, n, vector, x2, inverse_length2, scale)
        pair_scalar(table, 1, n, x2, other, work, c1)
        for k in range(n):
            c1[k] *= scale[k] * inverse_length2[k]
        _scatter(index, owner, first, n, vector, c1, out)


@numba.njit(cache=True, fastmath=KEEP_NAN)
def _sums(reference, displacement, start, index, diameter, species, table, out, sums, energy, virial):
    """Forces, and sums = (energy, sum of phi'^2, pairs, virial d*d); per particle too where the arrays are not empty."""
    dimension = reference.shape[1]
    n_owned = start.size - 1
    vector = np.empty((dimension, CHUNK))
    x2, inverse_length2, scale, c1 = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK)
    work, other, phi, weight = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK)
    owner = np.empty(CHUNK, dtype=np.uint32)
    row = 0
    total = start[n_owned]
    cutoff2 = table.edges[table.edges.size - 1]
    for first in range(0, total, CHUNK):
        n = min(CHUNK, total - first)
        row = _owners(start, row, first, n, owner)
        _gather(reference, displacement, index, diameter, species, table, owner, first, n, vector, x2, inverse_length2, scale)
        pair_scalar(table, 1, n, x2, other, work, c1)
        pair_scalar(table, 0, n, x2, other, work, phi)
        for k in range(n):
            c1[k] *= scale[k] * inverse_length2[k]
            phi[k] *= scale[k]
            weight[k] = 1.0 if index[first + k] < n_owned else 0.5
        _scatter(index, owner, first, n, vector, c1, out)
        for k in range(n):
            sums[0] += weight[k] * phi[k]
            sums[1] += weight[k] * c1[k] * c1[k] * x2[k] / inverse_length2[k]
            sums[2] += weight[k] if x2[k] < cutoff2 else 0.0
        for a in range(dimension):
            for b in range(dimension):
                value = 0.0
                for k in range(n):
                    value += weight[k] * c1[k] * vector[a, k] * vector[b, k]
                sums[3 + a * dimension + b] += value
        if energy.size:
            for k in range(n):
                i, j = owner[k], index[first + k]
                energy[i] += 0.5 * phi[k]
                energy[j] += 0.5 * phi[k]
                for a in range(dimension):
                    for b in range(dimension):
                        half = 0.5 * c1[k] * vector[a, k] * vector[b, k]
                        virial[i, a, b] += half
                        virial[j, a, b] += half

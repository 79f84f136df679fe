"""Energy, forces and stress of a configuration, in total and per particle.

    F_i = sum_j c_1(r_ij) x_ij,      sigma = (1/V) sum_pairs c_1 x x^T,      c_1 = phi'/r,   x_ij = x_j - x_i,

tension positive, pressure P = -tr(sigma)/d. Pairs are evaluated in chunks of a few hundred: gather, scalars, scatter, each a
loop of its own over buffers in the first-level cache, so that all but the scatter run in SIMD registers. Half lists, no reverse
communication: pairs with a ghost are evaluated by both owners, and count half in sums. Rigid walls (`landscape.walls`) add to
energies and forces; the stress is that of the pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.pairs import C0, C1, CHUNK, KEEP_NAN, pair_scalar
from hpcglass.core.system import System
from hpcglass.core.vectors import largest_square
from hpcglass.landscape import walls

Floats = NDArray[np.float64]


@dataclass
class Mechanics:
    """Result of `evaluate`.

    forces : (n_owned, d) [energy/length]
    energy : total over all ranks [energy]
    stress : (d, d) [energy/length^d], tension positive
    force_scale : root-mean-square |phi'| over interacting pairs [energy/length], the unit of force tolerances
    pairs : number of interacting pairs
    attraction : largest attractive force that a pair can have, as far as the potential says [energy/length]
    """

    forces: Floats
    energy: float
    stress: Floats
    force_scale: float
    pairs: int
    attraction: float = 0.0

    @property
    def pressure(self) -> float:
        """P = -tr(sigma)/d."""
        return -float(np.trace(self.stress)) / len(self.stress)


def forces(system: System, exact: bool = True, reuse: bool = False) -> Floats:
    """(n_owned, d) forces; the system must be up to date (`system.update()`). Not collective.

    exact : form pair vectors from references and displacements, without the box size's round-off. Without it
        positions are rounded to one number first, with an error of about 1e-16 L times the stiffness: for dynamics.
    reuse : write into memory of the system, which the next such call overwrites
    """
    out = system.scratch("forces") if reuse else np.empty((system.n_all, system.dimension))
    out.fill(0.0)
    reference, displacement, *rest = pair_lists(system)
    if exact:
        add_forces(reference, displacement, *rest, out)
    else:
        add_forces(np.add(reference, displacement, out=system.scratch("positions")), None, *rest, out)
    if system.walls is not None:
        walls.push(system, out)
    return out[: system.n_owned]


def pair_lists(system: System) -> tuple[Any, ...]:
    pairs = system.pairs
    return (system.reference, system.displacement, pairs.start, pairs.owner, pairs.index, pairs.inverse_length2, pairs.energy,
            system.table)


def evaluate(system: System) -> Mechanics:
    """Forces, energy and stress of a system that is up to date. Collective."""
    out = np.zeros((system.n_all, system.dimension))
    sums = np.zeros(3 + system.dimension**2)
    _sums(*pair_lists(system), out, sums, np.zeros(0), np.zeros((0, 0, 0)))
    if system.walls is not None:
        sums[0] += walls.push(system, out).energy.sum()
    sums = ranks.total(system.comm, sums)
    stress = sums[3:].reshape(system.dimension, system.dimension) / system.volume
    scale = float(np.sqrt(sums[1] / sums[2])) if sums[2] else 0.0
    return Mechanics(out[: system.n_owned], float(sums[0]), stress, scale, round(float(sums[2])),
                     system.model.potential.attraction)


def per_particle(system: System) -> tuple[Floats, Floats]:
    """Energies (n_owned,) and virials (n_owned, d, d), half of each pair's to either partner, and all of a wall's energy.

    sum_i e_i = U and sum_i w_i = V sigma. Not collective.
    """
    out = np.zeros((system.n_all, system.dimension))
    energy = np.zeros(system.n_all)
    virial = np.zeros((system.n_all, system.dimension, system.dimension))
    _sums(*pair_lists(system), out, np.zeros(3 + system.dimension**2), energy, virial)
    if system.walls is not None:
        touching = walls.contacts(system)
        energy += np.bincount(touching.row, touching.energy, system.n_all)
    return energy[: system.n_owned], virial[: system.n_owned]


def largest_force(system: System, values: Floats) -> float:
    """max_i |F_i| over all particles of all ranks. Collective."""
    return float(np.sqrt(ranks.largest(system.comm, largest_square(values))))


@numba.njit(cache=True, inline="always")
def _start(reference, displacement, i, c):
    """(x, u) of component c of particle i; displacement None: references are positions."""
    if displacement is None:
        return reference[i, c], 0.0
    return reference[i, c], displacement[i, c]


@numba.njit(cache=True, inline="always")
def _difference(reference, displacement, j, c, x, u):
    """Component c of the vector to particle j from reference x and displacement u."""
    if displacement is None:
        return reference[j, c] - x
    return (reference[j, c] - x) + (displacement[j, c] - u)


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def gather(reference, displacement, start, owner, index, inverse_length2, row, first, n, vector, x2):
    """Pair vectors and squared reduced distances of entries first .. first+n of the list; `row` owns the first one.

    Returns the owner of the last. Counters are unsigned: a signed one could be negative, and every access would ask. In 2D a
    particle has three to ten pairs in the list, too few for a loop of its own in SIMD registers.
    """
    i, begin, one = np.uint64(row), np.uint64(first), np.uint64(1)
    if reference.shape[1] == 2:
        for k in range(np.uint64(n)):
            i, j = np.uint64(owner[begin + k]), index[begin + k]
            x, ux = _start(reference, displacement, i, 0)
            y, uy = _start(reference, displacement, i, 1)
            dx = _difference(reference, displacement, j, 0, x, ux)
            dy = _difference(reference, displacement, j, 1, y, uy)
            vector[0, k] = dx
            vector[1, k] = dy
            x2[k] = (dx * dx + dy * dy) * inverse_length2[begin + k]
        return np.int64(i)
    p, last = begin, begin + np.uint64(n)
    while p < last:
        while np.uint64(start[i + one]) <= p:
            i += one
        stop = min(np.uint64(start[i + one]), last)
        base, count = p - begin, stop - p
        x, ux = _start(reference, displacement, i, 0)
        y, uy = _start(reference, displacement, i, 1)
        z, uz = _start(reference, displacement, i, 2)
        for k in range(count):
            j = index[p + k]
            dx = _difference(reference, displacement, j, 0, x, ux)
            dy = _difference(reference, displacement, j, 1, y, uy)
            dz = _difference(reference, displacement, j, 2, z, uz)
            vector[0, base + k] = dx
            vector[1, base + k] = dy
            vector[2, base + k] = dz
            x2[base + k] = (dx * dx + dy * dy + dz * dz) * inverse_length2[p + k]
        p = stop
    return np.int64(i)


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def scalars(order, first, n, inverse_length2, scale, table, x2, work, out):
    """out[:n] = c_order of entries first .. first+n of the list."""
    pair_scalar(table, order, n, x2, work, out)
    for _ in range(order):
        for k in range(n):
            out[k] *= inverse_length2[first + k]
    if scale.size:
        for k in range(n):
            out[k] *= scale[first + k]


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def scatter(start, owner, index, row, first, n, vector, c1, out):
    """F_i += c1 x_ij, F_j -= c1 x_ij; `row` owns the first entry."""
    i, begin, one = np.uint64(row), np.uint64(first), np.uint64(1)
    if out.shape[1] == 2:
        for k in range(np.uint64(n)):
            i, j = np.uint64(owner[begin + k]), index[begin + k]
            fx, fy = c1[k] * vector[0, k], c1[k] * vector[1, k]
            out[i, 0] += fx
            out[i, 1] += fy
            out[j, 0] -= fx
            out[j, 1] -= fy
        return
    p, last = begin, begin + np.uint64(n)
    while p < last:
        while np.uint64(start[i + one]) <= p:
            i += one
        stop = min(np.uint64(start[i + one]), last)
        base, count = p - begin, stop - p
        x = y = z = 0.0
        for k in range(count):
            j = index[p + k]
            fx, fy = c1[base + k] * vector[0, base + k], c1[base + k] * vector[1, base + k]
            fz = c1[base + k] * vector[2, base + k]
            x += fx
            y += fy
            z += fz
            out[j, 0] -= fx
            out[j, 1] -= fy
            out[j, 2] -= fz
        out[i, 0] += x
        out[i, 1] += y
        out[i, 2] += z
        p = stop


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def add_forces(reference, displacement, start, owner, index, inverse_length2, scale, table, out):
    """out += forces alone: what minimisers and dynamics call most."""
    vector = np.empty((reference.shape[1], CHUNK))
    x2, c1, work = np.empty(CHUNK), np.empty(CHUNK), np.empty((2, CHUNK))
    row = np.int64(0)
    total = start[start.size - 1]
    for first in range(0, total, CHUNK):
        n = min(CHUNK, total - first)
        next_row = gather(reference, displacement, start, owner, index, inverse_length2, row, first, n, vector, x2)
        scalars(C1, first, n, inverse_length2, scale, table, x2, work, c1)
        scatter(start, owner, index, row, first, n, vector, c1, out)
        row = next_row


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _sums(reference, displacement, start, owner, index, inverse_length2, scale, table, out, sums, energy, virial):
    """Forces, and sums = (energy, sum of phi'^2, pairs, virial d*d); per particle too where the arrays are not empty."""
    dimension = reference.shape[1]
    n_owned = start.size - 1
    vector = np.empty((dimension, CHUNK))
    x2, c1, phi, weight, work = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK), np.empty((2, CHUNK))
    cutoff2 = table.edges[table.edges.size - 1]
    row = np.int64(0)
    total = start[n_owned]
    for first in range(0, total, CHUNK):
        n = min(CHUNK, total - first)
        next_row = gather(reference, displacement, start, owner, index, inverse_length2, row, first, n, vector, x2)
        scalars(C1, first, n, inverse_length2, scale, table, x2, work, c1)
        scalars(C0, first, n, inverse_length2, scale, table, x2, work, phi)
        scatter(start, owner, index, row, first, n, vector, c1, out)
        total_energy = square = count = 0.0
        begin, own = np.uint64(first), np.uint32(n_owned)
        for k in range(np.uint64(n)):
            w = 1.0 if index[begin + k] < own else 0.5
            weight[k] = w
            total_energy += w * phi[k]
            square += w * c1[k] * c1[k] * x2[k] / inverse_length2[begin + k]
            count += w if x2[k] < cutoff2 else 0.0
        sums[0] += total_energy
        sums[1] += square
        sums[2] += count
        for a in range(dimension):
            for b in range(dimension):
                value = 0.0
                for k in range(n):
                    value += weight[k] * c1[k] * vector[a, k] * vector[b, k]
                sums[3 + a * dimension + b] += value
        if energy.size:
            _share(start, index, row, first, n, vector, c1, phi, energy, virial)
        row = next_row


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _share(start, index, row, first, n, vector, c1, phi, energy, virial):
    """Half of each pair's energy and virial to either partner."""
    dimension = virial.shape[1]
    for k in range(n):
        while start[row + 1] <= first + k:
            row += 1
        j = index[first + k]
        energy[row] += 0.5 * phi[k]
        energy[j] += 0.5 * phi[k]
        for a in range(dimension):
            for b in range(dimension):
                half = 0.5 * c1[k] * vector[a, k] * vector[b, k]
                virial[row, a, b] += half
                virial[j, a, b] += half

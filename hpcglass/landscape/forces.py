"""Energy, forces and stress of a configuration, in total and per particle.

    F_i = sum_j c_1(r_ij) x_ij,      sigma = (1/V) sum_pairs c_1 x x^T,      c_1 = phi'/r,   x_ij = x_j - x_i,

tension positive, pressure P = -tr(sigma)/d. Pairs are evaluated in chunks of a few hundred: gather, scalars, scatter, each a
loop of its own over buffers in the first-level cache, so that all but the scatter run in SIMD registers. Half lists, no reverse
communication: pairs with a ghost are evaluated by both owners, and count half in sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.pairs import CHUNK, KEEP_NAN, pair_scalar
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


def forces(system: System, exact: bool = True) -> Floats:
    """(n_owned, d) forces; the system must be up to date (`system.update()`). Not collective.

    exact : form pair vectors from references and displacements, without the box size's round-off. Without it
        positions are rounded to one number first: a quarter faster, with an error of about 1e-16 L times the stiffness.
    """
    out = np.zeros((system.n_all, system.dimension))
    reference, displacement, *rest = _lists(system)
    if exact:
        _forces(reference, displacement, *rest, out)
    else:
        _forces(reference + displacement, None, *rest, out)
    return out[: system.n_owned]


def _lists(system: System) -> tuple[Any, ...]:
    pairs = system.pairs
    return (system.reference, system.displacement, pairs.start, pairs.index, pairs.inverse_length2, pairs.energy, system.table)


def evaluate(system: System) -> Mechanics:
    """Forces, energy and stress of a system that is up to date. Collective."""
    out = np.zeros((system.n_all, system.dimension))
    sums = np.zeros(3 + system.dimension**2)
    _sums(*_lists(system), out, sums, np.zeros(0), np.zeros((0, 0, 0)))
    sums = ranks.total(system.comm, sums)
    stress = sums[3:].reshape(system.dimension, system.dimension) / system.volume
    scale = float(np.sqrt(sums[1] / sums[2])) if sums[2] else 0.0
    return Mechanics(out[: system.n_owned], float(sums[0]), stress, scale, round(float(sums[2])))


def per_particle(system: System) -> tuple[Floats, Floats]:
    """Energies (n_owned,) and virials (n_owned, d, d), half of each pair's to either partner.

    sum_i e_i = U and sum_i w_i = V sigma. Not collective.
    """
    out = np.zeros((system.n_all, system.dimension))
    energy = np.zeros(system.n_all)
    virial = np.zeros((system.n_all, system.dimension, system.dimension))
    _sums(*_lists(system), out, np.zeros(3 + system.dimension**2), energy, virial)
    return energy[: system.n_owned], virial[: system.n_owned]


def largest_force(system: System, values: Floats) -> float:
    """max_i |F_i| over all particles of all ranks. Collective."""
    here = float(np.einsum("ic,ic->i", values, values).max()) if len(values) else 0.0
    return float(np.sqrt(ranks.largest(system.comm, here)))


class Chunk(NamedTuple):
    """Buffers for a few hundred interacting pairs; a segment is a run of pairs with one owner.

    x2 : squared reduced distances; entry : place in the list; owner, end : owner of each segment, first pair after it;
    c1, phi, work : results
    """

    x2: Floats
    entry: NDArray[np.int64]
    owner: NDArray[np.int64]
    end: NDArray[np.int64]
    c1: Floats
    phi: Floats
    work: Floats


@numba.njit(cache=True)
def _new_chunk():
    return Chunk(np.empty(CHUNK), np.empty(CHUNK, np.int64), np.empty(CHUNK, np.int64), np.empty(CHUNK, np.int64),
                 np.empty(CHUNK), np.empty(CHUNK), np.empty((3, CHUNK)))


@numba.njit(cache=True, inline="always")
def _difference(reference, displacement, j, c, x, u):
    """Component c of the vector to particle j from reference x and displacement u (None: references are positions)."""
    if displacement is None:
        return reference[j, c] - x
    return (reference[j, c] - x) + (displacement[j, c] - u)


@numba.njit(cache=True, inline="always")
def _start(reference, displacement, i, c):
    """(x, u) of component c of particle i."""
    if displacement is None:
        return reference[i, c], 0.0
    return reference[i, c], displacement[i, c]


@numba.njit(cache=True, fastmath=KEEP_NAN)
def _gather(reference, displacement, start, index, inverse_length2, cutoff2, row, first, n, chunk):
    """Find the interacting pairs among entries first .. first+n of the list; `row` owns the first entry.

    A pair beyond its cut-off is overwritten by the next one, so that no branch depends on a distance. Returns
    (pairs kept, segments, owner of the last entry).
    """
    x2, entry, owner, end = chunk.x2, chunk.entry, chunk.owner, chunk.end
    flat = reference.shape[1] == 2
    last = first + n
    p = first
    kept = segments = 0
    while p < last:
        while start[row + 1] <= p:
            row += 1
        stop = min(start[row + 1], last)
        x, ux = _start(reference, displacement, row, 0)
        y, uy = _start(reference, displacement, row, 1)
        if flat:
            for q in range(p, stop):
                j = index[q]
                dx = _difference(reference, displacement, j, 0, x, ux)
                dy = _difference(reference, displacement, j, 1, y, uy)
                square = (dx * dx + dy * dy) * inverse_length2[q]
                x2[kept], entry[kept] = square, q
                kept += square < cutoff2
        else:
            z, uz = _start(reference, displacement, row, 2)
            for q in range(p, stop):
                j = index[q]
                dx = _difference(reference, displacement, j, 0, x, ux)
                dy = _difference(reference, displacement, j, 1, y, uy)
                dz = _difference(reference, displacement, j, 2, z, uz)
                square = (dx * dx + dy * dy + dz * dz) * inverse_length2[q]
                x2[kept], entry[kept] = square, q
                kept += square < cutoff2
        owner[segments], end[segments] = row, kept
        segments += 1
        p = stop
    return kept, segments, row


@numba.njit(cache=True, fastmath=KEEP_NAN)
def _scalars(order, n, inverse_length2, scale, table, chunk, out):
    """out[:n] = c_order of the pairs of the chunk."""
    entry = chunk.entry
    pair_scalar(table, order, n, chunk.x2, chunk.work, out)
    for _ in range(order):
        for k in range(n):
            out[k] *= inverse_length2[entry[k]]
    if scale.size:
        for k in range(n):
            out[k] *= scale[entry[k]]


@numba.njit(cache=True, fastmath=KEEP_NAN)
def _scatter(reference, displacement, index, segments, chunk, out):
    """F_i += c1 x_ij, F_j -= c1 x_ij. Pair vectors are formed again: cheaper than keeping them."""
    entry, c1, owner, end = chunk.entry, chunk.c1, chunk.owner, chunk.end
    flat = out.shape[1] == 2
    begin = 0
    for segment in range(segments):
        row, stop = owner[segment], end[segment]
        x, ux = _start(reference, displacement, row, 0)
        y, uy = _start(reference, displacement, row, 1)
        fx = fy = fz = 0.0
        if flat:
            for k in range(begin, stop):
                j = index[entry[k]]
                gx = c1[k] * _difference(reference, displacement, j, 0, x, ux)
                gy = c1[k] * _difference(reference, displacement, j, 1, y, uy)
                fx += gx
                fy += gy
                out[j, 0] -= gx
                out[j, 1] -= gy
        else:
            z, uz = _start(reference, displacement, row, 2)
            for k in range(begin, stop):
                j = index[entry[k]]
                gx = c1[k] * _difference(reference, displacement, j, 0, x, ux)
                gy = c1[k] * _difference(reference, displacement, j, 1, y, uy)
                gz = c1[k] * _difference(reference, displacement, j, 2, z, uz)
                fx += gx
                fy += gy
                fz += gz
                out[j, 0] -= gx
                out[j, 1] -= gy
                out[j, 2] -= gz
            out[row, 2] += fz
        out[row, 0] += fx
        out[row, 1] += fy
        begin = stop


@numba.njit(cache=True, fastmath=KEEP_NAN)
def _forces(reference, displacement, start, index, inverse_length2, scale, table, out):
    """Forces alone: what minimisers and dynamics call most."""
    chunk = _new_chunk()
    cutoff2 = table.edges[table.edges.size - 1]
    row = 0
    total = start[start.size - 1]
    for first in range(0, total, CHUNK):
        n, segments, row = _gather(reference, displacement, start, index, inverse_length2, cutoff2, row, first,
                                   min(CHUNK, total - first), chunk)
        _scalars(1, n, inverse_length2, scale, table, chunk, chunk.c1)
        _scatter(reference, displacement, index, segments, chunk, out)


@numba.njit(cache=True, fastmath=KEEP_NAN)
def _sums(reference, displacement, start, index, inverse_length2, scale, table, out, sums, energy, virial):
    """Forces, and sums = (energy, sum of phi'^2, pairs, virial d*d); per particle too where the arrays are not empty."""
    dimension = reference.shape[1]
    n_owned = start.size - 1
    chunk = _new_chunk()
    vector = np.empty(dimension)
    cutoff2 = table.edges[table.edges.size - 1]
    row = 0
    total = start[n_owned]
    for first in range(0, total, CHUNK):
        n, segments, row = _gather(reference, displacement, start, index, inverse_length2, cutoff2, row, first,
                                   min(CHUNK, total - first), chunk)
        _scalars(1, n, inverse_length2, scale, table, chunk, chunk.c1)
        _scalars(0, n, inverse_length2, scale, table, chunk, chunk.phi)
        _scatter(reference, displacement, index, segments, chunk, out)
        begin = 0
        for segment in range(segments):
            i = chunk.owner[segment]
            for k in range(begin, chunk.end[segment]):
                j = index[chunk.entry[k]]
                c1, phi = chunk.c1[k], chunk.phi[k]
                weight = 1.0 if j < n_owned else 0.5
                sums[0] += weight * phi
                sums[1] += weight * c1 * c1 * chunk.x2[k] / inverse_length2[chunk.entry[k]]
                sums[2] += weight
                for a in range(dimension):
                    x, u = _start(reference, displacement, i, a)
                    vector[a] = _difference(reference, displacement, j, a, x, u)
                for a in range(dimension):
                    for b in range(dimension):
                        sums[3 + a * dimension + b] += weight * c1 * vector[a] * vector[b]
                if energy.size:      # half of the pair's energy and virial to either partner
                    energy[i] += 0.5 * phi
                    energy[j] += 0.5 * phi
                    for a in range(dimension):
                        for b in range(dimension):
                            virial[i, a, b] += 0.5 * c1 * vector[a] * vector[b]
                            virial[j, a, b] += 0.5 * c1 * vector[a] * vector[b]
            begin = chunk.end[segment]

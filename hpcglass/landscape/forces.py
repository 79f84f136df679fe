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


def forces(system: System) -> Floats:
    """(n_owned, d) forces; the system must be up to date (`system.update()`). Not collective."""
    out = np.zeros((system.n_all, system.dimension))
    _forces(*_lists(system), out)
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

    vector : (d, CHUNK) pair vectors; x2 : squared reduced distances; entry, partner : place in the list, second particle;
    segment_owner, segment_end : owner of each segment, first pair after it; c1, phi, work : results
    """

    vector: Floats
    x2: Floats
    entry: NDArray[np.int64]
    partner: NDArray[np.uint32]
    segment_owner: NDArray[np.int64]
    segment_end: NDArray[np.int64]
    c1: Floats
    phi: Floats
    work: Floats


@numba.njit(cache=True)
def _new_chunk(dimension):
    return Chunk(np.empty((dimension, CHUNK)), np.empty(CHUNK), np.empty(CHUNK, np.int64), np.empty(CHUNK, np.uint32),
                 np.empty(CHUNK, np.int64), np.empty(CHUNK, np.int64), np.empty(CHUNK), np.empty(CHUNK), np.empty((3, CHUNK)))


@numba.njit(cache=True, fastmath=KEEP_NAN)
def _gather(reference, displacement, start, index, inverse_length2, cutoff2, row, first, n, chunk):
    """Fill the chunk with the interacting pairs among entries first .. first+n of the list; `row` owns the first entry.

    A pair beyond its cut-off is overwritten by the next one, so that no branch depends on a distance. Returns
    (pairs kept, segments, owner of the last entry).
    """
    vector, x2, entry, partner = chunk.vector, chunk.x2, chunk.entry, chunk.partner
    segment_owner, segment_end = chunk.segment_owner, chunk.segment_end
    flat = reference.shape[1] == 2
    last = first + n
    p = first
    kept = segments = 0
    while p < last:
        while start[row + 1] <= p:
            row += 1
        stop = min(start[row + 1], last)
        x, y, ux, uy = reference[row, 0], reference[row, 1], displacement[row, 0], displacement[row, 1]
        if flat:
            for q in range(p, stop):
                j = index[q]
                dx = (reference[j, 0] - x) + (displacement[j, 0] - ux)
                dy = (reference[j, 1] - y) + (displacement[j, 1] - uy)
                square = (dx * dx + dy * dy) * inverse_length2[q]
                vector[0, kept], vector[1, kept] = dx, dy
                x2[kept], entry[kept], partner[kept] = square, q, j
                kept += square < cutoff2
        else:
            z, uz = reference[row, 2], displacement[row, 2]
            for q in range(p, stop):
                j = index[q]
                dx = (reference[j, 0] - x) + (displacement[j, 0] - ux)
                dy = (reference[j, 1] - y) + (displacement[j, 1] - uy)
                dz = (reference[j, 2] - z) + (displacement[j, 2] - uz)
                square = (dx * dx + dy * dy + dz * dz) * inverse_length2[q]
                vector[0, kept], vector[1, kept], vector[2, kept] = dx, dy, dz
                x2[kept], entry[kept], partner[kept] = square, q, j
                kept += square < cutoff2
        segment_owner[segments], segment_end[segments] = row, kept
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
def _scatter(segments, chunk, out):
    """F_i += c1 x_ij, F_j -= c1 x_ij."""
    vector, c1, partner, segment_owner, segment_end = chunk.vector, chunk.c1, chunk.partner, chunk.segment_owner, chunk.segment_end
    flat = out.shape[1] == 2
    begin = 0
    for segment in range(segments):
        row, end = segment_owner[segment], segment_end[segment]
        x = y = z = 0.0
        if flat:
            for k in range(begin, end):
                j = partner[k]
                fx, fy = c1[k] * vector[0, k], c1[k] * vector[1, k]
                x += fx
                y += fy
                out[j, 0] -= fx
                out[j, 1] -= fy
        else:
            for k in range(begin, end):
                j = partner[k]
                fx, fy, fz = c1[k] * vector[0, k], c1[k] * vector[1, k], c1[k] * vector[2, k]
                x += fx
                y += fy
                z += fz
                out[j, 0] -= fx
                out[j, 1] -= fy
                out[j, 2] -= fz
            out[row, 2] += z
        out[row, 0] += x
        out[row, 1] += y
        begin = end


@numba.njit(cache=True, fastmath=KEEP_NAN)
def _forces(reference, displacement, start, index, inverse_length2, scale, table, out):
    """Forces alone: what minimisers and dynamics call most."""
    chunk = _new_chunk(reference.shape[1])
    cutoff2 = table.edges[table.edges.size - 1]
    row = 0
    total = start[start.size - 1]
    for first in range(0, total, CHUNK):
        n, segments, row = _gather(reference, displacement, start, index, inverse_length2, cutoff2, row, first,
                                   min(CHUNK, total - first), chunk)
        _scalars(1, n, inverse_length2, scale, table, chunk, chunk.c1)
        _scatter(segments, chunk, out)


@numba.njit(cache=True, fastmath=KEEP_NAN)
def _sums(reference, displacement, start, index, inverse_length2, scale, table, out, sums, energy, virial):
    """Forces, and sums = (energy, sum of phi'^2, pairs, virial d*d); per particle too where the arrays are not empty."""
    dimension = reference.shape[1]
    n_owned = start.size - 1
    chunk = _new_chunk(dimension)
    vector, x2, c1, phi, weight = chunk.vector, chunk.x2, chunk.c1, chunk.phi, np.empty(CHUNK)
    cutoff2 = table.edges[table.edges.size - 1]
    row = 0
    total = start[n_owned]
    for first in range(0, total, CHUNK):
        n, segments, row = _gather(reference, displacement, start, index, inverse_length2, cutoff2, row, first,
                                   min(CHUNK, total - first), chunk)
        _scalars(1, n, inverse_length2, scale, table, chunk, c1)
        _scalars(0, n, inverse_length2, scale, table, chunk, phi)
        _scatter(segments, chunk, out)
        for k in range(n):
            weight[k] = 1.0 if chunk.partner[k] < n_owned else 0.5
            sums[0] += weight[k] * phi[k]
            sums[1] += weight[k] * c1[k] * c1[k] * x2[k] / inverse_length2[chunk.entry[k]]
            sums[2] += weight[k]
        for a in range(dimension):
            for b in range(dimension):
                value = 0.0
                for k in range(n):
                    value += weight[k] * c1[k] * vector[a, k] * vector[b, k]
                sums[3 + a * dimension + b] += value
        if energy.size:
            _share(segments, chunk, energy, virial)


@numba.njit(cache=True, fastmath=KEEP_NAN)
def _share(segments, chunk, energy, virial):
    """Half of each pair's energy and virial to either partner."""
    dimension = virial.shape[1]
    begin = 0
    for segment in range(segments):
        i, end = chunk.segment_owner[segment], chunk.segment_end[segment]
        for k in range(begin, end):
            j = chunk.partner[k]
            energy[i] += 0.5 * chunk.phi[k]
            energy[j] += 0.5 * chunk.phi[k]
            for a in range(dimension):
                for b in range(dimension):
                    half = 0.5 * chunk.c1[k] * chunk.vector[a, k] * chunk.vector[b, k]
                    virial[i, a, b] += half
                    virial[j, a, b] += half
        begin = end

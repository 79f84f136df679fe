"""A disc of free particles (3D: a ball) in surroundings that are held: pairs, forces, Hessian.

All pairs with at least one free particle count, with weight 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.cavity.skyline import FAST, layout
from hpcglass.core.pairs import pair_length, pair_scalar

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SKIN = 0.35         # of the pair list [length]


class Patch(NamedTuple):
    """Particles of one patch, free ones first, in the order of their first coordinate.

    n_free : number of free particles
    rows : (n,) their rows in the sample
    y : (n, d) positions relative to the centre, unstrained [length]
    diameter, species : (n,)
    """

    n_free: int
    rows: Ints
    y: Floats
    diameter: Floats
    species: NDArray[np.int32]


class Work(NamedTuple):
    """Memory of one patch at work, used again for the next one (P pairs, n_free free particles).

    first, second : (P,) the pairs of the list, first free
    inverse_length2, scale : (P,) 1/lambda_ij^2 and eps_ij
    vector : (d, P) v; x2, c1, c2, along : (P,) reduced square distance, pair scalars, room for another; buffer : (2, P)
    begin : (n_free,) first block of each block row; offset, inverse : (n_free d,), matrix : the skyline
    force : (n_free d,) -dU/dx
    counts : (4,) passes over the pairs, factorisations, solves, lists made
    """

    first: Ints
    second: Ints
    inverse_length2: Floats
    scale: Floats
    vector: Floats
    x2: Floats
    c1: Floats
    c2: Floats
    along: Floats
    buffer: Floats
    begin: Ints
    offset: Ints
    matrix: Floats
    inverse: Floats
    force: Floats
    counts: Ints


def work(d: int, particles: int = 512, pairs: int = 8192, band: int | None = None) -> Work:
    """Memory for patches of up to so many free particles and pairs, whose blocks reach so far to the left in the mean."""
    size, flat = (pairs,), (particles * d,)
    entries = (particles * d) ** 2 // 2 + particles * d if band is None else particles * band * d * d
    return Work(
        first=np.empty(size, np.int64), second=np.empty(size, np.int64), inverse_length2=np.empty(size), scale=np.empty(size),
        vector=np.empty((d, pairs)), x2=np.empty(size), c1=np.empty(size), c2=np.empty(size), along=np.empty(size),
        buffer=np.empty((2, pairs)), begin=np.empty(particles, np.int64), offset=np.empty(flat, np.int64),
        matrix=np.empty(entries), inverse=np.empty(flat), force=np.empty(flat), counts=np.zeros(4, np.int64))


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def make_list(table, n_free, y, diameter, species, cutoff, skin, memory):
    """Pairs with a free particle that are closer than their range plus the skin, and the skyline; their number, -1: no room."""
    d = y.shape[1]
    lengths, by_species, nonadditivity, energies = table.length, table.by_species, table.nonadditivity, table.energy
    memory.counts[3] += 1
    count = 0
    longest = 0.0
    for i in range(y.shape[0]):
        longest = max(longest, diameter[i])
    if by_species:
        longest = lengths.max()
    far2 = (cutoff * longest + skin) ** 2
    for i in range(n_free):
        memory.begin[i] = i
        for j in range(i + 1, y.shape[0]):
            square = 0.0
            for a in range(d):
                square += (y[j, a] - y[i, a]) ** 2
            if square >= far2:
                continue
            length = pair_length(by_species, lengths, nonadditivity, diameter, species, i, j)
            if square >= (cutoff * length + skin) ** 2:
                continue
            if count == memory.first.size:
                return -1
            memory.first[count], memory.second[count] = i, j
            memory.inverse_length2[count] = 1.0 / (length * length)
            value = energies[species[i], species[j]] if by_species else 1.0
            for _ in range(table.energy_power):
                value *= length
            memory.scale[count] = value
            count += 1
    for p in range(count):
        i, j = memory.first[p], memory.second[p]
        if j < n_free:
            memory.begin[j] = min(memory.begin[j], i)
    if layout(memory.begin[:n_free], d, memory.offset) > memory.matrix.size:
        return -1
    return count


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def evaluate(table, n_free, y, pairs, memory, second):
    """Pair vectors, forces on free particles; with `second` also c_2. Returns the largest force."""
    d = y.shape[1]
    memory.counts[0] += 1
    vector, x2, c1, c2, force = memory.vector, memory.x2, memory.c1, memory.c2, memory.force
    for p in range(pairs):
        i, j = memory.first[p], memory.second[p]
        square = 0.0
        for a in range(d):
            vector[a, p] = y[j, a] - y[i, a]
            square += vector[a, p] ** 2
        x2[p] = square * memory.inverse_length2[p]
    pair_scalar(table, 1, pairs, x2, memory.buffer, c1)
    for p in range(pairs):
        c1[p] *= memory.inverse_length2[p] * memory.scale[p]
    if second:
        pair_scalar(table, 2, pairs, x2, memory.buffer, c2)
        for p in range(pairs):
            c2[p] *= memory.inverse_length2[p] ** 2 * memory.scale[p]
    for k in range(n_free * d):
        force[k] = 0.0
    for p in range(pairs):
        i, j = memory.first[p], memory.second[p]
        free = j < n_free
        for a in range(d):
            value = c1[p] * vector[a, p]
            force[i * d + a] += value
            if free:
                force[j * d + a] -= value
    largest = 0.0
    for i in range(n_free):
        square = 0.0
        for a in range(d):
            square += force[i * d + a] ** 2
        largest = max(largest, square)
    return np.sqrt(largest)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def assemble(n_free, d, pairs, memory):
    """The Hessian with respect to the x of free particles, from the c_1, c_2 and vectors of the last evaluation."""
    matrix, offset = memory.matrix, memory.offset
    size = offset[n_free * d - 1] + n_free * d if n_free else 0
    for k in range(size):
        matrix[k] = 0.0
    for p in range(pairs):
        i, j = memory.first[p], memory.second[p]
        free = j < n_free
        for a in range(d):
            for b in range(d):
                value = memory.c2[p] * memory.vector[a, p] * memory.vector[b, p]
                if a == b:
                    value += memory.c1[p]
                matrix[offset[i * d + a] + i * d + b] += value
                if free:
                    matrix[offset[j * d + a] + j * d + b] += value
                    matrix[offset[j * d + a] + i * d + b] -= value


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def product(n_free, d, pairs, memory, x, out):
    """out = H x, from the pairs of the last evaluation."""
    for k in range(n_free * d):
        out[k] = 0.0
    for p in range(pairs):
        i, j = memory.first[p], memory.second[p]
        free = j < n_free
        turned = 0.0
        for a in range(d):
            turned += memory.vector[a, p] * (x[i * d + a] - (x[j * d + a] if free else 0.0))
        for a in range(d):
            value = memory.c2[p] * turned * memory.vector[a, p]
            value += memory.c1[p] * (x[i * d + a] - (x[j * d + a] if free else 0.0))
            out[i * d + a] += value
            if free:
                out[j * d + a] -= value

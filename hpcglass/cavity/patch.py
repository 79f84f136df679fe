"""A patch: free particles within a disc (3D: a ball), and around them a shell that only follows the affine strain.

With x(gamma) = exp(A gamma) y, the shell's y never change, and the free ones' are what a quasistatic path moves. All pairs with
at least one free particle count, with weight 1: then the stress

    sigma = (1/V_c) sum over these pairs of c_1 v.(A v),      v = exp(A gamma) (y_j - y_i),

is conjugate to gamma, (1/V_c) dU/d gamma, as the forces on free particles vanish. V_c is the share of the sample's volume that
these pairs are of all pairs, at gamma = 0: their pressure and modulus are then those of the bulk in the mean.

A softer matrix (`soft.py`) is free particles beyond the disc, tied to where the affine strain takes them. A tie is one more pair,
with a frozen point and c_1 = k, so that nothing here needs to know of it but the two scalars.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.cavity.skyline import FAST
from hpcglass.core.pairs import C1, C2, pair_scalar

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = NDArray[np.uint32]

AXES: dict[int, tuple[int, ...]] = {2: (0, 1), 3: (0, 1, 2)}    # its length is known to the compiler, which unrolls loops over it
HOLD = 1e-9         # of the diagonal, added to it: holds what nothing holds, and leaves Newton's limit as it is


class Patch(NamedTuple):
    """Particles of one patch: free ones, then those of the shell, both in the order of their first coordinate.

    n_free : number of free particles
    core : (n_free,) whether it is within the disc whose stress is measured; all are, but in a soft matrix
    y : (n, d) positions relative to the centre, unstrained [length]; after the shell, the points of the ties
    diameter, species : (n,)
    tied : (t,) free particles that are tied to points; the points are the last t rows of y
    stiffness : k of the ties [energy/length^2]
    """

    n_free: int
    core: NDArray[np.bool_]
    y: Floats
    diameter: Floats
    species: NDArray[np.int32]
    tied: Ints
    stiffness: float


class Work(NamedTuple):
    """Memory of one patch at work, used again for the next one (P pairs, n_free free particles).

    first, second : (P,) the pairs of the list, first free
    inverse_length2, scale : (P,) 1/lambda_ij^2 and eps_ij
    candidate_first, candidate_second, reach : (C,) pairs from which lists are made, and their range [length]
    vector, turned : (P, d) v and A v; x2, along : (P,) reduced square distance, v.(A v); c : (5, P) pair scalars, c[0] unused
    buffer : (2, P)
    begin : (n_free,) first block of each block row; offset, inverse : (n_free d,), matrix : the skyline
    force, shear : (n_free, d) -dU/dx, and d(dU/dx)/dgamma under the affine motion
    counts : (4,) passes over the pairs, factorisations, solves, lists made
    """

    first: Rows
    second: Rows
    inverse_length2: Floats
    scale: Floats
    candidate_first: Rows
    candidate_second: Rows
    reach: Floats
    vector: Floats
    turned: Floats
    x2: Floats
    along: Floats
    c: Floats
    buffer: Floats
    begin: Ints
    offset: Ints
    matrix: Floats
    inverse: Floats
    force: Floats
    shear: Floats
    counts: Ints


def work(d: int, particles: int = 256, pairs: int = 4096, entries: int = 0) -> Work:
    """Memory for patches of up to so many free particles, candidates, and entries of the matrix (0: those of a full one)."""
    size, flat = (pairs,), (particles * d,)
    return Work(
        first=np.empty(size, np.uint32), second=np.empty(size, np.uint32), inverse_length2=np.empty(size), scale=np.empty(size),
        candidate_first=np.empty(size, np.uint32), candidate_second=np.empty(size, np.uint32), reach=np.empty(size),
        vector=np.empty((pairs, d)), turned=np.empty((pairs, d)), x2=np.empty(size), along=np.empty(size), c=np.empty((5, pairs)),
        buffer=np.empty((2, pairs)), begin=np.empty(particles, np.int64), offset=np.empty(flat, np.int64),
        matrix=np.empty(entries or (particles * d) ** 2 // 2 + particles * d), inverse=np.empty(flat),
        force=np.empty((particles, d)), shear=np.empty((particles, d)), counts=np.zeros(4, np.int64))


def enlarged(memory: Work, particles: int) -> Work:
    """Memory for at least so many free particles, and twice as many pairs as before; what was counted stays."""
    most = max(particles, len(memory.begin))
    return work(memory.vector.shape[1], most, 2 * len(memory.first))._replace(counts=memory.counts)


@numba.njit(cache=True)
def stretch(axes, turn, rates, strain, forward, back):
    """exp(A gamma) and its inverse, A = turn diag(rates) turn^T."""
    for a in range(len(axes)):
        for b in range(len(axes)):
            forward[a, b] = back[a, b] = 0.0
            for k in range(len(axes)):
                factor = np.exp(rates[k] * strain)
                forward[a, b] += turn[a, k] * factor * turn[b, k]
                back[a, b] += turn[a, k] / factor * turn[b, k]


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def evaluate(axes, table, n_free, y, stiffness, ties, forward, rate, pairs, second, memory):
    """Pair vectors, forces on free particles; with `second` also c_2 and the shear force. (Largest |F|^2, V sigma, V Born).

    The last `ties` of the pairs are ties.
    """
    d = len(axes)
    memory.counts[0] += 1
    first, other, vector, x2, along, c = memory.first, memory.second, memory.vector, memory.x2, memory.along, memory.c
    force, shear, turned, inverse_length2 = memory.force, memory.shear, memory.turned, memory.inverse_length2
    for p in range(pairs):
        i, j = first[p], other[p]
        square = 0.0
        for a in range(d):
            value = 0.0
            for b in range(d):
                value += forward[a, b] * (y[j, b] - y[i, b])
            vector[p, a] = value
            square += value * value
        x2[p] = square * inverse_length2[p]
        inner = 0.0
        for a in range(d):
            value = 0.0
            for b in range(d):
                value += rate[a, b] * vector[p, b]
            turned[p, a] = value
            inner += vector[p, a] * value
        along[p] = inner
    scalars(table, C1, pairs, stiffness, ties, memory)
    for i in range(n_free):
        for a in range(d):
            force[i, a] = 0.0
    stress = born = 0.0
    for p in range(pairs):
        i, j = first[p], other[p]
        c1 = c[1, p]
        stress += c1 * along[p]
        free = j < n_free
        for a in range(d):
            value = c1 * vector[p, a]
            force[i, a] += value
            if free:
                force[j, a] -= value
    if second:
        scalars(table, C2, pairs, 0.0, ties, memory)
        for i in range(n_free):
            for a in range(d):
                shear[i, a] = 0.0
        for p in range(pairs):
            i, j = first[p], other[p]
            c1, inner = c[1, p], c[2, p] * along[p]
            free = j < n_free
            square = 0.0
            for a in range(d):
                value = inner * vector[p, a] + c1 * turned[p, a]
                square += turned[p, a] * turned[p, a]
                shear[i, a] -= value
                if free:
                    shear[j, a] += value
            born += inner * along[p] + 2.0 * c1 * square        # v.(A A v) = |A v|^2 for a symmetric A
    largest = 0.0
    for i in range(n_free):
        square = 0.0
        for a in range(d):
            square += force[i, a] ** 2
        largest = max(largest, square)
    return largest, stress, born


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def scalars(table, order, pairs, stiffness, ties, memory):
    """c[order] of the listed pairs from their x2; that of ties is given."""
    out, inverse_length2, scale = memory.c[order], memory.inverse_length2, memory.scale
    pair_scalar(table, order, pairs, memory.x2, memory.buffer, out)
    if order == 1:
        for p in range(pairs):
            out[p] *= inverse_length2[p] * scale[p]
    elif order == 2:
        for p in range(pairs):
            out[p] *= inverse_length2[p] * inverse_length2[p] * scale[p]
    else:
        for p in range(pairs):
            out[p] *= inverse_length2[p] ** order * scale[p]
    for p in range(pairs - ties, pairs):
        out[p] = stiffness


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def assemble(axes, n_free, pairs, memory):
    """The Hessian with respect to the x of free particles, from the c_1, c_2 and vectors of the last evaluation.

    A particle that nothing touches is held by a spring of 1.
    """
    d = len(axes)
    matrix, offset, first, other, vector, c = memory.matrix, memory.offset, memory.first, memory.second, memory.vector, memory.c
    size = offset[n_free * d - 1] + n_free * d if n_free else 0
    for k in range(size):
        matrix[k] = 0.0
    for p in range(pairs):
        i, j = first[p], other[p]
        if c[1, p] == 0.0 and c[2, p] == 0.0:
            continue
        free = j < n_free
        row, column = np.int64(i) * d, np.int64(j) * d
        for a in range(d):
            for b in range(d):
                value = c[2, p] * vector[p, a] * vector[p, b]
                if a == b:
                    value += c[1, p]
                if b <= a:
                    matrix[offset[row + a] + row + b] += value
                    if free:
                        matrix[offset[column + a] + column + b] += value
                if free:
                    matrix[offset[column + a] + row + b] -= value
    for k in range(n_free * d):
        place = offset[k] + k
        matrix[place] = 1.0 if matrix[place] == 0.0 else matrix[place] * (1.0 + HOLD)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def product(axes, n_free, pairs, memory, x, out):
    """out = H x, from the pairs of the last evaluation; both (n_free, d)."""
    d = len(axes)
    first, other, vector, c = memory.first, memory.second, memory.vector, memory.c
    for i in range(n_free):
        for a in range(d):
            out[i, a] = 0.0
    for p in range(pairs):
        i, j = first[p], other[p]
        free = j < n_free
        inner = 0.0
        if free:
            for a in range(d):
                inner += vector[p, a] * (x[i, a] - x[j, a])
        else:
            for a in range(d):
                inner += vector[p, a] * x[i, a]
        inner *= c[2, p]
        for a in range(d):
            value = inner * vector[p, a] + c[1, p] * (x[i, a] - (x[j, a] if free else 0.0))
            out[i, a] += value
            if free:
                out[j, a] -= value

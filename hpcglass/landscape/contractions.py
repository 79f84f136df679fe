"""Derivatives of energy, forces and stress along a path of configurations, to third order, over the pair list.

Each pair vector follows the path x(g) with derivatives

    x_0 = x_ij,    x_n = A x_(n-1) + v_n(j) - v_n(i),    n = 1, 2, 3,

A a velocity gradient, v_n fields of the particles. With s = x.x/2 the pair scalars are c_n = d^n phi / ds^n, so that the chain
rule alone gives every contraction of the derivative tensors with such vectors (D. Richard, "Connecting microscopic and mesoscopic
mechanics in model structural glasses", App. B6-B15, sums up the same terms one tensor after the other):

    s_n   = (1/2) sum_k C(n,k) x_k . x_(n-k)
    phi_1 = c_1 s_1,    phi_2 = c_2 s_1^2 + c_1 s_2,    phi_3 = c_3 s_1^3 + 3 c_2 s_1 s_2 + c_1 s_3
    g_n   = the same of c_1:  g_0 = c_1,  g_1 = c_2 s_1,  g_2 = c_3 s_1^2 + c_2 s_2,  ...
    f_n   = sum_k C(n,k) g_(n-k) x_k         derivatives of the pair force c_1 x
    w_n   = sum_k C(n,k) f_(n-k) x_k^T       derivatives of the pair virial c_1 x x^T

Examples: v_1 = v alone (A = 0) gives H.v, T:vv, M:vvv as gradients of order 1, 2, 3; A alone gives H.(A x) at order 1. The affine
part acts on pair vectors, never on positions, which would not be periodic. Half lists, as in `forces`. Rigid walls, which no
affine map leaves in place, are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.pairs import CHUNK, KEEP_NAN
from hpcglass.core.system import System
from hpcglass.errors import PhysicsError
from hpcglass.landscape.forces import gather, pair_lists, scalars

Floats = NDArray[np.float64]
HIGHEST = 3
_CHOOSE = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 2, 1, 0], [1, 3, 3, 1]], dtype=np.float64)


@dataclass
class Path:
    """Derivatives along a path up to some order n, of all particles together unless it says otherwise.

    gradient : (n_owned, d) n-th derivative of dU/dx, rows of this rank [energy/length]
    energy : (n+1,) derivatives 1..n of U [energy]; entry 0 is zero
    virial : (n+1, d, d) derivatives 0..n of sum_pairs c_1 x x^T [energy]
    """

    gradient: Floats
    energy: Floats
    virial: Floats


@dataclass
class Bonds:
    """Derivatives of the energies of interacting pairs, each pair on one rank.

    rows : (b, 2) int64 rows of the system, the first one owned, the second one perhaps a ghost
    ids : (b, 2) int64 global ids, ids[:, 0] <= ids[:, 1]
    phi : (n, b) derivatives 1..n of phi [energy]
    """

    rows: NDArray[np.int64]
    ids: NDArray[np.int64]
    phi: Floats

    def vectors(self, system: System) -> Floats:
        """(b, d) pair vectors x_j - x_i, from the particle with the lower id (or its image) to the other."""
        first, second = self.rows.T
        swapped = system.id[first] > system.id[second]
        apart = (system.reference[second] - system.reference[first]) + (system.displacement[second] - system.displacement[first])
        return np.where(swapped[:, None], -apart, apart)

    def on_particles(self, system: System, values: Floats) -> Floats:
        """(n_owned,) sums of a value of each pair, (b,), half of it to either partner. Collective."""
        result = np.bincount(self.rows.ravel(), np.repeat(0.5 * values, 2), system.n_all).astype(np.float64)
        system.reverse_add(result)
        return result[: system.n_owned]


def along_path(system: System, gradient: Floats, fields: Sequence[Floats], order: int) -> Path:
    """Derivatives of order 0..`order` <= 3 along the path of `gradient` A (d, d) and `fields` v_1, v_2, ... (n_owned, d).

    Missing fields are zero. The system must be up to date. Collective.
    """
    d = system.dimension
    out, sums = np.zeros((system.n_all, d)), np.zeros((order + 1) * (1 + d * d))
    energy, virial = sums[: order + 1], sums[order + 1:].reshape(order + 1, d, d)
    _accumulate(*pair_lists(system), np.ascontiguousarray(gradient, dtype=np.float64), _with_ghosts(system, fields, order),
                order, out, energy, virial, np.zeros((0, 0)))
    sums = ranks.total(system.comm, sums)
    return Path(out[: system.n_owned], sums[: order + 1], sums[order + 1:].reshape(order + 1, d, d))


def pair_energies(system: System, gradient: Floats, fields: Sequence[Floats]) -> Bonds:
    """Derivatives of each pair's energy along the path; as many orders as there are fields. Collective."""
    order, d = len(fields), system.dimension
    phi = np.zeros((order, system.pairs.index.size))
    _accumulate(*pair_lists(system), np.ascontiguousarray(gradient, dtype=np.float64), _with_ghosts(system, fields, order),
                order, np.zeros((system.n_all, d)), np.zeros(order + 1), np.zeros((order + 1, d, d)), phi)
    entry, rows = _distinct(*pair_lists(system), system.id)
    return Bonds(rows, np.sort(system.id[rows], axis=1), phi[:, entry])


def _with_ghosts(system: System, fields: Sequence[Floats], order: int) -> Floats:
    """(order, n_all, d) fields, ghosts' rows filled, missing ones zero.

    Raises PhysicsError between rigid walls.
    """
    if system.walls is not None:
        raise PhysicsError("derivatives along a strain, and moduli, need a periodic cell: this glass is between rigid walls")
    result = np.zeros((order, system.n_all, system.dimension))
    for target, rows in zip(result, fields, strict=False):
        target[: system.n_owned] = rows
        system.forward(target)
    return result


@numba.njit(cache=True, inline="always")
def _chain(first, second, third, zeroth, s, order, out):
    """out[n] = d^n/dg^n of a function of s whose derivatives by s are zeroth, first, second, third."""
    out[0] = zeroth
    out[1] = first * s[1]
    if order > 1:
        out[2] = second * s[1] * s[1] + first * s[2]
    if order > 2:
        out[3] = third * s[1] * s[1] * s[1] + 3.0 * second * s[1] * s[2] + first * s[3]


@numba.njit(cache=True, inline="always")
def _follow(gradient, fields, i, j, order, x):
    """x[n] of pair i, j for n = 1..order, from x[0]."""
    dimension = gradient.shape[0]
    for n in range(1, order + 1):
        for a in range(dimension):
            value = fields[n - 1, j, a] - fields[n - 1, i, a]
            for b in range(dimension):
                value += gradient[a, b] * x[n - 1, b]
            x[n, a] = value


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _accumulate(reference, displacement, start, owner, index, inverse_length2, scale, table, gradient, fields, order, out, energy,
                virial, phi):
    """Sums over the list; `phi` (order, entries) is filled unless it is empty."""
    dimension, n_owned = reference.shape[1], start.size - 1
    vector, c = np.empty((dimension, CHUNK)), np.zeros((5, CHUNK))
    x2, work = np.empty(CHUNK), np.empty((2, CHUNK))
    x, f = np.zeros((order + 1, dimension)), np.zeros((order + 1, dimension))
    s, g, e = np.zeros(HIGHEST + 1), np.zeros(HIGHEST + 1), np.zeros(HIGHEST + 1)
    cutoff2 = table.edges[table.edges.size - 1]
    row = np.int64(0)
    total = start[n_owned]
    for first in range(0, total, CHUNK):
        size = min(CHUNK, total - first)
        next_row = gather(reference, displacement, start, owner, index, inverse_length2, row, first, size, vector, x2)
        for m in range(1, order + 2):
            scalars(m, first, size, inverse_length2, scale, table, x2, work, c[m])
        for k in range(size):
            while start[row + 1] <= first + k:
                row += 1
            if x2[k] >= cutoff2:
                continue
            j = index[first + k]
            for a in range(dimension):
                x[0, a] = vector[a, k]
            _follow(gradient, fields, row, j, order, x)
            _halves_of_squares(x, order, s)
            _chain(c[1, k], c[2, k], c[3, k], 0.0, s, order, e)
            _chain(c[2, k], c[3, k], c[4, k], c[1, k], s, order, g)
            _products(g, x, order, f)
            for a in range(dimension):
                out[row, a] -= f[order, a]
                out[j, a] += f[order, a]
            weight = 1.0 if j < n_owned else 0.5
            for n in range(order + 1):
                energy[n] += weight * e[n]
            _virials(f, x, order, weight, virial)
            if phi.size:
                for n in range(order):
                    phi[n, first + k] = e[n + 1]
        row = next_row


@numba.njit(cache=True, inline="always")
def _halves_of_squares(x, order, s):
    """s[n] = (1/2) sum_m C(n,m) x_m . x_(n-m)."""
    for n in range(order + 1):
        value = 0.0
        for m in range(n + 1):
            for a in range(x.shape[1]):
                value += _CHOOSE[n, m] * x[m, a] * x[n - m, a]
        s[n] = 0.5 * value


@numba.njit(cache=True, inline="always")
def _products(g, x, order, f):
    """f[n] = sum_m C(n,m) g_(n-m) x_m."""
    for n in range(order + 1):
        for a in range(x.shape[1]):
            value = 0.0
            for m in range(n + 1):
                value += _CHOOSE[n, m] * g[n - m] * x[m, a]
            f[n, a] = value


@numba.njit(cache=True, inline="always")
def _virials(f, x, order, weight, virial):
    """virial[n] += weight sum_m C(n,m) f_(n-m) x_m^T."""
    for n in range(order + 1):
        for m in range(n + 1):
            factor = weight * _CHOOSE[n, m]
            for a in range(x.shape[1]):
                for b in range(x.shape[1]):
                    virial[n, a, b] += factor * f[n - m, a] * x[m, b]


@numba.njit(cache=True)
def _distinct(reference, displacement, start, owner, index, inverse_length2, scale, table, ids):
    """(entries of the list, rows of the two particles) such that each interacting pair occurs once over all ranks.

    A pair with a ghost is listed by both owners: the one with the lower id keeps it. A particle with its own image is listed
    from both sides: the one whose vector's first component that is not zero is positive is kept.
    """
    dimension, n_owned = reference.shape[1], start.size - 1
    cutoff2 = table.edges[table.edges.size - 1]
    entry, pair = np.empty(index.size, dtype=np.int64), np.empty((index.size, 2), dtype=np.int64)
    count = 0
    x = np.empty(dimension)
    for i in range(n_owned):
        for p in range(start[i], start[i + 1]):
            j = index[p]
            square, sign = 0.0, 0.0
            for a in range(dimension):
                x[a] = (reference[j, a] - reference[i, a]) + (displacement[j, a] - displacement[i, a])
                square += x[a] * x[a]
                sign = x[a] if sign == 0.0 else sign
            mine = j < n_owned or ids[i] < ids[j] or (ids[i] == ids[j] and sign > 0.0)
            if mine and square * inverse_length2[p] < cutoff2:
                entry[count] = p
                pair[count, 0], pair[count, 1] = i, j
                count += 1
    return entry[:count].copy(), pair[:count].copy()

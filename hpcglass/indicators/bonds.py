"""Interacting pairs with their pair scalars, and what they contract: the loops that the response indicators share.

With c_n = (1/r d/dr)^n phi and w = v_j - v_i, a pair adds to the gradient, + on j and - on i,

    T:vv      ((c_3 (x.w)^2 + c_2 w.w) x + 2 c_2 (x.w) w          third derivatives of the energy with a field twice
    T:K       (c_3 x.Kx + c_2 tr K) x + 2 c_2 K x                 the same with a covariance K_ij = <(u_j-u_i)(u_j-u_i)^T>
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core.pairs import KEEP_NAN
from hpcglass.core.system import System
from hpcglass.landscape.listed import interacting_pairs
from hpcglass.landscape.rattlers import bonded

Floats = NDArray[np.float64]


@dataclass
class Bonds:
    """Interacting pairs of the owned particles, without those of rattlers; pairs with a ghost are on both ranks.

    rows : (b, 2) rows of the system; the first is owned
    vector : (b, d) x_j - x_i [length]
    c : (4, b) c_0 = phi, c_1 = phi'/r, c_2, c_3
    weight : (b,) 1, or 1/2 for a pair that another rank, or the other side of the cell, has too
    """

    system: System
    rows: NDArray[np.int64]
    vector: Floats
    c: Floats
    weight: Floats

    def second_with_field(self, field: Floats) -> Floats:
        """(n_owned, d) H v of a field (n_owned, d). Collective."""
        w = self.differences(field)
        along = self.c[2] * np.einsum("ba,ba->b", self.vector, w)
        return self.scattered(along[:, None] * self.vector + self.c[1][:, None] * w)

    def third_with_fields(self, fields: Floats) -> Floats:
        """(n_owned, d, k) T:vv of each of the fields (n_owned, d, k). Collective."""
        everywhere = self._with_ghosts(fields)
        out = np.zeros_like(everywhere)
        _third_with_fields(self.rows, self.vector, self.c, self.system.n_owned, everywhere, out)
        return out[: self.system.n_owned]

    def third_squares(self, fields: Floats) -> Floats:
        """(n_owned, k) |T:vv|_i^2 of each of the fields. Collective."""
        return (self.third_with_fields(fields) ** 2).sum(axis=1)

    def third_with_covariance(self, k: Floats) -> Floats:
        """(n_owned, d) T:K, K (b, d, d) of each pair. Not collective."""
        trace = np.einsum("baa->b", k)
        turned = np.einsum("bac,bc->ba", k, self.vector)
        along = np.einsum("ba,ba->b", turned, self.vector)
        force = (self.c[3] * along + self.c[2] * trace)[:, None] * self.vector + 2.0 * self.c[2][:, None] * turned
        return self.scattered(force)

    def scattered(self, force: Floats) -> Floats:
        """(n_owned, d) sums of a vector of each pair, + on its second particle and - on its first. Not collective."""
        n, d = self.system.n_owned, self.system.dimension
        result = np.zeros((n, d))
        first, second = self.rows.T
        here = second < n
        for a in range(d):
            result[:, a] -= np.bincount(first, force[:, a], n)
            result[:, a] += np.bincount(second[here], force[here, a], n)
        return result

    def on_both_ends(self, values: Floats) -> Floats:
        """(n_owned,) sums over the pairs of a particle, the full value on both ends. Not collective."""
        n = self.system.n_owned
        first, second = self.rows.T
        here = second < n
        return np.asarray(np.bincount(first, values, n) + np.bincount(second[here], values[here], n))

    def differences(self, field: Floats) -> Floats:
        """(b, d) v_j - v_i of a field (n_owned, d). Collective."""
        everywhere = self._with_ghosts(field)
        return everywhere[self.rows[:, 1]] - everywhere[self.rows[:, 0]]

    def _with_ghosts(self, rows: Floats) -> Floats:
        result = np.empty((self.system.n_all, *rows.shape[1:]))
        result[: self.system.n_owned] = rows
        self.system.forward(result)
        return result


def interacting(system: System) -> Bonds:
    """The interacting pairs of a system that is up to date. Collective."""
    first, second, vector, c = interacting_pairs(bonded(system), 0, 3)
    weight = np.where(second < system.n_owned, 1.0, 0.5)
    return Bonds(system, np.stack([first, second], axis=1), vector, c, weight)


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _third_with_fields(rows, vector, c, n, fields, out):
    dimension, count = fields.shape[1], fields.shape[2]
    along, square, w = np.empty(count), np.empty(count), np.empty((dimension, count))
    for b in range(rows.shape[0]):
        i, j = rows[b, 0], rows[b, 1]
        along[:], square[:] = 0.0, 0.0
        for a in range(dimension):
            x = vector[b, a]
            for k in range(count):
                difference = fields[j, a, k] - fields[i, a, k]
                w[a, k] = difference
                along[k] += x * difference
                square[k] += difference * difference
        for k in range(count):
            square[k] = c[3, b] * along[k] * along[k] + c[2, b] * square[k]
            along[k] *= 2.0 * c[2, b]
        for a in range(dimension):
            x = vector[b, a]
            for k in range(count):
                force = square[k] * x + along[k] * w[a, k]
                out[i, a, k] -= force
                if j < n:
                    out[j, a, k] += force

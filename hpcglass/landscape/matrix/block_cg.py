"""H x = b for the strains of a glass at once: block conjugate gradients, without PETSc.

The right-hand sides share one Krylov space, in which each is solved better than in its own (D. P. O'Leary, Linear Algebra Appl.
29, 293 (1980)): the six strains of a glass in three dimensions together take fewer iterations than one of them alone. With
L the blocks of H below the diagonal that one rank has, and Q those that couple it to others,

    H = L + diag(H) + L^T + Q,     M = (D + L) D^-1 (D + L^T),     D_i = H_ii - sum_(j<i) L_ij D_j^-1 L_ij^T,

M, an incomplete factorisation that keeps its changes of the diagonal only, preconditions H. It needs no product with H besides
(S. C. Eisenstat, SIAM J. Sci. Stat. Comput. 2, 1 (1981)): with t = (D + L^T)^-1 p,

    (D + L)^-1 H (D + L^T)^-1 p = t + (D + L)^-1 [p + (diag(H) - 2 D) t + Q t],

which is one sweep up the particles and one down. Rows hold d times WIDTH numbers: component a of right-hand side k of a particle
is number a WIDTH + k, so that a block of the matrix, read once, meets as many numbers as fit the vector registers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.look import Look, straight_on
from hpcglass.core.pairs import KEEP_NAN
from hpcglass.core.system import System
from hpcglass.errors import PhysicsError
from hpcglass.landscape.forces import pair_lists
from hpcglass.landscape.matrix.blocks import block_pattern, block_places, fill
from hpcglass.landscape.rattlers import bonded_pairs, select, with_pairs

Floats = NDArray[np.float64]
WIDTH = 8
ITERATIONS = 20_000
ROUNDS = 4              # of iterative refinement
LOOK_EVERY = 10
POSITIVE = 1e-3         # smallest eigenvalue of D_i that is kept, in units of its largest
DEPENDENT = 1e-13       # smallest eigenvalue of a block's correlations, scaled to unit diagonal, that is not round-off


class Rows(NamedTuple):
    """Blocks by rows: (n + 1,) first of each row, (b,) columns, (b, d^2) values."""

    start: NDArray[np.int64]
    column: NDArray[np.int32]
    block: Floats


class BlockConjugateGradients:
    """Solutions of H x = b, several at once, for one configuration on any number of ranks.

    Memory per particle in 3D: the blocks of the Hessian and seven blocks of vectors, about 4 kB at the most.

    Parameters
    ----------
    system : a minimum in a periodic cell, up to date
    look : called every ten iterations

    Attributes
    ----------
    iterations : of the last solve
    residual : the largest |H x - b| / |b| of the last solve
    """

    def __init__(self, system: System, look: Look = straight_on) -> None:
        self.system, self.look = system, look
        self.iterations, self.residual = 0, 0.0
        touching, loose = bonded_pairs(system)
        self._held = ~loose[: system.n_owned]
        self._n_held = int(ranks.total(system.comm, int(self._held.sum())))
        if not self._n_held:
            raise PhysicsError("no two particles interact: the Hessian is empty; compress the configuration")
        first, columns, blocks = _blocks(with_pairs(system, select(system.pairs, touching)), self._held)
        n = system.n_owned
        row = np.repeat(np.arange(n), np.diff(first))
        self._below, self._above, self._beyond = (
            _rows(n, row[chosen], columns[chosen], blocks[chosen])
            for chosen in (columns < row, (columns > row) & (columns < n), columns >= n))
        self._shared = bool(ranks.total(system.comm, self._beyond.column.size))
        diagonal = np.ascontiguousarray(blocks[columns == row])
        inverse = _factor(*self._below, diagonal, POSITIVE)
        middle = np.linalg.inv(inverse.reshape(diagonal.shape))
        self._inverse, self._diagonal, self._middle, self._rest = (
            np.ascontiguousarray(some.reshape(n, system.dimension**2))
            for some in (inverse, diagonal, middle, diagonal - 2.0 * middle))

    def solve(self, rows: Floats, accuracy: float | None = None) -> Floats:
        """`solve_all` for one right-hand side."""
        return self.solve_all([rows], accuracy)[0]

    def solve_all(self, fields: Sequence[Floats], accuracy: float | None = None) -> list[Floats]:
        """x_k with H x_k = b_k and zero mean. Collective.

        Parameters
        ----------
        fields : (n_owned, d) right-hand sides; their means, and rows of loose particles, are dropped
        accuracy : residual |H x - b| / |b| that will do, default 1e-10

        Raises
        ------
        PhysicsError
            The iterations do not converge, or meet a direction of negative curvature: the configuration is a saddle.
        """
        found: list[Floats] = []
        self.iterations, self.residual = 0, 0.0
        for first in range(0, len(fields), WIDTH):
            part = fields[first:first + WIDTH]
            shape = self.system.n_all, self.system.dimension, WIDTH
            right = np.zeros(shape)
            right[: self.system.n_owned, :, : len(part)] = np.stack(part, axis=-1)
            x = self._refined(right.reshape(len(right), self.system.dimension * WIDTH), 1e-10 if accuracy is None else accuracy)
            found += [np.ascontiguousarray(x.reshape(shape)[: self.system.n_owned, :, k]) for k in range(len(part))]
        return found

    def _refined(self, right: Floats, accuracy: float) -> Floats:
        """(n_all, d WIDTH) solutions; what the recursion's residual has lost is solved for once more."""
        n = self.system.n_owned
        self._project(right)
        size = self._norms(right)
        if not np.isfinite(size).all():
            raise PhysicsError("conjugate gradients: a right-hand side is not finite")
        x, rest = np.zeros_like(right), right.copy()
        some = size > 0.0
        residual, positive = float(some.any()), True
        for _ in range(ROUNDS):
            if residual <= 1.01 * accuracy:
                break
            step, positive = self._krylov(rest, min(0.5, accuracy / residual))
            x[:n] += step[:n]
            self._project(x)
            rest[:n] = right[:n] - self._times(x)
            residual = float((self._norms(rest)[some] / size[some]).max())
        self.residual = max(self.residual, residual)
        if residual <= 1.01 * accuracy:
            return x
        if not positive:
            raise PhysicsError("the configuration is a saddle, not a minimum: conjugate gradients met negative curvature after "
                               f"{self.iterations} iterations; relax it further (quench to a smaller force)")
        raise PhysicsError(f"conjugate gradients: |H x - b| / |b| = {residual:.1e} instead of {accuracy:.0e} after "
                           f"{self.iterations} iterations; relax the configuration further")

    def _krylov(self, right: Floats, accuracy: float) -> tuple[Floats, bool]:
        """((n_all, d WIDTH) x with |H x - right| of about `accuracy` |right|, False if the search ended at negative curvature).

        It begins with an orthonormal basis of the right-hand sides, some of which may be equal, or nearly.
        """
        n = self.system.n_owned
        basis, weights = _basis(self._products(right[:n], right[:n]))
        x, t, r = np.zeros_like(right), np.empty_like(right), np.zeros_like(right[:n])
        _combine(_slim(r), _slim(right[:n]), basis, WIDTH)
        _sweep(*self._below, self._inverse, False, r, WIDTH)        # r = (D + L)^-1 (b - H x)
        z, q = np.empty_like(r), np.empty_like(r)
        _blockwise(self._middle, r, z, 0.0, WIDTH)
        p = z.copy()
        rz = self._products(r, z)
        # |(D + L)^-1 (b - H x)| in the metric of D falls as |b - H x| does, but not quite alike
        enough = (0.7 * accuracy) ** 2 * np.diag(rz)
        positive = True
        while True:
            if self.iterations % LOOK_EVERY == 0:
                self.look()
            self.iterations += 1
            t[:n] = p
            _sweep(*self._above, self._inverse, True, t, WIDTH)
            q[:] = p
            _blockwise(self._rest, t, q, 1.0, WIDTH)
            self._add_beyond(t, q)
            _sweep(*self._below, self._inverse, False, q, WIDTH)
            q += t[:n]
            step = _solved(self._products(p, q), rz)
            if step is None:
                positive = False
                break
            _combine(_slim(x[:n]), _slim(t[:n]), step, WIDTH)
            _combine(_slim(r), _slim(q), -step, WIDTH)
            _blockwise(self._middle, r, z, 0.0, WIDTH)
            new = self._products(r, z)
            if (np.diag(new) <= enough).all():
                break
            if self.iterations > ITERATIONS:
                raise PhysicsError(f"conjugate gradients did not converge in {ITERATIONS} iterations")
            turn = _solved(rz, new)
            if turn is None:            # round-off is all that is left: see how far this came
                break
            _combine(_slim(z), _slim(p), turn, WIDTH)
            p, z, rz = z, p, new
        found = np.zeros_like(x)
        _combine(_slim(found[:n]), _slim(x[:n]), weights, WIDTH)
        return found, positive

    def _add_beyond(self, t: Floats, out: Floats) -> None:
        if self._shared:
            self.system.forward(t)
            _gather(*self._beyond, t, out, WIDTH)

    def _times(self, x: Floats) -> Floats:
        """(n_owned, d WIDTH) H x. Collective."""
        out = np.empty_like(x[: self.system.n_owned])
        _blockwise(self._diagonal, x, out, 0.0, WIDTH)
        for part in (self._below, self._above):
            _gather(*part, x, out, WIDTH)
        self._add_beyond(x, out)
        return out

    def _project(self, rows: Floats) -> None:
        """Drop loose particles and the means over the others, in place. Collective."""
        own = rows[: self.system.n_owned]
        own[~self._held] = 0.0
        own[self._held] -= ranks.total(self.system.comm, own.sum(axis=0)) / self._n_held

    def _products(self, a: Floats, b: Floats) -> Floats:
        """(WIDTH, WIDTH) scalar products. Collective."""
        return ranks.total(self.system.comm, _slim(a).T @ _slim(b))

    def _norms(self, rows: Floats) -> Floats:
        """(WIDTH,). Collective."""
        own = _slim(rows[: self.system.n_owned])
        return np.sqrt(ranks.total(self.system.comm, (own * own).sum(axis=0)))


def _blocks(system: System, held: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """(first block of each owned row, columns, (b, d, d) blocks): columns are rows of owned particles and of ghosts of others."""
    n, d = system.n_owned, system.dimension
    owner = np.empty(system.n_all, dtype=np.int64)
    owner[:n] = system.first_row + np.arange(n)
    system.forward(owner)
    own = (owner >= system.first_row) & (owner < system.first_row + n)
    row = np.where(own, owner - system.first_row, np.arange(system.n_all))
    first, columns, *places = block_pattern(system.pairs.start, system.pairs.index, row, n, d)
    values = np.zeros(columns.size * d * d)
    fill(*pair_lists(system), *places, False, values)
    blocks = values[block_places(first, d)]
    diagonal = columns == np.repeat(np.arange(n), np.diff(first))
    blocks[np.flatnonzero(diagonal)[~held]] = np.eye(d)
    return first, columns, blocks


def _rows(n: int, row: NDArray[np.int64], column: NDArray[np.int64], blocks: Floats) -> Rows:
    start = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))]).astype(np.int64)
    return Rows(start, column.astype(np.int32), np.ascontiguousarray(blocks.reshape(len(blocks), int(np.prod(blocks.shape[1:])))))


def _slim(rows: Floats) -> Floats:
    """(n d, WIDTH) view."""
    return rows.reshape(-1, WIDTH)


def _basis(products: Floats) -> tuple[Floats, Floats]:
    """W, R (WIDTH, WIDTH) of right-hand sides B with these scalar products: B W is orthonormal or zero, B = (B W) R."""
    size = np.sqrt(np.diag(products))
    scale = np.where(size > 0.0, 1.0 / np.where(size > 0.0, size, 1.0), 0.0)
    values, vectors = np.linalg.eigh(scale[:, None] * products * scale)
    root = np.where(values > DEPENDENT, np.sqrt(np.abs(values)), 0.0)
    inverse = np.where(root > 0.0, 1.0 / np.where(root > 0.0, root, 1.0), 0.0)
    return scale[:, None] * vectors * inverse, root[:, None] * vectors.T * size


def _solved(matrix: Floats, right: Floats) -> Floats | None:
    """matrix^-1 right for a positive matrix, on the space where it is not round-off; None if it is not positive."""
    diagonal = np.diag(matrix)
    if not (diagonal >= 0.0).all() or not diagonal.any():
        return None
    scale = np.where(diagonal > 0.0, 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0)), 0.0)
    values, vectors = np.linalg.eigh(0.5 * scale[:, None] * (matrix + matrix.T) * scale)
    if values[0] < -1e3 * DEPENDENT:
        return None
    kept = values > DEPENDENT
    basis = scale[:, None] * vectors[:, kept]
    return np.ascontiguousarray(basis @ ((basis.T @ right) / values[kept, None]))


@numba.njit(cache=True)
def _factor(start, column, block, diagonal, positive):
    """(n, d, d) D_i^-1, block (b, d^2); where D_i is not safely positive, that of the diagonal block, or of its trace."""
    inverse = np.empty_like(diagonal)
    for i in range(start.size - 1):
        middle = diagonal[i].copy()
        for p in range(start[i], start[i + 1]):
            coupling = block[p].reshape(diagonal.shape[1:])
            middle -= coupling @ inverse[column[p]] @ coupling.T
        if not _is_positive(middle, positive):
            middle = diagonal[i].copy()
            if not _is_positive(middle, positive):
                middle = np.eye(len(middle)) * max(abs(np.trace(middle)), 1e-300)
        inverse[i] = np.linalg.inv(middle)
    return inverse


@numba.njit(cache=True)
def _is_positive(matrix, share):
    """Whether the smallest eigenvalue is more than this share of the largest."""
    values = np.linalg.eigvalsh(matrix)
    return values[0] > share * values[-1]


# ---- rows of d * WIDTH numbers. `width` is WIDTH, which the compiler must not know: it would unroll, and then find no loop ----

@numba.njit(cache=True, inline="always", fastmath=KEEP_NAN, error_model="numpy")
def _subtract(out, m, x, width):
    """out -= m x, m (d^2,) a block by rows."""
    if m.size == 4:
        m0, m1, m2, m3 = m[0], m[1], m[2], m[3]
        for k in range(width):
            u, v = x[k], x[k + WIDTH]
            out[k] -= m0 * u + m1 * v
            out[k + WIDTH] -= m2 * u + m3 * v
    else:
        m0, m1, m2, m3, m4, m5, m6, m7, m8 = m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8]
        for k in range(width):
            u, v, w = x[k], x[k + WIDTH], x[k + 2 * WIDTH]
            out[k] -= m0 * u + m1 * v + m2 * w
            out[k + WIDTH] -= m3 * u + m4 * v + m5 * w
            out[k + 2 * WIDTH] -= m6 * u + m7 * v + m8 * w


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _sweep(start, column, block, inverse, backwards, x, width):
    """x <- (D + L)^-1 x, L the blocks below the diagonal; or, `backwards`, those above."""
    total, one = np.empty(x.shape[1]), np.uint64(1)
    n = np.uint64(start.size - 1)
    for turn in range(n):
        i = n - one - turn if backwards else turn
        row = x[i]
        for k in range(total.size):
            total[k] = row[k]
        p, last = np.uint64(start[i]), np.uint64(start[i + one])
        while p < last:
            _subtract(total, block[p], x[np.uint64(column[p])], width)
            p += one
        for k in range(total.size):
            row[k], total[k] = 0.0, -total[k]
        _subtract(row, inverse[i], total, width)


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _blockwise(block, x, out, keep, width):
    """out_i <- keep out_i + block_i x_i."""
    total = np.empty(x.shape[1])
    for i in range(np.uint64(len(block))):
        row, source = out[i], x[i]
        for k in range(total.size):
            total[k] = -source[k]
            row[k] = keep * row[k] if keep != 0.0 else 0.0
        _subtract(row, block[i], total, width)


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _gather(start, column, block, x, out, width):
    """out_i += sum_p block_p x_column[p]."""
    total, one = np.empty(x.shape[1]), np.uint64(1)
    for i in range(np.uint64(start.size - 1)):
        for k in range(total.size):
            total[k] = 0.0
        p, last = np.uint64(start[i]), np.uint64(start[i + one])
        while p < last:
            _subtract(total, block[p], x[np.uint64(column[p])], width)
            p += one
        row = out[i]
        for k in range(total.size):
            row[k] -= total[k]


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _combine(target, rows, weights, width):
    """target += rows @ weights, (n, WIDTH) rows."""
    halves = np.ascontiguousarray(weights).reshape(2, 4 * WIDTH)
    for i in range(np.uint64(len(rows))):
        out, source = target[i], rows[i]
        for half in range(2):
            b, a = halves[half], 4 * half
            s0, s1, s2, s3 = source[a], source[a + 1], source[a + 2], source[a + 3]
            for k in range(width):
                out[k] += s0 * b[k] + s1 * b[k + WIDTH] + s2 * b[k + 2 * WIDTH] + s3 * b[k + 3 * WIDTH]

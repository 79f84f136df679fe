"""All eigenvectors between two values whose number is known: a block Krylov space of (H - s)^-1, s in their middle.

Several right-hand sides are solved at once, so that the factors are read from memory once for all of them, and what keeps the
basis V orthogonal are products of matrices, which do not wait for memory. With

    (H - s)^-1 V = V T + Q R e_last^T,      T w = w / (lambda - s),      y = (V T + Q R e_last^T) w,

y has the residual |H y - lambda y| / |y| = |R w_last| (lambda - s)^2, R w_last the part of w in the next block. A block holds as
many copies of a multiple eigenvalue as it has vectors. Block Lanczos: G. H. Golub and R. Underwood, in Mathematical Software III,
361 (1977); shifts: T. Ericsson and A. Ruhe, Math. Comput. 35, 1251 (1980).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.errors import PhysicsError
from hpcglass.landscape.matrix.dense import irregular
from hpcglass.landscape.matrix.hessian import Hessian, PETSc
from hpcglass.landscape.matrix.solve import factorise

Floats = NDArray[np.float64]

PREFIX = "hpcglass_block_"
BLOCK = 8
LARGEST = 8             # the space may have so many times more dimensions than eigenvectors are wanted, and some blocks
INDEPENDENT = 1e-13     # smallest eigenvalue of the correlations of a block that is not round-off


def eigenvectors_between(hessian: Hessian, matrix: Any, low: float, high: float, number: int, tolerance: float) -> Floats:
    """(n_owned, d, number) the eigenvectors with eigenvalues between two values [energy/length^2]. Collective.

    Parameters
    ----------
    matrix : the Hessian, loose particles above all others
    number : how many there are, translations not counted
    tolerance : of |H y - lambda y|, |y| = 1 [energy/length^2]

    Raises
    ------
    PhysicsError
        They did not converge in a space of `LARGEST` times their number; no memory for the factors.
    """
    shift = 0.5 * (max(low, 0.0) + high)
    solve, destroy = _inverse(hessian, matrix, shift)
    comm, d = hessian.system.comm, hessian.system.dimension
    rest = np.column_stack([hessian.rows(vector).ravel() for vector in hessian.zero_modes()])
    first = np.column_stack([irregular(hessian.system, k).ravel() for k in range(1, BLOCK + 1)])
    for _ in range(2):
        first -= rest @ ranks.total(comm, rest.T @ first)
    last, _ = _orthonormal(comm, first)
    space = np.empty((len(last), LARGEST * (number + BLOCK) + 2 * BLOCK), order="F")
    projected, recent = np.zeros((0, 0)), 0
    try:
        while True:
            hessian.look()
            size = len(projected) + last.shape[1]
            space[:, len(projected):size] = last
            basis = space[:, :size]
            new = solve(last)
            new -= rest @ ranks.total(comm, rest.T @ new)
            coupling = np.zeros((size, last.shape[1]))
            for begin in (recent, 0):       # without rounding there is nothing in the way but the last two blocks
                part = ranks.total(comm, basis[:, begin:].T @ new)
                new -= basis[:, begin:] @ part
                coupling[begin:] += part
            recent = len(projected)
            last, beyond = _orthonormal(comm, new)
            projected = _bordered(projected, coupling)
            if size >= 1.5 * number or not last.shape[1]:
                values, weights, residuals = _ritz(projected, beyond, shift)
                outside = np.maximum(np.maximum(low - values, values - high), 0.0)
                chosen = np.flatnonzero((outside <= tolerance) & (residuals <= 0.1 * tolerance))
                if len(chosen) >= number:
                    chosen = chosen[np.argsort(outside[chosen], kind="stable")[:number]]
                    weight = weights[:, chosen]
                    found = basis @ (projected @ weight) + last @ (beyond @ weight[size - beyond.shape[1]:])
                    return np.ascontiguousarray(found).reshape(-1, d, number)
                if size > LARGEST * (number + BLOCK) or not last.shape[1]:
                    raise PhysicsError(f"{len(chosen)} of {number} modes with omega^2 between {low:.6g} and {high:.6g} converged "
                                       f"to {tolerance:.0e} in a space of {size} dimensions; take a larger tolerance")
    finally:
        destroy()


def _ritz(projected: Floats, beyond: Floats, shift: float) -> tuple[Floats, Floats, Floats]:
    """Approximate eigenvalues of H, their vectors in the basis, and their residuals."""
    inverse, weights = np.linalg.eigh(0.5 * (projected + projected.T))
    leak = np.sqrt(((beyond @ weights[len(weights) - beyond.shape[1]:]) ** 2).sum(axis=0))
    with np.errstate(divide="ignore", over="ignore"):
        return shift + 1.0 / inverse, weights, leak / inverse**2


def _bordered(projected: Floats, coupling: Floats) -> Floats:
    """V^T (H - s)^-1 V with the columns of one more block."""
    size, before = len(coupling), len(projected)
    result = np.empty((size, size))
    result[:before, :before] = projected
    result[:, before:] = coupling
    result[before:, :before] = coupling[:before].T
    return result


def _orthonormal(comm: Any, block: Floats) -> tuple[Floats, Floats]:
    """(Q, R) with block = Q R, Q orthonormal without directions that are round-off; twice, as once loses half of the digits."""
    whole = np.eye(block.shape[1])
    for _ in range(2):
        gram = ranks.total(comm, block.T @ block)
        size = np.sqrt(np.diag(gram))
        size[size == 0.0] = 1.0
        values, vectors = np.linalg.eigh(gram / size[:, None] / size)
        kept = values > INDEPENDENT
        root = np.sqrt(values[kept])
        block = block @ (vectors[:, kept] / size[:, None] / root)
        whole = (root[:, None] * vectors[:, kept].T * size) @ whole
    return block, whole


def _inverse(hessian: Hessian, matrix: Any, shift: float) -> tuple[Any, Any]:
    """(block -> (H - shift)^-1 block, what frees the factors)."""
    shifted = matrix.duplicate(copy=True)
    shifted.shift(-shift)
    shifted.setOption(PETSc.Mat.Option.SYMMETRIC, True)
    ksp, _ = factorise(shifted, PREFIX)
    factor = ksp.getPC().getFactorMatrix()

    def solve(block: Floats) -> Floats:
        right = np.asfortranarray(block)
        left = np.empty_like(right)
        dense = [PETSc.Mat().createDense(((len(right), None), (None, right.shape[1])), array=values, comm=hessian.system.comm)
                 for values in (right, left)]
        factor.matSolve(*dense)
        for one in dense:
            one.destroy()
        return left

    def destroy() -> None:
        ksp.destroy()
        shifted.destroy()
    return solve, destroy

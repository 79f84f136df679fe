"""D^2_min from sums over neighbours (Falk and Langer, Phys. Rev. E 57, 7192 (1998), eq. 2.11)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def d2min_of_sums(square: Floats, a: Floats, b: Floats) -> Floats:
    """(n,) sum |x|^2 - tr(A B^-1 A^T), the least that an affine map leaves of the motion of a neighbourhood.

    Parameters
    ----------
    square : (n,) sum over neighbours of |x|^2
    a, b : (n, d, d) sums of x x0^T and of x0 x0^T, with the pair vectors x after and x0 before

    With too few neighbours for a map any motion is affine, and the pseudo-inverse makes it 0. What is below round-off is 0.
    """
    explained = np.einsum("nij,njk,nik->n", a, np.linalg.pinv(b, rcond=1e-10, hermitian=True), a)
    result = np.maximum(square - explained, 0.0)
    return np.where(result > 1e-14 * np.trace(b, axis1=1, axis2=2), result, 0.0)

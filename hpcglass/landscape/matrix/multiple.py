"""Multiple eigenvalues: none of their copies is missed at the soft end of a spectrum.

A Krylov space of one vector holds one direction of each eigenspace; further copies of a multiple eigenvalue come in by rounding,
late or never, and higher modes take their places, each with a perfect residual. So the eigenvalues are counted in another way
(Sylvester's law of inertia: negative pivots of a factorisation), and where some are missing the search goes on, besides all modes
that were found and from other first vectors. Crystals, lattices of springs and tiles of a glass have such levels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hpcglass.landscape.matrix.hessian import PETSc
from hpcglass.landscape.matrix.solve import factorise

Floats = NDArray[np.float64]
TRIES = 3       # searches in a row that may find nothing although something is missing

Look = Callable[[Floats, int, int], Floats]


def last_level(values: Floats, width: float) -> tuple[float, int]:
    """Where to count so that all that was found below can be told from what was found above.

    Parameters
    ----------
    values : (k,) ascending
    width : two values nearer than twice this are taken as copies of one

    Returns
    -------
    level : below the last value and its copies by `width`. If no more values than `number` are below, those found are the lowest:
        of the last level any copies will do
    number : of values found below it
    """
    number = len(values) - 1
    while number > 0 and values[number] - values[number - 1] < 2.0 * width:
        number -= 1
    return float(values[number] - width), number


def inertia(matrix: object, prefix: str) -> tuple[int, int]:
    """(negative, zero) eigenvalues of a symmetric matrix, by MUMPS. Collective.

    Raises PhysicsError if the factors do not fit into memory.
    """
    ksp, factor = factorise(matrix, prefix)
    negative, zero, _ = factor.getInertia()
    ksp.destroy()
    return int(negative), int(zero)


def has_inertia() -> bool:
    """Whether this PETSc can count."""
    return bool(PETSc.Sys.hasExternalPackage("mumps"))


def search(found: Floats, missing: int | None, look: Look) -> tuple[Floats, int]:
    """Vectors besides those found. Collective.

    Parameters
    ----------
    found : (n_owned, d, k)
    missing : so many there must be; None: not known, then the search ends when another first vector leads to nothing new
    look : look(known, n, number) gives up to n vectors besides the known ones, started from first vector `number`; those found
        were from number 0

    Returns
    -------
    (n_owned, d, k + new) all vectors, and how many are still missing
    """
    wanted, failed, number = 1 if missing is None else missing, 0, int(found.shape[2] > 0)
    while wanted > 0 and failed < TRIES:
        new = look(found, wanted, number)
        number += 1
        found = np.concatenate([found, new], axis=2)
        failed = 0 if new.shape[2] else failed + 1
        if missing is not None:
            wanted -= new.shape[2]
        elif not new.shape[2]:
            return found, 0
        else:
            wanted *= 2
    return found, wanted

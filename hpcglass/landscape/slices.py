"""Many of the lowest modes, by slicing the spectrum.

One shift gives hundreds of modes slowly: keeping them orthogonal grows with the square of their number. So the soft end is cut
into slices of about a hundred modes. Sylvester's law of inertia (the number of negative pivots of H - s) says how many there are
below any s: edges are found from a few counts, nothing need be known beforehand, each slice has a shift of its own in its middle,
and must give exactly as many modes as were counted. Slices know nothing of each other: they can be shared
out to ranks.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from hpcglass.errors import InputError, PhysicsError
from hpcglass.landscape.matrix import shift_invert
from hpcglass.landscape.matrix.block_krylov import eigenvectors_between
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.landscape.modes import ZERO, Modes, checked, some_modes, stiffness, without_loose

WIDTH = 96              # modes in a slice, about
SPARE = 1.2             # the uppermost edge may have so many times more modes below it than were asked for
TRIES = 40              # counts to find it


@dataclass(frozen=True)
class Slice:
    """Part of a spectrum: `number` eigenvalues in (low, high) [energy/length^2]."""

    low: float
    high: float
    number: int


def slices(hessian: Hessian, count: int) -> list[Slice]:
    """The soft end up to at least `count` modes, in slices. Collective.

    Raises
    ------
    InputError
        More than half of all modes are asked for, or this PETSc has no MUMPS.
    PhysicsError
        The configuration is a saddle; no memory for the factors.
    """
    free = some_modes(hessian)
    if not 0 < count <= max(free // 2, 1):
        raise InputError(f"{count} lowest modes asked for; the configuration has {free}: ask for at most half of them")
    if "mumps" not in shift_invert.packages(hessian):
        raise InputError("slices of a spectrum need MUMPS, which this PETSc was built without")
    matrix, zero, d = without_loose(hessian), ZERO * stiffness(hessian), hessian.system.dimension
    translations = len(hessian.zero_modes())
    if shift_invert.count_below(matrix, -zero, False):
        raise PhysicsError("the configuration is a saddle: its Hessian has negative eigenvalues; quench it further")
    known = [(-zero, 0), (_top(matrix, count, translations, stiffness(hessian) * (count / free) ** (2.0 / d), d))]
    while True:
        pieces = [Slice(low, high, there - below) for (low, below), (high, there) in pairwise(known)]
        widest = max(pieces, key=lambda piece: piece.number)
        if widest.number <= 1.5 * WIDTH:
            return [piece for piece in pieces if piece.number]
        share = 0.5 if widest.number < 3 * WIDTH else WIDTH / widest.number     # Debye: numbers grow as (omega^2)^(d/2)
        low, high = max(widest.low, 0.0) ** (0.5 * d), widest.high ** (0.5 * d)
        edge = (low + share * (high - low)) ** (2.0 / d)
        known = sorted([*known, (edge, shift_invert.count_below(matrix, edge, False) - translations)])
        if len(known) > count + 2:
            raise PhysicsError("the spectrum cannot be cut into slices: too many modes have the same frequency; ask for fewer")


def _top(matrix: Any, count: int, translations: int, guess: float, d: int) -> tuple[float, int]:
    """A value with `count` modes below it, or some more; and how many."""
    low, high, below = 0.0, np.inf, 0
    for _ in range(TRIES):
        below = shift_invert.count_below(matrix, guess, False) - translations
        if count <= below <= max(SPARE * count, count + 16):
            break
        low, high = (guess, high) if below < count else (low, guess)
        ratio = float(np.clip(0.5 * (1.0 + SPARE) * count / max(below, 1), 0.1, 10.0)) ** (2.0 / d)
        guess *= ratio
        if not low < guess < high:
            guess = 0.5 * (low + high)
    if below < count:
        raise PhysicsError(f"no value was found below which the Hessian has about {count} eigenvalues")
    return guess, below


def modes_of_slice(hessian: Hessian, piece: Slice, tolerance: float = 1e-8) -> Modes:
    """All modes of a slice. Collective.

    Raises
    ------
    PhysicsError
        Not all of them were found.
    """
    vectors = eigenvectors_between(hessian, without_loose(hessian), piece.low, piece.high, piece.number, tolerance)
    return checked(hessian, vectors, tolerance)

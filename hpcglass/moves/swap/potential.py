"""A model as constants of the swap kernels, and whether its exchanges can be bounded early."""

from __future__ import annotations

from typing import Any

import numpy as np

from hpcglass.core.pairs import PairTable
from hpcglass.moves.swap.lists import Potential
from hpcglass.potentials.model import Model, Segment

HUGE = 1e80     # phi of the closest overlap: sums of it, and differences, stay finite


def kernel_potential(model: Model, table: PairTable) -> Potential:
    """Laurent polynomials in t = x^2, or x when a power is odd; numbers of terms are known to the compiler."""
    if not model.potential.plain:
        return _by_pieces(model, table)
    segments = model.potential.segments
    step = 2 if table.even else 1
    negative = max(1, *[-int(power) // step for segment in segments for power in segment.powers])
    positive = max(0, *[int(power) // step for segment in segments for power in segment.powers])
    return Potential(
        segments=tuple((float(segment.upto**2), *_coefficients(segment, step, negative, positive)) for segment in segments),
        root=None if table.even else True,
        floor=HUGE ** (-2.0 / (step * negative)),
        cut2=float(model.potential.cutoff**2),
        **_mixing(model, table))


def _by_pieces(model: Model, table: PairTable) -> Potential:
    """Other powers than whole ones of x are looked up in a table; all else is the same."""
    first = model.potential.segments[0]
    lowest = 0.0 if model.potential.finite else min(first.powers)
    largest = max((abs(c) for p, c in zip(first.powers, first.coefficients, strict=True) if p == lowest), default=1.0)
    floor = 1e-30 if lowest >= 0 else (HUGE / max(largest, 1.0)) ** (2.0 / lowest)
    cut2 = float(model.potential.cutoff**2)
    # the compiler wants a branch that is never taken to have types
    return Potential(segments=((cut2, (0.0,), (0.0,)),), root=None, floor=floor, cut2=cut2, pieces=table.pieces,
                     **_mixing(model, table))


def _mixing(model: Model, table: PairTable) -> dict[str, Any]:
    mixing = model.mixing
    return {"nonadditivity": float(mixing.nonadditivity), "length": table.length if table.by_species else None,
            "energy": table.energy if table.by_species else None,
            "power": float(mixing.energy_power) if mixing.energy_power else None}


def _coefficients(segment: Segment, step: int, negative: int, positive: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    value = dict.fromkeys(range(-negative, positive + 1), 0.0)
    for power, coefficient in zip(map(int, segment.powers), segment.coefficients, strict=True):
        value[power // step] += float(coefficient)
    return tuple(value[-m] for m in range(1, negative + 1)), tuple(value[m] for m in range(positive + 1))


def can_bound(model: Model, biggest: float) -> bool:
    """Whether phi >= 0 grows with either size of a pair, so that part of a sum bounds it."""
    mixing = model.mixing
    if not model.repulsive or mixing.energy_power < 0:
        return False
    if mixing.length is None:
        return mixing.nonadditivity * biggest < 0.5
    energy = mixing.energy if mixing.energy is not None else 1.0
    return all(bool((np.diff(np.array(matrix), axis=0) >= 0).all()) for matrix in (mixing.length, energy) if matrix != 1.0)

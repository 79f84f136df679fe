"""A glass between two rigid circular walls: an annulus in 2D, a spherical shell in 3D.

The walls stand in a periodic cell that is so much larger than the outer one that images never meet: cell, ranks and lists are
those of any other glass, and the walls are an external potential (`landscape.walls`). This module uses the standard library
only: `validate` reads it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

MARGIN = 1.0        # between an image's rim and the range of interaction [length]


@dataclass(frozen=True)
class Walls:
    """Two concentric walls; particles are between them.

    centre : (d,) position in the cell [length]
    r_in, r_out : radii [length]
    """

    centre: tuple[float, ...]
    r_in: float
    r_out: float

    @classmethod
    def of(cls, numbers: Iterable[float]) -> Walls:
        """From what `numbers` gave."""
        *centre, r_in, r_out = (float(value) for value in numbers)
        return cls(tuple(centre), r_in, r_out)

    @property
    def numbers(self) -> tuple[float, ...]:
        """Centre, r_in, r_out: what files keep."""
        return (*self.centre, self.r_in, self.r_out)

    @property
    def dimension(self) -> int:
        return len(self.centre)

    @property
    def volume(self) -> float:
        """Volume between the walls; an area in 2D."""
        return volume(self.dimension, self.r_in, self.r_out)

    @property
    def areas(self) -> tuple[float, float]:
        """Area (in 2D length) of the inner and of the outer wall."""
        d = self.dimension
        return tuple(d * volume(d, 0.0, 1.0) * r ** (d - 1) for r in (self.r_in, self.r_out))     # type: ignore[return-value]

    def inflated(self, r_in: float) -> Walls:
        """The same with another inner radius."""
        return replace(self, r_in=r_in)


def volume(dimension: int, r_in: float, r_out: float) -> float:
    """pi (r_out^2 - r_in^2) in 2D, 4/3 pi (r_out^3 - r_in^3) in 3D."""
    return (math.pi if dimension == 2 else 4 / 3 * math.pi) * (r_out**dimension - r_in**dimension)


def edge(r_out: float, reach: float) -> int:
    """Edge of the cell for a range of interaction: an even number, so that the centre has no rounding error."""
    return 2 * math.ceil(r_out + 0.5 * (reach + MARGIN))


def centred(dimension: int, r_in: float, r_out: float, reach: float) -> Walls:
    """The walls in the middle of their cell."""
    return Walls((0.5 * edge(r_out, reach),) * dimension, r_in, r_out)

"""The plane between soft and stiff neighbourhoods that training has left. Light to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpcglass.potentials.model import Model


@dataclass(frozen=True)
class Plane:
    """What training leaves.

    model : of the glasses it was trained on, see `identity`
    weight, mean, scale : (k,) of the structure functions
    intercept : b
    """

    model: str
    weight: Any
    mean: Any
    scale: Any
    intercept: float

    def softness(self, functions: Any) -> Any:
        """(n,) S of structure functions (n, k)."""
        return ((functions - self.mean) / self.scale) @ self.weight + self.intercept


def identity(model: Model) -> str:
    """What structure functions depend on, besides positions and sizes."""
    return f"{model.name}: {model.mixing}"

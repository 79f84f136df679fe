"""Contacts: how many, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpcglass.indicators.base import Indicator

if TYPE_CHECKING:
    from hpcglass.indicators.glass import Glass


def coordination(glass: Glass) -> Any:
    """z: pairs within the range of interaction."""
    import numpy as np

    return glass.bonds.on_both_ends(np.ones(len(glass.bonds.rows)))


def repulsive_coordination(glass: Glass) -> Any:
    """Pairs that push each other, phi' < 0."""
    return glass.bonds.on_both_ends((glass.bonds.c[1] < 0.0).astype(float))


def energy(glass: Glass) -> Any:
    """Half the energies of its pairs."""
    return 0.5 * glass.bonds.on_both_ends(glass.bonds.c[0])


INDICATORS = (
    Indicator("z", "z", "", "low", "potential", "contacts", "text", "number of interacting pairs", coordination),
    Indicator("z_repulsive", "z₊", "", "low", "potential", "contacts", "text", "number of pairs with a repulsive force",
              repulsive_coordination),
    Indicator("potential_energy", "ϕ", "energy", "high", "potential", "contacts", "B11", "half of its pairs' energies", energy),
)

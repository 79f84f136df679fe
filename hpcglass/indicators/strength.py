"""Residual plastic strength: how much stress a patch around the particle still bears under the shear that is foretold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpcglass.indicators.base import Indicator

if TYPE_CHECKING:
    from hpcglass.indicators.glass import Glass


def residual_strength(glass: Glass) -> Any:
    """Delta tau_y, of the weakest site closer than the radius of the free disc."""
    import numpy as np

    from hpcglass.cavity.directions import Directions
    from hpcglass.cavity.frozen import IRREGULAR
    from hpcglass.cavity.strength import Cavities, Frozen, on_particles, strength
    from hpcglass.errors import InputError

    loading = {"xy": 0.0, "yx": 0.0}.get(glass.choices.plane)
    if loading is None:
        raise InputError(f"delta_tau_y: plane = \"{glass.choices.plane}\" is not one of 2D")
    cavities = Cavities.of(glass.system)
    found = strength(glass.system.comm, cavities, Frozen(Directions.usual(2), ("xy", loading)), alive=glass.alive)
    tried = ~np.isnan(found.flag)
    glass.results["strength_trials"] = (int(tried.sum()), "", "patches loaded, all sites and directions")
    irregular = int(np.isin(found.flag, IRREGULAR).sum())
    glass.results["strength_irregular"] = (irregular, "", "of these without a regular first maximum")
    return on_particles(glass.system, found.sites, found.residual(loading), cavities.free)


INDICATORS = (
    Indicator("delta_tau_y", "Δτ_y", "energy/length^d", "low", "cavity", "strength", "App. B 15",
              "residual plastic strength, frozen matrix", residual_strength, (2,)),
)

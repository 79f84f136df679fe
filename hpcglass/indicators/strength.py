"""Residual plastic strength: how much stress a patch around the particle still bears under the shear that is foretold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpcglass.indicators.base import Indicator

if TYPE_CHECKING:
    from hpcglass.indicators.glass import Glass


def residual_strength(glass: Glass) -> Any:
    """Delta tau_y, of the weakest site closer than the radius of the free disc."""
    import numpy as np

    from hpcglass.cavity.strength import ANGLES, R_FREE, on_particles, strength
    from hpcglass.errors import InputError

    loading = {"xy": 0.0, "yx": 0.0}.get(glass.choices.plane)
    if loading is None:
        raise InputError(f"delta_tau_y: plane = \"{glass.choices.plane}\" is not one of 2D")
    near = [angle for angle in ANGLES if abs((angle - loading + 90.0) % 180.0 - 90.0) < 45.0]
    found = strength(glass.system, angles=tuple(near), alive=glass.alive)
    glass.results["strength_trials"] = (found.flag.size, "", "patches loaded, all sites and directions")
    glass.results["strength_irregular"] = (int(np.count_nonzero(found.flag)), "", "of these without a regular first maximum")
    return on_particles(glass.system, found.sites, found.residual(loading), R_FREE)


INDICATORS = (
    Indicator("delta_tau_y", "Δτ_y", "energy/length^d", "low", "cavity", "strength", "App. B 15",
              "residual plastic strength, frozen matrix", residual_strength, (2,)),
)

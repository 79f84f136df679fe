"""Whether a configuration is at rest: its forces balance, measured by the forces of pairs."""

from __future__ import annotations

from hpcglass.core.system import System
from hpcglass.landscape.forces import Mechanics, largest_force

FORCE_TOLERANCE = 1e-6      # of the force scale: beyond it the derivatives of a minimum are not what is computed
SMALLEST_SCALE = 1e-4       # of forces, where nothing touches or springs are at rest
# where pairs lie at the bottom of their attraction, what is left of the large forces that cancel there is round-off
SHARE_OF_ATTRACTION = 0.05


def force_scale(mechanics: Mechanics) -> float:
    """Root-mean-square pair force, but for what is at rest in every pair [energy/length]: the unit of force tolerances."""
    return max(mechanics.force_scale, SMALLEST_SCALE, SHARE_OF_ATTRACTION * mechanics.attraction)


def unrest(system: System, mechanics: Mechanics) -> float:
    """max_i |F_i| in units of the force scale; at rest it is at most FORCE_TOLERANCE. Collective."""
    return largest_force(system, mechanics.forces) / force_scale(mechanics)

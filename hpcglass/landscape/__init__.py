"""Questions to one configuration; nothing here moves a particle."""

from hpcglass.landscape.forces import Mechanics, evaluate, forces, largest_force, per_particle
from hpcglass.landscape.nonaffine import d2min, participation

__all__ = ["Mechanics", "d2min", "evaluate", "forces", "largest_force", "participation", "per_particle"]

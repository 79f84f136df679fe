"""What changes a configuration: minimisers, dynamics, swap Monte Carlo, starts."""

from importlib import import_module
from types import ModuleType

_MODULES = ("dynamics", "minimise", "relax", "start", "swap")


def __getattr__(name: str) -> ModuleType:
    """Load a module when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module 'hpcglass.moves' has no attribute '{name}'")
    return import_module(f"hpcglass.moves.{name}")

"""Files in, numbers and figures out. What is measured on frames: `d2min`, `radial_distribution`, `structure_factor`, `bonds`, ...

>>> event = hpcglass.open("results/quickstart")["shear"].event(0)
>>> hpcglass.analysis.d2min(event.before, event.after), hpcglass.analysis.radial_distribution(event.after, r_max=5)
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_LAZY = {"d2min": "nonaffine", "radial_distribution": "correlations", "structure_factor": "correlations", "bonds": "bonds",
         "coordination": "bonds", "bond_order": "bonds"}


def __getattr__(name: str) -> Any:
    """Load a measurement when it is first used."""
    if name not in _LAZY:
        raise AttributeError(f"module 'hpcglass.analysis' has no attribute '{name}'")
    return getattr(import_module(f"hpcglass.analysis.structure.{_LAZY[name]}"), name)

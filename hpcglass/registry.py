"""Name -> class, one small table per door: the only place where a new stage or model is entered.

Importing this, and the classes it names, needs neither NumPy nor MPI.
"""

from __future__ import annotations

from importlib import import_module

from hpcglass.potentials.model import Model
from hpcglass.stages.base import Stage

STAGES = {
    "swap": "hpcglass.stages.swap:Swap",
    "md": "hpcglass.stages.md:MD",
    "quench": "hpcglass.stages.quench:Quench",
    "shear": "hpcglass.stages.shear.run:Shear",
    "expand": "hpcglass.stages.expand.run:Expand",
    "modes": "hpcglass.stages.modes:Modes",
    "bonds": "hpcglass.stages.bonds:Bonds",
    "indicators": "hpcglass.stages.indicators:Indicators",
    "inflate": "hpcglass.stages.inflate:Inflate",
    "epm": "hpcglass.stages.lattice.epm:Epm",
    "calibrate": "hpcglass.stages.lattice.calibrate:Calibrate",
}


def stages() -> dict[str, type[Stage]]:
    """Stage classes by the `kind` of a [[stage]]."""
    return {name: _load(place) for name, place in STAGES.items()}


def models() -> dict[str, Model]:
    """Built-in model glasses by name."""
    from hpcglass.potentials.library import MODELS

    return MODELS


def _load(place: str) -> type[Stage]:
    module, name = place.split(":")
    found: type[Stage] = getattr(import_module(module), name)
    return found

"""Name -> class, one small table per door: the only place where a new stage or model is entered.

Packages of users add theirs by entry points (`plugins`). Importing this, and the classes it names, needs neither NumPy nor MPI.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from hpcglass.plugins import Catalogue
from hpcglass.potentials.library import MODELS
from hpcglass.potentials.model import Model
from hpcglass.stages.base import Stage, StageParams

STAGES = {
    "swap": "hpcglass.stages.swap:Swap",
    "md": "hpcglass.stages.md:MD",
    "quench": "hpcglass.stages.quench:Quench",
    "shear": "hpcglass.stages.shear.run:Shear",
    "expand": "hpcglass.stages.expand.run:Expand",
    "modes": "hpcglass.stages.modes:Modes",
    "bonds": "hpcglass.stages.bonds:Bonds",
    "indicators": "hpcglass.stages.indicators.run:Indicators",
    "strength": "hpcglass.stages.strength.run:Strength",
    "inflate": "hpcglass.stages.inflate:Inflate",
    "epm": "hpcglass.stages.lattice.epm:Epm",
    "calibrate": "hpcglass.stages.lattice.calibrate:Calibrate",
}


def stages() -> Catalogue[type[Stage]]:
    """Stage classes by the `kind` of a [[stage]]."""
    return Catalogue("stage", STAGES, _load, _wrong_stage)


def models() -> Catalogue[Model]:
    """Model glasses by name."""
    return Catalogue("model", MODELS, lambda model: model, _wrong_model)


def _load(place: str) -> type[Stage]:
    module, name = place.split(":")
    found: type[Stage] = getattr(import_module(module), name)
    return found


def _wrong_stage(name: str, thing: Any) -> str:
    if not (isinstance(thing, type) and issubclass(thing, Stage)):
        return "it is no subclass of hpcglass.stages.base.Stage"
    params = getattr(thing, "Params", None)
    if not (isinstance(params, type) and issubclass(params, StageParams)):
        return "its Params are no subclass of hpcglass.stages.base.StageParams"
    if getattr(thing, "name", None) != name or params.model_fields["kind"].default != name:
        return f"its name and the default of its Params.kind must be '{name}', as the entry point's name"
    return ""


def _wrong_model(name: str, thing: Any) -> str:
    if not isinstance(thing, Model):
        return "it is no hpcglass.potentials.model.Model"
    if thing.name != name:
        return f"its name is '{thing.name}', and must be the entry point's"
    potential = thing.potential
    if potential.continuity < 0:
        return f"its energy jumps (the cut-off is x = {potential.cutoff:g}): PairPotential.shifted makes it continuous there"
    return ""

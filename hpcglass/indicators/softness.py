"""Softness: how far a neighbourhood is on the soft side of the plane that a support vector machine has found.

    S(i) = w . (G_i - mean) / scale + b,

G the structure functions (`neighbours.functions`), w, b, mean and scale from a file of `hpcglass softness train`. Positive is
soft. Positions and sizes are all it needs. D. Richard et al., Phys. Rev. Materials 4, 113609 (2020), App. B 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpcglass.indicators.base import Indicator
from hpcglass.indicators.plane import identity

if TYPE_CHECKING:
    from hpcglass.core.system import System
    from hpcglass.indicators.glass import Glass
    from hpcglass.potentials.model import Model


def structure_functions(system: System) -> Any:
    """(n_owned, k) G: 26 of a model of sizes, two sets of 64 counts and lambda_ii of a binary one. Collective."""
    from hpcglass.indicators.neighbours.functions import BINS, HATS_REACH, binned_functions, radial_functions
    from hpcglass.indicators.neighbours.surroundings import surroundings

    if not system.model.mixing.by_species:
        around = surroundings(system, HATS_REACH, reduced=True)
        return around.back(radial_functions(around))[0]
    around = surroundings(system, BINS[1], reduced=True)
    return around.back(binned_functions(around, [row[k] for k, row in enumerate(system.model.mixing.length or ())]))[0]


def functions_of(model: Model, box: Any, position: Any, diameter: Any, species: Any) -> Any:
    """(N, k) G of a configuration that one process has as arrays, in their order."""
    import numpy as np
    from mpi4py import MPI

    from hpcglass.core.system import System

    system = System(MPI.COMM_SELF, model, box, {"id": np.arange(len(position)), "position": position, "diameter": diameter,
                                                "species": species})
    found = structure_functions(system)
    result = np.empty_like(found)
    result[system.id[: system.n_owned]] = found
    return result


def softness(glass: Glass) -> Any:
    """S, positive for soft particles."""
    from hpcglass.errors import InputError

    plane, model = glass.choices.softness, identity(glass.system.model)
    if plane is None:
        raise InputError("softness needs the file of `hpcglass softness train`: give it by the key softness")
    if plane.model != model:
        raise InputError(f"softness: trained on another model, {plane.model}; this glass is {model}. Train on glasses of its own")
    return plane.softness(structure_functions(glass.system))


INDICATORS = (
    Indicator("softness", "S", "", "high", "positions", "softness", "App. B 5", "support vector machine on the neighbourhood",
              softness, given="softness"),
)

"""Local yield stress at many sites: the stage's loop over configurations and sites."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hpcglass.stages.base import Context, Snapshot, Stage
from hpcglass.stages.strength.params import StrengthParams

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hpcglass.cavity.strength import Cavities, Method
    from hpcglass.core.system import System

SECONDS = 2.0           # between two safe points
PASSES = {"frozen": 2000.0, "micromechanics": 10.0}     # over the pairs of a patch, of each trial, factors included


class Strength(Stage):
    """Loads patches everywhere, or expands their stress in the strain."""

    name = "strength"
    Params = StrengthParams

    def run(self, system: System, context: Context) -> None:
        """Configuration after configuration; a safe point every few seconds."""
        import numpy as np

        from hpcglass.landscape.expansion import check_minimum
        from hpcglass.stages.strength.record import StrengthRecord

        params: StrengthParams = self.params
        context.cite("barbot2018", "patinet2016", "richard2020", *["richard-expansions"] * (params.method == "micromechanics"))
        earlier = context.earlier(params.of) if params.of else None
        places = chosen(earlier.frames, params.strains) if earlier else [(0, 0.0)]
        kept: dict[str, Any] = context.restored.scalars if context.restored else {"frame": 0, "values": np.zeros(0)}
        method = make_method(params, system.dimension)
        record = StrengthRecord(context, params, system.dimension, len(places))
        for number in range(int(kept["frame"]), len(places)):
            frame, strain = places[number]
            glass = earlier.frame(frame) if earlier else system
            check_minimum(glass)
            values = np.asarray(kept["values"]) if number == int(kept["frame"]) else np.zeros(0)
            cavities = make_cavities(params, glass)
            found = survey(context, cavities, method, values, number, len(places))
            with context.timer("moduli"):
                record.add(number, strain, glass, cavities, method, found)
            if number + 1 < len(places):
                after = partial(Snapshot, {"frame": number + 1, "values": np.zeros(0)})
                context.safe_point((number + 1) * len(found), len(places) * len(found), after, f"strain {strain:.4g}")
        if earlier:
            earlier.close()
        record.finish()
        context.reached(len(places), 0.0)

    def force_evaluations(self, particles: int) -> float:
        params: StrengthParams = self.params
        sites = particles if params.sites == "particles" and params.spacing is None else particles / (params.spacing or 2.5) ** 2
        trials = sites * max(len(params.angles), 18) * (0.25 if params.weakest else 1.0)
        return trials * PASSES[params.method] * 300.0 / (4.0 * particles)       # pairs of a patch over those of the sample

    def memory(self, particles: int, dimension: int) -> float:
        return 2000.0 * particles


def chosen(frames: list[tuple[int, float]], strains: list[float]) -> list[tuple[int, float]]:
    """(number, strain) of the frames of a loading that are looked at: all, or those nearest to the strains that are given.

    Raises
    ------
    InputError
        There are no frames.
    """
    from hpcglass.errors import InputError

    if not frames:
        raise InputError("strength: the earlier stage kept no frames; give it frames_every")
    if not strains:
        return [(number, time) for number, (_, time) in enumerate(frames)]
    numbers = [min(range(len(frames)), key=lambda k: abs(frames[k][1] - strain)) for strain in strains]
    return [(number, frames[number][1]) for number in sorted(set(numbers))]


def make_method(params: StrengthParams, dimension: int) -> Method:
    """The kernels, for the directions that are wanted."""
    from hpcglass.cavity.directions import ANGLES, Directions
    from hpcglass.cavity.micromechanics import Micromechanics
    from hpcglass.cavity.strength import Frozen

    planes: list[str] = [*params.planes] or ([params.plane_in_order] if dimension == 2 or params.weakest else [])
    angles = params.angles or [(params.loading + angle) % 180.0 for angle in ANGLES[dimension]]
    directions = Directions.usual(dimension, angles, planes)
    if params.method == "micromechanics":
        return Micromechanics(directions)
    loading = (params.plane_in_order, params.loading) if params.weakest else None
    return Frozen(directions, loading, drop=params.drop if params.until == "drop" else 0.0)


def make_cavities(params: StrengthParams, glass: System) -> Cavities:
    """Where patches are cut out. Collective."""
    from hpcglass.cavity.strength import SPACING, Cavities
    from hpcglass.cavity.surroundings import particles, spaced

    sites = None
    if params.sites == "particles":
        sites = particles(glass)
        if params.spacing is not None:
            sites = spaced(glass.box, sites, params.spacing)
    thick = params.method == "frozen"
    return Cavities.of(glass, sites, params.free, params.spacing or SPACING, params.soft, params.stiffness, thick)


def survey(context: Context, cavities: Cavities, method: Method, values: NDArray[np.float64], number: int, frames: int) -> Any:
    """(s, k, c) what the method finds at all sites; a safe point every few seconds. Collective."""
    from hpcglass.cavity.strength import Survey

    sites = Survey(context.comm, cavities, method, values if values.size else None)
    total = len(cavities.centres)
    while True:
        with context.timer("trials"):
            sites.work(SECONDS)
        done = sites.done
        if done == total:
            return sites.found()
        context.safe_point(number * total + done, frames * total, lambda: Snapshot({"frame": number, "values": sites.found()}),
                           f"{done} of {total} sites")

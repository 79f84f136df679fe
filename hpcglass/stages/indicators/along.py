"""Configurations along a loading: which ones, and how each is made again.

A loading keeps the configurations before and after each event. Every state between them lies on an elastic branch that begins
at one of those, and is reached from it by following the branch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hpcglass.core.look import Look
from hpcglass.core.system import System
from hpcglass.errors import InputError
from hpcglass.geometries.periodic import deformation, simple_shear
from hpcglass.moves.quasistatic.choice import without_factors
from hpcglass.moves.relax import paced
from hpcglass.stages.base import Earlier
from hpcglass.stages.indicators.params import SAME, AlongParams
from hpcglass.stages.shear.params import ShearParams
from hpcglass.stages.shear.steps import Movers

KINDS = ("strain", "onset", "before", "affine", "nonaffine")        # `kind` of a configuration is its number here
LONGEST = 16            # steps of the loading that a branch is followed at once
COLUMNS = {
    "kind": ("", "0 at a strain, 1 onset of an event, 2 a strain before one, 3 as cast and moved affinely to the first event, "
                 "4 the same and nonaffinely"),
    "event": ("", "number of the event, a row of the loading's table from 1; 0: of none"),
    "strain": ("", "strain of the configuration"),
    "distance": ("", "strain from there to the event's instability; NaN: of none")}


@dataclass(frozen=True)
class Place:
    """One configuration.

    kind : number in KINDS
    event : number of the event it belongs to, from 1; 0 if to none
    strain : where it is
    distance : strain from there to the event's instability, NaN if it belongs to none
    """

    kind: int
    event: int
    strain: float
    distance: float

    @property
    def row(self) -> dict[str, float]:
        """A row of the table."""
        return {"kind": self.kind, "event": self.event, "strain": self.strain, "distance": self.distance}

    @property
    def moved(self) -> bool:
        """Not a minimum: positions alone tell something."""
        return self.kind >= KINDS.index("affine")


class Loading:
    """The loading of an earlier stage.

    Parameters
    ----------
    files : what that stage has left
    params : which configurations
    look : called now and then, while a branch is followed; may end that by an exception
    """

    def __init__(self, files: Earlier, params: AlongParams, look: Look) -> None:
        assert isinstance(files.params, ShearParams)
        self.files, self.params, self.look, self.keys = files, params, look, files.params
        self.step = self.keys.strain_step
        self.strain: NDArray[np.float64] = files.table("loading")["strain"]

    # ------------------------------------------------------------------ which

    @cached_property
    def events(self) -> list[tuple[int, int, float]]:
        """(number from 1, step, strain of the instability) of the events that are looked at: located, and not too small."""
        table = self.files.table("events")
        located = np.isfinite(table["gamma_c"]) & (table["energy_drop"] >= self.params.least_energy)
        chosen = np.flatnonzero(located)[: self.params.events or None]
        return [(int(k) + 1, int(table["step"][k]), float(table["gamma_c"][k])) for k in chosen]

    def places(self) -> list[Place]:
        """All configurations that are asked for, in order."""
        return list(self._places())

    def _places(self) -> Iterator[Place]:
        params, none = self.params, float("nan")
        for strain in params.strains:
            if strain > self.strain[-1] + SAME * self.step:
                raise InputError(f"strains: {strain:g} is beyond the end of the loading, {self.strain[-1]:g}")
            yield Place(KINDS.index("strain"), 0, strain, none)
        for number, step, critical in self.events if params.onsets or params.before_events else ():
            onset = float(self.strain[step - 1])
            if params.onsets:
                yield Place(KINDS.index("onset"), number, onset, critical - onset)
            for distance in params.before_events:
                if critical - distance >= 0.0:
                    yield Place(KINDS.index("before"), number, critical - distance, distance)
        if params.moved and self.events:
            number, _, critical = self.events[0]
            for kind in ("affine", "nonaffine"):
                yield Place(KINDS.index(kind), number, critical, 0.0)

    # ------------------------------------------------------------------ how

    def configuration(self, place: Place) -> System:
        """The configuration at a place, up to date. Collective. Raises PhysicsError if no minimum is reached."""
        if place.moved:
            return self._moved(place.strain, KINDS[place.kind] == "nonaffine")
        slack = SAME * self.step
        known = [(strain, number) for number, (_, strain) in enumerate(self.files.frames) if strain <= place.strain + slack]
        strain, number = max(known, default=(0.0, -1))
        system = self.files.frame(number) if number >= 0 else self.files.start()
        self._relax(system)
        if place.strain - strain > slack:
            self._follow(system, strain, place.strain)
        return system

    def _movers(self, system: System) -> Movers:
        """What relaxes a system, and takes it along the loading: on elastic branches where there are factors for that."""
        keys = self.keys
        return Movers(not without_factors(), simple_shear(system.dimension, keys.plane), keys.algorithm, keys.force_tolerance,
                      keys.max_evaluations, self.look)

    def _relax(self, system: System) -> None:
        self._movers(system).relax(system, paced(system, self.look), None)

    def _moved(self, strain: float, nonaffinely: bool) -> System:
        """The glass as cast, mapped affinely to a strain, and its particles moved on by strain times their nonaffine velocity."""
        from hpcglass.indicators.glass import Choices, Glass

        system = self.files.start()
        self._relax(system)
        velocity = Glass(system, Choices(self.keys.plane)).velocity if nonaffinely else None
        system.deform(deformation(simple_shear(system.dimension, self.keys.plane), strain))
        if velocity is not None:
            system.move(velocity, strain)
        system.update()
        return system

    def _follow(self, system: System, strain: float, target: float) -> None:
        """Along the elastic branch, in steps as long as it allows; past events too small for the table."""
        mover, longest = self._movers(system)(system), self.step * (1 if without_factors() else LONGEST)
        size = longest
        while target - strain > SAME * self.step:
            size = min(size, target - strain)
            if mover.advance(size) is None:
                if size > self.step / LONGEST:
                    size *= 0.5
                    continue
                mover.fall(size)
            strain += size
            size = min(2.0 * size, longest)
        mover.finish()

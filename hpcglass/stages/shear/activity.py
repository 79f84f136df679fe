"""Where plasticity happens along a loading: who rearranged between one record and the next, how often, and whether in a band.

A particle is *active* in an interval of strain if its D^2_min between the two ends exceeds a threshold. The number of such
intervals since the start is its plastic activity; P(x) is the mean of it in slabs of the cell (`hpcglass.numbers.bands`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core.comm import total
from hpcglass.geometries.periodic import AXES, deformation
from hpcglass.landscape.nonaffine import d2min
from hpcglass.numbers import bands
from hpcglass.stages.base import Context
from hpcglass.stages.shear.loading import Step
from hpcglass.stages.shear.params import ShearParams

if TYPE_CHECKING:
    from hpcglass.core.system import System
    from hpcglass.stages.protocol import Walk

Floats = NDArray[np.float64]
BEFORE, COUNT, FIRST = "at the last record", "activity", "first activity"      # names in system.fields
COLUMNS = {
    "strain": ("", "strain at the end of the interval"),
    "active": ("", "share of particles that were active in the interval"),
    "ever_active": ("", "share of particles that were active at least once"),
    "events": ("", "plastic events per particle since the start"),
    "d2min": ("length^2", "mean D2min of the interval"),
    "band": ("", "shear band: 0 none, 1 normal to the gradient, 2 normal to the velocity (pure shear: diagonals)"),
    "across": ("", "the more localised profile, 1 or 2; it has the next three numbers"),
    "position": ("length", "where it is largest, along its normal"),
    "width": ("length", "its width w"),
    "localisation": ("", "period of the cell over w")}
PROFILE = {"strain": ("", "strain"), "x": ("length", "distance from the band"), "activity": ("", "plastic events per particle")}


def normals(mode: str, plane: str, dimension: int) -> NDArray[np.int64]:
    """(2, d) reciprocal lattice vectors m of the two families of planes in which bands may lie: x = m . s with fractional s.

    Planes normal to the gradient b (bands along the shear), and normal to a; in pure shear the diagonals of the cell, b - a and
    a + b.
    """
    a, b = (np.eye(dimension, dtype=np.int64)[AXES.index(axis)] for axis in plane)
    return np.array([b - a, a + b]) if mode == "pure" else np.array([b, a])


class Activity:
    """Records the plastic activity of one loading, every so many whole steps.

    Counters and earlier positions live in `system.fields`, so that they move with the particles.

    Parameters
    ----------
    gradient : (d, d) velocity gradient A
    walk : says where whole steps end
    scalars : of an interrupted run
    """

    def __init__(self, system: System, context: Context, gradient: Floats, params: ShearParams, walk: Walk,
                 scalars: dict[str, Any] | None = None) -> None:
        self.system, self.context, self.gradient, self.params, self.walk = system, context, gradient, params, walk
        self.every = max(1, round(params.activity_every / abs(params.strain_step)))
        self.last = float(scalars["activity strain"]) if scalars else 0.0
        self.normals = normals(params.mode, params.plane, system.dimension)
        self.table, self.profile = context.table("activity", **COLUMNS), context.table("band_profile", **PROFILE)
        if scalars is None:
            system.fields |= {BEFORE: system.unwrapped(), COUNT: np.zeros(system.n_owned, dtype=np.int32),
                              FIRST: np.full(system.n_owned, np.nan)}

    @property
    def scalars(self) -> dict[str, Any]:
        """Numbers that `__init__` takes to go on."""
        return {"activity strain": self.last}

    def before(self) -> None:
        """Nothing to keep."""

    def after(self, step: Step) -> None:
        """Record if an interval ends with the step. Collective."""
        if self.walk.between or self.walk.whole_steps % self.every:
            return
        with self.context.timer("activity"):
            self._record(step.state.strain)

    def _record(self, strain: float) -> None:
        system, fields = self.system, self.system.fields
        field = d2min(system, fields[BEFORE], deformation(self.gradient, strain - self.last))
        active = field > self.params.activity_threshold
        fields[FIRST] = np.where(active & (fields[COUNT] == 0), strain, fields[FIRST])
        fields[COUNT] = fields[COUNT] + active.astype(np.int32)
        if self.params.activity_reference == "previous":
            fields[BEFORE], self.last = system.unwrapped(), strain
        sums = np.array([active.sum(), (fields[COUNT] > 0).sum(), fields[COUNT].sum(), field.sum()], dtype=np.float64)
        share = total(system.comm, sums) / system.n_total
        profiles, periods = self._profiles()
        band = bands.band(profiles, periods)
        self.table.append(strain=strain, active=share[0], ever_active=share[1], events=share[2], d2min=share[3],
                          band=band.orientation, across=band.across, position=band.position, width=band.width,
                          localisation=band.localisation)
        k = band.across - 1
        for x, activity in zip(*bands.centred(profiles[k], band.position, periods[k]), strict=True):
            self.profile.append(strain=strain, x=x, activity=activity)

    def _profiles(self) -> tuple[list[Floats], list[float]]:
        """P of the two families of planes, from the first slab of the cell on, and their periods. Collective."""
        system = self.system
        inverse = np.linalg.inv(system.box)
        spacing = (system.volume / system.n_total) ** (1 / system.dimension)
        profiles, periods = [], []
        for normal in self.normals @ inverse:
            period = 1 / float(np.linalg.norm(normal))
            count = max(1, round(period / (self.params.activity_bin * spacing)))
            number, weight = total(system.comm, bands.slabs(system.position @ normal, system.fields[COUNT], count))
            profiles.append(weight / np.maximum(number, 1))
            periods.append(period)
        return profiles, periods

    def finish(self, strain: float) -> None:
        """Store the counters. Collective."""
        fields = self.system.fields
        fields.pop(BEFORE)
        self.context.field("activity", fields.pop(COUNT), "", "number of intervals in which the particle was active")
        self.context.field("first_activity", fields.pop(FIRST), "", "strain at the end of the first of them; NaN if never")

"""Quasistatic loading of an elasto-plastic lattice.

No particles, only blocks that yield and the stress they send to each other.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from hpcglass.stages.base import Context, Snapshot, Stage
from hpcglass.stages.lattice_params import LatticeParams, SlipParams
from hpcglass.stages.protocol import Walk, legs

if TYPE_CHECKING:
    from hpcglass.core.system import System

LINES_AT_ONCE = 2 * 10**6       # an avalanche takes about L of them; a second or so between two safe points
BYTES_PER_SITE = 100.0          # fields, kernel, transforms


class EpmParams(LatticeParams):
    """An elasto-plastic model on a square lattice, loaded quasistatically: no [system] is needed."""

    kind: Literal["epm"] = "epm"
    slip: SlipParams = Field(description="how far a site slips")
    max_strain: float = Field(gt=0, description="largest |strain| to reach")
    turning_points: list[float] = Field([], description="strains to visit in turn, within max_strain; default: just max_strain")
    cycles: int = Field(0, ge=0, le=10_000, description="cycles 0, A, -A, 0 with A = max_strain")
    record_every: float = Field(1e-3, gt=0, description="strain between two rows of the tables")
    fields_at: list[float] = Field([], description="keep the fields of stress, plastic strain, events and thresholds, and the "
                                   "profile of a band, where the loading first reaches these strains")
    windows: list[float] = Field([], description="a new histogram of avalanches from each of these strains on; with turning "
                                 "points or cycles, of the strain covered")
    avalanche_rows: int = Field(1000, ge=0, le=10**7, description="so many avalanches, the first ones, get a row of their own")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.turning_points and self.cycles:
            raise ValueError("give turning_points or cycles, not both")
        points = [0.0, *self.turning_points]
        if any(a == b for a, b in pairwise(points)):
            raise ValueError(f"turning_points {self.turning_points} must differ from one to the next, and the first one from 0")
        for name in ("turning_points", "fields_at"):
            if any(abs(point) > self.max_strain for point in getattr(self, name)):
                raise ValueError(f"{name} {getattr(self, name)} go beyond max_strain = {self.max_strain:g}")
        if self.record_every > self.max_strain:
            raise ValueError(f"record_every = {self.record_every:g} is more than max_strain = {self.max_strain:g}")
        if any(b <= a for a, b in pairwise([0.0, *self.windows])):
            raise ValueError(f"windows {self.windows} must be > 0 and in order")
        return self

    @property
    def walk(self) -> list[Any]:
        """Legs of the loading, in steps of `record_every`."""
        return legs(self.max_strain, self.record_every, self.turning_points, self.cycles)


class Epm(Stage):
    """Loads the lattice from record to record."""

    name = "epm"
    Params = EpmParams
    needs_system = False

    def run(self, system: System | None, context: Context) -> None:
        from hpcglass.epm import Lattice
        from hpcglass.stages.epm_record import LatticeRecord

        params: EpmParams = self.params
        context.cite("richard-expansions", "tyukodi2023")
        model = params.model(context.comm, context.seed, params.slip.build())
        kept = context.restored
        scalars = kept.scalars if kept else {}
        if kept:
            own = {name[8:]: value for name, value in scalars.items() if name.startswith("lattice ")}
            lattice = Lattice.from_state(context.comm, model, own, kept.ids, kept.fields)
        else:
            with context.timer("start"):
                lattice = Lattice(context.comm, model)
        walk = Walk(params.walk, None, scalars if kept else None)
        record = LatticeRecord(context, params, lattice, scalars if kept else None)

        def snapshot() -> Snapshot:
            own, rows = lattice.state()
            return Snapshot({**walk.scalars, **record.scalars, **{f"lattice {name}": value for name, value in own.items()}},
                            rows, lattice.sites)

        at_most = max(1, LINES_AT_ONCE // lattice.size)
        if not kept:
            record.row(0.0)
        while not walk.done:
            target = walk.ahead
            with context.timer("avalanches"):
                record.avalanches(lattice.load(target, at_most), walk)
            if lattice.strain == target:
                walk.advance()
                with context.timer("records"):
                    record.row(covered(walk))
            if not walk.done:
                context.safe_point(walk.whole_steps, walk.total, snapshot, record.note)
        record.finish()
        context.reached(walk.total, walk.strain)

    def memory(self, particles: int, dimension: int) -> float:
        params: EpmParams = self.params
        return BYTES_PER_SITE * params.size**2

    def frames(self) -> int:
        params: EpmParams = self.params
        return len(params.fields_at)


def covered(walk: Walk) -> float:
    """Strain covered so far, turns and returns included."""
    path = [abs(leg.step) * leg.steps for leg in walk.path[: walk.leg]]
    return sum(path) + (0.0 if walk.done else walk.place * abs(walk.path[walk.leg].step) / walk.units)

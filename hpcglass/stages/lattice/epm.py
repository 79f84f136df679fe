"""Quasistatic loading of an elasto-plastic lattice.

No particles, only blocks that yield and the stress they send to each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpcglass.stages.base import Context, Snapshot, Stage
from hpcglass.stages.lattice.params import EpmParams
from hpcglass.stages.protocol import Walk

if TYPE_CHECKING:
    from hpcglass.core.system import System

LINES_AT_ONCE = 2 * 10**6       # an avalanche takes about L of them; a second or so between two safe points
BYTES_PER_SITE = 100.0          # fields, kernel, transforms


class Epm(Stage):
    """Loads the lattice from record to record."""

    name = "epm"
    Params = EpmParams
    needs_system = False

    def run(self, system: System | None, context: Context) -> None:
        from hpcglass.epm import Lattice
        from hpcglass.stages.lattice.record import LatticeRecord

        params: EpmParams = self.params
        context.cite("richard-expansions", "tyukodi2023")
        model = params.model(context, params.slip.build(context))
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
        context.end_point(snapshot())
        record.finish()
        if params.compare is not None:
            record.beside(params.compare)
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

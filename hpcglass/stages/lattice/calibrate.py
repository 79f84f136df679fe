"""Fit of the slips of an elasto-plastic lattice to the plateau, or to plateau and peak, of the loading curve of a glass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpcglass.stages.base import Context, Snapshot, Stage
from hpcglass.stages.lattice.params import CalibrateParams

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hpcglass.core.system import System
    from hpcglass.epm import Model, Slip
    from hpcglass.epm.loading import Protocol

AT_ONCE = 4                     # samples of each rank between two safe points
BYTES_PER_SITE = 100.0          # of a lattice, one on each rank


class Ledger:
    """Stress of all samples that were loaded so far, in the order in which the search asked for them.

    The search depends on nothing else: resumed, it asks again for the same samples, and finds the first ones here.
    """

    def __init__(self, context: Context, model: Model, protocol: Protocol) -> None:
        import numpy as np

        self.context, self.model, self.protocol = context, model, protocol
        kept = context.restored
        shape = (-1, len(protocol.strain))
        self.rows = np.asarray(kept.scalars["stress"], dtype=np.float64).reshape(shape) if kept else np.empty((0, shape[1]))
        self.used = 0

    def __call__(self, slip: Slip, first: int, count: int) -> NDArray[np.float64]:
        """Stress (count, points) of samples first, first + 1, ... Collective."""
        from dataclasses import replace

        import numpy as np

        from hpcglass.epm.loading import load_samples

        model, begin = replace(self.model, slip=slip), self.used
        note = f"c0 = {slip.c0:.4g}, c1 = {slip.c1:.4g}"
        self.used += count
        while (missing := self.used - len(self.rows)) > 0:
            number = min(missing, AT_ONCE * self.context.comm.size)
            with self.context.timer("samples"):
                new = load_samples(self.context.comm, model, self.protocol.strain, first + count - missing, number)
            self.rows = np.concatenate([self.rows, new])
            self.context.safe_point(len(self.rows), 0, lambda: Snapshot({"stress": self.rows}), note)
        return self.rows[begin: self.used]


class Calibrate(Stage):
    """Fits the slips, then reports them with what they predict."""

    name = "calibrate"
    Params = CalibrateParams
    needs_system = False

    def run(self, system: System | None, context: Context) -> None:
        from hpcglass.epm import Slip
        from hpcglass.epm.calibration import Calibration, Unknowns
        from hpcglass.epm.kernel import effective_modulus
        from hpcglass.epm.loading import Protocol
        from hpcglass.stages.lattice.report import store, words
        from hpcglass.stages.lattice.target import read_target

        params: CalibrateParams = self.params
        context.cite("tyukodi2023", "richard-expansions")
        protocol = Protocol(params.max_strain, params.record_every, params.plateau_from, params.window)
        target = read_target(context, params.target, protocol)
        model = params.model(context, Slip.fixed(1.0))
        renewed = model.renewing
        unknowns = Unknowns(params.fit, renewed.mean**2 + renewed.variance)
        ledger = Ledger(context, model, protocol)
        search = Calibration(ledger, protocol, unknowns, target, params.accuracy, params.samples, params.most_samples)
        fit = search.run(params.start or 0.5 * renewed.mean / effective_modulus(model.modulus, model.bulk_modulus))
        store(context, params, search, fit)
        context.log(words(params, fit))
        context.reached(fit.evaluations, params.max_strain)

    def memory(self, particles: int, dimension: int) -> float:
        params: CalibrateParams = self.params
        points = params.max_strain / params.record_every
        return BYTES_PER_SITE * params.size**2 + 8.0 * points * 10 * params.most_samples



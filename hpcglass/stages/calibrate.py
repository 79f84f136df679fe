"""Fit of the slips of an elasto-plastic lattice to the plateau, or to plateau and peak, of the loading curve of a glass."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from hpcglass.stages.base import Context, Snapshot, Stage
from hpcglass.stages.lattice_params import LatticeParams, Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hpcglass.core.system import System
    from hpcglass.epm import Model, Slip
    from hpcglass.epm.loading import Protocol

AT_ONCE = 4                     # samples of each rank between two safe points
BYTES_PER_SITE = 100.0          # of a lattice, one on each rank


class TargetParams(Table):
    """What the lattice shall reproduce: numbers, or runs of a glass, whose curves are measured as those of the lattice are."""

    plateau: float | None = Field(None, description="mean stress beyond plateau_from [stress]")
    plateau_error: float = Field(0.0, ge=0, description="its standard error [stress]")
    peak: float | None = Field(None, description="largest mean stress before plateau_from [stress]")
    peak_error: float = Field(0.0, ge=0, description="its standard error [stress]")
    runs: list[str] = Field([], description="instead: run directories, of one sample or an ensemble, or stage files, with a "
                            "loading curve; relative to the input")
    stage: str | None = Field(None, description="label of that stage; default: the one that was loaded")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.plateau is None) == (not self.runs):
            raise ValueError("give either plateau (and peak), or runs")
        if self.runs and (self.peak is not None or self.plateau_error or self.peak_error):
            raise ValueError("with runs plateau, peak and their errors are measured: leave them out")
        if self.stage is not None and not self.runs:
            raise ValueError("stage belongs to runs")
        if self.peak is None and self.peak_error:
            raise ValueError("peak_error without a peak")
        if self.peak is not None and self.plateau is not None and self.peak < self.plateau:
            raise ValueError(f"peak = {self.peak:g} is below plateau = {self.plateau:g}")
        return self


class CalibrateParams(LatticeParams):
    """Slips of an elasto-plastic lattice from a loading curve: no [system] is needed."""

    kind: Literal["calibrate"] = "calibrate"
    fit: Literal["fixed", "c0", "c0_c1"] = Field(
        description='what to look for: "fixed", the one slip of all sites; "c0", the mean of exponential slips; "c0_c1", that '
                    'mean as c0 + c1 sigma_c^2, which needs a peak')
    target: TargetParams = Field(description="what to reproduce")
    max_strain: float = Field(gt=0, description="strain up to which samples are loaded")
    record_every: float = Field(0.005, gt=0, description="strain between two points of a curve")
    plateau_from: float = Field(gt=0, description="the plateau begins here, and peaks are looked for before")
    window: float = Field(0.02, ge=0, description="strain over which the mean curve is averaged before its peak is looked for")
    start: float | None = Field(None, gt=0, description="mean slip to begin with; default: from threshold and modulus")
    accuracy: float = Field(0.005, gt=0, description="relative error of the lattice's plateau (and peak) to be reached")
    samples: int = Field(16, ge=4, description="samples to begin with, for each trial slip")
    most_samples: int = Field(400, ge=4, description="samples at most, for each trial slip")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.fit == "c0_c1" and self.target.peak is None and not self.target.runs:
            raise ValueError('fit = "c0_c1" needs target.peak')
        if not self.record_every <= self.plateau_from <= self.max_strain - self.record_every:
            raise ValueError(f"plateau_from = {self.plateau_from:g} must leave a step record_every = {self.record_every:g} "
                             f"before it, and one after it up to max_strain = {self.max_strain:g}")
        if self.window > self.plateau_from:
            raise ValueError(f"window = {self.window:g} is wider than what is before plateau_from = {self.plateau_from:g}")
        if self.samples > self.most_samples:
            raise ValueError(f"samples = {self.samples} is more than most_samples = {self.most_samples}")
        if self.initial.as_map and self.start is None:
            raise ValueError("with a map of thresholds give a mean slip to start with")
        return self

    def beside(self, folder: Path) -> Self:
        found = super().beside(folder)
        paths = [(folder / run).resolve() for run in self.target.runs]
        for path in paths:
            if not path.exists():
                raise FileNotFoundError("target.runs", path)
        return found.model_copy(update={"target": self.target.model_copy(update={"runs": [str(path) for path in paths]})})


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
        from hpcglass.stages.calibrate_report import store, words
        from hpcglass.stages.calibrate_target import read_target

        params: CalibrateParams = self.params
        context.cite("tyukodi2023", "richard-expansions")
        protocol = Protocol(params.max_strain, params.record_every, params.plateau_from, params.window)
        target = read_target(context.comm, params.target, protocol)
        model = params.model(context.comm, context.seed, Slip.fixed(1.0))
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


def toml(value: Any) -> str:
    """A value of an input as it is written there."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, bool):
        return str(value).lower()
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' if isinstance(value, str) else f"{value:.10g}"

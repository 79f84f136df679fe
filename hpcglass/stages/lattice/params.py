"""Keys of an elasto-plastic lattice model in an input, and the model that they describe."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hpcglass.stages.base import StageParams
from hpcglass.stages.protocol import legs, no_longer, whole_steps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hpcglass.epm import Distribution, Model, Slip

SHAPES: dict[str, tuple[str, str]] = {
    "normal": ("mean", "std"), "weibull": ("shape", "scale"), "gamma": ("shape", "scale")}
LARGEST = 16_384            # L
MOST_ROWS = 10**7           # of a table


class Table(BaseModel):
    """A table inside a stage."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ThresholdParams(Table):
    """Distribution of local yield stresses: a named one, by mean and cv or by its own two numbers; or the values in a file."""

    distribution: Literal["normal", "weibull", "gamma"] | None = Field(
        None, description="named distribution: normal (mean, std), weibull or gamma (shape, scale), "
                          "or any of them by mean and cv")
    mean: float | None = Field(None, description="mean, before it is cut to [lower, upper] [stress]")
    cv: float | None = Field(None, gt=0, description="coefficient of variation, std/mean")
    std: float | None = Field(None, gt=0, description="standard deviation of a normal distribution [stress]")
    shape: float | None = Field(None, gt=0, description="shape of a Weibull or gamma distribution")
    scale: float | None = Field(None, gt=0, description="scale of a Weibull or gamma distribution [stress]")
    lower: float | None = Field(
        None, description="nothing below this: a truncated distribution; default for `normal`: 0 [stress]")
    upper: float | None = Field(None, description="nothing above this [stress]")
    file: str | None = Field(None, description="values from an HDF5 or a CSV file instead, relative to the input")
    column: str | None = Field(None, description="dataset of the HDF5 file, or name of the column of the CSV file")
    as_map: bool = Field(False, description="the values are those of the L x L sites, in rows of equal y; not a sample")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = {name for name in ("mean", "cv", "std", "shape", "scale") if getattr(self, name) is not None}
        if (self.distribution is None) == (self.file is None):
            raise ValueError("give either a distribution or a file")
        if self.distribution is None:
            if given or self.lower is not None or self.upper is not None:
                raise ValueError("values from a file have no mean, cv, std, shape, scale, lower or upper")
            if self.column is None:
                raise ValueError("column is missing: the dataset of an HDF5 file, or the name of a column of a CSV file")
            return self
        if self.column is not None or self.as_map:
            raise ValueError("column and as_map belong to values from a file")
        own = SHAPES[self.distribution]
        if given not in ({"mean", "cv"}, set(own)):
            raise ValueError(f"{self.distribution} needs either mean and cv, or {own[0]} and {own[1]}")
        if "cv" in given and not (self.mean or 0.0) > 0:
            raise ValueError("with cv the mean must be > 0")
        if self.upper is not None and not (self.lower or 0.0) < self.upper:
            raise ValueError("must have lower < upper")
        return self

    def build(self, comm: Any) -> Distribution | NDArray[np.float64]:
        """The distribution, or a map (L, L). Collective.

        Raises
        ------
        InputError
            A file that cannot be read.
        """
        from hpcglass import epm

        if self.distribution is not None:
            lower = 0.0 if self.distribution == "normal" and self.lower is None else self.lower
            return epm.named(self.distribution, mean=self.mean, cv=self.cv, std=self.std, shape=self.shape, scale=self.scale,
                             lower=lower, upper=self.upper)
        from hpcglass.stages.lattice.files import read_numbers

        assert self.file is not None and self.column is not None
        values = read_numbers(comm, Path(self.file), self.column)
        return values if self.as_map else epm.sample(values.ravel())


class SlipParams(Table):
    """How far a site slips, as a component of the strain tensor:
    always by `fixed`, or exponential with mean c0 + c1 sigma_c^2.
    """

    fixed: float | None = Field(None, gt=0, description="epsilon_pl of each slip")
    c0: float | None = Field(None, ge=0, description="mean of the exponential distribution; the part that all thresholds share")
    c1: float = Field(0.0, ge=0, description="the part that grows with the threshold sigma_c that was overcome [1/stress^2]")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.fixed is None) == (self.c0 is None):
            raise ValueError("give either fixed, or c0 (and c1)")
        if self.fixed is not None and self.c1:
            raise ValueError("a fixed slip has no c1")
        if self.c0 == 0 and not self.c1:
            raise ValueError("c0 = c1 = 0: nothing would slip")
        return self

    def build(self) -> Slip:
        """The rule."""
        from hpcglass import epm

        return epm.Slip.fixed(self.fixed) if self.fixed is not None else epm.Slip.exponential(self.c0 or 0.0, self.c1)


class LatticeParams(StageParams):
    """An elasto-plastic model on a square lattice; all but the slips."""

    size: int = Field(ge=2, le=LARGEST, description="L: there are L x L sites")
    shear_modulus: float = Field(gt=0, description="mu [stress]")
    bulk_modulus: float | None = Field(None, gt=0, description="K; default: incompressible [stress]")
    initial: ThresholdParams = Field(description="thresholds at the start")
    renewal: ThresholdParams | None = Field(
        None, description="thresholds of sites that have slipped (rejuvenation); default: as the initial ones")
    backward: ThresholdParams | None = Field(
        None, description="thresholds of slips in the other direction, needed for cycles; default: none slip that way")
    renewed_modulus: float | None = Field(
        None, gt=0, description="shear modulus of sites that have slipped; default: mu stays as it is [stress]")
    internal_stress: float = Field(
        0.0, ge=0, description="standard deviation of the stress at the start, in equilibrium [stress]")
    orientation: Literal["simple", "pure"] = Field(
        "simple", description="shear with the axes of the lattice: bands along them; or at 45 degrees to them")
    wave_vectors: Literal["continuum", "lattice"] = Field(
        "continuum", description="those of the kernel, or of the lattice Laplacian")
    dynamics: Literal["synchronous", "asynchronous"] = Field(
        "synchronous", description="all unstable sites slip at once, or the weakest one, one after the other")

    @model_validator(mode="after")
    def _renewal_of_a_map(self) -> Self:
        for name, table in (("initial", self.initial), ("renewal", self.renewal), ("backward", self.backward)):
            if table is not None and table.as_map and (name != "initial" or self.renewal is None):
                raise ValueError("initial.as_map needs a renewal: new thresholds cannot come from a map" if name == "initial" else
                                 f"{name} cannot be a map: new thresholds come from it")
        return self

    def beside(self, folder: Path) -> Self:
        found = {}
        for name in ("initial", "renewal", "backward"):
            table = getattr(self, name)
            if table is not None and table.file is not None:
                path = (folder / table.file).resolve()
                if not path.is_file():
                    raise FileNotFoundError(f"{name}.file", path)
                found[name] = table.model_copy(update={"file": str(path)})
        return self.model_copy(update=found)

    def model(self, comm: Any, seed: int, slip: Slip) -> Model:
        """The model. Collective: files may have to be read.

        Raises
        ------
        InputError
            A file cannot be read, or numbers do not fit together.
        """
        from hpcglass.epm import Model

        return Model(
            size=self.size, modulus=self.shear_modulus, thresholds=self.initial.build(comm), slip=slip,
            renewal=self.renewal and self.renewal.build(comm),  # type: ignore[arg-type]
            bulk_modulus=self.bulk_modulus or float("inf"),
            renewed_modulus=self.renewed_modulus, internal_stress=self.internal_stress,
            backward=self.backward and self.backward.build(comm),  # type: ignore[arg-type]
            shear=self.orientation, wave_vectors=self.wave_vectors,
            order="synchronous" if self.dynamics == "synchronous" else "weakest", seed=seed)


def few_rows(params: Any, rows: float) -> None:
    """Raise ValueError for a table that is too long."""
    if rows > MOST_ROWS:
        raise ValueError(f"record_every = {params.record_every:g} makes {rows:.3g} rows up to max_strain = "
                         f"{params.max_strain:g}, more than {MOST_ROWS:g}")


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

    GROWS: ClassVar[tuple[str, ...]] = ("max_strain", "cycles", "fields_at", "windows")

    def no_longer(self, old: Self) -> str:
        covered = old.max_strain * (4 * old.cycles or 1)
        for name, past in (("fields_at", old.max_strain), ("windows", covered)):
            before, now = getattr(old, name), getattr(self, name)
            if now[: len(before)] != before or any(strain <= past for strain in now[len(before):]):
                return f"{name} = {before} may be continued only by strains beyond {past:g}, where the loading that was made ends"
        return no_longer(self, old)

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
        few_rows(self, whole_steps(self.max_strain, self.record_every, self.turning_points, self.cycles))
        if self.record_every > self.max_strain:
            raise ValueError(f"record_every = {self.record_every:g} is more than max_strain = {self.max_strain:g}")
        if any(b <= a for a, b in pairwise([0.0, *self.windows])):
            raise ValueError(f"windows {self.windows} must be > 0 and in order")
        return self

    @property
    def walk(self) -> list[Any]:
        """Legs of the loading, in steps of `record_every`."""
        return legs(self.max_strain, self.record_every, self.turning_points, self.cycles)


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
        few_rows(self, whole_steps(self.max_strain, self.record_every, [], 0))
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

"""Keys of an elasto-plastic lattice model in an input, and the model that they describe."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from hpcglass.stages.base import Reference, StageParams
from hpcglass.stages.lattice.tables import SlipParams, Table, ThresholdParams
from hpcglass.stages.protocol import legs, no_longer, whole_steps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hpcglass.epm import Model, Slip
    from hpcglass.stages.base import Context

LARGEST = 16_384            # L
MOST_ROWS = 10**7           # of a table


class LatticeParams(StageParams):
    """An elasto-plastic model on a square lattice; all but the slips."""

    size: int = Field(ge=2, le=LARGEST, description="L: there are L x L sites")
    shear_modulus: float | None = Field(None, gt=0, description="mu [stress]; default: that of the glass of `initial`")
    bulk_modulus: float | Literal["glass"] | None = Field(
        None, description='K; default: incompressible [stress]; "glass": that of the glass of `initial`')
    initial: ThresholdParams = Field(description="thresholds at the start")
    renewal: ThresholdParams | None = Field(
        None, description="thresholds of sites that have slipped (rejuvenation); default: as the initial ones")
    backward: ThresholdParams | None = Field(
        None, description="thresholds of slips in the other direction, needed for cycles; default: none slip that way")
    renewed_modulus: float | Literal["glass"] | None = Field(
        None, description='shear modulus of sites that have slipped; default: mu stays as it is [stress]; "glass": that of the '
                          'glass of `renewal`')
    local_moduli: bool = Field(False, description="moduli block by block, those of the glass of `initial`, with as_map")
    internal_stress: float | Literal["glass", "map"] = Field(
        0.0, description='standard deviation of the stress at the start, in equilibrium [stress]; "glass": that of the blocks of '
                         'the glass of `initial`; "map": their stress itself, block by block, less its mean')
    orientation: Literal["simple", "pure"] = Field(
        "simple", description="shear with the axes of the lattice: bands along them; or at 45 degrees to them")
    wave_vectors: Literal["continuum", "lattice"] = Field(
        "continuum", description="those of the kernel, or of the lattice Laplacian")
    dynamics: Literal["synchronous", "asynchronous"] = Field(
        "synchronous", description="all unstable sites slip at once, or the weakest one, one after the other")

    @model_validator(mode="after")
    def _renewal_of_a_map(self) -> Self:
        for name in ("bulk_modulus", "renewed_modulus"):
            value = getattr(self, name)
            if isinstance(value, float | int) and not value > 0:
                raise ValueError(f"{name} = {value:g} must be greater than 0")
        if isinstance(self.internal_stress, float | int) and self.internal_stress < 0:
            raise ValueError(f"internal_stress = {self.internal_stress:g} must not be negative")
        self._from_a_glass()
        for name, table in (("initial", self.initial), ("renewal", self.renewal), ("backward", self.backward)):
            if table is not None and table.as_map and (name != "initial" or self.renewal is None):
                raise ValueError("initial.as_map needs a renewal: new thresholds cannot come from a map" if name == "initial" else
                                 f"{name} cannot be a map: new thresholds come from it")
        return self

    def _from_a_glass(self) -> None:
        """Raise ValueError where a number shall come from a glass and there is none."""
        atoms, renewed = self.initial.glass is not None, self.renewal is not None and self.renewal.glass is not None
        if self.shear_modulus is None and not atoms:
            raise ValueError("shear_modulus is missing: only with a glass in `initial` it is known")
        for name, value, there, where in (
                ("bulk_modulus", self.bulk_modulus, atoms, "initial"),
                ("renewed_modulus", self.renewed_modulus, renewed, "renewal"),
                ("internal_stress", self.internal_stress, atoms, "initial")):
            if isinstance(value, str) and not there:
                raise ValueError(f'{name} = "{value}" needs {where}.glass')
        if (self.local_moduli or self.internal_stress == "map") and not (atoms and self.initial.as_map):
            raise ValueError("local_moduli and internal_stress = \"map\" need initial.glass with as_map = true")
        if self.local_moduli and self.renewed_modulus is None:
            raise ValueError("local_moduli need a renewed_modulus: what sites have that slipped")

    def beside(self, folder: Path) -> Self:
        from hpcglass.stages.lattice.labels import is_label

        found = {}
        for name in ("initial", "renewal", "backward"):
            table = getattr(self, name)
            for key in ("file", "glass"):
                given = getattr(table, key, None)
                if given is None or (key == "glass" and is_label(given)):
                    continue
                path = (folder / given).resolve()
                if not (path.is_file() if key == "file" else path.exists()):
                    raise FileNotFoundError(f"{name}.{key}", path)
                found[name] = table.model_copy(update={key: str(path)})
        return self.model_copy(update=found)

    def references(self) -> list[Reference]:
        from hpcglass.stages.lattice.labels import is_label

        tables = {name: getattr(self, name) for name in ("initial", "renewal", "backward")}
        return [Reference((name, "glass"), table.glass, ("strength",)) for name, table in tables.items()
                if table is not None and table.glass is not None and is_label(table.glass)]

    def model(self, context: Context, slip: Slip) -> Model:
        """The model. Collective: files may have to be read.

        Raises
        ------
        InputError
            A file cannot be read, or numbers do not fit together.
        """
        from hpcglass.epm import Model

        size, glass = self.size, self.initial.measured(context) if self.initial.glass is not None else None
        modulus, bulk, renewed = self.shear_modulus, self.bulk_modulus, self.renewed_modulus
        stress: float | NDArray[np.float64] = 0.0 if isinstance(self.internal_stress, str) else self.internal_stress
        moduli = None
        if renewed == "glass":
            assert self.renewal is not None
            renewed = self.renewal.measured(context).number("shear_modulus")
        if glass is not None:
            modulus = glass.number("shear_modulus") if modulus is None else modulus
            bulk = glass.number("bulk_modulus") if bulk == "glass" else bulk
            if isinstance(self.internal_stress, str):
                stress = glass.map("stress", size) if self.internal_stress == "map" else glass.number("delta_sigma")
            if self.local_moduli:
                moduli = glass.map("modulus", size)
                moduli *= modulus / moduli.mean()
        return Model(
            size=size, modulus=modulus, thresholds=self.initial.build(context, size), slip=slip,  # type: ignore[arg-type]
            renewal=self.renewal and self.renewal.build(context, size),  # type: ignore[arg-type]
            bulk_modulus=bulk or float("inf"), renewed_modulus=renewed,  # type: ignore[arg-type]
            internal_stress=stress, local_moduli=moduli,
            backward=self.backward and self.backward.build(context, size),  # type: ignore[arg-type]
            shear=self.orientation, wave_vectors=self.wave_vectors,
            order="synchronous" if self.dynamics == "synchronous" else "weakest", seed=context.seed)


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
    compare: str | None = Field(None, description="label of an earlier stage `shear`: its loading curve is stored, and drawn, "
                                "beside that of the lattice")
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

    def references(self) -> list[Reference]:
        slips = [Reference(("slip", "of"), self.slip.of, ("calibrate",))] if self.slip.of is not None else []
        curve = [Reference(("compare",), self.compare, ("shear", "epm"))] if self.compare is not None else []
        return super().references() + slips + curve

    @property
    def walk(self) -> list[Any]:
        """Legs of the loading, in steps of `record_every`."""
        return legs(self.max_strain, self.record_every, self.turning_points, self.cycles)


class TargetParams(Table):
    """What the lattice shall reproduce: numbers, or runs of a glass, whose curves are measured as those of the lattice are."""

    of: str | None = Field(None, description="label of an earlier stage `shear`, whose loading curve it is")
    plateau: float | None = Field(None, description="mean stress beyond plateau_from [stress]")
    plateau_error: float = Field(0.0, ge=0, description="its standard error [stress]")
    peak: float | None = Field(None, description="largest mean stress before plateau_from [stress]")
    peak_error: float = Field(0.0, ge=0, description="its standard error [stress]")
    runs: list[str] = Field([], description="instead: run directories, of one sample or an ensemble, or stage files, with a "
                            "loading curve; relative to the input")
    stage: str | None = Field(None, description="label of that stage; default: the one that was loaded")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.plateau is not None) + bool(self.runs) + (self.of is not None) != 1:
            raise ValueError("give either plateau (and peak), or runs, or the label `of` a stage")
        if self.plateau is None and (self.peak is not None or self.plateau_error or self.peak_error):
            raise ValueError("with runs, or `of`, plateau, peak and their errors are measured: leave them out")
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
        if self.fit == "c0_c1" and self.target.peak is None and self.target.plateau is not None:
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

    def references(self) -> list[Reference]:
        own = [Reference(("target", "of"), self.target.of, ("shear",))] if self.target.of is not None else []
        return super().references() + own

    def misfits(self, earlier: StageParams) -> Iterator[tuple[str, str]]:
        if earlier.kind == "shear":
            loading: Any = earlier
            name = f"the loading of stage {earlier.label or earlier.kind}"
            if loading.turning_points or loading.cycles or loading.strain_step < 0:
                yield "target.of", f"{name} does not go one way, to positive strains"
            elif loading.max_strain < self.max_strain * (1 - 1e-9):
                yield "max_strain", f"is beyond {name}, which ends at {loading.max_strain:g}"

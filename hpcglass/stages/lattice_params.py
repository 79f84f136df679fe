"""Keys of an elasto-plastic lattice model in an input, and the model that they describe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hpcglass.stages.base import StageParams

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hpcglass.epm import Distribution, Model, Slip

SHAPES: dict[str, tuple[str, str]] = {
    "normal": ("mean", "std"), "weibull": ("shape", "scale"), "gamma": ("shape", "scale")}
LARGEST = 16_384            # L


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
        from hpcglass.stages.numbers import read_numbers

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

"""Tables in the input of a lattice: thresholds and slips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hpcglass.epm import Distribution, Slip
    from hpcglass.stages.base import Context
    from hpcglass.stages.lattice.atoms import Glass

SHAPES: dict[str, tuple[str, str]] = {
    "normal": ("mean", "std"), "weibull": ("shape", "scale"), "gamma": ("shape", "scale")}


class Table(BaseModel):
    """A table inside a stage."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ThresholdParams(Table):
    """Distribution of local yield stresses: a named one, by mean and cv or by its own two numbers; the values in a file; or those
    that a stage `strength` measured in a glass.
    """

    distribution: Literal["normal", "weibull", "gamma"] | None = Field(
        None, description="named distribution: normal (mean, std), weibull or gamma (shape, scale), "
                          "or any of them by mean and cv")
    mean: float | None = Field(None, description="mean, before it is cut to lower and upper [stress]")
    cv: float | None = Field(None, gt=0, description="coefficient of variation, std/mean")
    std: float | None = Field(None, gt=0, description="standard deviation of a normal distribution [stress]")
    shape: float | None = Field(None, gt=0, description="shape of a Weibull or gamma distribution")
    scale: float | None = Field(None, gt=0, description="scale of a Weibull or gamma distribution [stress]")
    lower: float | None = Field(
        None, description="nothing below this: a truncated distribution; default for `normal`: 0 [stress]")
    upper: float | None = Field(None, description="nothing above this [stress]")
    file: str | None = Field(None, description="values from an HDF5 or a CSV file instead, relative to the input")
    column: str | None = Field(None, description="dataset of the HDF5 file, or name of the column of the CSV file")
    where: dict[str, float] = Field({}, description="only rows of the file in which these other columns have these values, as "
                                    "{ T_p = 0.2 }")
    glass: str | None = Field(None, min_length=1, description="label of an earlier stage `strength`; or, with a slash or a dot "
                              "in it, the file of one, a run or a merged file, relative to the input: the values of its blocks")
    stage: str | None = Field(None, description="label of the stage in a run that `glass` names")
    quantity: Literal["threshold", "sigma_y", "delta_tau_y", "sigma_y_backward", "delta_tau_y_backward"] = Field(
        "threshold", description="which yield stress of the blocks (docs/strength.md)")
    sites: bool = Field(False, description="values of single patches, the sites of the stage `strength`, not those of blocks, "
                        "which are means of the lowest around each particle")
    relaxed: bool = Field(False, description="times the sample's modulus over that of its patches: what they would bear in a "
                          "matrix that relaxes with them, and not behind a rigid wall")
    strain: float = Field(0.0, description="of the configuration in which they were measured, if there were several")
    as_map: bool = Field(False, description="the values are those of the L x L sites, in rows of equal y; not a sample")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = {name for name in ("mean", "cv", "std", "shape", "scale") if getattr(self, name) is not None}
        if [self.distribution, self.file, self.glass].count(None) != 2:
            raise ValueError("give either a distribution or a file, or a glass")
        if self.glass is None and (self.stage is not None or self.relaxed or self.sites):
            raise ValueError("stage, relaxed and sites belong to a glass")
        if self.file is None and self.where:
            raise ValueError("where belongs to values from a file")
        if self.sites and self.as_map:
            raise ValueError("a map has a value for each block: leave out sites or as_map")
        if self.distribution is None:
            if given or self.lower is not None or self.upper is not None:
                raise ValueError("values from a file or a glass have no mean, cv, std, shape, scale, lower or upper")
            if self.glass is not None:
                if self.column is not None:
                    raise ValueError("column belongs to values from a file: of a glass say which quantity")
                return self
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

    def measured(self, context: Context) -> Glass:
        """The glass that they are measured in. Collective."""
        from hpcglass.stages.lattice.atoms import read_glass

        assert self.glass is not None
        return read_glass(context, self.glass, self.stage, self.strain)

    def build(self, context: Context, size: int) -> Distribution | NDArray[np.float64]:
        """The distribution, or a map (L, L) with L = `size`. Collective.

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
        if self.glass is not None:
            glass = self.measured(context)
            factor = glass.number("shear_modulus") / glass.number("patch_modulus") if self.relaxed else 1.0
            return (factor * glass.map(self.quantity, size) if self.as_map
                    else epm.sample(factor * glass.values(self.quantity, "sites" if self.sites else "blocks")))
        from hpcglass.stages.lattice.files import read_numbers

        assert self.file is not None and self.column is not None
        values = read_numbers(context.comm, Path(self.file), self.column, self.where)
        return values if self.as_map else epm.sample(values.ravel())


class SlipParams(Table):
    """How far a site slips, as a component of the strain tensor:
    always by `fixed`, or exponential with mean c0 + c1 sigma_c^2.
    """

    of: str | None = Field(None, description="label of an earlier stage `calibrate`, whose result they are")
    fixed: float | None = Field(None, gt=0, description="epsilon_pl of each slip")
    c0: float | None = Field(None, ge=0, description="mean of the exponential distribution; the part that all thresholds share")
    c1: float = Field(0.0, ge=0, description="the part that grows with the threshold sigma_c that was overcome [1/stress^2]")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.of is not None and (self.fixed is not None or self.c0 is not None or self.c1):
            raise ValueError("with `of` the slips are those of a calibration: leave out fixed, c0 and c1")
        if self.of is None and (self.fixed is None) == (self.c0 is None):
            raise ValueError("give either fixed, or c0 (and c1)")
        if self.fixed is not None and self.c1:
            raise ValueError("a fixed slip has no c1")
        if self.c0 == 0 and not self.c1:
            raise ValueError("c0 = c1 = 0: nothing would slip")
        return self

    def build(self, context: Context) -> Slip:
        """The rule. Collective."""
        from hpcglass import epm

        if self.of is not None:
            fitted = {name: value for name in ("fixed", "c0", "c1") if (value := found(context, self.of, name)) is not None}
            return epm.Slip.fixed(fitted["fixed"]) if "fixed" in fitted else epm.Slip.exponential(**fitted)
        return epm.Slip.fixed(self.fixed) if self.fixed is not None else epm.Slip.exponential(self.c0 or 0.0, self.c1)


def found(context: Context, label: str, name: str) -> float | None:
    """A number that an earlier stage has stored, None if it has none of that name. Collective."""
    from hpcglass.errors import InputError

    try:
        return float(context.earlier(label).value(name))
    except InputError:
        return None

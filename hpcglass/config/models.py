"""The tables of an input file besides its stages, as typed models.

Lengths, energies and times are in the units of the model glass (mass 1, k_B = 1).
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hpcglass.geometries import annulus
from hpcglass.potentials import spline
from hpcglass.potentials.model import HIGHEST, Mixing, Model, PairPotential, Segment, Sizes

Row = tuple[float, ...]
MOST_PARTICLES = 2**40
LARGEST_TABLE = 2**24      # bytes of a file of a potential


class Table(BaseModel):
    """A table of the input: no unknown keys, and nothing changes after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SystemParams(Table):
    """Which glass, how much of it, in which box, and how it starts."""

    model: str = Field(description="name of a model glass, see `hpcglass list models`, or of the [model] of this input")
    dimension: Literal[2, 3] = Field(2, description="number of space dimensions")
    particles: int | None = Field(None, ge=1, le=MOST_PARTICLES,
                                  description="number of particles N; read from `file` if there is one")
    density: float | None = Field(None, gt=0, description="number density N/V [1/length^d]; default: the model's, or the file's")
    aspect: tuple[float, ...] | None = Field(None, description="relative lengths of the d box edges; default: all equal")
    tilt: tuple[float, ...] | None = Field(
        None, description="shear strain of the box: [xy] in 2D, [xy, xz, yz] in 3D; default: none")
    r_in: float | None = Field(None, gt=0, description="inner radius of a glass between rigid circular (3D: spherical) walls, "
                               "instead of a periodic cell; particles follow from the density, or the other way round [length]")
    r_out: float | None = Field(None, gt=0, description="outer radius [length]")
    sizes: Literal["random", "quantile"] = Field(
        "quantile", description="diameters drawn at random, or the quantiles of their distribution, shuffled")
    start: Literal["random", "lattice"] | None = Field(
        None, description="positions at the start, if there is no `file`; default: random")
    file: str | None = Field(
        None, description="start from this configuration (.h5 of a stage, .xyz, LAMMPS .data or .dump, .gsd), relative to the "
        "input")

    @model_validator(mode="after")
    def _between_walls(self) -> SystemParams:
        if self.r_in is None and self.r_out is None:
            return self
        if self.r_in is None or self.r_out is None or not self.r_in < self.r_out:
            raise ValueError("walls need r_in < r_out, both of them")
        try:
            inside = annulus.volume(self.dimension, self.r_in, self.r_out)
        except OverflowError:
            inside = math.inf
        if not 0 < inside < math.inf:
            raise ValueError("the volume between the walls cannot be computed: r_in or r_out is far out of range")
        if self.particles is None and self.density is not None:
            if not self.density * inside <= MOST_PARTICLES:
                raise ValueError(f"density = {self.density:g} makes {self.density * inside:.3g} particles between the walls, "
                                 f"more than {MOST_PARTICLES}")
            object.__setattr__(self, "particles", max(round(self.density * inside), 1))
        elif self.particles is not None and self.density is None:
            object.__setattr__(self, "density", self.particles / inside)
        elif self.particles is not None and self.density is not None and abs(self.particles - self.density * inside) > 1:
            raise ValueError(f"{self.particles} particles at density {self.density:g} do not fill the volume {inside:.6g} "
                             "between the walls: give one of the two")
        return self

    def box(self) -> tuple[Row, ...]:
        """Box matrix h, upper triangular: its *columns* are the edge vectors, in units of length.

        h = (I + strain) diag(edges), with edges in the ratio `aspect` and det h = N / density.
        """
        assert self.particles is not None and self.density is not None and self.aspect is not None
        d, tilt = self.dimension, self.tilt or ()
        scale = (self.particles / self.density / math.prod(self.aspect)) ** (1 / d)
        edges = [scale * a for a in self.aspect]
        strain = {(0, 1): tilt[0], **({(0, 2): tilt[1], (1, 2): tilt[2]} if d == 3 else {})} if tilt else {}
        return tuple(tuple(edges[b] * (1.0 if a == b else strain.get((a, b), 0.0)) for b in range(d)) for a in range(d))


class SegmentParams(Table):
    """phi(x) = sum_k coefficients[k] y^powers[k], y = x or 1 - x, for x below `upto`, in order of x."""

    upto: float = Field(gt=0, description="end of the segment, in units of lambda_ij; the last one ends at the cut-off x_c")
    powers: tuple[Annotated[int | float, Field(ge=-200, le=200)], ...] = Field(
        min_length=1, max_length=100, description="exponents, whole numbers or not, within -200 to 200")
    coefficients: tuple[float, ...] = Field(description="one coefficient per power [energy]")
    of: Literal["x", "1 - x"] | None = Field(
        None, description="powers of what: x = r / lambda_ij, or the overlap 1 - x; default: x")

    @model_validator(mode="after")
    def _same_length(self) -> SegmentParams:
        if len(self.powers) != len(self.coefficients):
            raise ValueError(f"{len(self.powers)} powers but {len(self.coefficients)} coefficients")
        if self.of == "1 - x":
            singular = [p for p in self.powers if p < 0 or p != int(p)]
            if self.upto > 1 and singular:
                raise ValueError(f"1 - x is negative beyond x = 1, where it has no power {singular[0]:g}: end the segment at "
                                 f"upto <= 1, not {self.upto:g}")
            if self.upto == 1 and min(self.powers) < 0:
                raise ValueError(f"the power {min(self.powers):g} of 1 - x is infinite at the end of the segment, x = 1")
        return self

    def build(self) -> Segment:
        """The segment as data of a potential."""
        origin, sign = (1.0, -1) if self.of == "1 - x" else (0.0, 1)
        return Segment(self.upto, self.powers, self.coefficients, origin, sign)


class TableParams(Table):
    """A potential as points (r, phi), through which a spline goes; from a file of two columns, or in the input."""

    file: str | None = Field(None, description="text file with columns r and phi, relative to the input; # begins a comment")
    r: tuple[float, ...] | None = Field(
        None, description="distances in units of lambda_ij, increasing; the last one is the cut-off x_c")
    phi: tuple[float, ...] | None = Field(None, description="energies at these distances [energy]")
    continuity: Literal[1, 2, 3, 4] = Field(
        2, description="derivatives of phi that are continuous everywhere, also at x_c; the spline's degree is twice that plus 1")

    @model_validator(mode="after")
    def _one_source(self) -> TableParams:
        if (self.file is None) == (self.r is None) or (self.r is None) != (self.phi is None):
            raise ValueError("give either file, or r and phi")
        return self

    def beside(self, folder: Path) -> TableParams:
        """The same with the numbers of its file, so that the resolved input is complete.

        Raises
        ------
        ValueError
            There is no such file, or it is not two columns of numbers.
        """
        if self.file is None:
            return self
        path = folder / self.file
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read(LARGEST_TABLE + 1)
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}") from None
        if len(text) > LARGEST_TABLE:
            raise ValueError(f"{path} is larger than a table of a potential can be")
        try:
            r, phi = spline.read(text)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        return self.model_copy(update={"file": None, "r": tuple(r), "phi": tuple(phi)})


class MixingParams(Table):
    """lambda_ij and eps_ij: from the diameters, or a matrix over species."""

    nonadditivity: float = Field(0.0, ge=0, description="n_a in lambda_ij = (D_i + D_j)/2 (1 - n_a |D_i - D_j|)")
    energy_power: int = Field(0, ge=0, le=12, description="power of lambda_ij that multiplies phi (2 for springs of given k)")
    length: tuple[Row, ...] | None = Field(None, description="lambda_ab of species a and b [length]")
    energy: tuple[Row, ...] | None = Field(None, description="eps_ab of species a and b [energy]; default: 1")

    @model_validator(mode="after")
    def _matrices(self) -> MixingParams:
        if self.length is None and self.energy is not None:
            raise ValueError("an energy matrix needs a length matrix")
        for name in ("length", "energy"):
            matrix = getattr(self, name)
            n = len(self.length or ())
            if matrix is None:
                continue
            if len(matrix) != n or any(len(row) != n for row in matrix) or not n:
                raise ValueError(f"{name} must be a square matrix with a row per species")
            if any(matrix[a][b] != matrix[b][a] for a in range(n) for b in range(a)):
                raise ValueError(f"{name} must be symmetric")
            if min(map(min, matrix)) <= 0:
                raise ValueError(f"the numbers of {name} must be > 0")
        return self


class SizesParams(Table):
    """Diameters with density p(D) ~ D^-exponent, or species with fractions (and diameters)."""

    smallest: float | None = Field(None, gt=0, description="smallest diameter of a continuous distribution [length]")
    largest: float | None = Field(None, gt=0, description="largest diameter [length]")
    exponent: float | None = Field(None, description="p(D) ~ D^-exponent; default 3")
    fractions: tuple[float, ...] | None = Field(None, min_length=1, description="share of each species; they add up to 1")
    diameters: tuple[float, ...] | None = Field(None, description="diameter of each species [length]; default: lambda_aa")
    names: tuple[str, ...] | None = Field(None, description="what files of other programs call each species; default: numbers")

    @model_validator(mode="after")
    def _one_kind(self) -> SizesParams:
        continuous = [k for k in ("smallest", "largest", "exponent") if getattr(self, k) is not None]
        if (self.fractions is None) == (not continuous):
            raise ValueError("give either smallest, largest, exponent or fractions, diameters")
        if self.fractions is None:
            if self.smallest is None or self.largest is None or self.smallest > self.largest:
                raise ValueError("a continuous distribution needs smallest <= largest")
        elif min(self.fractions) < 0 or abs(sum(self.fractions) - 1) > 1e-9:
            raise ValueError(f"fractions must be >= 0 and add up to 1, these add up to {sum(self.fractions):.12g}")
        if self.diameters is not None and min(self.diameters, default=0.0) <= 0:
            raise ValueError("diameters must be > 0")
        different = {name.casefold() for name in self.names or ()}
        if self.names is not None and not len(different) == len(self.names) == len(self.fractions or ()):
            raise ValueError("names must be as many as fractions, each of them another")
        return self


class ModelParams(Table):
    """A model glass of one's own, with the same rights as the built-in ones."""

    name: str = Field("custom", pattern=r"^[A-Za-z0-9_-]+$", max_length=64,
                      description="what [system] model calls it, at most 64 characters")
    summary: str = Field("", description="one line about it")
    segment: tuple[SegmentParams, ...] | None = Field(None, min_length=1, description="potential, piece by piece in order of x")
    beta: int | None = Field(None, ge=1, le=100, description="potential x^-beta + sum_l c_2l x^2l, smooth at x_c")
    q: int | None = Field(None, ge=0, le=20, description="derivatives that vanish at x_c, together with beta")
    x_c: float | None = Field(None, gt=0, description="cut-off in units of lambda_ij, together with beta")
    table: TableParams | None = Field(None, description="potential as points (r, phi) instead of `segment`")
    shift: int | None = Field(
        None, ge=1, le=HIGHEST + 1, description="subtract what makes phi and its first shift - 1 derivatives vanish at x_c: "
        "1 truncated and shifted, 2 shifted force, ...; of a table: its continuity + 1")
    mixing: MixingParams = Field(MixingParams.model_validate({}), description="lambda_ij and eps_ij of a pair")
    sizes: SizesParams = Field(description="distribution of diameters, or of species")
    density: float | None = Field(None, gt=0, description="number density used when [system] gives none [1/length^d]")

    @model_validator(mode="after")
    def _consistent(self) -> ModelParams:
        smooth = [k for k in ("beta", "q", "x_c") if getattr(self, k) is not None]
        ways = (self.segment is not None) + (self.table is not None)
        if ways > 1 or (smooth if ways else len(smooth) < 3):
            raise ValueError("give the potential either as segment = [...], or as a [model.table], or by beta, q and x_c (all "
                             "three)")
        if self.shift is not None and not ways:
            raise ValueError("shift is for a potential given as segments or a table: with beta, q and x_c it is smooth already")
        if self.table is not None and self.shift not in (None, self.table.continuity + 1):
            raise ValueError(f"a table of continuity = {self.table.continuity} can have shift = {self.table.continuity + 1} only")
        ends = [s.upto for s in self.segment or ()]
        if any(b <= a for a, b in pairwise(ends)):
            raise ValueError(f"the segments must be in order of `upto`, which is now {ends}")
        self._check_species()
        return self

    def _check_species(self) -> None:
        fractions, length, diameters = self.sizes.fractions, self.mixing.length, self.sizes.diameters
        if length is not None and (fractions is None or len(fractions) != len(length)):
            raise ValueError(f"mixing has {len(length)} species: sizes needs as many fractions")
        if fractions is not None and length is None and diameters is None:
            raise ValueError("species need either sizes.diameters or mixing.length")
        if fractions is not None and diameters is not None and len(diameters) != len(fractions):
            raise ValueError(f"{len(fractions)} fractions but {len(diameters)} diameters")

    def build(self) -> Model:
        """The model glass these keys describe.

        Raises
        ------
        ValueError
            The numbers of a table make no potential.
        """
        from hpcglass.potentials.library import inverse_power

        if self.table is not None:
            assert self.table.r is not None and self.table.phi is not None
            potential = spline.through(self.table.r, self.table.phi, self.table.continuity, self.shift is not None)
        elif self.segment is not None:
            potential = PairPotential(tuple(segment.build() for segment in self.segment))
            potential = potential.shifted(self.shift) if self.shift else potential
        else:
            assert self.beta is not None and self.q is not None and self.x_c is not None
            potential = inverse_power(self.beta, self.q, self.x_c)
        return Model(
            name=self.name, summary=self.summary, potential=potential,
            mixing=Mixing(nonadditivity=self.mixing.nonadditivity, energy_power=self.mixing.energy_power,
                          length=self.mixing.length, energy=self._energy()),
            sizes=self._sizes(), density={2: self.density, 3: self.density} if self.density else {},
            repulsive=is_repulsive(potential))

    def _energy(self) -> tuple[Row, ...] | None:
        if self.mixing.length is None or self.mixing.energy is not None:
            return self.mixing.energy
        n = len(self.mixing.length)
        return tuple((1.0,) * n for _ in range(n))

    def _sizes(self) -> Sizes:
        s, length = self.sizes, self.mixing.length
        if s.fractions is None:
            assert s.smallest is not None and s.largest is not None
            return Sizes("power", s.smallest, s.largest, 3.0 if s.exponent is None else s.exponent)
        own = s.diameters or tuple(row[a] for a, row in enumerate(length or ()))
        return Sizes("species", fractions=s.fractions, diameters=own, names=tuple((name,) for name in s.names or ()))


def is_repulsive(potential: PairPotential, points: int = 4000) -> bool:
    """Whether phi >= 0 and phi' <= 0 everywhere, looked at on a fine grid up to the cut-off."""
    x_c = potential.cutoff
    grid = [x_c * (i + 0.5) / points for i in range(points // 50, points)]
    return all(potential.derivative(x) >= -1e-12 and potential.derivative(x, 1) <= 1e-12 for x in grid)


class EnsembleParams(Table):
    """Independent samples, spread over groups of ranks."""

    samples: int = Field(1, ge=1, le=10_000, description="number of independent samples")
    ranks_per_sample: int = Field(1, ge=1, description="MPI ranks that work on one sample together")

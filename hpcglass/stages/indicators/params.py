"""Keys of the stage `indicators`: which, with what numbers, and of which configurations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, field_validator, model_validator

from hpcglass.stages.base import Solvers, StageParams

if TYPE_CHECKING:
    from hpcglass.stages.shear.params import ShearParams

SAME = 1e-9         # of strains, in steps of the loading


class AlongParams(StageParams):
    """Configurations along the loading of an earlier stage `shear`, in place of the present one."""

    of: str | None = Field(None, min_length=1, description="label of an earlier stage shear: indicators of configurations along "
                           "its loading, not of the present one")
    strains: list[float] = Field([0.0], description="with `of`: strains; 0 is the glass as it was cast")
    onsets: bool = Field(False, description="with `of`: the last configuration before each event")
    before_events: list[float] = Field([], description="with `of`: so much strain before each event's instability")
    moved: bool = Field(False, description="with `of`: the glass as cast, moved affinely, and affinely and nonaffinely, to the "
                        "first event; for indicators of positions and contacts")
    events: int = Field(1, ge=0, description="with `of`: onsets and before_events look at the first so many events; 0 = all")
    least_energy: float = Field(0.0, ge=0, description="with `of`: pass over events that dissipate less [energy]")

    @field_validator("strains", "before_events")
    @classmethod
    def _sensible(cls, strains: list[float]) -> list[float]:
        if any(not 0.0 <= strain <= 1e3 for strain in strains):
            raise ValueError(f"strains {strains} must not be negative, nor huge")
        return strains

    @model_validator(mode="after")
    def _of_something(self) -> AlongParams:
        keys = [name for name in AlongParams.model_fields if name not in StageParams.model_fields and name != "of"]
        given = [name for name in keys if getattr(self, name) != AlongParams.model_fields[name].default]
        if self.of is None and given:
            raise ValueError(f"{', '.join(given)}: of which loading? give `of`, the label of an earlier stage shear")
        if self.of is not None and not (self.strains or self.follows_events):
            raise ValueError("no configuration is asked for: give strains, onsets, before_events or moved")
        return self

    @property
    def follows_events(self) -> bool:
        """Whether located events are needed."""
        return bool(self.onsets or self.before_events or self.moved)

    def looks_at(self) -> str:
        return self.of or ""

    def misfits(self, earlier: StageParams) -> Iterator[tuple[str, str]]:
        from hpcglass.stages.shear.params import ShearParams

        if not isinstance(earlier, ShearParams):
            yield "of", f"is a stage {earlier.kind}; indicators along a loading need a stage shear"
            return
        yield from self._loading(earlier)
        if beyond := [strain for strain in self.strains if strain > earlier.max_strain + SAME * abs(earlier.strain_step)]:
            yield "strains", f"{', '.join(f'{strain:g}' for strain in beyond)}: beyond the max_strain of the loading"

    def _loading(self, earlier: ShearParams) -> Iterator[tuple[str, str]]:
        plane = getattr(self, "plane", None)
        if earlier.mode != "simple":
            yield "of", f"has mode = \"{earlier.mode}\"; indicators foretell a simple shear"
        elif plane is not None and plane != earlier.plane:
            yield "plane", f"but that of the loading is \"{earlier.plane}\""
        if earlier.strain_step < 0 or earlier.turning_points or earlier.cycles:
            yield "of", "goes backward: indicators foretell a loading one way, with a positive strain_step"
        if not earlier.event_frames:
            yield "of", "needs event_frames = true: from these configurations elastic branches are followed"
        if self.follows_events and not earlier.locate:
            yield "of", "needs locate = true: onsets, before_events and moved are about located instabilities"


class IndicatorsParams(AlongParams):
    """Structural indicators of each particle; those that need more than positions and sizes need a minimum."""

    kind: Literal["indicators"] = "indicators"
    which: list[str] = Field(["all"], min_length=1, description="names or families of `hpcglass list indicators`, or all")
    plane: Literal["xy", "xz", "yx", "yz", "zx", "zy"] = Field("xy", description="plane of the shear that is foretold")
    x_cut: float | None = Field(None, gt=0, le=10, description="neighbours of Psi and Theta are closer than x_cut lambda_ij; "
                                "default 1.33, or 1.5 for models of species")
    s2_delta: float = Field(0.12, gt=0, le=10, description="width of the Gaussians of s2 [length]")
    s2_range: float | None = Field(None, gt=0, le=100, description="upper end of the integral of s2 [length]; default: first "
                                   "minimum of g(r) behind its highest peak")
    r_c: float | None = Field(None, gt=0, le=100, description="radius of coarse-graining [length]; default 5 in 2D, 3 in 3D")
    modes: int = Field(512, gt=0, le=100_000, description="lowest modes in M; fewer if there are not as many")
    nonlinear_cell: float = Field(4.0, gt=0, le=1000, description="edge of the cells that each give a start for nonlinear modes "
                                  "[length]")
    nonlinear_tolerance: float = Field(1e-4, gt=0, le=1e-2, description="how well the two sides of the equation of a nonlinear "
                                       "mode agree")
    kick_steps: int = Field(4000, ge=100, le=10_000_000, description="steps of the motion that gives the nonaffinity; its "
                            "relative error is 2.9 / kick_steps^(1/2)")
    saddle_starts: list[Literal["modes", "bonds", "random"]] = Field(
        ["modes", "bonds"], min_length=1, description="where to pull for saddles: along the forces of quartic modes, at the "
        "strongest pair of each cell, at random at five clusters of each cell's")
    saddle_cell: float = Field(4.0, gt=0, le=1000, description="edge of the cells that each give a pair, or a cluster, to pull "
                               "at [length]")
    saddle_radius: float | None = Field(None, gt=0, le=1000, description="of the discs in which saddles are looked for [length]; "
                                        "default 8 in 2D, 3.5 in 3D, or as much as the cell has room for")
    saddle_refined: int = Field(50, ge=0, le=1_000_000, description="so many of the softest saddles are refined "
                                "in the whole glass")

    softness: str | None = Field(None, description="for the indicator softness: file of `hpcglass softness train`")

    @model_validator(mode="after")
    def _given(self) -> IndicatorsParams:
        if {"softness"} & set(self.which) and self.softness is None:
            raise ValueError("softness needs the file of `hpcglass softness train`: give it by the key softness")
        if self.softness is not None and "softness" not in self.which:
            raise ValueError("softness: a file is given, but \"softness\" is not among those of `which`")
        return self

    def beside(self, folder: Path) -> Self:
        if self.softness is None:
            return self
        path = (folder / self.softness).resolve()
        if not path.is_file():
            raise FileNotFoundError("softness", path)
        return self.model_copy(update={"softness": str(path)})

    @field_validator("which")
    @classmethod
    def _known(cls, which: list[str]) -> list[str]:
        from hpcglass.errors import InputError
        from hpcglass.indicators.catalogue import INDICATORS, chosen

        try:
            chosen(which, 2 if all(2 in INDICATORS[word].dimensions for word in which if word in INDICATORS) else 3)
        except InputError as error:
            raise ValueError(str(error)) from None
        return which

    def derivatives(self) -> int:
        from hpcglass.indicators.catalogue import needs

        needed = needs(self.which)
        return 3 if needed & {"factors", "modes"} else 2 if "cavity" in needed or self.moved else 0

    def solvers(self, ranks: int) -> Solvers | None:
        from hpcglass.indicators.catalogue import needs

        if needs(self.which) & {"factors", "modes"}:
            return Solvers(("mumps",), 'which = ["structure", "contacts"] does without')
        if self.moved:
            return Solvers(("mumps",), "moved = false does without")
        return None

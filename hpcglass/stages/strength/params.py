"""Keys of the stage `strength` in an input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, model_validator

from hpcglass.stages.base import StageParams


class StrengthParams(StageParams):
    """Local yield stresses: patches loaded in a frozen matrix, or expanded in the strain; of a minimum, or of frames of an
    earlier loading.
    """

    kind: Literal["strength"] = "strength"
    method: Literal["frozen", "micromechanics"] = Field(
        "frozen", description="patches followed to their first maximum of stress in a frozen matrix, exactly; or bond "
                              "micromechanics, the first maximum of the stress to third order in the strain, by linear solves")
    weakest: bool = Field(False, description="only what `loading` needs: directions within 45 degrees of it, and trials that "
                                             "cannot be the weakest one are stopped")
    until: Literal["maximum", "drop"] = Field("maximum", description="first maximum of the stress, or largest stress before the "
                                              "first large drop: another quantity where small events come before")
    drop: float = Field(2e-3, gt=0, le=1, description="of the stress at once, over the patch's modulus, that is a large one")
    plane: Literal["xy", "xz", "yx", "yz", "zx", "zy"] = Field("xy", description="plane of the loading")
    loading: float = Field(0.0, ge=-360, le=360, description="direction alpha_l of the loading in its plane [degrees]; 0 is "
                           "simple shear, 90 simple shear backward")
    backward: bool = Field(False, description="the strength under the opposite loading, too")
    angles: list[float] = Field([], max_length=360, description="directions alpha in each plane [degrees]; default: from "
                                "`loading` on every 10 degrees in 2D, every 45 in 3D")
    planes: list[Literal["xy", "xz", "yz"]] = Field([], max_length=3, description="planes of shear in which patches are loaded; "
                                                    "default: all")
    sites: Literal["grid", "particles"] = Field("grid", description="centres on a grid, or at particles")
    spacing: float | None = Field(None, gt=0, le=1000, description="of the centres [length]; at particles, those next to the "
                                  "points of such a grid; default: 2.5 on a grid, every particle at particles")
    free: float | None = Field(None, gt=0, le=100, description="radius R_free of the free disc (ball) [length]; default 5 in 2D, "
                               "3 in 3D")
    soft: float = Field(0.0, ge=0, le=100, description="thickness of a matrix around it that gives way [length]; "
                        'method = "frozen"')
    stiffness: float = Field(0.0, ge=0, description="of the springs that tie particles of the soft matrix to where the affine "
                             "strain takes them [energy/length^2]; 0: they are free (a thawed shell)")
    xi: float = Field(5.0, gt=0, le=1000, description="edge of the blocks of coarse-grained maps [length]")
    trials: bool = Field(True, description="store all trials, not only what they say of the loading")
    of: str | None = Field(None, min_length=1, description="label or kind of an earlier stage: its frames, instead of the "
                           "configuration")
    strains: list[float] = Field([], description="only the frames of `of` that are nearest to these strains; default: all")

    @model_validator(mode="after")
    def _fits_together(self) -> StrengthParams:
        if self.strains and self.of is None:
            raise ValueError("strains belong to frames of an earlier stage: name it with `of`")
        if self.method == "micromechanics":
            for name in ("weakest", "soft", "stiffness"):
                if getattr(self, name):
                    raise ValueError(f'{name} is for method = "frozen"')
            if self.until == "drop":
                raise ValueError('until = "drop" is for method = "frozen": a series has maxima, no drops')
        if self.weakest and self.until == "drop":
            raise ValueError('weakest stops trials by their stress, which falls in small events before the first large drop: '
                             'leave it out with until = "drop"')
        if self.weakest and self.backward:
            raise ValueError("weakest looks at one loading only: leave out backward, or make a second stage for it")
        if self.stiffness and not self.soft:
            raise ValueError("stiffness belongs to a soft matrix: give its thickness `soft`")
        if len(set(self.angles)) < len(self.angles) or len(set(self.planes)) < len(self.planes):
            raise ValueError("angles and planes must differ from one another")
        if self.angles or self.planes:
            self._tell_of_the_loading()
        return self

    def _tell_of_the_loading(self) -> None:
        """Raise ValueError if no direction that is given is near the loading, or to its opposite, if that is wanted."""
        from hpcglass.cavity.directions import Directions

        angles = self.angles or [self.loading]
        given = Directions.usual(3, angles, self.planes or [self.plane_in_order])
        for loading in [self.loading] + [self.loading + 90.0] * self.backward:
            if (given.resolved(self.plane_in_order, loading) < 1e-9).all():
                raise ValueError(f"no direction of {'angles' if self.angles else 'planes'} is within 45 degrees of the "
                                 f"loading {loading:g} in the plane {self.plane}: nothing would be known of it")

    @property
    def plane_in_order(self) -> str:
        """The plane of the loading with its axes in order: a shear without rotation does not know which came first."""
        return "".join(sorted(self.plane))

    def derivatives(self) -> int:
        return 4 if self.method == "micromechanics" else 2

    def looks_at(self) -> str:
        return self.of or ""

    def misfits(self, earlier: StageParams) -> Iterator[tuple[str, str]]:
        if earlier.kind != "shear":
            yield "of", f"is a stage {earlier.kind}: only frames of a loading (shear) are looked at"
        elif not getattr(earlier, "frames_every", None) and not getattr(earlier, "event_frames", False):
            yield "of", "keeps no frames: give it frames_every"
        else:
            end = float(getattr(earlier, "max_strain", 0.0))
            for strain in [strain for strain in self.strains if abs(strain) > end * (1 + 1e-9)]:
                yield "strains", f"{strain:g} is beyond the loading of stage {earlier.kind}, which ends at {end:g}"

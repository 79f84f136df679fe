"""Keys of a quasistatic deformation."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from hpcglass.stages.base import Solvers, StageParams
from hpcglass.stages.protocol import no_longer, whole_steps

MOST_HALVINGS = 2.0**40     # strain_step over smallest_step


class ShearParams(StageParams):
    """Simple shear in a plane "ab" (velocity along a, gradient along b), pure shear (extend a, compress b), or dilation."""

    kind: Literal["shear"] = "shear"
    mode: Literal["simple", "pure", "dilation"] = Field("simple", description="shear, or dilation by a true strain")
    plane: Literal["xy", "xz", "yx", "yz", "zx", "zy"] = Field("xy", description="plane of the shear")
    strain_step: float = Field(1e-3, description="strain increment; negative shears backward, or compresses")
    max_strain: float = Field(gt=0, description="largest |strain| to reach")
    turning_points: list[float] = Field([], description="strains to visit in turn, within max_strain; default: just max_strain")
    cycles: int = Field(0, ge=0, le=10_000, description="cycles 0, A, -A, 0, A = max_strain (-A first if strain_step < 0)")
    method: Literal["auto", "branch", "fire", "cg"] = Field(
        "auto", description="branch: follow elastic branches by linear solves; fire, cg: minimise; auto: by size and step")
    algorithm: Literal["cg", "fire"] = Field("fire", description="minimiser after events, and where branches are not followed")
    force_tolerance: float = Field(1e-10, gt=0, description="max|F| <= force_tolerance * force scale after each step")
    max_evaluations: int = Field(2_000_000, gt=0, description="give up (an error) after so many force evaluations in one step")
    adaptive: bool = Field(False, description="halve the step where an event would happen, and grow it back")
    smallest_step: float = Field(1e-7, gt=0, description="no halving below this strain")
    event_energy: float = Field(1e-3, gt=0, description="a step that dissipates more than this is a plastic event [energy]")
    locate: bool = Field(False, description="find each event's instability to round-off: strain, stress, critical mode")
    slips: bool = Field(False, description="measure how much the core of each event slips, as a block of a lattice would")
    reverse: bool = Field(False, description="after each event unload a copy: is the state before recovered, and where?")
    reverse_strain: float = Field(0.02, gt=0, description="unload by at most so much")
    frames_every: int = Field(0, ge=0, description="keep the configuration every so many steps; 0 = none")
    event_frames: bool = Field(True, description="keep the configurations before and after each event")
    activity_every: float = Field(0.0, ge=0, description="look who was plastically active every so much strain; 0 = never")
    activity_threshold: float = Field(0.01, gt=0, description="active is who has a larger D2min [length^2]")
    activity_reference: Literal["previous", "start"] = Field("previous", description="D2min since the last look, or the start")
    activity_bin: float = Field(5.0, ge=0.1, description="thickness of the slabs of the activity profile, in mean spacings")

    GROWS: ClassVar[tuple[str, ...]] = ("max_strain", "cycles")

    def no_longer(self, old: Self) -> str:
        return no_longer(self, old)

    @model_validator(mode="after")
    def _one_way(self) -> ShearParams:
        if self.turning_points and self.cycles:
            raise ValueError("give turning_points or cycles, not both")
        points = [0.0, *self.turning_points]
        if any(a == b for a, b in pairwise(points)):
            raise ValueError(f"turning_points {self.turning_points} must differ from one to the next, and the first one from 0")
        if not all(abs(point) <= self.max_strain for point in points):
            raise ValueError(f"turning_points {self.turning_points} go beyond max_strain = {self.max_strain:g}")
        if self.slips and self.mode == "dilation":
            raise ValueError("slips are along a shear: leave them out in a dilation")
        if self.adaptive and not abs(self.strain_step) <= MOST_HALVINGS * self.smallest_step:
            raise ValueError(f"smallest_step = {self.smallest_step:g} is too small beside strain_step = {self.strain_step:g}: "
                             f"give at least {abs(self.strain_step) / MOST_HALVINGS:.3g}")
        if 0 < self.activity_every < abs(self.strain_step) * (1 - 1e-9):
            raise ValueError(f"activity_every = {self.activity_every:g} is less than a step; give at least strain_step = "
                             f"{abs(self.strain_step):g}, or 0 for never")
        return self

    def solvers(self, ranks: int) -> Solvers | None:
        keys = {'method = "branch"': self.method == "branch", "locate = true": self.locate}
        asked = [key for key, given in keys.items() if given]
        return Solvers(("cholmod", "mumps"), f"without {' and '.join(asked)} it goes by descents") if asked else None

    @property
    def steps(self) -> float:
        """Number of whole strain steps."""
        return max(1.0, whole_steps(self.max_strain, self.strain_step, self.turning_points, self.cycles))

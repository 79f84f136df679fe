"""A configuration under questions, and what several indicators need of it: each made once, when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core.look import Look, straight_on
from hpcglass.core.system import System
from hpcglass.geometries.periodic import simple_shear
from hpcglass.indicators import coarse, thermal
from hpcglass.indicators.bonds import Bonds, interacting
from hpcglass.indicators.neighbours.cells import Cells, power_cells
from hpcglass.indicators.neighbours.cells_3d import power_cells_3d
from hpcglass.indicators.neighbours.entropy import DELTA, FAR, first_minimum
from hpcglass.indicators.neighbours.order import orientational_order
from hpcglass.indicators.neighbours.surroundings import Surroundings, surroundings
from hpcglass.indicators.nonaffinity import STEPS
from hpcglass.indicators.plane import Plane
from hpcglass.landscape.contractions import along_path
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.landscape.matrix.solve import Solver
from hpcglass.landscape.rattlers import bonded

Floats = NDArray[np.float64]
SOLVES = 8          # about how many right-hand sides a panel has


@dataclass(frozen=True)
class Choices:
    """Numbers that definitions leave open.

    plane : of the simple shear that indicators with a direction foretell
    x_cut : r < x_cut lambda_ij makes neighbours of Psi_m and Theta; None: 1.33, or 1.5 for models of species
    s2_delta, s2_range : width of the Gaussians, and upper end r_m of the integral of s_2; None: first minimum of g(r) [length]
    r_c : radius of coarse-graining; None: 5 in 2D, 3 in 3D [length]
    modes : lowest modes in M; fewer if there are not as many
    nonlinear_cell : edge of the cells of which each gives a start of nonlinear modes [length]
    nonlinear_tolerance : |H pi - (kappa/B) Q| / |H pi| of such a mode
    free : the particles do not fill their cell, which has a margin: at the rim there are no cells
    density : number density; None: N/V, which it is not if they do not fill their cell [length^-d]
    kick_steps : steps of the motion that gives the nonaffinity
    saddle_starts : where to pull for saddles: "modes", "bonds", "random"
    saddle_cell : edge of the cells that each give a pair, or a cluster, to pull at [length]
    saddle_radius : of the discs in which they are looked for; None: 8 in 2D, 3.5 in 3D, or as the cell has room [length]
    saddle_refined : so many of the softest ones are refined in the whole glass
    softness : what `hpcglass softness train` found
    """

    plane: str = "xy"
    x_cut: float | None = None
    s2_delta: float = DELTA
    s2_range: float | None = None
    r_c: float | None = None
    modes: int = 512
    kick_steps: int = STEPS
    nonlinear_cell: float = 4.0
    nonlinear_tolerance: float = 1e-4
    free: bool = False
    density: float | None = None
    saddle_starts: tuple[str, ...] = ("modes", "bonds")
    saddle_cell: float = 4.0
    saddle_radius: float | None = None
    saddle_refined: int = 50
    softness: Plane | None = None


@dataclass
class Glass:
    """A configuration, what was chosen, and what came out besides the fields.

    Parameters
    ----------
    system : up to date
    choices : numbers that definitions leave open
    alive : told what is going on, between two pieces of work; on any rank by itself
    look : called by long work on all ranks alike, may raise

    Attributes
    ----------
    results : name -> (value, units, what it is): what an indicator says besides its field
    tables : name -> (rows (k, columns), column -> (units, what it is))
    nonlinear : order -> modes that were found, see `indicators.nonlinear.modes`
    """

    system: System
    choices: Choices = Choices()
    alive: Callable[[str], None] = lambda what: None
    look: Look = straight_on
    results: dict[str, tuple[Any, str, str]] = field(default_factory=dict)
    tables: dict[str, tuple[Any, dict[str, tuple[str, str]]]] = field(default_factory=dict)
    nonlinear: dict[int, Any] = field(default_factory=dict)

    # ------------------------------------------------------------------ structure

    @property
    def density(self) -> float:
        """Number density."""
        return self.choices.density or self.system.n_total / self.system.volume

    @property
    def spacing(self) -> float:
        """(V/N)^(1/d)."""
        return float(self.density ** (-1.0 / self.system.dimension))

    @cached_property
    def cells(self) -> Cells:
        """Power cells, in 2D."""
        return power_cells(self.system, self.choices.free)

    @cached_property
    def cell_shapes(self) -> tuple[Floats, Floats]:
        """((n_owned,) volume of each power cell, (n_owned, d) its centroid relative to the particle)."""
        if self.system.dimension == 3:
            return power_cells_3d(self.system)
        area, centroid = self.cells.around.back(self.cells.area, self.cells.centroid)
        return area, centroid

    @cached_property
    def orientation(self) -> tuple[Floats, Floats]:
        """((n_owned, 8) Psi_2 ... Psi_9, (n_owned,) Theta), in 2D."""
        psi, theta = self.neighbours.back(*orientational_order(self.neighbours, self.x_cut))
        return psi, theta

    @cached_property
    def neighbours(self) -> Surroundings:
        """Those closer than x_cut lambda_ij."""
        return surroundings(self.system, self.x_cut, reduced=True)

    @property
    def x_cut(self) -> float:
        """First minimum of g(r/lambda_ij) in the paper's glasses."""
        return self.choices.x_cut or (1.5 if self.system.model.mixing.by_species else 1.33)

    @cached_property
    def entropy_range(self) -> tuple[Surroundings, float]:
        """Neighbours for s_2, and r_m."""
        delta, r_m = self.choices.s2_delta, self.choices.s2_range
        if r_m is not None:
            return surroundings(self.system, r_m + FAR * delta), r_m
        reach = 2.2 * self.spacing + 2.0 * FAR * delta
        around = surroundings(self.system, reach)
        return around, first_minimum(around, reach, delta)

    # ------------------------------------------------------------------ response

    @cached_property
    def bonds(self) -> Bonds:
        """Interacting pairs."""
        return interacting(self.system)

    @cached_property
    def hessian(self) -> Hessian:
        """Second derivatives of the energy."""
        return Hessian(self.system)

    @cached_property
    def solver(self) -> Solver:
        """Its factors, or what stands for them where they would not fit."""
        return Solver(self.hessian, right_hand_sides=SOLVES)

    @property
    def loose(self) -> NDArray[np.bool_]:
        """(n_owned,) rattlers."""
        return self.hessian.loose

    @property
    def gradient(self) -> Floats:
        """(d, d) velocity gradient of the shear."""
        return simple_shear(self.system.dimension, self.choices.plane)

    @cached_property
    def shear_force(self) -> Floats:
        """(n_owned, d) -Xi = -d^2 U / dx d gamma: forces that an affine shear brings up."""
        return -along_path(bonded(self.system), self.gradient, [], 1).gradient

    @cached_property
    def velocity(self) -> Floats:
        """(n_owned, d) nonaffine velocity, H xdot = -Xi."""
        return self.solver.solve(self.shear_force)

    @cached_property
    def thermal(self) -> thermal.Thermal:
        """The harmonic solid."""
        return thermal.thermal(self.hessian, self.solver)

    @property
    def r_c(self) -> float:
        """Radius of coarse-graining."""
        return self.choices.r_c or coarse.R_C[self.system.dimension]

    @cached_property
    def discs(self) -> Surroundings:
        """Neighbours for coarse-graining."""
        return coarse.discs(self.system, self.r_c)

    def unless_loose(self, values: Floats) -> Floats:
        """The same with NaN for rattlers, which no response knows of."""
        return np.where(self.loose, np.nan, values)

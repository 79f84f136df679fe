"""How much the core of an event slips: the plastic strain that a block of a lattice would need to do the same.

A block has an edge of five mean spacings; here it is the disc (ball) of that volume around the centre of the event: the mean
position, weighed with D^2_min, of the particles that are as near as that to the one with the largest.
Definition and derivation: `numbers.slip`. The modulus is that of the glass at the start, as in a lattice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.errors import InputError
from hpcglass.geometries.periodic import AXES, deformation, heights
from hpcglass.landscape.forces import per_particle
from hpcglass.numbers.slip import MARGIN, along_shear, ball, slip, slipped_volume
from hpcglass.stages.shear.loading import Step

if TYPE_CHECKING:
    from hpcglass.core.system import System

Floats = NDArray[np.float64]
BLOCK = 5.0             # mean spacings, as in D. Richard, "Connecting microscopic and mesoscopic mechanics", Sec. V
COLUMNS = {"slip": ("", "plastic strain of a block around the core, along the shear (e_xy in simple shear xy)"),
           "slipped_volume": ("length^d", "plastic strain times volume of the whole event, V stress_drop/(2 mu)")}


class Slips:
    """Slips of the events of one loading.

    Parameters
    ----------
    system : in the minimum that the loading begins with
    gradient : (d, d) velocity gradient A
    plane : of the shear
    scalars : of an interrupted run

    Raises
    ------
    InputError
        The cell is too small for a block.
    """

    def __init__(self, system: System, gradient: Floats, plane: str, scalars: dict[str, Any] | None = None) -> None:
        self.system, self.gradient = system, gradient
        self.density = system.n_total / system.volume
        spacing = self.density ** (-1.0 / system.dimension)
        self.radius = ball((BLOCK * spacing) ** system.dimension, system.dimension)
        self.reach = 2.0 * self.radius + MARGIN * spacing
        room = 0.5 * float(heights(system.box).min())
        if self.reach > room:
            raise InputError(f"slips = true: blocks of {BLOCK:g} mean spacings, with their surroundings, reach {self.reach:.3g} "
                             f"from a core, half the cell is only {room:.3g}; take more particles")
        self.modulus = float(scalars["slip modulus"]) if scalars else modulus(system, gradient, plane)

    @property
    def scalars(self) -> dict[str, Any]:
        """Numbers that `__init__` takes to go on."""
        return {"slip modulus": self.modulus}

    def of(self, step: Step, moved: Floats, field: Floats, core: Floats, drop: float) -> dict[str, float]:
        """Columns of an event. Collective.

        Parameters
        ----------
        step : with the event
        moved : (n_owned, d) by how much each particle has moved beyond the affine map of the step
        field : (n_owned,) D^2_min
        core : (d,) where it is largest now
        drop : of the stress sigma : A
        """
        system = self.system
        after = system.state()
        system.restore(*step.before)
        virial = per_particle(system)[1]
        ids = system.id[: system.n_owned].copy()
        system.restore(*after)
        change = per_particle(system)[1] - system.reorder(ids, virial)
        fraction = (system.position - core) @ np.linalg.inv(system.box).T
        place = (fraction - np.rint(fraction)) @ system.box.T
        near = np.flatnonzero((place**2).sum(axis=1) < self.reach**2)
        d = system.dimension
        rows = np.column_stack([place[near], moved[near], change[near].reshape(-1, d * d), field[near]])
        rows = ranks.gathered(system.comm, rows)[np.argsort(ranks.gathered(system.comm, system.id[near]))]
        here, moved, change, weight = rows[:, :d], rows[:, d:2 * d], rows[:, 2 * d:-1].reshape(-1, d, d), rows[:, -1]
        before = here - moved
        weight = np.where((here**2).sum(axis=1) < self.radius**2, weight, 0.0)
        centre = weight @ before / weight.sum() if weight.any() else np.zeros(d)
        found = slip(before - centre, moved, change, self.density, self.radius, self.gradient, self.modulus)
        imposed = along_shear(deformation(self.gradient, step.size) - np.eye(d), self.gradient)
        return {"slip": found + imposed, "slipped_volume": slipped_volume(system.volume, drop, self.gradient, self.modulus)}


def modulus(system: System, gradient: Floats, plane: str) -> float:
    """Shear modulus of a minimum along a shear, d sigma/d(2 e) without rotation. Collective."""
    from hpcglass.cavity.bulk import moduli

    found = moduli(system)
    rate = 0.5 * (gradient + gradient.T)
    a, b = AXES.index(plane[0]), AXES.index(plane[1])
    return float(0.5 * np.einsum("ab,abcd,cd->", rate, found.tensor, rate) / (rate * rate).sum()
                 + 0.5 * (found.stress[a, a] + found.stress[b, b]))

"""Indicators of positions and sizes alone, of what no model is known: experiments, in a periodic cell or with an open boundary.

Lengths are in units of the mean diameter, lambda_ij = (lambda_i + lambda_j)/2. At an open boundary a number is said only of
particles that have all the neighbours its definition counts: those deeper inside the convex hull than its reach, and than those
who could cut their cell. The others have NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from hpcglass.core.system import System
from hpcglass.errors import InputError
from hpcglass.indicators.base import Indicator
from hpcglass.indicators.glass import Choices, Glass
from hpcglass.indicators.neighbours.entropy import FAR
from hpcglass.numbers.hull import within
from hpcglass.potentials.model import Mixing, Model, PairPotential, Segment, Sizes

Floats = NDArray[np.float64]

MARGIN = 8.0        # empty space around an open configuration [mean diameters]: more than any reach
CELLS = {"rho": 2.0, "packing_fraction": 2.0, "phi": 2.0, "P": 2.0, "Q": 3.0}       # and from how far a cell may be cut


@dataclass
class Particles:
    """What is known of them.

    position : (N, d) [any unit of length]
    diameter : (N,) [the same]
    box : (d, d) periodic cell, columns are the edge vectors; ignored if `free`
    free : the boundary is open
    """

    position: Floats
    diameter: Floats
    box: Floats
    free: bool


def evaluate(particles: Particles, wanted: Sequence[Indicator], choices: Choices) -> tuple[dict[str, Floats], Glass]:
    """(N,) values of each indicator, lengths in mean diameters, by particle; and the glass that was asked. One process.

    Parameters
    ----------
    choices : lengths in mean diameters

    Raises
    ------
    InputError
        An indicator needs more than positions; the boundary is open, and there is no inside, or a cell in 3D is asked for.
    """
    for indicator in wanted:
        if indicator.needs != "positions":
            raise InputError(f"{indicator.name} needs a potential, which a file of positions has not: make a run with "
                             "a model of it (hpcglass import, stage indicators)")
        if particles.free and indicator.name in CELLS and particles.position.shape[1] == 3:
            raise InputError(f"{indicator.name}: cells at an open boundary are for 2D; give the periodic cell, or leave it out")
    unit = float(particles.diameter.mean())
    position, box, depth = particles.position / unit, particles.box / unit, None
    if particles.free:
        try:
            depth, density = within(position)
        except ValueError as error:
            raise InputError(f"an open boundary: {error}") from None
        low, high = position.min(axis=0), position.max(axis=0)
        position, box = position - low + MARGIN, np.diag(high - low + 2.0 * MARGIN)
        choices = replace(choices, free=True, density=density)
    system = _system(position, particles.diameter / unit, box)
    glass = Glass(system, choices)
    ids = system.id[: system.n_owned]
    found: dict[str, Floats] = {}
    for indicator in wanted:
        values = np.empty(len(ids))
        values[ids] = indicator.compute(glass)
        if depth is not None:
            values[depth <= _reach(indicator.name, glass)] = np.nan
        found[indicator.name] = values
    return found, glass


def _reach(name: str, glass: Glass) -> float:
    """How far away neighbours count, at most."""
    if name in CELLS:
        return CELLS[name]
    if name == "s2":
        return glass.entropy_range[1] + FAR * glass.choices.s2_delta
    return glass.x_cut * float(glass.system.diameter.max())


def _system(position: Floats, diameter: Floats, box: Floats) -> System:
    """Particles without a potential."""
    model = Model("", "", PairPotential((Segment(1.0, (0,), (0.0,)),)), Mixing(),
                  Sizes("power", float(diameter.min()), float(diameter.max())))
    n = len(position)
    return System(MPI.COMM_SELF, model, box, {"id": np.arange(n), "position": position, "diameter": diameter,
                                              "species": np.zeros(n, dtype=np.int32)})

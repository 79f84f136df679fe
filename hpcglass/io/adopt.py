"""What must hold before a run starts from a configuration: it is of the model, its cell has room, no two particles coincide."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hpcglass.errors import InputError
from hpcglass.geometries.periodic import heights, reduce_tilt
from hpcglass.geometries.room import WIDEST, misfit
from hpcglass.io.convert import read_any
from hpcglass.io.formats.common import Configuration
from hpcglass.io.formats.species import assign
from hpcglass.potentials.model import Model

if TYPE_CHECKING:
    from hpcglass.config import SystemParams

Floats = NDArray[np.float64]
CROWDED = 0.2           # distance of half of the particles from their neighbours; at random it is 0.47 in 2D, 0.55 in 3D
UNUSUAL = 2.0           # factor between the density and the model's
NEAR = 0.5              # distance of two particles in mean diameters that no glass has
COINCIDENT = 1e-6       # distance of two particles in smallest diameters; of 10^6 at random, it is seen once in 10^5 files


def start_configuration(system: SystemParams, model: Model) -> tuple[Configuration, tuple[str, ...]]:
    """The configuration a run starts from, checked against what [system] says about it, and what to say about it.

    Raises
    ------
    InputError
        Particles or density are given and differ from the file's; or as `adopt`.
    FileError
        The file is damaged.
    """
    assert system.file is not None
    found = read_any(system.file, system.dimension)
    if system.particles is not None and system.particles != len(found.position):
        raise InputError(f"system.particles = {system.particles}: but {system.file} has {len(found.position)}; remove the key")
    if system.density is not None and abs(system.density - found.density) > 1e-6 * found.density:
        raise InputError(f"system.density = {system.density}: but {system.file} has {found.density:.9g}; remove the key")
    return adopt(found, model, Path(system.file))


def adopt(found: Configuration, model: Model, source: Path) -> tuple[Configuration, tuple[str, ...]]:
    """The configuration with species and diameters of the model, None where they must be drawn; and what to say about it.

    Raises
    ------
    InputError
        What contradicts the model (`species.assign`), a cell too small or too large, two particles at the same place or all
        too near to each other.
    """
    assigned = assign(found, model, source)
    d = assigned.diameter
    check_room(found.box, model, model.sizes.bounds[1] if d is None else float(d.max()), source,
               f"particle {int(np.argmax(d))}" if d is not None else "the largest particle")
    near = check_apart(found.position, found.box, np.full(len(found.position), model.sizes.bounds[0]) if d is None else d, source)
    adopted = replace(found, species=assigned.species, diameter=assigned.diameter, names=(), ordered=True, notes=())
    usual = model.density.get(found.dimension, found.density)
    strange = [f"warning: the density of {source.name} is {found.density:.4g}, usual for {model.name} is {usual:.4g}: are "
               "lengths in the units of the model?"] if not usual / UNUSUAL < found.density < usual * UNUSUAL else []
    return adopted, (*(f"{source.name}: {note}" for note in found.notes), *assigned.said, *strange, *near)


def check_room(box: Floats, model: Model, largest: float, source: Path, who: str) -> None:
    """Raise InputError if particles would meet themselves in the cell, or nobody; `who` has the diameter `largest`."""
    length = model.mixing.length
    reach = model.potential.cutoff * (largest if length is None else max(map(max, length)))
    edges = np.linalg.norm(box, axis=0)
    if edges.max() < WIDEST**2 * reach:         # tilts that can be counted
        box = box @ reduce_tilt(box)
        edges = np.linalg.norm(box, axis=0)
    reason = misfit(heights(box).tolist(), edges.tolist(), reach)
    if reason:
        raise InputError(f"{source}: the cell {reason}" + (f" ({who} has the diameter {largest:.6g})" if length is None else ""))


def check_apart(position: Floats, box: Floats, diameter: Floats, source: Path) -> list[str]:
    """A warning if two particles are nearer than in any glass.

    InputError names two particles at the same place, or says that all crowd in a part of the cell: another unit of length.
    """
    unwrapped = np.linalg.solve(box, position.T).T
    fraction = unwrapped - np.floor(unwrapped)
    fraction[fraction >= 1.0] = 0.0
    near = nearest(fraction, box, diameter)
    i, j, least = near.i, near.j, COINCIDENT * float(diameter.min())
    if near.distance < least:
        raise InputError(f"{source}: particles {i} and {j} are at the same place, {position[i].tolist()} and "
                         f"{position[j].tolist()} (nearer than {least:.1g}): is a line there twice?")
    if near.usual < CROWDED * diameter.min() and min(np.ptp(rows, axis=0).max() for rows in (unwrapped, fraction)) < 0.5:
        raise InputError(f"{source}: half of the particles are nearer than {near.usual:.3g} to another, the smallest diameter is "
                         f"{diameter.min():.4g}, and there are none in most of the cell: are positions in units of its edges, "
                         "or of another length?")
    return [] if near.relative >= NEAR else [
        f"warning: particles {i} and {j} of {source.name} are only {near.distance:.3g} apart, {near.relative:.2g} of their mean "
        "diameter: are these random positions, or is a number or the cell wrong?"]


@dataclass(frozen=True)
class Nearest:
    """Two particles i < j that are nearest in units of their mean diameter.

    distance, relative : in units of length, and of their mean diameter
    usual : median distance of particles from their nearest neighbours
    """

    i: int
    j: int
    distance: float
    relative: float
    usual: float


def nearest(fraction: Floats, box: Floats, diameter: Floats) -> Nearest:
    """Look at the nearest neighbour of each particle, up to half a diameter also through the faces of the cell.

    fraction : (N, d) positions in units of the edges, in [0, 1)
    """
    from scipy.spatial import cKDTree

    order = np.lexsort(fraction.T)      # equal ones first: a tree with thousands of points at one place is slow
    same = np.flatnonzero((fraction[order[1:]] == fraction[order[:-1]]).all(axis=1))
    if same.size:
        i, j = sorted(order[same[0]: same[0] + 2].tolist())
        return Nearest(i, j, 0.0, 0.0, 0.0)
    index = np.arange(len(fraction))
    for axis, width in enumerate(NEAR * diameter.max() / heights(box)):     # images behind the faces
        behind = np.flatnonzero(fraction[:, axis] < width)
        fraction = np.concatenate([fraction, fraction[behind] + np.eye(len(box))[axis]])
        index = np.concatenate([index, index[behind]])
    if len(fraction) < 2:
        return Nearest(0, 0, np.inf, np.inf, np.inf)
    place = fraction @ box.T
    distance, neighbour = cKDTree(place).query(place, k=2)
    pairs = np.sort(index[neighbour], axis=1)
    relative = distance[:, 1] / diameter[pairs].mean(axis=1)
    first = int(np.argmin(relative))
    i, j = pairs[first].tolist()
    return Nearest(i, j, float(distance[first, 1]), float(relative[first]), float(np.median(distance[:, 1])))

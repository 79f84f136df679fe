"""The first configuration of a run: sizes, positions (in the cell or between walls), and a soft push-off that removes overlaps.

Every particle's numbers depend on the seed and its global id only, so a start is the same on any number of ranks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.random import Stream, permutation, uniform
from hpcglass.core.system import System
from hpcglass.geometries import annulus
from hpcglass.landscape.walls import check_inside
from hpcglass.moves.minimise import minimise
from hpcglass.potentials.model import Model, PairPotential, Segment, Sizes

if TYPE_CHECKING:
    from hpcglass.config import SystemParams

Floats = NDArray[np.float64]

SOFT = PairPotential((Segment(1.0, (0, 1, 2), (0.5, -1.0, 0.5)),))     # (1 - x)^2 / 2: finite at any overlap


def build(comm: MPI.Comm, params: SystemParams, model: Model, seed: int) -> System:
    """A new system as [system] describes it, at random or on a lattice, with overlaps pushed off. Collective.

    Raises
    ------
    hpcglass.errors.InputError
        When it would have no particles.
    """
    particles = int(params.particles or 0)
    first, last = ranks.block(particles, comm.size, comm.rank)
    ids = np.arange(first, last, dtype=np.int64)
    diameter, species = draw_sizes(model.sizes, particles, ids, params.sizes, seed)
    rows: dict[str, NDArray[Any]] = {"id": ids, "diameter": diameter, "species": species}
    random = uniform(seed, Stream.POSITIONS, 0, ids, params.dimension)
    if params.r_in is not None and params.r_out is not None:
        walls = annulus.centred(params.dimension, params.r_in, params.r_out, model.largest_cutoff)
        box = annulus.edge(params.r_out, model.largest_cutoff) * np.eye(params.dimension)
        return push_off(System(comm, model, box, {**rows, "position": between(walls, random, diameter),
                                                  "walls": np.array(walls.numbers)}))
    box = np.array(params.box())
    if params.start == "lattice":
        return System(comm, model, box, {**rows, "position": lattice(box, particles, ids)})
    return push_off(System(comm, model, box, {**rows, "position": random @ box.T}))


def draw_sizes(sizes: Sizes, particles: int, ids: NDArray[np.int64], how: str, seed: int) -> tuple[Floats, NDArray[np.int32]]:
    """Diameters and species of the particles `ids`.

    Inverse cumulative distribution at u: for p(D) ~ D^-a, D = [D_0^(1-a) + u (D_1^(1-a) - D_0^(1-a))]^(1/(1-a)).

    Parameters
    ----------
    how : "random" takes u at random; "quantile" takes (i + 1/2)/N, shuffled, which leaves no fluctuations between samples.
    """
    if how == "quantile":
        u = (permutation(seed, Stream.SHUFFLE, 0, particles)[ids] + 0.5) / particles
    else:
        u = uniform(seed, Stream.SIZES, 0, ids)[:, 0]
    if sizes.kind == "species":
        species = np.searchsorted(np.cumsum(sizes.fractions)[:-1], u, side="right").astype(np.int32)
        return np.asarray(sizes.diameters, dtype=np.float64)[species], species
    low, high, power = sizes.smallest, sizes.largest, 1.0 - sizes.exponent
    if abs(power) < 1e-12:
        diameter = low * (high / low) ** u
    else:
        diameter = (low**power + u * (high**power - low**power)) ** (1.0 / power)
    return np.asarray(diameter, dtype=np.float64), np.zeros(ids.size, dtype=np.int32)


def between(walls: annulus.Walls, random: Floats, diameter: Floats) -> Floats:
    """(n, d) positions, uniform between walls, half a diameter away from them, from (n, d) numbers uniform in (0, 1).

    Inverse cumulative distribution of the radius: r = [a^d + u (b^d - a^d)]^(1/d).
    """
    d = walls.dimension
    low, high = (walls.r_in + 0.5 * diameter) ** d, (walls.r_out - 0.5 * diameter) ** d
    radius = (low + random[:, 0] * (high - low)) ** (1.0 / d)
    angle = 2.0 * np.pi * random[:, 1]
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    if d == 3:
        height = 2.0 * random[:, 2:] - 1.0
        direction = np.hstack([np.sqrt(1.0 - height**2) * direction, height])
    return np.array(walls.centre) + radius[:, None] * direction


def lattice(box: Floats, particles: int, ids: NDArray[np.int64]) -> Floats:
    """(n, d) sites of a simple lattice along the box vectors, evenly thinned out to N."""
    edges = np.linalg.norm(box, axis=0)
    spacing = (edges.prod() / particles) ** (1.0 / len(box))
    counts = np.maximum(np.rint(edges / spacing), 1).astype(np.int64)
    while counts.prod() < particles:
        counts[np.argmin(counts / edges)] += 1
    site = ids * int(counts.prod()) // particles
    place = np.stack(np.unravel_index(site, tuple(counts)), axis=1)
    return np.asarray(((place + 0.5) / counts) @ box.T)


def push_off(system: System, overlap: float = 0.35) -> System:
    """The same particles moved apart until no pair is closer than (1 - overlap) lambda_ij, or they are stuck. Collective.

    Minimises the soft repulsion (1 - r/lambda_ij)^2 / 2, which stays finite at any distance, so that a random start can
    be handed to potentials that diverge.
    """
    soft = System(system.comm, replace(system.model, potential=SOFT), system.box, system.configuration())
    soft.concentrate()
    # |phi'| = overlap / lambda for a single pair; a few per cent of it is reached within some hundred evaluations
    minimise(soft, "fire", 0.1 * overlap, max_evaluations=1000)
    check_inside(soft, "there are too many particles between the walls: lower the density")
    return System(system.comm, system.model, system.box, soft.configuration())

"""The first configuration of a run: sizes, positions, and a soft push-off that removes overlaps.

Every particle's numbers depend on the seed and its global id only, so a start is the same on any number of ranks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.random import Stream, permutation, uniform
from hpcglass.core.system import System
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
    box = np.array(params.box())
    first, last = ranks.block(particles, comm.size, comm.rank)
    ids = np.arange(first, last, dtype=np.int64)
    if params.start == "lattice":
        position = lattice(box, particles, ids)
    else:
        position = uniform(seed, Stream.POSITIONS, 0, ids, len(box)) @ box.T
    diameter, species = draw_sizes(model.sizes, particles, ids, params.sizes, seed)
    system = System(comm, model, box, {"id": ids, "position": position, "diameter": diameter, "species": species})
    return system if params.start == "lattice" else push_off(system)


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
    # |phi'| = overlap / lambda for a single pair; a few per cent of it is reached within some hundred evaluations
    minimise(soft, "fire", 0.1 * overlap, max_evaluations=1000)
    return System(system.comm, system.model, system.box, soft.configuration())

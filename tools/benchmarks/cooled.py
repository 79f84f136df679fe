"""Glasses for benchmarks that need one of any size: cooled by molecular dynamics, then quenched."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.geometries.periodic import cell
from hpcglass.moves.dynamics import Dynamics, maxwell_velocities
from hpcglass.moves.relax import to_minimum
from hpcglass.moves.start import draw_sizes, lattice, push_off
from hpcglass.potentials.library import MODELS

TOLERANCE, MANY = 1e-10, 2_000_000
TIME_STEP = 0.005
TEMPERATURES = {"lj-binary": (0.5, 0.2), "ipl12": (0.3, 0.08)}


def glass(comm: MPI.Comm, name: str, particles: int, steps: int) -> System:
    """A 2D glass at rest, cooled at constant rate through the glass transition in so many time steps. Collective."""
    model, (hot, cold) = MODELS[name], TEMPERATURES[name]
    box = cell(particles / model.density[2], 2)
    first, last = ranks.block(particles, comm.size, comm.rank)
    ids = np.arange(first, last, dtype=np.int64)
    diameter, species = draw_sizes(model.sizes, particles, ids, "quantile", 1)
    system = push_off(System(comm, model, box, {"id": ids, "diameter": diameter, "species": species,
                                                "position": lattice(box, particles, ids)}))
    to_minimum(system, "fire", 1e-3, MANY)
    system.fields["velocity"] = maxwell_velocities(system, hot, 1)
    dynamics = Dynamics(system, "langevin", TIME_STEP, 1.0, 1)
    for step in range(1, steps + 1):
        dynamics.step(step, hot + (cold - hot) * step / steps)
    system.fields.pop("velocity")
    to_minimum(system, "fire", TOLERANCE, MANY)
    return system.renewed()

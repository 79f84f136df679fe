"""Small systems for the tests of swap Monte Carlo."""

from __future__ import annotations

import numpy as np
from glasses import ALL

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.geometries.periodic import cell
from hpcglass.moves.start import draw_sizes, lattice


def small(comm, name="ipl12", particles=256, dimension=2, tilt=None, density=None):
    """A lattice of particles with sizes at the quantiles of the model's distribution, dealt out to ranks."""
    model = ALL[name]
    box = cell(particles / (density or model.density.get(dimension, 1.0)), dimension, tilt=tilt)
    first, last = ranks.block(particles, comm.size, comm.rank)
    ids = np.arange(first, last)
    diameter, species = draw_sizes(model.sizes, particles, ids, "quantile", 1)
    return System(comm, model, box, {"id": ids, "position": lattice(box, particles, ids), "diameter": diameter,
                                     "species": species})

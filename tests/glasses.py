"""Reference glasses as systems on any communicator, and the plain answers the tests compare with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
from own_models import OWN

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.potentials.library import MODELS

ALL = {**MODELS, **OWN}
DATA = Path(__file__).parent / "data"
NAMES = {"harmonic-3d": "harmonic", "ipl10-2d": "ipl10", "ipl10-3d": "ipl10", "ipl12-2d": "ipl12",
         "lj-binary-2d": "lj-binary", "lj-poly-2d": "lj"}


def arrays(name: str):
    """(model, box, position, diameter, species) of a reference glass, whole on every rank."""
    model = MODELS[NAMES.get(name, "ipl12")]
    with h5py.File(DATA / f"{name}.h5") as file:
        group = file["configuration"]
        position, box = group["position"][:], group["box"][:]
        if "species" in group:
            species = group["species"][:].astype(np.int32)
            diameter = np.array(model.sizes.diameters)[species]
        else:
            diameter, species = group["size"][:], np.zeros(len(position), np.int32)
    return model, box, position, diameter, species


def system(comm, model, box, position, diameter, species, **options) -> System:
    """A system from arrays that are whole on every rank; rank p hands in block p."""
    first, last = ranks.block(len(position), comm.size, comm.rank)
    own = slice(first, last)
    fields = {"id": np.arange(first, last), "position": position[own], "diameter": diameter[own], "species": species[own]}
    return System(comm, model, box, fields, **options)


def glass(comm, name: str, **options) -> System:
    """A reference glass spread over `comm`."""
    return system(comm, *arrays(name), **options)


def liquid(comm, name: str, particles: int, dimension: int, tilt=(), seed: int = 1, **options) -> System:
    """Random positions and sizes: not a glass, but every pair distance occurs."""
    return system(comm, *liquid_arrays(name, particles, dimension, tilt, seed), **options)


def liquid_arrays(name: str, particles: int, dimension: int, tilt=(), seed: int = 1):
    """Arrays of `liquid`. Positions are those of a jittered lattice, so that energies stay finite."""
    from hpcglass.geometries.periodic import cell
    from hpcglass.moves.start import draw_sizes, lattice

    model = ALL[name]
    density = model.density.get(dimension, 0.9 if dimension == 2 else 0.7)
    box = cell(particles / density, dimension, tilt=list(tilt))
    ids = np.arange(particles)
    rng = np.random.default_rng(seed)
    position = lattice(box, particles, ids) + rng.normal(0, 0.06, (particles, dimension))
    diameter, species = draw_sizes(model.sizes, particles, ids, "quantile", seed)
    return model, box, position, diameter, species


def whole(system_: System, rows):
    """Rows of all ranks sorted by global id, on every rank."""
    first, last = ranks.block(system_.n_total, system_.comm.size, system_.comm.rank)
    mine = ranks.to_blocks(system_.comm, system_.id[: system_.n_owned], system_.n_total, np.ascontiguousarray(rows))[0]
    result = np.zeros((system_.n_total, *mine.shape[1:]), dtype=mine.dtype)
    result[first:last] = mine
    return ranks.total(system_.comm, result)


def all_pairs(model, box, position, diameter, species, extra: float = 0.0):
    """Interacting pairs by brute force over all images: sorted rows (i, j, rounded distance), i <= j.

    extra : pairs up to the cut-off plus this distance.
    """
    inverse = np.linalg.inv(box)
    reach = model.largest_cutoff + extra
    count = np.ceil(reach * np.linalg.norm(inverse, axis=1) + 1).astype(int)
    shifts = np.stack(np.meshgrid(*[np.arange(-c, c + 1) for c in count], indexing="ij"), -1).reshape(-1, len(box))
    separation = position[None] - position[:, None]
    separation -= np.rint(separation @ inverse.T) @ box.T
    if model.mixing.length is not None:
        length = np.array(model.mixing.length)[species[:, None], species[None]]
    else:
        length = 0.5 * (diameter[:, None] + diameter) * (1 - model.mixing.nonadditivity * abs(diameter[:, None] - diameter))
    found = []
    for shift in shifts:
        distance = np.linalg.norm(separation + box @ shift, axis=-1)
        i, j = np.nonzero((distance < model.potential.cutoff * length + extra) & (distance > 1e-9))
        found += [(a, b, r) for a, b, r in zip(i, j, np.round(distance[i, j], 7), strict=True) if a <= b]
    # an image pair i-i is met from both sides
    return sorted(found)


def monodisperse(name: str):
    """The model with one diameter, 1."""
    model = MODELS[name]
    return replace(model, sizes=replace(model.sizes, smallest=1.0, largest=1.0))

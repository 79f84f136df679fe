"""The system a run starts from: a file that the user names, or a new one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mpi4py import MPI

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.errors import InputError
from hpcglass.geometries.annulus import Walls
from hpcglass.io import configuration
from hpcglass.io.agree import broadcast_text, together
from hpcglass.io.reader import Reader, is_ours
from hpcglass.moves.start import build, draw_sizes
from hpcglass.potentials.model import Model

if TYPE_CHECKING:
    from hpcglass.config import SystemParams


def start(comm: MPI.Comm, params: SystemParams, model: Model, seed: int) -> tuple[System, list[str]]:
    """The first system, and the "name hash" of the file it came from, if any. Collective.

    From a file of hpcglass the run goes on with the same bits. From other programs' files, diameters or species that are
    missing are drawn as for a new system.

    Raises
    ------
    InputError
        The file has another number of particles, dimension, density or kind of particles than the input says.
    FileError
        The file is damaged.
    """
    if params.file is None:
        return build(comm, params, model, seed), []
    path = Path(params.file)
    ours = np.zeros(1, dtype=np.int64)
    with together(comm, f"cannot read {path}"):
        ours[0] = comm.rank == 0 and is_ours(path)
    if ranks.largest(comm, ours)[0]:
        box, rows, parent = _read_ours(comm, path)
    else:
        box, rows, parent = _read_other(comm, params, model, seed, path)
    _check(comm, params, model, box, rows, path)
    return System(comm, model, box, rows), [parent]


def _read_ours(comm: MPI.Comm, path: Path) -> tuple[Any, dict[str, Any], str]:
    with Reader(comm, path) as file:
        if configuration.GROUP not in file:
            raise InputError(f"{path}: has no configuration to start from; use the file of a finished stage")
        box, rows = configuration.read(file)
        return box, rows, f"{path.name} {file.seal}"


def _read_other(comm: MPI.Comm, params: SystemParams, model: Model, seed: int, path: Path) -> tuple[Any, dict[str, Any], str]:
    """Rank 0 reads; every rank keeps a block of the particles."""
    arrays: list[Any] = [None] * 4
    digest = ""
    with together(comm, f"cannot read {path}"):
        if comm.rank == 0:
            from hpcglass.io.convert import start_configuration

            found = start_configuration(params)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            nothing = np.empty(0)
            arrays = [found.box, found.position, nothing if found.diameter is None else found.diameter,
                      nothing if found.species is None else found.species]
    box, position, diameter, species = (ranks.broadcast(comm, array) for array in arrays)
    particles = len(position)
    ids = np.arange(*ranks.block(particles, comm.size, comm.rank), dtype=np.int64)
    drawn, kinds = draw_sizes(model.sizes, particles, ids, params.sizes, seed)
    if species.size and model.sizes.kind == "species":
        own = np.asarray(model.sizes.diameters, dtype=np.float64)
        kinds = species[ids].astype(np.int32)
        drawn = own[np.clip(kinds, 0, len(own) - 1)]
    elif diameter.size and model.sizes.kind != "species":
        drawn = diameter[ids]
    rows = {"id": ids, "position": position[ids], "diameter": drawn, "species": kinds}
    return box, rows, f"{path.name} {broadcast_text(comm, digest)}"


def _check(comm: MPI.Comm, params: SystemParams, model: Model, box: Any, rows: dict[str, Any], path: Path) -> None:
    """Raise InputError, on all ranks alike, if the file is not what the input says."""
    particles = int(ranks.total(comm, len(rows["id"])))
    kinds = max(len(model.sizes.fractions), 1)
    if len(box) != params.dimension:
        raise InputError(f"system.dimension = {params.dimension}: but {path} is in {len(box)}D")
    if params.particles is not None and params.particles != particles:
        raise InputError(f"system.particles = {params.particles}: but {path} has {particles}; remove the key")
    inside = Walls.of(rows["walls"]).volume if "walls" in rows else abs(float(np.linalg.det(box)))
    density = particles / inside
    if params.density is not None and abs(params.density - density) > 1e-6 * density:
        raise InputError(f"system.density = {params.density}: but {path} has {density:.9g}; remove the key")
    strange = int(((rows["species"] < 0) | (rows["species"] >= kinds)).sum())
    if ranks.total(comm, strange):
        raise InputError(f"{path}: has species that {model.name} does not have (it has {kinds})")
    smallest = ranks.smallest(comm, float(rows["diameter"].min(initial=np.inf)))
    if not smallest > 0:
        raise InputError(f"{path}: has diameters that are not > 0")

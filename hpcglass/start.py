"""The system a run starts from: a file that the user names, or a new one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mpi4py import MPI

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.errors import InputError
from hpcglass.geometries.annulus import Walls
from hpcglass.io import configuration
from hpcglass.io.adopt import check_room, start_configuration
from hpcglass.io.agree import broadcast_text, together
from hpcglass.io.formats.species import check_members, check_shares
from hpcglass.io.reader import Reader, is_ours
from hpcglass.moves.start import build, draw_sizes
from hpcglass.potentials.model import Model

if TYPE_CHECKING:
    from hpcglass.config import SystemParams


def start(comm: MPI.Comm, params: SystemParams, model: Model, seed: int,
          say: Callable[[str], None] = lambda line: None) -> tuple[System, list[str]]:
    """The first system, and the "name hash" of the file it came from, if any. Collective.

    From a file of hpcglass the run goes on with the same bits. From other programs' files, diameters or species that are
    missing are drawn as for a new system, and that is said.

    Parameters
    ----------
    say : called with what a user should know about the file: species and how they were told, what was drawn or not used

    Raises
    ------
    InputError
        The file has another number of particles, dimension, density or kind of particles than the input says, a cell without
        room for them, or two particles at the same place.
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
        box, rows, parent, said = _read_other(comm, params, model, seed, path)
        for line in said:
            say(line)
    counts = _check(comm, params, model, box, rows, path)
    if ranks.largest(comm, ours)[0] and len(counts) > 1:
        say(f"species of {path.name}: " + ", ".join(f"{model.sizes.name(k)} ({count})" for k, count in enumerate(counts)))
    return System(comm, model, box, rows), [parent]


def _read_ours(comm: MPI.Comm, path: Path) -> tuple[Any, dict[str, Any], str]:
    with Reader(comm, path) as file:
        if configuration.GROUP not in file:
            raise InputError(f"{path}: has no configuration to start from; use the file of a finished stage")
        box, rows = configuration.read(file)
        return box, rows, f"{path.name} {file.seal}"


def _read_other(comm: MPI.Comm, params: SystemParams, model: Model, seed: int,
                path: Path) -> tuple[Any, dict[str, Any], str, list[str]]:
    """Rank 0 reads; every rank keeps a block of the particles."""
    arrays: list[Any] = [None] * 5
    text = ""
    with together(comm, f"cannot read {path}"):
        if comm.rank == 0:
            found, said = start_configuration(params, model)
            text = "\n".join([f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}", *said])
            arrays = [np.empty(0) if array is None else np.asarray(array)
                      for array in (found.box, found.position, found.diameter, found.species, found.walls)]
    box, position, diameter, species, walls = (ranks.broadcast(comm, array) for array in arrays)
    particles = len(position)
    ids = np.arange(*ranks.block(particles, comm.size, comm.rank), dtype=np.int64)
    drawn, kinds = draw_sizes(model.sizes, particles, ids, params.sizes, seed)
    rows = {"id": ids, "position": position[ids], "diameter": diameter[ids] if diameter.size else drawn,
            "species": species[ids].astype(np.int32) if species.size else kinds}
    if walls.size:
        rows["walls"] = walls
    parent, *lines = broadcast_text(comm, text).split("\n")
    return box, rows, parent, lines


def _check(comm: MPI.Comm, params: SystemParams, model: Model, box: Any, rows: dict[str, Any], path: Path) -> list[int]:
    """Raise InputError, on all ranks alike, if the file is not what the input says or not of the model; particles per species."""
    particles = int(ranks.total(comm, len(rows["id"])))
    if len(box) != params.dimension:
        raise InputError(f"system.dimension = {params.dimension}: but {path} is in {len(box)}D")
    if params.particles is not None and params.particles != particles:
        raise InputError(f"system.particles = {params.particles}: but {path} has {particles}; remove the key")
    inside = Walls.of(rows["walls"]).volume if "walls" in rows else abs(float(np.linalg.det(box)))
    density = particles / inside
    if params.density is not None and abs(params.density - density) > 1e-6 * density:
        raise InputError(f"system.density = {params.density}: but {path} has {density:.9g}; remove the key")
    with together(comm):
        check_members(model, rows["species"], rows["diameter"], path, rows["id"])
    counts = ranks.total(comm, np.bincount(rows["species"], minlength=max(len(model.sizes.fractions), 1))).tolist()
    if model.sizes.kind == "species":
        check_shares(model.sizes, counts, model.name, path)
    largest = ranks.largest(comm, float(rows["diameter"].max(initial=0.0)))
    first = ranks.smallest(comm, int(rows["id"][rows["diameter"] == largest].min(initial=particles)))
    check_room(box, model, largest, path, f"particle {first}")
    return counts

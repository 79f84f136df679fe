"""Exports into HDF5 (`formats.h5md`, `formats.vtkhdf`): each rank reads its rows of each frame, and writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mpi4py import MPI

from hpcglass.io.agree import together
from hpcglass.io.convert import with_walls
from hpcglass.io.formats import plain
from hpcglass.io.formats.common import Configuration
from hpcglass.io.frames import Foreign, Stored
from hpcglass.io.order import span
from hpcglass.io.reader import Reader


def verify(comm: MPI.Comm, source: Stored) -> None:
    """All ranks together look at every byte of the files of a source, so that none has to by itself. Collective."""
    for name in source.paths:
        with Reader(comm, name):
            pass
    source.verified = True


def write(comm: MPI.Comm, source: Stored | Foreign, read: Callable[[tuple[int, int]], Iterator[Configuration]], frames: int,
          fields: Sequence[str], path: Path, module: Any) -> None:
    """Write frames of a source. Collective.

    Parameters
    ----------
    read : gives rows (first, past the last) of one frame after the other; does not communicate
    frames : how many there are
    fields : names of what comes with them
    module : of the format
    """
    if isinstance(source, Stored) and comm.size > 1:
        verify(comm, source)
    particles, constant = 0, frozenset[str]()
    with together(comm):
        particles = source.particles
        constant = frozenset(name for name in ("diameter", "species", *fields) if source.constant(name))
    rows = span(comm, particles)
    plain.write(comm, path, map(partial(with_walls, module, path), read(rows)), module.PLAN(frames, particles, constant))

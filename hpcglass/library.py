"""hpcglass from Python: a stored glass as a live system.

>>> import hpcglass as hg
>>> glass = hg.load("results/quickstart/01-quench.h5")      # doctest: +SKIP
>>> hg.landscape.evaluate(glass).energy                     # doctest: +SKIP
"""

from __future__ import annotations

import warnings
from pathlib import Path

from mpi4py import MPI

from hpcglass.analysis.frames.frame import Frame
from hpcglass.config import stored
from hpcglass.core import cache
from hpcglass.core.system import System
from hpcglass.errors import FileError, InputError
from hpcglass.io import configuration
from hpcglass.io.convert import ENDINGS, choose_frame
from hpcglass.io.reader import Reader


def load(path: str | Path | Frame, comm: MPI.Comm = MPI.COMM_SELF, frame: int | None = None) -> System:
    """The final configuration of a stage's file, to the last bit, or a frame of a trajectory. Collective over `comm`.

    Parameters
    ----------
    path : file of a finished stage, "00-swap.h5", segment of a trajectory, "02-shear.traj-0000.h5", or a frame of
        `hpcglass.open(...)["shear"].frames`
    comm : ranks to spread the particles over; default: this process alone
    frame : number from 0, or from the end if negative; needed where there are several. Frames of a trajectory have positions
        rounded to one number, the final configuration is exact.

    Returns
    -------
    System
        Up to date: ready for `hpcglass.landscape` and `hpcglass.moves`.

    Raises
    ------
    InputError
        There are several frames, and none was chosen; or there is no such frame.
    FileError
        The file is damaged, or not one of hpcglass.
    InputError
        It is a file of another program; `hpcglass import` makes one of ours of it.
    """
    if isinstance(path, Frame):
        frame = path.number
        path = path.path
    if ENDINGS.get(Path(path).suffix.lower(), "h5md") != "h5md":
        raise InputError(f"{path}: is of another program; make a file of hpcglass of it: "
                         f"hpcglass import {path} --model NAME -o {Path(path).stem}.h5")
    with Reader(comm, Path(path)) as file:
        if configuration.GROUP not in file:
            raise FileError(f"{path}: has no configuration; load the file of a finished stage")
        model = stored.model(file.value("/provenance/resolved_input"), Path(path))
        count = len(file.value(f"{configuration.GROUP}/box/edges/value"))
        if frame is None and count > 1:
            raise InputError(f"{path} has frames 0 to {count - 1}: choose one, load(..., frame=-1) for the last")
        box, rows = configuration.read(file, choose_frame(-1 if frame is None else frame, count, Path(path)))
    if cache.note:
        warnings.warn(cache.note, stacklevel=2)
    return System(comm, model, box, rows)

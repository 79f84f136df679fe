"""hpcglass from Python: a stored glass as a live system.

>>> import hpcglass as hg
>>> glass = hg.load("results/quickstart/01-quench.h5")      # doctest: +SKIP
>>> hg.landscape.evaluate(glass).energy                     # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path

from mpi4py import MPI

from hpcglass.config import Config
from hpcglass.core.system import System
from hpcglass.errors import FileError
from hpcglass.io import configuration
from hpcglass.io.reader import Reader


def load(path: str | Path, comm: MPI.Comm = MPI.COMM_SELF) -> System:
    """The final configuration of a stage's file, to the last bit. Collective over `comm`.

    Parameters
    ----------
    path : file of a finished stage, "00-swap.h5"
    comm : ranks to spread the particles over; default: this process alone

    Returns
    -------
    System
        Up to date: ready for `hpcglass.landscape` and `hpcglass.moves`.

    Raises
    ------
    FileError
        The file is damaged, or not one of hpcglass.
    """
    with Reader(comm, Path(path)) as file:
        if configuration.GROUP not in file:
            raise FileError(f"{path}: has no configuration; load the file of a finished stage")
        model = Config.parse(file.value("/provenance/resolved_input"), Path(path)).glass()
        box, rows = configuration.read(file)
    return System(comm, model, box, rows)

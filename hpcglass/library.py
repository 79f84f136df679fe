"""hpcglass from Python: a stored glass as a live system.

>>> import hpcglass as hg
>>> glass = hg.load("results/quickstart/01-quench.h5")      # doctest: +SKIP
>>> hg.landscape.evaluate(glass).energy                     # doctest: +SKIP
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from mpi4py import MPI

from hpcglass.config import ModelParams
from hpcglass.core.system import System
from hpcglass.errors import FileError
from hpcglass.io import configuration
from hpcglass.io.reader import Reader
from hpcglass.potentials.library import MODELS
from hpcglass.potentials.model import Model


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
        model = _model(tomllib.loads(file.value("/provenance/resolved_input")))
        box, rows = configuration.read(file)
    return System(comm, model, box, rows)


def _model(resolved: dict[str, Any]) -> Model:
    """The glass former of a resolved input; nothing else of it is looked at, so that its files may have moved."""
    own = resolved.get("model")
    if own is None:
        return MODELS[resolved["system"]["model"]]
    return ModelParams.model_validate(_named(own, resolved.get("parameters", {}))).build()


def _named(value: Any, parameters: dict[str, Any]) -> Any:
    """`value` with every "$name" replaced by its parameter."""
    if isinstance(value, dict):
        return {key: _named(item, parameters) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_named(item, parameters) for item in value)
    return parameters[value[1:]] if isinstance(value, str) and value.startswith("$") else value

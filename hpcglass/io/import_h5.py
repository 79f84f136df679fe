"""A configuration of another program as a file of ours, with hashes and provenance: `hpcglass import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mpi4py import MPI

from hpcglass import registry
from hpcglass.config.toml import dumps
from hpcglass.errors import InputError
from hpcglass.io import h5, provenance
from hpcglass.io.configuration import Frame, put
from hpcglass.io.contents import Contents
from hpcglass.io.formats.common import Configuration
from hpcglass.potentials.model import Model

if TYPE_CHECKING:
    from hpcglass.config.models import ModelParams


def write_h5(configuration: Configuration, model: Model, source: Path, output: Path, text: str,
             own: ModelParams | None = None) -> None:
    """Write one adopted configuration (`adopt.adopt`) (one process), `text` telling where it comes from.

    own : the table [model], if it is no built-in model

    Raises
    ------
    InputError
        The file has not the diameters or species that the model needs.
    FileError
        The file cannot be written.
    """
    count, d = configuration.position.shape
    for what in ("species", "diameter"):
        if getattr(configuration, what) is None:
            raise InputError(f"{source}: has no {'diameters' if what == 'diameter' else what}, which {model.name} needs; "
                             "to have them drawn, start a run from it: [system] file = ...")
    rows: dict[str, Any] = {"position": configuration.position, "image": np.zeros((count, d), dtype=np.int32),
                            "diameter": configuration.diameter, "species": configuration.species}
    contents = Contents()
    table = {} if own is None else {"model": own.model_dump(exclude_none=True)}
    resolved = dumps({**table, "system": {"model": model.name, "dimension": d, "particles": count,
                                          "density": configuration.density, "file": str(source)}})
    package = registry.models().origin(model.name) if own is None else ""
    head = f'# model "{model.name}": {package}\n' if package else ""
    provenance.put(contents, MPI.COMM_SELF, text, head + resolved, 0, [])
    walls = None if configuration.walls is None else np.array(configuration.walls)
    put(contents, MPI.COMM_SELF, [Frame(0, 0.0, configuration.box, rows, walls)])
    h5.write(MPI.COMM_SELF, output, contents)

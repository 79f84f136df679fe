"""A configuration of another program as a file of ours, with hashes and provenance: `hpcglass import`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from hpcglass.config.toml import dumps
from hpcglass.errors import InputError
from hpcglass.io import h5, provenance
from hpcglass.io.configuration import Frame, put
from hpcglass.io.contents import Contents
from hpcglass.io.formats.common import Configuration
from hpcglass.potentials.model import Model


def write_h5(configuration: Configuration, model: Model, source: Path, output: Path, text: str) -> None:
    """Write one configuration of a built-in model (one process), `text` telling where it comes from.

    Raises
    ------
    InputError
        The file has not the diameters or species that the model needs.
    FileError
        The file cannot be written.
    """
    count, d = configuration.position.shape
    rows: dict[str, Any] = {"position": configuration.position, "image": np.zeros((count, d), dtype=np.int32),
            "diameter": diameters(configuration, model, source), "species": species_of(configuration, model, source)}
    contents = Contents()
    provenance.put(contents, MPI.COMM_SELF, text, dumps({"system": {
        "model": model.name, "dimension": d, "particles": count, "density": configuration.density, "file": str(source)}}), 0, [])
    put(contents, MPI.COMM_SELF, [Frame(0, 0.0, configuration.box, rows)])
    h5.write(MPI.COMM_SELF, output, contents)


def species_of(configuration: Configuration, model: Model, source: Path) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Species of each particle; all 0 in a model without species."""
    kinds = len(model.sizes.fractions)
    if not kinds:
        return np.zeros(len(configuration.position), dtype=np.int32)
    if configuration.species is None:
        raise InputError(f"{source}: has no species, which {model.name} needs")
    if configuration.species.max() >= kinds:
        raise InputError(f"{source}: has {configuration.species.max() + 1} species, {model.name} has {kinds}")
    return configuration.species


def diameters(configuration: Configuration, model: Model, source: Path) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Diameter of each particle, from its species or from the file."""
    if model.sizes.kind == "species":
        return np.array(model.sizes.diameters)[species_of(configuration, model, source)]
    if configuration.diameter is None:
        raise InputError(f"{source}: has no diameters, which {model.name} needs; "
                         "to have them drawn, start a run from it: [system] file = ...")
    low, high = configuration.diameter.min(), configuration.diameter.max()
    smallest, largest = model.sizes.bounds
    if low < smallest * (1 - 1e-6) or high > largest * (1 + 1e-6):
        raise InputError(f"{source}: has diameters from {low:.6g} to {high:.6g}, "
                         f"{model.name} from {smallest:.6g} to {largest:.6g}")
    return configuration.diameter

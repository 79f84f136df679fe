"""Configurations in H5MD files, ours or another program's, read without MPI. See docs/file-format.md."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from hpcglass.errors import FileError, InputError
from hpcglass.io.formats.common import Configuration

os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")     # files are only read here


def read(path: Path, dimension: int | None) -> Configuration:
    """Read the last frame of /particles/all, or of the only group of particles."""
    import h5py

    with h5py.File(path, "r") as file:
        if "complete" in file.attrs and not file.attrs["complete"]:
            raise FileError(f"{path}: incomplete, its writing was interrupted")
        group = _group(file, path)
        position = np.asarray(_last(group["position"]), dtype=np.float64)
        box = _box(group["box"])
        if position.ndim != 2 or box.shape != (position.shape[1],) * 2 or len(box) not in (2, 3):
            raise FileError(f"{path}: positions of shape {position.shape} do not fit a cell of shape {box.shape}")
        if dimension is not None and len(box) != dimension:
            raise InputError(f"{path}: the configuration is {len(box)}D but a {dimension}D one is wanted")
        rows = {name: np.asarray(_last(group[name])) for name in ("diameter", "species", "id") if name in group}
    for name, values in rows.items():
        if values.shape != (len(position),):
            raise FileError(f"{path}: {name} has the shape {values.shape} for {len(position)} particles")
    order = np.argsort(rows["id"], kind="stable") if "id" in rows else slice(None)
    diameter = rows["diameter"].astype(np.float64)[order] if "diameter" in rows else None
    species = rows["species"].astype(np.int32)[order] if "species" in rows else None
    return Configuration(position[order], box, diameter, species)


def _group(file: Any, path: Path) -> Any:
    particles = file.get("particles")
    names = list(particles) if particles is not None else []
    if "all" not in names and len(names) != 1:
        raise FileError(f"{path}: has no configuration (no group /particles/all); is it a stage file?")
    return particles["all" if "all" in names else names[0]]


def _last(element: Any) -> Any:
    """A fixed element is a dataset; a time-dependent one a group with `value`, frames first."""
    return element["value"][-1] if hasattr(element, "keys") else element[()]


def _box(box: Any) -> Any:
    edges = np.asarray(_last(box["edges"]), dtype=np.float64)
    return np.diag(edges) if edges.ndim == 1 else np.ascontiguousarray(edges.T)

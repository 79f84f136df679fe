"""Tables as netCDF sees them: one column is the coordinate, a dimension scale of HDF5 that the others are attached to.

The group says which, in its attribute `coordinate`: that is what the hash of the contents knows. Scales are made of it, and their
attributes (`sealed.file.SCALES`) hold addresses in the file, which depend on its layout: the seal covers them, the hash does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def attach(file: Any, attributes: Mapping[str, Mapping[str, Any]]) -> None:
    """Make dimension scales in a file open for writing, for each group with a `coordinate` (one process)."""
    for path, told in attributes.items():
        if name := told.get("coordinate"):
            scale = file[f"{path}/{name}"]
            scale.make_scale(name)
            for column in str(told["columns"]).split("\n"):
                if column != name:
                    file[f"{path}/{column}"].dims[0].attach_scale(scale)

"""Files that another program rewrote (h5repack, h5py in mode r+): a new seal, if they hold what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from hpcglass.errors import FileError
from hpcglass.io import h5
from hpcglass.io.contents import Contents, Rows
from hpcglass.sealed import seal
from hpcglass.sealed.file import File, verify
from hpcglass.sealed.hashes import combine, granule_hashes, hash_contents, hash_value

OURS = ("sha256", "frames")         # attributes that the writer adds by itself


def reseal(path: Path) -> str:
    """Write a file anew, with a seal, if names, attributes and data are those that were written (one process).

    Returns what was done.

    Raises
    ------
    FileError
        The file holds something else, or was written by a version whose seal does not tell.
    """
    try:
        verify(path)
        return "whole, its seal is true"
    except FileError:
        pass
    with File(path, unsealed=True) as file:
        if seal.NAME not in file:
            raise FileError(f"{path}: has no {seal.NAME} that tells what was written; put back a copy")
        wanted = [line.split() for line in str(file.value(seal.NAME)).splitlines()]
        contents = _contents(file)
        named = {name: file.attributes(name) for name in ("/", *file.objects())}
    named.pop(seal.NAME, None)
    if ["contents", hash_contents(named)] not in wanted:
        raise FileError(f"{path}: names or attributes are not those that were written; put back a copy")
    h5.write(MPI.COMM_SELF, path, contents)
    return "holds what was written; sealed again"


def _contents(file: File) -> Contents:
    """All that a file holds, each dataset compared with its hash."""
    contents = Contents()
    for name in file.objects():
        told = file.attributes(name)
        if name != seal.NAME:
            contents.attribute(name, **{key: value for key, value in told.items() if key not in OURS})
        if name == seal.NAME or file.is_group(name):
            continue
        text, framed = file.value(name), "frames" in told
        value: Any = text if isinstance(text, str) else np.asarray(text, dtype=file.dtype(name))
        if _hash(value, framed) != told.get("sha256"):
            raise FileError(f"{file.path}: {name} is not what was written (hash differs); put back a copy")
        if framed or _is_large(file, name):
            blocks = list(value) if framed else [value]
            contents.rows[name] = Rows(blocks, len(blocks[0]), framed)
        else:
            contents.values[name] = value
    return contents


def _hash(value: Any, framed: bool) -> str:
    if not framed:
        return hash_value(value)
    return combine(value.dtype, value.shape, np.stack([granule_hashes(frame) for frame in value]))


def _is_large(file: File, name: str) -> bool:
    """Whether the old seal names a dataset among the large ones."""
    return any(line.startswith("data ") and line.endswith(f" {name}") for line in str(file.value(seal.NAME)).splitlines())

"""Files of format 1, whose seal stands before the HDF5 file, in its user block (which not all programs know to skip).

    hpcglass file 1
    size 46539
    data 8192 12000          place and bytes of each large dataset
    seal 5f0d...
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hpcglass.errors import FileError
from hpcglass.sealed.guard import h5py
from hpcglass.sealed.seal import HEAD, Region, Seal, hash_outside, refuse_size

MAGIC = b"hpcglass file 1\n"


def check(path: Path) -> Seal:
    """As `seal.check`. Type, shape and hash of the large datasets are told by HDF5, once all the rest is known to be whole."""
    with open(path, "rb") as file:
        head = file.read(HEAD)
    lines, sealed, _ = head.partition(b"seal ")
    try:
        words = [line.split() for line in lines.decode("ascii").splitlines()]
        size = int(words[1][1])
        places = [(int(place), int(count)) for _, place, count in words[2:]]
    except (ValueError, IndexError):
        raise FileError(f"{path}: damaged in its first bytes") from None
    refuse_size(path, size)
    block = max(512, 1 << int(np.ceil(np.log2(256 + 48 * len(places)))))
    text = "\n".join(["hpcglass file 1", f"size {size}", *(f"data {place} {count}" for place, count in places)]) + "\n"
    digest = hash_outside(path, text, [(0, block), *places])
    if not sealed or head[:block] != f"{text}seal {digest}\n".encode().ljust(block, b"\0"):
        raise FileError(f"{path}: structure, attributes or small data are damaged or changed (seal differs); put back a copy")
    return Seal(1, digest, size, tuple(_regions(path, {place for place, count in places if count})))


def _regions(path: Path, places: set[int]) -> list[Region]:
    found: list[Region] = []

    def visit(name: str, item: Any) -> None:
        place = item.id.get_offset() if isinstance(item, h5py.Dataset) else None
        if place in places:
            found.append(Region(f"/{name}", place, item.dtype.str, item.shape, "frames" in item.attrs, item.attrs["sha256"]))

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    if len(found) != len(places):
        raise FileError(f"{path}: its seal names datasets that it has not")
    return found

"""Hashes of what a file holds: of types, shapes and data only, whatever the number of ranks and the layout of the file.

Rows are hashed in granules that no rank boundary cuts (see `io/order.py`): the hash of a dataset is that of its granules' hashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
GRANULE = 4096      # rows


def granule_hashes(rows: Array) -> NDArray[np.uint8]:
    """SHA-256 of each granule of an array whose first row begins a granule, (granules, 32)."""
    rows = np.ascontiguousarray(rows)
    digests = b"".join(hashlib.sha256(rows[i: i + GRANULE].data).digest() for i in range(0, len(rows), GRANULE))
    return np.frombuffer(digests, dtype=np.uint8).reshape(-1, 32)


def combine(dtype: np.dtype[Any], shape: tuple[int, ...], digests: Array) -> str:
    """Hash of a dataset from its type, its shape and its granules' hashes in order."""
    head = f"{np.dtype(dtype).str} {tuple(int(n) for n in shape)}\n".encode()
    return hashlib.sha256(head + np.ascontiguousarray(digests).tobytes()).hexdigest()


def hash_value(value: Any) -> str:
    """Hash of a number, a small array, a text or an array of texts, held in memory."""
    if isinstance(value, str | bytes):
        data = value.encode() if isinstance(value, str) else value
        return hashlib.sha256(data).hexdigest()
    array = np.asarray(value)
    if array.dtype.kind in "OUS":
        texts = [text.decode() if isinstance(text, bytes) else str(text) for text in array.reshape(-1)]
        return hash_value(f"{array.shape} " + "\0".join(texts))
    return combine(array.dtype, array.shape, granule_hashes(np.atleast_1d(array)))


def hash_contents(attributes: Mapping[str, Mapping[str, Any]]) -> str:
    """Hash of all that a file holds, from attributes by path of the object; the `sha256` of a dataset stands for its data."""
    lines = [f"{path} {name} {hash_value(value)}\n" for path, named in attributes.items() for name, value in named.items()]
    return hash_value("".join(sorted(lines)))

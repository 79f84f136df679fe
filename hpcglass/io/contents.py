"""What a file shall hold: collected first, the same on all ranks, then written at once by `h5.write`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mpi4py import MPI

from hpcglass.core.comm import total
from hpcglass.sealed.hashes import Array, combine


@dataclass
class Rows:
    """A dataset with one row per particle (or pair), spread over the ranks in file order.

    blocks : this rank's rows, one array per frame
    total  : rows of all ranks
    framed : the dataset is (frames, total, ...), else (total, ...) and there is one block
    """

    blocks: list[Array]
    total: int
    framed: bool

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.blocks[0].dtype

    @property
    def width(self) -> int:
        """Bytes of a row."""
        return self.dtype.itemsize * int(np.prod(self.blocks[0].shape[1:], dtype=np.int64))

    @property
    def shape(self) -> tuple[int, ...]:
        frames = (len(self.blocks),) if self.framed else ()
        return (*frames, self.total, *self.blocks[0].shape[1:])

    @property
    def nbytes(self) -> int:
        """Bytes of the whole dataset."""
        return self.width * self.total * len(self.blocks)

    def hash(self, digests: Array) -> str:
        return combine(self.dtype, self.shape, digests)


@dataclass
class Contents:
    """Datasets and attributes by path."""

    values: dict[str, Array | str] = field(default_factory=dict)
    rows: dict[str, Rows] = field(default_factory=dict)
    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes on disk, with something for the structure."""
        data = sum(rows.nbytes for rows in self.rows.values())
        small = sum(len(v) if isinstance(v, str) else v.nbytes for v in self.values.values())
        return data + small + 1024 * (len(self.rows) + len(self.values)) + 65536

    def attribute(self, path: str, **attributes: Any) -> None:
        """Attributes of a group (made if need be) or dataset."""
        self.attributes.setdefault(path, {}).update(attributes)

    def value(self, path: str, value: Any, units: str = "", long_name: str = "") -> None:
        """A number, a small array or a text, equal on all ranks."""
        self.values[path] = value if isinstance(value, str) else np.ascontiguousarray(value).reshape(np.shape(value))
        self.attribute(path, units=units, long_name=long_name)

    def table(self, path: str, columns: Mapping[str, tuple[Any, str, str]], coordinate: str = "") -> None:
        """Columns of numbers (values, units, long_name), all of one length.

        coordinate : the column that names the rows for readers of netCDF, see `scales`; none if empty
        """
        self.attribute(path, columns="\n".join(columns), **({"coordinate": coordinate} if coordinate else {}))
        for name, (values, units, long_name) in columns.items():
            self.value(f"{path}/{name}", np.asarray(values), units, long_name)

    def per_particle(self, path: str, comm: MPI.Comm, blocks: Array | list[Array], units: str = "", long_name: str = "") -> None:
        """Rows in file order; a list of arrays is a list of frames."""
        framed = isinstance(blocks, list)
        frames = [np.ascontiguousarray(block) for block in (blocks if isinstance(blocks, list) else [blocks])]
        self.rows[path] = Rows(frames, total(comm, len(frames[0])), framed)
        self.attribute(path, units=units, long_name=long_name)

"""Reading files back: checked completely before anything in them is believed."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from mpi4py import MPI

from hpcglass.errors import FileError
from hpcglass.io import seal
from hpcglass.io.agree import agree, broadcast_text, together
from hpcglass.io.order import GRANULE, Array, combine, gather_hashes, granule_hashes, span
from hpcglass.io.seal import h5py, hash_value


def verify(path: str | Path, comm: MPI.Comm = MPI.COMM_SELF) -> dict[str, str]:
    """Check every byte that counts in a file against its hashes. Collective over `comm`.

    Returns
    -------
    dict
        SHA-256 of each dataset by path: two files with the same data have the same hashes,
        whatever the number of ranks that wrote or read them.

    Raises
    ------
    FileError
        Not one of our files, of a newer format, incomplete, truncated or altered.
    """
    with Reader(comm, path) as file:
        return file.hashes


class Reader:
    """A verified file, open for reading on all ranks (a context manager; every method is collective).

    Attributes
    ----------
    hashes : SHA-256 of each dataset by path
    seal : hash of everything, see `seal.py`
    """

    def __init__(self, comm: MPI.Comm, path: str | Path) -> None:
        self.comm = comm
        self.path = Path(path)
        self.seal = ""
        self.hashes: dict[str, str] = {}
        self._file: Any = None
        try:
            self._open()
        except Exception:
            self.close()
            raise

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _open(self) -> None:
        with together(self.comm):
            if self.comm.rank == 0:
                self.seal = self._guarded(seal.check, self.path)
        self.seal = broadcast_text(self.comm, self.seal)
        datasets: dict[str, Any] = {}
        with together(self.comm):
            datasets = self._guarded(self._read_structure)
        mine: dict[str, Array] = {}
        with together(self.comm):
            mine = self._guarded(self._hash_rows, datasets)
        bad = ""
        for name, digests in mine.items():
            joined = gather_hashes(self.comm, digests)
            if joined is not None and combine(datasets[name].dtype, datasets[name].shape, joined) != self.hashes[name]:
                bad = bad or name
        agree(self.comm, FileError(f"{self.path}: the data of {bad} are damaged (hash differs)") if bad else None)

    def _guarded(self, function: Any, *arguments: Any) -> Any:
        """HDF5 reports damage through many classes of exceptions: all of them mean a bad file here."""
        try:
            return function(*arguments)
        except FileError:
            raise
        except FileNotFoundError:
            raise FileError(f"{self.path}: no such file") from None
        except Exception as error:
            raise FileError(f"{self.path}: damaged or not an HDF5 file ({_first_line(error)})") from error

    def _read_structure(self) -> dict[str, Any]:
        """Open the file and list its datasets, and check the texts (the numbers are checked later, by all ranks together)."""
        self._file = h5py.File(self.path, "r")
        datasets: dict[str, Any] = {}
        self._file.visititems(lambda name, item: datasets.update({f"/{name}": item}) if isinstance(item, h5py.Dataset) else None)
        self.hashes = {name: item.attrs["sha256"] for name, item in sorted(datasets.items())}
        numbers = {}
        for name in self.hashes:
            if not h5py.check_string_dtype(datasets[name].dtype):
                numbers[name] = datasets[name]
            elif hash_value(datasets[name][()]) != self.hashes[name]:
                raise FileError(f"{self.path}: the text of {name} is damaged (hash differs)")
        return numbers

    def _hash_rows(self, datasets: dict[str, Any]) -> dict[str, Array]:
        """Granule hashes of this rank's share of each dataset, (frames, granules, 32)."""
        result = {}
        for name, item in datasets.items():
            frames = int(item.attrs.get("frames", 0))
            rows = 1 if item.ndim == 0 else item.shape[1 if frames else 0]
            first, last = span(self.comm, rows)
            hashes = [np.concatenate([np.empty((0, 32), dtype=np.uint8)] + [
                granule_hashes(_slab(item, frame if frames else None, row, min(row + GRANULE, last)))
                for row in range(first, last, GRANULE)]) for frame in range(frames or 1)]
            result[name] = np.stack(hashes)
        return result

    def __contains__(self, path: str) -> bool:
        return path in self._file

    def names(self, group: str) -> list[str]:
        """Members of a group, sorted; empty if there is no such group."""
        return sorted(self._file[group]) if group in self._file else []

    def attributes(self, path: str = "/") -> dict[str, Any]:
        """Attributes of an object; NumPy scalars become Python ones."""
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in self._file[path].attrs.items()}

    def value(self, path: str) -> Any:
        """A whole dataset, on every rank: array, or Python number, truth value or text if it is a scalar."""
        value = None
        with together(self.comm):
            value = self._guarded(lambda: self._file[path][()])
        if isinstance(value, bytes):
            return value.decode()
        return value.item() if isinstance(value, np.generic) else value

    def rows(self, path: str, frame: int = -1) -> Array:
        """This rank's rows of a distributed dataset, in file order (`order.span`)."""
        item = self._file[path]
        frames = int(item.attrs.get("frames", 0))
        first, last = span(self.comm, item.shape[1 if frames else 0])
        result = np.empty(0)
        with together(self.comm):
            result = self._guarded(_slab, item, frame % frames if frames else None, first, last)
        return result


def is_ours(path: Path) -> bool:
    """Whether a file looks like one of ours (one process). A damaged one may not."""
    with open(path, "rb") as file:
        return file.read(len(seal.MAGIC)) == seal.MAGIC


def _slab(item: Any, frame: int | None, first: int, last: int) -> Array:
    if item.ndim == 0:
        return np.atleast_1d(item[()])
    result: Array = item[first:last] if frame is None else item[frame, first:last]
    return result


def _first_line(error: Exception) -> str:
    return str(error).strip("'\"").splitlines()[0][:200] if str(error) else type(error).__name__

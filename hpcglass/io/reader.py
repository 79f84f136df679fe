"""Reading files back on all ranks: checked completely before anything in them is believed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from mpi4py import MPI

from hpcglass.io.agree import agree, together
from hpcglass.io.order import Array, gather_hashes, span
from hpcglass.sealed.file import File, damaged
from hpcglass.sealed.runfiles import misplaced, segments
from hpcglass.sealed.seal import is_ours

__all__ = ["Reader", "is_ours", "verify"]

T = TypeVar("T")


def verify(path: str | Path, comm: MPI.Comm = MPI.COMM_SELF) -> dict[str, str]:
    """Check every byte of a file against its hashes. Collective over `comm`.

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
    seal : hash of all that the file holds, by which other files name it; see `sealed/seal.py`
    """

    def __init__(self, comm: MPI.Comm, path: str | Path) -> None:
        self.comm = comm
        self.path = Path(path)
        self._file: File | None = None
        try:
            with together(comm):
                self._file = File(self.path)
            self._check_rows()
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

    def _check_rows(self) -> None:
        """Each rank hashes its granules of each large dataset."""
        assert self._file is not None and self._file.seal is not None
        regions, mine = self._file.seal.regions, []
        with together(self.comm), open(self.path, "rb") as file:
            mine = [region.digests(file, *span(self.comm, region.rows)) for region in regions]
        error = None
        for region, digests in zip(regions, mine, strict=True):
            joined = gather_hashes(self.comm, digests)
            if joined is not None and not region.fits(joined):
                error = error or damaged(self.path, region)
        agree(self.comm, error)
        self.seal = self._file.name

    def _together(self, function: Callable[[File], T]) -> T:
        """What a function says of the file on this rank; what it raises on one rank is raised on all."""
        result: Any = None
        with together(self.comm):
            assert self._file is not None
            result = function(self._file)
        return result

    def __contains__(self, path: str) -> bool:
        assert self._file is not None
        return path in self._file

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of each dataset by path."""
        return self._together(lambda file: {name: file.hash(name) for name in file.datasets()})

    def names(self, group: str) -> list[str]:
        """Members of a group, sorted; empty if there is no such group."""
        return self._together(lambda file: file.names(group))

    def attributes(self, path: str = "/") -> dict[str, Any]:
        """Attributes of an object; NumPy scalars become Python ones."""
        return self._together(lambda file: file.attributes(path))

    def value(self, path: str) -> Any:
        """A whole dataset, on every rank: array, or Python number, truth value or text if it is a scalar."""
        return self._together(lambda file: file.value(path))

    def segments(self) -> dict[str, str]:
        """Trajectory files and their seals that the file of a stage lists."""
        return self._together(segments)

    def misplaced(self) -> str:
        """What is wrong if this is the file of another stage than its name says; else nothing."""
        return self._together(misplaced)

    def rows(self, path: str, frame: int = -1) -> Array:
        """This rank's rows of a distributed dataset, in file order (`order.span`)."""
        return self._together(lambda file: file.slab(path, *span(self.comm, file.rows(path)), frame))

"""HDF5 files, opened for reading: the only place where that is done. Whatever is handed out was verified before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from hpcglass.errors import FileError
from hpcglass.sealed import seal
from hpcglass.sealed.check import check
from hpcglass.sealed.guard import h5py, refuse_large, refuse_reaching_out
from hpcglass.sealed.hashes import Array
from hpcglass.sealed.probe import survives

T = TypeVar("T")
SCALES = ("CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST")      # attributes that make and attach dimension scales of HDF5


class File:
    """A file of ours, whole but perhaps for large datasets, which are verified when they are first asked for. A context manager.

    Parameters
    ----------
    path : path
    foreign : a file of another program will do too; it has no seal, but may not reach outside itself either
    unsealed : so will one of ours whose seal is not true; for those who compare hashes themselves

    Attributes
    ----------
    seal : what its seal says; None in a file of another program
    name : hash of all that a file of ours holds, by which other files know it

    Raises
    ------
    FileError
        By every method: no such file, not an HDF5 file, incomplete, truncated, altered, rewritten by another program, or of a
        newer format; a dataset that is not there, or does not fit into memory.
    """

    def __init__(self, path: str | Path, foreign: bool = False, unsealed: bool = False) -> None:
        self.path = Path(path)
        self._whole: set[str] = set()       # large datasets that were verified
        other = unsealed or (foreign and self.path.is_file() and not seal.is_ours(self.path))
        self.seal = None if other else check(self.path)
        self.name = self.seal.contents if self.seal else ""
        if other and (reason := survives(self.path)):
            raise FileError(f"{self.path}: damaged: {reason}")
        self._h5: Any = self._guarded(lambda: h5py.File(self.path, "r"))
        try:
            self._guarded(lambda: refuse_reaching_out(self._h5, self.path, soft=self.seal is None))
        except FileError:
            self.close()
            raise

    def __enter__(self) -> File:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._h5.close()

    def _guarded(self, function: Callable[[], T]) -> T:
        """HDF5 reports damage through many classes of exceptions: all of them mean a bad file here."""
        try:
            return function()
        except FileError:
            raise
        except Exception as error:
            raise FileError(f"{self.path}: damaged, or not a file of this kind ({seal.first_line(error)})") from error

    # ------------------------------------------------------------------ what is there

    def __contains__(self, path: str) -> bool:
        return path in self._h5

    def names(self, group: str) -> list[str]:
        """Members of a group, sorted; empty if there is no such group."""
        return sorted(self._h5[group]) if group in self._h5 else []

    def is_group(self, path: str) -> bool:
        return isinstance(self._h5.get(path), h5py.Group)

    def objects(self) -> list[str]:
        """Paths of all groups and datasets, sorted."""
        found: list[str] = []
        self._guarded(lambda: self._h5.visit(lambda name: found.append(f"/{name}")))
        return sorted(found)

    def datasets(self) -> list[str]:
        """Paths of all datasets but the seal, sorted."""
        return [name for name in self.objects() if name != seal.NAME and not self.is_group(name)]

    def attributes(self, path: str = "/") -> dict[str, Any]:
        """Attributes of an object, but for those of dimension scales; NumPy scalars become Python ones."""
        found = self._item(path).attrs
        attributes = self._guarded(lambda: {name: found[name] for name in found if name not in SCALES})
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in attributes.items()}

    def shape(self, path: str) -> tuple[int, ...]:
        return self._dataset(path).shape

    def dtype(self, path: str) -> Any:
        return self._dataset(path).dtype

    def hash(self, path: str) -> str:
        """SHA-256 of a dataset of ours, as it was when it was written."""
        return str(self.attributes(path).get("sha256", ""))

    # ------------------------------------------------------------------ data

    def value(self, path: str, frame: int | None = None) -> Any:
        """A dataset, or one of its frames (rows along the first axis): array, or Python number, truth value or text."""
        item = self._dataset(path)
        refuse_large(item, f"{self.path}: {path}", item.nbytes // max(len(item) if frame is not None else 1, 1))
        value = self._guarded(lambda: self._verified(item)[() if frame is None else frame])
        if isinstance(value, bytes):
            return value.decode()
        return value.item() if isinstance(value, np.generic) else value

    def slab(self, path: str, first: int, last: int, frame: int = -1) -> Array:
        """Rows of a dataset, of one of its frames if it has such. Not verified here: `io.Reader` does that with all ranks."""
        item = self._dataset(path)
        frames = int(item.attrs.get("frames", 0))
        return self._guarded(lambda: item[frame % frames, first:last] if frames else item[first:last])

    def rows(self, path: str) -> int:
        """Length of the axis that counts rows, not frames."""
        item = self._dataset(path)
        return int(item.shape[1 if "frames" in item.attrs else 0])

    def verify(self) -> None:
        """Verify all large datasets."""
        for region in self.seal.regions if self.seal else ():
            self._verify(region)

    def _item(self, path: str) -> Any:
        item = self._h5.get(path)
        if item is None:
            raise FileError(f"{self.path}: has no {path}")
        return item

    def _dataset(self, path: str) -> Any:
        item = self._item(path)
        if not isinstance(item, h5py.Dataset):
            raise FileError(f"{self.path}: {path} is a group, not a dataset")
        return item

    def _verified(self, item: Any) -> Any:
        """A dataset, now that its data are known to be those that were written."""
        place = item.id.get_offset() if self.seal else None
        for region in self.seal.regions if self.seal and place is not None else ():
            if region.place == place:
                self._verify(region)
        return item

    def _verify(self, region: seal.Region) -> None:
        if region.name not in self._whole:
            verify_region(self.path, region)
            self._whole.add(region.name)


def verify_region(path: Path, region: seal.Region) -> None:
    """Raise FileError unless the data of a large dataset are those that were written."""
    with open(path, "rb") as file:
        if not region.fits(region.digests(file)):
            raise damaged(path, region)


def damaged(path: Path, region: seal.Region) -> FileError:
    """What to raise when `Region.fits` says no."""
    return FileError(f"{path}: the data of {region.name} are damaged or changed (hash differs){seal.REWRITTEN}")


def verify(path: str | Path) -> seal.Seal:
    """Check every byte of a file of ours; HDF5 is not needed for it.

    Raises
    ------
    FileError
        Not one of our files, of a newer format, incomplete, truncated or altered.
    """
    found = check(Path(path))
    for region in found.regions:
        verify_region(Path(path), region)
    return found


@contextmanager
def opened(path: str | Path) -> Iterator[Any]:
    """A file of ours, completely verified, or of another program, as an open `h5py.File`.

    Raises
    ------
    FileError
        As `File`.
    """
    with File(path, foreign=True) as file:
        file.verify()
        yield file._h5


__all__ = ["File", "damaged", "opened", "verify", "verify_region"]

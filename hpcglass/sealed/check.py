"""Whether a file is as it was sealed; HDF5 is not asked."""

from __future__ import annotations

from pathlib import Path

from hpcglass.errors import FileError
from hpcglass.sealed import old
from hpcglass.sealed.seal import (
    FORMAT,
    HEAD,
    MAGIC,
    REWRITTEN,
    SIGNATURE,
    Region,
    Seal,
    hash_outside,
    holes,
    is_ours,
    refuse_size,
)


def check(path: Path) -> Seal:
    """The seal of a file, all bytes of which are as they were written, but perhaps those of the large datasets.

    Raises
    ------
    FileError
        Not one of our files, of a newer format, incomplete, truncated or altered.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise FileError(f"{path}: {'no such file' if isinstance(error, FileNotFoundError) else error.strerror}") from None
    if head.startswith(old.MAGIC):
        return old.check(path)
    place = head.find(MAGIC)
    if place < 0:
        raise FileError(f"{path}: {_why_none(path, head)}")
    return _checked(path, place)


def _why_none(path: Path, head: bytes) -> str:
    """Why a file has no seal."""
    if not head.strip(b"\0"):
        return "incomplete, its writing was interrupted"
    if is_ours(path):
        return "has lost its seal" + REWRITTEN
    return "not written by hpcglass" + (" (or damaged in its first bytes)" if not head.startswith(SIGNATURE) else "")


def _checked(path: Path, place: int) -> Seal:
    with open(path, "rb") as file:
        file.seek(place)
        block = file.read(HEAD)
        try:
            lines = block.split(b"\0", 1)[0].decode("ascii", "replace").splitlines()
            version = int(lines[0].split()[2])
            if version > FORMAT:
                raise FileError(f"{path}: format {version} is newer than this hpcglass reads ({FORMAT}); update it")
            room = int(lines[1].split()[1])
            if room > len(block):
                file.seek(place)
                block = file.read(min(room, path.stat().st_size))
            lines = block[:room].rstrip(b"\0").decode().splitlines()
            regions = tuple(Region.parse(line) for line in lines[4:-1])
            seal = Seal(version, lines[2].split()[1], int(lines[3].split()[1]), regions)
            expected = seal.text(room)
        except (ValueError, IndexError, TypeError):
            raise FileError(f"{path}: damaged in its seal") from None
    refuse_size(path, seal.size)
    if any(min(region.place, *region.shape) < 0 or region.place + region.nbytes > seal.size for region in regions):
        raise FileError(f"{path}: damaged in its seal")
    sealed = f"{expected}seal {hash_outside(path, expected, [(place, room), *holes(regions)])}\n"
    if block[:room] != sealed.encode().ljust(room, b"\0"):
        raise FileError(f"{path}: structure, attributes or small data are damaged or changed (seal differs){REWRITTEN}")
    return seal

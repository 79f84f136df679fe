"""Files that are whole or not there, and that no link leads elsewhere: what all writers have in common.

Whoever may write into a directory may put links there, under the name of a file that a run will write or under that of
its temporary file. So a temporary file has a name that nobody can guess and is created exclusively; it then takes the place
of whatever has the final name, of a link as of a file; the only file that is appended to, the log, is not opened through a
link. The directory itself may be reached through links: that is how results get to another disk.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

LEFTOVER = re.compile(r"\..+\.part")        # names of temporary files
ORDINARY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC     # no link, and no waiting for the other end of a pipe


def temporary(path: Path, token: str = "") -> Path:
    """Name of a file that is to become `path`.

    token : chosen at random if empty; ranks that share the file need the same one
    """
    return path.with_name(f".{path.name}.{token or secrets.token_hex(4)}.part")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new empty file to write to; at the end it is synced and takes the place of `path`. After an error all is as it was."""
    new = temporary(path)
    create(new)
    try:
        yield new
        sync(new)
        os.replace(new, path)
        sync(path.parent)
    finally:
        new.unlink(missing_ok=True)


def create(path: Path, text: str = "") -> None:
    """Make a file that was not there. FileExistsError if the name is taken, be it by a link that leads nowhere."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | ORDINARY, 0o666)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a small text file atomically."""
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8")


def read_bytes(path: Path, most: int) -> bytes:
    """Content of an ordinary file, not through a link; no more than `most` bytes and one of it.

    Raises
    ------
    OSError
        ELOOP for a link, EINVAL for what is neither file nor link.
    """
    descriptor = os.open(path, os.O_RDONLY | ORDINARY)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is no ordinary file", str(path))
        return file.read(most + 1)


def tail(path: Path, most: int) -> bytes:
    """The last bytes of an ordinary file, not through a link."""
    descriptor = os.open(path, os.O_RDONLY | ORDINARY)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "is no ordinary file", str(path))
        file.seek(max(0, status.st_size - most))
        return file.read(most)


def open_log(path: Path) -> IO[str]:
    """Open a text file to append to it, line by line. One that has another name, too, is replaced by a copy before."""
    with contextlib.suppress(FileNotFoundError):
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            with replacing(path) as new:
                shutil.copyfile(path, new)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | ORDINARY, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is no ordinary file", str(path))
    return open(descriptor, "a", encoding="utf-8", errors="backslashreplace", buffering=1)


def links(directory: Path, names: re.Pattern[str]) -> list[Path]:
    """Links in a directory whose names match."""
    return sorted(Path(entry.path) for entry in os.scandir(directory) if entry.is_symlink() and names.fullmatch(entry.name))


def clear_leftovers(directory: Path) -> None:
    """Remove temporary files of a run that was killed; nobody else may be writing."""
    for entry in list(os.scandir(directory)):
        if LEFTOVER.fullmatch(entry.name) and not entry.is_dir(follow_symlinks=False):
            with contextlib.suppress(OSError):
                os.unlink(entry.path)


def sync(path: Path) -> None:
    """fsync of a file or a directory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Errors that all ranks share.

A file system call may fail on one rank only. If that rank raised alone, the others would wait for
it in the next collective for ever. So whatever can fail on one rank is done in a block without
collectives, and the ranks compare notes at its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

import numpy as np
from mpi4py import MPI

from hpcglass.core.comm import broadcast, smallest
from hpcglass.errors import FileError, HpcglassError, InputError, PhysicsError

_KINDS: tuple[type[HpcglassError], ...] = (HpcglassError, InputError, PhysicsError, FileError)


@contextmanager
def together(comm: MPI.Comm, doing: str = "") -> Iterator[None]:
    """Run a block that may fail on some ranks; at its end all ranks go on, or all raise.

    The block must not communicate. `doing` says in the message what was being done.
    """
    error: Exception | None = None
    try:
        yield
    except Exception as caught:
        error = caught
    agree(comm, error, doing)


def agree(comm: MPI.Comm, error: Exception | None = None, doing: str = "") -> None:
    """Raise on every rank the error of the lowest rank that has one. Collective.

    Errors of the operating system and of MPI-IO become `FileError`, those of hpcglass keep their class.
    An unexpected one (a bug) is raised unchanged where it happened.
    """
    first = smallest(comm, comm.size if error is None else comm.rank)
    if first == comm.size:
        return
    kind, text = described(error, doing) if error is not None else (0, "")
    kind = int(broadcast(comm, np.array([kind]) if comm.rank == first else None, first)[0])
    text = broadcast_text(comm, text, first)
    if isinstance(error, Exception) and not isinstance(error, HpcglassError | OSError | MPI.Exception):
        raise error
    raise again(kind, text) from error


def again(kind: int, text: str) -> HpcglassError:
    """The error that `described` was asked about, on another rank."""
    return _KINDS[kind](text)


def described(error: Exception, doing: str = "") -> tuple[int, str]:
    """Number of the class to raise, and the message."""
    if isinstance(error, HpcglassError):
        kind = next((k for k, cls in enumerate(_KINDS) if k and isinstance(error, cls)), 0)
        return kind, str(error)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = f"{doing}: {reason}" if doing else reason
    return (_KINDS.index(FileError) if isinstance(error, OSError | MPI.Exception) else 0), text


def broadcast_text(comm: MPI.Comm, text: str, root: int = 0) -> str:
    """Copy a string from `root` to all ranks."""
    data = np.array(bytearray(text.encode()), dtype=np.uint8) if comm.rank == root else None
    return broadcast(comm, data, root).tobytes().decode()


def everybody_comes(comm: MPI.Comm, seconds: float = 10.0) -> bool:
    """Whether all ranks call this within some seconds.

    Asked where an error was caught: if the others do not come, it was raised here alone, they wait in a collective
    for ever, and the job has to be aborted.
    """
    request = comm.Ibarrier()
    end = monotonic() + seconds
    while not request.Test():
        if monotonic() > end:
            return False
        sleep(0.01)
    return True

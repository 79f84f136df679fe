"""Which linear algebra this machine has, and up to which size factors pay. Importing this needs no PETSc."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec

DIRECT_LIMIT = {2: 200_000, 3: 4_000}       # particles; beyond it a handful of CG solves take less time than the factors
COLLECTIONS = {"cholmod": "suitesparse"}    # by which name PETSc knows it
SHOWN = {"cholmod": "CHOLMOD (SuiteSparse)", "mumps": "MUMPS"}


def not_installed() -> list[str]:
    """Which of petsc4py and slepc4py are not there; loads nothing."""
    return [name for name in ("petsc4py", "slepc4py") if find_spec(name) is None]


def said(absent: Sequence[str]) -> str:
    """What `not_installed` found, in words."""
    return f"{' and '.join(absent)} {'are' if len(absent) > 1 else 'is'} not installed"


def lacking(any_of: Sequence[str] = ()) -> str:
    """Why solvers cannot be had here, in words; "" if they can. Loads PETSc.

    Parameters
    ----------
    any_of : packages of which PETSc must have one: "cholmod", "mumps"
    """
    if absent := not_installed():
        return said(absent)
    try:
        with undisturbed():             # its BLAS may begin threads
            import petsc4py

            petsc4py.init([])       # the command line is not PETSc's
            from petsc4py import PETSc
    except ImportError as error:
        return f"petsc4py cannot be loaded ({error})"
    if any_of and not any(PETSc.Sys.hasExternalPackage(COLLECTIONS.get(name, name)) for name in any_of):
        return f"this PETSc was built without {' and '.join(SHOWN[name] for name in any_of)}"
    return ""


@contextmanager
def undisturbed() -> Iterator[None]:
    """SIGTERM waits until this is over.

    METIS, which orders matrices for CHOLMOD and MUMPS, takes it for an error of its own, leaps out of the ordering and frees its
    memory twice: the process would be gone instead of stopping at its next safe point. Threads (of MPI, BLAS, the watchdog) have
    to begin under this as well, since a signal goes to any thread that takes it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

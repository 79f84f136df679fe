"""Shared by all tests: communicators and the reference glasses of tests/data.

Tests in tests/mpi run on any number of ranks: all ranks execute the same asserts on values that are equal everywhere.
"""

from __future__ import annotations

import gc
import os
from pathlib import Path

os.environ.setdefault("H5PY_ALWAYS_USE_MPI", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def world():
    """All ranks of this run."""
    from mpi4py import MPI

    return MPI.COMM_WORLD


@pytest.fixture(scope="session")
def alone():
    """Each rank by itself: the one-rank answer, in the same test."""
    from mpi4py import MPI

    return MPI.COMM_SELF


@pytest.fixture(autouse=True)
def _free_communicators():
    """Communicators held by objects under test are freed together, not when a rank's garbage collector likes."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def data() -> Path:
    """Directory of the reference glasses."""
    return DATA

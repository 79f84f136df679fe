"""Makes tests/glasses.py importable from here, and marks tests of what bricks do to each other's particles and rows."""

import fcntl
import os
import sys
from pathlib import Path

import numba
import pytest
from mpi4py import MPI
from numba.core.dispatcher import Dispatcher

import hpcglass.core  # noqa: F401  (decides where kernels are kept)

sys.path.insert(0, str(Path(__file__).parent.parent))
BRICKS = {"system", "forces", "files", "rattlers", "moves", "swap", "walls", "walls_moves", "hessian", "surroundings"}


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent == Path(__file__).parent and item.path.stem.removeprefix("test_") in BRICKS:
            item.add_marker(pytest.mark.bricks)


@pytest.fixture(autouse=True)
def _all_ranks_work(request, monkeypatch):
    """The small glasses of these tests are spread over all ranks, as large ones are."""
    if request.node.path.name != "test_concentrate.py":
        monkeypatch.setattr("hpcglass.core.system.PER_RANK", {2: 1, 3: 1})


def pytest_configure(config):
    if MPI.COMM_WORLD.size > 1:
        compile_once()


def compile_once():
    """A kernel that no rank has met is compiled by one, and loaded by those that waited: here ranks share cores."""
    original, depth = Dispatcher.compile, 0
    file = os.open(Path(numba.config.CACHE_DIR, "tests.lock"), os.O_CREAT | os.O_RDWR, 0o600)

    def alone(self, signature):
        nonlocal depth
        if depth == 0:
            fcntl.flock(file, fcntl.LOCK_EX)
        depth += 1
        try:
            return original(self, signature)
        finally:
            depth -= 1
            if depth == 0:
                fcntl.flock(file, fcntl.LOCK_UN)

    Dispatcher.compile = alone

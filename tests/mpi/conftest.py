"""Makes tests/glasses.py importable from here, and marks tests of what bricks do to each other's particles and rows."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))
BRICKS = {"system", "forces", "files", "rattlers", "moves", "swap", "walls", "walls_moves", "hessian"}


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent == Path(__file__).parent and item.path.stem.removeprefix("test_") in BRICKS:
            item.add_marker(pytest.mark.bricks)


@pytest.fixture(autouse=True)
def _all_ranks_work(request, monkeypatch):
    """The small glasses of these tests are spread over all ranks, as large ones are."""
    if request.node.path.name != "test_concentrate.py":
        monkeypatch.setattr("hpcglass.core.system.PER_RANK", {2: 1, 3: 1})

"""A sweep of which three tasks of four are done, and the last was never started."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sweeps import GRID, write_case

from hpcglass.rundir import grid


@pytest.fixture(scope="session")
def written(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("sweep") / "T"
    directory.mkdir()
    grid.note(directory, [GRID])
    for values in list(grid.noted(directory))[:3]:
        task = directory / grid.directory_name(values)
        for sample in (0, 1):
            write_case(task / f"sample-{sample:04d}", **values, sample=sample)
        (task / "DONE").write_text("2026-01-31T12:00:00\n")
    return directory


@pytest.fixture
def sweep(written, tmp_path) -> Path:
    """A copy of one's own."""
    return shutil.copytree(written, tmp_path / "T")

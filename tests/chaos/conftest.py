"""Uninterrupted runs to compare with, one per number of ranks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import harness


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    """reference(ranks) -> results of a run that nothing happened to."""
    known = {}

    def get(ranks: int) -> dict[str, object]:
        if ranks not in known:
            directory = tmp_path_factory.mktemp(f"reference-{ranks}")
            source = harness.write_input(directory / "input.toml")
            code, text = harness.Program(source, directory / "run", ranks, checkpoint=1e9).wait()
            assert code == 0, text
            known[ranks] = harness.results(directory / "run")
        return known[ranks]

    return get


@pytest.fixture
def slow_input(tmp_path):
    """The same run, slow enough to be hit in the middle."""
    return harness.write_input(tmp_path / "input.toml", pause=0.015)

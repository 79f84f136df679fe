"""These tests need a running SLURM; without one they are skipped and say how to get it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def reason() -> str:
    """Why jobs cannot be submitted here; empty if they can."""
    if shutil.which("sinfo") is None:
        return "no SLURM here: `tools/slurm-testbed start` installs and starts one (Debian or Ubuntu, as root)"
    try:
        nodes = subprocess.run(["sinfo", "-h", "-t", "idle,alloc,mix", "-o", "%D"], capture_output=True, text=True, timeout=10)
    except subprocess.TimeoutExpired:
        return "SLURM is installed but does not answer: `tools/slurm-testbed start`"
    if nodes.returncode or not nodes.stdout.strip("0\n "):
        return "SLURM is installed but not running: `tools/slurm-testbed start` (as root)"
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ours = [item for item in items if HERE in item.path.parents]
    why = reason() if ours else ""
    for item in ours:
        item.add_marker(pytest.mark.slurm)
        if why:
            item.add_marker(pytest.mark.skip(reason=why))

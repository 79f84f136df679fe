"""DONE: a run is finished, and these are its files.

    2026-01-31T12:00:00
    00-swap.h5 3f08...          name and seal of each
    01-shear.h5 77a0...
    01-shear.traj-0000.h5 c41b...

Of an ensemble it has the date only, as of runs of older versions: then their stage files tell which others there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from hpcglass import disk
from hpcglass.sealed.runfiles import DONE

NAME = DONE


def declare(directory: Path, seals: Mapping[str, str]) -> None:
    """Write DONE (one process)."""
    lines = [datetime.now().isoformat(timespec="seconds"), *(f"{name} {seal}" for name, seal in seals.items())]
    disk.write_text(directory / NAME, "\n".join(lines) + "\n")

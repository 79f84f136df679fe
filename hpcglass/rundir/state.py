"""How far a run is, from what is in its directory."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from hpcglass import disk
from hpcglass.errors import FileError
from hpcglass.rundir import lock
from hpcglass.rundir.ready import resolved_input
from hpcglass.words import one_line

DONE, RUNNING, STOPPED, FAILED, WAITING = "done", "running", "stopped", "failed", "waiting"
EVENT = re.compile(rb"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ((hpcglass |stopped: |error: |sample \d+ failed ).*)$", re.MULTILINE)


def state(directory: Path) -> tuple[str, str]:
    """One of the states above, and why a run failed."""
    if (directory / "DONE").exists():
        return DONE, ""
    if lock.held(directory):
        return RUNNING, ""
    try:
        events = EVENT.findall(disk.tail(directory / "log.txt", 2**16))
    except OSError:
        return WAITING, ""
    if events and events[-1][1].startswith((b"error", b"sample")):
        return FAILED, one_line(events[-1][0].decode(errors="replace").removeprefix("error: "), 160)
    return STOPPED, ""


def missing_samples(directory: Path) -> list[int]:
    """Numbers of the samples of an ensemble that are not done, by its resolved.toml; none of a single run."""
    try:
        samples = int(tomllib.loads(resolved_input(directory) or "").get("ensemble", {}).get("samples", 1))
    except (FileError, ValueError, TypeError, AttributeError, RecursionError):
        return []
    return [k for k in range(samples) if not (directory / f"sample-{k:04d}" / "DONE").exists()] if samples > 1 else []

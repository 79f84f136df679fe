"""How far a run is, from what is in its directory."""

from __future__ import annotations

import re
from pathlib import Path

from hpcglass import disk
from hpcglass.rundir import lock
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

"""What runs leave behind: is it whole, and is it the same?"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "chaos"))

import harness
from forked import Nursery
from harness import CHANGING, all_readable, wait_for
from mpi4py import MPI

from hpcglass.errors import FileError
from hpcglass.io.reader import Reader

__all__ = ["CLOSE", "FOLDER", "Journal", "Program", "arrays", "differences", "runs", "stage_now", "unreadable", "wait_for"]
harness.PATIENCE = 1200.0       # the machine may have other work, and kernels to compile
FOLDER = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())
CLOSE = 1e-9        # relative to the largest number of a dataset: what round-off may do
NOISE = re.compile("/(residual|residuals|gradient)$")    # of solutions: round-off themselves, which must be small
SMALL = 1e-6


def runs(output: Path) -> list[Path]:
    """Directories with results: the output itself, or its samples or tasks."""
    return sorted({path.parent for path in output.rglob("[0-9][0-9]-*.h5")})


def unreadable(output: Path) -> list[str]:
    """What is wrong with files that have their final names; nothing if all are whole."""
    wrong = []
    for directory in runs(output):
        try:
            all_readable(directory)
        except FileError as error:
            wrong.append(str(error))
    return wrong


def arrays(output: Path) -> dict[str, Any]:
    """All results below a directory: every dataset but those that tell of times and dates; frames of segments put together."""
    found: dict[str, Any] = {}
    frames: dict[str, list[Any]] = {}
    for path in sorted(output.rglob("[0-9][0-9]-*.h5")):
        with Reader(MPI.COMM_SELF, path) as file:
            values = {name: file.value(name) for name in file.hashes if not name.startswith(CHANGING)}
        segment = re.sub(r"\.traj-\d{4}\.h5$", "", str(path.relative_to(output)))
        if segment == str(path.relative_to(output)):
            found |= {f"{segment}:{name}": value for name, value in values.items()}
            continue
        for name, value in by_frame(values).items():
            frames.setdefault(f"{segment}:{name}", []).append(value)
    return found | {name: np.concatenate(several) for name, several in frames.items()}


def by_frame(values: dict[str, Any]) -> dict[str, Any]:
    """Datasets of a segment, one entry per frame, also of what is stored once because it is the same in all of its frames."""
    count = len(next(value for name, value in values.items() if name.endswith("/step")))
    moving = {name.removesuffix("/value"): value for name, value in values.items() if name.endswith(("/value", "/step", "/time"))}
    moving = {name: value for name, value in moving.items() if not re.search("/(diameter|species)/(step|time)$", name)}
    return moving | {name: np.repeat(np.asarray(value)[None], count, axis=0) for name, value in values.items()
                     if not name.endswith(("/value", "/step", "/time"))}


def differences(found: dict[str, Any], expected: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Names of the datasets that are not equal to the bit: those that are equal to round-off, and the others."""
    close, different = [], sorted(found.keys() ^ expected.keys())
    for name in found.keys() & expected.keys():
        a, b = np.asarray(found[name]), np.asarray(expected[name])
        if a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes():
            continue
        number = a.dtype.kind in "fiu" and a.shape == b.shape
        scale = float(np.nanmax(np.abs(b), initial=0.0)) if number else 0.0
        near = number and np.allclose(a, b, rtol=CLOSE, atol=CLOSE * scale, equal_nan=True)
        near = near or (number and bool(NOISE.search(name)) and np.abs(a).max(initial=0.0) < SMALL and scale < SMALL)
        (close if near else different).append(name)
    return sorted(close), different


def stage_now(output: Path) -> str:
    """Which stage is at work, by the newest log."""
    logs = sorted(output.rglob("log.txt"), key=lambda path: path.stat().st_mtime)
    begun = re.findall(r"  \d\d-([\w-]+): (?:starts|continues)$", logs[-1].read_text(encoding="utf-8"), re.M) if logs else []
    return begun[-1] if begun else "start-up"


class Program(harness.Program):
    """A start of the program; on one rank by fork from a process that has loaded it."""

    nursery: Nursery | None = None

    def _start(self, command: list[str], environment: dict[str, str]) -> Any:
        if self.ranks > 1 or command[0] != sys.executable:
            return super()._start(command, environment)
        if Program.nursery is None:
            Program.nursery = Nursery()
        return Program.nursery.start(command[2:], environment)


class Journal:
    """One JSON line for everything that was tried, so that a tool can be stopped and taken up again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self.entries: list[dict[str, Any]] = [json.loads(line) for line in lines if line.endswith("}")]

    def add(self, **entry: Any) -> None:
        self.entries.append(entry)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def total(self, name: str) -> int:
        return sum(entry[name] for entry in self.entries)

    def count(self, name: str) -> Counter[str]:
        """Sum of dictionaries of counts."""
        return sum((Counter(entry[name]) for entry in self.entries), Counter())

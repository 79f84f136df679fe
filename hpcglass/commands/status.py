"""Say how far one or more runs are, from what is in their directories."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from hpcglass import disk
from hpcglass.errors import FileError, InputError
from hpcglass.rundir import lock
from hpcglass.rundir.ready import resolved_input
from hpcglass.words import one_line, show

HELP = "how far runs are"
HELD = {lock.ALIVE: ", held by {}, which is running", lock.UNKNOWN: ", held by {}, which cannot be asked from here",
        lock.DEAD: ", its last run ({}) ended without a word: the same command goes on"}
STAGE_FILE = re.compile(r"\d\d+-[A-Za-z0-9_-]+\.h5")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directories", nargs="+", type=Path, metavar="DIR", help="run directories, or directories of runs")
    parser.add_argument("--json", action="store_true", help="as JSON")


def main(options: argparse.Namespace) -> int:
    rows = [row for directory in options.directories for row in look(directory)]
    if options.json:
        print(json.dumps(rows, indent=1))
        return 0
    from hpcglass.commands.parts.grid import grids

    show("\n".join(_line(row) for row in rows))
    for directory in options.directories:
        if lines := grids(directory):
            show("\n".join(["", *lines]))
    return 0


def look(directory: Path) -> list[dict[str, Any]]:
    """State of a run, then of its samples if it is an ensemble; or of all runs in a directory, as those of a sweep.

    Raises
    ------
    InputError
        When there is no run in the directory.
    """
    if not directory.is_dir():
        raise InputError(f"{directory}: {'is a file, not a run directory' if directory.exists() else 'no such directory'}")
    if not _started(directory):
        tasks = [path for path in sorted(directory.iterdir()) if path.is_dir() and _started(path)]
        if not tasks:
            raise InputError(f"{directory}: no run was ever started here (there is no resolved.toml)")
        return [row for task in tasks for row in look(task)]
    top, samples = _state(directory), [_state(p) for p in sorted(directory.glob("sample-*")) if p.is_dir()]
    if samples:
        top["samples"] = len(samples)
        top["finished_samples"] = sum(sample["state"] == "finished" for sample in samples)
    return [top, *samples]


def _started(directory: Path) -> bool:
    return (directory / "resolved.toml").is_file() or (directory / "log.txt").is_file()


def _state(directory: Path) -> dict[str, Any]:
    done = sorted(p.name for p in directory.iterdir() if STAGE_FILE.fullmatch(p.name))
    checkpoint = max((p.lstat().st_mtime for p in directory.glob("checkpoint-?.h5")), default=None)
    row: dict[str, Any] = {"directory": str(directory), "state": "finished" if (directory / "DONE").exists() else "unfinished",
                           "finished_stages": done, "stages": _stages(directory), "last": _last_line(directory / "log.txt")}
    if checkpoint is not None:
        row["checkpoint"] = checkpoint
    held = lock.look(directory)
    if held is not None:
        row["holder"], row["held_by"] = held[0], str(held[1]) if held[1] else "an unknown process"
    return row


def _stages(directory: Path) -> list[str]:
    import tomllib

    for place in (directory, directory.parent):
        try:
            data = tomllib.loads(resolved_input(place) or "")
            return [str(stage.get("label") or stage["kind"]) for stage in data["stage"]]
        except (FileError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return []


def _last_line(log: Path) -> str:
    try:
        lines = disk.tail(log, 4096).decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return one_line(lines[-1].strip()) if lines else ""


def _line(row: dict[str, Any]) -> str:
    progress = f"{len(row['finished_stages'])}/{len(row['stages'])} stages"
    if "samples" in row:
        progress = f"{row['finished_samples']}/{row['samples']} samples"
    held = HELD[row["holder"]].format(row["held_by"]) if "holder" in row else ""
    return f"{row['directory']}: {row['state']}{held}, {progress}" + (f"; {row['last']}" if row["last"] else "")

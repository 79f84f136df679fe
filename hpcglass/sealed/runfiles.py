"""What the files of a run are called, and whether one is what its name says."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from hpcglass.errors import FileError
from hpcglass.sealed.belonging import stranger

if TYPE_CHECKING:
    from hpcglass.sealed.file import File

STAGE_FILE = re.compile(r"(\d\d+)-([A-Za-z0-9_-]+)\.h5")
SEGMENT = re.compile(r"(\d\d+-[A-Za-z0-9_-]+)\.traj-\d{4,}\.h5")
CHECKPOINTS = ("checkpoint-a.h5", "checkpoint-b.h5")
DONE = "DONE"
RUN_FILE = re.compile(rf"{STAGE_FILE.pattern}|{SEGMENT.pattern}|{'|'.join(CHECKPOINTS)}")


def own_name(file: File) -> str:
    """The name that a file of a run had when it was written; empty if it is of another kind, or of 0.1.0 and of no stage."""
    if "/checkpoint" in file:
        return "checkpoint-?.h5"
    if "/segment" in file:
        own = file.attributes("/segment")
        return f"{own['stage']}.traj-{own['number']:04d}.h5"
    own = file.attributes("/stage") if "/stage" in file else {}
    return f"{own['index']:02d}-{own['name']}.h5" if own else ""


def listed(directory: Path) -> dict[str, str]:
    """Names and seals of the files of a finished run, by its DONE; empty if that has none or is not there."""
    try:
        lines = (directory / DONE).read_text(encoding="utf-8", errors="replace").splitlines()[1:]
    except OSError:
        return {}
    return {name: seal for name, _, seal in (line.rpartition(" ") for line in lines) if name}


def misplaced(file: File) -> str:
    """What is wrong if a file with the name of a run's file is another one of a run, or of another run; else nothing."""
    own, name = own_name(file), file.path.name
    if own and RUN_FILE.fullmatch(name) and not fnmatch(name, own):
        return f"{file.path}: this is a file {own} under another name; put each file where it belongs"
    if listed(file.path.parent).get(name, file.name) != file.name:
        return f"{file.path}: whole, but not the file that DONE lists; put that one back, or remove DONE if this one is meant"
    if own and RUN_FILE.fullmatch(name) and (why := stranger(file)) and not _of_longer_stage(file):
        return f"{file.path}: whole, but not of this run: it {why}; put the right one back, or give this one another name"
    return ""


def _of_longer_stage(file: File) -> bool:
    """Whether a segment is listed by the stage file beside it: when a stage was made longer, some are of the input before."""
    if "/segment" not in file:
        return False
    from hpcglass.sealed.file import File

    try:
        with File(file.path.with_name(f"{file.attributes('/segment')['stage']}.h5")) as stage:
            return segments(stage).get(file.path.name) == file.name
    except (FileError, OSError):
        return False


def refuse_exchanged(file: File) -> None:
    """Raise FileError if a file is misplaced."""
    if wrong := misplaced(file):
        raise FileError(wrong)


def segments(file: File) -> dict[str, str]:
    """Trajectory files and their seals, as the file of a stage or a checkpoint lists them."""
    place = "/checkpoint/segments" if "/checkpoint" in file else "/stage/segments"
    return dict(json.loads(file.value(place))) if place in file else {}


def refuse_other(file: File, seal: str, owner: Path) -> None:
    """Raise FileError unless a file has the seal under which `owner` knows it."""
    if file.name != seal:
        raise FileError(f"{file.path}: whole, but not the file that {owner.name} was written with")

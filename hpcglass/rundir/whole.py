"""Whether files and directories of runs are whole: what `check` says, and what `run` asks before it believes DONE."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from mpi4py import MPI

from hpcglass.core.comm import gathered
from hpcglass.errors import FileError
from hpcglass.io.agree import broadcast_text, together
from hpcglass.rundir import done
from hpcglass.sealed.belonging import before
from hpcglass.sealed.file import File
from hpcglass.sealed.runfiles import RUN_FILE, SEGMENT, STAGE_FILE, listed, refuse_exchanged, segments
from hpcglass.sealed.seal import is_ours

T = TypeVar("T")
AGAIN = ("put back copies; or have stages made again: remove DONE and the stage's file (not only a segment of it), and run the "
         "same command again. What comes after the stage is made again too; nothing is deleted")


@dataclass
class Looked:
    """What was found.

    files, size : number of files that were verified, and their bytes
    faults : a line for each thing that is wrong: what, where, what to do
    """

    files: int
    size: int
    faults: list[str]


def examine(comm: MPI.Comm, paths: Sequence[Path]) -> Looked:
    """Verify files, and directories with all runs in them however deep; the same answer on any number of ranks. Collective.

    Files of other programs in a directory are passed over, unless they have the name of a run's file.
    """
    files, directories = _listed(comm, paths)
    sizes = [int(size) for size in _shared(comm, files, [1] * len(files), lambda path: str(_size(path)))]
    known = [_Known(**json.loads(text)) for text in _shared(comm, files, sizes, _look)]
    here: dict[Path, dict[str, _Known]] = {directory: {} for directory in directories}
    for path, one in zip(files, known, strict=True):
        here.setdefault(path.parent, {})[path.name] = one
    wrong = _shared(comm, directories, [1] * len(directories), lambda path: "\n".join(_misfits(path, here[path])))
    faults = [one.fault for one in known if one.fault] + [line for text in wrong for line in text.splitlines()]
    return Looked(len(files), sum(sizes), list(dict.fromkeys(faults)))


def refuse_unfinished(comm: MPI.Comm, directory: Path) -> None:
    """Raise FileError if the files of a run with DONE are not all there and whole. Collective."""
    found = examine(comm, [directory])
    nothing = [] if found.files else [f"{directory}: has DONE, but no file of a run"]
    faults = found.faults or nothing
    if faults:
        more = [f"and {len(faults) - 10} more: see `hpcglass check {directory}`"] if len(faults) > 10 else []
        raise FileError("\n".join([f"{directory} is said to be finished, but:", *faults[:10], *more, AGAIN]))


def _listed(comm: MPI.Comm, paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Files to verify, and directories whose files must fit together; found by rank 0."""
    found: list[list[str]] = [[], []]
    with together(comm):
        if comm.rank == 0:
            for path in paths:
                if not path.is_dir():
                    found[0].append(str(path))
                    continue
                found[0] += [str(file) for file in sorted(path.rglob("*.h5")) if _belongs(file)]
                found[1] += [str(path), *(str(below) for below in sorted(path.rglob("*")) if below.is_dir())]
    files, directories = json.loads(broadcast_text(comm, json.dumps(found)))
    return [Path(file) for file in dict.fromkeys(files)], [Path(directory) for directory in dict.fromkeys(directories)]


def _belongs(file: Path) -> bool:
    return file.is_file() and (RUN_FILE.fullmatch(file.name) is not None or is_ours(file))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _shared(comm: MPI.Comm, items: Sequence[T], sizes: Sequence[int], work: Callable[[T], str]) -> list[str]:
    """The answer to each item, on all ranks; each is given to one rank, so that all have about the same to do. Collective."""
    owner = np.zeros(len(items), dtype=np.int64)
    load = np.zeros(comm.size)
    for item in sorted(range(len(items)), key=lambda item: -sizes[item]):
        owner[item] = load.argmin()
        load[owner[item]] += sizes[item] + 4096
    mine: dict[int, str] = {}
    with together(comm):
        mine = {int(item): work(items[item]) for item in np.flatnonzero(owner == comm.rank)}
    text = np.frombuffer((json.dumps(mine) + "\n").encode(), dtype=np.uint8)
    answers: dict[str, str] = {}
    for line in gathered(comm, text).tobytes().decode().splitlines():
        answers |= json.loads(line)
    return [answers[str(item)] for item in range(len(items))]


@dataclass
class _Known:
    """What is known of a file: its seal, or what is wrong with it; and the seals of other files that it mentions.

    segments : trajectory files that a stage file or checkpoint lists
    before : the file of the stage before, that a stage was made from
    """

    seal: str = ""
    fault: str = ""
    segments: dict[str, str] = field(default_factory=dict)
    before: dict[str, str] = field(default_factory=dict)


def _look(path: Path) -> str:
    """Verify a file; a `_Known` as JSON."""
    known = _Known()
    try:
        with File(path) as file:
            file.verify()
            refuse_exchanged(file)
            known = _Known(file.name, "", segments(file), before(file))
    except (FileError, OSError) as error:
        known = _Known(fault=str(error))
    return json.dumps(asdict(known))


def _misfits(directory: Path, here: dict[str, _Known]) -> list[str]:
    """What is missing in a directory with these files, or does not fit together."""
    faults: dict[str, str] = {}

    def compare(owner: str, wanted: dict[str, str]) -> None:
        for name, seal in wanted.items():
            if name not in here:
                faults.setdefault(name, f"{directory / name}: missing, though {owner} lists it")
            elif here[name].seal and seal and here[name].seal != seal:
                faults.setdefault(name, f"{directory / name}: whole, but not the file that {owner} lists")

    if (directory / done.NAME).exists():
        compare(done.NAME, {name: "" for name in _expected(directory)} | listed(directory))
    for name, known in here.items():
        compare(name, known.segments)
        compare(name, {before: seal for before, seal in known.before.items() if before in here})
    stages = {name.removesuffix(".h5") for name, known in here.items() if known.seal and STAGE_FILE.fullmatch(name)}
    mentioned = {name for known in here.values() for name in known.segments}
    strangers = [name for name in here if (match := SEGMENT.fullmatch(name)) and match[1] in stages and name not in mentioned]
    return [*faults.values(), *(f"{directory / name}: does not belong to the stage file beside it" for name in strangers)]


def _expected(directory: Path) -> list[str]:
    """Files of a finished run, by its resolved input; of an ensemble, DONE of its samples."""
    try:
        data = tomllib.loads((directory / "resolved.toml").read_text(encoding="utf-8"))
        samples = int(data.get("ensemble", {}).get("samples", 1))
        stages = [str(stage.get("label") or stage["kind"]) for stage in data["stage"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    if samples > 1 and not re.fullmatch(r"sample-\d{4,}", directory.name):
        return [name for k in range(samples) if not os.path.exists(directory / (name := f"sample-{k:04d}/{done.NAME}"))]
    return [f"{index:02d}-{name}.h5" for index, name in enumerate(stages)]



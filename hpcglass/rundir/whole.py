"""Whether files and directories of runs are whole: what `check` says, and what `run` asks before it believes DONE."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpcglass.errors import FileError
from hpcglass.io.share import Answer, Ranks
from hpcglass.rundir import done
from hpcglass.sealed.belonging import before
from hpcglass.sealed.file import File, damaged
from hpcglass.sealed.runfiles import RUN_FILE, SEGMENT, STAGE_FILE, listed, refuse_exchanged, segments
from hpcglass.sealed.seal import Region, is_ours

if TYPE_CHECKING:
    from mpi4py import MPI

LARGE = 1 << 26         # bytes of a file whose large datasets the ranks share, and of a block of them
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


def examine(comm: MPI.Comm | None, paths: Sequence[Path]) -> Looked:
    """Verify files, and directories with all runs in them however deep; the same answer on any number of ranks. Collective.

    Files of other programs in a directory are passed over, unless they have the name of a run's file. The ranks share the files,
    and blocks of the large ones.
    """
    ranks = Ranks(comm)
    found = json.loads(ranks.first(lambda: json.dumps(_listed(paths))))
    files, directories = ([Path(name) for name in found[kind]] for kind in ("files", "directories"))
    sizes = found["sizes"]
    told = ranks.each(_look, files, [min(size, LARGE) for size in sizes])
    known = [_Known(**json.loads(text)) for text, _ in told]
    _look_inside(ranks, files, known)
    here: dict[Path, dict[str, _Known]] = {directory: {} for directory in directories}
    for path, one in zip(files, known, strict=True):
        here.setdefault(path.parent, {})[path.name] = one
    wrong = [text for text, _ in ranks.each(lambda path: ("\n".join(_misfits(path, here[path])), []), directories)]
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


def _listed(paths: Sequence[Path]) -> dict[str, list[Any]]:
    """Files to verify and their sizes, and directories whose files must fit together."""
    files, directories = [], []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        files += [file for file in sorted(path.rglob("*.h5")) if _belongs(file)]
        directories += [path, *(below for below in sorted(path.rglob("*")) if below.is_dir())]
    files = list(dict.fromkeys(files))
    return {"files": [str(file) for file in files], "sizes": [_size(file) for file in files],
            "directories": [str(directory) for directory in dict.fromkeys(directories)]}


def _belongs(file: Path) -> bool:
    return file.is_file() and (RUN_FILE.fullmatch(file.name) is not None or is_ours(file))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@dataclass
class _Known:
    """What is known of a file: its seal, or what is wrong with it; and the seals of other files that it mentions.

    segments : trajectory files that a stage file or checkpoint lists
    before : the file of the stage before, that a stage was made from
    regions : lines of the seal for large datasets that are yet to be verified
    """

    seal: str = ""
    fault: str = ""
    segments: dict[str, str] = field(default_factory=dict)
    before: dict[str, str] = field(default_factory=dict)
    regions: list[str] = field(default_factory=list)


def _look(path: Path) -> Answer:
    """Verify a file, but for the large datasets of a large one; a `_Known` as JSON."""
    known = _Known()
    try:
        with File(path) as file:
            large = file.seal is not None and _size(path) > LARGE
            if not large:
                file.verify()
            refuse_exchanged(file)
            lines = [region.line() for region in file.seal.regions] if large and file.seal else []
            known = _Known(file.name, "", segments(file), before(file), lines)
    except (FileError, OSError) as error:
        known = _Known(fault=str(error))
    return json.dumps(asdict(known)), []


def _look_inside(ranks: Ranks, files: Sequence[Path], known: Sequence[_Known]) -> None:
    """Verify the large datasets of large files, shared out in blocks of rows; what is wrong is noted. Collective."""
    regions = [(number, Region.parse(line.removesuffix("\n"))) for number, one in enumerate(known) for line in one.regions]
    blocks = [(which, *rows) for which, (_, region) in enumerate(regions) for rows in region.blocks(LARGE)]

    def digests(block: tuple[int, int, int]) -> Answer:
        number, region = regions[block[0]]
        try:
            with open(files[number], "rb") as file:
                return "", [region.digests(file, *block[1:])]
        except OSError as error:
            return f"{files[number]}: {error.strerror}", []

    told = ranks.each(digests, blocks, [(last - first) * regions[which][1].width * regions[which][1].frames
                                        for which, first, last in blocks])
    for which, answers in groupby(zip(blocks, told, strict=True), key=lambda one: one[0][0]):
        number, region = regions[which]
        found = [answer for _, answer in answers]
        unread = [text for text, _ in found if text]
        whole = not unread and region.fits(np.concatenate([arrays[0] for _, arrays in found], axis=1))
        if not whole and not known[number].fault:
            known[number].fault, known[number].seal = unread[0] if unread else str(damaged(files[number], region)), ""


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



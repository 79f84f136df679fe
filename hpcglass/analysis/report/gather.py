"""What there is in a directory: tasks of a sweep, samples of an ensemble, files of their stages, inputs and warnings."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hpcglass import disk
from hpcglass.analysis.open_run import StageResults, read_stage
from hpcglass.errors import FileError, InputError
from hpcglass.sealed.file import File
from hpcglass.sealed.runfiles import STAGE_FILE

LONGEST = 1_000_000         # bytes of an input or of the end of a log that are read
SAMPLE = re.compile(r"sample-\d{4,}")
STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +")
T = TypeVar("T")


@dataclass
class Sample:
    """A run of one sample: its stage files by label, in their order."""

    directory: Path
    files: dict[str, Path]
    finished: bool
    warnings: list[str]

    @property
    def name(self) -> str:
        return self.directory.name


@dataclass
class Task:
    """A run or an ensemble: values of its parameters, its input, its samples.

    stages : labels in the input
    """

    directory: Path
    values: dict[str, Any]
    title: str
    input: str
    stages: list[str]
    samples: list[Sample]

    @property
    def started(self) -> list[Sample]:
        """Samples with a finished stage."""
        return [sample for sample in self.samples if sample.files]

    @property
    def finished(self) -> int:
        return sum(sample.finished for sample in self.samples)


@dataclass
class Results:
    """All of it; `damaged` says which files could not be read, and why.

    varied : names of the parameters that differ among the tasks
    """

    directory: Path
    tasks: list[Task]
    varied: list[str]
    damaged: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        if len(self.tasks) > 1:
            return f"sweep of {len(self.tasks)} tasks"
        samples = len(self.tasks[0].samples)
        return f"ensemble of {samples} samples" if samples > 1 else "run"

    def stage(self, path: Path) -> StageResults | None:
        """A stage, or None if its file is damaged, which is noted."""
        return self.tried(lambda: read_stage(path))

    def tried(self, read: Callable[[], T]) -> T | None:
        """What reading gives, or None if a file is damaged, which is noted."""
        try:
            return read()
        except FileError as error:
            if str(error) not in self.damaged:
                self.damaged.append(str(error))
            return None


def gather(directory: Path) -> Results:
    """Look at a run, an ensemble, a sweep, or a directory of runs.

    Raises
    ------
    InputError
        No stage of a run is finished in it.
    """
    if not directory.is_dir():
        why = "is a file; name the directory of the run" if directory.exists() else "no such directory"
        raise InputError(f"{directory}: {why}")
    below = [path for path in sorted(directory.iterdir()) if path.is_dir()]
    places = [directory] if _is_run(directory) else [path for path in below if _is_run(path)]
    tasks = sorted((_task(path) for path in places), key=lambda task: _order(task.values))
    if not any(task.started for task in tasks):
        raise InputError(f"{directory}: no stage of a run is finished in it")
    names = dict.fromkeys(name for task in tasks for name in task.values)
    varied = [name for name in names if len({str(task.values.get(name)) for task in tasks}) > 1]
    return Results(directory, tasks, varied)


def timings(path: Path) -> list[tuple[str, int, float, float, float]]:
    """(verb, calls, least, mean, most seconds) of a stage file."""
    with File(path) as file:
        found = []
        for verb in file.names("/timing"):
            least, mean, most = (float(seconds) for seconds in file.value(f"/timing/{verb}"))
            found.append((verb, int(file.attributes(f"/timing/{verb}")["calls"]), least, mean, most))
        return found


def numbers(path: Path) -> dict[str, tuple[Any, str, str]]:
    """Name -> (number or small array, units, what it is) of the results of a stage file, without its tables."""
    with File(path) as file:
        places = {name: f"/results/{name}" for name in file.names("/results") if not file.is_group(f"/results/{name}")}
        about = {name: file.attributes(place) for name, place in places.items()}
        return {name: (file.value(place), str(about[name].get("units", "")), str(about[name].get("long_name", "")))
                for name, place in places.items()}


def provenance(path: Path) -> tuple[dict[str, Any], str]:
    """(attributes, the input as the user wrote it) of a stage file."""
    with File(path) as file:
        if "/provenance" not in file:
            return {}, ""
        return file.attributes("/provenance"), file.value("/provenance/input") if "/provenance/input" in file else ""


def _order(values: dict[str, Any]) -> list[tuple[bool, Any]]:
    """Numbers in their order, then texts."""
    return [(isinstance(value, str), value) for value in values.values()]


def _is_run(directory: Path) -> bool:
    return any(path.name == "resolved.toml" or STAGE_FILE.fullmatch(path.name) or SAMPLE.fullmatch(path.name)
               for path in directory.iterdir())


def _task(directory: Path) -> Task:
    below = sorted(path for path in directory.iterdir() if path.is_dir() and SAMPLE.fullmatch(path.name))
    written = _text(directory / "resolved.toml")
    try:
        told = tomllib.loads(written)
    except tomllib.TOMLDecodeError:
        told = {}
    stages = [str(stage.get("label") or stage.get("kind")) for stage in told.get("stage", []) if isinstance(stage, dict)]
    values = {name: value for name, value in told.get("parameters", {}).items() if isinstance(value, int | float | str)}
    return Task(directory, values, str(told.get("title", "")), written, stages, [_sample(path) for path in below or [directory]])


def _sample(directory: Path) -> Sample:
    found = {match[2]: path for path in sorted(directory.iterdir()) if (match := STAGE_FILE.fullmatch(path.name))}
    try:
        log = disk.tail(directory / "log.txt", LONGEST).decode("utf-8", "replace")
    except OSError:
        log = ""
    warnings = [STAMP.sub("", line).strip() for line in log.splitlines() if "warning:" in line]
    return Sample(directory, found, (directory / "DONE").exists(), list(dict.fromkeys(warnings)))


def _text(path: Path) -> str:
    try:
        return disk.read_bytes(path, LONGEST).decode("utf-8", "replace")
    except OSError:
        return ""

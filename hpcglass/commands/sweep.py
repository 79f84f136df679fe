"""Show the tasks of an input with [sweep] and how far they are; with --task, or in a job array, run one of them."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hpcglass import launcher, sweep
from hpcglass.commands.common import add_run, output_directory
from hpcglass.config import read_text
from hpcglass.errors import FileError, InputError
from hpcglass.rundir import shared
from hpcglass.rundir.state import state
from hpcglass.sealed.belonging import changes
from hpcglass.words import one_line, plain, quoted, show

HELP = "tasks of a grid of parameters: show them, or run one"
STATES = ("done", "running", "stopped", "failed", "waiting", "other input")
MISSING = ("stopped", "failed", "waiting")      # those that are still to be run
LARGEST_ARRAY = 1000        # elements of a job array that most clusters allow
SCRIPT = Path("jobscripts/sweep.sbatch")


def add_options(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--task", type=number, metavar="K",
                        help="run task K, from 0 (default in a job array: SLURM_ARRAY_TASK_ID)")
    parser.add_argument("--stride", type=positive, metavar="N", help="run tasks K, K + N, K + 2 N, ...: N elements of a "
                        "job array do them all")
    parser.add_argument("--submit", "--resubmit", dest="resubmit", action="store_true", help="submit a job array of the tasks "
                        "that are not done, for the first time or again; where there is no SLURM print its command")


def number(text: str) -> int:
    """Type of an option."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"must be a whole number >= 0, not '{one_line(text, 40)}'")
    return int(text)


def positive(text: str) -> int:
    """Type of an option."""
    if not number(text):
        raise argparse.ArgumentTypeError("must be > 0")
    return int(text)


@dataclass(frozen=True)
class Look:
    """How a task is; `why` it failed."""

    task: sweep.Task
    state: str
    why: str = ""


def main(options: argparse.Namespace) -> int:
    """The table; tasks are run by `hpcglass.__main__.run`."""
    if options.stride is not None:
        raise InputError("--stride says how to go on from a first task: give --task, or submit a job array")
    whole, output = sweep.Sweep.read(read_text(options.input), options.input, options.set), output_directory(options)
    every = whole.tasks(output)
    if not every:
        raise InputError("the input has no [sweep]: `hpcglass run` runs it")
    whole.check(every)
    if launcher.rank():
        return 0
    looks = [look(task, whole) for task in every]
    other = others(whole, output)
    if options.resubmit:
        return resubmit(options, output, looks, other)
    show("\n".join([*table(looks), *unknown(every, output), "", *(other or how_to_run(options, output, looks))]))
    return 0


def look(task: sweep.Task, whole: sweep.Sweep | None = None) -> Look:
    """What the directory of a task says.

    whole : to compare with the input that the task was made from
    """
    if whole is not None:
        theirs, numbers = shared.of_task(task.directory, whole.over, whole.follows)
        if theirs is not None and any(numbers.get(k) != v for k, v in task.values.items()):
            return Look(task, "other input")
        if theirs is not None and theirs != whole.shared:
            return Look(task, "waiting" if shared.only_longer_than(theirs, whole.shared) else "other input")
    return Look(task, *state(task.directory))


def table(looks: Sequence[Look]) -> list[str]:
    """A line per task: number, values, state, directory, why it failed; then how many are in each state."""
    rows = [["task", *looks[0].task.values, "state", "directory", ""],
            *([str(x.task.number), *map(str, x.task.values.values()), x.state, plain(x.task.directory), x.why] for x in looks)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    count = Counter(x.state for x in looks)
    return [*lines, f"{len(looks)} tasks: " + ", ".join(f"{count[name]} {name}" for name in STATES if count[name])]


def unknown(every: Sequence[sweep.Task], output: Path) -> list[str]:
    """Runs in the directory that the grid does not have."""
    known = {task.name for task in every}
    try:
        found = sorted(path.name for path in output.iterdir() if "=" in path.name and path.name not in known and path.is_dir())
    except OSError:
        return []
    return [f"not of this grid: {', '.join(found[:10])}{f' and {len(found) - 10} more' if len(found) > 10 else ''}"] * bool(found)


def others(whole: sweep.Sweep, output: Path) -> list[str]:
    """What to say if the directory was begun with another input."""
    theirs = shared.stored(output)
    if theirs is None or theirs == whole.shared or shared.only_longer_than(theirs, whole.shared):
        return []
    return [f"{output} was begun with another input, so none of these tasks will start; these keys changed:",
            *(f"  {change}" for change in changes(theirs, whole.shared)), "use another --output, or change them back"]


def how_to_run(options: argparse.Namespace, output: Path, looks: Sequence[Look]) -> list[str]:
    """The commands, ready to be copied."""
    missing = [x.task.number for x in looks if x.state in MISSING]
    if not missing:
        return ["there is nothing left to start"]
    here = " ".join([quoted(options.input), "--output", quoted(output), *(f"--set {quoted(word)}" for word in options.set)])
    return [f"all in turn     hpcglass run {here}", f"one of them     hpcglass sweep {here} --task {missing[0]}",
            f"SLURM           {' '.join(map(quoted, submission(options, output, missing, len(looks))))}"]


def submission(options: argparse.Namespace, output: Path, missing: Sequence[int], count: int) -> list[str]:
    """Words of the command that submits the missing ones of so many tasks."""
    elements = min(count, LARGEST_ARRAY)
    stride = ["--stride", str(elements)] if elements < count else []
    settings = [word for argument in options.set for word in ("--set", argument)]
    array = ranges({number % elements for number in missing})
    return ["sbatch", f"--array={array}", str(SCRIPT), str(options.input), str(output), *settings, *stride]


def ranges(numbers: Iterable[int]) -> str:
    """Whole numbers as SLURM takes them: 0-3,7.

    >>> ranges([7, 2, 1, 0, 3])
    '0-3,7'
    """
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" if last > first + 1 else f"{first},{last}"
                    for first, last in found)


def resubmit(options: argparse.Namespace, output: Path, looks: Sequence[Look], other: Sequence[str]) -> int:
    """Submit what is missing, or print how.

    Raises
    ------
    InputError
        The directory is that of another input, or there is no job script here.
    FileError
        SLURM does not take it.
    """
    if other:
        raise InputError("\n".join(other))
    missing = [x.task.number for x in looks if x.state in MISSING]
    if not missing:
        show("there is nothing left to start")
        return 0
    command = submission(options, output, missing, len(looks))
    show(" ".join(map(quoted, command)))
    if shutil.which("sbatch") is None:
        show("there is no sbatch here: give this command where SLURM is")
        return 0
    if not SCRIPT.is_file():
        raise InputError(f"there is no {SCRIPT} here: go to the directory that has it")
    # the environment as it was when the program began: jobs inherit it, and an MPI library may have left marks in it since
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=dict(os.environ))
    if done.returncode:
        raise FileError(f"sbatch did not take it: {one_line(done.stderr)}")
    show(done.stdout.strip())
    return 0

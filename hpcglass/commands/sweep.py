"""Show the tasks of an input with [sweep] and how far they are; with --task, or in a job array, run one of them."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hpcglass import launcher
from hpcglass.commands.common import add_run, output_directory
from hpcglass.config import Config
from hpcglass.errors import InputError
from hpcglass.rundir import lock
from hpcglass.sweep import Task, tasks

HELP = "tasks of a grid of parameters: show them, or run one"
STATES = ("done", "running", "stopped", "failed", "waiting")
EVENT = re.compile(rb"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  (hpcglass |stopped: |error: |sample \d+ failed )", re.MULTILINE)
LARGEST_ARRAY = 1000        # elements of a job array that most clusters allow


def add_options(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--task", type=int, metavar="K", help="run task K, from 0 (default in a job array: SLURM_ARRAY_TASK_ID)")
    parser.add_argument("--stride", type=positive, metavar="N", help="run tasks K, K + N, K + 2 N, ...: N elements of a "
                        "job array do them all")


def positive(text: str) -> int:
    """Type of an option."""
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be a whole number > 0, not '{text}'")
    return int(text)


def main(options: argparse.Namespace) -> int:
    """The table; tasks are run by `hpcglass.__main__.run`."""
    if options.stride is not None:
        raise InputError("--stride says how to go on from a first task: give --task, or submit a job array")
    config, output = Config.load(options.input, options.set), output_directory(options)
    every = tasks(config, output, options.set)
    if not every:
        raise InputError("the input has no [sweep]: `hpcglass run` runs it")
    if launcher.rank() == 0:
        print("\n".join([*table(every), "", *how_to_run(options, output, len(every))]))
    return 0


def state(directory: Path) -> str:
    """One of STATES, from what is in the directory of a run."""
    if (directory / "DONE").exists():
        return "done"
    if lock.held(directory):
        return "running"
    try:
        with (directory / "log.txt").open("rb") as file:
            file.seek(max(0, (directory / "log.txt").stat().st_size - 2**16))
            events = EVENT.findall(file.read())
    except OSError:
        return "waiting"
    return "failed" if events and events[-1].startswith((b"error", b"sample")) else "stopped"


def table(every: Sequence[Task]) -> list[str]:
    """A line per task: number, values, state, directory; then how many are in each state."""
    states = [state(task.directory) for task in every]
    rows = [["task", *every[0].values, "state", "directory"],
            *([str(t.number), *map(str, t.values.values()), s, str(t.directory)] for t, s in zip(every, states, strict=True))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    count = Counter(states)
    return [*lines, f"{len(every)} tasks: " + ", ".join(f"{count[name]} {name}" for name in STATES if count[name])]


def how_to_run(options: argparse.Namespace, output: Path, count: int) -> list[str]:
    """The commands, ready to be copied."""
    settings = "".join(f" --set '{argument}'" for argument in options.set)
    here = f"{options.input} --output {output}{settings}"
    elements = min(count, LARGEST_ARRAY)
    stride = f" --stride {elements}" if elements < count else ""
    return [f"all in turn     hpcglass run {here}", f"one of them     hpcglass sweep {here} --task 0",
            f"SLURM           sbatch --array=0-{elements - 1} jobscripts/sweep.sbatch {options.input} {output}{settings}{stride}"]

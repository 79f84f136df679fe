"""A grid of parameters as numbered tasks; each is a run of its own, in a directory named after its values.

A task is what `run` makes of the input without [sweep] and with these values in [parameters], to the bit. The tasks share
`seed`, and with it their random numbers: at two temperatures sample 7 starts from the same positions, and the difference has
less noise than that of independent samples. Where they shall be independent, `seed = "$s"` makes the seed a parameter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hpcglass.config import Config
from hpcglass.config.points import Point, Points
from hpcglass.config.sweep import Number, points
from hpcglass.errors import EXIT_DONE, EXIT_REQUEUE, HpcglassError, InputError, Interrupted
from hpcglass.rundir import grid, shared
from hpcglass.words import show

LONGEST_NAME = 255      # bytes of a directory's name
if TYPE_CHECKING:
    from mpi4py import MPI


@dataclass(frozen=True)
class Task:
    """One point of a sweep: its number from 0, its values, the directory of its run."""

    number: int
    values: dict[str, Number]
    directory: Path

    @property
    def name(self) -> str:
        return self.directory.name

    def configure(self, text: str, source: Path, overrides: Sequence[str] = ()) -> Config:
        """The input of this task alone.

        Raises
        ------
        InputError
            With these values the input is wrong.
        """
        values = [f"parameters.{name}={value!r}" for name, value in self.values.items()]
        try:
            return Config.parse(text, source, [*overrides, *values]).model_copy(update={"sweep": ()})
        except InputError as error:
            point = ", ".join(f"{name} = {value}" for name, value in self.values.items())
            raise InputError(f"task {self.number} of the sweep: with {point} the input is wrong:\n{error}") from None


@dataclass(frozen=True)
class Sweep:
    """An input and its tasks.

    shared : what all tasks have in common, see `rundir.shared`
    """

    text: str
    source: Path
    overrides: Sequence[str]
    config: Config
    points: Points

    @classmethod
    def read(cls, text: str, source: Path, overrides: Sequence[str]) -> Sweep:
        """From the text of an input, which need not have a sweep.

        Raises
        ------
        InputError
            The input is wrong.
        """
        return cls(text, source, overrides, *Config.parse_sweep(text, source, overrides))

    @property
    def over(self) -> list[str]:
        """The parameters that it goes over."""
        return list(self.config.sweep[0]) if self.config.sweep else []

    @property
    def follows(self) -> Sequence[str]:
        """Keys of [system] that follow from other numbers."""
        return self.points.follows

    @cached_property
    def shared(self) -> str:
        """What all tasks have in common."""
        return shared.shared(self.config.model_copy(update={"sweep": ()}).to_toml(), self.over, self.follows)

    def inputs(self, chosen: Sequence[Task]) -> Iterator[Point]:
        """Look at the input of each task.

        Raises
        ------
        InputError
            That of the first one that is wrong.
        """
        for task in chosen:
            point = self.points.at(task.values)
            if point is None:
                self.configure(task)
                raise InputError(f"task {task.number} of the sweep: its input is wrong")
            yield point

    def check(self, chosen: Sequence[Task]) -> None:
        """The same, of all."""
        for _ in self.inputs(chosen):
            pass

    def configure(self, task: Task) -> Config:
        """The input of a task alone."""
        return task.configure(self.text, self.source, self.overrides)

    def tasks(self, output: Path) -> list[Task]:
        """All tasks, as directories of `output`."""
        return tasks(self.config, output, self.overrides)


def tasks(config: Config, output: Path, overrides: Sequence[str] = ()) -> list[Task]:
    """All tasks of an input, in the order of the file, the last name fastest.

    Parameters
    ----------
    output : the directories are made in this one
    overrides : the `--set` arguments that went into `config`

    Raises
    ------
    InputError
        An override sets what the sweep goes over.
    """
    found = list(points(config.sweep))
    for argument in overrides if found else ():
        name = argument.partition("=")[0].strip().removeprefix("parameters.")
        if name in found[0]:
            raise InputError(f"--set {argument}: the sweep goes over {name}; use --set sweep.{name}=[...] or --set sweep=[]")
    names = [grid.directory_name(values) for values in found]
    if max(map(len, names), default=0) > LONGEST_NAME:
        raise InputError(f"directories of the sweep's tasks would have names of {max(map(len, names))} letters, more than "
                         f"{LONGEST_NAME}: shorten the names of its parameters")
    return [Task(number, values, output / name) for number, (values, name) in enumerate(zip(found, names, strict=True))]


def choose(every: Sequence[Task], first: int, stride: int | None = None) -> list[Task]:
    """Task `first`; with a stride also first + stride, first + 2 stride, ... to the end.

    Raises
    ------
    InputError
        There is no such task, or another element of the same job array does it.
    """
    if not every:
        raise InputError("the input has no [sweep]: `hpcglass run` runs it")
    if not 0 <= first < len(every):
        raise InputError(f"there is no task {first}: the sweep has tasks 0 to {len(every) - 1}")
    if stride is None:
        return [every[first]]
    if first >= stride:
        raise InputError(f"task {first} with --stride {stride}: another one comes to it; begin with 0 to {stride - 1}")
    return list(every[first::stride])


def run_tasks(whole: Sweep, chosen: Sequence[Task], comm: MPI.Comm, plots: bool) -> int:
    """Run tasks in turn, or continue them. One that fails does not stop the others. Collective.

    Returns 0, or the exit code of the first task that failed.

    Raises
    ------
    InputError
        The output directory is that of a single run, or of a sweep of another input.
    Interrupted
        When asked to stop: the task that was running has a checkpoint.
    """
    from hpcglass.core.comm import largest
    from hpcglass.io.agree import together
    from hpcglass.rundir.signals import Stop

    output = chosen[0].directory.parent
    with together(comm, f"cannot use {output}"):
        if comm.rank == 0:
            _begin(whole, output)
    codes: list[int] = []
    with Stop() as stop:
        for task in chosen:
            if largest(comm, stop.asked()):
                break
            _say(comm, f"task {task.number}: {task.name}")
            codes.append(_one(whole, task, comm, plots))
            if codes[-1] == EXIT_REQUEUE:
                break
    failed = [(task, code) for task, code in zip(chosen, codes, strict=False) if code not in (EXIT_DONE, EXIT_REQUEUE)]
    for task, code in failed:
        _say(comm, f"task {task.number} failed with exit code {code}, see {task.directory / 'log.txt'}")
    _say(comm, f"{codes.count(EXIT_DONE)} of {len(chosen)} tasks done")
    left = len(chosen) - codes.count(EXIT_DONE) - len(failed)
    if left:
        raise Interrupted(f"stopped on request; {left} task{'s are' if left > 1 else ' is'} not done: "
                          "run the same command again to continue")
    return failed[0][1] if failed else EXIT_DONE


def _begin(whole: Sweep, output: Path) -> None:
    """Make the directory of a sweep, or make sure that it is that of this one (one process)."""
    if (output / "resolved.toml").exists():
        raise InputError(f"{output} is the directory of a single run: choose another --output for the sweep")
    output.mkdir(parents=True, exist_ok=True)
    shared.belongs(output, whole.shared, whole.follows)
    grid.note(output, whole.config.sweep)


def _one(whole: Sweep, task: Task, comm: MPI.Comm, plots: bool) -> int:
    """One task; its exit code."""
    from hpcglass.io.agree import everybody_comes, together
    from hpcglass.run import main

    try:
        with together(comm):
            if comm.rank == 0 and task.directory.is_symlink():
                raise InputError(f"{task.directory} is a link; a sweep follows none: put the directory itself there")
        return main(whole.configure(task), whole.text, task.directory, comm, fresh=False, plots=plots)
    except HpcglassError as error:
        if not everybody_comes(comm):
            raise
        _say(comm, f"{'' if isinstance(error, Interrupted) else 'error: '}task {task.number}: {error}")
        return error.exit_code


def _say(comm: MPI.Comm, message: str) -> None:
    if comm.rank == 0:
        show(message)

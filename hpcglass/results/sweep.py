"""A sweep, or a directory of sweeps, as one object: which tasks there are, how far each is, and one table over all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hpcglass.analysis import html
from hpcglass.analysis.collect.case import Case, samples
from hpcglass.analysis.collect.cases import Cases, in_order
from hpcglass.analysis.collect.rows import Value
from hpcglass.analysis.open_run import Run, open_run
from hpcglass.rundir import grid
from hpcglass.rundir.state import DONE, FAILED, WAITING, missing_samples, state


@dataclass(frozen=True)
class Task:
    """One run of a sweep.

    values : name -> value of each parameter
    directory : where it is, or would be
    """

    values: Mapping[str, Value]
    directory: Path

    @property
    def name(self) -> str:
        """Its directory's."""
        return self.directory.name

    @cached_property
    def looked(self) -> tuple[str, str]:
        """State, and why it failed, when it was first looked at."""
        return state(self.directory) if self.directory.is_dir() else (WAITING, "")

    @property
    def state(self) -> str:
        """"done", "running", "stopped", "failed" or "waiting"."""
        return self.looked[0]

    @property
    def why(self) -> str:
        """What made it fail; empty if it did not."""
        return self.looked[1]

    @property
    def missing_samples(self) -> list[int]:
        """Samples of an ensemble that was started, which are not done."""
        return [] if self.state == DONE else missing_samples(self.directory)

    @property
    def status(self) -> str:
        """State, samples that are missing and why it failed, in words."""
        left = self.missing_samples
        samples = f" (sample{'s' * (len(left) != 1)} {', '.join(map(str, left))} missing)" if left else ""
        return f"{self.state}{samples}{f', {self.why}' if self.why else ''}"

    @property
    def run(self) -> Run:
        """Its results.

        Raises
        ------
        InputError
            There are none.
        """
        return open_run(self.directory)


class Sweep(Cases):
    """The tasks of a sweep; `sweep[0]` is the run of the first one, `sweep.select(T_p=0.08)` a part of the sweep.

    `table`, `to_xarray`, `columns` and `rows` are over all tasks and samples, see `analysis.collect.cases.Cases`. No file of
    results is opened for it; it is as the directory was then.

    Attributes
    ----------
    tasks : those of the grid, in its order, and those that the directory has besides
    """

    def __init__(self, directory: Path, tasks: Sequence[Task]) -> None:
        self.directory = directory
        self.tasks = list(tasks)

    def __len__(self) -> int:
        return len(self.tasks)

    def __getitem__(self, number: int) -> Run:
        return self.tasks[number].run

    def select(self, **values: Value) -> Sweep:
        """The tasks with these values of parameters."""
        chosen = [task for task in self.tasks if all(task.values.get(name) == value for name, value in values.items())]
        return Sweep(self.directory, chosen)

    @cached_property
    def cases(self) -> list[Case]:
        """The samples of all tasks that were started."""
        return [case for task in self.tasks if task.directory.is_dir() for case in samples(task.directory, task.values)]

    @property
    def parameters(self) -> dict[str, list[Value]]:
        """Name -> values, in order."""
        names = dict.fromkeys(name for task in self.tasks for name in task.values)
        return {name: in_order({task.values[name] for task in self.tasks if name in task.values}) for name in names}

    @property
    def missing(self) -> list[Task]:
        """Tasks that are not done: waiting, running, stopped or failed."""
        return [task for task in self.tasks if task.state != DONE]

    @property
    def failed(self) -> dict[str, str]:
        """Directory of each task that failed -> why."""
        return {task.name: task.why for task in self.tasks if task.state == FAILED}

    def __repr__(self) -> str:
        over = ", ".join(f"{name}: {len(values)}" for name, values in self.parameters.items())
        return f"Sweep({str(self.directory)!r}: {len(self)} tasks; {over})"

    def _repr_html_(self) -> str:
        count = Counter(task.state for task in self.tasks)
        title = f"{self.directory}: {len(self)} tasks, " + ", ".join(f"{number} {name}" for name, number in count.items())
        shown = ((*task.values.values(), task.state, task.why) for task in self.tasks)
        return html.table((*self.parameters, "state", ""), shown, len(self), title)


def read_tasks(directory: Path) -> list[Task]:
    """The tasks of a sweep's directory; none if it is not one."""
    there = {path.name: values for path in sorted(directory.glob("*=*")) if path.is_dir()
             and (values := grid.parse_name(path.name)) is not None}
    points = {grid.directory_name(values): values for values in grid.noted(directory)}
    besides = sorted((name for name in there if name not in points), key=lambda name: list(there[name].values()))
    return [Task(values, directory / name) for name, values in {**points, **{name: there[name] for name in besides}}.items()]

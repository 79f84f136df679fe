"""`hpcglass.open`: what a path leads to, told by names; nothing is read before it is asked for.

>>> sweep = hpcglass.open("results/T")
>>> sweep.table("events"), sweep.to_xarray("loading")
"""

from __future__ import annotations

import re
from pathlib import Path

from hpcglass.analysis.open_run import Run, StageResults, open_run, read_stage
from hpcglass.results.collected import Collected, is_collected
from hpcglass.results.sweep import Sweep, Task, read_tasks

DEEPEST = 2         # directories of directories of sweeps
RUN = re.compile(r"resolved\.toml|log\.txt|DONE|\d\d+-[A-Za-z0-9_-]+\.h5|sample-\d{4,}")     # what makes a directory a run's


def open_results(path: str | Path) -> Run | Sweep | Collected | StageResults:
    """Open results.

    Parameters
    ----------
    path : directory of a run, of an ensemble, of a sweep, or one of such directories (results/); or a file: that of a stage, what
        `merge` wrote, or what `collect` wrote

    Returns
    -------
    Run
        Of a run or an ensemble: `run["shear"].tables["loading"]`, `run.samples`.
    Sweep
        Of a sweep, or a directory of runs, ensembles and sweeps, where the name of the directory below is one of the parameters,
        `directory`.
    StageResults, Collected
        Of a file.

    Raises
    ------
    InputError
        There is nothing of that kind.
    FileError
        A file is damaged.
    """
    path = Path(path)
    if path.is_file():
        return Collected(path) if is_collected(path) else read_stage(path)
    if path.is_dir() and not _is_run(path) and (tasks := _tasks(path, 0)):
        return Sweep(path, tasks)
    return open_run(path)


def _is_run(directory: Path) -> bool:
    return any(RUN.fullmatch(path.name) for path in directory.iterdir())


def _tasks(directory: Path, depth: int) -> list[Task]:
    """The tasks of a sweep; or all runs below, labelled with the directory that they are in."""
    if tasks := read_tasks(directory):
        return tasks
    found: list[Task] = []
    for below in sorted(path for path in directory.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if _is_run(below):
            found.append(Task({"directory": below.name}, below))
        elif depth < DEEPEST:
            for task in _tasks(below, depth + 1):
                inner = dict(task.values)
                name = "/".join([below.name, str(inner.pop("directory"))] if "directory" in inner else [below.name])
                found.append(Task({"directory": name, **inner}, task.directory))
    return found

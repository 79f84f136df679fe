"""One row per task of a sweep: means over its samples, with standard errors."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.report.gather import Results, Task, numbers
from hpcglass.analysis.report.markup import Html, folded, joined, table, tag
from hpcglass.words import measured

MOST = 16           # numbers of a stage


def over_tasks(results: Results) -> Html:
    """A table for each stage; of a single run nothing."""
    if len(results.tasks) < 2:
        return Html()
    parts = []
    for stage in dict.fromkeys(label for task in results.tasks for sample in task.started for label in sample.files):
        rows = {task.directory: _of_task(results, task, stage) for task in results.tasks}
        names = list(dict.fromkeys(name for row in rows.values() for name in row))[:MOST]
        if names:
            body = [[*(task.values.get(name, "") for name in results.varied),
                     *(rows[task.directory].get(name, "") for name in names)] for task in results.tasks]
            title = f"numbers of stage {stage} over the tasks: means, standard errors"
            parts.append(folded(title, table([*results.varied, *names], body)))
    return joined([tag("h3", "Numbers"), *parts]) if parts else Html()


def _of_task(results: Results, task: Task, stage: str) -> dict[str, str]:
    """Number -> mean and error over the samples."""
    found: dict[str, list[float]] = {}
    for sample in task.started:
        if stage in sample.files:
            for name, (value, *_) in (results.tried(partial(numbers, sample.files[stage])) or {}).items():
                if isinstance(value, int | float | np.number) and np.isfinite(value):
                    found.setdefault(name, []).append(float(value))
    return {name: _with_error(np.array(values)) for name, values in found.items()}


def _with_error(values: NDArray[np.float64]) -> str:
    if len(values) < 2:
        return f"{values.mean():.6g}"
    return measured(float(values.mean()), float(values.std(ddof=1)) / len(values)**0.5)

"""Where the results of campaigns are, and how numbers are taken from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import hpcglass
from hpcglass.analysis.open_run import StageResults, read_stage
from hpcglass.analysis.tables import Table
from hpcglass.errors import HpcglassError
from hpcglass.results.sweep import Sweep
from papers.entry import Measured

NONE: Measured = (math.nan, math.nan)


@dataclass(frozen=True)
class Member:
    """One run of a campaign, and the files made of it."""

    directory: Path

    @property
    def run(self) -> Path:
        return self.directory / "run"

    @property
    def tasks(self) -> dict[str, Path]:
        """The runs of a sweep by name; a run without one is called "run"."""
        opened = hpcglass.open(self.run)
        return {task.name: task.directory for task in opened.tasks} if isinstance(opened, Sweep) else {"run": self.run}

    @property
    def only(self) -> str:
        """The name of the only task."""
        (name,) = self.tasks
        return name

    def of(self, temperature: float) -> str:
        """The name of the task at a parent temperature, of a sweep over these."""
        return next(name for name in self.tasks if name.split(",")[0] == f"T_p={temperature:g}")

    def merged(self, stage: str, task: str = "run") -> StageResults:
        """What `merge` made of a stage of all samples."""
        return read_stage(self.directory / f"{task}-{stage}.h5")

    def file(self, name: str) -> StageResults:
        """A file of tables: predict.h5, screening.h5."""
        return read_stage(self.directory / name)

    def samples(self, stage: str, task: str = "run") -> Iterator[StageResults]:
        """A stage of each finished sample of a task."""
        for directory in sorted(self.tasks[task].glob("sample-*")) or [self.tasks[task]]:
            if (directory / "DONE").exists():
                yield hpcglass.open(directory)[stage]


class Gallery:
    """The results of all campaigns at one scale: `at["001-fig1a"]`, or of one with members `at["002-fig3", "0.6"]`."""

    def __init__(self, root: Path, scale: str) -> None:
        self.root, self.scale = root, scale

    def __getitem__(self, key: str | tuple[str, str]) -> Member:
        campaign, member = (key, "") if isinstance(key, str) else key
        return Member(self.root / self.scale / campaign / member)


def taken(of: Callable[[Gallery], Measured], at: Gallery) -> Measured:
    """A number from the results; none, with the reason on the terminal, if there is too little in them for it."""
    try:
        value, spread = of(at)
    except (KeyError, IndexError, ZeroDivisionError, StopIteration, HpcglassError) as error:
        print(f"no value: {type(error).__name__} {error}")
        return NONE
    return float(value), float(spread)


def row(table: Table, **values: float) -> dict[str, float]:
    """The first row with these values; NaN for every column if there is none."""
    chosen = np.ones(table.rows, bool)
    for name, value in values.items():
        chosen &= np.isclose(table[name], value)
    which = np.flatnonzero(chosen)
    return {name: float(table[name][which[0]]) if len(which) else math.nan for name in table}


def cell(table: Table, column: str, **values: float) -> Measured:
    """A value and its error, where the table has a column for that, of the row with these values."""
    found = row(table, **values)
    return found[column], found.get(f"{column}_error", math.nan)


def mean(values: Sequence[float] | Any) -> Measured:
    """Mean and standard error of independent values."""
    x = np.asarray(list(values), float)
    x = x[np.isfinite(x)]
    if len(x) == 0:
        return NONE
    return float(x.mean()), float(x.std(ddof=1) / math.sqrt(len(x))) if len(x) > 1 else math.nan


def median(values: Sequence[float] | Any) -> Measured:
    """Median of independent values, and its standard error by the bootstrap."""
    x = np.asarray(list(values), float)
    x = x[np.isfinite(x)]
    if len(x) < 2:
        return (float(x[0]), math.nan) if len(x) else NONE
    again = np.random.default_rng(0).choice(x, (1000, len(x)))
    return float(np.median(x)), float(np.median(again, axis=1).std())


def ratio(a: Measured, b: Measured) -> Measured:
    """a/b of independent numbers."""
    value = a[0] / b[0] if b[0] else math.nan
    return value, abs(value) * math.hypot(a[1] / a[0], b[1] / b[0]) if a[0] and b[0] else math.nan


def difference(a: Measured, b: Measured) -> Measured:
    """a - b of independent numbers."""
    return a[0] - b[0], math.hypot(a[1], b[1])


def share(hits: int, of: int) -> Measured:
    """k of n, with the error of the rule of succession, which is not zero at 0 and n."""
    guess = (hits + 1) / (of + 2)
    return (hits / of if of else math.nan), math.sqrt(guess * (1 - guess) / (of + 3))


def slope(x: Any, y: Any, errors: Any = None) -> Measured:
    """Exponent n of y ~ x^n: the line through the logarithms, with the error by its residuals, or by `errors` if larger."""
    x, y = np.log(np.asarray(x, float)), np.asarray(y, float)
    keep = np.isfinite(x) & np.isfinite(y) & (y > 0)
    if keep.sum() < 2:
        return NONE
    relative = np.asarray(errors, float)[keep] / y[keep] if errors is not None else None
    x, y = x[keep], np.log(y[keep])
    weight = 1.0 / relative**2 if relative is not None else np.ones(len(x))
    centre = (weight * x).sum() / weight.sum()
    spread = (weight * (x - centre) ** 2).sum()
    n = float((weight * (x - centre) * y).sum() / spread)
    residual = y - (weight * y).sum() / weight.sum() - n * (x - centre)
    if relative is not None:
        scatter = math.sqrt(float((weight * residual**2).sum()) / max(len(x) - 2, 1))
        return n, max(1.0, scatter) / math.sqrt(spread)
    return n, math.sqrt(float((residual**2).sum()) / max(len(x) - 2, 1) / spread) if len(x) > 2 else math.nan

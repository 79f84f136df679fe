"""One of many runs, and what tells it from the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hpcglass.analysis.collect.rows import Value


@dataclass(frozen=True)
class Case:
    """One run, or one sample of an ensemble.

    values : name -> value of each parameter
    """

    values: Mapping[str, Value]
    sample: int
    directory: Path

    @property
    def labels(self) -> dict[str, Value]:
        """The columns that go before those of a table."""
        return {**self.values, "sample": self.sample}


def samples(directory: Path, values: Mapping[str, Value]) -> list[Case]:
    """The samples of an ensemble, or the one run in a directory."""
    found = sorted(path for path in directory.glob("sample-[0-9]*") if path.is_dir() and path.name[7:].isdigit())
    return [Case(values, int(path.name[7:]), path) for path in found] or [Case(values, 0, directory)]

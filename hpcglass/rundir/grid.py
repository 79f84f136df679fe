"""grid.toml in the directory of a sweep: the points that its input has, so that what was never started is known to be missing."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from hpcglass import disk
from hpcglass.config import toml
from hpcglass.config.sweep import Number, points
from hpcglass.rundir.ready import LARGEST

NAME = "grid.toml"
HEAD = "# The grid of the last task that started, for those who look at the results.\n"


def note(output: Path, grids: Sequence[Mapping[str, Sequence[Number]]]) -> None:
    """Write the grids down, unless they are there (one process)."""
    text = HEAD + toml.dumps({"sweep": [{name: list(values) for name, values in grid.items()} for grid in grids]})
    with contextlib.suppress(OSError):
        if disk.read_bytes(output / NAME, LARGEST).decode(errors="replace") == text:
            return
    disk.write_text(output / NAME, text)


def noted(output: Path) -> list[dict[str, Number]]:
    """The points; none if they were not written down, or nobody can read them."""
    try:
        data = tomllib.loads(disk.read_bytes(output / NAME, LARGEST).decode())
        return list(points(data["sweep"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


def directory_name(values: Mapping[str, Number]) -> str:
    """What the directory of a point is called: T_p=0.08,d_0=0.05."""
    return ",".join(f"{name}={value}" for name, value in values.items())


def parse_name(name: str) -> dict[str, Number] | None:
    """The point of a directory of this name; None if it has none."""
    values: dict[str, Number] = {}
    for part in name.split(","):
        key, equals, text = part.rpartition("=")
        try:
            values[key] = int(text)
        except ValueError:
            try:
                values[key] = float(text)
            except ValueError:
                return None
        if not equals:
            return None
    return values

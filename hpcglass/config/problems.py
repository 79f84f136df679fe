"""All that is wrong with an input, gathered before anything is said."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hpcglass.config.toml import Path, key_lines
from hpcglass.errors import InputError

SHOWN = 100      # more problems than this are counted, not listed


@dataclass
class Problems:
    """Problems of one input; each knows the key it belongs to.

    Parameters
    ----------
    source : str
        Name of the input file.
    text : the file's, for the lines of keys
    overridden : key path -> the `--set` argument it came from
    """

    source: str
    text: str = ""
    overridden: dict[Path, str] = field(default_factory=dict)
    found: list[tuple[Path, str]] = field(default_factory=list)
    muted: set[Path] = field(default_factory=set)     # wrong because of something reported elsewhere

    @cached_property
    def lines(self) -> dict[Path, int]:
        """Line of each key; looked up when there is something to say."""
        return key_lines(self.text)

    def add(self, path: Iterable[str | int], message: str, value: Any = None) -> None:
        """One problem at a key; `value` is what was written there. A second one at the same key is not added."""
        place = tuple(path)
        if place in self.muted or any(known == place for known, _ in self.found):
            return
        name = dotted(place)
        shown = f" = {shorten(value)}" if value is not None else ""
        self.found.append((place, f"{name}{shown}: {message}" if name else message))

    def under(self, path: Path) -> bool:
        """Whether anything was found at `path` or below it."""
        return any(place[: len(path)] == path for place, _ in self.found)

    def raise_if_any(self) -> None:
        """Raise InputError with one line per problem, in the file's order."""
        if not self.found:
            return
        ordered = sorted(self.found, key=lambda problem: (self.line(problem[0]) or 0))
        messages = [f"{self.where(place)}: {message}" for place, message in ordered[:SHOWN]]
        if len(ordered) > SHOWN:
            messages.append(f"... and {len(ordered) - SHOWN} more")
        raise InputError("\n".join(messages))

    def line(self, path: Path) -> int | None:
        """Line of the key, or of the nearest table around it."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return None

    def where(self, path: Path) -> str:
        """`input.toml:12`, or the `--set` argument the value came from."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.overridden:
                return f"--set {self.overridden[path[:end]]}"
        line = self.line(path)
        return f"{self.source}:{line}" if line else self.source


def dotted(path: Iterable[str | int]) -> str:
    """A key path as it is written in messages: stage[1].strain_step."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text if len(text) <= 120 else text[:117] + "..."


def shorten(value: Any) -> str:
    """A value as TOML shows it, cut to one short line."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 128:
        return f"<an integer of {value.bit_length()} bits>"
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 60 else text[:57] + "..."

"""Which frames of a file, and which of their fields: options and what they mean, for the commands that go through frames."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcglass.config.suggest import did_you_mean
from hpcglass.errors import InputError

if TYPE_CHECKING:
    from hpcglass.io.formats.common import Configuration
    from hpcglass.io.frames import Foreign, Stored


def add_frames(parser: argparse.ArgumentParser, default: str) -> None:
    """Options that choose frames."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--frame", type=frame, metavar="K", help="frame K, from 0, or from the end if negative; or all "
                       f"(default: {default})")
    which.add_argument("--every", type=step, metavar="M", help="frames 0, M, 2M, ...")
    which.add_argument("--events", action="store_true", help="the frames before and after each plastic event")


def frame(text: str) -> int | str:
    """Type of an option."""
    digits = text.removeprefix("-")
    if text != "all" and not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise argparse.ArgumentTypeError("must be a whole number or all")
    return text if text == "all" else int(text)


def step(text: str) -> int:
    """Type of an option."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 10**9):
        raise argparse.ArgumentTypeError("must be a whole number >= 1")
    return int(text)


def names(text: str) -> list[str]:
    """Type of an option: each name once."""
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


@dataclass
class Choice:
    """Frames of a source, in order, with fields.

    numbers : of the frames
    fields : their names
    before : the frame from which what lies between two counts in the first one; default: the one before it in the file
    """

    source: Stored | Foreign
    numbers: list[int]
    fields: list[str]
    before: int | None = None

    def read(self, rows: tuple[int, int] | None = None) -> Iterator[Configuration]:
        """One after the other, whole or some rows of each. What lies between two frames counts from the one that came before."""
        before = self.numbers[0] - 1 if self.before is None and self.numbers[0] else self.before
        for number in self.numbers:
            yield self.source.read(number, self.fields, rows, before)
            before = number


def opened(path: Path, whole: bool) -> Stored | Foreign:
    """The frames of a file: of particles (`frames.of_file`), or of a lattice, which has its fields along the loading only."""
    from hpcglass.io import frames
    from hpcglass.io.formats.sites import Sites
    from hpcglass.sealed.seal import is_ours

    return (Sites.found(path) if path.is_file() and is_ours(path) else None) or frames.of_file(path, whole)


def chosen(source: Stored | Foreign, options: argparse.Namespace) -> list[int]:
    """Numbers of the frames that are asked for."""
    from hpcglass.io.convert import choose_frame

    if options.events:
        return source.event_frames()
    if options.every or options.frame == "all":
        return list(range(0, len(source), options.every or 1))
    return [choose_frame(-1 if options.frame is None else options.frame, len(source), options.file)]


def fields(source: Stored | Foreign, wanted: list[str]) -> list[str]:
    """The names that are asked for, as they are called in the file; what must be computed is made ready.

    Raises
    ------
    InputError
        There is no such field.
    """
    from hpcglass.io.frames import ALIASES, Between, Stored

    if wanted and isinstance(source, Stored) and len(source) > 1:
        source.between = {"d2min": Between(partial(nonaffine, source)), "displacement": Between(moved, of_all=False, vector=True)}
    from hpcglass.io.formats.sites import Sites

    wanted = wanted or (source.known() if isinstance(source, Sites) else [])        # a lattice has nothing else
    known = source.known() if wanted else []
    found = [name if name in known else ALIASES.get(name, name) for name in wanted]
    for name in found:
        if name not in known:
            raise InputError(f"--fields {name}: {source.path} has no such field{did_you_mean(name, known)} "
                             f"(there are: {', '.join(known) or 'none'})")
    return found


def nonaffine(source: Stored, then: Any, now: Any, box_then: Any, box: Any, diameter: Any, species: Any,
              rows: tuple[int, int]) -> Any:
    """D2min between two frames; who interacts is known from the input of the run."""
    from hpcglass.analysis.nonaffine import d2min
    from hpcglass.config.own_model import parse_model

    model, _ = parse_model(source.input, source.path)
    return d2min(then, now, box_then, box, model, diameter, species, rows)


def moved(then: Any, now: Any, box_then: Any, box: Any, *_: Any) -> Any:
    """Non-affine displacement between two frames."""
    from hpcglass.analysis.nonaffine import displacement

    return displacement(then, now, box_then, box)


def which(number: int, steps: list[int]) -> str:
    """Which of the frames of a file this is; nothing if there is one only."""
    return f": frame {number} of 0 to {len(steps) - 1}, step {steps[number]}" if len(steps) > 1 else ""

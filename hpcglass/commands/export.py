"""Write configurations of a file for another program: extended XYZ, LAMMPS data and dumps, GSD, H5MD or VTKHDF."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcglass import launcher
from hpcglass.config.suggest import did_you_mean
from hpcglass.errors import InputError
from hpcglass.words import show

if TYPE_CHECKING:
    from hpcglass.io.formats.common import Configuration
    from hpcglass.io.frames import Foreign, Stored

HELP = "configurations, trajectories and fields for other programs"
FORMATS = ["extxyz", "lammps", "dump", "gsd", "h5md", "vtkhdf"]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="file of a stage (.h5): its final configuration, with --frame, "
                        "--every or --events its trajectory; a segment of a trajectory; or any file that `import` reads")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="file to write; under mpirun all ranks "
                        "write .vtkhdf and .h5md together")
    parser.add_argument("--to", choices=FORMATS, help="format (default: by the ending of OUT)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--frame", type=frame, metavar="K", help="frame K, from 0, or from the end if negative; or all "
                       "(default: the last one)")
    which.add_argument("--every", type=step, metavar="M", help="frames 0, M, 2M, ...")
    which.add_argument("--events", action="store_true", help="the frames before and after each plastic event")
    parser.add_argument("--fields", type=names, default=[], metavar="NAMES", help="also these numbers per particle, separated by "
                        "commas: fields of the stage or of its frames; d2min of several frames counts from the one before")


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
    """

    source: Stored | Foreign
    numbers: list[int]
    fields: list[str]

    def read(self, rows: tuple[int, int] | None = None) -> Iterator[Configuration]:
        """One after the other, whole or some rows of each. What lies between two frames counts from the one that came before, of
        the first one from the one before it in the file."""
        before = self.numbers[0] - 1 if self.numbers[0] else None
        for number in self.numbers:
            yield self.source.read(number, self.fields, rows, before)
            before = number


def main(options: argparse.Namespace, world: Callable[[], Any]) -> int:
    from hpcglass.io.convert import writer

    module = writer(options.output, options.to)
    comm = world() if launcher.tasks() > 1 or hasattr(module, "PLAN") else None
    if comm is None or comm.size == 1 or hasattr(module, "PLAN"):
        return export(options, module, comm)
    with agreed(comm):          # text and GSD are written by one
        if comm.rank == 0:
            export(options, module, None)
    return 0


def export(options: argparse.Namespace, module: Any, comm: Any) -> int:
    from hpcglass.io import frames
    from hpcglass.io.convert import write_frames

    several = options.every is not None or options.events or options.frame == "all"
    with agreed(comm):
        source = frames.of_file(options.file, several or options.frame is not None)
        numbers = chosen(source, options)
        choice = Choice(source, numbers, fields(source, options.fields))
    say = partial(tell, options, source, comm)
    if hasattr(module, "PLAN"):
        from hpcglass.io.formats.parallel import write

        write(comm, choice.source, choice.read, len(numbers), choice.fields, options.output, module)
        say(options.output, numbers)
    elif several and not getattr(module, "SEVERAL", True):
        for number in numbers:
            out = options.output.with_stem(f"{options.output.stem}-{number:04d}")
            write_frames(Choice(source, [number], choice.fields).read(), out, options.to)
            say(out, [number])
    else:
        write_frames(choice.read(), options.output, options.to)
        say(options.output, numbers)
    source.close()
    return 0


def agreed(comm: Any) -> AbstractContextManager[None]:
    """A block that may fail on some ranks, if there are several."""
    if comm is None:
        return nullcontext()
    from hpcglass.io.agree import together

    return together(comm)


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
    from hpcglass.io.frames import ALIASES, Stored

    if wanted and isinstance(source, Stored) and len(source) > 1:
        source.between = {"d2min": partial(nonaffine, source)}
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


def tell(options: argparse.Namespace, source: Stored | Foreign, comm: Any, out: Path, numbers: list[int]) -> None:
    """Say what was written, once."""
    if comm is not None and comm.rank:
        return
    steps = source.steps
    if len(numbers) > 1:
        show(f"{out}: {len(numbers)} of {len(steps)} frames, steps {steps[numbers[0]]} to {steps[numbers[-1]]}")
    else:
        show(f"{out}{which(numbers[0], steps)}")
    for line in source.said:
        show(line)
    if options.frame is None and len(numbers) == 1 and not (options.every or options.events) and source.more:
        show("--frame K takes another one, --frame all writes them all")


def which(number: int, steps: list[int]) -> str:
    """Which of the frames of a file this is; nothing if there is one only."""
    return f": frame {number} of 0 to {len(steps) - 1}, step {steps[number]}" if len(steps) > 1 else ""

"""Options that several commands share."""

from __future__ import annotations

import argparse
import math
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcglass.errors import InputError
from hpcglass.words import one_line

if TYPE_CHECKING:
    from hpcglass.analysis.figures.files import Look

LONGEST, LONGEST_PART = 4095, 255       # bytes of a path, and of a name in it
ROOM = 400                              # for the names of a task, a sample and a file


def add_input(command: argparse.ArgumentParser) -> None:
    """Options of commands that read an input file."""
    command.add_argument("input", type=Path, metavar="INPUT", help="input file (TOML)")
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                         help="change a value: table.key=..., stage.0.key=..., shear.key=..., or a parameter; may be repeated")


def add_run(command: argparse.ArgumentParser) -> None:
    """Options of commands that run an input file."""
    add_input(command)
    command.add_argument("--output", type=Path, metavar="DIR", help="where the results go (default: results/<name of the input>)")
    command.add_argument("--no-plots", action="store_true", help="no figures at the end of each stage")


def add_number(command: argparse.ArgumentParser, name: str, kind: type[int] | type[float], *, above: float = -math.inf,
               least: float = -math.inf, most: float = math.inf, **rest: Any) -> None:
    """An option that is a number between bounds, and finite; what is not is refused before anything is read."""
    low = f"above {above:g}" if above > -math.inf else f"at least {least:.10g}" if least > -math.inf else ""
    high = f"at most {most:.10g}" if most < math.inf else ""
    said = " and ".join(filter(None, (low, high))) or "finite"

    def read(word: str) -> float:
        value = kind(word)
        if not (above < value < math.inf and least <= value <= most):
            raise argparse.ArgumentTypeError(f"{word}: must be {said}")
        return value

    read.__name__ = kind.__name__       # argparse names it where the word is none
    command.add_argument(name, type=read, **rest)


def add_look(command: argparse.ArgumentParser) -> None:
    """Options of commands that draw."""
    command.add_argument("--format", choices=["png", "pdf", "svg"], default="png", help="kind of file (default: png)")
    add_number(command, "--dpi", int, least=20, most=2400, default=200, metavar="N",
               help="dots per inch of what is not a vector (default: 200)")
    command.add_argument("--width", metavar="single|double|MM",
                         help="width: of one or two columns of a journal (86 or 178 mm), or in mm; letters keep their size")
    command.add_argument("--data", action="store_true", help="what a figure shows as a table, too: .csv beside it")


def look(options: argparse.Namespace) -> Look:
    """How figures are to be written.

    Raises
    ------
    InputError
        A width or a resolution that no figure can have.
    """
    from hpcglass.analysis.figures.files import COLUMNS, Look

    width = options.width
    if width is not None and width not in COLUMNS:
        try:
            width = float(width)
        except ValueError:
            raise InputError(f"--width {one_line(width, 40)}: is {', '.join(COLUMNS)}, or a number of millimetres") from None
        if not 50 <= width <= 1000:
            raise InputError(f"--width {options.width}: must be from 50 to 1000 mm")
    return Look(options.format, options.dpi, COLUMNS.get(width, width), options.data)


def output_directory(options: argparse.Namespace) -> Path:
    """Where the results go.

    Raises
    ------
    InputError
        There is a file of that name, or there cannot be a directory of that name.
    """
    output: Path = options.output or Path("results") / options.input.stem
    try:
        status = output.stat()
    except (FileNotFoundError, NotADirectoryError):
        longest = len(os.fsencode(output.absolute())) + ROOM
        if longest > LONGEST or any(len(os.fsencode(part)) > LONGEST_PART for part in output.parts):
            raise InputError(f"--output: the name is too long: {one_line(output, 80)}") from None
        return output
    except OSError as error:
        raise InputError(f"--output {one_line(output, 80)}: {error.strerror}") from None
    if not stat.S_ISDIR(status.st_mode):
        raise InputError(f"--output {output}: is a file, not a directory")
    return output

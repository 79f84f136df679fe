"""Draw the figures of a stage file, or of every stage of a run, and of the lattices of a sweep together."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hpcglass.commands.common import add_look, look
from hpcglass.errors import FileError, InputError
from hpcglass.words import show

if TYPE_CHECKING:
    from hpcglass.analysis.figures.files import Look

HELP = "figures of a stage file, a run, a sweep, or a merged ensemble"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="FILE|DIR", help="stage file (.h5) or run directory")
    add_look(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="where the figures go (default: next to the file)")


def main(options: argparse.Namespace) -> int:
    from hpcglass.analysis.figures.draw import plot_stage_file

    if not options.path.exists():
        raise InputError(f"{options.path}: no such file or directory")
    how = look(options)
    if options.output is not None:
        try:
            options.output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"{options.output}: cannot be made: {error.strerror}") from None
    root = options.path if options.path.is_dir() else None
    figures = [figure for file in stage_files(options.path)
               for figure in plot_stage_file(file, options.output, how, root)]
    figures += together(options.path, options.output, how)
    show("\n".join(map(str, figures)) if figures else "there is nothing to draw")
    return 0


def stage_files(path: Path) -> list[Path]:
    """The stage files of a run (and of its samples), or the file itself."""
    from hpcglass.commands.status import STAGE_FILE

    if not path.is_dir():
        return [path]
    found = sorted(p for p in path.rglob("*.h5") if STAGE_FILE.fullmatch(p.name))
    if not found:
        raise InputError(f"{path}: there is no stage file (like 00-swap.h5) in this directory")
    return found


def together(path: Path, output: Path | None, how: Look) -> list[Path]:
    """Figures of all lattices of a sweep; none if it is something else."""
    if not any(path.glob("*/resolved.toml")):
        return []
    from hpcglass.analysis.figures.lattices import draw

    try:
        return draw(path, output=output, look=how)
    except InputError:
        return []

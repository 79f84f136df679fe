"""Draw the figures of a stage file, or of every stage of a run, and of the lattices of a sweep together."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from hpcglass.commands.common import add_look, look
from hpcglass.errors import FileError, InputError

if TYPE_CHECKING:
    from hpcglass.analysis.figures.files import Look
    from hpcglass.io.share import Answer, Ranks

HELP = "figures of a stage file, a run, a sweep, or a merged ensemble"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="FILE|DIR", help="stage file (.h5) or run directory")
    add_look(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="where the figures go (default: next to the file)")
    parser.add_argument("--together", action="store_true", help="only the figures of all lattices of a sweep together")


def main(options: argparse.Namespace, ranks: Ranks) -> int:
    from hpcglass.analysis.figures.draw import plot_stage_file

    how = look(options)
    files = [(Path(path), size) for path, size in json.loads(ranks.first(lambda: _look(options)))]
    root = options.path if options.path.is_dir() else None

    def draw(file: Path) -> Answer:
        return "\n".join(map(str, plot_stage_file(file, options.output, how, root))), []

    figures = [text for text, _ in ranks.each(draw, [file for file, _ in files], [size for _, size in files]) if text]
    figures += [text for text in [ranks.first(lambda: together(options.path, options.output, how))] if text]
    ranks.say("\n".join(figures) if figures else "there is nothing to draw")
    return 0


def _look(options: argparse.Namespace) -> str:
    """Files to draw and their sizes, in JSON; the directory of the figures is made."""
    if not options.path.exists():
        raise InputError(f"{options.path}: no such file or directory")
    if options.output is not None:
        try:
            options.output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"{options.output}: cannot be made: {error.strerror}") from None
    return json.dumps([(str(file), file.stat().st_size) for file in stage_files(options.path)
                       if not options.together])


def stage_files(path: Path) -> list[Path]:
    """The stage files of a run (and of its samples), or the file itself."""
    from hpcglass.commands.status import STAGE_FILE

    if not path.is_dir():
        return [path]
    found = sorted(p for p in path.rglob("*.h5") if STAGE_FILE.fullmatch(p.name))
    if not found:
        raise InputError(f"{path}: there is no stage file (like 00-swap.h5) in this directory")
    return found


def together(path: Path, output: Path | None, how: Look) -> str:
    """Figures of all lattices of a sweep, a line each; none if it is something else."""
    if not any(path.glob("*/resolved.toml")):
        return ""
    from hpcglass.analysis.figures.lattices import draw

    try:
        return "\n".join(map(str, draw(path, output=output, look=how)))
    except InputError:
        return ""

"""Write the configuration of a file for another program: extended XYZ, LAMMPS data or GSD."""

from __future__ import annotations

import argparse
from pathlib import Path

from hpcglass.words import show

HELP = "a configuration for other programs"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="stage file or trajectory (.h5), or any file that `import` reads")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="file to write")
    parser.add_argument("--to", choices=["extxyz", "lammps", "gsd"], help="format (default: by the ending of OUT)")
    parser.add_argument("--frame", type=frame, metavar="K", help="of a trajectory: frame K, from 0, or from the end if negative; "
                        "or all, each in a file of its own, OUT with -0000, ... (default: the last one)")


def frame(text: str) -> int | str:
    """Type of an option."""
    digits = text.removeprefix("-")
    if text != "all" and not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise argparse.ArgumentTypeError("must be a whole number or all")
    return text if text == "all" else int(text)


def main(options: argparse.Namespace) -> int:
    from hpcglass.io.convert import choose_frame, frames, read_any, write_any

    steps = frames(options.file)
    every = options.frame == "all"
    chosen = range(max(len(steps), 1)) if every else [
        choose_frame(-1 if options.frame is None else options.frame, len(steps), options.file)]
    for number in chosen:
        out = options.output.with_stem(f"{options.output.stem}-{number:04d}") if every else options.output
        found = read_any(options.file, frame=number if steps else None)
        write_any(found, out, options.to)
        show(f"{out}{which(number, steps)}")
    for note in found.notes:
        show(note)
    if len(found.names) > 1 and list(found.names) != [str(number) for number in range(1, len(found.names) + 1)]:
        show("species: " + ", ".join(f"{name} is {number}" for number, name in enumerate(found.names, 1)))
    if options.frame is None and len(steps) > 1:
        show("--frame K takes another one, --frame all each of them")
    return 0


def which(number: int, steps: list[int]) -> str:
    """Which of the frames of a file this is; nothing if there is one only."""
    return f": frame {number} of 0 to {len(steps) - 1}, step {steps[number]}" if len(steps) > 1 else ""

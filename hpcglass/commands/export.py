"""Write the configuration of a file for another program: extended XYZ, LAMMPS data or GSD."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "a configuration for other programs"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="stage file (.h5), or any file that `import` reads")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="file to write")
    parser.add_argument("--to", choices=["extxyz", "lammps", "gsd"], help="format (default: by the ending of OUT)")


def main(options: argparse.Namespace) -> int:
    from hpcglass.io.convert import read_any, write_any

    write_any(read_any(options.file), options.output, options.to)
    print(options.output)
    return 0

"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from hpcglass.errors import InputError


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


def output_directory(options: argparse.Namespace) -> Path:
    """Where the results go.

    Raises
    ------
    InputError
        There is a file of that name.
    """
    output: Path = options.output or Path("results") / options.input.stem
    if output.exists() and not output.is_dir():
        raise InputError(f"--output {output}: is a file, not a directory")
    return output

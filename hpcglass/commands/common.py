"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_input(command: argparse.ArgumentParser) -> None:
    """Options of commands that read an input file."""
    command.add_argument("input", type=Path, metavar="INPUT", help="input file (TOML)")
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                         help="change a value: table.key=..., stage.0.key=..., shear.key=..., or a parameter; may be repeated")

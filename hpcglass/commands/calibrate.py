"""Find the slips with which an elasto-plastic lattice flows, and overshoots, as a glass does.

The input's stage `calibrate` says what the lattice is, and its target. With --target that is a run of the glass, whose loading
curve is measured as those of the lattice are. The same command again goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from hpcglass.commands.common import add_run
from hpcglass.errors import InputError

if TYPE_CHECKING:
    from hpcglass.config import Config

HELP = "slips of a lattice from the loading curve of a glass"


def add_options(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--fresh", action="store_true", help="start over; an old directory is moved aside")
    parser.add_argument("--target", dest="set", action="append", type=target, metavar="RUN",
                        help="run directory, of one sample or of an ensemble, or stage file: instead of the input's target")


def target(text: str) -> str:
    """The setting that a target stands for; relative to where the command is given, not to the input."""
    path = Path(text).resolve()
    if not path.exists():
        raise argparse.ArgumentTypeError(f"there is no {path}")
    return f"calibrate.target={{ runs = [{json.dumps(str(path))}] }}"


def check(config: Config) -> None:
    """Refuse inputs without the stage.

    Raises
    ------
    InputError
    """
    if not any(stage.kind == "calibrate" for stage in config.stage):
        raise InputError("the input has no stage `calibrate`; see inputs/calibrate.toml, or use `hpcglass run`")

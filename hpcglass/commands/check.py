"""Verify files of hpcglass, and directories with all runs in them: every byte, and that they belong together."""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hpcglass.errors import EXIT_DONE, EXIT_FILE, InputError

if TYPE_CHECKING:
    from hpcglass.io.share import Ranks

HELP = "whether files and runs are whole"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH",
                        help="files; directories of runs, ensembles or sweeps. Under mpirun the ranks share them")
    parser.add_argument("--reseal", action="store_true",
                        help="give a new seal to files that another program rewrote, if they hold what was written")


def main(options: argparse.Namespace, ranks: Ranks) -> int:
    ranks.first(lambda: _look(options))
    if options.reseal:
        return _reseal(ranks, options.paths)
    from hpcglass.rundir.whole import AGAIN, examine

    began = time.monotonic()
    found = examine(ranks.comm, options.paths)
    seconds = time.monotonic() - began
    if not found.files and not found.faults:
        raise InputError(f"{', '.join(map(str, options.paths))}: no file of hpcglass in it")
    advice = [f"in a run's directory: {AGAIN}"] if found.faults and any(path.is_dir() for path in options.paths) else []
    files = f"{found.files} file{'s' if found.files > 1 else ''}, {found.size / 1e6:.1f} MB in {seconds:.2g} s"
    ranks.say("\n".join([*found.faults, *advice, f"{files}: {len(found.faults) or 'nothing'} wrong"]))
    return EXIT_FILE if found.faults else EXIT_DONE


def _look(options: argparse.Namespace) -> str:
    for path in options.paths:
        if not path.exists():
            raise InputError(f"{path}: no such file or directory")
        if options.reseal and path.is_dir():
            raise InputError(f"{path}: --reseal takes files, not directories")
    return ""


def _reseal(ranks: Ranks, paths: list[Path]) -> int:
    from hpcglass.io.reseal import reseal

    for path in paths:
        ranks.say(f"{path}: {ranks.first(partial(reseal, path))}")
    return EXIT_DONE

"""Verify files of hpcglass, and directories with all runs in them: every byte, and that they belong together."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hpcglass.errors import EXIT_DONE, EXIT_FILE, InputError

HELP = "whether files and runs are whole"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH",
                        help="files; directories of runs, ensembles or sweeps. Under mpirun the ranks share them")
    parser.add_argument("--reseal", action="store_true",
                        help="give a new seal to files that another program rewrote, if they hold what was written")


def main(options: argparse.Namespace, world: Callable[[], Any]) -> int:
    comm = world()
    from hpcglass.io.agree import together
    from hpcglass.rundir.whole import AGAIN, examine

    with together(comm):
        for path in options.paths:
            if not path.exists():
                raise InputError(f"{path}: no such file or directory")
            if options.reseal and path.is_dir():
                raise InputError(f"{path}: --reseal takes files, not directories")
    if options.reseal:
        return _reseal(comm, options.paths)
    began = time.monotonic()
    found = examine(comm, options.paths)
    seconds = time.monotonic() - began
    if not found.files and not found.faults:
        raise InputError(f"{', '.join(map(str, options.paths))}: no file of hpcglass in it")
    if comm.rank == 0:
        advice = [f"in a run's directory: {AGAIN}"] if found.faults and any(path.is_dir() for path in options.paths) else []
        print("".join(f"{line}\n" for line in [*found.faults, *advice]), end="")
        files = f"{found.files} file{'s' if found.files > 1 else ''}, {found.size / 1e6:.1f} MB in {seconds:.2g} s"
        print(f"{files}: {len(found.faults) or 'nothing'} wrong", flush=True)
    return EXIT_FILE if found.faults else EXIT_DONE


def _reseal(comm: Any, paths: list[Path]) -> int:
    from hpcglass.io.agree import together
    from hpcglass.io.reseal import reseal

    with together(comm):
        for path in paths if comm.rank == 0 else []:
            print(f"{path}: {reseal(path)}", flush=True)
    return EXIT_DONE

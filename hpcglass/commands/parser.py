"""The options of every command."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

from hpcglass import __version__, launcher
from hpcglass.commands import (
    calibrate,
    check,
    collect,
    export,
    import_,
    info,
    listing,
    merge,
    plot,
    profile,
    report,
    screening,
    status,
    sweep,
    validate,
)
from hpcglass.commands.common import add_run
from hpcglass.commands.indicators import of_file, predict, softness
from hpcglass.config.suggest import did_you_mean
from hpcglass.errors import EXIT_INPUT

SHARED = ("plot", "profile", "collect", "merge", "screening", "predict", "softness", "check")      # whose files the ranks share
EPILOG = "exit codes: 0 done, 2 input, 3 physics, 4 files, 75 stopped on request after a checkpoint (run again to go on)"


class Parser(argparse.ArgumentParser):
    """argparse that says an error once for all ranks, and what was probably meant."""

    def error(self, message: str) -> NoReturn:
        choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if choice:
            known = re.findall(r"[\w-]+", choice[2])
            message = f"unknown command '{choice[1]}'{did_you_mean(choice[1], known)} (known: {', '.join(known)})"
        launcher.say(f"{self.format_usage()}{self.prog}: error: {message}")
        raise SystemExit(EXIT_INPUT)


def build() -> Parser:
    """The whole command line."""
    top = Parser(prog="hpcglass", description="Mechanics of model glasses on any number of ranks.", epilog=EPILOG)
    top.add_argument("--version", action="version", version=f"hpcglass {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    run = commands.add_parser("run", help="run an input file, or go on with a run", epilog=EPILOG,
                              description="Run the stages of an input file. The same command again goes on where it stopped.")
    add_run(run)
    run.add_argument("--fresh", action="store_true", help="start over; an old directory is moved aside")
    calibrate.add_options(commands.add_parser("calibrate", help=calibrate.HELP, description=calibrate.__doc__, epilog=EPILOG))
    for name, module in (("validate", validate), ("info", info), ("list", listing), ("status", status), ("sweep", sweep),
                         ("plot", plot), ("report", report), ("collect", collect), ("merge", merge), ("screening", screening),
                         ("indicators", of_file), ("predict", predict), ("softness", softness),
                         ("profile", profile), ("export", export), ("import", import_), ("check", check)):
        command = commands.add_parser(name, help=module.HELP, description=module.__doc__)
        module.add_options(command)
        command.set_defaults(main=module.main, needs_world=name in ("info", "export"), shared=name in SHARED)
    return top

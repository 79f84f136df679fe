"""One page of a run, an ensemble or a sweep, to look at in a browser and to send: it needs no network and no other file."""

from __future__ import annotations

import argparse
from pathlib import Path

from hpcglass import disk
from hpcglass.errors import EXIT_DONE, EXIT_FILE, FileError, InputError
from hpcglass.words import show

HELP = "a page of a run, an ensemble or a sweep"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, metavar="DIR", help="directory of a run, an ensemble, a sweep")
    parser.add_argument("-o", "--output", type=Path, metavar="PAGE.html", help="file to write (default: DIR/report.html)")


def main(options: argparse.Namespace) -> int:
    from hpcglass.analysis.report.gather import gather
    from hpcglass.analysis.report.page import page

    output = options.output or options.directory / "report.html"
    if output.suffix not in (".html", ".htm"):
        raise InputError(f"-o {output}: the name must end in .html")
    if not output.parent.is_dir():
        raise InputError(f"-o {output}: there is no directory {output.parent}")
    results = gather(options.directory)
    written = page(results)
    try:
        disk.write_text(output, written)
    except OSError as error:
        raise FileError(f"{output}: cannot be written: {error.strerror or error}") from None
    show(f"{output}: {results.kind}, {len(written.encode()) / 1e6:.2g} MB")
    for why in results.damaged:
        show(f"left out: {why}")
    return EXIT_FILE if results.damaged else EXIT_DONE

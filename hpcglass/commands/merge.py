"""Merge one stage of all samples of an ensemble into one file: distributions, fits of their tails, means, all with errors."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hpcglass.commands.common import add_look, look
from hpcglass.errors import InputError

if TYPE_CHECKING:
    from hpcglass.analysis.ensembles.collectors import Numbers
    from hpcglass.analysis.ensembles.merge import Ensemble, Found
    from hpcglass.analysis.figures.files import Look
    from hpcglass.analysis.open_run import Table
    from hpcglass.io.share import Answer, Ranks

HELP = "one stage of all samples of an ensemble"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directories", nargs="+", type=Path, metavar="DIR",
                        help="run directories, of single samples or ensembles (sample-0000, ... below)")
    parser.add_argument("--stage", required=True, metavar="LABEL", help="which stage, by label or kind")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.h5", help="file to write; figures go next to it")
    parser.add_argument("--no-plots", action="store_true", help="no figures")
    add_look(parser)


def main(options: argparse.Namespace, ranks: Ranks) -> int:
    if options.output.suffix != ".h5":
        raise InputError(f"-o {options.output}: the name must end in .h5")
    from hpcglass.analysis.ensembles.merge import Found, merge_files, stage_files

    how = look(options)
    found = Found(**json.loads(ranks.first(lambda: _look(options, stage_files))))
    share = partial(ranks.each, sizes=found.sizes)
    ensemble = merge_files(found, options.stage, share, ranks.rank, ranks.size)
    tables, numbers = ensemble.finish(ranks.of_all(ensemble.results))
    for why in ensemble.skipped:
        ranks.say(f"skipped: {why}")
    ranks.first(lambda: write(ensemble, tables, numbers, options.output, f"hpcglass merge of stage {options.stage}\n"))
    ranks.say(f"{options.output}: stage {options.stage} of {ensemble.samples} of "
              f"{ensemble.samples + len(ensemble.skipped)} samples")
    if not options.no_plots:
        draw(ranks, options.output, how)
    return 0


def draw(ranks: Ranks, path: Path, how: Look) -> None:
    """The figures of the merged file, each by one rank."""
    from hpcglass.analysis.figures.draw import drawings

    draws: list[Callable[[], list[Path]]] = []

    def read() -> Answer:
        draws.extend(drawings(path, look=how))
        return "", []

    ranks.of_all(read)
    for figure, _ in ranks.each(lambda one: ("\n".join(map(str, one())), []), draws):
        ranks.say(figure)


def _look(options: argparse.Namespace, stage_files: Callable[..., Found]) -> str:
    if not options.output.parent.is_dir():
        raise InputError(f"-o {options.output}: there is no directory {options.output.parent}")
    return json.dumps(asdict(stage_files(options.directories, options.stage)))


def write(ensemble: Ensemble, tables: dict[str, Table], numbers: Numbers, path: Path, what: str) -> str:
    """Write the merged file (one process): tables and numbers under /results, the sources in /provenance."""
    from mpi4py import MPI

    from hpcglass.io import h5, provenance
    from hpcglass.io.contents import Contents

    assert ensemble.first is not None
    contents = Contents()
    provenance.put(contents, MPI.COMM_SELF, what, ensemble.first.resolved, 0, [])
    contents.value("/provenance/sources", "\n".join(ensemble.sources), "", "files that were merged, and their seals")
    contents.value("/provenance/skipped", "\n".join(ensemble.skipped), "", "samples that were left out, and why")
    for name, table in tables.items():
        contents.table(f"/results/{name}", {column: (values, table.units[column], table.long_name[column])
                                            for column, values in table.items()}, next(iter(table), ""))
    for name, (value, units, long_name) in numbers.items():
        contents.value(f"/results/{name}", value, units, long_name)
    return h5.write(MPI.COMM_SELF, path, contents)

"""Merge one stage of all samples of an ensemble into one file: distributions, fits of their tails, means, all with errors."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hpcglass.commands.common import add_look, look
from hpcglass.errors import InputError
from hpcglass.words import show

if TYPE_CHECKING:
    from hpcglass.analysis.ensembles.merge import Ensemble

HELP = "one stage of all samples of an ensemble"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directories", nargs="+", type=Path, metavar="DIR",
                        help="run directories, of single samples or ensembles (sample-0000, ... below)")
    parser.add_argument("--stage", required=True, metavar="LABEL", help="which stage, by label or kind")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.h5", help="file to write; figures go next to it")
    parser.add_argument("--no-plots", action="store_true", help="no figures")
    add_look(parser)


def main(options: argparse.Namespace) -> int:
    if options.output.suffix != ".h5":
        raise InputError(f"-o {options.output}: the name must end in .h5")
    if not options.output.parent.is_dir():
        raise InputError(f"-o {options.output}: there is no directory {options.output.parent}")
    from hpcglass.analysis.ensembles.merge import merge

    how = look(options)
    ensemble = merge(options.directories, options.stage)
    for why in ensemble.skipped:
        show(f"skipped: {why}")
    write(ensemble, options.output, f"hpcglass merge of stage {options.stage}\n")
    show(f"{options.output}: stage {options.stage} of {ensemble.samples} of {ensemble.samples + len(ensemble.skipped)} samples")
    if not options.no_plots:
        from hpcglass.analysis.figures.draw import plot_stage_file

        for figure in plot_stage_file(options.output, look=how):
            show(figure)
    return 0


def write(ensemble: Ensemble, path: Path, what: str) -> None:
    """Write the merged file (one process): tables and numbers under /results, the sources in /provenance."""
    from mpi4py import MPI

    from hpcglass.io import h5, provenance
    from hpcglass.io.contents import Contents

    assert ensemble.first is not None
    contents = Contents()
    provenance.put(contents, MPI.COMM_SELF, what, ensemble.first.resolved, 0, [])
    contents.value("/provenance/sources", "\n".join(ensemble.sources), "", "files that were merged, and their seals")
    contents.value("/provenance/skipped", "\n".join(ensemble.skipped), "", "samples that were left out, and why")
    tables, numbers = ensemble.finish()
    for name, table in tables.items():
        contents.table(f"/results/{name}", {column: (values, table.units[column], table.long_name[column])
                                            for column, values in table.items()}, next(iter(table), ""))
    for name, (value, units, long_name) in numbers.items():
        contents.value(f"/results/{name}", value, units, long_name)
    h5.write(MPI.COMM_SELF, path, contents)

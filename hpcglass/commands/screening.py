"""Is the response to an inflated core screened? Fit of kappa to displacement fields, of stage files or experiments."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hpcglass import disk
from hpcglass.commands.common import add_look, look
from hpcglass.errors import InputError
from hpcglass.words import show

if TYPE_CHECKING:
    from hpcglass.analysis.open_run import Table
    from hpcglass.analysis.screening.files import Case
    from hpcglass.analysis.screening.tables import Found

HELP = "screened or elastic: displacement around an inflated core"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH",
                        help="directories of runs, ensembles or sweeps; stage files; or HDF5, .npz or text with positions and "
                             "displacements: x y [z] ux uy [uz]")
    parser.add_argument("--bins", type=int, default=40, metavar="N", help="radial bins (default: 40)")
    parser.add_argument("--kappa-max", type=float, metavar="KAPPA", help="largest kappa (default: a wave has four bins)")
    parser.add_argument("--centre", type=float, nargs="+", metavar="X", help="centre of the walls, if the file does not say it")
    parser.add_argument("--r-in", type=float, metavar="R", help="radius of the inner wall before inflation")
    parser.add_argument("--r-out", type=float, metavar="R", help="radius of the outer wall")
    parser.add_argument("--d0", type=float, metavar="D", help="displacement of the inner wall")
    parser.add_argument("--medium", type=float, nargs=3, metavar=("K", "MU", "P"),
                        help="bulk modulus, shear modulus, pressure: energy of an elastic medium, to compare with")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help="tables of all fields and of groups, .csv or .h5")
    parser.add_argument("--plot", action="store_true", help="figures of each field and of all, next to OUT or to the first file")
    add_look(parser)


def main(options: argparse.Namespace) -> int:
    if options.output is not None and options.output.suffix not in (".csv", ".h5"):
        raise InputError(f"-o {options.output}: the name must end in .csv or .h5")
    if options.output is not None and not options.output.parent.is_dir():
        raise InputError(f"-o {options.output}: there is no directory {options.output.parent}")
    if options.bins < 4:
        raise InputError(f"--bins {options.bins}: at least 4 are needed")
    how = look(options)
    from hpcglass.analysis.screening.files import find_files, read_cases
    from hpcglass.analysis.screening.tables import describe, groups, statistics, summary

    given = {"centre": options.centre, "r_in": options.r_in, "r_out": options.r_out, "d_0": options.d0}
    files = find_files(options.paths)
    found = [_fit(case, options) for path in files for case in read_cases(path, **given)]
    table = summary(found, options.medium)
    together = groups(table)
    if len(found) > 1:
        show(describe(together))
        for value, text in statistics(table).values():
            show(f"{text}: {value:.4g}")
    if options.output is not None:
        cases = [case for case, *_ in found]
        for written in (_write_csv if options.output.suffix == ".csv" else _write_h5)(options.output, table, together, cases):
            show(written)
    if options.plot:
        from hpcglass.analysis.screening.figures import draw_all

        for figure in draw_all(found, table, together, options.output or files[0], how):
            show(figure)
    return 0


def _fit(case: Case, options: argparse.Namespace) -> Found:
    """One field, and a line about it."""
    from hpcglass.analysis.screening.fit import fit_screening, measure_deviation
    from hpcglass.analysis.screening.radial import radial_profile

    profile = radial_profile(case.position, case.displacement, case.centre, case.annulus, options.bins)
    fit, deviation = fit_screening(profile, options.kappa_max), measure_deviation(profile)
    show(f"{case.path}: d_0 {case.annulus.d_0:.4g}, {'screened' if fit.screened else 'elastic'} (delta {fit.delta:.1f}), "
         f"kappa {fit.kappa:.4g} [{fit.low:.4g}, {fit.high:.4g}], M {deviation.signed:.3g} +- {deviation.signed_error:.1g}, "
         f"|M| {deviation.absolute:.3g}{f'; {fit.elastic_amplitude:.3g} times elastic fits better' if fit.scaled else ''}")
    return case, profile, fit, deviation


def _write_csv(path: Path, table: Table, together: Table, cases: Sequence[Case]) -> list[Path]:
    """One file of all fields, one of the groups beside it."""
    beside = path.with_name(f"{path.stem}-groups.csv")
    names = [str(case.path) for case in cases]
    for place, rows, first in ((path, table, {"file": names}), (beside, together, {})):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*first, *rows])
        for k in range(rows.rows):
            writer.writerow([*(column[k] for column in first.values()), *(f"{column[k]:.10g}" for column in rows.values())])
        disk.write_text(place, text.getvalue())
    return [path, beside]


def _write_h5(path: Path, table: Table, together: Table, cases: Sequence[Case]) -> list[Path]:
    """Tables and statistics under /results, the files in /provenance (one process)."""
    from mpi4py import MPI

    from hpcglass.analysis.screening.tables import statistics
    from hpcglass.io import h5, provenance
    from hpcglass.io.contents import Contents

    contents = Contents()
    provenance.put(contents, MPI.COMM_SELF, "hpcglass screening\n", "", 0, [])
    contents.value("/provenance/sources", "\n".join(str(case.path) for case in cases), "", "files, in the order of the rows")
    for group, rows in (("screening", table), ("groups", together)):
        contents.table(f"/results/{group}", {name: (values, rows.units[name], rows.long_name[name])
                                             for name, values in rows.items()})
    for name, (value, text) in statistics(table).items():
        contents.value(f"/results/{name}", value, "", text)
    h5.write(MPI.COMM_SELF, path, contents)
    return [path]

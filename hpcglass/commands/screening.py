"""Is the response to an inflated core screened? Fit of kappa to displacement fields, of stage files or experiments."""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from hpcglass.errors import InputError

if TYPE_CHECKING:
    from hpcglass.analysis.open_run import Table

HELP = "screened or elastic: displacement around an inflated core"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE",
                        help="stage files; or HDF5, .npz or text with positions and displacements: x y [z] ux uy [uz]")
    parser.add_argument("--bins", type=int, default=40, metavar="N", help="radial bins (default: 40)")
    parser.add_argument("--kappa-max", type=float, metavar="KAPPA", help="largest kappa (default: a wave has four bins)")
    parser.add_argument("--centre", type=float, nargs="+", metavar="X", help="centre of the walls, if the file does not say it")
    parser.add_argument("--r-in", type=float, metavar="R", help="radius of the inner wall before inflation")
    parser.add_argument("--r-out", type=float, metavar="R", help="radius of the outer wall")
    parser.add_argument("--d0", type=float, metavar="D", help="displacement of the inner wall")
    parser.add_argument("--medium", type=float, nargs=3, metavar=("K", "MU", "P"),
                        help="bulk modulus, shear modulus, pressure: splits the change of energy")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help="table of all files, .csv or .h5")
    parser.add_argument("--plot", action="store_true", help="figures, next to OUT or to the first file")


def main(options: argparse.Namespace) -> int:
    if options.output is not None and options.output.suffix not in (".csv", ".h5"):
        raise InputError(f"-o {options.output}: the name must end in .csv or .h5")
    if options.output is not None and not options.output.parent.is_dir():
        raise InputError(f"-o {options.output}: there is no directory {options.output.parent}")
    if options.bins < 4:
        raise InputError(f"--bins {options.bins}: at least 4 are needed")
    from hpcglass.analysis.radial import radial_profile
    from hpcglass.analysis.screening import fit_screening, measure_deviation
    from hpcglass.analysis.screening_files import read_case, statistics, summary

    found = []
    for path in options.files:
        case = read_case(path, centre=options.centre, r_in=options.r_in, r_out=options.r_out, d_0=options.d0)
        profile = radial_profile(case.position, case.displacement, case.centre, case.annulus, options.bins)
        fit = fit_screening(profile, options.kappa_max)
        found.append((case, profile, fit, measure_deviation(profile)))
        M = found[-1][3]
        print(f"{path}: {'screened' if fit.screened else 'elastic'} (delta {fit.delta:.1f}), kappa {fit.kappa:.4g} "
              f"[{fit.low:.4g}, {fit.high:.4g}], M {M.signed:.3g} +- {M.signed_error:.1g}, |M| {M.absolute:.3g}", flush=True)
    table = summary(found, options.medium)
    if len(found) > 1:
        for value, text in statistics(table).values():
            print(f"{text}: {value:.4g}")
    if options.output is not None:
        (_write_csv if options.output.suffix == ".csv" else _write_h5)(options.output, table, options.files)
        print(options.output)
    if options.plot:
        from hpcglass.analysis.screening_figures import draw_all

        for figure in draw_all(found, table, options.output or options.files[0]):
            print(figure)
    return 0


def _write_csv(path: Path, table: Table, files: list[Path]) -> None:
    from hpcglass.io import h5

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", *table])
    for k, name in enumerate(files):
        writer.writerow([name, *(f"{column[k]:.10g}" for column in table.values())])
    h5.write_text(path, text.getvalue())


def _write_h5(path: Path, table: Table, files: list[Path]) -> None:
    """Table and statistics under /results, the files in /provenance (one process)."""
    from mpi4py import MPI

    from hpcglass.analysis.screening_files import statistics
    from hpcglass.io import h5, provenance
    from hpcglass.io.contents import Contents

    contents = Contents()
    provenance.put(contents, MPI.COMM_SELF, "hpcglass screening\n", "", 0, [])
    contents.value("/provenance/sources", "\n".join(map(str, files)), "", "files, in the order of the rows")
    contents.attribute("/results/screening", columns="\n".join(table))
    for name, values in table.items():
        contents.value(f"/results/screening/{name}", values, table.units[name], table.long_name[name])
    for name, (value, text) in statistics(table).items():
        contents.value(f"/results/{name}", value, "", text)
    h5.write(MPI.COMM_SELF, path, contents)

"""Is the response to an inflated core screened? Fit of kappa to displacement fields, of stage files or experiments."""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hpcglass import disk
from hpcglass.commands.common import add_look, add_number, look
from hpcglass.errors import InputError

if TYPE_CHECKING:
    from hpcglass.analysis.figures.files import Look
    from hpcglass.analysis.open_run import Table
    from hpcglass.analysis.screening.files import Case
    from hpcglass.analysis.screening.tables import Found
    from hpcglass.io.share import Answer, Ranks

HELP = "screened or elastic: displacement around an inflated core"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH",
                        help="directories of runs, ensembles or sweeps; stage files; or HDF5, .npz or text with positions and "
                             "displacements: x y [z] ux uy [uz]")
    add_number(parser, "--bins", int, least=4, most=10_000, default=40, metavar="N", help="radial bins (default: 40)")
    add_number(parser, "--kappa-max", float, above=0.0, metavar="KAPPA", help="largest kappa (default: a wave has four bins)")
    add_number(parser, "--centre", float, nargs="+", metavar="X", help="centre of the walls, if the file does not say it")
    add_number(parser, "--r-in", float, above=0.0, metavar="R", help="radius of the inner wall before inflation")
    add_number(parser, "--r-out", float, above=0.0, metavar="R", help="radius of the outer wall")
    add_number(parser, "--d0", float, metavar="D", help="displacement of the inner wall")
    add_number(parser, "--medium", float, nargs=3, metavar=("K", "MU", "P"),
                        help="bulk modulus, shear modulus, pressure: energy of an elastic medium, to compare with")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help="tables of all fields and of groups, .csv or .h5")
    parser.add_argument("--plot", action="store_true", help="figures of each field and of all, next to OUT or to the first file")
    add_look(parser)


def main(options: argparse.Namespace, ranks: Ranks) -> int:
    if options.output is not None and options.output.suffix not in (".csv", ".h5"):
        raise InputError(f"-o {options.output}: the name must end in .csv or .h5")
    how = look(options)
    from hpcglass.analysis.screening.files import read_cases
    from hpcglass.analysis.screening.packed import pack, unpack
    from hpcglass.analysis.screening.tables import describe, groups, statistics, summary

    given = {"centre": options.centre, "r_in": options.r_in, "r_out": options.r_out, "d_0": options.d0}
    files, sizes = json.loads(ranks.first(lambda: _look(options)))
    kept: dict[tuple[Path, int], Found] = {}         # fields that this rank has read

    def work(path: str) -> Answer:
        mine = [_fit(case, options) for case in read_cases(path, **given)]
        if options.plot:
            kept.update({(one[0].path, one[0].number): one for one in mine})
        return pack(mine)

    found: list[Found] = []
    for answer in ranks.each(work, files, sizes):
        more = unpack(*answer)
        for one in more:
            ranks.say(_line(one))
        found += more
    table = summary(found, options.medium)
    together = groups(table)
    if len(found) > 1:
        ranks.say(describe(together))
        for value, text in statistics(table).values():
            ranks.say(f"{text}: {value:.4g}")
    if options.output is not None:
        write = _write_csv if options.output.suffix == ".csv" else _write_h5
        ranks.say(ranks.first(lambda: write(options.output, table, together, [case for case, *_ in found])))
    if options.plot:
        _draw(ranks, found, kept, options.output or Path(files[0]), table, together, how)
    return 0


def _look(options: argparse.Namespace) -> str:
    """Files to read and their sizes, in JSON."""
    from hpcglass.analysis.screening.files import find_files

    if options.output is not None and not options.output.parent.is_dir():
        raise InputError(f"-o {options.output}: there is no directory {options.output.parent}")
    files = find_files(options.paths)
    return json.dumps([[str(path) for path in files], [path.stat().st_size if path.is_file() else 0 for path in files]])


def _fit(case: Case, options: argparse.Namespace) -> Found:
    """What is found in one field."""
    from hpcglass.analysis.screening.fit import fit_screening, measure_deviation
    from hpcglass.analysis.screening.radial import radial_profile

    profile = radial_profile(case.position, case.displacement, case.centre, case.annulus, options.bins)
    return case, profile, fit_screening(profile, options.kappa_max), measure_deviation(profile)


def _line(one: Found) -> str:
    """The same in words."""
    case, _, fit, deviation = one
    return (f"{case.path}: d_0 {case.annulus.d_0:.4g}, {'screened' if fit.screened else 'elastic'} (delta {fit.delta:.1f}), "
            f"kappa {fit.kappa:.4g} [{fit.low:.4g}, {fit.high:.4g}], M {deviation.signed:.3g} +- {deviation.signed_error:.1g}, "
            f"|M| {deviation.absolute:.3g}{f'; {fit.elastic_amplitude:.3g} times elastic fits better' if fit.scaled else ''}")


def _draw(ranks: Ranks, found: Sequence[Found], kept: dict[tuple[Path, int], Found], place: Path, table: Table,
          together: Table, how: Look) -> None:
    """Figures of each field by the rank that has it, those of all by one."""
    from hpcglass.analysis.screening.figures import draw_field, draw_together, figure_names

    paths = [case.path for case, *_ in found]
    names = figure_names(paths, place)

    def mine() -> Answer:
        here = [(k, kept[key]) for k, (case, *_) in enumerate(found) if (key := (case.path, case.number)) in kept]
        return json.dumps([[k, "\n".join(map(str, draw_field(one, names[k], place, how)))] for k, one in here]), []

    for _, figures in sorted(one for text, _ in ranks.of_all(mine) for one in json.loads(text)):
        ranks.say(figures)
    if figures := ranks.first(lambda: "\n".join(map(str, draw_together(table, together, paths, place, how)))):
        ranks.say(figures)


def _write_csv(path: Path, table: Table, together: Table, cases: Sequence[Case]) -> str:
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
    return f"{path}\n{beside}"


def _write_h5(path: Path, table: Table, together: Table, cases: Sequence[Case]) -> str:
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
    return str(path)

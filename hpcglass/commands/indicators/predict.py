"""Who yields first? Scores of structural indicators: how soft each called the particles at which located events began."""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcglass import disk
from hpcglass.commands.common import add_look, add_number, look
from hpcglass.commands.merge import draw
from hpcglass.errors import FileError, InputError
from hpcglass.words import measured

if TYPE_CHECKING:
    from hpcglass.analysis.open_run import Table
    from hpcglass.analysis.prediction.forecasts import Forecasts
    from hpcglass.analysis.prediction.groups import Group
    from hpcglass.io.share import Answer, Ranks

HELP = "scores of structural indicators against located events"
SAMPLE = re.compile(r"sample-\d{4,}")
TEXTS = {"group": "groups", "row": "indicators", "indicator": "distributed"}       # columns that number these


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN",
                        help="directories of runs, ensembles or sweeps with a stage indicators and a located loading")
    parser.add_argument("--stage", default="indicators", metavar="LABEL", help="stage with the indicators (default: indicators)")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.h5", help="all tables; figures go next to it")
    parser.add_argument("--csv", type=Path, metavar="NAME", help="all tables as NAME-first.csv, NAME-strain.csv, ...")
    add_number(parser, "--least-energy", float, least=0.0, default=0.0, metavar="E",
                        help="say everything once more of the events that dissipate at least so much")
    add_number(parser, "--bins", int, least=1, most=10_000, default=12, metavar="N", help="bins of strain (default: 12)")
    parser.add_argument("--distributions", default="theta,delta_tau_y", metavar="NAMES",
                        help="indicators whose distributions are wanted (default: theta,delta_tau_y, where they are)")
    parser.add_argument("--no-plots", action="store_true", help="no figures")
    add_look(parser)


def main(options: argparse.Namespace, ranks: Ranks) -> int:
    _check(options)
    how = look(options)
    from hpcglass.analysis.prediction.forecasts import forecasts
    from hpcglass.analysis.prediction.groups import tables
    from hpcglass.analysis.prediction.packed import pack, unpack

    cases = json.loads(ranks.first(lambda: _look(options)))

    def read(case: Any) -> Answer:
        try:
            return pack(forecasts(case[2], options.stage))
        except (InputError, FileError) as error:
            return pack(str(error))

    found = [unpack(*answer) for answer in ranks.each(read, cases)]
    groups = _grouped(cases, found)
    for why in found:
        if isinstance(why, str):
            ranks.say(f"skipped: {why}")
    if not groups:
        raise InputError("there is no sample with indicators and located events")
    energies = [0.0, *([options.least_energy] if options.least_energy else [])]
    made = tables(groups, energies, options.bins)
    texts = {"groups": [group.name for group in groups], "indicators": groups[0].samples[0].names}
    more, texts["distributed"] = _distributions(options, ranks, groups)
    made |= more
    ranks.say("\n".join(_lines(groups, made, energies)))
    ranks.say(ranks.first(lambda: "\n".join(_write(options, made, texts, groups))))
    if options.output is not None and not options.no_plots:
        draw(ranks, options.output, how)
    return 0


def _check(options: argparse.Namespace) -> None:
    if options.output is not None and options.output.suffix != ".h5":
        raise InputError(f"-o {options.output}: the name must end in .h5")
    from hpcglass.indicators.catalogue import INDICATORS, chosen

    for name in filter(None, options.distributions.split(",")):
        if name not in INDICATORS:
            chosen([name], 2)       # says which there are
            raise InputError(f"--distributions {name}: is a family; name its members")


def _look(options: argparse.Namespace) -> str:
    """[group's name, values of its parameters, directory] of each sample, in JSON."""
    from hpcglass.analysis.open_run import Run
    from hpcglass.results.opening import open_results
    from hpcglass.results.sweep import Sweep

    for place in (options.output, options.csv):
        if place is not None and not place.parent.is_dir():
            raise InputError(f"{place}: there is no directory {place.parent}")
    cases, named = [], preparations(options.runs)
    for directory in options.runs:
        opened = open_results(directory)
        if not isinstance(opened, Run | Sweep):
            raise InputError(f"{directory}: is a file; give the directory of runs")
        for case in opened.cases:
            told = [f"{name} = {value}" if name != "directory" else str(value) for name, value in case.values.items()]
            name = ", ".join([named[directory]] * (len(set(named.values())) > 1 or not told) + told)
            numbers = {key: float(value) for key, value in case.values.items() if not isinstance(value, str)}
            cases.append([name, numbers, str(case.directory)])
    return json.dumps(cases)


def preparations(directories: Sequence[Path]) -> dict[Path, str]:
    """What the preparations are called: by directory, samples by that of their ensemble; with the way to it where two are
    alike."""
    places = {directory: (directory.absolute().parent if SAMPLE.fullmatch(directory.name) else directory.absolute())
              for directory in directories}
    ends = Counter(place.name for place in set(places.values()))
    return {directory: place.name if ends[place.name] == 1 else str(place) for directory, place in places.items()}


def _grouped(cases: Sequence[Any], found: Sequence[Forecasts | str]) -> list[Group]:
    """Samples of the same name together, in order."""
    from hpcglass.analysis.prediction.groups import Group

    groups: dict[str, Group] = {}
    for (name, values, _), sample in zip(cases, found, strict=True):
        if not isinstance(sample, str):
            groups.setdefault(name, Group(name, values, [])).samples.append(sample)
    return list(groups.values())


def _distributions(options: argparse.Namespace, ranks: Ranks, groups: Sequence[Group]) -> tuple[dict[str, Table], list[str]]:
    """The table of distributions, and the names in it; each file is read twice more for that."""
    import numpy as np

    from hpcglass.analysis.prediction import spread
    from hpcglass.analysis.prediction.groups import NAMES
    from hpcglass.analysis.prediction.scores import joined

    names = [name for name in options.distributions.split(",") if name in groups[0].samples[0].names]
    paths = [sample.path for group in groups for sample in group.samples]
    if not names:
        return {}, []
    ends = np.array([array for _, (array,) in ranks.each(lambda path: ("", [spread.extent(path, options.stage, names)]), paths)])
    lowest = np.where(np.isnan(ends[:, :, 0]), np.inf, ends[:, :, 0]).min(axis=0)
    highest = np.where(np.isnan(ends[:, :, 1]), -np.inf, ends[:, :, 1]).max(axis=0)
    ranges = np.stack([lowest, highest], axis=1)
    answers = [(strain, density) for _, (strain, density) in ranks.each(
        lambda path: ("", list(spread.shares(path, options.stage, names, ranges))), paths)]
    rows, place = [], 0
    for g, group in enumerate(groups):
        part, place = answers[place: place + len(group.samples)], place + len(group.samples)
        rows += [{"group": g, **row} for row in spread.distribution(part, ranges)]
    return ({"distribution": joined(rows, {}, NAMES)} if rows else {}), names


def _lines(groups: Sequence[Group], made: dict[str, Table], energies: Sequence[float]) -> list[str]:
    """The table of scores of the first event, the best first."""
    from hpcglass.indicators.catalogue import INDICATORS

    lines = []
    for g, group in enumerate(groups):
        for least in energies:
            table = made.get("first")
            rows = [k for k, key in enumerate(zip(table["group"], table["least_energy"], table["kind"], strict=True))
                    if key == (g, least, 0)] if table is not None else []
            what = f" of at least {least:g}" * (least > 0)
            lines.append(f"{group.name}: {len(group.samples)} sample{'s' * (len(group.samples) != 1)}" + ("" if rows else
                         f", no first event{what} with indicators of the glass as cast"))
            for k in rows:
                assert table is not None
                lines[-1] += (f", first event{what} in {table['samples'][k]:.0f} of them, at strain "
                              f"{measured(table['strain'][k], table['strain_error'][k], ' +- ')}; C = 2 <r> - 1:")
                found = sorted(((float(table[f"C_{name}"][k]), float(table[f"error_{name}"][k]), name)
                                for name in group.samples[0].names if math.isfinite(table[f"C_{name}"][k])), reverse=True)
                lines += [f"  {INDICATORS[name].symbol:5} {name:18} {score:6.3f}{told(wrong)}" for score, wrong, name in found]
    return lines


def told(wrong: float) -> str:
    """The error of a score in words; nothing of a single sample."""
    return f" +- {wrong:.3f}" if math.isfinite(wrong) else ""


def _write(options: argparse.Namespace, made: dict[str, Table], texts: dict[str, list[str]], groups: Sequence[Group]
           ) -> list[str]:
    """Write the tables (one process); names of the files."""
    written = []
    if options.output is not None:
        _write_h5(options.output, made, texts, groups)
        written.append(str(options.output))
    if options.csv is not None:
        for name, table in made.items():
            path = options.csv.with_name(f"{options.csv.name}-{name}.csv")
            disk.write_text(path, _csv(table, texts))
            written.append(str(path))
    return written


def _csv(table: Table, texts: dict[str, list[str]]) -> str:
    """Numbers of preparations and indicators are their names here."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    for k in range(table.rows):
        writer.writerow([texts[TEXTS[column]][int(values[k])] if column in TEXTS else f"{values[k]:.10g}"
                         for column, values in table.items()])
    return text.getvalue()


def _write_h5(path: Path, made: dict[str, Table], texts: dict[str, list[str]], groups: Sequence[Group]) -> None:
    """Tables and names under /results, the samples in /provenance."""
    from mpi4py import MPI

    from hpcglass.io import h5, provenance
    from hpcglass.io.contents import Contents

    contents = Contents()
    provenance.put(contents, MPI.COMM_SELF, "hpcglass predict\n", "", 0, [])
    contents.value("/provenance/sources", "\n".join(one.path for group in groups for one in group.samples), "",
                   "directories of the samples, by preparation")
    for name, table in made.items():
        contents.table(f"/results/prediction_{name}", {column: (values, table.units[column], table.long_name[column])
                                                       for column, values in table.items()}, next(iter(table), ""))
    for name, words in texts.items():
        contents.value(f"/results/{name}", "\n".join(words), "", f"names, a line each, which the tables' column "
                       f"`{next(column for column, told in TEXTS.items() if told == name)}` numbers from 0")
    h5.write(MPI.COMM_SELF, path, contents)

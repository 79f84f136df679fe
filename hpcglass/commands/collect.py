"""Collect the tables of all runs below a directory: one per stage, with the parameters and the sample of each row."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcglass import disk
from hpcglass.errors import FileError, InputError

if TYPE_CHECKING:
    from hpcglass.analysis.collect.cases import Cases
    from hpcglass.analysis.collect.rows import Tables
    from hpcglass.analysis.open_run import Run
    from hpcglass.analysis.tables import Table
    from hpcglass.io.share import Ranks
    from hpcglass.results.sweep import Sweep

HELP = "one table per stage over a sweep or an ensemble"
ENDINGS = (".h5", ".csv", ".parquet", ".nc")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, metavar="DIR", help="of a sweep, an ensemble or a run, or a directory of such")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help=f"file to write, {', '.join(ENDINGS)} (default: "
                        "DIR/collected.h5); several tables make several files OUT-STAGE-TABLE.csv or .parquet")
    parser.add_argument("--stage", metavar="LABEL", help="this stage only, by label or kind")
    parser.add_argument("--table", metavar="NAME", help="this table only; `results` has the numbers of each run in a row")


def main(options: argparse.Namespace, ranks: Ranks) -> int:
    from hpcglass.analysis.collect import rows

    opened: list[Run | Sweep] = []            # of rank 0, which writes
    cases = json.loads(ranks.first(lambda: look(options, opened)))
    skipped: list[str] = []
    parts = rows.read([(labels, Path(directory)) for labels, directory in cases], options.stage, options.table, skipped,
                      ranks.each) if cases is not None else []
    ranks.say(ranks.first(lambda: finish(options, opened[0], parts, skipped)))
    return 0


def look(options: argparse.Namespace, opened: list[Run | Sweep]) -> str:
    """Labels and directory of each run, in JSON; null if they are not to be read here."""
    from hpcglass.analysis.open_run import Run
    from hpcglass.results.opening import open_results
    from hpcglass.results.sweep import Sweep

    checked(place(options))
    found = open_results(options.directory)
    if not isinstance(found, Run | Sweep):
        raise InputError(f"{options.directory}: is a file; give the directory of runs")
    opened.append(found)
    every = [(case.labels, str(case.directory)) for case in found.cases]
    return json.dumps(every if place(options).suffix != ".nc" else None)


def finish(options: argparse.Namespace, found: Run | Sweep, parts: Sequence[tuple[Any, Tables]], skipped: list[str]) -> str:
    """Write what was read (one process); what to say about it."""
    output, missing = place(options), unfinished(found)
    if output.suffix == ".nc":
        files = {write_nc(found, output, options.stage, options.table): "dimensions are the parameters and the sample"}
    else:
        files = write(joined(found, parts, options, skipped), output, options.directory, skipped, missing)
    runs = len(found.cases)
    return "\n".join([*(f"{path}: {what}" for path, what in files.items()),
                      f"{runs - len(skipped)} of {runs} run{'s' * (runs != 1)}",
                      *(f"skipped: {why}" for why in skipped), *(f"not done: {why}" for why in missing)])


def place(options: argparse.Namespace) -> Path:
    """The file to write."""
    return Path(options.output or options.directory / "collected.h5")


def checked(output: Path) -> Path:
    """Raise InputError unless a file of such a name can be written."""
    if output.suffix not in ENDINGS:
        raise InputError(f"-o {output}: the name must end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}")
    if not output.parent.is_dir():
        raise InputError(f"-o {output}: there is no directory {output.parent}")
    return output


def joined(found: Run | Sweep, parts: Sequence[tuple[Any, Tables]], options: argparse.Namespace, skipped: list[str]) -> Tables:
    """"stage/table" -> its rows over all runs.

    Raises
    ------
    InputError
        There is no such table.
    FileError
        No file could be read.
    """
    from hpcglass.analysis.collect.rows import join

    tables = join(parts)
    if not parts and skipped:
        raise FileError("no file could be read:\n  " + "\n  ".join(skipped))
    if not tables:
        raise InputError(found.no_such(options.table, options.stage))
    return tables


def unfinished(found: Run | Sweep) -> list[str]:
    """Tasks that are not done, and how far they are."""
    from hpcglass.results.sweep import Sweep, Task

    tasks = found.tasks if isinstance(found, Sweep) else [Task({}, found.directory)]
    return [f"{task.name}: {task.status}" for task in tasks if task.state != "done"]


def write(tables: Tables, output: Path, source: Path, skipped: list[str], missing: list[str]) -> dict[Path, str]:
    """Write the tables; what each file has."""
    said = {key: f"{table.rows} rows of {key}" for key, table in tables.items()}
    if output.suffix == ".h5":
        write_h5(tables, output, source, skipped, missing)
        return {output: ", ".join(said.values())}
    files = {}
    for key, table in tables.items():
        path = output if len(tables) == 1 else output.with_stem(f"{output.stem}-{key.replace('/', '-')}")
        (write_csv if output.suffix == ".csv" else write_parquet)(table, path)
        files[path] = said[key]
    return files


def write_h5(tables: Tables, path: Path, source: Path, skipped: list[str], missing: list[str]) -> None:
    """A file of ours (one process): /results/<stage>/<table>/<column>."""
    from mpi4py import MPI

    from hpcglass.analysis.collect.rows import MARK
    from hpcglass.io import h5, provenance
    from hpcglass.io.contents import Contents

    contents = Contents()
    provenance.put(contents, MPI.COMM_SELF, "hpcglass collect\n", "", 0, [])
    contents.value(MARK, str(source), "", "directory that was collected")
    contents.value("/provenance/skipped", "\n".join(skipped), "", "files that were left out, and why")
    contents.value("/provenance/missing", "\n".join(missing), "", "tasks that were not done")
    for key, table in tables.items():
        contents.table(f"/results/{key}", {name: (_stored(values), table.units.get(name, ""), table.long_name.get(name, name))
                                           for name, values in table.items()})
    h5.write(MPI.COMM_SELF, path, contents)


def _stored(values: Any) -> Any:
    """Texts as UTF-8 of fixed length."""
    import numpy as np

    return np.char.encode(values, "utf-8") if values.dtype.kind == "U" else values


def write_csv(table: Table, path: Path) -> None:
    """A line of names, then a line per row, with all digits."""
    with disk.replacing(path) as new, open(new, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table)
        writer.writerows(zip(*(values.tolist() for values in table.values()), strict=True))


def write_parquet(table: Table, path: Path) -> None:
    """By pandas."""
    from hpcglass.analysis.extras import need

    need("pyarrow", "a Parquet file")
    frame = table.to_dataframe()
    with disk.replacing(path) as new:
        frame.to_parquet(new)


def write_nc(found: Cases, path: Path, stage: str | None, table: str | None) -> Path:
    """By xarray: a group for each table."""
    from hpcglass.analysis.extras import need

    need("h5netcdf", "a netCDF file")
    data = found.to_xarray(table, stage)
    with disk.replacing(path) as new:
        data.to_netcdf(new, engine="h5netcdf")
    return path

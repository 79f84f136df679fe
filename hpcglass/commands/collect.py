"""Collect the tables of all runs below a directory: one per stage, with the parameters and the sample of each row."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcglass import disk, launcher
from hpcglass.errors import FileError, InputError
from hpcglass.words import show

if TYPE_CHECKING:
    from hpcglass.analysis.collect.cases import Cases
    from hpcglass.analysis.collect.rows import Tables
    from hpcglass.analysis.open_run import Run
    from hpcglass.analysis.tables import Table
    from hpcglass.results.sweep import Sweep

HELP = "one table per stage over a sweep or an ensemble"
ENDINGS = (".h5", ".csv", ".parquet", ".nc")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, metavar="DIR", help="of a sweep, an ensemble or a run, or a directory of such")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help=f"file to write, {', '.join(ENDINGS)} (default: "
                        "DIR/collected.h5); several tables make several files OUT-STAGE-TABLE.csv or .parquet")
    parser.add_argument("--stage", metavar="LABEL", help="this stage only, by label or kind")
    parser.add_argument("--table", metavar="NAME", help="this table only; `results` has the numbers of each run in a row")


def main(options: argparse.Namespace, world: Callable[[], Any]) -> int:
    output = checked(options.output or options.directory / "collected.h5")
    if launcher.tasks() > 1 and world().rank:       # the others wait at the end of MPI for the one that works
        return 0
    from hpcglass.analysis.open_run import Run
    from hpcglass.results.opening import open_results
    from hpcglass.results.sweep import Sweep

    found = open_results(options.directory)
    if not isinstance(found, Run | Sweep):
        raise InputError(f"{options.directory}: is a file; give the directory of runs")
    missing = unfinished(found)
    if output.suffix == ".nc":
        skipped: list[str] = []
        files = {write_nc(found, output, options.stage, options.table): "dimensions are the parameters and the sample"}
    else:
        tables, skipped = collect(found, options.stage, options.table)
        files = write(tables, output, options.directory, skipped, missing)
    for path, what in files.items():
        show(f"{path}: {what}")
    runs = len(found.cases)
    show(f"{runs - len(skipped)} of {runs} run{'s' * (runs != 1)}")
    for line in (*(f"skipped: {why}" for why in skipped), *(f"not done: {why}" for why in missing)):
        show(line)
    return 0


def checked(output: Path) -> Path:
    """Raise InputError unless a file of such a name can be written."""
    if output.suffix not in ENDINGS:
        raise InputError(f"-o {output}: the name must end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}")
    if not output.parent.is_dir():
        raise InputError(f"-o {output}: there is no directory {output.parent}")
    return output


def collect(found: Cases, stage: str | None, table: str | None) -> tuple[Tables, list[str]]:
    """"stage/table" -> its rows over all runs; and which files were damaged.

    Raises
    ------
    InputError
        There is no such table.
    FileError
        No file could be read.
    """
    skipped: list[str] = []
    tables = found.rows(table, stage, skipped)
    if not tables and skipped:
        raise FileError("no file could be read:\n  " + "\n  ".join(skipped))
    if not tables:
        raise InputError(found.no_such(table, stage))
    return tables, skipped


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

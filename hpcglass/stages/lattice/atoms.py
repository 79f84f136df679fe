"""What a lattice takes over from a glass: local yield stresses, moduli and stresses of blocks, as a stage `strength` left them.

They come from an earlier stage of the same run, or from files: a stage's file, a run of one or many samples, a merged file.
Blocks of several samples are put together; a merged file gives its histograms back as values, good to a twentieth of a spread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.errors import InputError
from hpcglass.sealed.file import File
from hpcglass.sealed.runfiles import refuse_exchanged
from hpcglass.stages.lattice.files import read_on_root
from hpcglass.stages.lattice.labels import is_label

if TYPE_CHECKING:
    from hpcglass.stages.base import Context

Floats = NDArray[np.float64]
CLOSE = 1e-6            # strains that are the same


@dataclass
class Glass:
    """Blocks of a glass at one strain.

    where : what messages call it
    column : (name, table) -> (b,) values of all rows of `blocks` or `sites`, of all samples one after the other; the same on all
        ranks, collective
    number : (name) -> mean over samples of a column of the table `strength`
    """

    where: str
    column: Callable[[str, str], Floats]
    number: Callable[[str], float]

    def values(self, name: str, table: str = "blocks") -> Floats:
        """(b,) finite values of a quantity, of blocks or of sites.

        Raises
        ------
        InputError
            There are none.
        """
        found = self.column(name, table)
        good = found[np.isfinite(found)]
        if not good.size:
            raise InputError(f"{self.where}: none of the {table} has a value of {name}")
        return np.asarray(good)

    def map(self, name: str, size: int) -> Floats:
        """(size, size) a quantity block by block, rows of equal y.

        Raises
        ------
        InputError
            The glass has another number of blocks or rows of them, or one without a value.
        """
        found, rows = self.column(name, "blocks"), len(np.unique(self.column("y", "blocks")))
        if found.size != size**2 or rows != size:
            raise InputError(f"{self.where}: has {found.size} blocks in {rows} rows of equal y, and the lattice {size} x {size} "
                             "sites: make them agree by `xi` of the stage strength or `size`, and take one sample, in 2D")
        if not np.isfinite(found).all():
            raise InputError(f"{self.where}: {np.count_nonzero(~np.isfinite(found))} blocks have no value of {name}")
        return np.ascontiguousarray(found.reshape(size, size).T)


def read_glass(context: Context, name: str, stage: str | None, strain: float) -> Glass:
    """The blocks of an earlier stage, or of files. Collective.

    Parameters
    ----------
    name : label of an earlier stage, or path of a stage's file, a merged file or a run
    stage : label of the stage in a run
    strain : of the configuration, if there are several

    Raises
    ------
    InputError
        There is no such thing.
    """
    if is_label(name):
        earlier = context.earlier(name)
        tables = {table: earlier.table(table) for table in ("blocks", "sites")}
        summary = earlier.table("strength")
        earlier.close()
        return Glass(f"stage {name}", lambda column, table: at_strain(tables[table], column, strain),
                     lambda column: float(at_strain(summary, column, strain).mean()))
    path, comm = Path(name), context.comm

    def column(wanted: str, table: str) -> Floats:
        return read_on_root(
            comm, lambda: np.concatenate([_column(file, table, wanted, strain) for file in _files(path, stage)]), str(path))

    def number(wanted: str) -> float:
        return float(read_on_root(
            comm, lambda: np.array([_number(file, wanted, strain) for file in _files(path, stage)]), str(path)).mean())

    return Glass(str(path), column, number)


def at_strain(table: dict[str, Any], name: str, strain: float) -> Floats:
    """The rows of a table at a strain.

    Raises
    ------
    InputError
        There is no such column or strain.
    """
    if name not in table:
        raise InputError(f"there is no {name}; there are {', '.join(table)}")
    strains = np.asarray(table["strain"], dtype=np.float64)
    here = np.abs(strains - strain) <= CLOSE
    if not here.any():
        known = ", ".join(f"{one:g}" for one in np.unique(strains)[:20])
        raise InputError(f"no strain {strain:g} was looked at; there are {known}")
    return np.asarray(table[name], dtype=np.float64)[here]


def _files(path: Path, stage: str | None) -> list[Path]:
    """The stage's file of each sample, or the file itself."""
    if path.is_file():
        return [path]
    found = []
    for sample in sorted(path.glob("sample-*")) or [path]:
        files = [file for file in sorted(sample.glob("[0-9][0-9]-*.h5")) if "." not in file.stem and _kind(file) == "stage"]
        chosen = [file for file in files if stage in (None, file.stem, file.stem[3:])]
        if len(chosen) != 1:
            names = ", ".join(file.stem for file in files) or "none"
            raise InputError(f"{sample}: {'no' if not chosen else 'more than one'} stage{f' {stage}' if stage else ''} with a "
                             f"table 'blocks' (there are: {names})")
        found += chosen
    return found


def _kind(path: Path) -> str:
    with File(path) as file:
        refuse_exchanged(file)
        return "stage" if "/results/blocks" in file else "merged" if "/results/mean_strength" in file else ""


def _table(path: Path, name: str) -> dict[str, Any]:
    with File(path) as file:
        group = f"/results/{name}"
        if group not in file:
            raise InputError(f"{path}: has no table '{name}'; give the file of a stage strength, or a merged one")
        return {column: np.atleast_1d(file.value(f"{group}/{column}")) for column in file.names(group)}


def _column(path: Path, rows: str, name: str, strain: float) -> Floats:
    if _kind(path) == "merged":
        if rows != "blocks":
            raise InputError(f"{path}: a merged file has no {rows}, only distributions of blocks; give the runs themselves")
        if name in ("x", "y"):
            raise InputError(f"{path}: a merged file does not say where its blocks are: for a map give the file of a stage")
        table = _table(path, f"{name}_density")
        return np.repeat(at_strain(table, "value", strain), at_strain(table, "count", strain).astype(np.int64))
    return at_strain(_table(path, rows), name, strain)


def _number(path: Path, name: str, strain: float) -> float:
    merged = _kind(path) == "merged"
    return float(at_strain(_table(path, "mean_strength" if merged else "strength"), name, strain).mean())

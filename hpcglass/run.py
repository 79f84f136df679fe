"""The run loop's outside: one directory, one lock, one sample or an ensemble of them."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from mpi4py import MPI

from hpcglass import __version__, disk
from hpcglass.core import cache
from hpcglass.core.comm import largest
from hpcglass.ensemble import run_ensemble
from hpcglass.errors import EXIT_DONE, InputError
from hpcglass.io.agree import broadcast_text, together
from hpcglass.rundir import done, lock, whole
from hpcglass.rundir.extend import growth
from hpcglass.rundir.log import Log
from hpcglass.rundir.ready import make_ready, resolved_input
from hpcglass.rundir.signals import Stop
from hpcglass.sample import Sample
from hpcglass.solvers import begin_together, refuse_lacking
from hpcglass.words import one_line, show

if TYPE_CHECKING:
    from hpcglass.config import Config


def main(config: Config, input_text: str, output: Path, comm: MPI.Comm, fresh: bool, plots: bool) -> int:
    """Run an input in a directory, or continue it. Collective.

    Parameters
    ----------
    input_text : the file as the user wrote it, for the provenance
    output : run directory; made if need be
    fresh : start over, keeping an old directory as <output>.1, .2, ...
    plots : draw figures

    Returns
    -------
    int
        Exit code: 0, or that of the first failed sample of an ensemble.

    Raises
    ------
    HpcglassError
        On all ranks, see `errors.py`; Interrupted after a checkpoint.
    """
    output = Path(output)
    note, grown = "", False
    with together(comm, f"cannot use {output}"):
        if comm.rank == 0:
            note, grown = _open(output, config, fresh)
    note = broadcast_text(comm, note)
    try:
        if largest(comm, int(comm.rank == 0 and (output / done.NAME).exists())):
            whole.refuse_unfinished(comm, output)
            if largest(comm, int(grown)):
                return _run(config, input_text, output, comm, plots, note)
            if comm.rank == 0:
                show(f"{output} is finished; nothing to do (--fresh starts over)")
            return EXIT_DONE
        return _run(config, input_text, output, comm, plots, note)
    finally:
        if comm.rank == 0:
            lock.release(output)


def _open(output: Path, config: Config, fresh: bool) -> tuple[str, bool]:
    """Make and lock the directory (rank 0); what to say of it, and whether it is finished but the input has grown."""
    output.mkdir(parents=True, exist_ok=True)
    note = lock.acquire(output)
    try:
        if fresh and any(path.name != lock.NAME for path in output.iterdir()):
            note = _move_aside(output)
        if (output / done.NAME).exists() and (old := resolved_input(output)) is not None:
            return note, bool(growth(old, config, output).lines)
    except Exception:
        lock.release(output)
        raise
    return note, False


def _move_aside(output: Path) -> str:
    """Rename an old run directory to <output>.<n> and take a new one."""
    if not (output / "resolved.toml").exists():
        raise InputError(f"--fresh: {output} has files but is no run directory; choose another --output")
    output = output.resolve()
    n = 1
    while os.path.lexists(old := output.with_name(f"{output.name}.{n}")):
        n += 1
    output.rename(old)
    lock.release(old)
    output.mkdir()
    disk.sync(output.parent)
    lock.acquire(output)
    return f"the old files are in {old}"


def _run(config: Config, input_text: str, output: Path, comm: MPI.Comm, plots: bool, note: str) -> int:
    refuse_lacking(config, min(config.ensemble.ranks_per_sample, comm.size) if config.ensemble.samples > 1 else comm.size)
    with together(comm, f"cannot use {output}"):
        if comm.rank == 0:
            make_ready(output)
            (output / done.NAME).unlink(missing_ok=True)        # of an input that has grown
    log = Log(output / "log.txt" if comm.rank == 0 else None)
    try:
        log.line(f"hpcglass {__version__} on {comm.size} rank{'s' if comm.size > 1 else ''} of {platform.node()}"
                 + (f": {one_line(config.title)}" if config.title else ""))
        if note:
            log.line(note)
        if cache.note:
            log.line(f"warning: {cache.note}")
        if comm.rank == 0 and cache.is_cold("forces._forces" if config.system else "dynamics.absorb"):
            log.line("first run on this machine: kernels are compiled as they are needed, about half a minute in all")
        if config.ensemble.samples > 1:
            begin_together(config)
            return run_ensemble(config, input_text, output, comm, plots, log)
        with Stop() as stop:
            Sample(comm, config, input_text, output, 0, log, stop, plots, bar=True).run()
        return EXIT_DONE
    finally:
        log.close()

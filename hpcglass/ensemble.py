"""Independent samples on groups of ranks: the cheapest parallelism there is.

Group g of G takes every G-th of the samples that are not done yet. A sample that fails does not stop the others.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from hpcglass.core.comm import broadcast, largest
from hpcglass.errors import EXIT_DONE, EXIT_REQUEUE, HpcglassError, InputError, Interrupted
from hpcglass.io import h5
from hpcglass.io.agree import everybody_comes, together
from hpcglass.rundir.log import Log
from hpcglass.rundir.signals import Stop
from hpcglass.sample import Sample, refuse_changed

if TYPE_CHECKING:
    from hpcglass.config import Config

_UNTOUCHED = -1


def sample_directory(output: Path, number: int) -> Path:
    return output / f"sample-{number:04d}"


def run_ensemble(config: Config, input_text: str, output: Path, comm: MPI.Comm, plots: bool, log: Log) -> int:
    """All samples that are not done. Returns 0, or the exit code of the first sample that failed. Collective.

    Raises
    ------
    InputError
        The ranks cannot be split into groups, or the directory belongs to another input.
    Interrupted
        When asked to stop: every sample has a checkpoint.
    """
    ranks = min(config.ensemble.ranks_per_sample, comm.size)
    if comm.size % ranks:
        raise InputError(f"{comm.size} ranks cannot be split into groups of {ranks} (ensemble.ranks_per_sample): "
                         f"start {comm.size // ranks * ranks} or {(comm.size // ranks + 1) * ranks}")
    waiting = _prepare(config, output, comm)
    groups = comm.size // ranks
    log.line(f"{config.ensemble.samples} samples, {len(waiting)} to do, in {groups} group{'s' if groups > 1 else ''} of {ranks}")
    group = comm.Split(comm.rank // ranks)
    leaders = comm.Split(0 if group.rank == 0 else MPI.UNDEFINED)
    codes = np.full(config.ensemble.samples, _UNTOUCHED, dtype=np.int64)
    with Stop(leaders if group.rank == 0 else None) as stop:
        for number in waiting[comm.rank // ranks::groups]:
            codes[number] = _one(config, input_text, output, group, int(number), log, stop, plots)
            if codes[number] == EXIT_REQUEUE:
                break
        codes = largest(comm, codes)
        stop.clear_messages()
    group.Free()
    if leaders != MPI.COMM_NULL:
        leaders.Free()
    return _conclude(codes, waiting, output, comm, log)


def _prepare(config: Config, output: Path, comm: MPI.Comm) -> NDArray[np.int64]:
    """Directories, and the numbers of the samples that are not done."""
    waiting = None
    with together(comm, f"cannot write in {output}"):
        if comm.rank == 0:
            resolved = config.to_toml()
            old = output / "resolved.toml"
            if old.exists():
                refuse_changed(old.read_text(encoding="utf-8"), resolved, output)
            h5.write_text(old, resolved)
            directories = [sample_directory(output, k) for k in range(config.ensemble.samples)]
            for directory in directories:
                directory.mkdir(exist_ok=True)
            waiting = np.array([k for k, d in enumerate(directories) if not (d / "DONE").exists()], dtype=np.int64)
    return broadcast(comm, waiting)


def _one(config: Config, input_text: str, output: Path, group: MPI.Comm, number: int, log: Log, stop: Stop, plots: bool) -> int:
    """One sample on one group; its exit code."""
    directory = sample_directory(output, number)
    own = Log(directory / "log.txt" if group.rank == 0 else None, prefix=f"[{number}] ")
    try:
        Sample(group, config, input_text, directory, number, own, stop, plots, bar=False).run()
    except HpcglassError as error:
        if not everybody_comes(group):
            raise
        if not isinstance(error, Interrupted):
            own.line(f"error: sample {number}: {error}")
        return error.exit_code
    finally:
        own.close()
    return EXIT_DONE


def _conclude(codes: NDArray[np.int64], waiting: NDArray[np.int64], output: Path, comm: MPI.Comm, log: Log) -> int:
    failed = [int(k) for k in waiting if codes[k] not in (EXIT_DONE, EXIT_REQUEUE, _UNTOUCHED)]
    stopped = [int(k) for k in waiting if codes[k] in (EXIT_REQUEUE, _UNTOUCHED)]
    for number in failed:
        log.line(f"sample {number} failed with exit code {codes[number]}, see {sample_directory(output, number) / 'log.txt'}")
    log.line(f"{len(codes) - len(failed) - len(stopped)} of {len(codes)} samples done")
    if stopped:
        raise Interrupted(f"stopped on request; {len(stopped)} samples are not done: run the same command again to continue")
    if failed:
        return int(codes[failed[0]])
    with together(comm, f"cannot write in {output}"):
        if comm.rank == 0:
            h5.write_text(output / "DONE", datetime.now().isoformat(timespec="seconds") + "\n")
    return EXIT_DONE

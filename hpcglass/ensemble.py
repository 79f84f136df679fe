"""Independent samples on groups of ranks: the cheapest parallelism there is.

Group g of G takes every G-th of the samples that are not done yet. A sample that fails does not stop the others.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from hpcglass import disk, settings
from hpcglass.core.comm import broadcast, largest
from hpcglass.errors import EXIT_DONE, EXIT_FILE, EXIT_REQUEUE, FileError, HpcglassError, InputError, Interrupted
from hpcglass.io.agree import everybody_comes, together
from hpcglass.io.share import Ranks
from hpcglass.rundir import done, whole
from hpcglass.rundir.extend import growth
from hpcglass.rundir.leaders import Leaders
from hpcglass.rundir.log import Log
from hpcglass.rundir.ready import make_ready, resolved_input
from hpcglass.rundir.signals import Stop
from hpcglass.sample import Sample

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
    broken = _broken(config, output, comm, waiting, log)
    groups = comm.size // ranks
    log.line(f"{config.ensemble.samples} samples, {len(waiting)} to do, in {groups} group{'s' if groups > 1 else ''} of {ranks}")
    group = comm.Split(comm.rank // ranks)
    first = comm.Split(0 if group.rank == 0 else MPI.UNDEFINED)
    leaders = Leaders(first) if group.rank == 0 else None
    warnings: list[str] = []
    codes = np.full(config.ensemble.samples, _UNTOUCHED, dtype=np.int64)
    with Stop(leaders) as stop:
        for number in waiting[comm.rank // ranks::groups]:
            codes[number] = _one(config, input_text, output, group, int(number), stop, plots, warnings)
            if codes[number] == EXIT_REQUEUE:
                break
        codes = largest(comm, codes)
        if leaders is not None:
            leaders.finish()
            first.Free()
    group.Free()
    told = Ranks(comm).of_all(lambda: (json.dumps(warnings), []))
    log.warnings += [warning for text, _ in told for warning in json.loads(text)]
    log.sum_up()
    return _conclude(codes, waiting, broken, output, comm, log)


def _prepare(config: Config, output: Path, comm: MPI.Comm) -> NDArray[np.int64]:
    """Directories, and the numbers of the samples that are not done."""
    waiting = None
    with together(comm, f"cannot write in {output}"):
        if comm.rank == 0:
            resolved = config.to_toml()
            if (old := resolved_input(output)) is not None:
                growth(old, config, output)
            disk.write_text(output / "resolved.toml", resolved)
            directories = [sample_directory(output, k) for k in range(config.ensemble.samples)]
            for directory in directories:
                directory.mkdir(exist_ok=True)
            waiting = np.array([k for k, d in enumerate(directories) if not _done(config, d)], dtype=np.int64)
            for k in waiting:
                make_ready(directories[k])
    return broadcast(comm, waiting)


def _done(config: Config, directory: Path) -> bool:
    """Whether a sample is; one of an input that has grown is no longer."""
    if not (directory / done.NAME).exists():
        return False
    old = resolved_input(directory)
    if old is not None and growth(old, config, directory).stages:
        (directory / done.NAME).unlink()
        return False
    return True


def _broken(config: Config, output: Path, comm: MPI.Comm, waiting: NDArray[np.int64], log: Log) -> list[int]:
    """Samples that are done but whose files are not all whole. They are reported; the others go on."""
    broken = []
    for number in sorted(set(range(config.ensemble.samples)) - set(waiting.tolist())):
        try:
            whole.refuse_unfinished(comm, sample_directory(output, number))
        except FileError as error:
            log.line(f"error: {error}")
            broken.append(number)
    return broken


def _one(config: Config, input_text: str, output: Path, group: MPI.Comm, number: int, stop: Stop, plots: bool,
         warnings: list[str]) -> int:
    """One sample on one group; its exit code."""
    directory = sample_directory(output, number)
    own = Log(directory / "log.txt" if group.rank == 0 else None, prefix=f"[{number}] ", brief=not settings.whole_log())
    try:
        Sample(group, config, input_text, directory, number, own, stop, plots, bar=False).run()
    except HpcglassError as error:
        if not everybody_comes(group):
            raise
        if not isinstance(error, Interrupted):
            own.line(f"error: sample {number}: {error}")
        return error.exit_code
    finally:
        warnings += [f"sample {number}: {warning}" for warning in own.warnings]
        own.close()
    return EXIT_DONE


def _conclude(codes: NDArray[np.int64], waiting: NDArray[np.int64], broken: list[int], output: Path, comm: MPI.Comm,
              log: Log) -> int:
    failed = [int(k) for k in waiting if codes[k] not in (EXIT_DONE, EXIT_REQUEUE, _UNTOUCHED)]
    stopped = [int(k) for k in waiting if codes[k] in (EXIT_REQUEUE, _UNTOUCHED)]
    for number in failed:
        log.line(f"sample {number} failed with exit code {codes[number]}, see {sample_directory(output, number) / 'log.txt'}")
    log.line(f"{len(codes) - len(failed) - len(stopped) - len(broken)} of {len(codes)} samples done")
    if stopped:
        raise Interrupted(f"stopped on request; {len(stopped)} samples are not done: run the same command again to continue")
    if failed:
        return int(codes[failed[0]])
    if broken:
        return EXIT_FILE
    with together(comm, f"cannot write in {output}"):
        if comm.rank == 0:
            done.declare(output, {})
    return EXIT_DONE

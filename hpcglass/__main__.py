"""The command line, and the only place that knows COMM_WORLD.

`run` must end on every rank, whatever happens on one of them: see `guarded`.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcglass import launcher
from hpcglass.commands import calibrate, parser
from hpcglass.commands.common import output_directory
from hpcglass.errors import HpcglassError, InputError

if TYPE_CHECKING:
    from mpi4py import MPI

SRUN = "use `srun --mpi=pmix` (`srun --mpi=list` shows what there is)"
PATIENCE = 3.0      # seconds that a failed rank waits for the others to fail as well
STAGGER = 0.25      # seconds per rank between their messages


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    options = parser.build().parse_args(arguments)
    try:
        if options.command == "sweep" and options.task is None:
            options.task = launcher.array_element()
        if options.command in ("run", "calibrate") or (options.command == "sweep" and options.task is not None):
            return run(options)
        return int(options.main(options, world) if options.needs_world else options.main(options))
    except HpcglassError as error:
        launcher.say(f"hpcglass: {error}" if "\n" not in str(error) else str(error))
        return error.exit_code
    except BrokenPipeError:     # `hpcglass list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def run(options: Any) -> int:
    """`run`, and `sweep` with a task: check the input before MPI is even loaded, then hand over to the run loop.

    `run` does all tasks of a sweep in turn.
    """
    from hpcglass import sweep
    from hpcglass.config import Config, read_text

    text = read_text(options.input)
    config = Config.parse(text, options.input, options.set)
    if options.command == "calibrate":
        calibrate.check(config)
    output = output_directory(options)
    tasks = sweep.tasks(config, output, options.set)
    if options.command == "sweep":
        tasks = sweep.choose(tasks, options.task, options.stride)
    elif tasks and options.fresh:
        raise InputError("--fresh: a sweep has a directory per task: remove those to be done again, or choose another --output")
    configs = [task.configure(text, options.input, options.set) for task in tasks]
    comm = world()

    def work() -> int:
        if tasks:
            return sweep.run_tasks(tasks, configs, text, comm, not options.no_plots)
        from hpcglass.run import main as run_main

        return run_main(config, text, output, comm, options.fresh, not options.no_plots)

    return guarded(comm, work)


def world() -> MPI.Comm:
    """COMM_WORLD, after the settings that must come before the libraries are loaded.

    Raises
    ------
    InputError
        When the launcher started several tasks but each one's MPI believes to be alone.
    """
    if launcher.without_pmi():
        raise InputError(f"srun started {launcher.tasks()} tasks that cannot find each other: {SRUN}")
    os.environ.setdefault("H5PY_ALWAYS_USE_MPI", "1")      # Debian: the parallel build of h5py
    for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(threads, "1")                 # the ranks are the parallelism
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    if comm.size == 1 and launcher.tasks() > 1:
        library = MPI.Get_library_version().splitlines()[0].strip("\0 ,")
        raise InputError(
            f"started as {launcher.tasks()} tasks, but the MPI of each sees itself alone (COMM_WORLD has size 1). "
            f"The launcher does not fit the MPI library of mpi4py, {library}. Under SLURM {SRUN}; "
            "else use the mpirun or mpiexec that came with that library")
    return comm


def guarded(comm: MPI.Comm, work: Callable[[], int]) -> int:
    """Do `work` on all ranks so that a failure on any of them ends the job, never hangs it.

    An error that all ranks raise (the rule for HpcglassErrors) gives one message and an ordinary
    exit. A rank that failed alone must not enter a collective call others are not in: it waits a
    little on a communicator of its own, then aborts them all.
    """
    farewell = comm.Dup()
    try:
        return work()
    except BaseException as error:
        return _failed(farewell, error)


def _failed(farewell: MPI.Comm, error: BaseException) -> int:
    expected = isinstance(error, HpcglassError)
    code = error.exit_code if isinstance(error, HpcglassError) else 1
    rank = farewell.rank
    together = _everybody_failed(farewell)
    if expected and together:
        if rank == 0:
            print(f"hpcglass: {error}", file=sys.stderr, flush=True)
        return code
    # whoever speaks first ends the job: rank 0 if it can, else the lowest rank that failed
    time.sleep(PATIENCE if together and rank else min(STAGGER * rank, PATIENCE))
    message = f"hpcglass: {error} (rank {rank} of {farewell.size})" if expected else _report(error, rank)
    print(message, file=sys.stderr, flush=True)
    if farewell.size > 1:
        farewell.Abort(code)
    return code


def _everybody_failed(farewell: MPI.Comm) -> bool:
    request = farewell.Ibarrier()
    end = time.monotonic() + PATIENCE
    while not request.Test():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def _report(error: BaseException, rank: int) -> str:
    """Rank, phase and message of an exception that nobody expected, and where it came from."""
    package = Path(__file__).parent
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(package)]
    phase = "start-up"
    if ours:
        module = ".".join(Path(ours[-1].filename).relative_to(package).with_suffix("").parts)
        phase = f"{module}.{ours[-1].name}, line {ours[-1].lineno}"
    trace = "".join(traceback.format_exception(error))
    return f"hpcglass: rank {rank} failed in {phase}: {type(error).__name__}: {error}\n\n{trace}"


if __name__ == "__main__":
    sys.exit(main())

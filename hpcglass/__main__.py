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

from hpcglass import launcher, settings
from hpcglass.commands import calibrate, parser
from hpcglass.commands.common import output_directory
from hpcglass.errors import EXIT_FILE, HpcglassError, InputError
from hpcglass.petsc import undisturbed
from hpcglass.rundir.signals import Stop
from hpcglass.rundir.watchdog import Watchdog, limit
from hpcglass.words import plain

if TYPE_CHECKING:
    from mpi4py import MPI

    from hpcglass.sweep import Sweep, Task

SRUN = "use `srun --mpi=pmix` (`srun --mpi=list` shows what there is)"
OUT_OF_MEMORY = "out of memory: take fewer particles, or more ranks on more nodes"
PATIENCE = 3.0      # seconds that a failed rank waits for the others to fail as well
STAGGER = 0.25      # seconds per rank between their messages


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")       # what the terminal cannot show is no error
    try:
        check_words(sys.argv[1:] if arguments is None else arguments)
        options = parser.build().parse_args(arguments)
        if options.command == "sweep" and options.resubmit and options.task is not None:
            raise InputError("--submit submits all tasks that are missing: leave out --task")
        if options.command == "sweep" and options.task is None and not options.resubmit:
            options.task = launcher.array_element()
        if options.command in ("run", "calibrate") or (options.command == "sweep" and options.task is not None):
            with Stop(for_good=arguments is None):      # from here on no signal kills
                return run(options)
        if options.shared:
            return on_ranks(options)
        return int(options.main(options, world) if options.needs_world else options.main(options))
    except HpcglassError as error:
        launcher.say(f"hpcglass: {error}" if "\n" not in str(error) else str(error))
        return error.exit_code
    except BrokenPipeError:     # `hpcglass list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        launcher.say(f"hpcglass: {f'{error.filename}: ' if error.filename else ''}{error.strerror or error}")
        return EXIT_FILE
    except MemoryError as error:
        launcher.say(f"hpcglass: {OUT_OF_MEMORY} ({error})")
        return EXIT_FILE
    except KeyboardInterrupt:
        return 130


def check_words(words: Sequence[str]) -> None:
    """Refuse arguments that are no text: names in files, in the log and for MPI are; and empty ones, as of unset variables.

    Raises
    ------
    InputError
    """
    for word in words:
        if not word:
            raise InputError("an argument is empty: was a variable not set?")
        if not word.isprintable() and any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in word):
            raise InputError(f"the argument {word} is not UTF-8 text: choose another name")


def run(options: Any) -> int:
    """`run`, and `sweep` with a task: check the input before MPI is even loaded, then hand over to the run loop.

    `run` does all tasks of a sweep in turn.
    """
    from hpcglass import sweep
    from hpcglass.config import read_text
    from hpcglass.solvers import refuse_missing

    settings.check()
    text = read_text(options.input)
    whole = sweep.Sweep.read(text, options.input, options.set)
    config = whole.config
    refuse_missing(config, options.input)
    if options.command == "calibrate":
        calibrate.check(config)
    output = output_directory(options)
    tasks = whole.tasks(output)
    if options.command == "sweep":
        tasks = sweep.choose(tasks, options.task, options.stride)
    elif tasks and options.fresh:
        raise InputError("--fresh: a sweep has a directory per task: remove those to be done again, or choose another --output")
    whole.check(tasks)
    comm = world()

    def work() -> int:
        check_memory(whole, tasks, comm)
        if tasks:
            return sweep.run_tasks(whole, tasks, comm, not options.no_plots)
        from hpcglass.run import main as run_main

        return run_main(config, text, output, comm, options.fresh, not options.no_plots)

    return guarded(comm, work)


def on_ranks(options: Any) -> int:
    """A command whose files the ranks share. A process that is alone loads no MPI for that."""
    from hpcglass.io.share import Ranks

    if launcher.tasks() == 1:
        return int(options.main(options, Ranks()))
    comm = world()
    return guarded(comm, lambda: int(options.main(options, Ranks(comm))))


def check_memory(whole: Sweep, tasks: Sequence[Task], comm: MPI.Comm) -> None:
    """Refuse what this machine can never hold, before anything is written. Collective."""
    from hpcglass.commands.parts.estimate import estimate, refuse_impossible
    from hpcglass.io.agree import together

    with together(comm):
        for config in whole.inputs(tasks) if tasks else [whole.config]:
            system = config.system
            if comm.rank == 0 and (system is None or system.file is None):
                size = (system.particles or 0, system.density or 0.0) if system is not None else (0, 0.0)
                refuse_impossible(estimate(config, *size, comm.size))


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
    with undisturbed():
        import numpy  # noqa: F401  (threads of its BLAS, where the environment asks for some)
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
        return Watchdog(comm.rank, comm.size, limit()).run(work)
    except BaseException as error:
        return _failed(farewell, error)


def _failed(farewell: MPI.Comm, error: BaseException) -> int:
    expected = isinstance(error, HpcglassError)
    code = error.exit_code if isinstance(error, HpcglassError) else 1
    rank = farewell.rank
    together = _everybody_failed(farewell)
    if expected and together:
        if rank == 0:
            print(plain(f"hpcglass: {error}"), file=sys.stderr, flush=True)
        return code
    # whoever speaks first ends the job: rank 0 if it can, else the lowest rank that failed
    time.sleep(PATIENCE if together and rank else min(STAGGER * rank, PATIENCE))
    message = f"hpcglass: {error} (rank {rank} of {farewell.size})" if expected else _report(error, rank)
    if isinstance(error, MemoryError):
        message, code = f"hpcglass: {OUT_OF_MEMORY} ({error}) on rank {rank} of {farewell.size}", EXIT_FILE
    print(plain(message), file=sys.stderr, flush=True)
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

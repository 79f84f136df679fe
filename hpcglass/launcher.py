"""What mpirun or srun says about this process, read from the environment: no MPI needed."""

from __future__ import annotations

import os
import sys
import time

from hpcglass.errors import InputError
from hpcglass.settings import whole
from hpcglass.words import plain

RANKS = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID")
SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS")    # not SLURM_NTASKS: a batch script is one task
HEAD_START = 2.0     # seconds


def _first(names: tuple[str, ...], default: int) -> int:
    for name in names:
        if whole(os.environ.get(name, "")):
            return int(os.environ[name])
    return default


def rank() -> int:
    """Rank that the launcher gave to this process; 0 without a launcher."""
    return _first(RANKS, 0)


def tasks() -> int:
    """Number of processes that the launcher started; 1 without a launcher."""
    return _first(SIZES, 1)


def array_element() -> int | None:
    """Number of this element of a SLURM job array; None outside of one.

    Raises
    ------
    InputError
        It is no number.
    """
    number = os.environ.get("SLURM_ARRAY_TASK_ID", "")
    if number and not whole(number):
        raise InputError(f"SLURM_ARRAY_TASK_ID={number}: must be a whole number >= 0")
    return int(number) if number else None


def without_pmi() -> bool:
    """Whether srun started several tasks and told none how to find the others (`--mpi=none`): MPI could only fail."""
    return tasks() > 1 and "SLURM_STEP_NUM_TASKS" in os.environ and not any(
        name.startswith(("PMI", "PALS", "OMPI_COMM")) for name in os.environ)


def say(message: str) -> None:
    """An error message on the terminal, once for all ranks.

    The launcher may kill all ranks as soon as one has ended: the silent ones give rank 0 a head start.
    """
    if rank() == 0:
        print(plain(message), file=sys.stderr, flush=True)
    else:
        time.sleep(HEAD_START)

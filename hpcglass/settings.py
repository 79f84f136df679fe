"""Settings in the environment: ours, and what SLURM says about the job. Wrong ones are refused before anything starts."""

from __future__ import annotations

import functools
import math
import os
import time

from hpcglass.errors import InputError


def check() -> None:
    """Look at all of ours.

    Raises
    ------
    InputError
        One of them means nothing.
    """
    checkpoint_seconds()
    serial_io()
    whole_log()


def checkpoint_seconds() -> float | None:
    """Seconds between two checkpoints, if they are to be chosen."""
    text = os.environ.get("HPCGLASS_CHECKPOINT_SECONDS", "")
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise InputError(f"HPCGLASS_CHECKPOINT_SECONDS={text}: must be a number of seconds >= 0")
    return seconds


def serial_io() -> bool:
    """Whether rank 0 shall write for all."""
    text = os.environ.get("HPCGLASS_IO", "")
    if text not in ("", "serial"):
        raise InputError(f"HPCGLASS_IO={text}: must be serial, or not set")
    return text == "serial"


def whole_log() -> bool:
    """Whether an ensemble shall show all lines of its samples on the terminal, not only one for each stage."""
    text = os.environ.get("HPCGLASS_LOG", "")
    if text not in ("", "all"):
        raise InputError(f"HPCGLASS_LOG={text}: must be all, or not set")
    return text == "all"


def job_end() -> float:
    """When the job will be ended, in seconds since 1970; infinity if nobody says so.

    A time that is over when it is first looked at belongs to a job that ended long ago, whose environment lives on in some shell.
    """
    return _end(os.environ.get("SLURM_JOB_END_TIME", ""))


@functools.cache
def _end(text: str) -> float:
    return float(text) if whole(text) and float(text) > time.time() else math.inf


def whole(text: str) -> bool:
    """Whether a text is a whole number >= 0, of at most 18 digits."""
    return text.isascii() and text.isdigit() and len(text) <= 18

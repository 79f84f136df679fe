"""A rank that stands still is reported, whatever its main thread does; one that only waits for others is not."""

from __future__ import annotations

import time
from types import FunctionType

import numpy as np
import pytest
from numba import njit

from hpcglass.core import comm
from hpcglass.errors import InputError
from hpcglass.rundir import watchdog

LIMIT = 0.8         # seconds


@njit
def spin(steps):
    """Compiled code that lets no other thread run."""
    x = 0.0
    for i in range(steps):
        x += np.sin(x + i)
    return x


def reports(tmp_path, work, rank=3, seconds=LIMIT):
    """What is said while work is done."""
    with open(tmp_path / "said", "w+b") as file:
        watchdog.Watchdog(rank, 8, seconds, file.fileno()).run(work)
        file.seek(0)
        return file.read().decode()


def until(tmp_path, text, patience=60.0):
    """Wait for a report."""
    end = time.monotonic() + patience
    while text not in (tmp_path / "said").read_text() and time.monotonic() < end:
        time.sleep(0.02)


def test_one_that_stands_still(tmp_path):
    def work():
        watchdog.alive("02-shear: minimise")
        began = time.monotonic()
        until(tmp_path, "no sign of life")
        assert time.monotonic() - began > LIMIT
        watchdog.alive("02-shear, step 7")
        return 0

    said = reports(tmp_path, work)
    assert said.count("rank 3 of 8 on ") == 3 and said.count("(02-shear: minimise)") == 1
    assert "test_watchdog.py" in said and "in until" in said          # the stack
    assert "rank 3 of 8 on" in said.partition("goes on after")[0].splitlines()[-1]


def test_one_in_compiled_code(tmp_path):
    """Where Python's threads cannot run: the name of the rank is in the stack."""
    spin(1)
    steps = 10**6

    def work():
        nonlocal steps
        while "Timeout" not in (tmp_path / "said").read_text():
            watchdog.alive("03-modes: modes")
            spin(steps)
            steps *= 4
        return 0

    said = reports(tmp_path, work)
    stack = said.partition("Timeout (0:00:00")[2]
    assert " in work" in stack and " in rank 3 of 8 on " in stack


WAIT = """
def wait(seconds):
    import time
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
"""


@pytest.mark.parametrize("rank", [0, 1])
def test_one_that_waits_for_others(tmp_path, rank):
    """Rank 0 says so, the others keep silent: they are not to blame, and there may be thousands."""
    names: dict = {}
    FunctionType(compile(WAIT, comm.__file__, "exec"), names)()         # a function of the file where ranks wait

    def work():
        watchdog.alive("01-quench: minimise")
        names["wait"](3 * LIMIT)
        return 0

    said = reports(tmp_path, work, rank)
    if rank:
        assert said == ""
    else:
        assert "has been waiting for other ranks since" in said and "(01-quench: minimise)" in said and "File" not in said


def test_no_false_alarm(tmp_path):
    """Long before the limit, or when there is none, it is silent."""
    assert reports(tmp_path, lambda: time.sleep(LIMIT) or 0, seconds=600.0) == ""
    assert reports(tmp_path, lambda: time.sleep(LIMIT) or 0, seconds=0.0) == ""


@pytest.mark.parametrize("text,seconds", [("", watchdog.USUAL), ("0", 0.0), ("90.5", 90.5)])
def test_the_limit_is_a_setting(monkeypatch, text, seconds):
    monkeypatch.setenv(watchdog.VARIABLE, text)
    assert watchdog.limit() == seconds


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
def test_a_limit_that_is_no_number(monkeypatch, text):
    monkeypatch.setenv(watchdog.VARIABLE, text)
    with pytest.raises(InputError, match=f"{watchdog.VARIABLE}={text}: must be a number of seconds"):
        watchdog.limit()

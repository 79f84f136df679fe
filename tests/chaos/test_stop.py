"""Signals and the end of the job's time: a checkpoint, exit code 75, and the same bits afterwards."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from harness import Program, all_readable, same, wait_for

from hpcglass.petsc import undisturbed


def resume(slow_input, output, ranks, reference):
    code, text = Program(slow_input, output, ranks, checkpoint=1e9).wait()
    assert code == 0, text
    assert "continuing from checkpoint" in text
    same(output, reference(ranks))


def caught(pid: int) -> set[int]:
    """Signals that a process has handlers for."""
    mask = int(re.search(r"^SigCgt:\s*(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.M)[1], 16)
    return {number for number in range(1, 64) if mask >> (number - 1) & 1}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks /proc who listens")
def test_signal_while_it_starts(slow_input, tmp_path):
    """Nothing is loaded yet, and nothing lost: it ends before the first stage, as if it had been stopped on the way."""
    program = Program(slow_input, tmp_path / "run", 1)
    while signal.SIGUSR1 not in caught(program.process.pid):
        time.sleep(0.001)
    assert not (tmp_path / "run").exists()
    os.kill(program.process.pid, signal.SIGTERM)
    code, text = program.wait()
    assert code == 75 and "stopped before 00-toy by SIGTERM; run the same command again" in text, text
    assert "SIGTERM: will stop at the next safe point" in text
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["log.txt", "resolved.toml"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_to_a_single_process(number, reference, slow_input, tmp_path):
    program = Program(slow_input, tmp_path / "run", 1, checkpoint=1e9)
    wait_for(tmp_path / "run" / "resolved.toml", program)
    time.sleep(0.3)
    os.kill(program.process.pid, number)
    code, text = program.wait()
    assert code == 75, text
    assert f"by {number.name}" in text and "run the same command again" in text
    assert not (tmp_path / "run" / ".lock").exists()
    resume(slow_input, tmp_path / "run", 1, reference)


def test_signal_to_all_ranks(reference, slow_input, tmp_path):
    program = Program(slow_input, tmp_path / "run", 2, checkpoint=1e9)
    wait_for(tmp_path / "run" / "resolved.toml", program)
    time.sleep(0.3)
    os.kill(program.process.pid, signal.SIGUSR1)      # the launcher passes it on to the ranks
    code, text = program.wait()
    assert code == 75, text
    resume(slow_input, tmp_path / "run", 2, reference)


def test_signal_to_one_rank_stops_all_at_the_same_step(reference, slow_input, tmp_path):
    code, text = Program(slow_input, tmp_path / "run", 2, checkpoint=1e9, CHAOS="signal:1:11").wait()
    assert code == 75 and "at step 11 of 30" in text, text
    assert all_readable(tmp_path / "run")
    resume(slow_input, tmp_path / "run", 2, reference)


def test_end_of_the_job(reference, slow_input, tmp_path):
    """SLURM says when the job ends; the run stops in time, without a signal."""
    from hpcglass.context import RESERVE_SECONDS

    end = str(int(time.time() + RESERVE_SECONDS))      # starting takes longer than nothing: the time has come at the first step
    code, text = Program(slow_input, tmp_path / "run", 1, checkpoint=1e9, SLURM_JOB_END_TIME=end).wait()
    assert code == 75 and "SLURM_JOB_END_TIME" in text, text
    assert time.time() < int(end)
    code, text = Program(slow_input, tmp_path / "run", 1).wait()
    assert code == 0, text
    same(tmp_path / "run", reference(1))


def test_the_same_command_ten_times(reference, slow_input, tmp_path):
    """Stopped again and again it finishes once, and then does nothing."""
    starts = 0
    code = 75
    while code == 75 and starts < 10:
        starts += 1
        program = Program(slow_input, tmp_path / "run", 1, checkpoint=1e9, CHAOS=f"signal:0:{[12, 29, 30][(starts - 1) % 3]}")
        code, text = program.wait()
    assert code == 0 and starts > 3, text
    same(tmp_path / "run", reference(1))
    before = sorted((path.name, path.stat().st_mtime_ns) for path in (tmp_path / "run").iterdir())
    code, text = Program(slow_input, tmp_path / "run", 1).wait()
    assert code == 0 and "finished" in text
    assert before == sorted((path.name, path.stat().st_mtime_ns) for path in (tmp_path / "run").iterdir())


def test_a_signal_waits_for_libraries_that_would_take_it():
    """METIS makes SIGTERM its own while it orders a matrix, and does not survive it."""
    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with undisturbed():
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)      # a runner of tests has threads that take signals
            assert not heard
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks /proc about threads")
def test_other_threads_take_no_sigterm():
    """Those of MPI, of BLAS and the watchdog: else it would go to one of them while the first thread does not take it."""
    ask = "import os; from hpcglass.__main__ import world; world()\n" \
          "from hpcglass.petsc import lacking; lacking()\nfrom hpcglass.rundir.watchdog import Watchdog\n" \
          "with Watchdog(0, 1, 100.0):\n  for t in os.listdir('/proc/self/task'):\n" \
          "    print(t == str(os.getpid()), *[l.split()[1] for l in open(f'/proc/self/task/{t}/status') if 'SigBlk' in l])"
    done = subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True, text=True,
                          env={**os.environ, "OPENBLAS_NUM_THREADS": "3"})
    assert done.stdout.count("False") >= 1, done.stdout
    for line in done.stdout.splitlines():
        first, mask = line.split()
        assert bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1) == (first == "False"), done.stdout

"""A sweep as a job array: two elements share four tasks, stop at their request, requeue themselves, and finish."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from hpcglass.commands.sweep import state

sys.path.insert(0, str(Path(__file__).parent))
from test_requeue import ROOT, paced, wait

INPUT = """
[parameters]
T = 0.1
time = 20
[system]
model = "ipl12"
particles = 100
[[stage]]
kind = "md"
temperature = "$T"
time = "$time"
[sweep]
T = [0.1, 0.2, 0.3, 0.4]
"""


def finished(array: str) -> list[str]:
    """How each element ended."""
    return [wait(f"{array}_{element}") for element in (0, 1)]


def wait_until_both_run(runs: list[Path]) -> None:
    end = time.monotonic() + 120
    while not all((run / "log.txt").exists() and "%" in (run / "log.txt").read_text() for run in runs):
        assert time.monotonic() < end, "the elements did not start"
        time.sleep(0.1)


def test_two_elements_do_four_tasks_and_go_on_after_a_stop(tmp_path):
    source, out = tmp_path / "in.toml", tmp_path / "out"
    source.write_text(INPUT)
    runs = [out / f"T=0.{number}" for number in (1, 2, 3, 4)]
    command = ["sbatch", "--parsable", "--array=0-1", "--time=5", f"--output={tmp_path}/%a.log", "jobscripts/sweep.sbatch",
               str(source), str(out), "--stride", "2", "--no-plots"]
    array = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, env=paced(8.0)).stdout.strip()
    wait_until_both_run(runs[:2])
    subprocess.run(["scancel", "--signal=USR1", array], check=True)
    ends = finished(array)
    logs = [(tmp_path / f"{element}.log").read_text() for element in (0, 1)]
    assert ends == ["COMPLETED"] * 2, logs
    for element, log in enumerate(logs):
        assert "exit code 75" in log and "start 1 of job" in log and log.rstrip().endswith("exit code 0"), log
        assert f"task {element}: T=" in log and f"task {element + 2}: T=" in log and f"task {1 - element}: T=" not in log
    assert [state(run)[0] for run in runs] == ["done"] * 4
    assert all(run.joinpath("log.txt").read_text().count("starts") == 1 for run in runs)

"""A job whose time limit is too short: stopped with a checkpoint, requeued by its own script, finished, equal to the bit."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest

from hpcglass.io.reader import verify
from hpcglass.io.trajectory import frames_of

ROOT = Path(__file__).resolve().parents[2]
INPUT = ROOT / "inputs" / "quickstart.toml"
SETTINGS = ["--no-plots", "--set", "swap.sweeps=25000"]       # about half a minute on two quiet cores
CHANGING = ("/provenance/", "/timing/", "/stage/segments")     # how often it was interrupted, how long it took
PATIENCE = 420.0     # seconds until the job must have ended, all its starts and pauses included


def submit(directory: Path, *options: str) -> str:
    """Submit jobscripts/run.sbatch with these options of sbatch; return the job's id."""
    command = ["sbatch", "--parsable", "--ntasks=2", f"--output={directory}/job.log", *options,
               "jobscripts/run.sbatch", str(INPUT), str(directory / "run"), *SETTINGS]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def wait(job: str) -> str:
    """State of the job when it has ended, such as COMPLETED."""
    end = time.monotonic() + PATIENCE
    state = ""
    while time.monotonic() < end:
        shown = subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True).stdout
        found = re.search(r"JobState=(\w+)", shown)
        state = found[1] if found else "UNKNOWN"
        if state not in ("PENDING", "RUNNING", "COMPLETING", "SUSPENDED"):
            return state
        time.sleep(0.5)
    subprocess.run(["scancel", job])
    return f"still {state} after {PATIENCE:.0f} s"


def results(directory: Path) -> dict[str, object]:
    """Hash of every dataset of the stage files, but for what tells of this very run, and the frames of the shear stage."""
    found: dict[str, object] = {}
    for path in sorted(directory.glob("[0-9][0-9]-*.h5")):
        if ".traj-" not in path.name:
            hashes = verify(path)
            found |= {f"{path.name}:{name}": value for name, value in hashes.items() if not name.startswith(CHANGING)}
    steps, positions = frames_of(directory, "02-shear")
    return found | {"steps of frames": steps.tolist(), "frames": positions.tobytes()}


@pytest.mark.slow
def test_stopped_requeued_finished_equal(tmp_path):
    limited, whole = tmp_path / "limited", tmp_path / "whole"
    for directory in (limited, whole):
        directory.mkdir()
    job = submit(whole, "--time=10")        # first: it leaves compiled code behind, so that the other starts fast
    assert wait(job) == "COMPLETED", (whole / "job.log").read_text()
    assert "exit code 75" not in (whole / "job.log").read_text()

    # a limit of one minute is SLURM's shortest; the signal comes 55 s before it
    job = submit(limited, "--time=1", "--signal=USR1@55")
    assert wait(job) == "COMPLETED", (limited / "job.log").read_text()
    log = (limited / "job.log").read_text()
    assert "exit code 75" in log, f"finished before the signal came, nothing was tested:\n{log}"
    assert "start 1 of job" in log and log.rstrip().endswith("exit code 0"), log
    assert (limited / "run" / "DONE").exists()
    # what run.sbatch looks for to tell progress
    assert re.search(r"  stopped: stopped \S.* by ", (limited / "run" / "log.txt").read_text())
    expected = results(whole / "run")
    assert len(expected) > 20
    assert results(limited / "run") == expected


def test_wrong_input_is_not_requeued(tmp_path):
    job = subprocess.run(["sbatch", "--parsable", "--time=1", f"--output={tmp_path}/job.log", "jobscripts/run.sbatch",
                          str(INPUT), str(tmp_path / "run"), "--set", "shear.max_strain=-1"],
                         check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()
    assert wait(job) == "FAILED"
    log = (tmp_path / "job.log").read_text()
    assert "exit code 2" in log and "max_strain" in log and "start 1 of job" not in log

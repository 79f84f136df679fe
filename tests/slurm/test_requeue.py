"""A job whose time limit is too short: stopped with a checkpoint, requeued by its own script, finished, equal to the bit."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from hpcglass.io.reader import verify
from hpcglass.io.trajectory import frames_of

ROOT = Path(__file__).resolve().parents[2]
INPUT = ROOT / "inputs" / "quickstart.toml"
SETTINGS = ["--no-plots", *(word for key in ("system.particles=1000", "swap.sweeps=4000", "shear.max_strain=0.02",
                                             "shear.frames_every=5") for word in ("--set", key))]
LONG = 42.0          # seconds: SLURM looks at time limits every 30 s only, and the run takes some to start
CHANGING = ("/provenance/", "/timing/", "/stage/segments")     # how often it was interrupted, how long it took
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE", "UNKNOWN")
PATIENCE = 600.0     # seconds until the job must have ended, all its starts and pauses included


def paced(seconds: float) -> dict[str, str]:
    """Environment in which the first stage of a run takes so long, most of it at rest (paced/sitecustomize.py)."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent / "paced"), "PACE": str(seconds)}


def submit(directory: Path, options: list[str], settings: list[str], environment: dict[str, str] | None = None) -> str:
    """Submit jobscripts/run.sbatch with these options of sbatch and of hpcglass; return the job's id."""
    directory.mkdir()
    command = ["sbatch", "--parsable", "--ntasks=2", f"--output={directory}/job.log", *options,
               "jobscripts/run.sbatch", str(INPUT), str(directory / "run"), *settings]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, env=environment).stdout.strip()


def wait(job: str) -> str:
    """State of the job when it has ended, such as COMPLETED."""
    end = time.monotonic() + PATIENCE
    state = ""
    while time.monotonic() < end:
        shown = subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True).stdout
        found = re.search(r"JobState=(\w+)", shown)
        state = found[1] if found else "UNKNOWN"
        if state in ENDED:      # SIGNALING, COMPLETING, REQUEUED and others come and go
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
    whole, limited = tmp_path / "whole", tmp_path / "limited"
    assert wait(submit(whole, ["--time=20"], SETTINGS)) == "COMPLETED", (whole / "job.log").read_text()
    assert "exit code 75" not in (whole / "job.log").read_text()
    # a limit of one minute is SLURM's shortest; the signal comes 55 s before it
    job = submit(limited, ["--time=1", "--signal=USR1@55"], SETTINGS, paced(LONG))
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
    directory = tmp_path / "job"
    assert wait(submit(directory, ["--time=1"], ["--set", "shear.max_strain=-1"])) == "FAILED"
    log = (directory / "job.log").read_text()
    assert "exit code 2" in log and "max_strain" in log and "start 1 of job" not in log

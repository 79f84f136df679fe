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
SETTINGS = ["--no-plots", "--set", "shear.max_strain=0.05"]
SWEEPS = 150_000     # with these the run takes somewhat longer than
ENOUGH = 40.0        # seconds, on two cores of 2023: SLURM looks at time limits every 30 s only
CHANGING = ("/provenance/", "/timing/", "/stage/segments")     # how often it was interrupted, how long it took
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE", "UNKNOWN")
PATIENCE = 600.0     # seconds until the job must have ended, all its starts and pauses included


def submit(directory: Path, options: list[str], settings: list[str]) -> str:
    """Submit jobscripts/run.sbatch with these options of sbatch and of hpcglass; return the job's id."""
    directory.mkdir()
    command = ["sbatch", "--parsable", "--ntasks=2", f"--output={directory}/job.log", *options,
               "jobscripts/run.sbatch", str(INPUT), str(directory / "run"), *settings]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()


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


def uninterrupted(tmp_path: Path) -> tuple[Path, list[str]]:
    """A run long enough to be interrupted on this machine: its directory and settings. It leaves compiled code behind."""
    sweeps = SWEEPS
    while True:
        settings = [*SETTINGS, "--set", f"swap.sweeps={sweeps}"]
        directory = tmp_path / f"whole-{sweeps}"
        began = time.monotonic()
        assert wait(submit(directory, ["--time=20"], settings)) == "COMPLETED", (directory / "job.log").read_text()
        seconds = time.monotonic() - began
        if seconds > ENOUGH:
            return directory, settings
        sweeps = int(sweeps * 1.5 * ENOUGH / seconds)


@pytest.mark.slow
def test_stopped_requeued_finished_equal(tmp_path):
    whole, settings = uninterrupted(tmp_path)
    assert "exit code 75" not in (whole / "job.log").read_text()

    limited = tmp_path / "limited"
    # a limit of one minute is SLURM's shortest; the signal comes 55 s before it
    assert wait(submit(limited, ["--time=1", "--signal=USR1@55"], settings)) == "COMPLETED", (limited / "job.log").read_text()
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

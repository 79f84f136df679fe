"""What jobscripts/run.sbatch does with each end of a run, tried with stand-ins for srun and scontrol: no SLURM needed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "jobscripts"

SRUN = """#!/bin/bash
printf '%s\\n' "$@" > srun-arguments
mkdir -p out
[ -z "$STOPPED_AT" ] || echo "2026-01-01 00:$RANDOM  stopped: stopped at step $STOPPED_AT of 100 of 02-shear by X" >> out/log.txt
[ -z "$UNTIL_SIGNAL" ] || { trap 'exit 75' USR1; touch waiting; while true; do sleep 0.02; done; }
exit "$CODE"
"""


@pytest.fixture
def job(tmp_path):
    """A function that runs a job script once; returns its exit code, its output and whether it was requeued."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tmp_path / "jobscripts").symlink_to(SCRIPTS)
    for name, text in (("srun", SRUN), ("scontrol", "#!/bin/bash\necho \"$@\" > requeued\n")):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)

    def run(code: int, stopped_at: str = "", script: str = "run.sbatch",
            arguments: tuple[str, ...] = ("my input.toml", "out"), **array: str) -> tuple[int, str, bool]:
        (tmp_path / "requeued").unlink(missing_ok=True)
        environment = {"PATH": f"{tools}:{os.environ['PATH']}", "CODE": str(code), "STOPPED_AT": stopped_at,
                       "SLURM_SUBMIT_DIR": str(tmp_path), "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "node", "SLURM_NTASKS": "2",
                       **array}
        done = subprocess.run(["bash", SCRIPTS / script, *arguments], env=environment, cwd="/", capture_output=True, text=True)
        requeued = tmp_path / "requeued"
        name = "5_3" if array else "7"
        return done.returncode, done.stdout + done.stderr, requeued.exists() and requeued.read_text() == f"requeue {name}\n"

    return run


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 137])
def test_finished_or_failed_is_not_requeued(job, code):
    assert job(code)[::2] == (code, False)


def test_requeued_as_long_as_it_gets_on(job):
    assert job(75, "10")[::2] == (75, True)
    assert job(75, "20")[::2] == (75, True)


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_a_signal_to_the_script_is_passed_on(job, tmp_path, number):
    """As `--signal=B:USR1@120` sends it: the script waits for what the run makes of it."""
    environment = {"PATH": f"{tmp_path}/tools:{os.environ['PATH']}", "UNTIL_SIGNAL": "1", "STOPPED_AT": "10",
                   "SLURM_SUBMIT_DIR": str(tmp_path), "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "node", "SLURM_NTASKS": "2"}
    script = subprocess.Popen(["bash", SCRIPTS / "run.sbatch", "my input.toml", "out"], env=environment)
    while not (tmp_path / "waiting").exists():
        time.sleep(0.01)
    script.send_signal(number)
    assert script.wait(60) == 75
    assert (tmp_path / "requeued").read_text() == "requeue 7\n"


def test_not_requeued_without_progress(job):
    job(75, "10")
    code, output, requeued = job(75, "10")
    assert (code, requeued) == (1, False)
    assert "more time" in output


def test_arguments_arrive_unchanged(job, tmp_path):
    job(0, arguments=("my input.toml", "out", "--set", "T_p=0.08"))
    arguments = (tmp_path / "srun-arguments").read_text().splitlines()
    assert arguments[-6:] == ["run", "my input.toml", "--output", "out", "--set", "T_p=0.08"]


def test_ensemble_script_sets_the_samples(job, tmp_path):
    assert job(75, "10", "ensemble.sbatch", ("in.toml", "out", "64", "--no-plots"))[::2] == (75, True)
    arguments = (tmp_path / "srun-arguments").read_text().splitlines()
    assert arguments[-6:] == ["in.toml", "--output", "out", "--set", "ensemble.samples=64", "--no-plots"]


def test_sweep_script_runs_its_element_and_requeues_it_alone(job, tmp_path):
    element = {"SLURM_ARRAY_JOB_ID": "5", "SLURM_ARRAY_TASK_ID": "3"}
    assert job(75, "10", "sweep.sbatch", ("in.toml", "out", "--stride", "4"), **element)[::2] == (75, True)
    arguments = (tmp_path / "srun-arguments").read_text().splitlines()
    assert arguments[-6:] == ["sweep", "in.toml", "--output", "out", "--stride", "4"]
    assert job(75, "10", "sweep.sbatch", ("in.toml", "out"), **element)[::2] == (1, False)
    code, output, requeued = job(0, script="sweep.sbatch")
    assert code != 0 and "usage: sbatch --array" in output and not requeued


def test_progress_of_any_run_below_the_output_counts(job, tmp_path):
    job(75, "10")
    (tmp_path / "out" / "T=1" / "sample-0000").mkdir(parents=True)
    (tmp_path / "out" / "log.txt").rename(tmp_path / "out" / "T=1" / "sample-0000" / "log.txt")
    assert job(75, "20")[::2] == (75, True)
    (tmp_path / "out" / "log.txt").unlink()
    assert job(75, "20")[::2] == (75, True)     # the same place in another run
    assert job(75, "20")[::2] == (1, False)


@pytest.mark.parametrize("script", ["run.sbatch", "ensemble.sbatch", "sweep.sbatch"])
def test_missing_arguments_give_the_usage(job, script):
    code, output, requeued = job(0, script=script, arguments=("in.toml",))
    assert code != 0 and "usage: sbatch" in output and not requeued

"""`status` of a sweep is a grid of its parameters; a sweep grows in samples and in the length of its stages."""

from __future__ import annotations

import pytest

from hpcglass.__main__ import main

INPUT = """
seed = "$s"
[parameters]
T = 1.0
s = 1
[system]
model = "ipl12"
particles = 60
[[stage]]
kind = "md"
temperature = "$T"
time = 0.05
measure_every = 10
thermostat = "langevin"
[sweep]
T = [0.5, 1.0]
s = [1, 2, 3]
"""


@pytest.fixture
def sweep(tmp_path, monkeypatch, capsys):
    """A command on an input, in the directory of the test; exit code and what was printed."""
    monkeypatch.delenv("SLURM_ARRAY_TASK_ID", raising=False)
    monkeypatch.chdir(tmp_path)

    def command(*words, old="", new=""):
        (tmp_path / "in.toml").write_text(INPUT.replace(old, new) if old else INPUT)
        code = main(list(words))
        said = capsys.readouterr()
        return code, said.out + said.err

    return command


def test_a_grid_of_states(sweep, tmp_path):
    for task in ("0", "1", "5"):
        assert sweep("sweep", "in.toml", "--output", "out", "--task", task, "--no-plots")[0] == 0
    (tmp_path / "out" / "T=0.5,s=2" / "DONE").unlink()
    with open(tmp_path / "out" / "T=0.5,s=2" / "log.txt", "a") as log:
        log.write("2026-01-01 00:00:00  error: the glass melts\n")
    other = tmp_path / "out" / "T=1,s=3" / "resolved.toml"
    other.write_text(other.read_text().replace("langevin", "none"))
    code, said = sweep("status", "out")
    assert code == 0 and said.endswith("""
T \\ s  1        2        3
0.5    done     failed   waiting
1      waiting  waiting  other input
T=0.5,s=2: the glass melts
"""), said


def test_a_sweep_gets_more_samples_and_longer_runs(sweep, tmp_path):
    more = {"old": "[sweep]", "new": "[ensemble]\nsamples = 2\n[sweep]"}
    one = ("sweep", "in.toml", "--output", "out", "--task", "1", "--no-plots")
    assert sweep(*one, **more)[0] == 0
    first = (tmp_path / "out" / "T=0.5,s=2" / "sample-0001" / "00-md.h5").read_bytes()
    larger = {"old": "[sweep]", "new": "[ensemble]\nsamples = 3\n[sweep]"}
    code, said = sweep("sweep", "in.toml", "--output", "out", **larger)
    assert code == 0 and "6 tasks: 6 waiting" in said and "--array=0-5" in said
    assert sweep(*one, **larger)[0] == 0
    assert (tmp_path / "out" / "T=0.5,s=2" / "sample-0001" / "00-md.h5").read_bytes() == first
    assert "1 done" in sweep("sweep", "in.toml", "--output", "out", **larger)[1]
    assert "T \\ s  2\n0.5    done\n" in sweep("status", "out")[1]
    code, said = sweep(*one, **more)
    assert code == 2 and "ensemble.samples: 3 -> 2" in said


def test_submit_is_resubmit(sweep, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    code, said = sweep("sweep", "in.toml", "--output", "out", "--submit")
    assert code == 0 and said.startswith("sbatch --array=0-5 jobscripts/sweep.sbatch in.toml out\n")

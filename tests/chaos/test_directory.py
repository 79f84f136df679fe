"""One run per directory, one input per directory, --fresh, and ensembles."""

from __future__ import annotations

import json
import os
import platform
import time
from importlib.util import find_spec

import pytest
from harness import Program, all_readable, results, same, wait_for, write_input

MODES = """
[system]
model = "ipl12"
particles = 100
[[stage]]
kind = "swap"
temperature = 0.2
sweeps = 30
[[stage]]
kind = "quench"
[[stage]]
kind = "modes"
count = 3
[ensemble]
samples = 2
"""


def test_changed_input_is_refused(slow_input, tmp_path, reference):
    """With the keys that changed, whether the run is in the middle or finished; --fresh keeps the old files."""
    output = tmp_path / "run"
    code, text = Program(slow_input, output, 1, CHAOS="signal:0:20").wait()
    assert code == 75, text
    longer = write_input(tmp_path / "longer.toml", pause=0.015, steps=31)
    code, text = Program(longer, output, 1).wait()
    assert code == 2 and "stage.0.steps: 30 -> 31" in text and "--fresh" in text, text
    assert "pause" not in text
    code, text = Program(slow_input, output, 1).wait()
    assert code == 0, text
    code, text = Program(longer, output, 1).wait()
    assert code == 2 and "stage.1.steps: 30 -> 31" in text, text
    code, text = Program(longer, output, 1, "--fresh").wait()
    assert code == 0 and "the old files are in" in text, text
    same(tmp_path / "run.1", reference(1))
    assert all_readable(output)


def test_two_runs_in_one_directory(slow_input, tmp_path):
    """The second is refused while the first lives; a lock of the dead is taken over."""
    output = tmp_path / "run"
    first = Program(slow_input, output, 1)
    wait_for(output / "resolved.toml", first)
    code, text = Program(slow_input, output, 1).wait()
    assert code == 4 and f"in use by process {first.process.pid} on {platform.node()}" in text, text
    first.kill()
    assert (output / ".lock").exists()
    code, text = Program(slow_input, output, 1).wait()
    assert code == 0 and "took over" in text, text


def test_lock_of_another_host_is_respected(slow_input, tmp_path):
    output = tmp_path / "run"
    output.mkdir()
    (output / ".lock").write_text(json.dumps({"host": "elsewhere", "pid": "1", "began": "", "job": ""}))
    code, text = Program(slow_input, output, 1).wait()
    assert code == 4 and "process 1 on elsewhere" in text and "remove" in text
    (output / ".lock").write_text(json.dumps({"host": "elsewhere", "pid": "1", "began": "", "job": "77"}))
    code, text = Program(slow_input, output, 1, SLURM_JOB_ID="77", SLURM_RESTART_COUNT="1",
                         CHAOS="signal:0:2").wait()     # put back into the queue, and started on another node
    assert code == 75 and "took over" in text, text


def test_fresh_does_not_move_a_directory_that_is_no_run(slow_input, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("")
    code, text = Program(slow_input, tmp_path / "home", 1, "--fresh").wait()
    assert code == 2 and "is no run directory" in text
    assert os.listdir(tmp_path / "home") == ["thesis.tex"]


def test_ensemble_is_stopped_and_resumed(tmp_path, reference):
    """Three samples on two groups of one rank; sample 0 is what a run without an ensemble gives."""
    source = write_input(tmp_path / "input.toml", pause=0.015, extra="[ensemble]\nsamples = 3\n")
    output = tmp_path / "run"
    code, text = Program(source, output, 2, checkpoint=1e9, CHAOS="signal:1:25").wait()
    assert code == 75, text
    assert not (output / "DONE").exists()
    code, text = Program(source, output, 2, checkpoint=1e9).wait()
    assert code == 0 and "3 of 3 samples done" in text, text
    assert (output / "DONE").exists()
    same(output / "sample-0000", reference(1))
    found = [results(output / f"sample-000{k}") for k in range(3)]
    for name in ("00-toy.h5:/results/work", "00-toy frames of position"):
        assert len({sample[name] for sample in found}) == 3
    began = time.monotonic()
    code, text = Program(source, output, 1).wait()
    assert code == 0 and "finished" in text and time.monotonic() - began < 15


def test_failed_sample_does_not_stop_the_others(tmp_path):
    source = write_input(tmp_path / "input.toml", extra="[ensemble]\nsamples = 2\n")
    code, text = Program(source, tmp_path / "run", 2, CHAOS="nan:1:5").wait()
    assert code == 3, text
    assert "sample 1 failed with exit code 3" in text and "1 of 2 samples done" in text
    assert (tmp_path / "run" / "sample-0000" / "DONE").exists()
    assert not (tmp_path / "run" / "DONE").exists()
    code, text = Program(source, tmp_path / "run", 2).wait()
    assert code == 0 and "2 samples, 1 to do" in text, text


@pytest.mark.skipif(find_spec("slepc4py") is None, reason="slepc4py is not installed")
def test_a_rank_without_a_sample_is_not_waited_for(tmp_path):
    """Modes begin PETSc, on all ranks together: more ranks than samples, and more than are left."""
    source, output = tmp_path / "input.toml", tmp_path / "run"
    source.write_text(MODES)
    code, text = Program(source, output, 3).wait()
    assert code == 0 and "2 of 2 samples done" in text, text
    for name in ("DONE", "sample-0001/DONE", "sample-0001/02-modes.h5"):
        (output / name).unlink()
    code, text = Program(source, output, 2).wait()
    assert code == 0 and "2 samples, 1 to do" in text and "2 of 2 samples done" in text, text


def test_ranks_that_do_not_fit(tmp_path):
    source = write_input(tmp_path / "input.toml", extra="[ensemble]\nsamples = 2\nranks_per_sample = 2\n")
    code, text = Program(source, tmp_path / "run", 3).wait()
    assert code == 2 and "start 2 or 4" in text, text

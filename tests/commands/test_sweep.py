"""A grid of parameters: its tasks, their runs, and what happens when one of them fails or is stopped."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpcglass.__main__ import main
from hpcglass.commands.sweep import state
from hpcglass.config import Config
from hpcglass.errors import InputError
from hpcglass.io.reader import verify
from hpcglass.rundir import lock
from hpcglass.sweep import choose, tasks

ROOT = Path(__file__).parents[2]
HEAD = """
seed = 5
[parameters]
F = 1e-6
N = 60
"""
BODY = """
[system]
model = "ipl12"
particles = "$N"
[[stage]]
kind = "quench"
force_tolerance = "$F"
"""
GRID = "[sweep]\nN = [60, 70]\nF = [1e-4, 1e-6]\n"
ROWS = "[[sweep]]\nN = 60\nF = 1e-4\n[[sweep]]\nF = [1e-5, 1e-6]\nN = 70\n"
CHANGING = ("/provenance/", "/timing/")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.toml"
    path.write_text(HEAD + BODY + GRID)
    return path


def program(*arguments: object, ranks: int = 1, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    launch = [str(ROOT / "tools" / "launch"), str(ranks)] if ranks > 1 else []
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OMPI_", "PMIX_", "SLURM_"))}
    return subprocess.run([*launch, sys.executable, "-m", "hpcglass", *map(str, arguments), "--no-plots"], capture_output=True,
                          text=True, timeout=120, env={**inherited, "PYTHONPATH": str(ROOT), **environment})


def values(text: str) -> list[dict[str, float]]:
    return [task.values for task in tasks(Config.parse(text, "in.toml"), Path("out"))]


def test_a_grid_is_all_combinations_the_last_name_fastest(source):
    every = tasks(Config.load(source), Path("out"))
    assert [task.values for task in every] == [
        {"N": 60, "F": 1e-4}, {"N": 60, "F": 1e-6}, {"N": 70, "F": 1e-4}, {"N": 70, "F": 1e-6}]
    assert [task.number for task in every] == [0, 1, 2, 3]
    assert [task.name for task in every] == ["N=60,F=0.0001", "N=60,F=1e-06", "N=70,F=0.0001", "N=70,F=1e-06"]


def test_rows_follow_each_other_and_may_have_lists():
    assert values(HEAD + BODY + ROWS) == [{"N": 60, "F": 1e-4}, {"N": 70, "F": 1e-5}, {"N": 70, "F": 1e-6}]


def test_a_resolved_sweep_loads_back_equal():
    for form in (GRID, ROWS):
        config = Config.parse(HEAD + BODY + form, "in.toml")
        assert Config.parse(config.to_toml(), "in.toml") == config


@pytest.mark.parametrize(("sweep", "line", "said"), [
    ("[[sweep]]\nN = 60\n[[sweep]]\nF = 1e-4\n", 15, "every [[sweep]] must have the names of the first one (N)"),
    ("[[sweep]]\nN = 60\n[[sweep]]\nN = [70, 60]\n", 15, "has N = 60 twice"),
    ("[sweep]\nN = [60, 6e1]\n", 13, "has N = 60 twice"),
    ("[[sweep]]\nN = true\n", 14, "must be a number or a list of numbers"),
    ("[[sweep]]\nM = 60\n", 14, "unknown parameter"),
    ("[[sweep]]\n", 13, "[[sweep]] for each row"),
    (f"[sweep]\nN = {list(range(60, 500))}\nF = {list(range(1, 400))}\n", 13, "makes 175560 tasks, more than 100000"),
])
def test_a_wrong_sweep_is_said_with_its_line(sweep, line, said):
    with pytest.raises(InputError) as error:
        Config.parse(HEAD + BODY + sweep, "in.toml")
    (message,) = str(error.value).split("\n")
    assert message.startswith(f"in.toml:{line}: ") and said in message


def test_each_element_of_an_array_with_a_stride_has_its_own_tasks(source):
    every = tasks(Config.load(source, ["sweep.N=[60, 70, 80, 90, 100]"]), Path("out"))
    found = [task.number for first in range(3) for task in choose(every, first, 3)]
    assert len(every) == 10 and sorted(found) == list(range(10))
    assert [task.number for task in choose(every, 9)] == [9]
    for first, stride in ((10, None), (-1, None), (3, 3)):
        with pytest.raises(InputError, match=r"there is no task|another one comes to it"):
            choose(every, first, stride)


def test_a_task_is_the_run_of_its_input_to_the_bit(source, tmp_path):
    done = program("sweep", source, "--output", tmp_path / "out", SLURM_ARRAY_TASK_ID="2")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["N=70,F=0.0001", "grid.toml", "sweep.toml"]
    plain = tmp_path / "plain.toml"
    plain.write_text(HEAD + BODY)
    assert program("run", plain, "--output", tmp_path / "plain", "--set", "N=70", "--set", "F=1e-4").returncode == 0
    task = tmp_path / "out" / "N=70,F=0.0001"
    assert (task / "resolved.toml").read_text() == (tmp_path / "plain" / "resolved.toml").read_text()
    hashes = [{name: value for name, value in verify(directory / "00-quench.h5").items() if not name.startswith(CHANGING)}
              for directory in (task, tmp_path / "plain")]
    assert len(hashes[0]) > 5 and hashes[0] == hashes[1]
    assert sorted(path.name for path in task.iterdir()) == sorted(path.name for path in (tmp_path / "plain").iterdir())


def test_run_does_all_tasks_and_one_that_fails_does_not_stop_the_others(source, tmp_path, capsys):
    out = tmp_path / "out"
    source.write_text((HEAD + BODY + GRID).replace("F = [1e-4, 1e-6]", "F = [1e-99, 1e-4]"))     # beyond round-off
    done = program("run", source, "--output", out, "--set", "quench.max_evaluations=500", ranks=2)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "2 of 4 tasks done" in done.stdout and "task 2 failed with exit code 3" in done.stdout
    assert main(["sweep", str(source), "--output", str(out), "--set", "quench.max_evaluations=500"]) == 0
    said = capsys.readouterr().out
    assert re.findall(r" (done|running|stopped|failed|waiting) ", said.partition("tasks:")[0]) == ["failed", "done"] * 2
    assert "4 tasks: 2 done, 2 failed" in said
    assert f"hpcglass run {source} --output {out} --set quench.max_evaluations=500\n" in said and "--array=0,2 " in said
    assert len(re.findall(r"failed .*F=1e-99  .*500", said)) == 2      # and why
    assert main(["status", str(out)]) == 0
    assert capsys.readouterr().out.count("finished, 1/1 stages") == 2
    again = program("run", source, "--output", out, "--set", "quench.max_evaluations=500")
    assert again.returncode == 3 and again.stdout.count("is finished; nothing to do") == 2


def test_a_request_to_stop_ends_the_sweep_with_75(tmp_path):
    source = tmp_path / "in.toml"
    source.write_text('[parameters]\nT = 0.1\n[system]\nmodel = "ipl12"\nparticles = 60\n[[stage]]\nkind = "md"\n'
                      'temperature = "$T"\ntime = 1e5\n[sweep]\nT = [0.1, 0.2, 0.3]\n')
    log = tmp_path / "out" / "T=0.1" / "log.txt"
    process = subprocess.Popen([sys.executable, "-m", "hpcglass", "run", str(source), "--output", str(tmp_path / "out")],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               env={**os.environ, "PYTHONPATH": str(ROOT)})
    end = time.monotonic() + 60
    while not (log.exists() and "starts" in log.read_text()) and time.monotonic() < end:
        time.sleep(0.05)
    assert state(log.parent) == ("running", "")
    process.send_signal(signal.SIGUSR1)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 75, said
    assert "3 tasks are not done: run the same command again" in said
    assert state(log.parent) == ("stopped", "") and list(log.parent.glob("checkpoint-?.h5"))
    assert not (tmp_path / "out" / "T=0.2").exists()


def test_a_request_in_the_last_stage_of_a_task_is_not_forgotten():
    from hpcglass.rundir.signals import Stop

    with Stop() as around:
        with Stop() as inner:
            os.kill(os.getpid(), signal.SIGUSR1)
            assert inner.asked() == signal.SIGUSR1 and not around.asked()
        assert around.asked() == signal.SIGUSR1
    with Stop() as around:
        with Stop():
            pass
        assert not around.asked()


def test_states(tmp_path):
    run = tmp_path / "T=1"
    assert state(run) == ("waiting", "")
    run.mkdir()
    log = run / "log.txt"
    began, stamp = "2026-01-01 10:00:00  hpcglass 1.0 on 2 ranks\n", "2026-01-01 10:01:00  "
    for text, *expected in (
            (began, "stopped", ""), (f"{began}{stamp}error: nan\x1b[2J\nerror: and more\n", "failed", "nan\\x1b[2J"),
            (f"{stamp}error: nan\n{began}", "stopped", ""), (f"{began}{stamp}stopped: stopped at step 3\n", "stopped", ""),
            (f"{began}{stamp}sample 3 failed with exit code 3, see x\n{stamp}3 of 4 samples done\n", "failed",
             "sample 3 failed with exit code 3, see x")):
        log.write_text(text)
        assert state(run) == tuple(expected)
    lock.acquire(run)
    assert state(run) == ("running", "")
    lock.release(run)
    (run / ".lock").write_text(json.dumps({"host": os.uname().nodename, "pid": "1", "began": "never"}))
    assert state(run)[0] == "failed"
    (run / "DONE").touch()
    assert state(run) == ("done", "")
    log.unlink()
    os.mkfifo(log)          # nobody waits for somebody to write into it
    (run / "DONE").unlink()
    assert state(run) == ("waiting", "")


@pytest.mark.parametrize(("arguments", "said"), [
    (["run", "IN", "--fresh"], "--fresh: a sweep has a directory per task"),
    (["run", "IN", "--set", "N=80"], "--set N=80: the sweep goes over N"),
    (["sweep", "IN", "--set", "parameters.N=80"], "the sweep goes over N"),
    (["sweep", "IN", "--task", "4"], "there is no task 4: the sweep has tasks 0 to 3"),
    (["sweep", "IN", "--stride", "4"], "give --task, or submit a job array"),
    (["sweep", "IN", "--set", "sweep=[]"], "the input has no [sweep]"),
    (["sweep", "IN", "--set", "sweep=[]", "--task", "0"], "the input has no [sweep]"),
    (["run", "IN", "--set", "sweep.N=[60, -1]"], "task 2 of the sweep: with N = -1, F = 0.0001 the input is wrong"),
])
def test_what_cannot_be_is_refused_before_anything_runs(source, tmp_path, arguments, said, capsys, monkeypatch):
    monkeypatch.delenv("SLURM_ARRAY_TASK_ID", raising=False)
    code = main([*(str(source) if word == "IN" else word for word in arguments), "--output", str(tmp_path / "out")])
    assert code == 2 and said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_sweep_does_not_go_into_the_directory_of_a_run(source, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "resolved.toml").write_text("")
    done = program("run", source, "--output", tmp_path / "out")
    assert done.returncode == 2 and "is the directory of a single run" in done.stderr


def test_validate_adds_up_the_tasks(source, capsys):
    assert main(["validate", str(source)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("valid: quench of 70 particles") and "4 tasks; above is task 2, the longest" in said

"""A sweep knows its input: one directory has tasks of one input, whoever starts them, and says what is missing."""

from __future__ import annotations

import os
import random
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hpcglass.__main__ import main
from hpcglass.commands.sweep import look, ranges
from hpcglass.config import Config
from hpcglass.errors import FileError, InputError
from hpcglass.rundir import shared
from hpcglass.sweep import Sweep

INPUT = """
title = "a sweep"
[parameters]
N = 60
F = 1e-4
[system]
model = "ipl12"
particles = "$N"
[[stage]]
kind = "quench"
force_tolerance = "$F"
[sweep]
N = [60, 70]
F = [1e-2, 1e-1]
"""


@pytest.fixture(autouse=True)
def no_array(monkeypatch):
    monkeypatch.delenv("SLURM_ARRAY_TASK_ID", raising=False)


@pytest.fixture
def place(tmp_path):
    (tmp_path / "in.toml").write_text(INPUT)
    return tmp_path


def read(text: str = INPUT) -> Sweep:
    return Sweep.read(text, Path("in.toml"), ())


def sweep(place: Path, *options: str, old: str = "", new: str = "") -> int:
    """The command with the input changed."""
    (place / "in.toml").write_text(INPUT.replace(old, new) if old else INPUT)
    plots = ["--no-plots"] if "--task" in options else []
    return main(["sweep", str(place / "in.toml"), "--output", str(place / "out"), *options, *plots])


def made(place: Path) -> list[str]:
    return sorted(path.name for path in (place / "out").iterdir() if path.is_dir())


def test_an_input_that_is_edited_between_two_tasks_is_refused_and_nothing_of_it_starts(place, capsys):
    assert sweep(place, "--task", "0") == 0
    capsys.readouterr()
    changed = {"old": 'model = "ipl12"', "new": 'model = "ipl12"\naspect = [1.0, 1.2]'}
    assert sweep(place, "--task", "1", **changed) == 2
    assert "system.aspect.1: 1.0 -> 1.2" in capsys.readouterr().err
    assert made(place) == ["N=60,F=0.01"]
    assert sweep(place, **changed) == 0
    said = capsys.readouterr().out
    assert "4 tasks: 3 waiting, 1 other input" in said and "none of these tasks will start" in said and "sbatch" not in said
    assert sweep(place, "--resubmit", **changed) == 2 and "system.aspect.1" in capsys.readouterr().err
    assert main(["run", str(place / "in.toml"), "--output", str(place / "out"), "--no-plots"]) == 2
    assert made(place) == ["N=60,F=0.01"]


def test_a_grid_may_grow_and_what_is_no_input_of_a_task_may_change(place, capsys):
    assert sweep(place, "--task", "0") == 0
    for old, new in (("N = [60, 70]", "N = [50, 60, 70]"), ("N = 60\n", "N = 80\n"), ("a sweep", "another title")):
        assert sweep(place, old=old, new=new) == 0
        assert " 1 done" in capsys.readouterr().out
    assert sweep(place, "--task", "0", old="N = [60, 70]", new="N = [50, 60, 70]") == 0
    assert made(place) == ["N=50,F=0.01", "N=60,F=0.01"]
    capsys.readouterr()
    assert sweep(place) == 0
    said = capsys.readouterr().out
    assert "not of this grid: N=50,F=0.01" in said and "4 tasks: 1 done, 3 waiting" in said and "--array=1-3 " in said


def test_the_values_that_a_sweep_goes_over_and_what_follows_from_them_are_not_shared():
    walls = INPUT.replace('particles = "$N"', 'density = 0.9\nr_in = "$N"\nr_out = 100.0')
    assert read(walls).shared == read(walls.replace("N = 60\n", "N = 50\n")).shared
    assert read(walls).shared != read(walls.replace("0.9", "0.8")).shared
    assert read().shared != read(INPUT.replace("F = [1e-2, 1e-1]\n", "")).shared          # goes over another name less
    for text in (INPUT, walls):
        whole = read(text)
        for task in whole.tasks(Path("out")):
            assert shared.shared(whole.configure(task).to_toml(), whole.over, whole.follows) == whole.shared


def test_a_directory_from_before_is_taken_as_its_tasks_are(place):
    assert sweep(place, "--task", "0") == 0
    (place / "out" / shared.NAME).unlink()
    assert sweep(place, "--task", "0", old='"$F"', new="1e-3\npressure_tolerance = \"$F\"") == 2
    assert not (place / "out" / shared.NAME).exists()
    assert sweep(place, "--task", "0") == 0 and (place / "out" / shared.NAME).exists()


def test_of_tasks_of_two_inputs_that_start_at_once_those_of_one_go_on(tmp_path):
    """Whoever writes sweep.toml first; the others of the same input read it."""
    texts = [read().shared, read(INPUT.replace("ipl12", "lj-binary")).shared]

    def begin(output: Path, which: int) -> int:
        try:
            shared.belongs(output, texts[which], ())
        except InputError:
            return -1
        return which

    with ThreadPoolExecutor(8) as pool:
        for k in range(40):
            output = tmp_path / str(k)
            output.mkdir()
            found = list(pool.map(lambda n, output=output: begin(output, n % 2), range(8)))
            assert sorted(found) in ([-1] * 4 + [0] * 4, [-1] * 4 + [1] * 4)
            assert [path.name for path in output.iterdir()] == [shared.NAME]


@pytest.mark.parametrize("content", [b"", b"over = []\n", b"\xff\xfe", shared.HEAD.encode() + b'sha256 = "0"\n'])
def test_a_damaged_sweep_toml_is_said(tmp_path, content, monkeypatch):
    monkeypatch.setattr(shared, "PATIENCE", 0.0)
    (tmp_path / shared.NAME).write_bytes(content)
    with pytest.raises(FileError, match="damaged; remove it"):
        shared.belongs(tmp_path, read().shared, ())


def test_links_are_followed_by_no_task(place, capsys):
    (place / "elsewhere").mkdir()
    (place / "out").mkdir()
    (place / "out" / "N=60,F=0.01").symlink_to(place / "elsewhere")
    assert sweep(place, "--task", "0") == 2 and "is a link; a sweep follows none" in capsys.readouterr().out
    assert list((place / "elsewhere").iterdir()) == []
    (place / "precious").write_text("mine")
    (place / "out" / shared.NAME).unlink()
    (place / "out" / shared.NAME).symlink_to(place / "precious")
    assert sweep(place, "--task", "1") == 4
    assert (place / "precious").read_text() == "mine"


def test_a_task_whose_directory_has_other_values_is_of_another_input(place):
    """Copied by hand, for instance."""
    assert sweep(place, "--task", "0") == 0
    os.rename(place / "out" / "N=60,F=0.01", place / "out" / "N=70,F=0.01")
    states = [look(task, read()).state for task in read().tasks(place / "out")]
    assert states == ["waiting", "waiting", "other input", "waiting"]


@pytest.mark.parametrize("numbers,text", [([4, 5], "4,5"), ([0, 1, 2, 3, 7], "0-3,7"), ([3], "3"), ([5, 1, 3], "1,3,5"),
                                          (range(1000), "0-999"), ([1, 2, 4, 5, 6], "1,2,4-6")])
def test_numbers_of_an_array(numbers, text):
    assert ranges(numbers) == text


def test_more_tasks_than_elements_are_submitted_by_the_elements_that_come_to_them(place, capsys):
    many = f"N = {list(range(60, 700))}\n"
    for n in (0, 1):
        assert sweep(place, "--task", str(n), old="N = [60, 70]\n", new=many) == 0
    capsys.readouterr()
    assert sweep(place, old="N = [60, 70]\n", new=many) == 0
    assert "--array=0-999 " in capsys.readouterr().out          # 1280 tasks: tasks 1000 and 1001 wait for elements 0 and 1
    for n in (1000, 1001):
        assert sweep(place, "--task", str(n), old="N = [60, 70]\n", new=many) == 0
    capsys.readouterr()
    assert sweep(place, old="N = [60, 70]\n", new=many) == 0
    assert f"--array=2-999 jobscripts/sweep.sbatch {place}/in.toml {place}/out --stride 1000\n" in capsys.readouterr().out


@pytest.mark.parametrize("code", [0, 1])
def test_resubmit_gives_the_missing_tasks_to_slurm(place, capsys, monkeypatch, code):
    assert sweep(place, "--task", "1") == 0
    capsys.readouterr()
    monkeypatch.setenv("PATH", str(place), prepend=os.pathsep)
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert sweep(place, "--resubmit", "--set", "system.sizes=random") == 2          # another input
    capsys.readouterr()
    assert sweep(place, "--resubmit") == 0
    line = f"sbatch --array=0,2,3 jobscripts/sweep.sbatch {place}/in.toml {place}/out"
    assert capsys.readouterr().out == f"{line}\nthere is no sbatch here: give this command where SLURM is\n"
    (place / "sbatch").write_text(f"#!/bin/sh\necho \"$@\" > {place}/got\necho Submitted; echo no >&2; exit {code}\n")
    (place / "sbatch").chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda name: str(place / "sbatch"))
    monkeypatch.chdir(place)
    assert sweep(place, "--resubmit") == 2 and "there is no jobscripts/sweep.sbatch here" in capsys.readouterr().err
    monkeypatch.chdir(Path(__file__).parents[2])
    assert sweep(place, "--resubmit") == (4 if code else 0)
    assert (place / "got").read_text() == line.removeprefix("sbatch ") + "\n"
    assert ("sbatch did not take it: no" in capsys.readouterr().err) == bool(code)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_ARRAY_TASK_ID", "0")         # in a job: still not a task
        assert sweep(place, "--resubmit") == (4 if code else 0)
    assert sweep(place, "--resubmit", "--task", "0") == 2


def test_a_sweep_that_is_done_says_so(place, capsys):
    assert main(["run", str(place / "in.toml"), "--output", str(place / "out"), "--no-plots"]) == 0
    capsys.readouterr()
    for option in ((), ("--resubmit",)):
        assert sweep(place, *option) == 0
        assert "there is nothing left to start" in (said := capsys.readouterr().out) and "sbatch" not in said


def test_names_are_quoted_and_stripped_of_control_characters(tmp_path, capsys):
    """What is shown can be given to a shell as it stands, and does nothing to the terminal."""
    source = tmp_path / "my input\x1b[31m;$(touch x)'.toml"
    source.write_text(INPUT.replace("a sweep", "red \\u001b[31m title"))
    assert main(["sweep", str(source), "--output", str(tmp_path / "out put"), "--set", 'title="a\x07 b"']) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said and "\x07" not in said
    line = next(line for line in said.splitlines() if line.startswith("one of them"))
    command = line.removeprefix("one of them     hpcglass ")
    words = subprocess.run(["bash", "-c", f"printf '%s\\0' {command}"], capture_output=True, text=True, cwd=tmp_path).stdout
    assert words.split("\0")[:-1] == ["sweep", str(source), "--output", str(tmp_path / "out put"), "--set", 'title="a\x07 b"',
                                      "--task", "0"]
    assert not (tmp_path / "x").exists()
    assert main(["run", str(source), "--output", str(tmp_path / "out put"), "--no-plots"]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert "\x1b" not in (tmp_path / "out put" / "N=60,F=0.01" / "log.txt").read_text()
    assert main(["status", str(tmp_path / "out put")]) == 0 and "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("word", ["abc", "-1", "1.5", "²", "9" * 30, "0x1", ""])
def test_a_task_that_is_no_number_gives_2(place, word, monkeypatch, capsys):
    for option in ("--task", "--stride"):
        try:
            code = main(["sweep", str(place / "in.toml"), option, word])
        except SystemExit as end:
            code = end.code
        assert code == 2
    if word:
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", word)
        assert main(["sweep", str(place / "in.toml"), "--output", str(place / "out")]) == 2
        assert "SLURM_ARRAY_TASK_ID" in capsys.readouterr().err
    assert not (place / "out").exists()


def test_a_wrong_value_of_the_grid_is_said_by_every_command(place, capsys):
    (place / "in.toml").write_text(INPUT.replace("N = [60, 70]", "N = [60, 3]"))
    for command in ("validate", "sweep", "run"):
        assert main([command, str(place / "in.toml")]) == 2
        assert "task 2 of the sweep: with N = 3, F = 0.01 the input is wrong" in capsys.readouterr().err


GRIDS = """
seed = "$s"
[parameters]
s = 1
N = 100
x = 1.0
w = 1.25
[system]
model = "own"
particles = "$N"
density = "$x"
[model]
name = "own"
beta = 12
q = 2
x_c = "$w"
sizes = {smallest = 0.8, largest = 1.2}
[[stage]]
kind = "swap"
temperature = "$x"
sweeps = "$N"
[[stage]]
kind = "shear"
strain_step = 1e-3
max_strain = "$x"
[ensemble]
samples = "$s"
"""


def test_points_are_what_the_input_is_with_their_values():
    """Read quickly or each by itself: the same tables, and the same points are wrong."""
    whole, dice = read(GRIDS), random.Random(1)
    choices = {"s": [1, 2, 0, -1, 1.5, 20_000], "N": [60, 100, 3, 2**41, 99.5], "x": [1.0, 0.5, 0.0, -1, 1e-4, 1e9, 1],
               "w": [1.25, 1.4, 0.0, 1e7]}
    wrong = 0
    for _ in range(50):
        names = dice.sample(list(choices), dice.randint(1, 4))
        values = {name: dice.choice(choices[name][: dice.choice([2, 9])]) for name in names}
        found = whole.points.at(values)
        try:
            config = Config.parse(GRIDS, "in.toml", [f"parameters.{name}={value!r}" for name, value in values.items()])
        except InputError:
            wrong += 1
            assert found is None, values
            continue
        assert found is not None, values
        assert (found.system, found.stage, found.ensemble, found.model) == (
            config.system, config.stage, config.ensemble, config.glass())
    assert 10 < wrong < 45


def test_a_hundred_thousand_tasks_are_looked_at_once_each(monkeypatch):
    """Not timed: the text is parsed once, and only the table that names the parameter is read again."""
    from hpcglass.config import reader, toml

    counts = {"parse": 0, "table": 0}
    for owner, name in ((toml, "parse"), (reader, "table")):
        original = getattr(owner, name)

        def counted(*arguments, name=name, original=original):
            counts[name] += 1
            return original(*arguments)

        monkeypatch.setattr(owner, name, counted)
    whole = read(INPUT.replace("N = [60, 70]", f"N = {list(range(60, 160))}").replace("F = [1e-2, 1e-1]",
                                                                                     f"F = {[1e-3 * k for k in range(1, 101)]}"))
    assert sum(1 for _ in whole.inputs(whole.tasks(Path("out")))) == 10_000
    assert counts["parse"] == 1 and counts["table"] < 220, counts


def test_a_name_that_no_directory_can_have_is_refused():
    text = re.sub(r"\bN\b", "N" * 250, INPUT)
    with pytest.raises(InputError, match="shorten the names"):
        read(text).tasks(Path("out"))

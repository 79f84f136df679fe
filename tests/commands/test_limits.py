"""What cannot be is said in a sentence before anything starts: sizes, names, settings, arguments."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from hpcglass import settings
from hpcglass.__main__ import main
from hpcglass.commands.parts import estimate
from hpcglass.commands.status import look
from hpcglass.errors import InputError
from hpcglass.rundir import lock
from hpcglass.rundir.signals import Stop
from hpcglass.words import one_line, plain, quoted

INPUT = """
[system]
model = "ipl12"
particles = 100
[[stage]]
kind = "quench"
force_tolerance = 1e-3
[[stage]]
kind = "shear"
strain_step = 1e-3
max_strain = 0.1
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.toml").write_text(INPUT)
    return str(tmp_path / "in.toml")


@pytest.mark.parametrize("changes,said", [
    (["shear.strain_step=1e-300", "shear.max_strain=1e300"], "far out of range"),
    (["shear.strain_step=1e-90", "shear.max_strain=1e90"], "more than 1e+08"),
    (["shear.adaptive=true", "shear.smallest_step=1e-90"], "give at least"),
    ([f"shear.label={'x' * 65}"], "at most 64 characters"),
    (["system={model='ipl12', r_in=1.0, r_out=9.0, density=1e90}"], "more than 1099511627776"),
    (["system={model='ipl12', r_in=1e90, r_out=1e99, density=1}"], "makes"),
    (["model={sizes={smallest=1, largest=2}, segment=[{upto=1.0, powers=[-1000000], coefficients=[1]}]}", "system.model=custom"],
     "must be >= -200"),
    (["model={sizes={smallest=1e-90, largest=2}, beta=12, q=2, x_c=1.25}", "system.model=custom"], "unit"),
    (["stage=[{kind='epm', size=8, shear_modulus=1, initial={distribution='normal', mean=1, cv=0.1}, slip={fixed=0.1}, "
      "max_strain=1, record_every=1e-90}]"], "rows up to max_strain"),
])
def test_numbers_out_of_range_are_refused(source, capsys, changes, said):
    assert main(["validate", source, *(word for change in changes for word in ("--set", change))]) == 2
    assert said in capsys.readouterr().err


def test_what_is_larger_than_the_machine_is_said_and_not_started(source, tmp_path, capsys, monkeypatch):
    assert main(["validate", source, "--set", "system.particles=1e12"]) == 0
    assert "needs more memory than this machine has" in capsys.readouterr().out
    assert main(["run", source, "--set", "system.particles=1e12", "--output", str(tmp_path / "out")]) == 2
    assert "take fewer particles" in capsys.readouterr().err and not (tmp_path / "out").exists()
    monkeypatch.setattr("hpcglass.commands.validate.machine_memory", lambda: 1e9)
    assert main(["validate", source, "--ranks", "8"]) == 0
    assert "all ranks need 1.6 GB, this machine has 1 GB" in capsys.readouterr().out
    assert 1e8 < estimate.machine_memory() < 1e15


@pytest.mark.needs("mumps")
@pytest.mark.parametrize("stage", [
    "kind='modes', count=4611686018427387904", "kind='bonds', count=4611686018427387904",
    "kind='bonds', dipoles=4611686018427387904", "kind='bonds', count=4611686018427387904, pseudo_harmonic=4611686018427387904",
    "kind='bonds', all=true, dipoles=4611686018427387904"])
def test_fields_that_no_machine_can_hold_are_not_started(source, tmp_path, capsys, stage):
    change = f"stage=[{{kind='quench'}}, {{{stage}}}]"
    assert main(["run", source, "--set", change, "--output", str(tmp_path / "out")]) == 2
    assert "take fewer particles" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name,value", [("HPCGLASS_CHECKPOINT_SECONDS", value) for value in ("abc", "-1", "nan", "1 s", "²")]
                         + [("HPCGLASS_IO", value) for value in ("mpi", "Serial", " ")])
def test_settings_that_mean_nothing_are_refused(source, tmp_path, capsys, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert main(["run", source, "--output", str(tmp_path / "out")]) == 2
    assert f"{name}={value}: must be" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_settings_that_mean_something(monkeypatch):
    for value, expected in (("", None), ("0", 0.0), ("1e9", 1e9), ("0.1", 0.1), ("inf", float("inf"))):
        monkeypatch.setenv("HPCGLASS_CHECKPOINT_SECONDS", value)
        assert settings.checkpoint_seconds() == expected
    monkeypatch.setenv("HPCGLASS_IO", "serial")
    assert settings.serial_io()


@pytest.mark.parametrize("value", ["1000000000", "a minute ago", "abc", "²", "-5", "1e9", "9" * 400, ""])
def test_a_job_that_ended_long_ago_stops_nothing(monkeypatch, value):
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) - 60) if value == "a minute ago" else value)
    with Stop() as stop:
        assert stop.asked(reserve=100.0) == 0


@pytest.mark.parametrize("name", ["OMPI_COMM_WORLD_RANK", "PMI_SIZE", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"])
def test_a_launcher_that_says_nonsense_is_not_believed(monkeypatch, name):
    from hpcglass import launcher

    for other in (*launcher.RANKS, *launcher.SIZES):
        monkeypatch.delenv(other, raising=False)
    for value in ("²", "x", "-1", "9" * 5000, ""):
        monkeypatch.setenv(name, value)
        assert launcher.rank() == 0 and launcher.tasks() == 1


@pytest.mark.parametrize("name", ["x" * 300, "a/" * 2100, "\udcff", "a\0b", "", "in.toml", "/dev/null"])
def test_names_that_no_directory_can_have_are_refused(source, tmp_path, capsys, name):
    assert main(["run", source, "--output", name]) == 2
    assert capsys.readouterr().err.startswith("hpcglass: ") and os.listdir(tmp_path) == ["in.toml"]


COMMANDS = [["validate", "?"], ["sweep", "?"], ["status", "?"], ["plot", "?"], ["plot", "?", "-o", "?"], ["run", "?"],
            ["calibrate", "?"], ["merge", "?", "--stage", "x", "-o", "m.h5"], ["export", "?", "-o", "o.xyz"],
            ["export", "?", "-o", "?"], ["screening", "?"], ["import", "?", "-o", "o.h5", "--model", "ipl12"],
            ["validate", "in.toml", "--set", "?"]]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words))
def test_every_command_answers_nonsense_with_a_sentence(source, tmp_path, capsys, words):
    for ending in (".h5", ".xyz", ".gsd", ".data", ".toml"):
        (tmp_path / f"random{ending}").write_bytes(os.urandom(2000))
        (tmp_path / f"loop{ending}").symlink_to(f"loop{ending}")
    (tmp_path / "random.toml").write_bytes(b"\xff\xfe")
    run = tmp_path / "run"
    run.mkdir()
    (run / "resolved.toml").write_text("stage = [1, 'a', {}]\n")
    (run / "log.txt").write_bytes(b"\xff\x1b[31m")
    (run / ".lock").mkdir()
    (run / "00-quench.h5").write_bytes(b"?")
    for name in ("nothing", "nothing.h5", "random.h5", "random.xyz", "random.gsd", "random.data", "random.toml", "loop.h5",
                 "loop.toml", "run", ".", "/dev/null", "x" * 300, "x" * 300 + ".h5", "in.toml/x", "\x1b[31m.toml", "a\0.h5",
                 "\udcff.xyz", ""):
        try:
            code = main([name if word == "?" else word for word in words])
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        assert code in (0, 2, 3, 4) and (code == 0 or err.strip()), (name, code)
        assert "Traceback" not in err and "\x1b" not in out + err, name


def test_status_says_whether_the_holder_lives(tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    (run / "resolved.toml").write_text('[[stage]]\nkind = "quench"\n')
    lock.acquire(run)
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True).stdout.strip()
    here = os.uname().nodename
    for text, state, said in (
            (None, "alive", f"held by process {os.getpid()} on {here}, which is running"),
            (json.dumps({"host": here, "pid": ended, "began": "1"}), "dead", "ended without a word: the same command goes on"),
            (json.dumps({"host": "elsewhere", "pid": "1"}), "unknown", "elsewhere, which cannot be"),
            ("?", "dead", "an unknown process")):
        if text is not None:
            (run / ".lock").write_text(text)
        assert look(run)[0]["holder"] == state
        assert main(["status", str(run)]) == 0 and said in capsys.readouterr().out


def test_words():
    assert plain("a\x1b[1m\tb\n\u202ec\x7f") == "a\\x1b[1m\tb\n\\u202ec\\x7f" and plain("γ–é 漢") == "γ–é 漢"
    assert one_line("a\nb" * 100, 10) == "a ba ba..."
    for word in ("plain", "a b", "it's", "$(x)", "a\x07'\\b", "é\n", "-x", "\udcff"):
        shown = subprocess.run(["bash", "-c", f"printf %s {quoted(word)}"], capture_output=True).stdout if word != "-x" else b"-x"
        assert shown == os.fsencode(word)
        assert quoted(word).isprintable()


def test_out_of_memory_is_one_sentence(source, tmp_path, capsys, monkeypatch):
    def full(*arguments, **options):
        raise MemoryError("Unable to allocate 3 TiB")

    monkeypatch.setattr("hpcglass.run.main", full)
    assert main(["run", source, "--output", str(tmp_path / "out")]) == 4
    assert "out of memory: take fewer particles" in (said := capsys.readouterr().err) and "Traceback" not in said


def test_a_wrong_setting_of_the_library_is_an_input_error(monkeypatch):
    monkeypatch.setenv("HPCGLASS_IO", "x")
    with pytest.raises(InputError):
        settings.check()


@pytest.mark.parametrize("words,said", [
    (["indicators", "x.csv", "--x-cut", "-1"], "--x-cut: -1: must be above 0 and at most 10"),
    (["indicators", "x.csv", "--x-cut", "nan"], "--x-cut: nan: must be above 0"),
    (["indicators", "x.csv", "--s2-range", "1e9"], "--s2-range: 1e9: must be above 0 and at most 100"),
    (["indicators", "x.csv", "--diameters", "1", "0"], "--diameters: 0: must be above 0"),
    (["indicators", "x.csv", "--box", "nan", "3"], "--box: nan: must be above 0"),
    (["predict", "x", "--bins", "0"], "--bins: 0: must be at least 1"),
    (["predict", "x", "--least-energy", "inf"], "--least-energy: inf: must be at least 0"),
    (["softness", "train", "x", "-o", "w.h5", "--held-out", "1"], "--held-out: 1: must be at least 2"),
    (["screening", "x", "--bins", "3"], "--bins: 3: must be at least 4"),
    (["screening", "x", "--r-in", "nan"], "--r-in: nan: must be above 0"),
    (["screening", "x", "--d0", "inf"], "--d0: inf: must be finite"),
    (["profile", "x.h5", "--across", "x", "-o", "x.csv", "--slabs", "0"], "--slabs: 0: must be at least 1"),
    (["import", "x.xyz", "-o", "x.h5", "--model", "ipl12", "--tile", "0"], "--tile: 0: must be at least 1"),
    (["validate", "x.toml", "--ranks", "0"], "--ranks: 0: must be at least 1"),
    (["plot", "x", "--dpi", "1"], "--dpi: 1: must be at least 20 and at most 2400"),
])
def test_numbers_of_options_out_of_range_are_refused(capsys, words, said):
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert said in capsys.readouterr().err

"""Warnings stand together at the end; a brief log has one line per stage on the terminal, and all in the file."""

from __future__ import annotations

import pytest
from mpi4py import MPI

from hpcglass import settings
from hpcglass.config import Config
from hpcglass.errors import InputError
from hpcglass.run import main
from hpcglass.rundir.log import Log
from hpcglass.sealed.file import File

EPM = """
seed = 1
[[stage]]
kind = "epm"
size = 6
shear_modulus = 1.0
slip = { fixed = 0.3 }
initial = { distribution = "weibull", mean = 1.0, cv = 0.3 }
max_strain = 0.2
"""


def test_warnings_are_said_again_at_the_end(tmp_path, capsys):
    log = Log(tmp_path / "log.txt")
    for line in ("warning: one", "something", "warning: two", "warning: one"):
        log.line(line)
    log.sum_up()
    log.close()
    assert log.warnings == ["one", "two"]
    assert capsys.readouterr().out.endswith("2 warnings:\n  one\n  two\n")
    assert (tmp_path / "log.txt").read_text().endswith("2 warnings:\n  one\n  two\n")
    Log(None).sum_up()


def test_a_brief_log(tmp_path, capsys):
    log = Log(tmp_path / "log.txt", prefix="[3] ", brief=True)
    log.line("00-md: starts")
    log.line("00-md: done\nwith a table", brief="00-md: done in 3 s")
    log.line("warning: take care")
    log.line("error: gone")
    log.close()
    assert capsys.readouterr().out == "[3] 00-md: done in 3 s\n[3] warning: take care\n[3] error: gone\n"
    assert "with a table" in (tmp_path / "log.txt").read_text()


def run(text, directory):
    return main(Config.parse(text, "input.toml"), text, directory, MPI.COMM_SELF, fresh=False, plots=False)


def test_the_end_of_a_run(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("hpcglass.core.cache.note", "the cache cannot be written")
    assert run(EPM, tmp_path / "run") == 0
    said = capsys.readouterr().out
    assert "memory peak" in said and "core-hours" in said and "particles x steps per second" in said
    assert "literature, in references.bib: " in said and "debuyl2014" in said
    assert "1 warning:\n  the cache cannot be written\ndone: results in" in said
    with File(tmp_path / "run" / "00-epm.h5") as file:
        assert file.value("/provenance/warnings") == "the cache cannot be written"
        effort = file.attributes("/timing")
        assert effort["memory_peak"][0] > 1e6 and effort["core_hours"] > 0 and effort["particle_steps_per_second"] > 0


def test_an_ensemble_says_one_line_per_sample_and_stage(tmp_path, capsys, monkeypatch):
    text = EPM + "[ensemble]\nsamples = 2\n"
    assert run(text, tmp_path / "run") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    assert [line.partition(" in ")[0] for line in lines] == ["[0] 00-epm: done", "[1] 00-epm: done"]
    monkeypatch.setenv("HPCGLASS_LOG", "all")
    assert run(text, tmp_path / "all") == 0
    assert "[1] 00-epm: starts" in capsys.readouterr().out
    monkeypatch.setenv("HPCGLASS_LOG", "loud")
    with pytest.raises(InputError, match="HPCGLASS_LOG=loud: must be all"):
        settings.check()

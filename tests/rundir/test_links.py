"""Files that are whole or not there, links that lead nowhere, and what a killed run has left. All links are harmless ones."""

from __future__ import annotations

import os

import numpy as np
import pytest
from mpi4py import MPI

from hpcglass import disk
from hpcglass.analysis.figures.files import full_name, save
from hpcglass.errors import FileError, InputError
from hpcglass.io import h5
from hpcglass.io.contents import Contents
from hpcglass.io.convert import Configuration, write_any
from hpcglass.io.reader import verify
from hpcglass.rundir.log import Log
from hpcglass.rundir.ready import make_ready, refuse_changed, resolved_input


@pytest.fixture
def precious(tmp_path):
    """A file that nobody shall change."""
    path = tmp_path / "precious"
    path.write_text("mine")
    yield path
    assert path.read_text() == "mine" and os.lstat(path).st_nlink >= 1


def contents(value: float = 1.0) -> Contents:
    result = Contents()
    result.per_particle("/particles/all/position/value", MPI.COMM_SELF, [np.full((5, 2), value)], "length", "position")
    return result


def test_no_file_is_written_through_a_link(tmp_path, precious):
    """The link gives way to the file, what it led to stays."""
    from matplotlib.figure import Figure

    glass = Configuration(np.random.default_rng(1).random((9, 2)), np.eye(2), None, None)
    writers = {"resolved.toml": lambda path: disk.write_text(path, "new"),
               "00-swap.png": lambda path: save(Figure(), path.with_suffix("")),
               "00-swap.h5": lambda path: h5.write(MPI.COMM_SELF, path, contents()),
               "checkpoint-a.h5": lambda path: h5.write(MPI.COMM_SELF, path, contents()),
               "a.xyz": lambda path: write_any(glass, path), "a.data": lambda path: write_any(glass, path)}
    for name, write in writers.items():
        path = tmp_path / name
        path.symlink_to(precious)
        write(path)
        assert path.is_file() and not path.is_symlink(), name
        assert precious.read_text() == "mine", name
    assert sorted(os.listdir(tmp_path)) == sorted([*writers, "precious"])      # no temporary file is left


def test_a_temporary_file_is_made_exclusively(tmp_path, precious, monkeypatch):
    """Even if its name could be guessed, a link under it is not written through."""
    monkeypatch.setattr(disk.secrets, "token_hex", lambda n: "0")
    for target in (precious, tmp_path / "nowhere"):
        disk.temporary(tmp_path / "file").symlink_to(target)
        with pytest.raises(FileExistsError):
            disk.write_text(tmp_path / "file", "new")
        disk.temporary(tmp_path / "file").unlink()
    assert not (tmp_path / "nowhere").exists() and not (tmp_path / "file").exists()
    disk.temporary(tmp_path / "file.h5").symlink_to(precious)
    with pytest.raises(FileError):
        h5.write(MPI.COMM_SELF, tmp_path / "file.h5", contents())


def test_the_log_is_not_appended_through_a_link(tmp_path, precious):
    log = tmp_path / "log.txt"
    log.symlink_to(precious)
    Log(log, terminal=False).line("new")
    log.unlink()
    os.link(precious, log)                  # a second name: the log goes on in a copy
    Log(log, terminal=False).line("new")
    assert log.read_text().startswith("mine") and "new" in log.read_text()
    log.unlink()
    os.mkfifo(log)                          # nobody waits for a reader
    Log(log, terminal=False).line("new")


def test_a_log_has_no_control_characters_and_takes_any_name(tmp_path, capsys):
    log = Log(tmp_path / "log.txt")
    log.line("a \x1b[2J \u202e \udcff\nsecond line")
    assert "a \\x1b[2J \\u202e \\udcff\nsecond line\n" in (tmp_path / "log.txt").read_text()
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["resolved.toml", "log.txt", "references.bib", "DONE", "checkpoint-a.h5", "00-swap.h5",
                                  "02-shear.traj-0003.h5", "sample-0001"])
def test_a_run_refuses_links_in_place_of_its_files(tmp_path, precious, name):
    run = tmp_path / "run"
    run.mkdir()
    (run / "notes").symlink_to(precious)            # not its own
    make_ready(run)
    (run / name).symlink_to(precious)
    with pytest.raises(FileError, match="is a link"):
        make_ready(run)


def test_temporary_files_of_a_killed_run_are_cleared(tmp_path):
    for name in (".00-swap.h5.part", ".00-swap.h5.1a2b3c4d.part", ".DONE.0.part"):
        (tmp_path / name).write_text("half")
    (tmp_path / ".x.part").mkdir()
    (tmp_path / "y.part").touch()
    make_ready(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".x.part", "y.part"]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x = [[[", b"\0" * 50, b"[" * 20_000])
def test_a_damaged_resolved_toml_is_said_with_what_to_do(tmp_path, content):
    assert resolved_input(tmp_path) is None
    (tmp_path / "resolved.toml").write_bytes(content)
    with pytest.raises(FileError, match=r"damaged.*remove it and run the same command again"):
        old = resolved_input(tmp_path)
        assert old is not None
        refuse_changed(old, "seed = 1\n", tmp_path)
    with pytest.raises(InputError):
        refuse_changed("seed = 2\n", "seed = 1\n", tmp_path)


def test_a_file_with_a_long_name_is_not_given_to_mpi(tmp_path):
    """Open MPI 4.1 writes the name into 256 bytes, and ends the program."""
    place = tmp_path.joinpath(*["directory" * 10] * 5)
    place.mkdir(parents=True)
    h5.write(MPI.COMM_SELF, place / "00-swap.h5", contents(2.0))
    assert len(verify(place / "00-swap.h5")) == 1


def test_figures_that_lie_together_have_names_that_say_where_they_come_from(tmp_path):
    out = tmp_path / "OUT"
    file = out / "T=0.1,d=2" / "sample-0003" / "02-shear.h5"
    assert full_name(file, out) == full_name(file) == full_name(file, file.parent) == "T=0.1,d=2_sample-0003_02-shear"
    assert full_name(out / "02-shear.h5", out) == full_name(out / "02-shear.h5") == "02-shear"
    assert full_name(out / "a" / "02-shear.h5", out) == "a_02-shear"
    long = [full_name(tmp_path / f"{'x' * 200}={k}" / "00-swap.h5") for k in range(3)]
    assert len(set(long)) == 3 and all(len(name) < 200 and name.endswith("_00-swap") for name in long)

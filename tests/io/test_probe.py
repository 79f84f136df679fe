"""Files on which the HDF5 library loops for ever or ends the program: a program of its own tries, and the reader refuses."""

from __future__ import annotations

import subprocess

import pytest

from hpcglass.errors import FileError
from hpcglass.io.convert import read_any
from hpcglass.sealed import probe
from hpcglass.sealed.file import File


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    """No file has been probed yet."""
    monkeypatch.setattr(probe, "survived", set())


def test_probe_of_good_and_of_unreadable_files(data, tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    assert probe.survives(data / "cases" / "edges-vector.h5") == probe.survives(tmp_path / "text.h5") == ""


@pytest.fixture(params=["loops", "ends"])
def stumbling(request, monkeypatch):
    """As if the library looped for ever, or ended the program, on a file that is good."""
    def run(command, **options):
        if request.param == "loops":
            raise subprocess.TimeoutExpired(command, options["timeout"], output=b"begins\n")
        return subprocess.CompletedProcess(command, -11, stdout=b"begins\n")

    monkeypatch.setattr(subprocess, "run", run)
    return {"loops": "did not come to an end", "ends": "ended the program, -11"}[request.param]


def test_probe_of_a_file_on_which_the_library_stumbles(data, stumbling):
    with pytest.raises(FileError, match=f"damaged: .*{stumbling}"):
        read_any(data / "cases" / "edges-vector.h5")


def test_probe_serves_every_reader(data, stumbling):
    for options in ({"foreign": True}, {"unsealed": True}):
        with pytest.raises(FileError, match=stumbling):
            File(data / "cases" / "edges-vector.h5", **options)


def test_probe_that_cannot_be_started_knows_nothing(data, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no processes here")

    monkeypatch.setattr(subprocess, "run", refuse)
    assert probe.survives(data / "cases" / "edges-vector.h5") == ""
    assert len(read_any(data / "cases" / "edges-vector.h5").position) == 100


def test_probe_of_a_file_that_was_not_written_since_is_not_repeated(data, tmp_path, monkeypatch):
    started, run = [], subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda command, **options: started.append(command[-1]) or run(command, **options))
    path = tmp_path / "edges.h5"
    path.write_bytes((data / "cases" / "edges-vector.h5").read_bytes())
    for _ in range(3):
        assert probe.survives(path) == ""
    assert started == [str(path)]
    with open(path, "r+b") as file:
        file.write(file.read(1))            # the same byte, in the place of the second
    assert probe.survives(path) == "" and len(started) == 2

"""Files on which the HDF5 library loops for ever or ends the program: a program of its own tries, and the reader refuses."""

from __future__ import annotations

import subprocess

import pytest

from hpcglass.errors import FileError
from hpcglass.io.convert import read_any
from hpcglass.sealed import probe
from hpcglass.sealed.file import File


def test_probe_of_good_and_of_unreadable_files(data, tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    assert probe.survives(data / "cases" / "edges-vector.h5") == probe.survives(tmp_path / "text.h5") == ""


@pytest.mark.parametrize("name", ["hdf5-ends.h5", "hdf5-loops.h5"])
def test_probe_comes_to_an_end_where_hdf5_does_not(data, name, monkeypatch):
    """Whatever this version of the library does with these two, the file is refused."""
    monkeypatch.setattr(probe, "SECONDS", 10.0)
    with pytest.raises(FileError, match="damaged"):
        read_any(data / "cases" / name)


def test_probe_serves_every_reader(data):
    for options in ({"foreign": True}, {"unsealed": True}):
        with pytest.raises(FileError):
            File(data / "cases" / "hdf5-ends.h5", **options)


def test_probe_that_cannot_be_started_knows_nothing(data, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no processes here")

    monkeypatch.setattr(subprocess, "run", refuse)
    assert probe.survives(data / "cases" / "edges-vector.h5") == ""
    assert len(read_any(data / "cases" / "edges-vector.h5").position) == 100

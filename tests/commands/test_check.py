"""`hpcglass check`: what it prints, and its exit codes; what it looks at is tested in tests/mpi/test_whole.py."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import h5py
import pytest

from hpcglass.__main__ import main

OLD = Path(__file__).parents[1] / "data" / "format-1"


@pytest.fixture
def run(tmp_path):
    return Path(shutil.copytree(OLD, tmp_path / "run"))


def check(*words, code, capsys):
    assert main(["check", *map(str, words)]) == code
    return capsys.readouterr()


def test_whole(run, capsys):
    said = check(run, code=0, capsys=capsys).out
    assert re.fullmatch(r"4 files, 0\.1 MB in [\d.e-]+ s: nothing wrong\n", said)
    said = check(run / "00-md.h5", run / "01-quench.h5", run, code=0, capsys=capsys).out
    assert said.startswith("4 files, 0.1 MB")              # each once


def test_a_line_for_each_thing_that_is_wrong(run, capsys):
    data = (run / "00-md.h5").read_bytes()
    (run / "00-md.h5").write_bytes(data[:-100])
    (run / "01-quench.h5").unlink()
    (run / "mine.h5").write_bytes(b"not ours")              # other files in the directory are not looked at
    *faults, advice, closing = check(run, code=4, capsys=capsys).out.splitlines()
    assert faults == [f"{run / '00-md.h5'}: truncated: {len(data) - 100} bytes instead of {len(data)}; put back a copy",
                      f"{run / '01-quench.h5'}: missing, though DONE lists it"]
    assert advice.startswith("in a run's directory: put back copies; or have stages made again: remove DONE")
    assert re.fullmatch(r"3 files, 0\.1 MB in [\d.e-]+ s: 2 wrong", closing)
    faults = check(run / "mine.h5", code=4, capsys=capsys).out.splitlines()
    assert faults[0] == f"{run / 'mine.h5'}: not written by hpcglass (or damaged in its first bytes)" and len(faults) == 2


def test_nothing_to_look_at(tmp_path, capsys):
    assert "no file of hpcglass in it" in check(tmp_path, code=2, capsys=capsys).err
    assert "no such file or directory" in check(tmp_path / "absent", code=2, capsys=capsys).err


def test_reseal(tmp_path, run, capsys):
    name = tmp_path / "made.h5"
    assert main(["export", str(run / "01-quench.h5"), "-o", str(tmp_path / "made.xyz")]) == 0
    assert main(["import", str(tmp_path / "made.xyz"), "--model", "ipl12", "-o", str(name)]) == 0
    capsys.readouterr()
    with h5py.File(name, "r+") as file:                     # moved to another place, the same in all that counts
        diameter, attributes = file["particles/all/diameter"][()], dict(file["particles/all/diameter"].attrs)
        del file["particles/all/diameter"]
        file["particles/all/diameter"] = diameter
        file["particles/all/diameter"].attrs.update(attributes)
    assert "`hpcglass check --reseal`" in check(name, code=4, capsys=capsys).out
    assert check("--reseal", name, code=0, capsys=capsys).out == f"{name}: holds what was written; sealed again\n"
    assert "nothing wrong" in check(name, code=0, capsys=capsys).out
    with h5py.File(name, "r+") as file:
        file["particles/all/diameter"][3] = 1.0
    assert "/particles/all/diameter is not what was written" in check("--reseal", name, code=4, capsys=capsys).err
    assert "--reseal takes files" in check("--reseal", run, code=2, capsys=capsys).err

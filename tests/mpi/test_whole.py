"""Runs that are whole and those that are not: the same answer on any number of ranks, by `check` and by `run`."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from mpi4py import MPI

from hpcglass.config import Config
from hpcglass.core.comm import total
from hpcglass.errors import FileError
from hpcglass.io.reader import verify
from hpcglass.run import main
from hpcglass.rundir import done
from hpcglass.rundir.whole import examine
from hpcglass.sealed.runfiles import listed

comm = MPI.COMM_WORLD
OLD = Path(__file__).parents[1] / "data" / "format-1"
INPUT = """
seed = 1
[[stage]]
kind = "epm"
size = 6
shear_modulus = 1.0
slip = { fixed = 0.3 }
initial = { distribution = "weibull", mean = 1.0, cv = 0.3 }
max_strain = 0.2
fields_at = [0.1]
[[stage]]
kind = "epm"
label = "more"
size = 6
shear_modulus = 1.0
slip = { fixed = 0.3 }
initial = { distribution = "weibull", mean = 1.0, cv = 0.3 }
max_strain = 0.1
fields_at = [0.1]
"""
FILES = ["00-epm.h5", "00-epm.traj-0000.h5", "01-more.h5", "01-more.traj-0000.h5"]
ENSEMBLE = INPUT + "[ensemble]\nsamples = 2\n"


def run(directory, text=INPUT):
    code = main(Config.parse(text, "input.toml"), text, directory, comm, fresh=False, plots=False)
    comm.Barrier()                                       # the directory is as all ranks left it
    return code


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = Path(comm.bcast(str(tmp_path_factory.mktemp("finished") / "run") if comm.rank == 0 else ""))
    assert run(path) == 0
    return path


@pytest.fixture
def copy(finished, tmp_path_factory):
    """A copy of a finished run, on rank 0's word."""
    path = Path(comm.bcast(str(tmp_path_factory.mktemp("copy") / "run") if comm.rank == 0 else ""))
    if comm.rank == 0:
        shutil.copytree(finished, path)
    comm.Barrier()
    return path


def on_root(action, *arguments):
    if comm.rank == 0:
        action(*arguments)
    comm.Barrier()


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 8
    path.write_bytes(data)


def exchange(one, other):
    third = one.with_suffix(".tmp")
    one.rename(third)
    other.rename(one)
    third.rename(other)



SPOILT = {      # what is done to the directory, and what is said
    "stage file gone": (lambda path: (path / FILES[2]).unlink(), r"01-more\.h5: missing, though DONE lists it"),
    "segment gone": (lambda path: (path / FILES[1]).unlink(), r"00-epm\.traj-0000\.h5: missing, though DONE lists it"),
    "all gone": (lambda path: [(path / name).unlink() for name in FILES], "missing, though DONE lists it"),
    "stage file truncated": (lambda path: os.truncate(path / FILES[0], 5000), r"00-epm\.h5: truncated: 5000 bytes instead of"),
    "segment truncated": (lambda path: os.truncate(path / FILES[3], 9000), r"01-more\.traj-0000\.h5: truncated"),
    "bit flipped": (lambda path: flip(path / FILES[2]), r"01-more\.h5: .* (damaged|changed)"),
    "bit of a segment flipped": (lambda path: flip(path / FILES[1]), r"00-epm\.traj-0000\.h5: .*(damaged|changed)"),
    "stages exchanged": (lambda path: exchange(path / FILES[0], path / FILES[2]),
                         r"this is a file 01-more\.h5 under another name"),
    "segments exchanged": (lambda path: exchange(path / FILES[1], path / FILES[3]),
                           r"this is a file 0\d-\w+\.traj-0000\.h5 under another name"),
    "a segment too much": (lambda path: shutil.copy(path / FILES[1], path / "00-epm.traj-0001.h5"),
                           r"00-epm\.traj-0001\.h5: does not belong to the stage file"),
}


@pytest.mark.few_ranks
@pytest.mark.parametrize("what", SPOILT)
def test_a_finished_run_that_is_not_whole_is_reported(what, copy):
    """By `run` as by `check`; nothing in the directory is touched."""
    spoil, words = SPOILT[what]
    on_root(spoil, copy)
    found = examine(comm, [copy])
    assert found.faults and re.search(words, "\n".join(found.faults))
    assert examine(MPI.COMM_SELF, [copy]) == found       # on any number of ranks
    before = sorted(os.listdir(copy))
    comm.Barrier()
    with pytest.raises(FileError, match=words) as caught:
        run(copy)
    comm.Barrier()                                       # rank 0 has given the lock back
    assert "is said to be finished, but:" in str(caught.value) and str(copy) in str(caught.value)
    assert sorted(os.listdir(copy)) == before
    comm.Barrier()


def test_a_whole_run_is_finished(copy, capsys):
    found = examine(comm, [copy])
    assert (found.files, found.faults) == (4, []) and found.size == sum((copy / name).stat().st_size for name in FILES)
    assert list(listed(copy)) == FILES
    assert run(copy) == 0 and (comm.rank or "is finished; nothing to do" in capsys.readouterr().out)
    on_root((copy / done.NAME).write_text, "2026-01-01T00:00:00\n")         # of an older version
    assert examine(comm, [copy]).faults == [] and run(copy) == 0
    on_root((copy / FILES[2]).unlink)
    with pytest.raises(FileError, match=r"01-more\.h5: missing"):           # its resolved input tells what there was
        run(copy)


def test_an_empty_directory_with_done_is_not_finished(tmp_path_factory):
    path = Path(comm.bcast(str(tmp_path_factory.mktemp("empty")) if comm.rank == 0 else ""))
    on_root((path / done.NAME).write_text, "2026-01-01T00:00:00\n")
    with pytest.raises(FileError, match="has DONE, but no file of a run"):
        run(path)


@pytest.mark.few_ranks
def test_without_done_what_is_damaged_is_made_again_and_nothing_is_lost(copy):
    """The stage and those after it are done again, to the bit; their old files are kept."""
    before = {name: verify(copy / name) for name in FILES}
    on_root(flip, copy / FILES[0])
    on_root((copy / done.NAME).unlink)
    assert run(copy) == 0
    for name in FILES:
        changing = ("/timing", "/provenance", "/stage/segments")
        assert {key: value for key, value in verify(copy / name).items() if not key.startswith(changing)} == {
            key: value for key, value in before[name].items() if not key.startswith(changing)}
    comm.Barrier()
    kept = {name for name in os.listdir(copy) if re.search(r"\.(damaged|surplus)-1$", name)}
    assert kept == {f"{FILES[0]}.damaged-1", *(f"{name}.surplus-1" for name in FILES[1:])}
    text = (copy / "log.txt").read_text()
    assert "00-epm.h5: " in text and "it is set aside and the stage is done again" in text
    assert f"set aside {FILES[2]}, {FILES[3]}: will be made again after 00-epm" in text
    assert examine(comm, [copy]).faults == []
    comm.Barrier()


def test_without_done_a_bad_segment_is_told(copy):
    """The run does not need it to go on, and says so at every start."""
    on_root((copy / FILES[1]).unlink)
    on_root((copy / FILES[2]).unlink)
    on_root((copy / done.NAME).unlink)
    assert run(copy) == 0
    assert re.search(r"warning: .*00-epm\.traj-0000\.h5: no such file; to have it made again, move 00-epm\.h5 away too",
                     (copy / "log.txt").read_text())
    assert len(examine(comm, [copy]).faults) == 1
    comm.Barrier()


@pytest.mark.few_ranks
def test_without_done_files_of_other_runs_are_refused(copy, tmp_path_factory):
    other = Path(comm.bcast(str(tmp_path_factory.mktemp("other") / "run") if comm.rank == 0 else ""))
    assert run(other) == 0
    on_root(shutil.copy, other / FILES[0], copy / FILES[0])
    on_root((copy / done.NAME).unlink)
    with pytest.raises(FileError, match=r"01-more\.h5: .*was made from another 00-epm\.h5 than the one beside it"):
        run(copy)
    assert any("was made from another 00-epm.h5 than the one beside it" in fault for fault in examine(comm, [copy]).faults)
    on_root(exchange, copy / FILES[0], copy / FILES[2])
    with pytest.raises(FileError, match="under another name; put each file where it belongs"):
        run(copy)
    assert total(comm, 1) == comm.size         # nobody is left behind


@pytest.mark.few_ranks
def test_ensembles(tmp_path_factory):
    """A sample that is done but not whole is told, and does not stop the others."""
    path = Path(comm.bcast(str(tmp_path_factory.mktemp("ensemble") / "run") if comm.rank == 0 else ""))
    assert run(path, ENSEMBLE) == 0
    assert (examine(comm, [path]).files, examine(comm, [path]).faults) == (8, [])
    on_root(flip, path / "sample-0001" / FILES[2])
    with pytest.raises(FileError, match=r"sample-0001/01-more\.h5"):
        run(path, ENSEMBLE)
    on_root((path / done.NAME).unlink)
    on_root(shutil.rmtree, path / "sample-0000")
    assert run(path, ENSEMBLE) == 4                     # sample 0 is made, sample 1 is told
    assert (path / "sample-0000" / done.NAME).exists() and not (path / done.NAME).exists()
    assert "1 of 2 samples done" in (path / "log.txt").read_text()
    on_root((path / "sample-0001" / done.NAME).unlink)
    assert run(path, ENSEMBLE) == 0 and examine(comm, [path]).faults == []
    on_root(exchange, path / "sample-0000" / FILES[0], path / "sample-0001" / FILES[0])
    assert sum("not the file that DONE lists" in fault for fault in examine(comm, [path]).faults) == 2
    on_root(shutil.rmtree, path / "sample-0001")
    assert any("sample-0001/DONE: missing" in fault for fault in examine(comm, [path]).faults)
    comm.Barrier()


def test_old_runs(tmp_path_factory):
    """Files and DONE of format 1 (0.1.0)."""
    path = Path(comm.bcast(str(tmp_path_factory.mktemp("old") / "run") if comm.rank == 0 else ""))
    on_root(shutil.copytree, OLD, path)
    found = examine(comm, [path])
    assert (found.files, found.faults) == (4, [])
    on_root((path / "01-quench.h5").unlink)
    assert examine(comm, [path]).faults == [
        f"{path / '01-quench.h5'}: missing, though DONE lists it"]
    comm.Barrier()

"""Log, progress, timing, references, lock, signals, provenance: the parts that need one rank."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
from mpi4py import MPI

from hpcglass.errors import FileError, InputError
from hpcglass.io import h5, provenance
from hpcglass.io.contents import Contents
from hpcglass.io.reader import Reader, is_ours, verify
from hpcglass.io.record import Record
from hpcglass.rundir import progress, references, signals, timing
from hpcglass.rundir.log import Log, duration
from hpcglass.rundir.ready import changes, refuse_changed
from hpcglass.sample import derive

comm = MPI.COMM_SELF


@pytest.mark.parametrize("seconds,text", [
    (0.2, "0 s"), (59.4, "59 s"), (65, "1 min 05 s"), (7260, "2 h 01 min"), (183600, "2 d 3 h")])
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_log_appends_and_never_fails(tmp_path, capsys):
    for message in ("first", "second"):
        log = Log(tmp_path / "log.txt", prefix="[3] ")
        log.line(message)
        log.line("for the file", terminal=False)
        log.close()
        log.line("after the end")
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert [line[21:] for line in lines] == ["first", "for the file", "second", "for the file"]
    assert capsys.readouterr().out.splitlines() == ["[3] first", "[3] after the end", "[3] second", "[3] after the end"]
    Log(tmp_path / "no" / "such" / "directory.txt", terminal=False).line("lost")
    Log(None).line("other rank")
    assert capsys.readouterr().out == ""


def test_progress_writes_few_lines(tmp_path, monkeypatch):
    """Every 5 %, at most one per second; without a known end one per minute; and the time that is left."""
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    log = Log(tmp_path / "log.txt", terminal=False)
    shown = progress.Progress(log, "02-shear", bar=False)
    for step in range(1001):
        clock[0] = 0.1 * step
        shown.update(step, 1000, "strain 0.1")
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert 18 <= len(lines) <= 20
    assert lines[1].endswith("02-shear: 100 of 1000 (10 %), 1 min 30 s left, strain 0.1")
    endless = progress.Progress(log, "01-quench", bar=False)
    for step in range(1000):
        clock[0] += 0.1
        endless.update(step, 0, "")
    assert (tmp_path / "log.txt").read_text().count("01-quench") == 1


def test_timers():
    timers = timing.Timers()
    for _ in range(3):
        with timers("forces"):
            pass
    with timers("files"):
        pass
    found = timers.reduce(comm)
    assert list(found) == ["forces", "files", "total"] and found["forces"][3] == 3
    assert all(least <= mean <= most for least, mean, most, _ in found.values())
    assert [line.split()[0] for line in timing.report(found).splitlines()] == ["calls", "forces", "files", "total"]


def test_references(tmp_path):
    text = references.bibtex({"ninarello2017", "debuyl2014"})
    assert text.startswith("@article{debuyl2014,") and "PhysRevX.7.021039" in text
    (tmp_path / "references.bib").write_text(text)
    assert references.keys_in(tmp_path / "references.bib") == {"ninarello2017", "debuyl2014"}
    assert references.keys_in(tmp_path / "nothing.bib") == set()
    with pytest.raises(ValueError, match="nobody1900"):
        references.check(("debuyl2014", "nobody1900"))
    entries = references.bibtex(set(references._ENTRIES))
    assert entries.count("{") == entries.count("}") and entries.count("\n@") + 1 == len(references._ENTRIES)


def test_signals_set_a_flag(monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.delenv("SLURM_JOB_END_TIME", raising=False)
    with signals.Stop() as stop:
        assert stop.asked() == 0
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.asked() == signal.SIGTERM and signals.explain(stop.asked()) == "SIGTERM"
    assert signal.getsignal(signal.SIGTERM) == before
    with signals.Stop() as outer:
        os.kill(os.getpid(), signal.SIGUSR1)        # while all is being loaded
        with signals.Stop() as inner:
            assert inner.asked() == signal.SIGUSR1
        with signals.Stop() as inner:
            os.kill(os.getpid(), signal.SIGINT)
        assert outer.asked() == signal.SIGINT
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(signals.time.time()) + 100))
    with signals.Stop() as stop:
        assert stop.asked(reserve=50) == 0 and stop.asked(reserve=150) == signals.TIME_LIMIT
    assert "time" in signals.explain(signals.TIME_LIMIT)


def test_a_signal_that_comes_after_the_end_is_ignored():
    """It would end the program with another exit code, though all is done."""
    before = {number: signal.getsignal(number) for number in signals.SIGNALS}
    try:
        with signals.Stop(for_good=True):
            pass
        assert all(signal.getsignal(number) == signal.SIG_IGN for number in signals.SIGNALS)
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_derived_seeds():
    keys = {derive(seed, sample, what) for seed in (0, 1) for sample in (0, 1, 11) for what in (0, 1, 10, "system")}
    assert len(keys) == 24 and all(0 <= key < 2**64 for key in keys)
    assert derive(1, 0, 0) == 2626347887466221282


def test_changes_name_the_keys(tmp_path):
    old = 'title = "a"\nseed = 1\n[system]\nparticles = 100\n[[stage]]\nkind = "swap"\n'
    new = 'title = "b"\nseed = 1\n[system]\nparticles = 200\n[[stage]]\nkind = "swap"\n[[stage]]\nkind = "quench"\n'
    assert changes(old, new) == ["system.particles: 100 -> 200", "stage.1.kind: not set -> quench"]
    with pytest.raises(InputError, match="particles: 100 -> 200"):
        refuse_changed(old, new, tmp_path)
    refuse_changed(old, old.replace('"a"', '"c"'), tmp_path)


def test_record_comes_back(tmp_path):
    record = Record()
    table = record.table("loading", {"strain": ("", "strain"), "stress": ("energy/length^d", "shear stress")})
    table.append(strain=0.1, stress=1)
    table.append(strain=0.2, stress=np.float64(0.3))
    with pytest.raises(ValueError, match="stress"):
        table.append(strain=0.3)
    with pytest.raises(ValueError, match="strain"):
        record.table("loading", {"strain": ("", "")})
    record.table("events", {"strain": ("", "strain")})
    record.results.update(reason=("converged", "", "why"), stress=(np.eye(2), "energy", "tensor"), count=(3, "", "number"))
    contents = Contents()
    record.put(contents, comm)
    h5.write(comm, tmp_path / "record.h5", contents)
    with Reader(comm, tmp_path / "record.h5") as file:
        found = Record.read(file)
        assert file.attributes("/results/loading/stress")["units"] == "energy/length^d"
    assert found.tables["loading"].rows["stress"].tolist() == [1.0, 0.3] and len(found.tables["events"]) == 0
    assert found.tables["loading"].columns == table.columns
    assert found.results["reason"] == ("converged", "", "why") and found.results["count"][0] == 3
    assert np.array_equal(found.results["stress"][0], np.eye(2))


def test_provenance(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "42")
    contents = Contents()
    provenance.put(contents, comm, "seed = 1 # mine\n", "seed = 1\n", 1, ["00-swap.h5 abc"])
    h5.write(comm, tmp_path / "file.h5", contents)
    with Reader(comm, tmp_path / "file.h5") as file:
        found = file.attributes("/provenance")
        assert found["SLURM_JOB_ID"] == "42" and found["parents"] == "00-swap.h5 abc" and found["ranks"] == 1
        assert found["numpy"] == np.__version__ and found["hdf5"] and found["mpi"]
        assert file.value("/provenance/input") == "seed = 1 # mine\n"
        assert file.attributes("/h5md")["version"].tolist() == [1, 1]


def test_git_commit(tmp_path):
    (tmp_path / ".git" / "refs" / "heads").mkdir(parents=True)
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    assert provenance.git_commit(tmp_path / "hpcglass") == ""
    (tmp_path / ".git" / "packed-refs").write_text("# pack\nabc refs/heads/main\n")
    assert provenance.git_commit(tmp_path / "hpcglass") == "abc"
    (tmp_path / ".git" / "refs" / "heads" / "main").write_text("def\n")
    assert provenance.git_commit(tmp_path / "hpcglass") == "def"
    assert provenance.git_commit(tmp_path / "elsewhere" / "hpcglass") == ""


@pytest.mark.parametrize("data,reason", [
    (b"", "incomplete"), (bytes(5000), "incomplete"), (b"hello", "not written by hpcglass"), (b"hpcglass file 1\n", "damaged"),
    (b"hpcglass file 9\nsize 22\n", "newer"), (b"hpcglass file 1\nsize 999\nseal 00\n", "truncated"),
])
def test_foreign_files_are_refused(data, reason, tmp_path):
    path = tmp_path / "foreign.h5"
    path.write_bytes(data)
    with pytest.raises(FileError, match=reason):
        verify(path)
    assert is_ours(path) == data.startswith(b"hpcglass")


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(FileError, match="no such file"):
        verify(tmp_path / "missing.h5")
    with pytest.raises(FileError):
        verify(tmp_path)


def test_other_programs_read_our_files(tmp_path):
    """The file begins with HDF5's first byte and ends with its last; the seal is a text that can be read."""
    import h5py

    contents = Contents()
    contents.per_particle("/particles/all/position/value", comm, [np.ones((5, 2))], "length", "position")
    h5.write(comm, tmp_path / "file.h5", contents)
    with h5py.File(tmp_path / "file.h5") as file:
        assert file.userblock_size == 0 and file["/provenance/seal"][()].startswith(b"hpcglass file 2\n")
        assert file["/particles/all/position/value"][0, 4].tolist() == [1.0, 1.0]
        assert file["/particles/all/position/value"].attrs["units"] == "length"

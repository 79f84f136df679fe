"""An exception, a NaN or a full disk on one rank: all ranks end, one message, and what was saved is good."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from harness import Program, all_readable, same


def repaired(source, output, ranks, reference):
    """The run goes on once the cause is gone."""
    all_readable(output)
    code, text = Program(source, output, ranks).wait()
    assert code == 0, text
    same(output, reference(ranks))


@pytest.mark.parametrize("kind,rank,code,message", [
    ("error", 1, 1, "something nobody thought of"),
    ("physics", 0, 3, "the energy exploded"),
])
def test_failure_on_one_rank_ends_all(kind, rank, code, message, slow_input, tmp_path, reference):
    program = Program(slow_input, tmp_path / "run", 2, CHAOS=f"{kind}:{rank}:20")
    found, text = program.wait()
    assert found == code, text
    assert program.seconds < 30
    assert text.count(f": {message}") == (2 if kind == "error" else 1), text     # an unexpected one also shows its trace
    assert f"rank {rank}" in text
    repaired(slow_input, tmp_path / "run", 2, reference)


@pytest.mark.parametrize("ranks,kind", [(2, "nan"), (1, "field")])
def test_nan_is_found_and_not_saved(ranks, kind, slow_input, tmp_path, reference):
    rank = ranks - 1
    code, text = Program(slow_input, tmp_path / "run", ranks, checkpoint=0, CHAOS=f"{kind}:{rank}:20").wait()
    assert code == 3, text
    what = "position of particle" if kind == "nan" else "square of particle"
    assert text.count(what) == 1 and "00-toy, step 20" in text, text
    assert kind == "nan" or "at position (" in text
    assert any(path.name.startswith("checkpoint") for path in all_readable(tmp_path / "run"))
    code, text = Program(slow_input, tmp_path / "run", ranks).wait()
    assert "toy, step 19" in text
    same(tmp_path / "run", reference(ranks))


@pytest.mark.parametrize("rank,mode", [(1, ""), (0, "serial")])
def test_full_disk_on_one_rank(rank, mode, slow_input, tmp_path, reference):
    code, text = Program(slow_input, tmp_path / "run", 2, CHAOS_DISK=f"3:{rank}", HPCGLASS_IO=mode).wait()
    assert code == 4, text
    assert text.count("No space left on device") == 1 and str(tmp_path / "run") in text
    assert not list((tmp_path / "run").glob(".*.part"))
    repaired(slow_input, tmp_path / "run", 2, reference)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 400 kB."""
    if os.geteuid() or shutil.which("mount") is None:
        pytest.skip("mounting a small file system needs root")
    point = tmp_path / "disk"
    point.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(point)], capture_output=True, text=True)
    if mount.returncode:
        pytest.skip(f"cannot mount a small file system: {mount.stderr.strip()}")
    yield point
    subprocess.run(["umount", "-l", str(point)], check=True)


def test_a_disk_that_is_full(small_disk, slow_input, tmp_path, reference):
    output = small_disk / "run"
    code, text = Program(slow_input, output, 2).wait()
    assert code == 4, text
    assert "MB free" in text or "No space left" in text
    kept = all_readable(output)
    assert kept
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    repaired(slow_input, output, 2, reference)

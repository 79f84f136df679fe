"""Files cannot reach outside themselves, nor ask for more memory than there is. All files here are harmless."""

from __future__ import annotations

import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest
from sealed_files import seal_file

from hpcglass.errors import FileError
from hpcglass.io.convert import read_any
from hpcglass.sealed import guard
from hpcglass.sealed.check import check
from hpcglass.sealed.file import File, opened
from hpcglass.sealed.seal import Region, stamp


def configuration(path, **more):
    """H5MD of another program."""
    random = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        group = file.create_group("particles/all")
        group["position/value"] = random.random((2, 10, 2))
        group["box/edges/value"] = np.stack([np.eye(2)] * 2)
        group["diameter"] = random.uniform(0.1, 0.2, 10)
    return path


def linked(file):
    file["particles/all/diameter2"] = h5py.ExternalLink("other.h5", "/x")


def stored_outside(file):
    file.create_dataset("particles/all/image", (10,), "f8", external=[("other.bin", 0, 80)])


def virtual(file):
    layout = h5py.VirtualLayout(shape=(10,), dtype="f8")
    layout[:] = h5py.VirtualSource("other.h5", "x", shape=(10,))
    file.create_virtual_dataset("particles/all/mass", layout)


def filled(file):
    file.create_dataset("particles/all/charge", (10**15,), "f8", chunks=(1000,), fillvalue=1.0)


def late(file):
    file.create_dataset("particles/all/charge", (10**9, 3), "f8")      # contiguous, never written


@pytest.mark.parametrize("bad,words", [
    (linked, "particles/all/diameter2 is an external link"), (stored_outside, "particles/all/image has its data in another file"),
    (virtual, "particles/all/mass has its data in another file"), (filled, r"charge claims to have 8e\+15 bytes, of which 0"),
    (late, r"charge claims to have 2.4e\+10 bytes, of which 0 are")])
def test_what_leads_outside_or_is_much_too_large(tmp_path, bad, words):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.arange(10.0)
    (tmp_path / "other.bin").write_bytes(bytes(80))
    path = configuration(tmp_path / "c.h5")
    assert len(read_any(path).position) == 10
    with h5py.File(path, "r+") as file:
        bad(file)
    with pytest.raises(FileError, match=words):
        read_any(path)
    with pytest.raises(FileError, match=words), opened(path):
        pass


def test_a_seal_does_not_help(tmp_path):
    """A file with a true seal and a link: its bytes are those that were written, and still it is refused."""
    path = seal_file(configuration(tmp_path / "c.h5"))
    seal = check(path)
    with h5py.File(path, "r+") as file:
        file["particles/all/more"] = h5py.SoftLink("/particles/all/diameter")
    stamp(path, seal, path.read_bytes().find(b"hpcglass file"))
    assert check(path).contents == seal.contents
    with pytest.raises(FileError, match="particles/all/more is a soft link"):
        File(path)


def test_a_seal_cannot_speak_of_more_than_the_file_has(tmp_path):
    path = seal_file(configuration(tmp_path / "c.h5"))
    seal, place = check(path), path.read_bytes().find(b"hpcglass file")
    for region in (Region("/x", 0, "<f8", (10**15,), False, "00"), Region("/x", 10**6, "<f8", (1,), False, "00")):
        stamp(path, replace(seal, regions=(region,)), place)
        with pytest.raises(FileError, match="damaged in its seal"):
            check(path)


def test_soft_links_within_a_file_of_another_program(tmp_path):
    path = configuration(tmp_path / "c.h5")
    with h5py.File(path, "r+") as file:
        file["particles/all/size"] = h5py.SoftLink("/particles/all/diameter")
        file["particles/all/dangling"] = h5py.SoftLink("/nothing")
    with File(path, foreign=True) as file:
        assert np.array_equal(file.value("/particles/all/size"), file.value("/particles/all/diameter"))
        with pytest.raises(FileError, match="has no /particles/all/dangling"):
            file.value("/particles/all/dangling")


def test_what_compresses_well_is_read(tmp_path):
    with h5py.File(tmp_path / "zeros.h5", "w") as file:
        file.create_dataset("x", data=np.zeros((3, 10**6)), compression="gzip")
    with File(tmp_path / "zeros.h5", foreign=True) as file:
        assert file.value("x").shape == (3, 10**6)


def test_memory_bounds_what_is_read(tmp_path, monkeypatch):
    path = configuration(tmp_path / "c.h5")
    monkeypatch.setattr(guard, "memory", lambda: 200)
    with File(path, foreign=True) as file:
        assert file.value("/particles/all/position/value", -1).shape == (10, 2)
        with pytest.raises(FileError, match="GB of memory; this machine has"):
            file.value("/particles/all/position/value")


def test_links_of_the_directory_are_no_matter(tmp_path):
    """A file may lie elsewhere: links of the file system are the user's own."""
    (tmp_path / "there").mkdir()
    path = configuration(tmp_path / "there" / "c.h5")
    (tmp_path / "c.h5").symlink_to(path)
    assert len(read_any(tmp_path / "c.h5").position) == 10
    assert shutil.copy(path, tmp_path / "d.h5").exists()

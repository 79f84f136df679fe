"""A file says itself whether it is whole, without HDF5; old files too; and rewritten ones say so."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from hpcglass.errors import FileError
from hpcglass.io import h5
from hpcglass.io.contents import Contents
from hpcglass.io.reader import Reader
from hpcglass.io.reseal import reseal
from hpcglass.sealed.file import File, opened, verify
from hpcglass.sealed.hashes import hash_contents, hash_value
from hpcglass.sealed.seal import is_ours

DATA = Path(__file__).parents[1] / "data"
OLD = DATA / "format-1"
comm = MPI.COMM_SELF


def write(path):
    """A file with a bit of everything: frames, rows, numbers, texts, nothing."""
    contents = Contents()
    random = np.random.default_rng(1)
    contents.per_particle("/particles/all/position/value", comm, list(random.random((3, 5000, 2))), "length", "position")
    contents.per_particle("/particles/all/species", comm, np.arange(5000, dtype=np.int32) % 3)
    contents.per_particle("/pairs/contacts/id", comm, np.empty((0, 2), dtype=np.int64))
    contents.value("/results/number", 6.39, "energy", "a number")
    contents.value("/results/flag", True)
    contents.value("/results/key", np.int32(7))
    contents.value("/results/column", np.arange(50.0))
    contents.value("/results/nothing", np.empty(0))
    contents.value("/provenance/input", "Größe = 1\n" * 20)
    contents.attribute("/results", columns="a\nb", names=["x", "y"], version=[1, 1], on=False)
    contents.attribute("/h5md/creator", name="hpcglass")
    h5.write(comm, path, contents)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write(tmp_path_factory.mktemp("files") / "file.h5")


def test_the_file_is_hdf5_from_the_first_byte_to_the_last(whole):
    data = whole.read_bytes()
    assert data[:8] == b"\x89HDF\r\n\x1a\n" and int.from_bytes(data[28:36], "little") == len(data)
    with h5py.File(whole) as file:
        text = file["provenance/seal"][()].decode()
    assert text.splitlines()[0] == "hpcglass file 2" and data.find(text.encode()) < 1 << 16
    assert f"size {len(data)}\n" in text and text.count("\ndata ") == 3


def test_values_come_back(whole):
    with File(whole) as file:
        assert file.value("/results/number") == 6.39 and file.value("results/flag") is True and file.value("/results/key") == 7
        assert file.value("/provenance/input") == "Größe = 1\n" * 20
        assert file.attributes("/results")["names"].tolist() == ["x", "y"]
        assert file.value("/particles/all/position/value").shape == (3, 5000, 2) == file.shape("/particles/all/position/value")
        last = file.value("/particles/all/position/value", -1)
        assert np.array_equal(last, np.random.default_rng(1).random((3, 5000, 2))[2])
        assert file.value("/pairs/contacts/id").shape == (0, 2) and file.value("/results/nothing").shape == (0,)
        assert file.name == verify(whole).contents and len(file.datasets()) == 9
        for wrong in ("/results/absent", "/results"):
            with pytest.raises(FileError, match=wrong):
                file.value(wrong)


def noticed(path, data):
    """Whether data that are not those of a file are refused, by all ways to read it, before HDF5 sees them."""
    path.write_bytes(data)
    for read in (verify, lambda path: Reader(comm, path)):
        with pytest.raises(FileError, match=path.name):
            read(path)
    if len(data) > 10000 and data.startswith(b"\x89HDF"):      # else nothing but garbage for HDF5
        assert is_ours(path)
        with pytest.raises(FileError), opened(path):
            pass


def test_every_flipped_bit_is_noticed(whole, tmp_path):
    data = whole.read_bytes()
    end = data.find(b"seal ") + 300
    structure = [*range(0, end, 31), *range(len(data) - 4000, len(data), 61)]
    for place in [*structure, *range(end, len(data), len(data) // 60)]:
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        noticed(tmp_path / "flipped.h5", changed)


def test_other_damage_is_noticed(whole, tmp_path):
    data, path = whole.read_bytes(), tmp_path / "damaged.h5"
    for size in (1, 100, 3000, len(data) // 2, len(data) - 1):
        noticed(path, data[:size])
    for block in range(0, len(data) - 4096, 16384):
        zeroed = data[:block] + bytes(4096) + data[block + 4096:]
        if zeroed != data:
            noticed(path, zeroed)
        noticed(path, data[:block] + data[-4096:] + data[block + 4096:])
    noticed(path, data + b"\0")
    noticed(path, data + data)


def test_lazily_only_what_is_handed_out_is_verified(whole, tmp_path):
    """The tables of a file with damaged positions can be had, its positions cannot."""
    data, path = bytearray(whole.read_bytes()), tmp_path / "file.h5"
    with h5py.File(whole) as file:
        data[file["particles/all/position/value"].id.get_offset() + 70000] ^= 4
    path.write_bytes(data)
    with File(path) as file:
        assert file.value("/results/number") == 6.39 and file.value("/particles/all/species")[4999] == 1
        for frame in (None, 0, 2):
            with pytest.raises(FileError, match=r"data of /particles/all/position/value are damaged"):
                file.value("/particles/all/position/value", frame)


def test_newer_files_are_refused(whole, tmp_path):
    path = tmp_path / "newer.h5"
    path.write_bytes(whole.read_bytes().replace(b"hpcglass file 2", b"hpcglass file 3"))
    with pytest.raises(FileError, match=r"format 3 is newer than this hpcglass reads \(2\); update it"):
        verify(path)


def test_a_file_of_another_program_has_no_seal(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = [1.0, 2.0]
    assert not is_ours(tmp_path / "other.h5")
    with pytest.raises(FileError, match="not written by hpcglass"):
        File(tmp_path / "other.h5")
    with File(tmp_path / "other.h5", foreign=True) as file:
        assert file.value("x").tolist() == [1.0, 2.0] and file.seal is None
    with pytest.raises(FileError, match="no such file"):
        File(tmp_path / "absent.h5", foreign=True)


# ---------------------------------------------------------------------- files of format 1


@pytest.mark.parametrize("name", ["00-md.h5", "00-md.traj-0000.h5", "01-quench.h5", "checkpoint-b.h5"])
def test_old_files_are_read_and_checked(name, tmp_path):
    path = OLD / name
    assert path.read_bytes().startswith(b"hpcglass file 1\n") and verify(path).version == 1
    with h5py.File(path) as plain, Reader(comm, path) as file:
        assert len(file.hashes) >= 17
        for dataset, sha in file.hashes.items():
            value = plain[dataset][()]
            assert np.array_equal(file.value(dataset), value.decode() if isinstance(value, bytes) else value)
            assert plain[dataset].attrs["sha256"] == sha
        assert file.attributes("/provenance")["hpcglass"] == "0.1.0"
    data, copy = path.read_bytes(), tmp_path / name
    for place in range(0, len(data), 397):
        copy.write_bytes(data[:place] + bytes([data[place] ^ 2]) + data[place + 1:])
        with pytest.raises(FileError):
            verify(copy)
        assert is_ours(copy)
    for wrong, words in ((data[:-9], "truncated"), (data + b"x", "appended")):
        copy.write_bytes(wrong)
        with pytest.raises(FileError, match=words):
            verify(copy)


# ---------------------------------------------------------------------- rewritten files


def rewrite(path, change):
    with h5py.File(path, "r+") as file:
        change(file)


def test_looking_in_mode_rw_changes_nothing(whole, tmp_path):
    path = shutil.copy(whole, tmp_path / "copy.h5")
    rewrite(path, lambda file: file["results/number"][()])
    assert path.read_bytes() == whole.read_bytes()


def repacked(source, target):
    """Every object copied by HDF5 into a new file, with its data compressed, as h5repack does it."""
    with h5py.File(source) as old, h5py.File(target, "w") as new:
        def copy(name, item):
            if isinstance(item, h5py.Dataset):
                options = {"compression": "gzip"} if item.size > 1 and item.dtype.kind in "if" else {}
                new.create_dataset(name, data=item[()], dtype=item.dtype, **options)
            else:
                new.require_group(name)
            for key in item.attrs:
                new[name].attrs.create(key, item.attrs[key], dtype=item.attrs.get_id(key).dtype)
        old.visititems(copy)
    return target


def test_a_repacked_file_gets_a_new_seal(whole, tmp_path):
    path = repacked(whole, tmp_path / "repacked.h5")
    with pytest.raises(FileError, match=r"(rewritten since|lost its seal).*hpcglass check --reseal"):
        verify(path)
    assert reseal(path) == "holds what was written; sealed again"
    assert verify(path).contents == verify(whole).contents      # other files still know it
    with Reader(comm, path) as file, Reader(comm, whole) as original:
        assert file.hashes == original.hashes
    assert reseal(path) == "whole, its seal is true"


@pytest.mark.parametrize("change,words", [
    (lambda file: file["results/column"].__setitem__(3, 9.0), "/results/column is not what was written"),
    (lambda file: file["particles/all/position/value"].__setitem__((0, 4000, 1), 9.0), "position/value is not what was written"),
    (lambda file: file["results"].attrs.__setitem__("columns", "b\na"), "names or attributes"),
    (lambda file: file.attrs.__setitem__("note", "mine"), "names or attributes"),
    (lambda file: file.__setitem__("results/mine", [1.0]), "/results/mine is not what was written"),
    (lambda file: file.__delitem__("results/flag"), "names or attributes"),
    (lambda file: file.move("results/column", "results/number2"), "names or attributes"),
    (lambda file: file.__delitem__("provenance/seal"), "no /provenance/seal"),
])
def test_a_changed_file_gets_none(whole, tmp_path, change, words):
    path = shutil.copy(whole, tmp_path / "changed.h5")
    rewrite(path, change)
    before = path.read_bytes()
    with pytest.raises(FileError, match="if another program rewrote it"):
        verify(path)
    with pytest.raises(FileError, match=words):
        reseal(path)
    assert path.read_bytes() == before


def test_hash_of_contents_tells_names_and_values_apart():
    one = {"/a": {"x": 1, "y": "text"}, "/b": {"z": [1.0, 2.0], "w": ["a", "b"]}}
    same = {"/b": {"w": np.array(["a", "b"], dtype=object), "z": np.array([1.0, 2.0])}, "/a": {"y": "text", "x": np.int64(1)}}
    assert hash_contents(one) == hash_contents(same)
    for other in ({"/a": {"x": 2}}, {"/b": {"z": [1.0, 3.0]}}, {"/b": {"w": ["ab", ""]}}, {"/c": {"q": 1}}, {"/a": {"x": True}}):
        assert hash_contents(one | {path: one.get(path, {}) | more for path, more in other.items()}) != hash_contents(one)
    assert hash_value("text") == hashlib.sha256(b"text").hexdigest()


def test_no_mpi_is_needed_to_verify(whole):
    code = f"import sys; from hpcglass.sealed.file import verify; verify({str(whole)!r}); sys.exit('petsc4py' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

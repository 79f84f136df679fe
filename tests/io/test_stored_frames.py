"""Frames of our own files, of several segments: fields that only some have, sizes that change, and files of another run."""

from __future__ import annotations

import json

import numpy as np
import pytest
from inprocess import hpcglass
from mpi4py import MPI

from hpcglass.errors import FileError
from hpcglass.io import configuration, frames, h5, provenance
from hpcglass.io.contents import Contents
from hpcglass.io.convert import read_any, write_frames
from hpcglass.io.formats.common import Configuration

BOX = np.array([[6.0, 1.0], [0.0, 5.0]])


def frame(step, mode=None, diameter=(1.0, 1.2, 1.4)):
    rows = {"position": np.array([[1.0, 1.0], [2.0, 3.0], [4.0, 2.0]]) + 0.1 * step, "image": np.zeros((3, 2), dtype=np.int32),
            "diameter": np.array(diameter), "species": np.array([0, 1, 0], dtype=np.int32)}
    return configuration.Frame(step, 0.01 * step, BOX, rows if mode is None else rows | {"critical_mode": np.array(mode)})


def write(path, kept, describe=lambda contents: None):
    contents = Contents()
    configuration.put(contents, MPI.COMM_SELF, kept)
    provenance.put(contents, MPI.COMM_SELF, "", '[system]\nmodel = "ipl12"\n', 0, [])
    describe(contents)
    return h5.write(MPI.COMM_SELF, path, contents)


@pytest.fixture
def stage(tmp_path):
    """A stage with two segments, of which the second has a mode, an event at step 3, and a field."""
    def segment(number, kept):
        name, own = f"01-shear.traj-{number:04d}.h5", {"stage": "01-shear", "number": number}
        return name, write(tmp_path / name, kept, lambda contents: contents.attribute("/segment", **own))

    listed = dict([segment(0, [frame(0), frame(1)]), segment(1, [frame(2, np.eye(3)[:, :2]), frame(3, np.eye(3)[:, :2])])])

    def describe(contents):
        contents.attribute("/stage", index=1, name="shear")
        contents.value("/stage/segments", json.dumps(listed))
        contents.attribute("/results/events", columns="step")
        contents.value("/results/events/step", np.array([3.0]))
        contents.per_particle("/fields/theta", MPI.COMM_SELF, np.array([0.1, 0.2, 0.3]))

    write(tmp_path / "01-shear.h5", [frame(3)], describe)
    return tmp_path / "01-shear.h5"


def test_all_segments_in_order(stage):
    source = frames.of_file(stage, whole=True)
    assert source.steps == [0, 1, 2, 3] and source.known() == ["critical_mode", "theta"]
    assert source.event_frames() == [2, 3]
    first, last = source.read(0, ["critical_mode", "theta"]), source.read(3, ["critical_mode", "theta"], rows=(1, 3))
    assert np.isnan(first.fields["critical_mode"]).all() and first.fields["critical_mode"].shape == (3, 2)
    np.testing.assert_array_equal(last.fields["critical_mode"], [[0, 1], [0, 0]])
    np.testing.assert_array_equal(last.fields["theta"], [0.2, 0.3])
    assert source.constant("diameter") and source.constant("theta") and not source.constant("critical_mode")
    source.close()
    assert len(frames.of_file(stage)) == 1 and frames.of_file(stage).more


def test_sizes_that_change_are_not_constant(tmp_path):
    write(tmp_path / "a.h5", [frame(0), frame(1, diameter=(1.2, 1.0, 1.4))])
    source = frames.of_file(tmp_path / "a.h5")
    assert not source.constant("diameter") and source.constant("species")
    assert source.read(1).diameter.tolist() == [1.2, 1.0, 1.4]


def test_a_segment_of_another_run_is_refused(stage):
    write(stage.with_name("01-shear.traj-0001.h5"), [frame(7)],
          lambda contents: contents.attribute("/segment", stage="01-shear", number=1))
    for path in (stage, stage.with_name("01-shear.traj-0001.h5")):
        with pytest.raises(FileError, match=r"whole, but not the file that 01-shear.h5 was written with"):
            frames.of_file(path, whole=True)
    stage.unlink()      # a run that is not done yet
    source = frames.of_file(stage.with_name("01-shear.traj-0001.h5"))
    assert source.steps == [7] and source.known() == []


def test_a_segment_that_is_missing_is_said(stage):
    stage.with_name("01-shear.traj-0000.h5").unlink()
    assert frames.of_file(stage).steps == [3]
    with pytest.raises(FileError, match=r"01-shear.traj-0000.h5: no such file"):
        frames.of_file(stage, whole=True)


def test_a_damaged_one_is_not_exported(stage):
    path = stage.with_name("01-shear.traj-0000.h5")
    data = bytearray(path.read_bytes())
    at = data.index(np.array([1.1, 1.1]).tobytes())
    data[at + 3] ^= 1
    path.write_bytes(data)
    done = hpcglass("export", stage, "-o", stage.with_name("out.vtkhdf"), "--frame", "all")
    assert done.returncode == 4 and "the data of /particles/all/position/value are damaged" in done.stderr
    assert not stage.with_name("out.vtkhdf").exists()


@pytest.mark.parametrize("ending", ["vtkhdf", "h5md"])
def test_as_many_particles_in_all_frames(tmp_path, ending):
    """Where a format wants that; others keep what there is."""
    some = [Configuration(np.ones((n, 2)) * np.arange(n)[:, None], BOX, np.ones(n)) for n in (3, 4)]
    write_frames(some, tmp_path / "n.xyz")
    done = hpcglass("export", tmp_path / "n.xyz", "-o", tmp_path / f"n.{ending}", "--frame", "all")
    assert done.returncode == 4 and "frame 1 has 4 particles, the first one 3" in done.stderr
    assert hpcglass("export", tmp_path / "n.xyz", "-o", tmp_path / "n.dump", "--frame", "all").returncode == 0
    assert [len(read_any(tmp_path / "n.dump", frame=k).position) for k in (0, 1)] == [3, 4]


def test_files_of_format_1(data, tmp_path):
    words = ["--frame", "all", "--fields", "velocity"]
    done = hpcglass("export", data / "format-1" / "00-md.h5", "-o", tmp_path / "old.vtkhdf", *words)
    assert done.returncode == 0, done.stderr


def test_d2min_over_more_than_half_an_edge(tmp_path):
    """The cell is described by other edges on the way: known from the frames between, and refused if these are too far apart."""
    rng = np.random.default_rng(2)
    position, kept = rng.random((60, 2)) * 7.0, []
    for step in range(5):
        strain = np.array([[1.0, 0.2 * step], [0.0, 1.0]])
        box = strain @ np.eye(2) * 7.0
        box[:, 1] -= np.rint(box[0, 1] / 7.0) * box[:, 0]
        unwrapped = position @ strain.T
        period = np.floor(np.linalg.solve(box, unwrapped.T)).T
        kept.append(configuration.Frame(step, 0.2 * step, box, {
            "position": unwrapped - period @ box.T, "image": period.astype(np.int32), "diameter": np.full(60, 1.0),
            "species": np.zeros(60, dtype=np.int32)}))
    write(tmp_path / "a.h5", kept)
    assert hpcglass("export", tmp_path / "a.h5", "-o", tmp_path / "a.xyz", "--every", "4", "--fields", "d2min").returncode == 0
    found = [float(line.split()[-1]) for line in (tmp_path / "a.xyz").read_text().splitlines() if line.count(" ") == 5]
    assert len(found) == 120 and max(found) < 1e-12
    write(tmp_path / "b.h5", kept[::2])
    done = hpcglass("export", tmp_path / "b.h5", "-o", tmp_path / "b.xyz", "--every", "2", "--fields", "d2min")
    assert done.returncode == 2 and "it cannot be told how a cell with the edges" in done.stderr

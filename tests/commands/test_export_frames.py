"""Trajectories and fields for other programs: every frame, in every format, whatever the cell."""

from __future__ import annotations

import itertools

import h5py
import numpy as np
import pytest
from inprocess import hpcglass

from hpcglass.analysis.open_run import read_stage
from hpcglass.io import frames
from hpcglass.io.convert import read_any, write_frames
from hpcglass.io.formats.common import Configuration, in_space, rotation

INPUT = """
[system]
model = "{model}"
dimension = {d}
particles = 120
[[stage]]
kind = "quench"
force_tolerance = 1e-6
[[stage]]
kind = "shear"
plane = "{plane}"
strain_step = 2e-2
max_strain = {strain}
method = "fire"
force_tolerance = 1e-6
frames_every = 2
activity_every = 0.02
"""
SHEARS = {"2d-xy": ("ipl12", 2, "xy", 0.16), "2d-yx": ("lj-binary", 2, "yx", 0.08), "3d-zx": ("harmonic", 3, "zx", 0.08)}
EXACT = {"xyz": 1e-12, "dump": 1e-12, "gsd": 2e-5, "h5md": 1e-12}


@pytest.fixture(autouse=True)
def no_probe(monkeypatch):
    """Without the program that tries HDF5 beforehand, which takes half a second."""
    monkeypatch.setattr("hpcglass.sealed.file.survives", lambda path: "")


@pytest.fixture(scope="module", params=SHEARS)
def shear(request, tmp_path_factory):
    """File of a shear with its trajectory beside it."""
    model, d, plane, strain = SHEARS[request.param]
    directory = tmp_path_factory.mktemp("shear")
    (directory / "i.toml").write_text(INPUT.format(model=model, d=d, plane=plane, strain=strain))
    assert hpcglass("run", directory / "i.toml", "--output", directory / "run", "--no-plots").returncode == 0
    return directory / "run" / "01-shear.h5"


@pytest.fixture(scope="module")
def right(shear):
    """Each frame as it is."""
    source = frames.of_file(shear, whole=True)
    found = [source.read(k) for k in range(len(source))]
    source.close()
    assert len(found) > 2
    return found


def distances(c):
    """Minimum-image distances of all pairs: the same for every choice of axes and edges. (N, N)"""
    fraction = np.linalg.solve(c.box, c.position.T).T
    difference = fraction[:, None] - fraction[None]
    difference -= np.round(difference)
    images = itertools.product((-1, 0, 1), repeat=c.dimension)
    return np.min([np.linalg.norm((difference + np.array(k)) @ c.box.T, axis=-1) for k in images], axis=0)


@pytest.mark.parametrize("ending", EXACT)
def test_all_frames_come_back(shear, right, tmp_path, ending):
    if ending == "gsd":
        pytest.importorskip("gsd.hoomd")
    out = tmp_path / f"all.{ending}"
    done = hpcglass("export", shear, "-o", out, "--frame", "all")
    assert done.stdout == f"{out}: {len(right)} of {len(right)} frames, steps {right[0].step} to {right[-1].step}\n", done.stderr
    for k, c in enumerate(right):
        found = read_any(out, frame=k)
        assert found.dimension == c.dimension
        np.testing.assert_allclose(distances(found), distances(c), atol=EXACT[ending])
        np.testing.assert_allclose(found.diameter, c.diameter, rtol=EXACT[ending])
        np.testing.assert_array_equal(found.species, c.species)


def test_every_and_events(shear, right, tmp_path):
    out = tmp_path / "some.h5md"
    assert hpcglass("export", shear, "-o", out, "--every", "2").returncode == 0
    steps = [c.step for c in right]
    with h5py.File(out) as file:
        assert file["particles/all/position/step"][:].tolist() == steps[::2]
    events = read_stage(shear).tables["events"]["step"].astype(int).tolist()
    wanted = sorted({step for event in events for step in (event - 1, event)})
    done = hpcglass("export", shear, "-o", out, "--events")
    if not events:
        assert done.returncode == 2 and "none of its" in done.stderr
        return
    with h5py.File(out) as file:
        assert file["particles/all/position/step"][:].tolist() == wanted
        time = dict(zip(steps, [c.time for c in right], strict=True))
        np.testing.assert_array_equal(file["particles/all/position/time"][:], [time[step] for step in wanted])
    # the same of a segment, whose stage stands beside it
    segment = next(shear.parent.glob("01-shear.traj-*.h5"))
    again = hpcglass("export", segment, "-o", out, "--events")
    assert again.stdout == done.stdout


def test_fields_of_the_stage_and_between_frames(shear, right, tmp_path):
    """Columns of extended XYZ: D2min counts from the frame written before, activity is that of the stage."""
    from hpcglass.analysis.nonaffine import d2min
    from hpcglass.config.own_model import read_model

    out = tmp_path / "f.xyz"
    assert hpcglass("export", shear, "-o", out, "--every", "2", "--fields", "d2min, activity").returncode == 0
    text = out.read_text().splitlines()
    head, count = text[1], len(right[0].position)
    assert "radius:R:1:d2min:R:1:activity:I:1 " in head
    table = np.array([line.split()[-2:] for at in range(0, len(text), count + 2) for line in text[at + 2: at + 2 + count]], float)
    table = table.reshape(-1, count, 2)
    activity = read_stage(shear).fields["activity"]
    assert (table[:, :, 1] == activity).all() and not table[0, :, 0].any()
    source, model = frames.of_file(shear, whole=True), read_model(shear.with_name("resolved.toml"))[0]
    for k in range(2, len(right), 2):
        (then, box_then), (now, box) = source.unwrapped(k - 2), source.unwrapped(k)
        expected = d2min(then, now, box_then, box, model, right[k].diameter, right[k].species)
        np.testing.assert_allclose(table[k // 2, :, 0], expected, rtol=1e-8, atol=1e-12)
    source.close()
    # the final configuration has what the stage says of the whole loading
    assert hpcglass("export", shear, "-o", out, "--fields", "d2min").returncode == 0
    whole = [float(line.split()[-1]) for line in out.read_text().splitlines()[2:]]
    np.testing.assert_array_equal(whole, read_stage(shear).fields["d2min"])


def test_names_of_fields_are_known(shear, tmp_path):
    done = hpcglass("export", shear, "-o", tmp_path / "f.xyz", "--fields", "d2mim")
    assert done.returncode == 2 and "did you mean 'd2min'? (there are: activity, d2min" in done.stderr
    done = hpcglass("export", shear, "-o", tmp_path / "f.data", "--fields", "d2min")
    assert done.returncode == 2 and "LAMMPS data have no place for fields (d2min)" in done.stderr
    assert not list(tmp_path.iterdir())


def test_vtkhdf_holds_points_fields_cells_and_times(shear, right, tmp_path):
    """The layout of VTK's documentation; tests/clients ask the reader itself."""
    out = tmp_path / "all.vtkhdf"
    assert hpcglass("export", shear, "-o", out, "--frame", "all", "--fields", "d2min,first_activity").returncode == 0
    count, number, d = len(right[0].position), len(right), right[0].dimension
    with h5py.File(out) as file:
        root, steps = file["VTKHDF"], file["VTKHDF/Steps"]
        assert root.attrs["Type"] == b"PolyData" and root.attrs["Version"].tolist() == [2, 0] and steps.attrs["NSteps"] == number
        assert root["NumberOfPoints"][:].tolist() == [count] and root["Points"].shape == (count * number, 3)
        np.testing.assert_array_equal(steps["Values"][:], [c.time for c in right])
        for k, c in enumerate(right):
            at = steps["PointOffsets"][k]
            points = root["Points"][at: at + count]
            np.testing.assert_array_equal(points[:, :d], c.position)
            assert not points[:, d:].any()
            edges = root["FieldData/edges"][steps["FieldDataOffsets/edges"][k]].reshape(3, 3)
            np.testing.assert_array_equal(edges[:d, :d], c.box.T)
            assert root["FieldData/periodic"][k].tolist() == [1, 1, d - 2]
            at = steps["PointDataOffsets/diameter"][k]
            np.testing.assert_array_equal(root["PointData/diameter"][at: at + count], c.diameter)
        assert root["PointData/species"].shape == root["PointData/first_activity"].shape == (count,)        # once for all steps
        assert root["PointData/d2min"].shape == (count * number,) and root["PointData/d2min"][count:].any()
        assert root["Vertices/Offsets"][:].tolist() == list(range(count + 1))


def test_values_of_time_increase(tmp_path, alone):
    """ParaView needs them in order: in a cycle, where the strain comes back, they are steps."""
    from hpcglass.io.formats import plain, vtkhdf

    def times(*steps):
        c = [Configuration(np.ones((2, 2)), np.eye(2) * 9, step=step, time=time) for step, time in steps]
        plain.write(alone, tmp_path / "t.vtkhdf", iter(c), vtkhdf.PLAN(len(c), 2))
        with h5py.File(tmp_path / "t.vtkhdf") as file:
            return file["VTKHDF/Steps/Values"][:].tolist()

    assert times((0, 0.0), (5, 0.1), (9, 0.3)) == [0.0, 0.1, 0.3]
    assert times((0, 0.0), (5, 0.1), (9, 0.0)) == [0, 5, 9]
    assert times((0, 0.0), (0, 0.0)) == [0, 1]


def test_walls_are_kept_or_refused(tmp_path, alone):
    from hpcglass.errors import InputError
    from hpcglass.io.formats import plain, vtkhdf

    c = Configuration(np.array([[7.0, 5.0], [3.0, 5.0]]), np.eye(2) * 12, np.ones(2), walls=(5.0, 5.0, 1.0, 4.0))
    for ending in ("dump", "data", "gsd"):
        with pytest.raises(InputError, match="has no walls"):
            write_frames([c], tmp_path / f"w.{ending}")
    plain.write(alone, tmp_path / "w.vtkhdf", iter([c, c]), vtkhdf.PLAN(2, 2))
    with h5py.File(tmp_path / "w.vtkhdf") as file:
        assert file["VTKHDF/FieldData/walls"][1].tolist() == [5.0, 5.0, 1.0, 4.0]
        assert not file["VTKHDF/FieldData/periodic"][:].any()
    write_frames([c, c], tmp_path / "w.xyz")
    assert read_any(tmp_path / "w.xyz", frame=0).walls == c.walls


def test_vectors_turn_with_the_cell():
    rng = np.random.default_rng(1)
    box = np.array([[8.0, 0.5, 0.0], [1.0, 7.0, 0.0], [2.0, 0.0, 9.0]])
    position, mode = rng.random((5, 3)) @ box.T, rng.normal(size=(5, 3))
    turned = in_space(Configuration(position, box, fields={"mode": mode, "theta": mode[:, 0]}), restrict=True)
    turn, _ = rotation(box)
    np.testing.assert_allclose(turned.fields["mode"], mode @ turn)
    np.testing.assert_allclose((turned.fields["mode"] * turned.position).sum(axis=1), (mode * position).sum(axis=1))
    np.testing.assert_array_equal(turned.fields["theta"], mode[:, 0])
    flat = in_space(Configuration(position[:, :2], box[:2, :2], fields={"mode": mode[:, :2]}))
    assert flat.fields["mode"].shape == (5, 3) and not flat.fields["mode"][:, 2].any()


def test_a_failed_export_leaves_the_old_file(shear, tmp_path):
    out = tmp_path / "o.vtkhdf"
    out.write_text("old")
    assert hpcglass("export", shear, "-o", out, "--fields", "nothing").returncode == 2
    assert out.read_text() == "old" and len(list(tmp_path.iterdir())) == 1

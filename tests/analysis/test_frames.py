"""Frames and events of a run: lazily read, verified, the same numbers as of the live system."""

import shutil

import numpy as np
import pytest
from inprocess import hpcglass

import hpcglass as hg
from hpcglass.analysis.structure.nonaffine import same_edges
from hpcglass.config import Config
from hpcglass.errors import FileError, InputError
from hpcglass.geometries.periodic import deformation
from hpcglass.landscape import evaluate
from hpcglass.landscape.nonaffine import d2min as live_d2min
from hpcglass.stages.shear.params import ShearParams

INPUT = """
[system]
model = "{model}"
dimension = {dimension}
particles = {particles}
density = {density}
[[stage]]
kind = "quench"
[[stage]]
kind = "shear"
plane = "{plane}"
strain_step = {step}
max_strain = {strain}
frames_every = 3
"""
GLASSES = {"2d": {"model": "ipl12", "dimension": 2, "particles": 80, "density": 1.0, "plane": "xy", "step": 0.03, "strain": 0.9},
           "3d": {"model": "lj-binary", "dimension": 3, "particles": 150, "density": 1.1, "plane": "zx", "step": 0.04,
                  "strain": 0.2}}


@pytest.fixture(scope="module", params=GLASSES)
def directory(request, tmp_path_factory):
    place = tmp_path_factory.mktemp(request.param)
    (place / "in.toml").write_text(INPUT.format(**GLASSES[request.param]))
    done = hpcglass("run", "in.toml", "--output", "out", "--no-plots", directory=place)
    assert done.returncode == 0, done.stderr
    return place / "out"


@pytest.fixture
def run(directory):
    return hg.open(directory)


def by_id(system, rows):
    values = np.empty_like(rows)
    values[system.id[: system.n_owned]] = rows
    return values


def test_a_sequence(run):
    frames = run["shear"].frames
    assert len(frames) > 3 and list(frames.step) == sorted(frames.step) == [frame.step for frame in frames]
    assert len(frames[1:-1]) == len(frames) - 2 and frames[::2][1].step == frames[2].step
    assert frames[-1].strain == frames.strain[-1]
    np.testing.assert_allclose(frames.strain, frames.step * run["shear"].input.strain_step, atol=1e-12)
    assert frames.at(3).step == 3
    with pytest.raises(InputError, match="step 999 was not kept"):
        frames.at(999)
    with pytest.raises(IndexError):
        frames[len(frames)]
    assert len(run["quench"].frames) == 0


def test_a_frame_is_the_glass_of_its_step(run):
    shear = run["shear"]
    for frame in (shear.frames[2], shear.final):
        system = hg.load(frame)
        energy = shear.tables["loading"]["energy"][frame.step]
        assert evaluate(system).energy == pytest.approx(energy, rel=1e-9)
        np.testing.assert_allclose(by_id(system, system.unwrapped()), frame.unwrapped(), atol=1e-12)
        np.testing.assert_allclose(frame.volume, system.volume)
        assert frame.diameter.shape == frame.species.shape == (frame.particles,)
    np.testing.assert_array_equal(shear.final.position, shear.position)
    np.testing.assert_array_equal(shear.final.fields["d2min"], shear.fields["d2min"])
    with pytest.raises(KeyError, match="did you mean 'd2min'"):
        shear.final.fields["d2mni"]


def test_d2min_of_an_event_is_that_of_the_live_system(run):
    events = run["shear"].events
    assert events
    for event in (events[0], run["shear"].event(-1)):
        before, after = hg.load(event.before), hg.load(event.after)
        earlier = by_id(before, before.unwrapped())[after.id[: after.n_owned]]
        stretch = deformation(event.after.gradient, event.after.strain - event.before.strain)
        right = by_id(after, live_d2min(after, earlier, stretch))
        np.testing.assert_allclose(event.d2min, right, rtol=1e-9, atol=1e-11)
        assert event.d2min.max() == pytest.approx(event.row["largest_d2min"], rel=1e-9)
        assert event.d2min.argmax() == event.row["core_id"]
    with pytest.raises(InputError, match="locate = true"):
        _ = events[0].mode
    with pytest.raises(InputError, match="no event 1000"):
        run["shear"].event(1000)


def test_d2min_from_the_start_to_the_end(run):
    """The cell has been described by other edges meanwhile (2D, at strain 0.5); the stage's own field is the right answer."""
    start, end = run["quench"].final, run["shear"].final
    change = same_edges(start, end)
    assert (change != np.eye(end.dimension)).any() == (end.strain > 0.5)
    np.testing.assert_allclose(hg.analysis.d2min(start, end), run["shear"].fields["d2min"], rtol=1e-8, atol=1e-9)


def test_cells_that_have_nothing_to_do_with_each_other(run):
    other = run["quench"].final
    other.box = other.box * 1.4
    with pytest.raises(InputError, match="cannot be told how one cell became the other"):
        hg.analysis.d2min(other, hg.open(run.directory)["quench"].final)


def test_a_segment_alone(run, directory):
    segment = hg.open(directory / "01-shear.traj-0000.h5")
    assert len(segment.frames) == len(run["shear"].frames) and segment.final.step == segment.frames[-1].step


def test_typed_input(run, directory):
    params = run["shear"].input
    assert isinstance(params, ShearParams) and params.event_frames is True and params.method == "auto"
    assert run.input == Config.load(directory / "resolved.toml") == hg.Run.from_toml(directory.parent / "in.toml")


def test_segments_are_verified_and_missed_when_they_are_needed(directory, tmp_path):
    copy = shutil.copytree(directory, tmp_path / "out")
    segment = copy / "01-shear.traj-0000.h5"
    data = bytearray(segment.read_bytes())
    position = hg.open(copy)["shear"].frames[0].position[0, :1].tobytes()
    data[data.index(position)] ^= 1
    segment.write_bytes(data)
    frames = hg.open(copy)["shear"].frames
    assert len(frames) > 3                               # steps are not damaged
    with pytest.raises(FileError, match="position"):
        _ = frames[0].position
    shutil.copy(copy / "01-shear.h5", segment)
    with pytest.raises(FileError, match="not the file that"):
        len(hg.open(copy)["shear"].frames)
    segment.unlink()
    shear = hg.open(copy)["shear"]
    assert shear.tables["loading"].rows > 3
    with pytest.raises(FileError, match=r"traj-0000\.h5"):
        len(shear.frames)


def test_a_lattice_beside_particles_has_fields_and_no_frames(tmp_path):
    """Its file has the particles of the run, its segments are the lattice's."""
    (tmp_path / "input.toml").write_text("""
[system]
model = "ipl12"
particles = 100
[[stage]]
kind = "quench"
[[stage]]
kind = "epm"
size = 6
shear_modulus = 20.0
initial = { distribution = "weibull", mean = 1.0, cv = 0.3 }
slip = { fixed = 0.05 }
max_strain = 0.1
fields_at = [0.05, 0.1]
""")
    done = hpcglass("run", "input.toml", "--output", "run", "--no-plots", directory=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    lattice = hg.open(tmp_path / "run")["epm"]
    assert lattice.grids["events"].shape == (2, 6, 6) and lattice.grid_strain == pytest.approx([0.05, 0.1])
    assert len(lattice.frames) == 0 and len(lattice.position) == 100
    drawn = hpcglass("plot", "run/01-epm.h5", directory=tmp_path)
    assert drawn.returncode == 0 and (tmp_path / "run" / "01-epm-map.png").exists()

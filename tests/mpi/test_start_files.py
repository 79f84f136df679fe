"""Starts from files on any number of ranks: the same system, the same words; absurd ones are refused by all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from glasses import system, whole
from mpi4py import MPI

from hpcglass.config import ModelParams, SystemParams
from hpcglass.core.neighbours import Bins
from hpcglass.errors import InputError
from hpcglass.io import configuration, h5
from hpcglass.io.adopt import check_room, nearest
from hpcglass.io.contents import Contents
from hpcglass.io.convert import read_any, write_any
from hpcglass.landscape.forces import evaluate
from hpcglass.moves.start import build
from hpcglass.potentials.library import MODELS
from hpcglass.start import start

comm = MPI.COMM_WORLD
CASES = Path(__file__).parents[1] / "data" / "cases"


@pytest.fixture(autouse=True)
def no_probe(monkeypatch):
    monkeypatch.setattr("hpcglass.sealed.file.survives", lambda path: "")


@pytest.fixture
def directory(tmp_path_factory):
    """One directory for all ranks."""
    path = str(tmp_path_factory.mktemp("shared")) if comm.rank == 0 else ""
    return Path(comm.bcast(path))


def begin(path, name="ipl12", model=None, **keys):
    said = []
    params = SystemParams(model=name, file=str(path), **keys)
    return *start(comm, params, model or MODELS[name], 5, said.append), said


def lines_of(name):
    return (CASES / name).read_text().splitlines()


def put(path, lines):
    if comm.rank == 0:
        path.write_text("\n".join(lines) + "\n")
    comm.Barrier()
    return path


@pytest.mark.parametrize(("name", "model", "energy"), [
    ("base-ipl12.xyz", "ipl12", 0.2290315414), ("labels-S-L.xyz", "lj-binary", -2.200407352),
    ("id-other-steps.h5", "ipl12", 0.2290315414), ("N-changes.gsd", "ipl12", 0.2290315414)])
def test_the_same_start_on_any_number_of_ranks(name, model, energy):
    glass, parents, said = begin(CASES / name, model)
    assert evaluate(glass).energy / 100 == pytest.approx(energy, rel=1e-6)
    texts = comm.allgather([*parents, *said])
    assert all(text == texts[0] for text in texts) and len(said) >= 1


def changed(where, old, new):
    """The lines of a glass, changed at one place."""
    lines = lines_of("base-ipl12.xyz")
    assert old in lines[where]
    return [*lines[:where], lines[where].replace(old, new), *lines[where + 1:]]


def absurd():
    lines = lines_of("base-ipl12.xyz")
    words = lines[2].split()
    behind = " ".join([words[0], str(float(words[1]) - 10), str(float(words[2]) + 1e-8), *words[3:]])
    radius = lines[4].split()[4]
    return {
        "twice": ([*lines[:4], lines[2], *lines[5:]], "particles 0 and 2 are at the same place"),
        "an image": ([*lines[:4], behind, *lines[5:]], "particles 0 and 2 are at the same place"),
        "radius 100": (changed(4, radius, "100.0"), "particle 2 has the diameter 200, ipl12 has diameters from"),
        "cell 1e-3": (changed(1, "10.0", "0.001"), r"only 0.001 wide .* less than the interaction range 1.997: .*particle 42"),
        "cell 1e12": (changed(1, "10.0", "1e12"), r"the cell is 1e\+12 wide, more than 1e\+06 times the interaction range"),
        "thin": (changed(1, "0.0 10.0 0.0", "0.0 1.5 0.0"), r"only 1.5 wide between opposite faces"),
    }


@pytest.mark.parametrize("what", absurd())
def test_absurd_files_are_refused_by_all_ranks(what, directory):
    lines, message = absurd()[what]
    path = put(directory / "a.xyz", lines)
    with pytest.raises(InputError, match=message):
        begin(path)


def test_a_large_particle_of_ones_own_model(directory):
    path = put(directory / "a.xyz", absurd()["radius 100"][0])
    own = ModelParams.model_validate({"beta": 12, "q": 2, "x_c": 1.25, "sizes": {"smallest": 0.01, "largest": 1000.0}}).build()
    with pytest.raises(InputError, match=r"less than the interaction range 250: .*particle 2 has the diameter 200"):
        begin(path, "custom", own)


def stored(path, glass):
    contents = Contents()
    configuration.put(contents, comm, [configuration.capture(glass, 3, 0.3)])
    h5.write(comm, path, contents)
    return path


def test_files_of_ours_must_be_of_the_model_too(directory):
    glass, *_ = begin(CASES / "base-ipl12.xyz")
    path = stored(directory / "glass.h5", glass)
    again, _, said = begin(path)
    assert np.array_equal(whole(again, again.position), whole(glass, glass.position)) and said == []
    with pytest.raises(InputError, match=r"particle \d+ has the diameter .* but is of species S of lj-binary"):
        begin(path, "lj-binary")
    with pytest.raises(InputError, match=r"particle \d+ has the diameter 0\.\d+, ipl10 has diameters from 1 to 2.22"):
        begin(path, "ipl10")
    mixture = stored(directory / "mixture.h5", begin(CASES / "base-lj-binary.xyz", "lj-binary")[0])
    again, _, said = begin(mixture, "lj-binary")
    assert again.n_total == 100 and said == ["species of mixture.h5: S (55), L (45)"]
    few = system(comm, MODELS["lj-binary"], 9 * np.eye(2), np.random.default_rng(1).random((40, 2)) * 9,
                 np.full(40, MODELS["lj-binary"].sizes.diameters[1]), np.ones(40, dtype=np.int32))
    with pytest.raises(InputError, match=r"0 of 40 particles are of species S, 0.0%; in lj-binary they are 55.3%"):
        begin(stored(directory / "few.h5", few), "lj-binary")


@pytest.mark.parametrize("ending", ["h5", "xyz"])
def test_walls_come_along(directory, ending):
    """An annulus stays one, from our file and from its export."""
    annulus = build(comm, SystemParams(model="ipl12", density=1.0, r_in=1.0, r_out=6.0, start="random"), MODELS["ipl12"], 1)
    path = stored(directory / "annulus.h5", annulus)
    if ending == "xyz":
        if comm.rank == 0:
            write_any(read_any(path), directory / "annulus.xyz")
        comm.Barrier()
        path = directory / "annulus.xyz"
    again, *_ = begin(path, density=annulus.n_total / annulus.volume)
    assert again.walls == annulus.walls and again.volume == annulus.volume
    assert evaluate(again).energy == pytest.approx(evaluate(annulus).energy, rel=1e-12)


def test_bins_are_counted_without_overflow():
    """However large the cell is, there are not many more bins than particles."""
    for box in (1e12 * np.eye(2), 1e12 * np.eye(3), np.diag([1e150, 3.0]), 1e100 * np.eye(3)):
        bins = Bins.covering(box, np.zeros(len(box)), np.ones(len(box)), 2.0, 100)
        assert 1 <= bins.shape.prod() <= 864 and (bins.reach >= 1).all()


def test_room_is_that_of_the_reduced_cell():
    """A cell tilted by seven edges has the room of a square."""
    for tilt in (0.0, -7.0, 1e5):
        check_room(np.array([[10.0, 10 * tilt], [0.0, 10.0]]), MODELS["ipl12"], 1.6, CASES, "particle 0")
    for box in (np.diag([1.9, 10.0]), np.array([[10.0, 7.0], [0.0, 0.3]]), np.diag([10.0, 1e8]),
                np.array([[10.0, 1e30], [0.0, 10.0]])):
        with pytest.raises(InputError, match="the cell is"):
            check_room(box, MODELS["ipl12"], 1.6, CASES, "particle 0")


@pytest.mark.parametrize("d", [2, 3])
def test_nearest_pairs_are_found_across_faces(d):
    rng = np.random.default_rng(d)
    box = np.triu(rng.uniform(-4, 4, (d, d)), 1) + np.diag(rng.uniform(5, 9, d))
    place = rng.random((200, d))
    one = np.ones(100_000)
    near = nearest(place, box, one[:200])
    assert 1e-6 < near.distance == near.relative < near.usual < 1
    for corner in np.stack(np.meshgrid(*[[0.0, 1 - 1e-9]] * d), axis=-1).reshape(-1, d)[1:]:     # an image of the origin, nearly
        near = nearest(np.concatenate([place, np.zeros((1, d)), corner[None]]), box, one[:202])
        assert (near.i, near.j) == (200, 201) and 0 < near.distance < 1e-6
    assert nearest(np.zeros((100_000, d)), box, one).distance == 0      # quickly
    assert nearest(np.full((1, d), 0.9), box, one[:1]).distance == np.inf


def test_a_cell_that_has_lost_its_tilt_is_noticed(directory):
    """A LAMMPS file without its tilt line has a square box; only overlaps across its faces tell."""
    lines = lines_of("tilt-good.data")
    path = put(directory / "square.data", [line for line in lines if "xy xz yz" not in line])
    assert not any("apart" in line for line in begin(CASES / "tilt-good.data", "lj-binary")[2])
    _, _, said = begin(path, "lj-binary")
    for words in ("of square.data are only 0.", "of their mean diameter", "is a number or the cell wrong?"):
        assert words in said[-1]


def test_lengths_of_another_unit(directory):
    lines = lines_of("base-ipl12.xyz")

    def scaled(positions, cell, radii):
        rows = [line.split() for line in lines[2:]]
        new = [" ".join([kind, *[repr(positions * float(x)) for x in place], repr(radii * float(radius))])
               for kind, *place, radius in rows]
        return put(directory / f"{positions}-{cell}.xyz", [lines[0], lines[1].replace("10.0", repr(10.0 * cell)), *new])

    with pytest.raises(InputError, match=r"half of the particles are nearer than 0.0[89]\d* to .* in units of its edges"):
        begin(scaled(0.1, 1.0, 1.0))        # fractions of the cell, as LAMMPS dumps have them
    _, _, said = begin(scaled(2.0, 2.0, 1.0))
    assert said[-1] == "warning: the density of 2.0-2.0.xyz is 0.25, usual for ipl12 is 1: are lengths in the units of the model?"

"""Export and import: what comes back is the same configuration, and damaged files are refused clearly."""

import itertools
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hpcglass.__main__ import main
from hpcglass.config import SystemParams
from hpcglass.errors import FileError, InputError
from hpcglass.io.adopt import start_configuration
from hpcglass.io.convert import Configuration, read_any, tile, write_any
from hpcglass.io.formats.common import restricted
from hpcglass.potentials.library import MODELS

SEED = 7
ENDINGS = ["xyz", "data", "dump", "gsd"]


@pytest.fixture(autouse=True)
def no_probe(monkeypatch):
    """Without the program that tries HDF5 beforehand, which takes half a second."""
    monkeypatch.setattr("hpcglass.sealed.file.survives", lambda path: "")


def configuration(dimension, tilt="none", count=40, sizes=True, species=True):
    """Random particles in a cell that is straight, sheared by more than half an edge, or turned."""
    rng = np.random.default_rng(SEED)
    box = np.diag(rng.uniform(5, 8, dimension))
    if tilt != "none":
        box[np.triu_indices(dimension, 1)] = [9.3] if dimension == 2 else [9.3, -7.0, 5.5]
    if tilt == "turned":
        turn, _ = np.linalg.qr(rng.normal(size=(dimension, dimension)))
        turn[:, 0] *= np.sign(np.linalg.det(turn))
        box = turn @ box
    return Configuration(rng.random((count, dimension)) @ box.T, box, rng.uniform(0.7, 1.6, count) if sizes else None,
                         rng.integers(0, 3, count).astype(np.int32) if species else None)


def distances(c):
    """Minimum-image distances of all pairs: the same for every choice of axes and edges. (N, N)"""
    fraction = np.linalg.solve(c.box, c.position.T).T
    difference = fraction[:, None] - fraction[None]
    difference -= np.round(difference)
    images = itertools.product(range(-2, 3), repeat=c.dimension)
    return np.min([np.linalg.norm((difference + np.array(k)) @ c.box.T, axis=-1) for k in images], axis=0)


@pytest.mark.parametrize("tilt", ["none", "sheared", "turned"])
@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("ending", ENDINGS)
def test_round_trip(tmp_path, ending, dimension, tilt):
    if ending == "gsd":
        pytest.importorskip("gsd")
    before = configuration(dimension, tilt)
    path = tmp_path / f"c.{ending}"
    write_any(before, path)
    after = read_any(path)
    exact = 1e-6 if ending == "gsd" else 1e-12      # GSD has 32-bit floats
    assert after.dimension == dimension
    np.testing.assert_allclose(distances(after), distances(before), atol=10 * exact)
    np.testing.assert_allclose(after.diameter, before.diameter, rtol=exact)
    np.testing.assert_array_equal(after.species, before.species)
    assert after.density == pytest.approx(before.density, rel=10 * exact)


@pytest.mark.parametrize("dimension", [2, 3])
def test_every_digit_is_kept(tmp_path, dimension):
    before = configuration(dimension, "turned")
    write_any(before, tmp_path / "c.xyz")
    after = read_any(tmp_path / "c.xyz")
    np.testing.assert_array_equal(after.position, before.position)
    np.testing.assert_array_equal(after.box, before.box)
    np.testing.assert_array_equal(after.diameter, before.diameter)
    straight = configuration(dimension, "none")
    write_any(straight, tmp_path / "c.data")
    np.testing.assert_array_equal(read_any(tmp_path / "c.data").position, straight.position)


def test_lammps_gets_the_cell_it_wants(tmp_path):
    write_any(configuration(3, "turned"), tmp_path / "c.data")
    box = read_any(tmp_path / "c.data").box
    assert np.array_equal(box, np.triu(box))
    for row, column in ((0, 1), (0, 2), (1, 2)):
        assert abs(box[row, column]) <= box[row, row] / 2
    text = (tmp_path / "c.data").read_text()
    assert "xy xz yz" in text and "Atoms # sphere" in text
    row = text.split("Atoms # sphere\n\n")[1].split()      # the density makes the mass 1: rho pi d^3 / 6
    assert float(row[3]) * np.pi * float(row[2]) ** 3 / 6 == pytest.approx(1)


def test_reduced_tilts_are_small_and_span_the_same_lattice():
    rng = np.random.default_rng(SEED)
    for _ in range(100):
        box = np.triu(rng.uniform(-30, 30, (3, 3)), 1) + np.diag(rng.uniform(1, 9, 3))
        _, reduced = restricted(np.zeros((1, 3)), box, reduce=True)
        for row, column in ((0, 1), (0, 2), (1, 2)):
            assert abs(reduced[row, column]) <= reduced[row, row] / 2 * (1 + 1e-9)
        change = np.linalg.solve(box, reduced)      # whole numbers of the old edges, and the same volume
        np.testing.assert_allclose(change, np.round(change), atol=1e-9)
        assert np.linalg.det(change) == pytest.approx(1)


def test_without_species_or_diameters(tmp_path):
    write_any(configuration(2, sizes=False, species=False), tmp_path / "c.xyz")
    after = read_any(tmp_path / "c.xyz")
    assert after.diameter is None and after.species is None


FOREIGN = {
    "lammps.data": """made by another program

2 atoms
1 atom types
1.0 11.0 xlo xhi
0 5 ylo yhi
-0.5 0.5 zlo zhi

Masses

1 1.0

Atoms # atomic

2 1 3.0 1.0 0.0 0 0 0
1 1 2.0 4.0 0.0 1 0 0

Velocities

1 0 0 0
2 0 0 0
""",
    "ase.xyz": """2
Lattice="10.0 0.0 0.0 0.0 5.0 0.0 0.0 0.0 1.0" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5 pbc="T T F"
A 1.0 4.0 0.0 0 0 0
B 2.0 1.0 0.0 0 0 0
2
Lattice="10.0 0.0 0.0 0.0 5.0 0.0 0.0 0.0 1.0" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5 pbc="T T F"
A 1.0 4.0 0.0 0 0 0
B 2.0 1.0 0.0 0 0 0
""",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_files_of_other_programs(tmp_path, name):
    path = tmp_path / name
    path.write_text(FOREIGN[name])
    found = read_any(path)
    np.testing.assert_array_equal(found.position, [[1, 4], [2, 1]])     # by id, from the corner of the cell
    np.testing.assert_array_equal(found.box, [[10, 0], [0, 5]])
    np.testing.assert_array_equal(found.species, [0, 1] if name == "ase.xyz" else [0, 0])


def test_gsd_trajectories_give_the_last_frame(tmp_path):
    """What does not change is in the first frame only."""
    hoomd = pytest.importorskip("gsd.hoomd")
    path = tmp_path / "t.gsd"
    with hoomd.open(str(path), "w") as file:
        for step in range(3):
            frame = hoomd.Frame()
            frame.configuration.box = [10, 20, 30, 0, 0, 0]
            frame.configuration.step = step
            frame.particles.N = 2
            frame.particles.types = ["A", "B"]
            frame.particles.typeid = [1, 0]
            frame.particles.position = [[step, 0, 0], [0, step, 0]]
            file.append(frame)
    found = read_any(path)
    np.testing.assert_array_equal(found.position, [[7, 10, 15], [5, 12, 15]])
    np.testing.assert_array_equal(found.species, [1, 0])
    assert found.diameter is None


def h5md(path, c):
    import h5py

    with h5py.File(path, "w") as file:
        file["particles/all/position/value"] = c.position[None]
        file["particles/all/box/edges/value"] = c.box.T[None]
        file["particles/all/diameter"] = c.diameter
        file["particles/all/species/value"] = c.species[None]


def test_export_command(tmp_path, capsys):
    before = configuration(2, "sheared")
    h5md(tmp_path / "c.h5", before)
    assert main(["export", str(tmp_path / "c.h5"), "-o", str(tmp_path / "out.dump"), "--to", "lammps"]) == 0
    (tmp_path / "out.dump").rename(tmp_path / "out.data")
    np.testing.assert_allclose(distances(read_any(tmp_path / "out.data")), distances(before), atol=1e-12)
    assert main(["export", str(tmp_path / "c.h5"), "-o", str(tmp_path / "out.abc")]) == 2
    assert "the format is told by the ending" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "c.h5"), "-o", str(tmp_path / "none" / "out.xyz")]) == 4
    assert main(["export", str(tmp_path / "none.h5"), "-o", str(tmp_path / "out.xyz")]) == 2


def test_export_needs_no_mpi(tmp_path):
    h5md(tmp_path / "c.h5", configuration(3))
    code = f"""
import os, sys
for name in [n for n in os.environ if n.startswith(("OMPI", "PMI", "H5PY"))]:
    del os.environ[name]
from hpcglass.__main__ import main
code = main(["export", {str(tmp_path / "c.h5")!r}, "-o", {str(tmp_path / "c.xyz")!r}])
heavy = {{"petsc4py", "numba", "mpi4py"}} & set(sys.modules)
import h5py
if h5py.get_config().mpi:
    heavy -= {{"mpi4py"}}      # this build of h5py loads it
sys.exit(f"loaded {{heavy}}" if heavy else code)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr


def test_import_command_makes_a_file_of_ours(tmp_path, capsys):
    from hpcglass.io.reader import verify

    c = configuration(2, "sheared", species=False)
    write_any(c, tmp_path / "c.xyz")
    out = tmp_path / "c.h5"
    assert main(["import", str(tmp_path / "c.xyz"), "-o", str(out), "--model", "ipl12"]) == 2     # a diameter below the model's
    assert "has diameters from" in capsys.readouterr().err
    c.diameter = np.clip(c.diameter, 0.73, 1.6)
    write_any(c, tmp_path / "c.xyz")
    assert main(["import", str(tmp_path / "c.xyz"), "-o", str(out), "--model", "ipl12"]) == 0
    assert verify(out)
    again = read_any(out)
    np.testing.assert_array_equal(again.position, c.position)
    np.testing.assert_array_equal(again.diameter, c.diameter)
    assert main(["import", str(tmp_path / "c.xyz"), "-o", str(out), "--model", "ipl21"]) == 2
    assert "did you mean 'ipl12'?" in capsys.readouterr().err
    assert main(["import", str(tmp_path / "c.xyz"), "-o", str(out), "--model", "lj-binary"]) == 2
    assert "has no species, which lj-binary needs" in capsys.readouterr().err


def test_a_start_must_not_contradict_the_input(tmp_path):
    write_any(configuration(2, sizes=False), tmp_path / "c.xyz")
    file = str(tmp_path / "c.xyz")
    model, density = MODELS["ipl12"], read_any(file).density
    start, said = start_configuration(SystemParams(model="ipl12", file=file, particles=40, density=density), model)
    assert len(start.position) == 40 and start.diameter is None
    assert any("has no diameters: they are drawn anew" in line for line in said) and "are these random positions" in said[-1]
    for wrong, message in (({"particles": 41}, "remove the key"), ({"density": 2 * density}, "remove the key"),
                           ({"dimension": 3}, "is 2D .its cell is not periodic along z. but a 3D one is wanted")):
        with pytest.raises(InputError, match=message):
            start_configuration(SystemParams(model="ipl12", file=file, **wrong), model)
    write_any(configuration(3), file)
    with pytest.raises(InputError, match="2D one is wanted"):
        start_configuration(SystemParams(model="ipl12", file=file), model)


@pytest.mark.parametrize(("name", "text", "said"), [
    ("c.xyz", "x\n", "c.xyz:1: the number of particles should be here"),
    ("c.xyz", "3\nLattice\nA 0 0 0\n", "3 particles are announced, the file ends after 1"),
    ("c.xyz", "1\nfoo=1\nA 0 0 0\n", 'c.xyz:2: no Lattice="..."'),
    ("c.xyz", '1\nLattice="1 0 0 0 1 0 0 0"\nA 0 0 0\n', "Lattice must be 9 numbers"),
    ("c.xyz", '1\nLattice="1 0 0 0 1 0 0 0 0"\nA 0 0 1\n', "has no volume"),
    ("c.xyz", '2\nLattice="1 0 0 0 1 0 0 0 1"\nA 0 0 0\nA 0 zero 0\n', "c.xyz:4: 'A 0 zero 0' has no number in column 3"),
    ("c.xyz", '2\nLattice="1 0 0 0 1 0 0 0 1"\nA 0 0 0\nA 0 nan 0\n', "particle 1 has the position"),
    ("c.data", "no\n1 atoms\n", "has no section Atoms"),
    ("c.data", "no\n1 atoms\n0 1 xlo xhi\n\nAtoms\n\n1 1 0 0 0\n", "the header has no line '... ... ylo yhi'"),
    ("c.data", "no\n2 atoms\n0 1 xlo xhi\n0 1 ylo yhi\n\nAtoms\n\n1 1 0 0 0\n", "2 atoms are announced, the file ends after 1"),
    ("c.data", "no\n2 atoms\n0 1 xlo xhi\n0 1 ylo yhi\n\nAtoms\n\n1 1 0 0 0\n1 1 0 0 0\n", "atom 1 is there twice"),
    ("c.data", "no\n1 atoms\n0 1 xlo xhi\n0 1 ylo yhi\n\nAtoms\n\n1 1 0 0 0 0\n", "cannot tell the atom style"),
    ("c.h5", "text", "damaged, or not a file of this kind"),
    ("c.gsd", "text", "damaged, or not a file of this kind"),
])
def test_what_is_wrong_is_said_with_its_place(tmp_path, name, text, said):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(FileError) as error:
        read_any(path)
    assert str(path) in str(error.value)
    assert said in str(error.value)


@pytest.mark.parametrize("ending", [*ENDINGS, "h5"])
def test_damaged_files_end_with_a_message(tmp_path, ending):
    """200 files in all: truncated, flipped bits, pieces missing or doubled."""
    rng = random.Random(SEED)
    whole = tmp_path / f"whole.{ending}"
    (h5md(whole, configuration(3, "sheared")) if ending == "h5" else write_any(configuration(3, "sheared"), whole))
    data = whole.read_bytes()
    refused = 0
    for number in range(50):
        damaged = bytearray(data)
        at = rng.randrange(len(data))
        match number % 4:
            case 0:
                damaged = damaged[:at]
            case 1:
                for _ in range(8):
                    damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 2:
                del damaged[at: at + rng.randint(1, 200)]
            case 3:
                damaged[at:at] = damaged[max(at - 50, 0): at]
        path = tmp_path / f"{number}.{ending}"
        path.write_bytes(damaged)
        try:
            read_any(path).check(path)
        except (FileError, InputError) as error:
            refused += 1
            assert str(path) in str(error)
    assert refused >= 15      # a flipped digit is still a number


@pytest.mark.parametrize("dimension,copies", [(2, [2, 3]), (3, [2])])
def test_tiles(dimension, copies):
    """Each particle of a tile has the surroundings it had, numbers and sizes repeat, the density stays."""
    one = configuration(dimension, "sheared")
    many = tile(one, copies)
    along = copies * dimension if len(copies) == 1 else copies
    count = int(np.prod(along))
    assert many.position.shape == (40 * count, dimension)
    assert many.density == pytest.approx(one.density)
    assert np.array_equal(many.diameter, np.tile(one.diameter, count))
    assert np.array_equal(many.species, np.tile(one.species, count))
    fraction = np.linalg.solve(one.box, (many.position - np.tile(one.position, (count, 1))).T).T
    assert np.abs(fraction - np.rint(fraction)).max() < 1e-12
    tiles = np.rint(fraction).astype(int)[::40]
    assert sorted(map(tuple, tiles)) == sorted(itertools.product(*map(range, along)))
    assert np.abs(many.box - one.box * along).max() == 0.0


def test_import_tiles(tmp_path, capsys):
    import h5py

    source, output = tmp_path / "a.xyz", tmp_path / "b.h5"
    start = configuration(2, species=False)
    start.diameter = np.linspace(1.0, 2.22, 40)
    write_any(start, source)
    assert main(["import", str(source), "--model", "ipl10", "--tile", "3", "-o", str(output)]) == 0
    assert "360 particles; the tiles are copies" in capsys.readouterr().out
    with h5py.File(output) as file:
        assert file["particles/all/position/value"].shape == (1, 360, 2)
        assert "3 copies" in file["provenance/input"][()].decode()
    with pytest.raises(SystemExit, match="2"):
        main(["import", str(source), "--model", "ipl10", "--tile", "3", "0", "-o", str(output)])

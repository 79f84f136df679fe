"""LAMMPS dumps as users have them: the glass that is in them, or one clear message."""

from __future__ import annotations

import numpy as np
import pytest

from hpcglass.errors import FileError, InputError
from hpcglass.io.convert import frames, read_any, write_any
from hpcglass.io.formats.common import Configuration

HEAD = "ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{count}\nITEM: BOX BOUNDS {box}"
STRAIGHT = "pp pp pp\n1.0 11.0\n0.0 5.0\n-2 2\n"
ROWS = "2 1 3.0 1.0 0.5\n1 2 2.0 4.0 -1.0\n"
TWO = HEAD.format(step=5, count=2, box=STRAIGHT) + "ITEM: ATOMS id type x y z\n" + ROWS


def read(tmp_path, text, **options):
    path = tmp_path / "d.dump"
    path.write_text(text)
    return read_any(path, **options)


def test_rows_by_id_from_the_corner_of_the_cell(tmp_path):
    found = read(tmp_path, TWO)
    np.testing.assert_array_equal(found.position, [[1, 4, -1], [2, 1, 0.5]])        # z from its own zero, as in LAMMPS data
    np.testing.assert_array_equal(found.box, np.diag([10.0, 5, 4]))
    assert found.species.tolist() == [1, 0] and found.names == ("1", "2") and found.step == 5 and not found.notes


@pytest.mark.parametrize(("columns", "rows"), [
    ("id type xs ys zs", "2 1 0.2 0.2 0.125\n1 2 0.1 0.8 -0.25\n"),
    ("id type xsu ysu zsu", "2 1 1.2 0.2 0.125\n1 2 0.1 0.8 -0.25\n"),
    ("type id xu yu zu", "1 2 3 1 0.5\n2 1 2 4 -1\n"), ("id xs ys zs type x y z", "2 9 9 9 1 3 1 .5\n1 9 9 9 2 2 4 -1\n")])
def test_every_kind_of_position(tmp_path, columns, rows):
    found = read(tmp_path, TWO[: TWO.index("ITEM: ATOMS")] + f"ITEM: ATOMS {columns}\n{rows}")
    fraction = np.linalg.solve(found.box, (found.position - [[1, 4, -1], [2, 1, 0.5]]).T)
    assert np.abs(fraction - np.rint(fraction)).max() < 1e-15
    assert found.notes == (("columns that are not used: xs, ys, zs",) if len(columns) > 20 else ())


def test_tilted_cells_are_given_by_the_box_around_them(tmp_path):
    box = "xy xz yz pp pp pp\n-3.0 11.5 1.5\n0.0 6.0 -3.0\n0.0 4.0 1.0\n"      # xlo 0, xhi 10, as xy + xz < 0 < xy
    found = read(tmp_path, HEAD.format(step=0, count=1, box=box) + "ITEM: ATOMS id x y z\n1 1 2 3\n")
    np.testing.assert_array_equal(found.box, [[10, 1.5, -3], [0, 5, 1], [0, 0, 4]])
    general = "abc origin pp pp pp\n10 0 0 1\n1.5 5 0 0\n-3 1 4 0\n"
    found = read(tmp_path, HEAD.format(step=0, count=1, box=general) + "ITEM: ATOMS id x y z\n1 2 2 3\n")
    np.testing.assert_array_equal(found.box, [[10, 1.5, -3], [0, 5, 1], [0, 0, 4]])
    np.testing.assert_array_equal(found.position, [[1, 2, 3]])


def test_frames_and_what_else_lammps_writes(tmp_path):
    text = "ITEM: UNITS\nlj\nITEM: TIME\n0.5\n" + TWO + TWO.replace("TIMESTEP\n5", "TIMESTEP\n7").replace("3.0 1.0", "3.5 1.0")
    last, first = read(tmp_path, text), read(tmp_path, text, frame=0)
    assert frames(tmp_path / "d.dump") == [5, 7] and (first.step, last.step) == (5, 7)
    assert last.position[1, 0] == 2.5 and first.position[1, 0] == 2.0
    assert last.notes == ("the last of 2 frames is read",) and not first.notes
    with pytest.raises(InputError, match="no frame 2, it has frames 0 to 1"):
        read(tmp_path, text, frame=2)


def test_flat_ones(tmp_path):
    flat = TWO.replace("0.5\n", "0\n").replace("-1.0\n", "0\n")
    assert read(tmp_path, flat).dimension == 2      # every z is the same, whatever the boundary says
    assert read(tmp_path, flat.replace("pp pp pp", "pp pp ff")).dimension == 2
    two_columns = TWO.replace("x y z", "x y").replace(" 0.5\n", "\n").replace(" -1.0\n", "\n")
    assert read(tmp_path, two_columns).position.tolist() == [[1, 4], [2, 1]]
    with pytest.raises(InputError, match="is not periodic along z"):
        read(tmp_path, TWO.replace("pp pp pp", "pp pp ff"))


def test_sizes_labels_and_elements(tmp_path):
    rows = "2 S S 3 1 0 0.5 7\n1 L L 2 4 0 0.7 7\n"
    found = read(tmp_path, HEAD.format(step=0, count=2, box=STRAIGHT) + f"ITEM: ATOMS id type element x y z radius c_pe\n{rows}")
    assert found.diameter.tolist() == [1.4, 1.0] and found.names == ("S", "L") and found.species.tolist() == [1, 0]
    assert found.notes == ("columns that are not used: c_pe",)
    with pytest.raises(FileError, match="type and element tell different particles apart"):
        read(tmp_path, HEAD.format(step=0, count=2, box=STRAIGHT) + "ITEM: ATOMS type element x y z\n1 A 1 1 1\n1 B 2 2 2\n")
    found = read(tmp_path, TWO.replace("id type", "mol type").replace("\n2 1 3.0", "\n9 1 3.0"))
    assert "there are no ids" in found.notes[1] and found.species.tolist() == [0, 1]


@pytest.mark.parametrize(("text", "said"), [
    ("", "has no frames"),
    ("text\n", "d.dump:1: an 'ITEM: ...' should be here, not 'text'"),
    (TWO.replace("ITEM: NUMBER OF ATOMS\n2\n", ""), "the frame has no item NUMBER OF ATOMS"),
    (TWO.replace("ATOMS\n2\n", "ATOMS\n3\n"), "d.dump:10: 3 atoms are announced, the file ends after 2"),
    (TWO.replace("ATOMS\n2\n", "ATOMS\n1\n"), "d.dump:11: an 'ITEM: ...' should be here, not '1 2 2.0 4.0 -1.0'"),
    (TWO.replace("ATOMS\n2\n", "ATOMS\n2.5\n"), "the number of atoms must be a whole number, not '2.5'"),
    (TWO.replace("1.0 11.0\n", "1.0 11.0 3\n"), "d.dump:6: 2 numbers should be here"),
    (TWO.replace("1.0 11.0\n", "11.0 1.0\n"), "d.dump:6: the cell reaches from x = 11 to 1"),
    (TWO.replace("pp pp pp", "pp pp"), "must end with three boundaries like pp"),
    (TWO.replace("pp pp pp", "xy xz pp pp pp"), "must end with three boundaries like pp"),
    (TWO.replace("id type x y z", "id type x y"), "has 5 columns, ITEM: ATOMS names 4"),
    (TWO.replace("id type x y z", "id x x y z"), "a column is there twice"),
    (TWO.replace("id type x y z", "id type a b c"), "no positions x y z, xu yu zu"),
    (TWO.replace("1 2 2.0", "2 2 2.0"), "the id 2 is there twice"),
    (TWO.replace("1 2 2.0", "1 0 2.0"), "d.dump:11: the type is 0, it must be a whole number from 1 on"),
    (TWO.replace("1 2 2.0", "1 2 2,0"), r"has no number in column 3 (write 2.0)"),
    (TWO.replace("ITEM: BOX", "ITEM: TIMESTEP\n5\nITEM: BOX"), "'TIMESTEP' is there twice"),
    (TWO.replace("ITEM: TIMESTEP", "ITEM: SOMETHING"), "'SOMETHING' is no item of a dump"),
])
def test_what_is_wrong_is_said_with_its_place(tmp_path, text, said):
    with pytest.raises(FileError) as error:
        read(tmp_path, text)
    assert said in str(error.value)


def test_open_boundaries_and_wrong_endings_are_refused(tmp_path):
    with pytest.raises(InputError, match="not periodic along x"):
        read(tmp_path, TWO.replace("pp pp pp", "ff pp pp"))
    (tmp_path / "d.data").write_text(TWO)
    with pytest.raises(FileError, match=r"is a LAMMPS dump: its name should end in .dump or .lammpstrj"):
        read_any(tmp_path / "d.data")


@pytest.mark.parametrize("box", [[[6.0, 1.5], [0.0, 5.0]], [[6.0, 0.0], [2.0, 5.0]], np.eye(2) * 7])
def test_flat_cells_are_high_and_not_periodic(tmp_path, box):
    """OVITO and ASE believe `ff`; for those who repeat every cell no image is within reach."""
    c = Configuration(np.array([[1.0, 2.0], [8.0, 4.0]]), np.array(box), np.array([1.0, 1.4]), np.array([0, 1], dtype=np.int32))
    write_any(c, tmp_path / "c.lammpstrj")
    lines = (tmp_path / "c.lammpstrj").read_text().splitlines()
    low, high = map(float, lines[7].split()[:2])
    assert lines[4].endswith("pp pp ff") and high >= 6 and low == 0
    again = read_any(tmp_path / "c.lammpstrj")
    assert again.dimension == 2 and again.density == pytest.approx(c.density)
    fraction = np.linalg.solve(again.box, again.position.T)
    assert (fraction >= 0).all() and (fraction < 1).all()

"""What exports say to programs that do not know glasses. tests/clients ask the programs themselves."""

from __future__ import annotations

import numpy as np
import pytest

from hpcglass.io.convert import Configuration, read_any, write_any


@pytest.fixture
def flat():
    """Species 1 first, as a reader that counts in the order of appearance would not expect."""
    box = np.array([[6.0, 1.5], [0.0, 5.0]])
    return Configuration(np.array([[1.0, 2.0], [3.0, 4.0], [5.5, 0.1]]), box, np.array([1.4, 1.0, 1.4]),
                         np.array([1, 0, 1], dtype=np.int32))


def test_species_are_numbers_and_no_elements(flat, tmp_path):
    write_any(flat, tmp_path / "c.xyz")
    head, *rows = (tmp_path / "c.xyz").read_text().splitlines()[1:]
    assert "Properties=type:I:1:pos:R:3:radius:R:1 " in head
    assert [row.split()[0] for row in rows] == ["2", "1", "2"]
    assert read_any(tmp_path / "c.xyz").species.tolist() == [1, 0, 1]


def test_types_of_gsd_are_numbers(flat, tmp_path):
    hoomd = pytest.importorskip("gsd.hoomd")
    write_any(flat, tmp_path / "c.gsd")
    with hoomd.open(str(tmp_path / "c.gsd")) as file:
        assert file[0].particles.types == ["1", "2"]
        assert file[0].configuration.dimensions == 2
    assert read_any(tmp_path / "c.gsd").species.tolist() == [1, 0, 1]


def test_one_species_of_two_keeps_its_number(flat, tmp_path):
    flat.species[:] = 1
    for ending in ("xyz", "data"):
        write_any(flat, tmp_path / f"c.{ending}")
        assert read_any(tmp_path / f"c.{ending}").species.tolist() == [1, 1, 1]


def test_more_than_ten_species(flat, tmp_path):
    flat.species = np.array([11, 1, 10], dtype=np.int32)
    write_any(flat, tmp_path / "c.xyz")
    assert read_any(tmp_path / "c.xyz").species.tolist() == [11, 1, 10]


def test_images_of_a_flat_system_are_out_of_reach(flat, tmp_path):
    """LAMMPS data are periodic in z: the cell is as high as it is wide, and the way back is flat again."""
    write_any(flat, tmp_path / "c.data")
    text = (tmp_path / "c.data").read_text()
    assert "-3.0 3.0 zlo zhi" in text and "every z is 0" in text.splitlines()[0]
    again = read_any(tmp_path / "c.data")
    np.testing.assert_array_equal(again.position, flat.position)
    np.testing.assert_array_equal(again.box, flat.box)

"""What the readers of other programs' files understand, and refuse with its place: the rules of docs/files-of-others.md."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from hpcglass.errors import FileError, HpcglassError, InputError
from hpcglass.io.convert import read_any, write_any
from hpcglass.io.formats.common import Configuration

SQUARE = 'Lattice="9 0 0 0 9 0 0 0 1"'
ROWS = "S 1 2 0\nL 3 4 0\n"


def xyz(head="", rows=ROWS, count=2):
    return f"{count}\n{SQUARE} {head}\n{rows}"


def data(rows="1 1 1 2 0\n2 2 3 4 0\n", style=" # atomic", box="0 9 xlo xhi\n0 9 ylo yhi\n", before="", after="",
         atoms="2 atoms"):
    return f"title\n\n{atoms}\n2 atom types\n{box}\n{before}Atoms{style}\n\n{rows}{after}"


UNDERSTOOD = {
    "plain.xyz": xyz(), "2d-columns.xyz": xyz("Properties=species:S:1:pos:R:2", "S 1 2\nL 3 4\n"),
    "types.xyz": xyz("Properties=type:I:1:pos:R:3", "1 1 2 0\n2 3 4 0\n"),
    "Z.xyz": xyz("Properties=Z:I:1:pos:R:3", "1 1 2 0\n2 3 4 0\n"),
    "two-columns.xyz": xyz("Properties=species:S:1:pos:R:3:type:I:1", "H 1 2 0 1\nHe 3 4 0 2\n"),
    "unknown-but-typed.xyz": xyz("Properties=species:S:1:pos:R:3:type:I:1", "X 1 2 0 1\nX 3 4 0 2\n"),
    "ids.xyz": xyz("Properties=id:I:1:species:S:1:pos:R:3", "12 L 3 4 0\n5 S 1 2 0\n"),
    "json.xyz": "2\nLattice=[[9, 0, 0], [0, 9, 0], [0, 0, 1]] pbc=[T, T, F]\n" + ROWS,
    "braces.xyz": "2\nLattice={9 0 0 0 9 0 0 0 1} pbc={1 1 0}\n" + ROWS,
    "constant-z.xyz": xyz('pbc="T T F"', "S 1 2 7.5\nL 3 4 7.5\n"), "slanted-c.xyz": xyz('pbc="T T F"').replace("0 0 1", "3 2 1"),
    "blank-lines.xyz": "\n" + xyz() + "\n\n" + xyz() + "\n \n", "mac.xyz": xyz().replace("\n", "\r"),
    "quotes.xyz": xyz("note='a=b pbc=F' comment=\"it's \\\"pbc=F\\\"\""),
    "atomic.data": data(), "five-columns.data": data(style=""), "any-case.data": data(style="   #  Atomic please"),
    "images.data": data("1 1 1 2 0 0 -3 0\n2 2 3 4 0 1 0 0\n"), "order.data": data("9 2 3 4 0\n4 1 1 2 0\n"),
    "ids-past-2^53.data": data("9007199254740993 2 3 4 0\n9007199254740992 1 1 2 0\n"),
    "moved.data": data("1 1 0 2 0\n2 2 2 4 0\n", box="-1 8 xlo xhi\n0 9 ylo yhi\n"),
    "words-behind.data": data(box="0 9 xlo xhi along x\n0\t9   ylo  yhi# along y\n0 0 0 xy xz yz tilts\n"),
    "labels.data": data("1 S 1 2 0\n2 L 3 4 0\n", before="Atom Type Labels # names\n\n1 S\n2 L\n\nMasses\n\nS 1\nL 1\n\n"),
    "general.data": data(box="9 0 0 avec\n0 9 0 bvec\n0 0 1 cvec\n0 0 -0.5 abc origin\n"),
    "sections.data": data(before="Pair Coeffs # lj/cut\n\n1 1 1\n2 1 1\n\n", after="\nVelocities\n\n1 0 0 0\n2 0 0 0\n"),
}


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_what_is_understood(tmp_path, name):
    (tmp_path / name).write_bytes(UNDERSTOOD[name].encode())
    found = read_any(tmp_path / name)
    np.testing.assert_array_equal(found.position, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(found.box, [[9, 0], [0, 9]])
    np.testing.assert_array_equal(found.species, [0, 1])


REFUSED = {
    # periodicity and dimension
    "open.xyz": (xyz('pbc="F F F"'), "not periodic along x, y, z"),
    "half.xyz": (xyz("pbc=[F, T, F]"), "not periodic along x, z"),
    "slab.xyz": (xyz('pbc="T T F"', "S 1 2 0\nL 3 4 1\n"), "is 3D .z from 0 to 1. but a 2D one is wanted .its cell is not"),
    "odd.xyz": (xyz("pbc=maybe"), 'pbc must be like "T T F"'),
    "tilted-out.xyz": (xyz().replace("0 0 1", "3 0 1"), "tilted out of"),
    "left.xyz": (xyz().replace("9 0 0 0 9", "0 9 0 9 0"), "left-handed"),
    "thin.xyz": (xyz().replace("9 0 0 0 9", "9 0 0 0 1e-12"), "thin"),
    # numbers of rows, columns, particles
    "missing.xyz": (xyz(rows="S 1 2 0\n\n"), "xyz:4: a row of 4 columns should be here, the line is empty"),
    "short.xyz": (xyz(rows="S 1 2 0\n"), "2 particles are announced, the file ends after 1"),
    "more.xyz": (xyz(rows=ROWS + "L 5 6 0\n"), "should be here, not 'L 5 6 0' .the 2 rows of the frame before end above"),
    "joined.xyz": (xyz(rows="S 1 2 0\nL 34 0\n"), "has 3 columns, the rows before have 4"),
    "announced.xyz": (xyz("Properties=species:S:1:pos:R:3:radius:R:1"), "has 4 columns, Properties announce 5"),
    "huge.xyz": (xyz(count=10**14), "100000000000000 particles are announced, the file ends after 2"),
    "huge.data": (data(atoms="900000000000000000 atoms"), "900000000000000000 atoms are announced, the file ends after 2"),
    "none.data": (data(atoms="0 atoms"), "0 atoms are announced"),
    "half.data": (data(atoms="2.5 atoms"), "must have 1 whole number"),
    "more.data": (data("1 1 1 2 0\n2 2 3 4 0\n3 1 5 6 0\n"), "2 atoms are announced, the file ends after 3"),
    "gap.data": (data("1 1 1 2 0\n\n2 2 3 4 0\n"), "the rows of the section Atoms end after 1"),
    "behind.data": (data(after="\nnonsense\n"), "a section should begin here, not 'nonsense'"),
    # numbers and words
    "fortran.xyz": (xyz(rows="S 1d0 2 0\nL 3 4 0\n"), r"no number in column 2 .write 1e0"),
    "comma.xyz": (xyz(rows="S 1,5 2 0\nL 3 4 0\n"), r"no number in column 2 .write 1.5"),
    "underscore.xyz": (xyz(rows="S 1_0 2 0\nL 3 4 0\n"), "no number in column 2"),
    "comma.data": (data(box="0 9,5 xlo xhi\n0 9 ylo yhi\n"), "'9,5' is not a number .write 9.5"),
    "twice.xyz": (xyz('pbc="T T F" pbc="T T T"'), "pbc is there twice"), "binary.xyz": ("\0" * 20, "zero byte"),
    "same-ids.xyz": (xyz("Properties=species:S:1:pos:R:3:id:I:1", "S 1 2 0 1\nL 3 4 0 1\n"), "xyz:4: the id 1 is there twice"),
    "real-ids.xyz": (xyz("Properties=species:S:1:pos:R:3:id:I:1", "S 1 2 0 1.0\nL 3 4 0 2.0\n"), "id must be a whole number"),
    "contrary.xyz": (xyz("Properties=species:S:1:pos:R:3:type:I:1", "H 1 2 0 1\nHe 3 4 0 1\n"), "tell different particles apart"),
    "long.xyz": ("1\n" + "a" * 300_000 + "\nA 0 0 0\n", "no Lattice"),       # minutes if each letter is tried as a beginning
    "minus.xyz": (xyz("Properties=species:S:1:pos:R:3:radius:R:1", "S 1 2 0 1\nL 3 4 0 -1\n"), "particle 1 has the diameter -2"),
    "empty.xyz": ("", "has no particles"),
    "empty.data": ("", "no section Atoms"),
    "dump.data": ("ITEM: TIMESTEP\n0\n", "is a LAMMPS dump"),
    # LAMMPS
    "six.data": (data("1 1 0 1 2 0\n2 2 0 3 4 0\n", ""), "cannot tell the atom style, 6 columns are those of several"),
    "seven.data": (data("1 1 1 0 1 2 0\n2 1 2 0 3 4 0\n", ""), "7 columns are those of several"),
    "eight.data": (data("1 1 1 2 0 0 0 0\n2 2 3 4 0 0 0 0\n", ""), "8 columns are those of several"),
    "unknown.data": (data(style=" # ellipsoid"), "'ellipsoid' is not read"),
    "wrong.data": (data(style=" # full"), "style full has 7 columns .id molecule type charge x y z., or 10 with"),
    "images.data": (data("1 1 1 2 0 0.5 0 0\n2 2 3 4 0 0 0 0\n"), "image flag nx must be a whole number"),
    "tilt.data": (data(box="0 9 xlo xhi\n0 9 ylo yhi\n2.7 0 xy xz yz\n"), "must have 3 numbers before 'xy xz yz'"),
    "typo.data": (data(box="0 9 xlo xhi\n0 9 ylo yhi\n2.7 0 0 xy xz yx\n"), "is no header line and no section"),
    "backwards.data": (data(box="9 0 xlo xhi\n9 0 ylo yhi\n"), "from xlo = 9 to xhi = 0"),
    "mixed.data": (data(box="0 9 xlo xhi\n0 9 ylo yhi\n9 0 0 avec\n"), "a general triclinic cell is avec, bvec and cvec"),
    "third.data": (data("1 1 1 2 0\n2 3 3 4 0\n"), "the atom type is 3, it must be a whole number from 1 to 2"),
    "named.data": (data("1 S 1 2 0\n2 L 3 4 0\n"), "the type 'S' is neither a number nor in a section Atom Type Labels"),
    "sections.data": (data(after="\nAtoms\n\n1 1 1 2 0\n"), "there are two sections Atoms"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_with_its_place(tmp_path, name):
    text, message = REFUSED[name]
    (tmp_path / name).write_bytes(text.encode())
    with pytest.raises(HpcglassError, match=message) as error:
        read_any(tmp_path / name)
    assert str(tmp_path / name) in str(error.value) and error.value.exit_code in (2, 4)


def test_bytes_that_are_no_text(tmp_path):
    good = xyz().encode()
    for name, content, message in (("a.xyz", gzip.compress(good), "is compressed by gzip"),
                                   ("b.xyz", xyz().encode("utf-16"), "UTF-16"), ("d.xyz", good + b"\xff\xfe", "xyz:5: byte 0xff"),
                                   ("c.data", b"\x89HDF\r\n\x1a\n", "is an HDF5 file")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileError, match=message):
            read_any(tmp_path / name)
    (tmp_path / "a.xyz.gz").write_bytes(gzip.compress(good))
    with pytest.raises(InputError, match="is compressed, unpack it first"):
        read_any(tmp_path / "a.xyz.gz")


def test_a_dimension_that_is_asked_for(tmp_path):
    path = tmp_path / "a.xyz"
    path.write_text(xyz(rows="S 1 2 0.5\nL 3 4 0.5\n"))
    assert read_any(path).dimension == 2 and read_any(path, 3).dimension == 3
    path.write_text(xyz(rows="S 1 2 0.5\n", count=1))      # one particle is not flat
    assert read_any(path).dimension == 3 and read_any(path, 2).dimension == 2


# ---------------------------------------------------------------------- H5MD

def h5md(path: Path, position=((1, 2), (3, 4)), edges=(9, 9), boundary=("periodic", "periodic"), group="all", **elements):
    with h5py.File(path, "a") as file:
        into = file.require_group(f"particles/{group}")
        into.require_group("box").attrs.update(dimension=len(boundary), boundary=list(boundary))
        if edges is not None:
            into["box/edges"] = np.array(edges, float)
        if position is not None:
            into["position"] = np.array(position, float)
        for name, values in elements.items():
            into[name.replace("_", "/")] = values
    return path


def test_h5md_in_three_columns_and_with_names(tmp_path):
    species = np.array([5, 3]).astype(h5py.enum_dtype({"L": 3, "S": 5}, basetype="i4"))
    flat = h5md(tmp_path / "a.h5", [[1, 2, 0.5], [3, 4, 0.5]], (9, 9, 1), ("periodic", "periodic", "none"))
    with h5py.File(flat, "a") as file:
        file["particles/all"].create_dataset("species", data=species, dtype=h5py.enum_dtype({"L": 3, "S": 5}, basetype="i4"))
    found = read_any(flat)
    np.testing.assert_array_equal(found.position, [[1, 2], [3, 4]])
    assert found.names == ("S", "L") and found.species.tolist() == [0, 1]
    solid = read_any(h5md(tmp_path / "b.h5", [[1, 2, 0.5], [3, 4, 0.7]], (9, 9, 1), ("periodic",) * 3,
                          radius=[0.5, 0.7], mass=[1, 1]))
    assert solid.dimension == 3 and solid.diameter.tolist() == [1.0, 1.4] and solid.notes == ("elements that are not used: mass",)


def test_h5md_of_a_plane_in_three_columns(tmp_path):
    """All of z = 0 or all alike; the box may have two edges or three, and say 2 or 3 dimensions."""
    for k, (edges, boundary) in enumerate([((9, 9), ("periodic",) * 2), (np.diag([9, 9]), ("periodic",) * 2),
                                           ((9, 9, 1), ("periodic",) * 3), ((9, 9, 1), ("periodic", "periodic", "none"))]):
        found = read_any(h5md(tmp_path / f"{k}.h5", [[1, 2, 0], [3, 4, 0]], edges, boundary))
        np.testing.assert_array_equal(found.position, [[1, 2], [3, 4]])
        np.testing.assert_array_equal(found.box, [[9, 0], [0, 9]])
    with pytest.raises(InputError, match=r"is 3D .z from 0 to 1. but a 2D one is wanted"):
        read_any(h5md(tmp_path / "thick.h5", [[1, 2, 0], [3, 4, 1]]))


def test_h5md_elements_of_another_step(tmp_path):
    """A value stored once holds; of several, that of the step of the positions is needed."""
    def timed(name, **more):
        path = h5md(tmp_path / name, None, position_value=np.array([[[0, 0], [0, 1.0]], [[1, 2], [3, 4]]]), **more)
        return path

    once = timed("once.h5", position_step=[0, 7], diameter_value=[[1, 2.0]], diameter_step=[3])
    found = read_any(once)
    assert found.diameter.tolist() == [1, 2] and found.position[0].tolist() == [1, 2]
    assert found.notes == ("the last of 2 frames is read",
                           "diameter is that of step 3, the only one, the positions are of step 7")
    steps = timed("increments.h5", position_step=5, diameter_value=[[9, 9.0], [1, 2.0], [8, 8.0]], diameter_step=[0, 5, 10])
    assert read_any(steps).diameter.tolist() == [1, 2]
    with pytest.raises(FileError, match="diameter is not stored at step 7, that of the last positions, but at 0, 5"):
        read_any(timed("never.h5", position_step=[0, 7], diameter_value=[[9, 9.0], [1, 2.0]], diameter_step=[0, 5]))
    with pytest.raises(FileError, match="position has 2 frames and 3 steps; was its writing interrupted"):
        read_any(timed("more.h5", position_step=[0, 7, 9]))


def test_h5md_that_is_refused(tmp_path):
    h5md(tmp_path / "other.h5")
    cases = {
        "links": ({"position": None}, "is an external link; hpcglass follows none"),
        "edges": ({"edges": (9, 9, 9)}, "do not fit a cell of shape"),
        "nobox": ({"edges": None}, "the box has no edges"),
        "open": ({"edges": None, "boundary": ("none", "none")}, "not periodic along x, y"),
        "odd": ({"boundary": ("walls", "walls")}, "boundary must be 2 times periodic or none"),
        "flat": ({"edges": (9, 0)}, "has no volume"),
        "nan": ({"position": [[1, 2], [np.nan, 4]]}, "particle 1 has the position"),
        "ids": ({"id": [4, 4]}, "the id 4 is there twice"),
        "rows": ({"diameter": [1.0, 1.0, 1.0]}, "diameter has the shape .3,. for 2 particles"),
        "real": ({"species": [0.0, 1.0]}, "whole numbers"),
        "text": ({"diameter": [b"a", b"b"]}, "diameter are not numbers"),
        "lines": ({"position": [1.0, 2.0]}, "positions of shape"),
    }
    for name, (options, message) in cases.items():
        path = h5md(tmp_path / f"{name}.h5", **options)
        if name == "links":
            with h5py.File(path, "a") as file:
                file["particles/all/position"] = h5py.ExternalLink("other.h5", "/particles/all/position")
        with pytest.raises((FileError, InputError), match=message):
            read_any(path)


def test_h5md_subsets_are_named(tmp_path):
    path = h5md(h5md(tmp_path / "a.h5"), group="walls")
    assert read_any(path).notes == ("only the group all is read, not walls",)
    with h5py.File(path, "a") as file:
        file.move("particles/all", "particles/glass")
    with pytest.raises(FileError, match="several groups of particles, glass, walls"):
        read_any(path)


@pytest.mark.parametrize("kind", ["contiguous", "chunked"])
def test_a_small_file_asks_for_no_memory_that_it_has_no_bytes_for(tmp_path, kind):
    path = h5md(tmp_path / "a.h5", None)
    with h5py.File(path, "a") as file:
        file["particles/all"].create_dataset("position", (10**11, 2), "f8", chunks=(1024, 2) if kind == "chunked" else None)
    assert path.stat().st_size < 10**6
    begin = time.monotonic()
    with pytest.raises(FileError, match=r"claims to have 1.6e.12 bytes"):
        read_any(path)
    assert time.monotonic() - begin < 10


# ---------------------------------------------------------------------- GSD

def gsd_file(path, *frames):
    hoomd = pytest.importorskip("gsd.hoomd")
    with hoomd.open(str(path), "w") as file:
        for options in frames:
            frame = hoomd.Frame()
            frame.configuration.box, frame.configuration.dimensions = [9, 9, 0, 0, 0, 0], 2
            frame.particles.N, frame.particles.position = 2, [[1, 2, 0], [3, 4, 0]]
            for name, value in options.items():
                setattr(frame.configuration if name in ("box", "dimensions") else frame.particles, name, value)
            file.append(frame)
    return path


def test_gsd_names_defaults_and_frames(tmp_path):
    found = read_any(gsd_file(tmp_path / "a.gsd", {"types": ["L", "S"], "typeid": [1, 0], "mass": [2.0, 2.0]}))
    assert found.names == ("L", "S") and found.species.tolist() == [1, 0] and found.ordered
    assert found.notes == ("chunks that are not used: particles/mass",)
    one, three = {"N": 1, "position": [[0, 0, 0]], "diameter": [7.0]}, {"N": 2, "types": ["A", "B"]}
    found = read_any(gsd_file(tmp_path / "b.gsd", one, three))      # the diameter is that of another number of particles
    assert len(found.position) == 2 and found.diameter is None and found.species.tolist() == [0, 0]
    np.testing.assert_allclose(found.position, [[5.5, 6.5], [7.5, 8.5]])
    assert read_any(gsd_file(tmp_path / "c.gsd", {"box": [9, 9, 9, 0, 0, 0], "dimensions": 3})).dimension == 3
    assert read_any(tmp_path / "c.gsd", 2).dimension == 2           # all z are alike


@pytest.mark.parametrize(("options", "message"), [
    ({"typeid": [0, 1]}, "particle 1 has the type 1, but particles/types names 1: A"),
    ({"box": [9, 9, 0, 0, 0, 0], "dimensions": 2, "position": [[1, 2, 0], [3, 4, 1]]}, "is 3D .z from 0 to 1. but a 2D one"),
    ({"diameter": [1, -1]}, "particle 1 has the diameter -1"), ({"N": 0, "position": np.empty((0, 3))}, "has no particles"),
    ({"position": [[1, 2, 0], [np.inf, 4, 0]]}, "particle 1 has the position"),
    ({"box": [-9, -9, 0, 0, 0, 0]}, "a box of -9 x -9 x 0"),
])
def test_gsd_that_is_refused(tmp_path, options, message):
    with pytest.raises((FileError, InputError), match=message):
        read_any(gsd_file(tmp_path / "a.gsd", options))


# ---------------------------------------------------------------------- walls

def test_walls_are_carried_or_refused(tmp_path):
    """An annulus must not become a periodic cell with a hole."""
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    place = 10 + 6 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    annulus = Configuration(place, 20 * np.eye(2), np.ones(12), walls=(10.0, 10.0, 4.0, 8.0))
    write_any(annulus, tmp_path / "a.xyz")
    again = read_any(tmp_path / "a.xyz")
    assert again.walls == annulus.walls and again.density == annulus.density == pytest.approx(12 / (np.pi * 48))
    text = (tmp_path / "a.xyz").read_text()
    assert 'pbc="F F F"' in text
    for ending in ("data", "gsd"):
        with pytest.raises(InputError, match="an annulus is a periodic cell with a hole; export it as extended XYZ"):
            write_any(annulus, tmp_path / f"a.{ending}")
        assert not list(tmp_path.glob(f"*.{ending}"))
    for wrong, message in (('walls="10 10 4"', "walls must be the centre and two radii"), ('walls="10 10 8 4"', "cannot be"),
                           ('walls="10 10 7 8"', "particle 0 is not between the walls")):
        (tmp_path / "a.xyz").write_text(text.replace('walls="10.0 10.0 4.0 8.0"', wrong))
        with pytest.raises(FileError, match=message):
            read_any(tmp_path / "a.xyz")

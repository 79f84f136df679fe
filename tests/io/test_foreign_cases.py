"""Files as users have them (tests/data/cases), each with what is right: the glass, or one clear message."""

from __future__ import annotations

import numpy as np
import pytest

from hpcglass.config import SystemParams
from hpcglass.errors import FileError, InputError
from hpcglass.io.adopt import adopt, start_configuration
from hpcglass.io.convert import read_any, tile
from hpcglass.landscape.forces import evaluate
from hpcglass.moves.relax import to_minimum
from hpcglass.potentials.library import MODELS
from hpcglass.start import start

ENERGY = {"ipl12": 0.2290315414, "lj-binary": -2.200407352}     # E/N of the two glasses
SHEARED = -2.20729111       # of the binary one, strained by 0.3 and quenched

RIGHT = [
    ("base-ipl12.xyz", "ipl12", ""), ("base-lj-binary.xyz", "lj-binary", "H is S (55), He is L (45)"),
    ("no-properties.xyz", "lj-binary", "by the names: S is S (55), L is L (45)"),
    ("labels-S-L.xyz", "lj-binary", "by the names: S is S (55), L is L (45)"),
    ("blank-between-frames.xyz", "ipl12", "the last of 2 frames is read"),
    ("size-column.xyz", "ipl12", "the column size is taken for diameters"),
    ("z-noise.xyz", "ipl12", ""), ("windows-bom.xyz", "ipl12", ""), ("windows.xyz", "ipl12", ""), ("unwrapped.xyz", "ipl12", ""),
    ("no-third-vector.xyz", "ipl12", ""), ("tilt-minus-7.xyz", "ipl12", ""),
    ("full-hint.data", "lj-binary", "columns and sections that are not used: molecule, charge, Masses"),
    ("box-tabs.data", "lj-binary", "in the order of the file: 1 is S (55), 2 is L (45)"),
    ("type-labels.data", "lj-binary", "by the names: small is S (55), large is L (45)"),
    ("general-triclinic.data", "lj-binary", ""), ("comments.data", "lj-binary", ""),
    ("edges-vector.h5", "ipl12", ""), ("integer-edges.h5", "ipl12", ""), ("id-other-steps.h5", "ipl12", "the last of 2 frames"),
    ("species-from-1.h5", "lj-binary", "by number, counted from 1: 1 is S (55), 2 is L (45)"),
    ("N-changes.gsd", "ipl12", "the last of 2 frames is read"),
]
REFUSED = [
    ("open-boundary.xyz", "ipl12", InputError, "not periodic along x, y, z"),
    ("boundary-none.h5", "ipl12", InputError, "not periodic along x, y"),
    ("full-no-hint.data", "lj-binary", FileError, "7 columns are those of several; write 'Atoms # style' with one of .* full"),
    ("full-images.data", "lj-binary", FileError, "10 columns are those of several; write 'Atoms # style'"),
    ("two-groups.h5", "ipl12", FileError, "several groups of particles, glass, walls"),
    ("typeid-without-type.gsd", "lj-binary", FileError, "particle 0 has the type 1, but particles/types names 1: A"),
    ("all-zero-later.gsd", "lj-binary", InputError, "100 of 100 particles are of species S, 100.0%"),
    ("N-changes-default.gsd", "lj-binary", InputError, "100 of 100 particles are of species S"),
    ("base-lj-binary.xyz", "ipl12", InputError, "particle 0 has the diameter 0.618034, ipl12 has diameters from 0.7245 to"),
    ("base-ipl12.xyz", "lj-binary", InputError, "particle 0 has the diameter 0.937823, but is of species S .* 0.618034"),
]


def begin(alone, data, name, model):
    """(system, lines said) of a run that starts from a file."""
    said = []
    system, parents = start(alone, SystemParams(model=model, file=str(data / "cases" / name)), MODELS[model], 5, said.append)
    assert parents[0].startswith(f"{name} ")
    return system, said


@pytest.mark.parametrize(("name", "model", "said"), RIGHT, ids=[row[0] for row in RIGHT])
def test_the_glass_comes_out(alone, data, name, model, said):
    system, lines = begin(alone, data, name, model)
    exact = 3e-6 if name in ("N-changes.gsd", "integer-edges.h5") else 2e-9      # single precision; the digits quoted
    assert evaluate(system).energy / system.n_total == pytest.approx(ENERGY[model], rel=exact)
    assert said in "\n".join(lines)
    assert "warning" not in "\n".join(lines)


@pytest.mark.parametrize(("name", "model", "error", "message"), REFUSED, ids=[f"{row[0]}-{row[1]}" for row in REFUSED])
def test_what_cannot_be_sure_is_refused(data, name, model, error, message):
    with pytest.raises(error, match=message):
        start_configuration(SystemParams(model=model, file=str(data / "cases" / name)), MODELS[model])


@pytest.mark.parametrize("name", ["tilt-good.data", "tilt-two-blanks.data"])
def test_the_tilt_is_read_whatever_blanks_there_are(alone, data, name):
    system, _ = begin(alone, data, name, "lj-binary")
    np.testing.assert_allclose(np.abs(read_any(data / "cases" / name).box[0, 1]), 0.3 * 9.88045)
    to_minimum(system, "cg", 1e-10, 20_000)
    assert evaluate(system).energy / system.n_total == pytest.approx(SHEARED, rel=1e-8)


def test_the_same_positions_by_every_way(data):
    """Unwrapped positions are those of the cell to 1e-14 of their size, empty slots are left out, GSD tilts are strains."""
    base = read_any(data / "cases" / "base-ipl12.xyz")
    for name, exact in (("unwrapped.xyz", 2e-12), ("windows-bom.xyz", 0), ("windows.xyz", 0), ("edges-vector.h5", 0),
                        ("z-noise.xyz", 0), ("id-other-steps.h5", 0), ("empty-slots.h5", 0), ("integer-edges.h5", 1e-6),
                        ("N-changes.gsd", 1e-6), ("tilt.gsd", 1e-6)):
        found = read_any(data / "cases" / name)
        fraction = np.linalg.solve(found.box, found.position.T) - np.linalg.solve(base.box, base.position.T)
        assert found.position.shape == (100, 2)
        assert np.abs(fraction - np.rint(fraction)).max() <= exact, name
        if found.diameter is not None:
            np.testing.assert_allclose(found.diameter, base.diameter, rtol=1e-12 if exact < 1e-6 else 1e-6)
    np.testing.assert_allclose(read_any(data / "cases" / "tilt.gsd").box, [[10, 7], [0, 10]], rtol=1e-7)
    assert read_any(data / "cases" / "empty-slots.h5").diameter is None


@pytest.mark.parametrize("name", ["all-zero-later.gsd", "N-changes-default.gsd"])
def test_absent_chunks_of_gsd_are_defaults(data, name):
    found = read_any(data / "cases" / name)
    assert len(found.position) == 100 and not found.species.any()


def test_sizes_that_are_missing_are_drawn_and_said(alone, data):
    system, lines = begin(alone, data, "empty-slots.h5", "ipl12")
    assert lines == ["warning: empty-slots.h5 has no diameters: they are drawn anew, as for a new system of ipl12; the glass is "
                     "another one than in the file"]
    assert system.n_total == 100 and len(np.unique(system.diameter)) == 100
    _, lines = begin(alone, data, "empty-slots.h5", "lj-binary")
    assert "has neither species nor diameters: the species are drawn anew" in lines[0]


def test_tiles_have_the_energy_of_one(alone, tmp_path, data):
    from hpcglass.__main__ import main
    from hpcglass.library import load

    source = data / "cases" / "base-ipl12.xyz"
    base, said = adopt(tile(read_any(source), [2, 3]), MODELS["ipl12"], source)
    assert len(base.position) == 600 and "diameters of base-ipl12.xyz" in said[0]
    assert main(["import", str(source), "--model", "ipl12", "--tile", "3", "-o", str(tmp_path / "t.h5")]) == 0
    tiled = load(tmp_path / "t.h5")
    assert evaluate(tiled).energy / 900 == pytest.approx(ENERGY["ipl12"], rel=2e-9)

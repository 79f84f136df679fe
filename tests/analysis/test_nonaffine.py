"""D2min between two stored frames is that of the live system, whatever the cell and its edges."""

from __future__ import annotations

import glasses
import numpy as np
import pytest

from hpcglass.analysis import nonaffine
from hpcglass.errors import InputError
from hpcglass.geometries.periodic import deformation, same_edges, simple_shear
from hpcglass.landscape.nonaffine import d2min

CASES = [("ipl12-2d", "xy", 0.0, 0.03), ("ipl12-2d", "xy", 0.47, 0.06), ("ipl12-2d", "yx", 0.3, 0.03),
         ("lj-poly-2d", "xy", -0.2, 0.02), ("lj-binary-2d", "xy", 0.1, 0.02),
         ("ipl10-3d", "zx", 0.2, 0.05), ("harmonic-3d", "xy", 0.49, 0.03)]


def before_and_now(alone, name, plane, tilt, strain):
    """The system now, (unwrapped positions, cell) before, and the map of the cell; particles lie in different periods."""
    s = glasses.glass(alone, name)
    s.deform(deformation(simple_shear(s.dimension, plane), tilt))
    s.rebuild()
    s.image[:, 0] += s.id[: s.n_owned].astype(np.int32) % 3 - 1
    before, box = glasses.whole(s, s.unwrapped()), s.box.copy()
    s.fields["before"] = s.unwrapped()
    step = deformation(simple_shear(s.dimension, plane), strain)
    s.deform(step)
    s.move(0.05 * np.sin(3.0 * s.id[: s.n_owned, None] + np.arange(s.dimension)))
    s.rebuild()
    return s, before, box @ same_edges(box, s.box), step


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}-{case[2]}")
def test_the_same_as_in_the_system(alone, case):
    s, before, box, step = before_and_now(alone, *case)
    right = glasses.whole(s, d2min(s, s.fields["before"], step))
    now, (model, _, _, diameter, species) = glasses.whole(s, s.unwrapped()), glasses.arrays(case[0])
    found = nonaffine.d2min(before, now, box, s.box, model, diameter, species)
    np.testing.assert_allclose(found, right, rtol=1e-9, atol=1e-12)
    assert right.max() > 0.01
    part = nonaffine.d2min(before, now, box, s.box, model, diameter, species, rows=(37, 151))
    np.testing.assert_array_equal(part, found[37:151])
    wrapped = nonaffine.unwrapped_like(before - np.rint(before @ np.linalg.inv(box).T) @ box.T, now, box, s.box)
    np.testing.assert_allclose(nonaffine.d2min(wrapped, now, box, s.box, model, diameter, species), right, rtol=1e-9, atol=1e-12)


def test_blocks_do_not_show(alone, monkeypatch):
    s, before, box, _ = before_and_now(alone, *CASES[1])
    now, (model, _, _, diameter, species) = glasses.whole(s, s.unwrapped()), glasses.arrays("ipl12-2d")
    whole = nonaffine.d2min(before, now, box, s.box, model, diameter, species)
    monkeypatch.setattr(nonaffine, "PAIRS", 300)
    np.testing.assert_array_equal(nonaffine.d2min(before, now, box, s.box, model, diameter, species), whole)


def test_affine_maps_and_too_few_neighbours_give_zero(alone):
    model, box, position, diameter, species = glasses.arrays("ipl12-2d")
    step = deformation(simple_shear(2, "xy"), 0.7)
    assert nonaffine.d2min(position, position @ step.T, box, step @ box, model, diameter, species).max() < 1e-10
    far = np.array([[1.0, 1.0], [2.0, 1.1], [8.0, 8.0]])
    moved = far + np.array([[0.1, 0.0], [0.0, 0.2], [0.3, 0.3]])
    assert not nonaffine.d2min(far, moved, box, box, model, diameter[:3], species[:3]).any()


def test_cells_that_differ_by_too_much_are_refused():
    box = np.array([[10.0, 4.0], [0.0, 10.0]])
    np.testing.assert_array_equal(same_edges(box, box + [[0, -8.0], [0, 0]]), [[1, -1], [0, 1]])       # reduced, and 0.2
    with pytest.raises(InputError, match="it cannot be told how a cell"):
        same_edges(box, box + [[0, 4.0], [0, 0]])

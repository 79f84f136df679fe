"""Several right-hand sides and vectors at once: solutions, searches side by side, all modes of a slice."""

from __future__ import annotations

import numpy as np
import pytest
from glasses import arrays, glass, system, whole

from hpcglass.errors import PhysicsError
from hpcglass.landscape.lockstep import alone, together
from hpcglass.landscape.matrix.factors import Inverse
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.landscape.modes import modes_in_interval, spectrum
from hpcglass.landscape.slices import Slice, modes_of_slice, slices


@pytest.mark.parametrize("name", ["ipl12-2d", "lj-binary-2d"])
def test_solutions_together_are_those_one_by_one(world, name):
    s = glass(world, name)
    inverse = Inverse(Hessian(s))
    stack = [np.sin(k + s.id[: s.n_owned, None] * np.arange(1.0, 3.0)) for k in range(5)]
    found = inverse.apply_all(stack)
    assert inverse.solves == 5 and len(found) == 5
    for rows, solution in zip(stack, found, strict=True):
        right = inverse.apply(rows)
        assert whole(s, solution) == pytest.approx(whole(s, right), abs=1e-11 * np.abs(whole(s, right)).max())


def test_searches_side_by_side():
    """Newton's way to square roots, which take different numbers of steps; each gets its own answers."""
    def root(value):
        x = np.array([value])
        while abs(x[0] ** 2 - value) > 1e-12 * value:
            x = 0.5 * (x + value * (yield x))
        return float(x[0])

    calls = []

    def inverses(stack):
        calls.append(len(stack))
        return [1.0 / x for x in stack]

    values = [2.0, 1.0, 1e6, 3.0, 5.0, 1e-6]
    found = dict(together((root(value) for value in values), inverses, 3))
    assert [found[k] for k in range(6)] == pytest.approx(np.sqrt(values), rel=1e-12)
    assert max(calls) == 3 and alone(root(2.0), lambda x: 1.0 / x) == found[0]
    assert list(together(iter([]), inverses)) == []


def test_slices_hold_all_copies_of_a_level(world):
    """Four copies of a glass side by side: levels that are multiple or nearly so; slices end between them, by their counts."""
    model, box, position, diameter, species = arrays("ipl12-2d")
    shifts = [box @ (a, b) for a in (0, 1) for b in (0, 1)]
    s = system(world, model, 2 * box, np.concatenate([position + x for x in shifts]), np.tile(diameter, 4), np.tile(species, 4))
    hessian = Hessian(s)
    pieces = slices(hessian, 120)
    found = [modes_of_slice(hessian, piece) for piece in pieces]
    values = np.concatenate([modes.frequency2 for modes in found])
    assert len(values) == sum(piece.number for piece in pieces) >= 120 and (np.diff(values) > -1e-12).all()
    right = modes_in_interval(hessian, 0.0, pieces[-1].high**0.5)
    assert values == pytest.approx(right.frequency2, rel=1e-9)
    for modes in found:
        vectors = modes.vectors.reshape(-1, modes.vectors.shape[2])
        assert np.allclose(world.allreduce(vectors.T @ vectors), np.eye(vectors.shape[1]), atol=1e-9)


def test_a_slice_with_fewer_modes_than_stated(world):
    """A wrong count is told, not answered with modes from elsewhere."""
    hessian = Hessian(glass(world, "ipl12-2d"))
    values = spectrum(hessian).frequency2
    piece = Slice(0.0, float(0.5 * (values[9] + values[10])), 11)
    with pytest.raises(PhysicsError, match="10 of 11 modes"):
        modes_of_slice(hessian, piece)

"""Descents that end with factors: the minimum of plain descents, in fewer evaluations, also when factors lead nowhere."""

from __future__ import annotations

import numpy as np
import pytest
from glasses import glass, whole

from hpcglass.geometries.periodic import deformation, simple_shear
from hpcglass.landscape.matrix.factors import Inverse
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.moves import landing
from hpcglass.moves.landing import land
from hpcglass.moves.relax import to_minimum

MANY = 100_000


def strained(comm, name="ipl12-2d", strain=2e-3):
    s = glass(comm, name)
    s.deform(deformation(simple_shear(s.dimension, "xy"), strain))
    return s


@pytest.mark.few_ranks
@pytest.mark.parametrize("name", ["ipl12-2d", "lj-binary-2d", "ipl10-3d"])
@pytest.mark.parametrize("algorithm", ["fire", "cg"])
def test_the_minimum_of_plain_descents(world, name, algorithm):
    s, t = strained(world, name), strained(world, name)
    report, mechanics, settled = land(s, algorithm, 1e-11, MANY, lambda: Inverse(Hessian(s)))
    plain, expected = to_minimum(t, algorithm, 1e-11, MANY)
    assert settled is not None and settled.converged and report.max_force <= 1e-11 * mechanics.force_scale
    assert mechanics.energy == pytest.approx(expected.energy, abs=1e-9)
    apart = whole(s, s.unwrapped()) - whole(t, t.unwrapped())
    assert np.abs(apart - apart.mean(axis=0)).max() < 1e-7
    assert report.evaluations < 0.8 * plain.evaluations and settled.solves <= 15


def test_factors_that_lead_nowhere(world, monkeypatch):
    """The descent goes on from where it was: twice tried, and the minimum is found all the same."""
    s, t = strained(world), strained(world)
    monkeypatch.setattr(landing, "REACH", 0.0)
    made = []

    def factors():
        made.append(Inverse(Hessian(s)))
        return made[-1]

    report, mechanics, settled = land(s, "fire", 1e-11, MANY, factors)
    _, expected = to_minimum(t, "fire", 1e-11, MANY)
    assert settled is None and len(made) == 2 and report.max_force <= 1e-11 * mechanics.force_scale
    assert mechanics.energy == pytest.approx(expected.energy, abs=1e-9)


def test_where_the_hessian_is_not_positive(world):
    """No search begins there."""
    s = glass(world, "ipl12-2d")
    s.move(0.1 * np.sin(1.0 + s.id[: s.n_owned, None] * np.arange(1.0, 3.0)))
    settled = landing.settle(s, lambda: Inverse(Hessian(s)), 1e-11)
    assert not settled.converged and not settled.solves and "corrected" not in s.fields


@pytest.mark.few_ranks
@pytest.mark.parametrize("tried", [0, 1])
def test_it_goes_on_to_the_bit(world, monkeypatch, tried):
    """Interrupted in the first descent, or in the second, after factors had failed."""
    reach = landing.REACH
    def attempts(s):
        """Factors fail as often as asked for, as in the run that was interrupted."""
        def factors():
            monkeypatch.setattr(landing, "REACH", 0.0 if made[0] < tried else reach)
            made[0] += 1
            return Inverse(Hessian(s))

        made = [0]
        return made, factors

    s = strained(world)
    kept = []

    def watch(count, largest, numbers):
        kept.append((s.state(), dict(numbers)))
        return count + 7

    made, factors = attempts(s)
    report, mechanics, _ = land(s, "fire", 1e-11, MANY, factors, watch, near=1e-4)
    state, numbers = [one for one in kept if one[1]["tried"] == tried][-1]
    t = type(s).from_state(world, s.model, *state)
    made, factors = attempts(t)
    made[0] = tried
    again, there, _ = land(t, "fire", 1e-11, MANY, factors, None, numbers, near=1e-4)
    assert (again.evaluations, there.energy, again.max_force) == (report.evaluations, mechanics.energy, report.max_force)
    assert (whole(t, t.unwrapped()) == whole(s, s.unwrapped())).all()


def test_a_stop_in_between(world):
    """`look` is called before each solve and may leave by an exception."""
    s = strained(world)

    def look():
        raise EOFError

    with pytest.raises(EOFError):
        land(s, "fire", 1e-11, MANY, lambda: Inverse(Hessian(s)), look=look)

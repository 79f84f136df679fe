"""Steps along an elastic branch: reference glasses, events, saddles, rebuilt lists, and what a step costs."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from glasses import DATA, glass, whole

from hpcglass.errors import PhysicsError
from hpcglass.geometries.periodic import simple_shear
from hpcglass.landscape.matrix.factors import Inverse
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.moves.quasistatic import branch as branch_file
from hpcglass.moves.quasistatic.branch import Branch
from hpcglass.moves.quasistatic.choice import branch_pays
from hpcglass.moves.quasistatic.newton import Correction, correct
from hpcglass.moves.relax import to_minimum

TWO_D = ["ipl12-2d", "ipl10-2d", "lj-binary-2d", "lj-poly-2d"]
MANY = 100_000


def reference(name):
    with h5py.File(DATA / f"{name}.h5") as file:
        group = file["reference/aqs"]
        return {key: group[key][()] for key in group}, group.attrs["last_stable_strain"]


def begin(comm, name, tolerance=1e-11, plane="xy", **options):
    s = glass(comm, name, **options)
    to_minimum(s, "fire", tolerance, MANY)
    return s, Branch(s, simple_shear(s.dimension, plane), "fire", tolerance, MANY)


@pytest.mark.few_ranks
@pytest.mark.parametrize("name", TWO_D)
def test_along_the_reference_branch(world, name):
    """Stress and energy at all strains of the reference, up to the last stable one; beyond it there is no way."""
    expected, last = reference(name)
    s, branch = begin(world, name)
    for k in range(1, len(expected["strain"])):
        size = expected["strain"][k] - expected["strain"][k - 1]
        # within 1e-4 of its end the branch may be steeper than extrapolation can follow, and a descent is due
        _, mechanics = branch.advance(size) or branch.fall(size)
        assert not branch.surprised and (branch.counts["falls"] == 0 or expected["strain"][k] > last - 1e-4)
        error = 3e-7 if last - 1e-6 < expected["strain"][k] else 1e-8       # the reference's own, where all is soft
        assert mechanics.stress[0, 1] == pytest.approx(expected["stress_xy"][k], abs=error)
        assert mechanics.energy == pytest.approx(expected["energy"][k], abs=1e-8)
    here = whole(s, s.unwrapped())
    apart = here - expected["position_last_stable"]
    assert np.abs(apart - apart.mean(axis=0)).max() < 1e-4      # soft: 1e-8 in strain are 1e-4 in position
    strain = branch.passed[-1].strain
    assert strain == pytest.approx(last, abs=1e-12)
    assert branch.advance(1e-6) is None
    assert (whole(s, s.unwrapped()) == here).all() and branch.passed[-1].strain == strain
    assert branch.counts["falls"] <= 2


@pytest.mark.few_ranks
@pytest.mark.parametrize("name,plane", [("ipl10-3d", "xz"), ("harmonic-3d", "yx")])
def test_three_dimensions(world, name, plane):
    """As by descents from affine steps, a hundred times cheaper."""
    _, branch = begin(world, name, plane=plane, tolerance=1e-10)
    t, _ = begin(world, name, plane=plane, tolerance=1e-10)
    for _ in range(4):
        done = branch.advance(5e-5) or branch.fall(5e-5)
        t.deform(branch_file.deformation(branch.gradient, 5e-5))
        report, mechanics = to_minimum(t, "fire", 1e-10, MANY)
        assert done[1].stress == pytest.approx(mechanics.stress, abs=1e-8)
        assert done[1].energy == pytest.approx(mechanics.energy, abs=1e-9)
    assert branch.counts["evaluations"] < 0.2 * report.evaluations * 4


def test_cost_of_an_elastic_step(world):
    """A handful of evaluations and solves, and factors that last."""
    _, branch = begin(world, "ipl12-2d", tolerance=1e-10)
    start = branch.counts.copy()
    for _ in range(60):
        assert branch.advance(1e-4) is not None
    assert branch.counts["evaluations"] - start["evaluations"] <= 8 * 60
    assert branch.counts["solves"] - start["solves"] <= 6.5 * 60
    assert branch.counts["factorisations"] - start["factorisations"] <= 4
    assert branch.counts["refused"] <= 3


def test_a_fall_ends_in_the_minimum_of_plain_quasistatics(world):
    s, branch = begin(world, "lj-poly-2d")
    for _ in range(13):
        assert branch.advance(2e-4) is not None
    t = type(s).from_state(world, s.model, *s.state())
    assert branch.advance(2e-4) is None
    _, mechanics = branch.fall(2e-4)
    t.deform(branch_file.deformation(branch.gradient, 2e-4))
    _, plain = to_minimum(t, "fire", 1e-11, MANY)
    assert mechanics.energy == pytest.approx(plain.energy, abs=1e-9)
    assert np.abs(whole(s, s.unwrapped()) - whole(t, t.unwrapped())).max() < 1e-7
    assert branch.surprised and branch.inverse.stable
    assert branch.advance(2e-4) is not None


@pytest.mark.few_ranks
def test_energy_that_is_lost_ends_a_branch(world, monkeypatch):
    """Whatever a correction says of itself: where less energy arrives than the work done, the branch has ended."""
    s, branch = begin(world, "lj-poly-2d")
    for _ in range(13):
        assert branch.advance(2e-4) is not None
    before = whole(s, s.unwrapped())

    def contented(system, inverse, tolerance, look, convex):
        """Down to a minimum, here or beyond the instability, as if nothing had been corrected."""
        report, _ = to_minimum(system, "fire", 1e-11, MANY)
        return Correction(True, False, report.max_force, report.evaluations, 1)

    monkeypatch.setattr(branch_file, "correct", contented)
    assert branch.advance(2e-5) is not None             # to 2.62e-3, on the branch
    assert branch.advance(-2e-5) is not None
    assert branch.advance(2e-4) is None                 # it ends at 2.644e-3
    assert np.abs(whole(s, s.unwrapped()) - before).max() < 1e-7 and branch.counts["falls"] == 0


def test_lists_that_are_rebuilt_on_the_way(world):
    """With a thin skin the particles change their order again and again: the same path, at the price of more factors."""
    ends = []
    for skin in (0.4, 0.01):
        s, branch = begin(world, "ipl10-2d", skin=skin)
        for _ in range(20):
            assert branch.advance(1e-3) is not None
        ends.append((branch.passed[-1].energy, branch.passed[-1].work, branch.counts["factorisations"], s.epoch))
    assert ends[0][:2] == pytest.approx(ends[1][:2], abs=1e-8)
    assert ends[1][2] > ends[0][2] and ends[1][3] > 1


def test_a_saddle_is_left(world):
    """A branch starts at a minimum even if it is given a configuration at rest on a saddle, or nowhere near rest."""
    s = glass(world, "ipl12-2d")
    s.move(0.1 * np.sin(1.0 + s.id[: s.n_owned, None] * np.arange(1.0, 3.0)))
    s.update()
    assert not Inverse(Hessian(s)).stable
    branch = Branch(s, simple_shear(2, "xy"), "fire", 1e-10, MANY)
    assert branch.inverse.stable and branch.counts["evaluations"] > 0


def test_a_saddle_that_is_not_left(world, monkeypatch):
    s = glass(world, "ipl12-2d")
    s.move(0.1 * np.sin(1.0 + s.id[: s.n_owned, None] * np.arange(1.0, 3.0)))
    s.update()
    monkeypatch.setattr(branch_file, "land", lambda *_, **__: (type("R", (), {"evaluations": 0}), None, None))
    with pytest.raises(PhysicsError, match="negative eigenvalue after 3 descents"):
        Branch(s, simple_shear(2, "xy"), "fire", 1e-10, MANY)


def test_corrections_are_quick_or_say_so(world):
    s = glass(world, "ipl12-2d")
    to_minimum(s, "fire", 1e-12, MANY)
    inverse, there = Inverse(Hessian(s)), whole(s, s.unwrapped())
    push = np.sin(3.0 + s.id[: s.n_owned, None] * np.arange(1.0, 3.0))
    s.move(push, 1e-4)
    near = correct(s, inverse, 1e-11)
    assert near.converged and near.max_force <= 1e-11 and near.evaluations < 10
    apart = whole(s, s.unwrapped()) - there
    assert np.abs(apart - apart.mean(axis=0)).max() < 1e-9
    way = whole(s, s.fields.pop("corrected")) + 1e-4 * whole(s, push)
    assert np.abs(way - way.mean(axis=0)).max() < 1e-9
    s.move(push, 0.1)
    assert not correct(s, inverse, 1e-11).converged


def test_where_it_pays():
    assert branch_pays(10_000, 2, -1e-4) and branch_pays(400, 2, 3e-4)
    assert not branch_pays(10_000, 2, 1e-3) and not branch_pays(1_000_000, 2, 1e-6) and not branch_pays(50_000, 3, 1e-5)

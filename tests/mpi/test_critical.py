"""The softest mode and the end of a branch: against reference glasses, from several starts, on any number of ranks."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from glasses import DATA, glass, whole

from hpcglass.errors import PhysicsError
from hpcglass.geometries.periodic import deformation, simple_shear
from hpcglass.landscape import critical
from hpcglass.landscape.critical import dot, hessian_times, soft_mode
from hpcglass.landscape.forces import evaluate, forces, largest_force
from hpcglass.landscape.matrix.factors import Inverse
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.moves.minimise import minimise
from hpcglass.moves.quasistatic.fold import locate

SHEAR = simple_shear(2, "xy")
TWO_D = ["ipl12-2d", "ipl10-2d", "lj-binary-2d", "lj-poly-2d"]


def reference(name, key):
    with h5py.File(DATA / f"{name}.h5") as file:
        group = file["reference/aqs"]
        return group[key][()] if key in group else group.attrs[key]


def strained(comm, name, strain, tolerance=1e-12):
    """The reference glass at rest at a strain on its first branch."""
    s = glass(comm, name)
    s.deform(deformation(SHEAR, strain))
    assert minimise(s, "fire", tolerance).converged
    return s


def mode_of(s, guess=None):
    inverse = Inverse(Hessian(s))
    return soft_mode(s, SHEAR, inverse, guess), inverse


@pytest.mark.parametrize("name", TWO_D)
def test_factors_are_those_of_the_hessian(world, name):
    s = glass(world, name)
    inverse = Inverse(Hessian(s))
    assert inverse.stable
    load = np.sin(1.0 + s.id[: s.n_owned, None] * np.arange(1.0, 3.0))
    answer = inverse.apply(load)
    image = whole(s, hessian_times(s, answer))
    expected = whole(s, load) - whole(s, load).mean(axis=0)
    assert np.abs(image - expected).max() < 1e-9
    assert np.abs(whole(s, answer).mean(axis=0)).max() < 1e-12 * np.abs(answer).max(initial=1.0)
    s.move(0.05 * load)
    s.update()
    assert not Inverse(Hessian(s)).stable


@pytest.mark.few_ranks
@pytest.mark.parametrize("name", TWO_D)
def test_lowest_eigenvalue_along_the_branch(world, name):
    strain, expected = reference(name, "strain"), reference(name, "lowest_eigenvalue")
    for k in (0, len(strain) // 3, len(strain) - 8):
        s = strained(world, name, strain[k])
        mode, inverse = mode_of(s)
        assert mode.eigenvalue == pytest.approx(expected[k], rel=1e-6)
        assert inverse.solves < 60
        rest = hessian_times(s, mode.vector) - mode.eigenvalue * mode.vector
        assert np.sqrt(dot(s, rest, rest)) < 1e-4
        warm, inverse = mode_of(s, mode.vector)
        assert warm.eigenvalue == pytest.approx(mode.eigenvalue, rel=1e-10)


def test_the_cubic_of_a_mode(world):
    """nu and kappa against differences of forces along the mode and under strain."""
    s = strained(world, "lj-poly-2d", 2.6e-3)
    mode, _ = mode_of(s)
    here, h = s.displacement.copy(), 1e-4

    def push(step, strain=0.0):
        s.displacement[:] = here
        s.move(mode.vector, step)
        state = s.state()
        s.deform(deformation(SHEAR, strain))
        s.update()
        value = dot(s, forces(s), mode.vector)
        s.restore(*state)
        return value

    bend = -(push(h) - 2 * push(0.0) + push(-h)) / h**2
    assert mode.cubic == pytest.approx(bend, rel=1e-3) and mode.cubic < 0
    assert mode.drive == pytest.approx(-(push(0.0, 1e-7) - push(0.0, -1e-7)) / 2e-7, rel=1e-5)
    assert mode.distance == pytest.approx(mode.eigenvalue**2 / (2 * mode.cubic * mode.drive))


@pytest.mark.few_ranks
@pytest.mark.parametrize("name", TWO_D)
def test_the_end_of_the_branch(world, name):
    """gamma_c to 1e-11 from two strains, within the reference's bracket; its mode, eigenvalue and forces."""
    last, bracket = reference(name, "last_stable_strain"), reference(name, "bracket")
    found = []
    for back in (1e-3, 1e-4) if name == "lj-poly-2d" or world.size == 1 else (1e-4,):
        s = strained(world, name, last - back)
        fold = locate(s, SHEAR, 3e-3)
        found.append(last - back + fold.strain)
        assert abs(fold.eigenvalue) < 1e-6
        assert largest_force(s, forces(s)) < 1e-11 * evaluate(s).force_scale
        assert fold.mechanics.stress == pytest.approx(evaluate(s).stress, abs=1e-14)
        rest = hessian_times(s, fold.mode)
        assert np.sqrt(dot(s, rest, rest)) < 1e-5 and dot(s, fold.mode, fold.mode) == pytest.approx(1.0)
        mode = reference(name, "critical_mode")
        assert abs((whole(s, fold.mode) * mode).sum()) > 0.9999 * np.linalg.norm(mode)
        assert fold.cubic < 0
    assert np.ptp(found) < 1e-11
    assert 0 < found[0] - last < bracket + 1e-11


def test_any_number_of_ranks_finds_the_same(world, alone):
    ends = [locate(strained(comm, "lj-poly-2d", 2.5e-3), SHEAR, 1e-3) for comm in (world, alone)]
    assert ends[0].strain == pytest.approx(ends[1].strain, abs=1e-11)
    assert ends[0].participation == pytest.approx(ends[1].participation, rel=1e-5)


@pytest.mark.few_ranks
def test_the_law_of_the_fold(world):
    """lambda^2 = 2 kappa nu (gamma_c - gamma) near gamma_c, with kappa and nu of the critical mode; estimates get better."""
    s = strained(world, "lj-poly-2d", 2.6e-3)
    fold = locate(s, SHEAR, 1e-3)
    end, slope = 2.6e-3 + fold.strain, 2 * fold.cubic * fold.drive
    errors = []
    for away in (1e-5, 1e-6, 1e-7):
        s = strained(world, "lj-poly-2d", end - away, tolerance=1e-13)
        mode, _ = mode_of(s)
        errors.append(abs(mode.distance - away) / away)
        assert mode.eigenvalue**2 / away == pytest.approx(slope, rel=60 * np.sqrt(away))
    assert errors[0] > errors[1] > errors[2] and errors[2] < 0.02


def test_backward_too(world):
    """The same instability under strain with the opposite sign of A."""
    s = strained(world, "lj-poly-2d", 2.6e-3)
    assert locate(s, -SHEAR, -1e-3).strain == pytest.approx(-(2.64431755517e-3 - 2.6e-3), abs=1e-11)


def test_where_there_is_none(world):
    assert locate(strained(world, "ipl10-2d", 1e-3), SHEAR, 2e-4) is None


def test_a_mode_that_is_not_found(world, monkeypatch):
    monkeypatch.setattr(critical, "KRYLOV", 3)
    with pytest.raises(PhysicsError, match="not found in 3 solves"):
        mode_of(glass(world, "ipl12-2d"))

"""Block conjugate gradients: against dense algebra and other solvers, on any number of ranks, and what is awkward for a block."""

from __future__ import annotations

import numpy as np
import pytest
from glasses import NAMES, glass, liquid_arrays, system, whole
from test_solve import Asked, dense, floating, least_squares, load

from hpcglass.errors import PhysicsError
from hpcglass.landscape.expansion import elastic_moduli
from hpcglass.landscape.matrix import block_cg
from hpcglass.landscape.matrix.block_cg import BlockConjugateGradients
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.landscape.matrix.solve import Solver


def loads(s, number):
    """Right-hand sides, the same on any number of ranks."""
    wave = np.arange(1.0, s.dimension + 1)
    return [0.3 + np.sin(k + (1.0 + 0.1 * k) * s.id[: s.n_owned, None] * wave) for k in range(number)]


@pytest.mark.parametrize("name", NAMES)
def test_against_the_pseudo_inverse(world, alone, name):
    s, one = glass(world, name), glass(alone, name)
    block = BlockConjugateGradients(s)
    inverse = np.linalg.pinv(dense(Hessian(one)), rcond=1e-9, hermitian=True)
    for number in (1, 3, 11):
        for found, right in zip(block.solve_all(loads(s, number)), loads(one, number), strict=True):
            answer, expected = whole(s, found), whole(one, (inverse @ right.ravel()).reshape(right.shape))
            assert np.abs(answer - expected).max() < 1e-8 * np.abs(expected).max()
            assert np.abs(answer.mean(axis=0)).max() < 1e-13 * np.abs(answer).max()
        assert 0.0 < block.residual <= 1.01e-10


def test_one_space_for_all_takes_fewer_iterations(world):
    s = glass(world, "ipl10-3d")
    block = BlockConjugateGradients(s)
    rights = loads(s, 6)
    block.solve_all(rights)
    together, alone = block.iterations, []
    for right in rights:
        block.solve(right)
        alone.append(block.iterations)
    assert together < 0.8 * min(alone)


@pytest.mark.parametrize("name", ["ipl12-2d", "ipl10-3d"])
def test_right_hand_sides_that_depend_on_each_other(world, name):
    """Equal ones, multiples, none at all, and sizes far apart."""
    s = glass(world, name)
    a, b = loads(s, 2)
    block = BlockConjugateGradients(s)
    x, y = block.solve(a), block.solve(b)
    size = np.abs(whole(s, x)).max()
    found = block.solve_all([a, a, -2.0 * a, 0.0 * a, 1e-9 * b, a + 1e-7 * b])
    for one, expected, scale in zip(found, (x, x, -2.0 * x, 0.0 * x, 1e-9 * y, x + 1e-7 * y), (1, 1, 2, 1, 1e-9, 1), strict=True):
        assert np.abs(whole(s, one - expected)).max() < 1e-8 * scale * size
    assert block.residual <= 1.01e-10
    assert not whole(s, block.solve(0.0 * a)).any() and block.iterations == 0


def test_loose_particles_stay_put(world, alone):
    s, one = floating(world), glass(alone, "harmonic-3d")
    answer = whole(s, BlockConjugateGradients(s).solve(load(s)))
    assert np.abs(answer[400]).max() == 0.0
    expected = whole(one, least_squares(Hessian(one), load(one)))
    assert np.abs(answer[:400] - expected).max() < 1e-8 * np.abs(expected).max()


@pytest.mark.parametrize("name,particles,dimension", [("ipl12", 5, 2), ("lj-binary", 4, 2), ("ipl10", 3, 3)])
def test_cells_smaller_than_the_range(world, name, particles, dimension):
    """The product with H, where pairs meet through several images."""
    s = system(world, *liquid_arrays(name, particles, dimension))
    block, hessian = BlockConjugateGradients(s), Hessian(s)
    rows = np.zeros((s.n_all, dimension, block_cg.WIDTH))
    rows[: s.n_owned] = np.stack(loads(s, block_cg.WIDTH), axis=-1)
    image = block._times(rows.reshape(s.n_all, -1)).reshape(s.n_owned, dimension, block_cg.WIDTH)
    for k, right in enumerate(loads(s, block_cg.WIDTH)):
        vector, out = hessian.vector(right), hessian.vector()
        hessian.matrix.mult(vector, out)
        expected = whole(s, hessian.rows(out))      # on all ranks: what fails on one alone leaves the others waiting
        assert np.abs(whole(s, image[:, :, k]) - expected).max() < 1e-11 * np.abs(expected).max()


def test_what_is_refused(world, monkeypatch):
    liquid = system(world, *liquid_arrays("ipl12", 100, 2))
    with pytest.raises(PhysicsError, match=r"saddle.*negative curvature"):
        BlockConjugateGradients(liquid).solve_all(loads(liquid, 3))
    model, box, position, diameter, species = liquid_arrays("harmonic", 9, 2)
    with pytest.raises(PhysicsError, match="no two particles interact"):
        BlockConjugateGradients(system(world, model, 5 * box, 5 * position, diameter, species))
    s = glass(world, "ipl12-2d")
    broken = load(s)
    broken[s.id[: s.n_owned] == 3] = np.nan
    with pytest.raises(PhysicsError, match="not finite"):
        BlockConjugateGradients(s).solve(broken)
    monkeypatch.setattr(block_cg, "ITERATIONS", 3)
    with pytest.raises(PhysicsError, match="did not converge in 3 iterations"):
        BlockConjugateGradients(s).solve(load(s))


def test_a_look_ends_it(world):
    calls = []

    def look():
        calls.append(None)
        if len(calls) == 3:
            raise Asked

    s = glass(world, "ipl10-3d")
    with pytest.raises(Asked):
        BlockConjugateGradients(s, look).solve(load(s))


@pytest.mark.parametrize("name", NAMES)
def test_moduli(world, name):
    s = glass(world, name)
    block = elastic_moduli(s, BlockConjugateGradients(s))
    solver = Solver(Hessian(s), "cg")
    usual = elastic_moduli(s, solver)
    assert (solver.residual == pytest.approx(0.0, abs=1.01e-6)) and solver.iterations > 20
    assert np.abs(block.tensor - usual.tensor).max() < 1e-9 * np.abs(usual.tensor).max()

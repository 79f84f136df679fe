"""Plastic strain of a block: inclusions of known eigenstrain in a linear solid."""

import numpy as np
import pytest

from hpcglass.geometries.periodic import pure_shear, simple_shear
from hpcglass.numbers.slip import MARGIN, along_shear, ball, mean_gradient, slip, slipped_volume

EIGENSTRAIN, MU, NU = 0.06, 20.0, 0.42
SHEAR = simple_shear(2, "xy")


def points(half=14, seed=1):
    """A disordered sheet of density 1."""
    x = np.arange(-half, half + 1.0)
    grid = np.stack(np.meshgrid(x, x), axis=-1).reshape(-1, 2)
    return grid + np.random.default_rng(seed).uniform(-0.35, 0.35, grid.shape)


def inclusion(x, a, e=EIGENSTRAIN, nu=NU):
    """(displacement, strain) of a disc of radius a around the origin with the eigenstrain e_xy = e, in plane strain.

    Eshelby: inside, beta e of strain, beta = (3 - 4 nu)/(4 (1 - nu)); outside the field of two force dipoles. The strain by
    central differences.
    """
    star = e * np.array([[0.0, 1.0], [1.0, 0.0]])

    def displacement(x):
        r2 = (x**2).sum(axis=1)[:, None]
        ratio = np.minimum(a * a / np.maximum(r2, 1e-300), 1.0)
        pulled = x @ star
        outside = ratio / (4 * (1 - nu)) * ((2 * (1 - 2 * nu) + ratio) * pulled
                                            + 2 * (1 - ratio) * (x * pulled).sum(axis=1)[:, None] / r2 * x)
        return np.where(r2 < a * a, (3 - 4 * nu) / (4 * (1 - nu)) * pulled, outside)

    h = 1e-5
    gradient = np.stack([(displacement(x + h * axis) - displacement(x - h * axis)) / (2 * h) for axis in np.eye(2)], axis=-1)
    return displacement(x), 0.5 * (gradient + np.swapaxes(gradient, 1, 2))


def shear_stress(strain, inside, e=EIGENSTRAIN, mu=MU):
    """2 mu times the elastic strain; the isotropic part does not matter."""
    return 2 * mu * (strain - np.where(inside[:, None, None], e * np.array([[0.0, 1.0], [1.0, 0.0]]), 0.0))


@pytest.mark.parametrize("a,radius", [(2.0, 2.82), (2.5, 6.0), (4.0, 5.0)])
def test_an_inclusion_slips_by_its_eigenstrain_times_its_share_of_the_block(a, radius):
    found = []
    for seed in range(6):
        x = points(seed=seed)
        u, strain = inclusion(x, a)
        inside = (x**2).sum(axis=1) < a * a
        found.append(slip(x, u, shear_stress(strain, inside), 1.0, radius, SHEAR, MU))
        shares = np.pi * a * a / (np.pi * radius**2)
    assert np.mean(found) == pytest.approx(EIGENSTRAIN * shares, rel=0.05)
    assert np.std(found) < 0.1 * EIGENSTRAIN


def test_the_total_strain_of_the_block_is_eshelbys_share():
    a, radius = 2.0, 5.0
    u, _ = inclusion(points(), a)
    strain = along_shear(mean_gradient(points(), u, radius), SHEAR)
    beta = (3 - 4 * NU) / (4 * (1 - NU))
    assert strain == pytest.approx(beta * EIGENSTRAIN * (a / radius) ** 2, rel=0.05)


def test_what_slips_elsewhere_adds_nothing():
    """An inclusion outside the block strains it elastically."""
    away, a, radius = np.array([6.0, 0.0]), 2.5, 3.0
    x = points()
    u, strain = inclusion(x - away, a)
    stress = shear_stress(strain, ((x - away) ** 2).sum(axis=1) < a * a)
    total = along_shear(mean_gradient(x, u, radius), SHEAR)
    assert abs(total) > 0.05 * EIGENSTRAIN
    assert abs(slip(x, u, stress, 1.0, radius, SHEAR, MU)) < 0.2 * abs(total)


def test_turned_by_45_degrees_it_is_pure_shear():
    turn = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2.0)
    x = points()
    u, strain = inclusion(x, 2.0)
    stress = shear_stress(strain, (x**2).sum(axis=1) < 4.0)
    simple = slip(x, u, stress, 1.0, 4.0, SHEAR, MU)
    turned = slip(x @ turn, u @ turn, np.einsum("ca,ncd,db->nab", turn, stress, turn), 1.0, 4.0, pure_shear(2, "xy"), MU)
    assert turned == pytest.approx(simple, rel=1e-10)


@pytest.mark.parametrize("dimension", [2, 3])
def test_a_uniform_gradient_comes_back_and_the_rim_decides(dimension):
    rng = np.random.default_rng(2)
    x = rng.uniform(-6, 6, (12**dimension, dimension))
    gradient = rng.normal(size=(dimension, dimension))
    assert mean_gradient(x, x @ gradient.T, 3.0) == pytest.approx(gradient, abs=1e-10)
    inside = (x**2).sum(axis=1) < 1.0           # the rim of the triangles is farther out
    jumps = x @ gradient.T + np.where(inside[:, None], rng.normal(size=x.shape), 0.0)
    assert mean_gradient(x, jumps, 4.0) == pytest.approx(gradient, abs=1e-10)


def test_volumes():
    assert np.pi * ball(25.0, 2) ** 2 == pytest.approx(25.0)
    assert 4 / 3 * np.pi * ball(125.0, 3) ** 3 == pytest.approx(125.0)
    # one of 100 blocks slips by e: sigma_xy falls by 2 mu e / 100; sigma_xx - sigma_yy in pure shear by twice that
    drop = 2 * MU * EIGENSTRAIN / 100
    assert slipped_volume(2500.0, drop, SHEAR, MU) == pytest.approx(25.0 * EIGENSTRAIN)
    assert slipped_volume(2500.0, 2 * drop, pure_shear(2, "xy"), MU) == pytest.approx(25.0 * EIGENSTRAIN)
    assert MARGIN > 1


def test_too_few_particles():
    with pytest.raises(ValueError, match="2 particles"):
        mean_gradient(np.eye(2), np.zeros((2, 2)), 1.0)
    with pytest.raises(ValueError, match="no triangles within"):
        mean_gradient(10 * np.array([[1.0, 0], [0, 1.0], [1.0, 1.0], [3.0, 1.0]]), np.zeros((4, 2)), 1.0)

"""Bond micromechanics: the same patch as the frozen matrix, order by order; its maxima; directions; any number of ranks."""

from __future__ import annotations

import numpy as np
import pytest
from cavities import Trial, cavities_of, map_of
from glasses import glass

from hpcglass.cavity import frozen, micromechanics
from hpcglass.cavity.directions import Directions
from hpcglass.cavity.micromechanics import Micromechanics, first_maximum
from hpcglass.cavity.newton import correct, respond
from hpcglass.cavity.patch import stretch
from hpcglass.cavity.strength import strength

pytestmark = pytest.mark.few_ranks


def series_of(s, sites=None, angles=(), planes=(), **options):
    directions = Directions.usual(s.dimension, list(angles), list(planes))
    return strength(s.comm, cavities_of(s, sites, **options), Micromechanics(directions))


@pytest.mark.parametrize("name,free", [("ipl10-2d", 3.0), ("ipl12-2d", 5.0), ("lj-binary-2d", 4.0), ("ipl10-3d", 1.5)])
def test_first_order_is_that_of_the_frozen_matrix(world, name, free):
    s = glass(world, name)
    exact = map_of(s, spacing=5.0, angles=(0.0, 30.0), free=free)
    series = series_of(s, spacing=5.0, angles=(0.0, 30.0), free=free)
    assert np.array_equal(exact.sites, series.sites)
    scale = np.abs(exact.tau_0).max()
    assert np.abs(series.tau_0 - exact.tau_0).max() < 1e-10 * scale
    assert series.modulus == pytest.approx(exact.modulus, rel=1e-8)


def branch(trial, strain, steps=20):
    """(stress, modulus) on the elastic branch at a strain, to round-off."""
    y, forward, back = trial.patch.y.copy(), np.empty((2, 2)), np.empty((2, 2))
    x, rest, n = np.empty((trial.patch.n_free, 2)), np.empty((trial.patch.n_free, 2)), trial.patch.n_free
    for here in np.linspace(0.0, strain, steps):
        stretch(trial.axes, trial.direction.turn, trial.direction.rates, here, forward, back)
        pairs = trial.listed(y, forward)
        for _ in range(4):
            status, _, stress, born = correct(trial.axes, trial.table, trial.patch, y, forward, back, trial.direction.rate, pairs,
                                              trial.memory, rest)
            assert status == 0
            stress, born = respond(trial.axes, trial.patch, trial.direction.rate, pairs, trial.memory, stress, born, x, rest)
            y[:n] += 0.0
    return stress / trial.volume, born / trial.volume


@pytest.mark.parametrize("angle", [0.0, 70.0])
def test_second_and_third_order_by_differences(alone, angle):
    """s_2 = d mu/d gamma, s_3 = d^2 mu/d gamma^2 along the branch of the frozen matrix; errors fall as h^2."""
    s, centre = glass(alone, "ipl10-2d"), (4.0, 6.0)
    series = series_of(s, [centre], (angle,), free=3.0)
    trial = Trial(s, centre, angle, 3.0)
    middle = branch(trial, 0.0)[1]
    errors = []
    for h in (4e-3, 2e-3):
        up, down = branch(trial, h)[1], branch(trial, -h)[1]
        errors.append((abs((up - down) / (2 * h) / series.second[0, 0] - 1.0),
                       abs((up + down - 2 * middle) / h**2 / series.third[0, 0] - 1.0)))
    (second, third), (finer_second, finer_third) = errors
    assert finer_second < 2e-3 and finer_third < 2e-2
    assert finer_second < 0.35 * second and finer_third < 0.35 * third


def test_five_directions_give_all(world):
    s = glass(world, "ipl12-2d")
    sites = np.array([[3.0, 4.0], [12.0, 19.9]])
    known = series_of(s, sites)                     # 18 directions, by five
    for k, angle in enumerate((0.0, 10.0, 20.0)):
        alone = series_of(s, sites, (angle,))
        scale = np.abs(known.values[:, :, 3]).max()
        for name in ("tau_0", "modulus", "second", "third"):
            assert getattr(known, name)[:, k] == pytest.approx(getattr(alone, name)[:, 0], rel=1e-9, abs=1e-9 * scale)


def test_first_maximum():
    """Smallest positive root of s_1 + s_2 g + s_3 g^2/2; none; at once."""
    series = np.array([[0.1, 2.0, 0.0, -8.0], [0.1, 2.0, 1.0, 1.0], [0.1, 2.0, -4.0, 1.0], [0.1, -1.0, 0.0, 0.0],
                       [0.2, 3.0, -6.0, 0.0]])
    strain, stress = first_maximum(series)
    assert strain[0] == pytest.approx(0.5**0.5) and np.isnan(strain[1]) and np.isnan(stress[1])
    assert strain[2] == pytest.approx(4.0 - 12.0**0.5) and strain[3] == 0.0 and stress[3] == 0.1
    assert strain[4] == pytest.approx(0.5) and stress[4] == pytest.approx(0.2 + 0.75)


def test_any_number_of_ranks(world, alone):
    found, right = (series_of(glass(comm, "ipl12-2d"), spacing=4.0) for comm in (world, alone))
    assert np.array_equal(found.values, right.values)


def test_unstable_patches_are_told(alone):
    """With a particle removed from balance by hand: flagged, and nothing but NaN; the others are not touched."""
    s = glass(alone, "ipl12-2d")
    tiny = series_of(s, [[3.0, 4.0]], (0.0,), free=0.2)
    assert tiny.flag[0, 0] in (frozen.MAXIMUM, frozen.ENDLESS, frozen.UNSTABLE)
    method = Micromechanics(Directions.usual(2, [0.0]))
    assert method.columns[:5] == ("tau_0", "tau_c", "gamma_c", "modulus", "flag") and micromechanics.FIVE[0] == 0.0

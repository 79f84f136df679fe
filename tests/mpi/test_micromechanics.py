"""Bond micromechanics: the same patch as the frozen matrix, order by order; its maxima; directions; any number of ranks."""

from __future__ import annotations

import numpy as np
import pytest
from cavities import Trial, cavities_of, map_of
from glasses import arrays, glass, system

from hpcglass.cavity import frozen
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
    assert series.modulus == pytest.approx(exact.modulus, rel=1e-12)


def branch(trial, strain, steps=20):
    """(stress, modulus) on the elastic branch at a strain, to round-off."""
    y, forward, back = trial.patch.y.copy(), np.empty((2, 2)), np.empty((2, 2))
    x, rest = np.empty((trial.patch.n_free, 2)), np.empty((trial.patch.n_free, 2))
    for here in np.linspace(0.0, strain, steps):
        stretch(trial.axes, trial.direction.turn, trial.direction.rates, here, forward, back)
        pairs = trial.listed(y, forward)
        for _ in range(4):
            status, _, stress, born = correct(trial.axes, trial.table, trial.patch, y, forward, back, trial.direction.rate, pairs,
                                              trial.memory, rest)
            assert status == 0
            stress, born = respond(trial.axes, trial.patch, trial.direction.rate, pairs, trial.memory, stress, born, x, rest)
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


def test_one_site_or_many(alone):
    """The same bits, however many sites a rank has at once."""
    cavities, method = cavities_of(glass(alone, "ipl12-2d"), spacing=5.0, free=3.0), Micromechanics(Directions.usual(2))
    together = method(cavities, np.arange(16))
    assert all(np.array_equal(method(cavities, np.array([k])), together[k: k + 1], equal_nan=True) for k in range(16))


def test_unstable_patches_are_told(alone):
    """A particle pushed onto its neighbour: flagged, no strength at all, and nothing but NaN in the series; others: as before."""
    model, box, position, diameter, species = arrays("ipl12-2d")
    apart = position - position[17]
    apart -= np.rint(apart @ np.linalg.inv(box).T) @ box.T
    nearest = np.argsort((apart**2).sum(axis=1))[1]
    sites, pushed = [position[17], position[17] + 10.0], position.copy()
    pushed[17] += 0.2 * apart[nearest]
    right, s = glass(alone, "ipl12-2d"), system(alone, model, box, pushed, diameter, species)
    options = {"angles": (0.0, 60.0), "free": 3.0}
    series, exact = series_of(s, sites, **options), map_of(s, sites, **options)
    assert (series.flag[0] == frozen.UNSTABLE).all() and (exact.flag[0] == frozen.UNSTABLE).all()
    assert np.isnan(np.delete(series.values[0], series.columns.index("flag"), axis=1)).all()
    assert (exact.tau_c[0] == exact.tau_0[0]).all() and (exact.gamma_c[0] == 0).all() and exact.residual(0.0)[0] == 0.0
    assert np.isinf(series.residual(0.0)[0])
    assert np.array_equal(series.values[1], series_of(right, sites, **options).values[1])
    assert np.array_equal(exact.values[1], map_of(right, sites, **options).values[1])


def test_nobody_inside(alone):
    """A disc in a gap between particles: no series."""
    s = glass(alone, "ipl12-2d")
    places = np.stack(np.meshgrid(*[np.linspace(0.0, 5.0, 41)] * 2), axis=-1).reshape(-1, 2)
    apart = places[:, None] - s.position[: s.n_owned]
    apart -= np.rint(apart @ np.linalg.inv(s.box).T) @ s.box.T
    apart = np.linalg.norm(apart, axis=2).min(axis=1)
    empty = series_of(s, [places[apart.argmax()]], (0.0,), free=0.9 * apart.max())
    assert empty.flag[0, 0] == frozen.UNSTABLE and np.isnan(empty.tau_c[0, 0])


def test_a_series_without_maximum(world):
    """Discarded: no yield stress, but the derivatives are there; every other direction of the site still has its own."""
    found = series_of(glass(world, "ipl10-2d"), spacing=4.0)
    endless = found.flag == frozen.ENDLESS
    assert 0 < endless.mean() < 0.2 and (found.flag[~endless] == frozen.MAXIMUM).all()
    assert np.isnan(found.tau_c[endless]).all() and np.isnan(found.gamma_c[endless]).all()
    assert np.isfinite(np.delete(found.values, [1, 2], axis=2)).all() and (found.tau_c > found.tau_0)[~endless].all()
    one, two, three = (getattr(found, name)[endless] for name in ("modulus", "second", "third"))
    strains = np.linspace(0.0, 10.0, 10001)[:, None]
    assert (one + strains * two + 0.5 * strains**2 * three > 0).all()
    assert np.isfinite(found.residual(0.0)).all()


def test_a_shell_that_is_too_thin(alone):
    """One range around a disc: the trial ends, told, before the free particles could miss somebody; in more room it goes on."""
    model, box, position, diameter, species = arrays("ipl12-2d")
    small = glass(alone, "ipl12-2d")
    four = [position + box @ np.array(shift, dtype=float) for shift in ((0, 0), (1, 0), (0, 1), (1, 1))]
    large = system(alone, model, 2 * box, np.concatenate(four), np.tile(diameter, 4), np.tile(species, 4))
    options = {"angles": (0.0, 45.0), "free": 0.5 * box[0, 0] * (1 - 1e-9) - small.range}
    thin, thick = map_of(small, [[3.0, 4.0]], **options), map_of(large, [[3.0, 4.0]], **options)
    assert (thin.flag == frozen.THIN).all() and (thick.flag == frozen.MAXIMUM).all()
    assert thin.tau_0 == pytest.approx(thick.tau_0, abs=1e-9) and (thin.tau_0 < thin.tau_c).all()
    assert (thin.tau_c < thick.tau_c).all() and (thin.gamma_c < thick.gamma_c).all()


def test_a_branch_without_end(alone):
    """No maximum up to the largest strain, here a small one: told, with the stress at its last point."""
    trial = Trial(glass(alone, "ipl12-2d"), (3.0, 4.0), 20.0, 3.0)
    (_, tau_0, tau_c, gamma_c, mu, _), (flag, *early, _) = trial.load(), trial.load(largest=0.01)
    assert gamma_c > 0.02 and flag == frozen.ENDLESS and early[0] == tau_0 and early[3] == mu
    assert tau_0 < early[1] < tau_c and 0.003 < early[2] <= 0.01
    assert trial.plain([0.0, 0.5 * early[2], early[2]])[-1] == pytest.approx(early[1], rel=1e-6)

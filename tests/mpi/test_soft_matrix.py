"""Softer matrices: stiff springs are the frozen matrix again, without springs the shell is thawed; any number of ranks."""

from __future__ import annotations

import numpy as np
import pytest
from cavities import cavities_of, map_of
from glasses import glass

from hpcglass.cavity import frozen

pytestmark = pytest.mark.few_ranks
OPTIONS = {"spacing": 10.0, "angles": (0.0, 45.0, 90.0), "free": 3.0}


def test_stiff_springs_are_the_frozen_matrix(world):
    s = glass(world, "ipl12-2d")
    hard, soft = map_of(s, **OPTIONS), map_of(s, soft=2.0, stiffness=1e7, **OPTIONS)
    assert np.abs(soft.tau_0 - hard.tau_0).max() < 1e-4
    assert soft.modulus == pytest.approx(hard.modulus, rel=1e-4)
    good = (hard.flag == frozen.MAXIMUM) & (soft.flag == frozen.MAXIMUM)
    assert good.mean() > 0.8 and np.median(np.abs(soft.tau_c / hard.tau_c - 1.0)[good]) < 1e-4


def test_the_softer_the_more_it_relaxes(world):
    """The modulus falls with the springs, from that of the frozen matrix to that of a thawed shell; branches stay smooth."""
    s = glass(world, "ipl12-2d")
    found = [map_of(s, soft=2.0, stiffness=stiffness, **OPTIONS) for stiffness in (1e3, 30.0, 0.0)]
    hard = map_of(s, **OPTIONS).modulus.mean()
    means = [one.modulus.mean() for one in found]
    assert hard > means[0] > means[1] > means[2] > 0
    for one in found:
        assert (one.tau_c >= one.tau_0).all() and np.isin(one.flag, (frozen.MAXIMUM, frozen.WEAK)).all()
        assert (one.gamma_c > 0.01).mean() > 0.8       # the check of stress against modulus lets steps be taken


def test_what_a_patch_has_then(world):
    """Free particles beyond the disc, each tied to where it is; the disc is the core."""
    s = glass(world, "ipl12-2d")
    cavities = cavities_of(s, [[3.0, 4.0]], free=3.0, soft=2.0, stiffness=5.0)
    if len(cavities.surroundings.mine(cavities.centres)):
        patch = cavities.patch(0)
        distance = np.linalg.norm(patch.y[: patch.n_free], axis=1)
        assert np.array_equal(patch.core, distance < 3.0) and (distance < 5.0).all()
        assert np.array_equal(patch.y[patch.tied], patch.y[len(patch.diameter):]) and len(patch.tied) == (~patch.core).sum()


def test_any_number_of_ranks(world, alone):
    found, right = (map_of(glass(comm, "ipl12-2d"), soft=1.5, stiffness=50.0, **OPTIONS) for comm in (world, alone))
    assert np.array_equal(found.values, right.values)

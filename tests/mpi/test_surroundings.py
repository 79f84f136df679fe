"""Patches where bricks are narrower than they are: cut of what several ranks have, the same to the bit as on one."""

from __future__ import annotations

import numpy as np
import pytest
from cavities import cavities_of, map_of
from glasses import arrays, system

from hpcglass.cavity import frozen
from hpcglass.cavity.directions import Directions
from hpcglass.cavity.micromechanics import Micromechanics
from hpcglass.cavity.strength import strength
from hpcglass.core import comm as ranks
from hpcglass.geometries.periodic import heights

SITES = {"spacing": 6.0, "free": 4.0}


def longish(comm):
    """A glass in a cell a little longer than wide, so that all bricks are cut along one axis."""
    model, box, position, diameter, species = arrays("ipl12-2d")
    stretch = np.diag([0.998, 1.002])
    return system(comm, model, stretch @ box, position @ stretch, diameter, species)


def test_what_is_gathered(world, alone):
    """Three and four ranks: a patch reaches beyond the neighbouring bricks, or around the cell to them."""
    s = longish(world)
    cavities, right = cavities_of(s, **SITES), cavities_of(longish(alone), **SITES)
    assert np.array_equal(cavities.centres, right.centres)
    if world.size > 2:
        assert s.bricks.grid.max() == world.size
        assert (heights(s.box) / s.bricks.grid).min() < cavities.surroundings.width
    mine = cavities.surroundings.mine(cavities.centres)
    assert ranks.total(world, len(mine)) == len(cavities.centres)
    same = []
    for number in mine.tolist():
        patch, expected = cavities.patch(number), right.patch(number)
        rows = all(np.array_equal(getattr(patch, name), getattr(expected, name)) for name in ("y", "diameter", "species"))
        same.append(rows and patch.n_free == expected.n_free)
    assert ranks.total(world, sum(same)) == len(cavities.centres)


@pytest.mark.parametrize("method", ["frozen", "micromechanics"])
def test_any_number_of_ranks(world, alone, method):
    def found(comm):
        s = longish(comm)
        if method == "frozen":
            return map_of(s, angles=(0.0, 50.0), **SITES)
        return strength(comm, cavities_of(s, **SITES), Micromechanics(Directions.usual(2)))

    together, right = found(world), found(alone)
    assert np.array_equal(together.values, right.values, equal_nan=True)
    assert (right.flag == frozen.MAXIMUM).mean() > 0.8

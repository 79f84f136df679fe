"""Small systems leave their particles to a few of the ranks."""

from __future__ import annotations

import numpy as np
import pytest
from glasses import glass, liquid, whole
from recorder import Recorder

from hpcglass.config import SystemParams
from hpcglass.core.comm import total
from hpcglass.geometries.periodic import deformation, simple_shear
from hpcglass.landscape.expansion import elastic_moduli
from hpcglass.landscape.forces import evaluate
from hpcglass.moves.methods import METHODS
from hpcglass.moves.minimise import minimise
from hpcglass.moves.quasistatic.branch import Branch
from hpcglass.moves.start import build
from hpcglass.potentials.library import MODELS
from hpcglass.stages.quench import Quench, QuenchParams


def strained(comm, name="ipl12-2d"):
    """A glass on its way, its list in use for a while."""
    system = glass(comm, name)
    system.deform(deformation(simple_shear(system.dimension, "xy"), 0.01))
    minimise(system, "fire", 1e-3)
    return system


def test_configuration_and_list_stay(world):
    s = strained(world)
    before, pairs, energy = whole(s, s.unwrapped()), total(world, s.pairs.size), evaluate(s).energy
    s.concentrate(s.n_total)
    assert s.working == 1 and s.n_owned == (s.n_total if world.rank == 0 else 0)
    np.testing.assert_array_equal(whole(s, s.unwrapped()), before)
    assert total(world, s.pairs.size) <= pairs and evaluate(s).energy == pytest.approx(energy, rel=1e-13)
    s.concentrate(1)
    assert s.working == world.size
    np.testing.assert_array_equal(whole(s, s.unwrapped()), before)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_one_rank_at_work_does_what_one_rank_does(world, alone, method):
    """To the bit, with lists that are made anew on the way, and left and taken up again in between."""
    one, many = strained(alone), strained(alone)
    spread = glass(world, "ipl12-2d")
    spread.concentrate(spread.n_total)
    spread.deform(deformation(simple_shear(2, "xy"), 0.01))
    minimise(spread, "fire", 1e-3)
    assert one.epoch and many.epoch
    reports = [minimise(s, method, 1e-10, watch=lambda count, largest, running: count + 37) for s in (one, spread)]
    assert reports[0] == reports[1]
    np.testing.assert_array_equal(whole(spread, spread.unwrapped()), whole(one, one.unwrapped()))
    assert minimise(many, method, 1e-10) == reports[0]


@pytest.mark.parametrize("name", ["ipl12-2d", "ipl10-3d"])
def test_everything_works_with_idle_ranks(world, alone, name):
    """Response, branches and a way back."""
    one, few = strained(alone, name), strained(world, name)
    few.concentrate(few.n_total)
    moduli = []
    for s in (one, few):
        branch = Branch(s, simple_shear(s.dimension, "xy"), "fire", 1e-11, 100_000)
        branch.advance(1e-6)
        state = s.state()
        branch.advance(1e-6)
        s.restore(*state)
        s.update()
        minimise(s, "cg", 1e-11)
        moduli.append(elastic_moduli(s).tensor)
    np.testing.assert_allclose(moduli[0], moduli[1], rtol=1e-7, atol=1e-7 * np.abs(moduli[0]).max())


@pytest.mark.parametrize("shape", [{"particles": 240, "aspect": (1.0, 1.0)}, {"r_in": 1.5, "r_out": 9.0}])
def test_a_random_start_is_that_of_one_rank(world, alone, shape):
    """To the bit: overlaps are pushed off by one rank."""
    params = SystemParams(model="ipl12", density=1.0, start="random", **shape)
    one, many = (build(comm, params, MODELS["ipl12"], seed=3) for comm in (alone, world))
    np.testing.assert_array_equal(whole(many, many.unwrapped()), whole(one, one.unwrapped()))


def test_a_quench_of_few_particles_is_that_of_one_rank(world, alone):
    """To the bit, on any number of ranks; the stage says that they wait."""
    found = []
    for comm in (alone, world):
        s, done = glass(comm, "ipl12-2d"), Recorder()
        s.deform(deformation(simple_shear(2, "xy"), 0.03))
        Quench(QuenchParams()).run(s, done)
        found.append(whole(s, s.unwrapped()))
    np.testing.assert_array_equal(*found)
    assert ("on 1 of" in done.lines[0]) == (world.size > 1)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_lists_are_looked_after_within_the_loop(alone, method):
    """From a liquid, whose particles go far: as with a look at the list before each evaluation."""
    found = []
    for apart in (1, 1_000_000):
        s = liquid(alone, "ipl12", 300, 2)
        before = s.epoch
        minimise(s, method, 1e-6, watch=lambda count, largest, running, apart=apart: count + apart)
        assert s.epoch > before + 2
        found.append(whole(s, s.unwrapped()))
    np.testing.assert_array_equal(*found)

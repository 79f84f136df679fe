"""Hybrid Monte Carlo of regions, and the ladder of sizes: what makes them exact."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from swap_systems import small

from hpcglass.core.random import Stream
from hpcglass.landscape.forces import evaluate
from hpcglass.moves.swap import ladder, trajectories
from hpcglass.moves.swap.frame import INFINITE, three
from hpcglass.moves.swap.run import SwapMonteCarlo

SKIN = 0.4


class Region:
    """All particles of a small liquid as one region, with given edges [fractions]."""

    def __init__(self, system, low, high):
        chain = SwapMonteCarlo(system, 0.5, 0.2, 0.01, 4, trajectories=True)
        for number in range(20):
            chain.sub_sweep(number, 20)
        chain.store()
        chain.load()
        d = self.dimension = system.dimension
        self.energy, self.chain, self.n = evaluate(system), chain, len(chain.id)
        self.record = np.zeros((self.n, 4))
        self.record[:, :d], self.record[:, 3] = chain.x, chain.size
        self.cell = chain.frame.cell(np.ones(d, dtype=bool))
        self.edges = three(np.full(d, low), -INFINITE), three(np.full(d, high), INFINITE)
        self.grid = chain.frame.bins(np.zeros(d), np.ones(d), chain.cut + SKIN, self.n)
        self.buffers = np.empty((d, 2048)), np.empty(2048), np.empty(2048), np.empty((2, 2048))

    def follow(self, x, velocity, step, steps):
        """Leapfrog as in `trajectory`, lists found anew at each step; returns (energy, how many turned round)."""
        d, pot, table, turned = self.dimension, self.chain.potential, self.chain.system.table, 0
        force, now = np.empty_like(x), self.record.copy()
        for s in range(steps + 1):
            now[:, :d] = x
            pairs = trajectories.half_list(now, self.n, pot, self.cell, self.grid, self.chain.cut, SKIN)
            trajectories._push(x, pairs, table, self.buffers, force)
            trajectories._kick(velocity, force, step if 0 < s < steps else 0.5 * step, self.n, d)
            if s < steps:
                turned += trajectories._drift(x, velocity, now, step, self.n, self.cell, *self.edges, 1.0, 1.0)[0]
        return trajectories._energy(x, pairs, table, self.buffers) + 0.5 * (velocity[:, :d] ** 2).sum(), turned

    def start(self):
        velocity = np.random.default_rng(1).normal(size=(self.n, 4)) * 0.7
        return self.record[:, : self.dimension].copy(), velocity


CASES = pytest.mark.parametrize(("name", "particles", "dimension", "tilt"),
                                [("ipl12", 225, 2, [0.3]), ("lj-binary", 225, 2, None), ("ipl10", 800, 3, None)])


@CASES
def test_forces_and_energy_are_those_of_the_system(alone, name, particles, dimension, tilt):
    region = Region(small(alone, name, particles, dimension, tilt), -INFINITE, INFINITE)
    x, table = region.start()[0], region.chain.system.table
    pairs = trajectories.half_list(region.record, region.n, region.chain.potential, region.cell, region.grid, region.chain.cut,
                                   SKIN)
    force = np.empty_like(x)
    trajectories._push(x, pairs, table, region.buffers, force)
    assert trajectories._energy(x, pairs, table, region.buffers) == pytest.approx(region.energy.energy, rel=1e-12)
    by_id = np.argsort(region.chain.system.id[: region.n])
    expected = region.energy.forces[by_id] @ region.chain.rotation
    assert np.abs(force[np.argsort(region.chain.id)] - expected).max() < 1e-9 * np.abs(expected).max()


@CASES
def test_the_way_back_leads_back(alone, name, particles, dimension, tilt):
    """From the end with velocities reversed to the start, although many have turned round at the edges, in a tilted cell, too."""
    region = Region(small(alone, name, particles, dimension, tilt), 0.0, 1.0)
    x, velocity = region.start()
    end, speed = x.copy(), velocity.copy()
    turned = region.follow(end, speed, 0.01, 100)[1]
    assert turned > 4 and np.abs(end - x).max() > 0.1
    speed *= -1
    assert region.follow(end, speed, 0.01, 100)[1] == turned
    assert np.abs(end - x).max() < 1e-7 and np.abs(speed + velocity)[:, :dimension].max() < 1e-5


def test_energy_is_conserved_to_second_order(alone):
    region = Region(small(alone, "ipl12", 225, 2), -INFINITE, INFINITE)
    x, velocity = region.start()
    before = region.energy.energy + 0.5 * (velocity[:, :2] ** 2).sum()
    errors = [region.follow(x.copy(), velocity.copy(), step, round(0.2 / step))[0] - before for step in (0.004, 0.002)]
    assert errors[0] / errors[1] == pytest.approx(4, abs=0.8)


@pytest.mark.parametrize("count", [1, 7])
def test_ladder_samples_the_boltzmann_law(alone, count):
    """Four sizes at four fixed places, all 24 arrangements: chi^2 with 23 degrees of freedom below 60, false alarm 4e-5."""
    place = np.array([[1.0, 1.0], [2.1, 1.1], [1.2, 2.2], [2.4, 2.3]])
    sizes = np.array([0.8, 0.95, 1.1, 1.3])
    system = small(alone, "ipl12", 400)
    chain = SwapMonteCarlo(system, 0.4, 0.2, 0.01, 4, trajectories=True)
    record = np.zeros((4, 4))
    record[:, :2], record[:, 3] = place, sizes
    cell, grid = chain.frame.cell(np.ones(2, dtype=bool)), chain.frame.bins(np.zeros(2), np.ones(2), chain.cut, 4)

    def energy(order):
        now = record.copy()
        now[:, 3] = sizes[list(order)]
        pairs = trajectories.half_list(now, 4, chain.potential, cell, grid, chain.cut, SKIN)
        buffers = np.empty((2, 2048)), np.empty(2048), np.empty(2048), np.empty((2, 2048))
        return trajectories._energy(now[:, :2].copy(), pairs, system.table, buffers)

    orders = list(permutations(range(4)))
    weight = np.exp(-np.array([energy(order) for order in orders]) / 0.4)
    assert weight.max() > 3 * weight.min()
    seen, tally, gain, runs, thin = np.zeros(24), np.zeros(6, dtype=np.int64), np.zeros(1), 6000, 28
    start = energy(range(4))
    for run in range(runs):
        for part in range(thin // count + 1):
            moves = chain._moves(Stream.SWAP_MOVES, 100 * run + part)
            ladder.exchanges(record, 4, chain.potential, cell, grid, chain.cut, moves, 0, count, tally, gain)
        seen[orders.index(tuple(np.searchsorted(sizes, record[:, 3])))] += 1
    expected = runs * weight / weight.sum()
    assert ((seen - expected) ** 2 / expected).sum() < 60
    assert energy(np.searchsorted(sizes, record[:, 3])) == pytest.approx(start + gain[0], rel=1e-9)
    assert 0 < tally[2] < tally[3]

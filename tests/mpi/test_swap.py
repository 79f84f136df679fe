"""Swap Monte Carlo on any number of ranks: exact identities, equality with one rank, restart to the bit."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "moves"))
from swap_systems import small

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.landscape.forces import evaluate
from hpcglass.moves.swap import run as swap_run
from hpcglass.moves.swap import zones as swap_zones
from hpcglass.moves.swap.run import SwapMonteCarlo
from hpcglass.moves.swap.statistics import Averages

# temperature, step, sub-sweeps of 5 sweeps, particles, trajectories
HOT, COLD = (0.6, 0.15, 320, 256, False), (0.16, 0.1, 320, 256, False)
HOT_PATHS, COLD_PATHS = (0.6, 0.015, 320, 256, True), (0.16, 0.025, 320, 256, True)
both = pytest.mark.parametrize("trajectories", [False, True], ids=["single", "trajectories"])


def sample(comm, temperature, step, count, particles, trajectories, seed, settle=100):
    """Averages and acceptances of a run."""
    chain = SwapMonteCarlo(small(comm, "ipl12", particles), temperature, 0.2, step, seed, trajectories)
    for number in range(settle):
        chain.sub_sweep(number, 5)
    averages, counts = Averages(), np.zeros(6)
    for number in range(count):
        tally = chain.sub_sweep(settle + number, 5, measure=True)
        averages.add(tally.measured)
        counts += tally.counts
    return averages, counts


@pytest.mark.few_ranks
@pytest.mark.parametrize("case", [HOT, COLD, HOT_PATHS, COLD_PATHS], ids=["hot", "cold", "hot paths", "cold paths"])
def test_thermometers(world, case):
    """Both within 4 sigma (32 blocks): false alarm 4e-4 each if blocks are independent."""
    averages, _ = sample(world, *case, seed=21)
    conf = averages.ratio("force2", "laplacian")
    exchange = averages.ratio("up", "down")
    assert conf.error < 0.02 * case[0] and exchange.error < 0.03
    assert abs(conf.value - case[0]) < 4 * conf.error
    assert abs(exchange.value - 1) < 4 * exchange.error


@both
def test_energy_and_acceptances_equal_one_rank(world, alone, trajectories):
    """All ranks together against every rank alone with a seed of its own, which makes single moves: 4 sigma."""
    together, counts = sample(world, *(HOT_PATHS if trajectories else HOT), seed=5)
    single, counts_single = sample(alone, *HOT, seed=100 + world.rank)
    energies = single.energy()
    mean = ranks.total(world, energies.value) / world.size
    error = np.sqrt(ranks.total(world, energies.error**2)) / world.size
    found = together.energy()
    assert found.error < 0.01 * found.value
    assert abs(found.value - mean) < 4 * np.hypot(error, found.error)
    if trajectories:
        return
    counts_single = ranks.total(world, counts_single)
    for accepted, tried in ((0, 1), (2, 3)):
        here, there = counts[accepted] / counts[tried], counts_single[accepted] / counts_single[tried]
        # moves that would leave a zone count as rejected: up to 2 % of them here
        lost = counts[4] / counts[1] if accepted == 0 else 0.0
        assert there * (1 - 1.5 * lost) - 0.01 < here < there + 0.01


def small_regions(monkeypatch, particles):
    monkeypatch.setattr(swap_run, "WHOLE", 0)
    monkeypatch.setattr(swap_run, "WHOLE_OF_TRAJECTORIES", 0)
    monkeypatch.setattr(swap_zones, "REGION", particles)


@both
@pytest.mark.parametrize("regions", [False, True])
@pytest.mark.parametrize(("name", "dimension", "particles"), [("ipl12", 2, 900), ("lj-binary", 2, 900), ("ipl10", 3, 3000)])
def test_running_energy(world, monkeypatch, regions, name, dimension, particles, trajectories):
    """Energy changes add up over regions, ranks and sub-sweeps; nobody is lost; sizes are only permuted."""
    if regions:
        small_regions(monkeypatch, 100)
    system = small(world, name, particles, dimension, [0.3])
    before = system.diameter[: system.n_owned].copy()
    chain = SwapMonteCarlo(system, 1.0, 0.3, 0.01 if trajectories else 0.1, 3, trajectories)
    assert world.size > 1 or (chain.zone.n_regions > 1) == regions
    energy = np.nan
    for number in range(5):
        tally = chain.sub_sweep(number, 4, measure=True)
        if number > 1:          # the lattice has a huge energy
            assert abs(tally.measured.energy - energy) < 1e-10 * abs(energy)
        energy = tally.measured.energy + tally.change
    chain.store()
    assert abs(evaluate(system).energy - energy) < 1e-10 * abs(energy)
    after = system.diameter[: system.n_owned]
    ids = ranks.to_blocks(world, system.id[: system.n_owned], particles, system.id[: system.n_owned])[0]
    assert np.array_equal(ids, np.arange(*ranks.block(particles, world.size, world.rank)))
    moments = [ranks.total(world, float((d**power).sum())) for d in (before, after) for power in (1, 2, 3)]
    assert np.allclose(moments[:3], moments[3:], rtol=1e-13)


def rows(chain):
    """State of a chain by id."""
    return ranks.to_blocks(chain.comm, chain.id, chain.system.n_total, chain.x, chain.size, chain.period, chain.start)


@both
@pytest.mark.parametrize("regions", [False, True])
def test_restart_to_the_bit(world, monkeypatch, regions, trajectories):
    """Stored after three sub-sweeps, loaded into a new chain: the same particles to the bit, and so for the one that was not."""
    if regions:
        small_regions(monkeypatch, 60)

    settings = 0.3, 0.3, 0.02 if trajectories else 0.1, 8, trajectories

    def chain():
        return SwapMonteCarlo(small(world, "ipl12", 900, 2, [0.2]), *settings)

    straight, cut = chain(), chain()
    for number in range(6):
        straight.sub_sweep(number, 4, number == 4)
    for number in range(3):
        cut.sub_sweep(number, 4)
    cut.store()
    state = cut.state()
    resumed = SwapMonteCarlo(cut.system, *settings)
    resumed.restore(state, cut.numbers(), 3)
    for number in range(3, 6):
        cut.sub_sweep(number, 4)
        resumed.sub_sweep(number, 4, number == 4)
    for a, b, c in zip(rows(straight), rows(cut), rows(resumed), strict=True):
        assert np.array_equal(a, b) and np.array_equal(a, c)


@both
@pytest.mark.parametrize("regions", [False, True])
def test_pauses_within_a_sub_sweep(world, monkeypatch, regions, trajectories):
    """They change no bit; from each of them a new chain goes on to the bit, wherever lists and regions are at that moment."""
    if regions:
        small_regions(monkeypatch, 60)

    settings = 1.0, 0.3, 0.01 if trajectories else 0.1, 8, trajectories

    def chain():
        made = SwapMonteCarlo(small(world, "ipl12", 900, 2, [0.2]), *settings)
        made.widths = [8, 6]            # too narrow: they grow on the way
        return made

    straight, cut = chain(), chain()
    for number in range(3):
        tally = straight.sub_sweep(number, 40, number == 2)
    monkeypatch.setattr(swap_run, "PART", 40 * 900 // (7 * world.size) + 1)
    kept = []

    def keep(share):
        cut.store()
        state, rows = cut.system.state()
        kept.append((share, (state, rows), cut.state(), cut.numbers()))

    for number in range(2):
        cut.sub_sweep(number, 40)
    after = cut.sub_sweep(2, 40, True, keep)
    assert [round(7 * share) for share, *_ in kept] == [0, 1, 2, 3, 4, 5, 6]
    places = ranks.total(world, np.array([numbers[world.rank, 3] > 0 for *_, numbers in kept], dtype=int))
    assert (places[1:] == world.size).all()
    assert after.counts.tolist() == tally.counts.tolist() and after.change == tally.change
    for _, system, state, numbers in kept[::3]:
        resumed = SwapMonteCarlo(System.from_state(world, cut.system.model, *system), *settings)
        resumed.restore(state, numbers, 2)
        seen = []
        again = resumed.sub_sweep(2, 40, True, seen.append)
        assert again.counts.tolist() == tally.counts.tolist() and (again.change, again.measured) == (tally.change, tally.measured)
        for a, b, c in zip(rows(straight), rows(cut), rows(resumed), strict=True):
            assert np.array_equal(a, b) and np.array_equal(a, c)
    # on another number of ranks from the start of the sub-sweep
    elsewhere = SwapMonteCarlo(System.from_state(world, cut.system.model, *kept[3][1]), *settings)
    elsewhere.restore(kept[3][2], np.zeros((world.size + 1, kept[3][3].shape[1])), 2)
    assert elsewhere.sub_sweep(2, 40, True).measured == tally.measured


@both
def test_mean_square_displacement_is_continuous(world, trajectories):
    """No jump when particles cross the boundary, migrate, or are stored."""
    chain = SwapMonteCarlo(small(world, "ipl12", 400), 2.0, 0.0, 0.01 if trajectories else 0.1, 2, trajectories)
    for number in range(4):
        chain.sub_sweep(number, 20)
    chain.mark()
    assert chain.mean_square_displacement() == 0
    position = chain.system.unwrapped().copy()
    assert len(position) == chain.system.n_owned
    chain.store()
    start = ranks.to_blocks(world, chain.system.id[: chain.system.n_owned], 400, chain.system.unwrapped())[0]
    for number in range(4, 24):
        chain.sub_sweep(number, 20)
        if number % 5 == 0:
            chain.store()
    chain.store()
    end = ranks.to_blocks(world, chain.system.id[: chain.system.n_owned], 400, chain.system.unwrapped())[0]
    from_system = ranks.total(world, float(((end - start) ** 2).sum())) / 400
    assert 0.1 < chain.mean_square_displacement() < 100
    assert abs(chain.mean_square_displacement() - from_system) < 1e-9 * from_system


@both
def test_ranks_may_be_empty(world, trajectories):
    """Two particles in a wide cell."""
    system = small(world, "ipl12", 2, density=2 / 900)
    chain = SwapMonteCarlo(system, 0.5, 0.2, 0.02 if trajectories else 0.1, 1, trajectories)
    tallies = [chain.sub_sweep(number, 20, measure=True) for number in range(20)]
    assert sum(int(tally.counts[1]) for tally in tallies) > (10 if trajectories else 100)
    chain.store()
    assert ranks.total(world, system.n_owned) == 2

"""The compiled kernels against plain sums, exact enumeration and quadrature."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import swap_reference as reference
from glasses import ALL
from swap_systems import small

from hpcglass.core import random
from hpcglass.moves.swap import kernels as kernels
from hpcglass.moves.swap import lists as lists
from hpcglass.moves.swap import run as swap_run
from hpcglass.moves.swap import zones as swap_zones
from hpcglass.moves.swap.potential import kernel_potential
from hpcglass.moves.swap.regions import SingleMoves
from hpcglass.moves.swap.run import SwapMonteCarlo
from hpcglass.potentials.library import MODELS

CASES = {     # model, particles, dimension, tilt, temperature, step
    "two rows": ("ipl12", 100, 2, None, 0.4, 0.2),
    "tilted cell": ("ipl12", 100, 2, [0.45], 0.4, 0.2),
    "one row, attraction": ("lj", 121, 2, None, 1.0, 0.15),
    "species, two segments": ("lj-binary", 144, 2, [0.3], 8.0, 0.1),
    "species, two rows": ("ipl10-binary", 100, 2, None, 8.0, 0.2),
    "strength by length": ("harmonic", 100, 2, None, 0.1, 0.2),
    "powers of 1 - x": ("hertz-mixed", 100, 2, None, 0.01, 0.2),
    "fractional powers": ("fractional", 100, 2, [0.2], 0.4, 0.1),
    "a spline": ("spline", 121, 2, None, 1.0, 0.12),
    "three dimensions": ("ipl10", 512, 3, [0.2, -0.3, 0.1], 1.0, 0.1),
}


def spy(monkeypatch, chain, attempts):
    """Check every region that the chain visits against the plain version, for a few attempts; returns the list of counts."""
    seen = []

    def visit(work, local, edge, bins, moves, sweeps, first, last, enough):
        few = min(last, first + attempts)
        plain, before = local.copy(), work.tally.copy()
        original(work, local, edge, bins, moves, sweeps, first, few, few)
        counts = reference.run(chain.system.model, plain, len(work.crossed), work.cell, edge[0], edge[1], moves, first, few)
        assert np.array_equal((work.tally - before)[:5], counts)
        unfolded = local.copy()
        kernels.unfold(unfolded, work.crossed, work.cell)
        assert np.abs(unfolded - plain).max() < 1e-12
        seen.append(counts)
        return last

    original = SingleMoves._visit
    monkeypatch.setattr(SingleMoves, "_visit", visit)
    return seen


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_same_trajectory_as_plain_sums(alone, monkeypatch, case):
    name, particles, dimension, tilt, temperature, step = case
    chain = SwapMonteCarlo(small(alone, name, particles, dimension, tilt), temperature, 0.3, step, 11)
    for number in range(2):
        chain.sub_sweep(number, 30)         # leave the lattice, use up the lists
    seen = spy(monkeypatch, chain, 400 if dimension == 2 else 150)
    chain.sub_sweep(2, 20)
    moved, moves, swapped, swaps, left = sum(seen)
    assert moved > 0.05 * moves > 4 and swapped > 0 and swaps > 20 and left == 0


@pytest.mark.parametrize(("dimension", "particles", "tilt"), [(2, 400, [0.2]), (3, 1000, None)])
def test_same_trajectory_in_regions(alone, monkeypatch, dimension, particles, tilt):
    """Cut into regions, which nothing leaves. (What is frozen around each: test_running_energy.)"""
    monkeypatch.setattr(swap_run, "WHOLE", 0)
    monkeypatch.setattr(swap_zones, "REGION", 60)
    name = "ipl12" if dimension == 2 else "ipl10"
    chain = SwapMonteCarlo(small(alone, name, particles, dimension, tilt), 0.8, 0.3, 0.1, 3)
    for number in range(3):
        chain.sub_sweep(number, 10)
    seen = spy(monkeypatch, chain, 400)
    chain.sub_sweep(3, 10)
    assert len(seen) == chain.zone.n_regions >= 4
    assert sum(seen)[4] > 0 and sum(seen)[0] > 50


def test_every_list_is_complete_when_sizes_change(alone, monkeypatch):
    """Only exchanges, many of them, and hardly a skin to hide in: tight rows follow the sizes."""
    chain = SwapMonteCarlo(small(alone, "ipl12", 100), 3.0, 1.0, 0.1, 5)
    chain.set_skin(0.02)
    seen = spy(monkeypatch, chain, 400)
    chain.sub_sweep(0, 20)
    assert seen[0][2] > 60


def test_lists_expire_in_time(alone):
    """A short skin: lists are rebuilt before a pair outside them comes near. Near the cut-off only the energy can tell."""
    chain = SwapMonteCarlo(small(alone, "ipl12", 100), 3.0, 0.1, 0.05, 5)
    chain.sub_sweep(0, 20)
    chain.set_skin(0.15)
    energy = chain.sub_sweep(1, 0, measure=True).measured.energy
    tally = chain.sub_sweep(2, 50)
    assert tally.counts[kernels.BUILDS] > 10
    assert abs(chain.sub_sweep(3, 0, measure=True).measured.energy - energy - tally.change) < 1e-11 * energy


def visit(record, pot, cell, grid, cut, moves, first, last, two_rows=True):
    n = len(record)
    rows = (np.empty((n, 4)), np.empty((n, 16), np.uint32), np.empty(n, np.uint32), np.empty((n, 16), np.uint32),
            np.empty(n, np.uint32))
    everywhere = (-np.inf,) * 3, (np.inf,) * 3
    crossed = np.zeros((n, 3))
    reached, _, _ = kernels.visit(record, crossed, rows, pot, cell, *everywhere, grid, cut, 0.5, two_rows, moves, first, last,
                                  last, np.zeros(6, np.int64), np.zeros(1))
    kernels.unfold(record, crossed, cell)
    assert reached == last


def square(side):
    """Periodic square, one bin."""
    return (lists.Cell((0, 1), (True, True, False), (side / 2, side / 2, np.inf), (side, 0.0, side, 0.0, 0.0, 1.0),
                       (1 / side, 0.0, 1 / side, 0.0, 0.0, 1.0)), ((0.0,) * 3, (1, 1, 1), (1.0,) * 3))


@pytest.mark.parametrize("two_rows", [True, False])
def test_exchanges_against_enumeration(alone, two_rows):
    """Four fixed particles, 24 assignments of diameters: visits follow exp(-U/T). False alarm about 1e-4."""
    model, temperature = MODELS["ipl12"], 1.6
    table = small(alone).table
    sizes = np.array([0.75, 0.95, 1.2, 1.55])
    places = np.array([[1.0, 1.0], [2.1, 1.1], [1.3, 2.2], [2.5, 2.2]])
    record = np.zeros((4, 4))
    record[:, :2], record[:, 3] = places, sizes
    cell, grid = square(6.0)
    tag, time = random.counter(6, 0)
    moves = kernels.Moves(temperature, 0.1, 2**32, random.key(9), tag, time, np.uint64(0))
    states = list(permutations(range(4)))

    def energy(state):
        d = sizes[list(state)]
        return sum(reference.pair_energy(model, np.linalg.norm(places[i] - places[j]), d[i], d[j])
                   for i in range(4) for j in range(i))

    expected = np.exp(-np.array([energy(s) for s in states]) / temperature)
    expected /= expected.sum()
    found, samples, pause = dict.fromkeys(states, 0), 20_000, 25
    pot = kernel_potential(model, table)
    for sample in range(samples):
        visit(record, pot, cell, grid, 1.25 * 1.55, moves, sample * pause, (sample + 1) * pause, two_rows)
        found[tuple(np.searchsorted(sizes, record[:, 3]))] += 1
    counts = np.array([found[s] for s in states])
    assert expected.max() / expected.min() > 20 and expected.min() * samples > 20
    chi2 = ((counts - samples * expected) ** 2 / (samples * expected)).sum()
    assert chi2 < 60         # 23 degrees of freedom, samples nearly independent


def test_displacements_against_quadrature():
    """Two particles in a periodic square: the distribution of their distance is r exp(-phi/T). Error 4 sigma."""
    model, temperature, side = MODELS["ipl12"], 0.5, 4.0
    record = np.zeros((2, 4))
    record[:, :2], record[:, 3] = [[0.5, 0.5], [2.5, 2.5]], (0.9, 1.1)
    cell, grid = square(side)
    tag, time = random.counter(6, 0)
    moves = kernels.Moves(temperature, 0.17, 0, random.key(2), tag, time, np.uint64(0))
    from hpcglass.core.pairs import pair_table
    pot = kernel_potential(model, pair_table(model))
    reach = 1.25 * (1 - 0.2 * 0.2)
    r = np.linspace(0.3, reach, 20_001)
    phi = reference.pair_energy(model, r, 0.9, 1.1)
    boltzmann = 2 * np.pi * r * np.exp(-phi / temperature)
    touching = np.trapezoid(boltzmann, r) if hasattr(np, "trapezoid") else np.trapz(boltzmann, r)
    expected = touching / (touching + side**2 - np.pi * reach**2)
    hits, samples, pause = [], 40_000, 100
    for sample in range(samples):
        visit(record, pot, cell, grid, 1.25 * 1.1, moves, sample * pause, (sample + 1) * pause)
        d = record[1, :2] - record[0, :2]
        d -= side * np.rint(d / side)
        hits.append(np.hypot(*d) < reach)
    blocks = np.array(hits).reshape(40, -1).mean(1)
    error = blocks.std() / np.sqrt(39)
    assert error < 0.03 * expected
    assert abs(blocks.mean() - expected) < 4 * error


def test_overlaps_stay_finite():
    """Particles on top of each other: huge but finite energies, and moves that take them apart."""
    from hpcglass.core.pairs import pair_table
    for name in ("ipl12", "lj", "lj-binary", "harmonic", "hertz-mixed", "fractional", "spline", "two-pieces"):
        model = ALL[name]
        record = np.zeros((3, 4))
        record[:, :2] = 1.0
        record[:, 3] = (0, 1, 1) if model.mixing.by_species else (0.8, 1.0, 1.2)
        cell, grid = square(12.0)
        tag, time = random.counter(6, 0)
        moves = kernels.Moves(0.1, 0.15, 2**30, random.key(2), tag, time, np.uint64(0))
        visit(record, kernel_potential(model, pair_table(model)), cell, grid, 3.0, moves, 0, 500, False)
        assert np.isfinite(record).all()
        assert np.ptp(record[:, 0]) > 0.1

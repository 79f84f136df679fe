"""Swap Monte Carlo and dynamics between rigid circular walls."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "moves"))
from glasses import whole
from swap_reference import pair_energy
from test_walls import CASES, between, radii, system_between

from hpcglass.core import comm as ranks
from hpcglass.geometries.annulus import Walls
from hpcglass.landscape import walls
from hpcglass.landscape.forces import evaluate, forces
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.moves import start
from hpcglass.moves.dynamics import Dynamics, maxwell_velocities
from hpcglass.moves.minimise import minimise
from hpcglass.moves.swap import run as swap_run
from hpcglass.moves.swap import zones as swap_zones
from hpcglass.moves.swap.run import SwapMonteCarlo
from hpcglass.moves.swap.statistics import Averages
from hpcglass.potentials.library import MODELS


@pytest.mark.parametrize("regions", [False, True])
@pytest.mark.parametrize("case", [("ipl12", 2, 1.0, 0.65, 14.0), ("lj-binary", 2, 1.02, 3.0, 16.0), ("ipl10", 3, 0.58, 1.0, 9.0)],
                         ids=["ipl12", "lj-binary", "ipl10-3d"])
def test_running_energy(world, monkeypatch, case, regions):
    """Energy changes of moves and exchanges, walls included, add up over regions, ranks and sub-sweeps; nobody escapes."""
    if regions:
        monkeypatch.setattr(swap_run, "WHOLE", 0)
        monkeypatch.setattr(swap_zones, "REGION", 100)
    s = between(world, *case)
    minimise(s, "fire", 1.0, 2000)
    sizes = np.sort(whole(s, s.diameter[: s.n_owned]))
    chain = SwapMonteCarlo(s, 2.0, 0.5, 0.1, 3)
    energy, accepted = np.nan, 0
    for number in range(5):
        tally = chain.sub_sweep(number, 3, measure=True)
        assert tally.measured.energy == pytest.approx(energy, rel=1e-9) or number == 0
        energy, accepted = tally.measured.energy + tally.change, accepted + tally.counts[2]
    chain.store()
    assert accepted > 0 or case[0] == "lj-binary"       # whose sizes are too unlike
    assert evaluate(s).energy == pytest.approx(energy, rel=1e-9)
    assert radii(s).min() > case[3] and radii(s).max() < case[4]
    assert np.array_equal(np.sort(whole(s, s.diameter[: s.n_owned])), sizes)
    force = forces(s)
    square = ranks.total(world, float((force**2).sum()))
    measured = chain.sub_sweep(9, 0, measure=True).measured
    assert measured.force2 == pytest.approx(square, rel=1e-9)
    hessian = Hessian(s)            # in which a particle that touches nobody has a row of the identity
    trace = ranks.total(world, float(hessian.matrix.getDiagonal().array.sum())) - hessian.n_loose * s.dimension
    assert measured.laplacian == pytest.approx(trace, rel=1e-9)


def brute_force(diameters, r_in, r_out, temperature, count=400_000):
    """Boltzmann averages (mean energy; mean radius of each particle) of a few particles of `ipl12` in 2D, by weights."""
    model, rng = MODELS["ipl12"], np.random.default_rng(4)
    w = Walls((0.0, 0.0), r_in, r_out)
    place = [start.between(w, rng.uniform(size=(count, 2)), np.zeros(count)) for _ in diameters]
    r = [np.linalg.norm(p, axis=1) for p in place]
    energy = np.zeros(count)
    for i, size in enumerate(diameters):
        energy += pair_energy(model, r[i] - r_in, size, size) + pair_energy(model, r_out - r[i], size, size)
        for j in range(i):
            energy += pair_energy(model, np.linalg.norm(place[i] - place[j], axis=1), size, diameters[j])
    weight = np.exp(-energy / temperature)
    columns = np.stack([np.where(weight > 0, energy, 0.0), *r])
    mean = (weight * columns).sum(axis=1) / weight.sum()
    return mean, np.sqrt((weight**2 * (columns - mean[:, None]) ** 2).sum(axis=1)) / weight.sum()


def test_few_particles_against_brute_force(world):
    """Mean energy and mean radii of three discs of unlike sizes: 4.5 sigma over 32 blocks, false alarm 1e-4 in all."""
    diameters, temperature = np.array([0.8, 1.1, 1.5]), 1.0
    place = np.array([[2.2, 0.0], [-2.2, 0.3], [0.0, -2.2]])
    s = system_between(world, MODELS["ipl12"], place, diameters, 0.6, 3.6)
    chain = SwapMonteCarlo(s, temperature, 0.3, 0.6, 11)
    blocks = np.zeros((32, 5))
    for number in range(32 * 30):
        tally = chain.sub_sweep(number, 40, measure=True)
        apart = (chain.x - np.array(chain.potential.walls[:2]))
        apart -= chain.h[0, 0] * np.rint(apart / chain.h[0, 0])
        r = np.linalg.norm(apart, axis=1)
        here = np.array([0.0, *[r[chain.size == size].sum() for size in diameters], 0.0])
        here[4] = 1.0 / world.size
        here[0] = tally.measured.energy / world.size
        blocks[number // 30] += here
    blocks = ranks.total(world, blocks)
    values = blocks[:, :4] / blocks[:, 4:]
    mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(32)
    expected, noise = brute_force(diameters, 0.6, 3.6, temperature)
    assert (error < [0.05, 0.03, 0.03, 0.03]).all() and (noise < 0.02).all()
    assert (np.abs(mean - expected) < 4.5 * np.hypot(error, noise)).all(), (mean, expected, error)


@pytest.mark.few_ranks
def test_thermometer(world):
    """sum |F|^2 / sum lap U = T with walls counted: 4 sigma over 32 blocks."""
    s = between(world, "ipl12", 2, 1.0, 0.65, 8.0)
    minimise(s, "fire", 1.0, 2000)
    chain, averages = SwapMonteCarlo(s, 0.6, 0.2, 0.15, 5), Averages()
    for number in range(40):
        chain.sub_sweep(number, 5)
    for number in range(192):
        averages.add(chain.sub_sweep(40 + number, 5, measure=True).measured)
    found = averages.ratio("force2", "laplacian")
    assert found.error < 0.02 and abs(found.value - 0.6) < 4 * found.error


def test_dynamics(world):
    """Without a thermostat energy and angular momentum stay; the start has none of the latter."""
    s = between(world, *CASES[0])
    minimise(s, "fire", 1e-2, 5000)
    s.fields["velocity"] = maxwell_velocities(s, 0.05, 1)
    spin = [abs(ranks.total(world, float(np.vdot(walls.rigid_motions(s)[0], s.fields["velocity"]))))]
    dynamics = Dynamics(s, "none", 0.002, 1.0, 1)
    assert dynamics.freedom == 2 * s.n_total - 1
    assert dynamics.temperature() == pytest.approx(0.05, rel=1e-12)
    before = evaluate(s).energy + dynamics.kinetic_energy()
    for step in range(200):
        dynamics.step(step, 0.05)
    assert evaluate(s).energy + dynamics.kinetic_energy() == pytest.approx(before, abs=1e-3 * 0.05 * s.n_total)
    spin.append(abs(ranks.total(world, float(np.vdot(walls.rigid_motions(s)[0], dynamics.velocity)))))
    assert max(spin) < 1e-9

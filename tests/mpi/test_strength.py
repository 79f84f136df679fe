"""Local yield stresses: against an independent, slow calculation; against plain minimisation; symmetries; any number of ranks."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from glasses import DATA, arrays, glass, system, whole

from hpcglass.cavity import frozen
from hpcglass.cavity.patch import assemble, evaluate, make_list, product, stretch, work
from hpcglass.cavity.sites import Sample
from hpcglass.cavity.skyline import factorise, solve
from hpcglass.cavity.strength import direction, on_particles, strength
from hpcglass.errors import InputError
from hpcglass.landscape.forces import evaluate as mechanics

pytestmark = pytest.mark.few_ranks       # ranks share the sites, each of which is one rank's
FLAT = ("ipl12-2d", "ipl10-2d", "lj-binary-2d", "lj-poly-2d")


def reference(name):
    with h5py.File(DATA / f"strength-{name}.h5") as file:
        return {key: item[()] for key, item in file.items()}


@pytest.mark.parametrize("name", FLAT)
def test_reference_trials(world, name):
    """tau_0, tau_c, gamma_c of a slow calculation with a finer branch check; weak folds may end one way or the other."""
    right = reference(name)
    found = strength(glass(world, name), right["sites"], np.rad2deg(right["alpha"]))
    assert np.abs(found.tau_0 - right["tau_0"]).max() < 1e-9
    regular = (found.flag == frozen.MAXIMUM) & (right["flag"] == 0)
    assert regular.mean() > 0.9
    off = np.abs(found.tau_c - right["tau_c"])[regular] / right["tau_c"][regular]
    assert np.median(off) < 1e-6 and np.mean(off < 1e-3) > 0.985 and off.max() < 0.01        # no event is stepped over
    passes, factorisations, *_ = found.work / found.flag.size
    assert passes < 200 and factorisations < 50         # the predictor is worth its name


def test_the_field(world):
    right = reference("ipl12-2d")
    s = glass(world, "ipl12-2d")
    value = on_particles(s, right["sites"], right["site_strength"], 5.0)
    near = np.isfinite(whole(s, value))
    assert near.any() and (whole(s, value)[near] >= right["site_strength"].min()).all()


def patch_of(comm, name="ipl12-2d", centre=(3.0, 4.0), free=4.0):
    s = glass(comm, name)
    sample = Sample(s, free, min(free + 2 * s.range, 0.499 * s.box[0, 0]))
    return s, sample, sample.patch(np.array(centre))


def test_forces_and_hessian_of_a_patch(alone):
    """By finite differences of the energy conjugates: f = -dU/dx, H = -df/dx, Xi = -df/dgamma, sigma and Born likewise."""
    s, _, patch = patch_of(alone)
    memory, rate = work(2), direction(20.0)
    rates, turn = np.linalg.eigh(rate)
    forward, back = np.empty((2, 2)), np.empty((2, 2))
    stretch(turn, rates, 0.03, forward, back)
    assert np.abs(forward @ back - np.eye(2)).max() < 1e-14
    n, cutoff = patch.n_free, float(np.sqrt(s.table.edges[-1]))
    pairs = make_list(s.table, n, patch.y, patch.diameter, patch.species, forward, cutoff, 0.3, memory)
    _, stress, born = evaluate(s.table, n, patch.y, forward, rate, pairs, True, memory)
    force, shear = memory.force[: 2 * n].copy(), memory.shear[: 2 * n].copy()
    x = np.sin(np.arange(2.0 * n))
    image = np.empty(2 * n)
    product(n, 2, pairs, memory, x, image)
    assemble(n, 2, pairs, memory)
    assert factorise(n, 2, memory.begin, memory.offset, memory.matrix, memory.inverse)
    again = image.copy()
    solve(n, 2, memory.begin, memory.offset, memory.matrix, memory.inverse, again)
    assert np.abs(again - x).max() < 1e-9
    h = 1e-6
    moved = []
    for sign in (1.0, -1.0):
        y = patch.y.copy()
        y[:n] += sign * h * (x.reshape(n, 2) @ back.T)
        evaluate(s.table, n, y, forward, rate, pairs, False, memory)
        moved.append(memory.force[: 2 * n].copy())
    assert np.abs((moved[1] - moved[0]) / (2 * h) - image).max() < 1e-6 * np.abs(image).max()
    strained = []
    for sign in (1.0, -1.0):
        stretch(turn, rates, 0.03 + sign * h, forward, back)
        stressed = evaluate(s.table, n, patch.y, forward, rate, pairs, False, memory)[1]
        strained.append((memory.force[: 2 * n].copy(), stressed))
    assert np.abs((strained[1][0] - strained[0][0]) / (2 * h) - shear).max() < 1e-6 * np.abs(shear).max()
    assert (strained[0][1] - strained[1][1]) / (2 * h) == pytest.approx(born, rel=1e-6)
    assert np.isfinite(stress) and np.abs(force).max() > 0


def test_against_plain_minimisation(alone):
    """Small steps and descents in the same patch: the stress has its maximum where the branch says."""
    from scipy.optimize import minimize

    s, sample, patch = patch_of(alone, "ipl10-2d", (5.0, 5.0), 2.5)
    memory, angle = work(2), 30.0
    rate = direction(angle)
    rates, turn = np.linalg.eigh(rate)
    n, cutoff = patch.n_free, float(np.sqrt(s.table.edges[-1]))
    flag, tau_0, tau_c, gamma_c, mu = frozen.load(
        s.table, n, patch.y, patch.diameter, patch.species, np.ascontiguousarray(turn), rates, rate, sample.shell, 1.0,
        frozen.SMOOTH, 1.0, memory)
    assert flag == frozen.MAXIMUM and mu > 0 and tau_c > tau_0
    y, forward, back = patch.y.copy(), np.empty((2, 2)), np.empty((2, 2))
    strains, stresses = np.linspace(0.0, gamma_c, 12), []
    for strain in [*strains, gamma_c + 2e-3]:
        stretch(turn, rates, strain, forward, back)
        pairs = make_list(s.table, n, y, patch.diameter, patch.species, forward, cutoff, 0.5, memory)

        def gradient(flat, pairs=pairs):
            there = y.copy()
            there[:n] = flat.reshape(n, 2)
            evaluate(s.table, n, there, forward, rate, pairs, False, memory)
            x2 = memory.x2[:pairs]
            energy = sum(s.model.potential.derivative(float(np.sqrt(value))) for value in x2)
            return energy, -(memory.force[: 2 * n].reshape(n, 2) @ forward).ravel()

        done = minimize(gradient, y[:n].ravel(), jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 5000})
        y[:n] = done.x.reshape(n, 2)
        stresses.append(evaluate(s.table, n, y, forward, rate, pairs, False, memory)[1])
    assert stresses[0] == pytest.approx(tau_0, abs=1e-8)
    assert stresses[-2] == pytest.approx(tau_c, rel=1e-6) and max(stresses[:-2]) < tau_c and stresses[-1] < tau_c


def test_directions(world):
    """0 and 180 degrees are the same; 90 degrees later the sense is opposite, and so is the stress at zero strain."""
    s = glass(world, "ipl10-2d")
    found = strength(s, np.array([[3.0, 4.0], [0.1, 0.1]]), (0.0, 90.0, 180.0, 30.0, 120.0))
    assert np.abs(found.tau_0[:, 0] + found.tau_0[:, 1]).max() < 1e-10
    assert found.tau_c[:, 0] == pytest.approx(found.tau_c[:, 2], rel=1e-9)
    assert (found.tau_c > found.tau_0).all()
    missing = (found.tau_c - found.tau_0)[0]
    assert found.residual(0.0)[0] == pytest.approx(min(missing[0], missing[2], missing[3] / np.cos(np.pi / 3)))
    assert np.isinf(strength(s, np.array([[3.0, 4.0]]), (50.0,)).residual(0.0)).all()


def test_equivalent_cells_and_edges(world):
    """A patch at the edge of the cell, in a cell described with another tilt, or moved: the same numbers."""
    model, box, position, diameter, species = arrays("ipl10-2d")
    site, angles = np.array([[0.2, 0.1]]), (0.0, 70.0)
    right = strength(system(world, model, box, position, diameter, species), site, angles, 3.0)
    other_cell = box @ np.array([[1.0, 1.0], [0.0, 1.0]])
    tilted = strength(system(world, model, other_cell, position, diameter, species), site, angles, 3.0)
    moved = strength(system(world, model, box, position + [4.3, 1.7], diameter, species), site + [4.3, 1.7], angles, 3.0)
    for other in (tilted, moved):
        assert other.tau_c == pytest.approx(right.tau_c, rel=1e-7) and other.tau_0 == pytest.approx(right.tau_0, abs=1e-9)


def test_refusals(world):
    with pytest.raises(InputError, match="needs a cell at least"):
        strength(glass(world, "ipl10-2d"), free=12.0)
    with pytest.raises(InputError, match="2D"):
        strength(glass(world, "ipl10-3d"))


def test_mean_stress_is_that_of_the_glass(world):
    """V_c is the patch's share of the pairs: over a grid the mean of tau_0 is the sample's stress, within its scatter."""
    s = glass(world, "ipl12-2d")
    found = strength(s, angles=(0.0,), spacing=5.0, free=4.0)
    error = found.tau_0.std() / np.sqrt(found.tau_0.size)
    assert abs(found.tau_0.mean() - mechanics(s).stress[0, 1]) < 5 * error        # patches overlap: false alarm well below 1e-4

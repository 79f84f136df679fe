"""Forces and stresses are derivatives of the energy; symmetries of space leave it alone. Every model, any number of ranks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from glasses import liquid_arrays, system, whole

from hpcglass.geometries.periodic import deformation, pure_shear, simple_shear
from hpcglass.landscape.forces import evaluate, forces
from hpcglass.potentials.library import MODELS
from hpcglass.potentials.model import Mixing, PairPotential, Segment, Sizes

CASES = [("ipl12", 2), ("ipl10", 2), ("ipl10", 3), ("ipl10-binary", 2), ("lj", 2), ("lj", 3), ("lj-binary", 2),
         ("harmonic", 2), ("harmonic", 3)]


@pytest.mark.parametrize("name,dimension", CASES)
def test_forces_are_minus_the_gradient(world, name, dimension):
    """Along a random direction, fourth-order central difference."""
    plain = liquid_arrays(name, 80, dimension, tilt=(0.2,) if dimension == 2 else (0.2, 0.1, -0.3))
    s = system(world, *plain)
    direction = np.random.default_rng(2).normal(size=(80, dimension))
    slope = -float((whole(s, forces(s)) * direction).sum())
    h, energies = 2e-5 if name == "harmonic" else 2e-4, []       # contacts open: its energy is C^1 only
    for k in (-2, -1, 1, 2):
        t = system(world, *plain)
        t.move(k * h * direction[t.id[: t.n_owned]])
        t.update()
        energies.append(evaluate(t).energy)
    numeric = (energies[0] - 8 * energies[1] + 8 * energies[2] - energies[3]) / (12 * h)
    assert slope == pytest.approx(numeric, rel=2e-6, abs=2e-6)


@pytest.mark.parametrize("name,dimension", CASES)
def test_stress_is_the_strain_derivative(world, name, dimension):
    """V sigma : A = dU / d(gamma) for shears and dilation."""
    plain = liquid_arrays(name, 80, dimension)
    reference = evaluate(system(world, *plain))
    volume = abs(np.linalg.det(plain[1]))
    plane = "xy" if dimension == 2 else "zx"
    for gradient in (simple_shear(dimension, plane), pure_shear(dimension, plane), np.eye(dimension)):
        h, energies = 2e-4, []
        for k in (-2, -1, 1, 2):
            t = system(world, *plain)
            t.deform(deformation(gradient, k * h))
            t.update()
            energies.append(evaluate(t).energy)
        numeric = (energies[0] - 8 * energies[1] + 8 * energies[2] - energies[3]) / (12 * h)
        assert volume * float((reference.stress * gradient).sum()) == pytest.approx(numeric, rel=5e-6, abs=5e-6)


@pytest.mark.parametrize("name,dimension", CASES)
def test_translation_and_rotation(world, name, dimension):
    model, box, position, diameter, species = liquid_arrays(name, 80, dimension)
    s = system(world, model, box, position, diameter, species)
    f, e = whole(s, forces(s)), evaluate(s)
    moved = system(world, model, box, position + np.array([3.3, -7.1, 0.4][:dimension]), diameter, species)
    assert np.abs(whole(moved, forces(moved)) - f).max() < 1e-10 * np.abs(f).max()
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(dimension, dimension)))[0]
    turned = system(world, model, turn @ box, position @ turn.T, diameter, species)
    assert np.abs(whole(turned, forces(turned)) - f @ turn.T).max() < 1e-10 * np.abs(f).max()
    assert np.allclose(evaluate(turned).stress, turn @ e.stress @ turn.T, rtol=1e-9, atol=1e-9)
    assert np.abs(f.sum(axis=0)).max() < 1e-9 * np.abs(f).max()       # Newton's third law


def test_a_pair_by_hand(world):
    """Two particles of the user's own potential x^-2 - 1/4 below x = 2, lambda = 1: F = 2 r^-3, U = r^-2 - 1/4."""
    model = replace(MODELS["ipl12"], potential=PairPotential((Segment(2.0, (-2, 0), (1.0, -0.25)),)),
                    mixing=Mixing(), sizes=Sizes("power", 1.0, 1.0))
    position = np.array([[1.0, 1.0], [2.2, 1.0]])
    s = system(world, model, 20 * np.eye(2), position, np.ones(2), np.zeros(2, np.int32))
    e = evaluate(s)
    assert e.energy == pytest.approx(1 / 1.44 - 0.25, rel=1e-14)
    assert np.allclose(whole(s, e.forces), [[-2 / 1.2**3, 0], [2 / 1.2**3, 0]], atol=1e-14)
    assert e.stress[0, 0] == pytest.approx(-2 / 1.2**2 / 400, rel=1e-13)
    assert e.pairs == 1 and e.force_scale == pytest.approx(2 / 1.2**3, rel=1e-13)

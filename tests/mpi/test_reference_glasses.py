"""Energies, forces and stresses of glasses computed by independent dense code, and their elastic branches."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from glasses import DATA, NAMES, glass, whole

from hpcglass.geometries.periodic import deformation, simple_shear
from hpcglass.landscape.forces import evaluate, largest_force, per_particle
from hpcglass.moves.minimise import minimise


@pytest.mark.parametrize("name", NAMES)
def test_energy_forces_stress(world, name):
    s = glass(world, name)
    result = evaluate(s)
    with h5py.File(DATA / f"{name}.h5") as file:
        reference = file["reference"]
        assert result.energy == pytest.approx(reference["energy"][()], rel=1e-10)
        assert np.abs(result.stress - reference["stress"][:]).max() <= 1e-10 * np.abs(reference["stress"][:]).max()
        assert result.pairs == reference["bonds"][()]
    assert largest_force(s, result.forces) < 1e-11


@pytest.mark.parametrize("name", NAMES)
def test_affine_shear_of_three_per_cent(world, name):
    s = glass(world, name)
    s.deform(deformation(simple_shear(s.dimension, "xy"), 0.03))
    s.update()
    result = evaluate(s)
    with h5py.File(DATA / f"{name}.h5") as file:
        reference = file["reference/affine_shear_0.03"]
        expected = reference["forces"][:]
        assert result.energy == pytest.approx(reference["energy"][()], rel=1e-10)
        assert np.abs(result.stress - reference["stress"][:]).max() <= 1e-10 * np.abs(reference["stress"][:]).max()
    assert np.abs(whole(s, result.forces) - expected).max() <= 1e-10 * np.abs(expected).max()


@pytest.mark.parametrize("name", NAMES)
def test_particles_share_the_totals(world, name):
    from hpcglass.core.comm import total

    s = glass(world, name)
    result = evaluate(s)
    energy, virial = per_particle(s)
    assert total(world, energy.sum()) == pytest.approx(result.energy, rel=1e-12)
    assert np.allclose(total(world, virial.sum(axis=0)) / s.volume, result.stress, rtol=1e-10, atol=1e-12)


@pytest.mark.few_ranks
@pytest.mark.parametrize("name", ["ipl12-2d", "ipl10-2d", "lj-binary-2d", "lj-poly-2d"])
@pytest.mark.parametrize("method", ["fire", "cg"])
def test_elastic_branch(world, name, method):
    """Stress along the branch up to just before its end, each state reached from the one before."""
    with h5py.File(DATA / f"{name}.h5") as file:
        branch = file["reference/aqs"]
        strain, stress, energy = branch["strain"][:], branch["stress_xy"][:], branch["energy"][:]
        end = branch.attrs["last_stable_strain"]
    usable = np.flatnonzero(strain < end - 0.05 * (end - strain[0]))
    chosen = np.unique(usable[np.linspace(0, usable.size - 1, 7 if world.size == 1 else 2).astype(int)])
    s = glass(world, name)
    at = 0.0
    for k in chosen:
        s.deform(deformation(simple_shear(2, "xy"), strain[k] - at))
        at = strain[k]
        report = minimise(s, method, 1e-12 if name != "ipl10-2d" else 1e-11, max_evaluations=200_000)
        assert report.converged, report
        result = evaluate(s)
        assert result.stress[0, 1] == pytest.approx(stress[k], abs=1e-8)
        assert result.energy == pytest.approx(energy[k], abs=1e-8)

"""Modes against the reference spectra, on any number of ranks; saddles, loose particles, and what is refused."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from glasses import DATA, NAMES, glass, liquid_arrays, system, whole
from test_solve import dense, floating

from hpcglass.errors import InputError, PhysicsError
from hpcglass.landscape.hessian import Hessian
from hpcglass.landscape.modes import lowest_modes, spectrum


def reference(name):
    """The group `reference` of a glass, as arrays."""
    with h5py.File(DATA / f"{name}.h5") as file:
        keys = ("hessian_lowest", "hessian_highest", "mode_participation", "vibrality")
        return {key: file["reference"][key][()] for key in keys}


def separate(values):
    """Modes that no neighbour is so close to that the two could mix; the last one's neighbour is not known."""
    gap = np.diff(values) / values[1:]
    return np.append(gap, 0.0) > 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_lowest_modes(world, name):
    s, expected = glass(world, name), reference(name)
    modes = lowest_modes(Hessian(s), 40)
    assert modes.frequency2 == pytest.approx(expected["hessian_lowest"], rel=1e-9)
    assert modes.residuals.max() < 1e-8
    clear = separate(modes.frequency2) & np.append(True, separate(modes.frequency2)[:-1])
    assert clear.sum() > 20
    assert modes.participation[clear] == pytest.approx(expected["mode_participation"][clear], rel=1e-6)
    flat = whole(s, modes.vectors).reshape(-1, 40)
    assert np.abs(flat.T @ flat - np.eye(40)).max() < 1e-9
    assert np.abs(flat.reshape(-1, s.dimension, 40).sum(axis=0)).max() < 1e-10
    assert (flat.max(axis=0) >= -flat.min(axis=0)).all()


@pytest.mark.parametrize("name", ["ipl10-2d", "ipl12-2d", "lj-binary-2d"])
def test_full_spectrum(world, name):
    s, expected = glass(world, name), reference(name)
    modes = spectrum(Hessian(s))
    assert len(modes.frequency2) == (s.n_total - 1) * s.dimension
    assert modes.frequency2[:40] == pytest.approx(expected["hessian_lowest"], rel=1e-9)
    assert modes.frequency2[-1] == pytest.approx(expected["hessian_highest"], rel=1e-12)
    vibrality = whole(s, ((modes.vectors**2).sum(axis=1) / modes.frequency2).sum(axis=1))
    assert vibrality == pytest.approx(expected["vibrality"], rel=1e-8)


def test_ranks_do_not_matter(world, alone):
    many, one = glass(world, "ipl12-2d"), glass(alone, "ipl12-2d")
    a, b = lowest_modes(Hessian(many), 10), lowest_modes(Hessian(one), 10)
    assert a.frequency2 == pytest.approx(b.frequency2, rel=1e-11)
    assert np.abs(whole(many, a.vectors) - whole(one, b.vectors)).max() < 1e-7
    c = spectrum(Hessian(many))
    assert np.abs(whole(many, c.vectors)[..., :10] - whole(one, b.vectors)).max() < 1e-7


def test_lowest_modes_of_a_saddle(world, alone):
    plain = liquid_arrays("ipl12", 100, 2)
    expected = np.linalg.eigvalsh(dense(Hessian(system(alone, *plain))))
    expected = expected[np.abs(expected) > 1e-9 * expected[-1]]
    modes = lowest_modes(Hessian(system(world, *plain)), 6, tolerance=1e-6)
    assert modes.frequency2[0] < 0
    assert modes.frequency2 == pytest.approx(expected[:6], rel=1e-9)


def test_loose_particles_have_no_modes(world):
    """A tiny sphere in a hole changes nothing."""
    s, expected = floating(world), reference("harmonic-3d")
    hessian = Hessian(s)
    assert hessian.n_loose == 1
    for modes in (lowest_modes(hessian, 40), spectrum(hessian)):
        assert modes.frequency2[:40] == pytest.approx(expected["hessian_lowest"], rel=1e-9)
        assert modes.frequency2[-1] < 1.001 * expected["hessian_highest"]
        assert np.abs(whole(s, modes.vectors)[400]).max() < 1e-12


def test_what_is_refused(world):
    hessian = Hessian(glass(world, "ipl12-2d"))
    with pytest.raises(InputError, match="ask for 1 to 399"):
        lowest_modes(hessian, 400)
    with pytest.raises(InputError, match="0 lowest modes"):
        lowest_modes(hessian, 0)
    with pytest.raises(PhysicsError, match="only 0 of 3 modes converged to 1e-30"):
        lowest_modes(hessian, 3, tolerance=1e-30)
    with pytest.raises(PhysicsError, match=r"residual .* > "):
        spectrum(hessian, tolerance=1e-30)
    spread = liquid_arrays("harmonic", 9, 2)
    with pytest.raises(PhysicsError, match="no two particles interact"):
        spectrum(Hessian(system(world, spread[0], 5 * spread[1], 5 * spread[2], *spread[3:])))

"""The distributed Hessian: finite differences, reference spectra, null space, refill, small cells."""

from __future__ import annotations

import os
import resource

import h5py
import numpy as np
import pytest
from glasses import DATA, NAMES, glass, liquid, liquid_arrays, system, whole

from hpcglass.core.comm import largest, total
from hpcglass.geometries.periodic import deformation, simple_shear
from hpcglass.landscape.forces import forces
from hpcglass.landscape.matrix.hessian import Hessian


def probe(s):
    """A fixed direction, the same on any number of ranks."""
    return np.sin(1.0 + s.id[: s.n_owned, None] * np.arange(1.0, s.dimension + 1))


def times(hessian, rows):
    """(n_owned, d) H v."""
    x, y = hessian.vector(rows), hessian.vector()
    hessian.matrix.mult(x, y)
    return hessian.rows(y)


@pytest.mark.parametrize("name", NAMES)
def test_against_force_differences(world, name):
    s = glass(world, name)
    product = whole(s, times(Hessian(s), probe(s)))
    h, side = 1e-5, []
    for sign in (1, -1):
        t = glass(world, name)
        t.move(probe(t), sign * h)
        t.update()
        side.append(whole(t, forces(t)))
    numeric = -(side[0] - side[1]) / (2 * h)
    assert np.abs(product - numeric).max() < 2e-7 * np.abs(numeric).max()


@pytest.mark.parametrize("name", NAMES)
def test_translations_cost_nothing(world, name):
    hessian = Hessian(glass(world, name))
    for vector in hessian.translations:
        image = hessian.vector()
        hessian.matrix.mult(vector, image)
        assert image.norm() < 1e-11
    assert hessian.n_loose == 0


@pytest.mark.parametrize("name", NAMES)
def test_reference_spectrum(alone, name):
    s = glass(alone, name)
    pointer, index, values = Hessian(s).matrix.getValuesCSR()
    dense = np.zeros((s.n_total * s.dimension,) * 2)
    for row in range(len(dense)):
        dense[row, index[pointer[row]:pointer[row + 1]]] = values[pointer[row]:pointer[row + 1]]
    assert np.abs(dense - dense.T).max() < 1e-11
    spectrum = np.linalg.eigvalsh(dense)
    with h5py.File(DATA / f"{name}.h5") as file:
        reference = file["reference"]
        zero = int(reference["hessian_zero_modes"][()])
        assert np.abs(spectrum[:zero]).max() < 1e-10
        assert spectrum[zero:zero + 40] == pytest.approx(reference["hessian_lowest"][:], rel=1e-9)
        assert spectrum[-1] == pytest.approx(reference["hessian_highest"][()], rel=1e-12)


def test_refill_follows_the_configuration(world):
    s = glass(world, "ipl12-2d")
    hessian = Hessian(s)
    s.deform(deformation(simple_shear(2, "xy"), 0.01))
    s.move(probe(s), 0.01)
    assert not s.update()
    hessian.refill()
    fresh = Hessian(s)
    assert np.abs(times(hessian, probe(s)) - times(fresh, probe(s))).max(initial=0.0) < 1e-12
    s.rebuild()
    with pytest.raises(RuntimeError, match="epoch"):
        hessian.refill()


@pytest.mark.parametrize("name,particles,dimension", [("ipl12", 5, 2), ("lj-binary", 4, 2), ("ipl10", 3, 3)])
def test_cells_smaller_than_the_range(world, name, particles, dimension):
    """Pairs that meet through several images, a particle with its own image among them."""
    plain = liquid_arrays(name, particles, dimension)
    s = system(world, *plain)
    product = whole(s, times(Hessian(s), probe(s)))
    h, side = 1e-6, []
    for sign in (1, -1):
        t = system(world, *plain)
        t.move(probe(t), sign * h)
        t.update()
        side.append(whole(t, forces(t)))
    numeric = -(side[0] - side[1]) / (2 * h)
    assert np.abs(product - numeric).max() < 1e-6 * max(np.abs(numeric).max(), 1.0)


def test_rattlers_are_found(world):
    """Discs far apart do not interact: all are loose, and H is the identity."""
    model, box, position, diameter, species = liquid_arrays("harmonic", 9, 2)
    s = system(world, model, 5 * box, 5 * position, diameter, species)
    hessian = Hessian(s)
    assert hessian.n_loose == 9
    assert total(world, float(np.abs(times(hessian, probe(s)) - probe(s)).sum())) == 0.0


@pytest.mark.few_ranks
def test_matrices_that_are_dropped_are_freed(world):
    """petsc4py sets aside what Python drops: without `free_dropped` thirty matrices of some 2 MB per rank stay."""
    s = liquid(world, "ipl12", 6000 * world.size, 2)

    def resident() -> float:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 2**20

    if not os.path.exists("/proc/self/statm"):
        pytest.skip("no /proc here")
    for _ in range(3):
        Hessian(s)
    before = resident()
    for _ in range(30):
        Hessian(s)
    assert largest(world, resident() - before) < 30.0

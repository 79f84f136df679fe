"""Crystals, whose vibrations, moduli and bond spectra are known in closed form."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from glasses import monodisperse, system

from hpcglass.core import comm as ranks
from hpcglass.geometries.periodic import simple_shear
from hpcglass.landscape.expansion import bond_expansion, elastic_moduli, strain_expansion
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.landscape.modes import lowest_modes, spectrum


def triangular(comm, model, spacing, columns=6, rows=6):
    """columns x rows sites (rows even) of a triangular lattice in a straight cell."""
    box = spacing * np.diag([columns, rows * np.sqrt(0.75)])
    sites = np.array([(a + 0.5 * (b % 2), b * np.sqrt(0.75)) for b in range(rows) for a in range(columns)])
    position = spacing * (sites + 0.1)
    return system(comm, model, box, position, np.ones(len(sites)), np.zeros(len(sites), np.int32))


def wave_vectors(spacing, columns=6, rows=6):
    """Those of the cell that are different in the lattice."""
    low, up = np.array([1.0, 0.0]), np.array([0.5, np.sqrt(0.75)])
    found = {}
    for a, b in product(range(columns), range(-rows, rows)):
        q = 2 * np.pi / spacing * np.array([a / columns, b / (rows * np.sqrt(0.75))])
        phase = spacing * np.array([q @ low, q @ up]) / (2 * np.pi)
        found.setdefault(tuple(np.round(phase % 1.0, 9) % 1.0), q)
    return [q for key, q in sorted(found.items()) if key != (0.0, 0.0)]


def neighbours(spacing, reach):
    """Vectors to all sites within reach."""
    basis = spacing * np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]])
    all_ = np.array([np.array(n) @ basis for n in product(range(-9, 10), repeat=2) if n != (0, 0)])
    return all_[np.linalg.norm(all_, axis=1) < reach]


def derivatives(model, r):
    """(phi', phi'') of two particles of diameter 1 at a distance."""
    return model.potential.derivative(r, 1), model.potential.derivative(r, 2)


def blocks(model, spacing, q):
    """2 x 2 matrices of H and S^T S at a wave vector: sum over neighbours of (..) (1 - cos q x)."""
    hessian, bond = np.zeros((2, 2)), np.zeros((2, 2))
    for x in neighbours(spacing, model.potential.cutoff):
        r = np.linalg.norm(x)
        first, second = derivatives(model, r)
        along = np.outer(x, x) / r**2
        weight = 1.0 - np.cos(q @ x)
        hessian += weight * (second * along + first / r * (np.eye(2) - along))
        bond += weight * along
    return hessian, bond


@pytest.mark.parametrize("name,spacing", [("harmonic", 0.999999), ("harmonic", 0.9), ("lj", 1.1), ("ipl12", 1.0)])
def test_vibrations_of_the_triangular_lattice(world, name, spacing):
    model = monodisperse(name) if name != "harmonic" else one_sphere()
    expected = np.sort(np.concatenate([np.linalg.eigvalsh(blocks(model, spacing, q)[0]) for q in wave_vectors(spacing)]))
    modes = spectrum(Hessian(triangular(world, model, spacing)))
    assert modes.frequency2 == pytest.approx(expected, rel=1e-9, abs=1e-10)


def one_sphere():
    """Harmonic discs of one size, 1."""
    from dataclasses import replace

    from hpcglass.potentials.library import MODELS
    from hpcglass.potentials.model import Mixing, Sizes

    return replace(MODELS["harmonic"], mixing=Mixing(length=((1.0,),), energy=((1.0,),)),
                   sizes=Sizes("species", fractions=(1.0,), diameters=(1.0,)))


def test_moduli_of_the_triangular_lattice(world):
    """Springs of stiffness k = 1 at rest: mu = sqrt(3)/4, K = sqrt(3)/2, isotropic and without nonaffine motion."""
    s = triangular(world, one_sphere(), 1.0 - 1e-9)
    moduli = elastic_moduli(s)
    assert moduli.shear(0, 1) == pytest.approx(np.sqrt(3) / 4, rel=1e-7)
    assert moduli.bulk == pytest.approx(np.sqrt(3) / 2, rel=1e-7)
    assert moduli.shear_extremes == pytest.approx((np.sqrt(3) / 4,) * 2, rel=1e-7)
    assert moduli.tensor == pytest.approx(moduli.born, abs=1e-9)
    expansion = strain_expansion(s, simple_shear(2, "xy"), 1)
    assert np.abs(expansion.fields[0]).max(initial=0.0) < 1e-7


@pytest.mark.parametrize("spacing", [1.0 - 1e-9, 0.9])
def test_bond_matrix_of_the_triangular_lattice(world, spacing):
    """Springs at rest: H = k S^T S, so that S H^+ S^T projects; compressed ones: block by block in q."""
    from hpcglass.landscape.bonds import bond_spectrum

    model = one_sphere()
    s = triangular(world, model, spacing)
    expected = []
    for q in wave_vectors(spacing):
        hessian, bond = blocks(model, spacing, q)
        expected += list(np.linalg.eigvals(np.linalg.solve(hessian, bond)).real)
    modes = bond_spectrum(Hessian(s))
    found = np.sort(modes.eigenvalue)
    assert found == pytest.approx(np.sort(expected), rel=1e-8)
    if spacing > 0.95:
        assert found == pytest.approx(np.ones(2 * 35), rel=1e-6)
    bonds = len(bond_expansion(s, strain_expansion(s, np.eye(2), 1)).ids)
    assert ranks.total(s.comm, bonds) == 3 * 36


def test_vibrations_of_a_chain(world):
    """Longitudinal and transverse waves of a chain under tension: 2 sum_n [phi''(na) or phi'(na)/(na)] (1 - cos q n a)."""
    model, count, spacing = monodisperse("lj"), 24, 1.15
    box = np.diag([count * spacing, 12.0])
    position = np.column_stack([spacing * (np.arange(count) + 0.3), np.full(count, 5.0)])
    s = system(world, model, box, position, np.ones(count), np.zeros(count, np.int32))
    expected = []
    for k in range(1, count):
        q = 2 * np.pi * k / (count * spacing)
        along = across = 0.0
        for n in range(1, int(model.potential.cutoff / spacing) + 1):
            first, second = derivatives(model, n * spacing)
            weight = 2 * (1 - np.cos(q * n * spacing))
            along, across = along + weight * second, across + weight * first / (n * spacing)
        expected += [along, across]
    expected = np.sort(expected)
    assert expected[0] > 0      # the tension holds it straight
    modes = lowest_modes(Hessian(s), 20)
    assert modes.frequency2 == pytest.approx(expected[:20], rel=1e-9)

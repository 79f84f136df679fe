"""Rattlers: found one after the other, left out of the Hessian and of the response; nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from glasses import NAMES, arrays, glass, liquid, liquid_arrays, system, whole
from test_solve import dense, floating

from hpcglass.core import comm as ranks
from hpcglass.errors import PhysicsError
from hpcglass.geometries.periodic import simple_shear
from hpcglass.landscape.expansion import bond_expansion, elastic_moduli, strain_expansion
from hpcglass.landscape.forces import evaluate, forces
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.landscape.modes import lowest_modes, spectrum
from hpcglass.landscape.rattlers import bonded, rattlers
from hpcglass.potentials.library import MODELS

SMALL, OVERLAP = 0.01, 1e-11     # overlaps that carry no force to speak of, but are full springs


def hole():
    """(largest hole of the harmonic packing, its distance to the nearest sphere, that sphere, the way from there to the hole)."""
    _, box, position, diameter, _ = arrays("harmonic-3d")
    tries = np.random.default_rng(5).random((3000, 3))
    apart = tries[:, None] - position @ np.linalg.inv(box).T
    apart = (apart - np.rint(apart)) @ box.T
    gap = np.linalg.norm(apart, axis=-1) - diameter / 2
    best = gap.min(axis=1).argmax()
    wall = gap[best].argmin()
    return tries[best] @ box.T, gap[best, wall], wall, apart[best, wall]


def with_spheres(comm, centres):
    """The harmonic packing and tiny spheres, numbers 400, 401, ..."""
    model, box, position, diameter, species = arrays("harmonic-3d")
    count = len(centres)
    return system(comm, model, box, np.vstack([position, centres]), np.append(diameter, np.full(count, SMALL)),
                  np.append(species, np.zeros(count)).astype(np.int32))


def dangling(comm):
    """Three tiny spheres, each barely touching the one before, the first one touching a sphere of the packing."""
    centre, _, wall, outward = hole()
    diameter = arrays("harmonic-3d")[3]
    first = diameter[wall] / 2 + SMALL / 2 - OVERLAP
    along = outward / np.linalg.norm(outward)
    return with_spheres(comm, [centre - outward + along * (first + k * (SMALL - OVERLAP)) for k in range(3)])


def star(comm):
    """A tiny sphere with four others around it, floating in a hole: four contacts until the others are taken out."""
    centre, gap, _, _ = hole()
    assert gap > 2 * SMALL
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
    return with_spheres(comm, np.vstack([centre, centre + (SMALL - OVERLAP) * corners]))


@pytest.mark.parametrize("name", NAMES)
def test_glasses_have_none_but_packings(world, name):
    s = glass(world, name)
    count = int(ranks.total(s.comm, int(rattlers(s).sum())))
    assert count == Hessian(s).n_loose
    assert evaluate(bonded(s)).energy == pytest.approx(evaluate(s).energy, rel=1e-14)
    if name != "harmonic-3d":
        assert count == 0


@pytest.mark.parametrize("extra", [dangling, star])
def test_found_one_after_the_other(world, alone, extra):
    s, plain = extra(world), glass(alone, "harmonic-3d")
    base = rattlers(plain)
    found = whole(s, rattlers(s).astype(np.int64)).astype(bool)
    assert found[400:].all()
    assert (found[:400] == whole(plain, base.astype(np.int64)).astype(bool)).all()
    hessian = Hessian(s)
    assert hessian.n_loose == found.sum()
    modes, expected = lowest_modes(hessian, 10), lowest_modes(Hessian(plain), 10)
    assert modes.frequency2 == pytest.approx(expected.frequency2, rel=1e-6)


def test_response_does_not_see_them(world, alone):
    s, plain = dangling(world), glass(alone, "harmonic-3d")
    a, b = strain_expansion(s, simple_shear(3, "xy"), 3), strain_expansion(plain, simple_shear(3, "xy"), 3)
    for field, expected in zip(a.fields, b.fields, strict=True):
        ours, theirs = whole(s, field), whole(plain, expected)
        assert np.abs(ours[:400] - theirs).max() < 1e-6 * np.abs(theirs).max()
        assert np.abs(ours[400:]).max() == 0.0
    assert a.energy == pytest.approx(b.energy, rel=1e-6)
    assert elastic_moduli(s).tensor == pytest.approx(elastic_moduli(plain).tensor, abs=1e-7)
    bonds = ranks.total(s.comm, len(bond_expansion(s, a).ids))
    assert bonds == len(bond_expansion(plain, b).ids)
    assert evaluate(s).pairs == bonds + 3       # the links of the chain touch


def test_who_carries_force_is_kept(world):
    """In a liquid a particle with one contact is pushed: no rattler."""
    s = liquid(world, "harmonic", 200, 2)
    contacts = evaluate(s).pairs
    assert contacts
    found = rattlers(s)
    view = bonded(s)
    assert evaluate(view).pairs == contacts
    assert evaluate(view).energy == pytest.approx(evaluate(s).energy, rel=1e-14)
    assert ranks.total(s.comm, view.pairs.size) < ranks.total(s.comm, s.pairs.size)
    assert ranks.total(s.comm, int(found.sum())) == Hessian(s).n_loose


def gas(name, closest, seed=3):
    """Arrays of a thin gas of 60 particles, most with two contacts or fewer, and one pair that overlaps strongly."""
    model, box, position, diameter, species = liquid_arrays(name, 60, 2, seed=seed)
    box, position = 1.35 * box, 1.35 * position
    position[1] = position[0] + closest * np.array([0.8, 0.6])
    return model, box, position, diameter, species


@pytest.mark.parametrize("name,closest", [("ipl12", 0.25), ("lj-binary", 0.3), ("harmonic", 0.05)])
def test_away_from_a_minimum_the_hessian_is_the_derivative_of_the_forces(world, name, closest):
    """Also for particles that push with a millionth of the root-mean-square force: no row is missing."""
    plain = gas(name, closest)
    s = system(world, *plain)
    hessian = Hessian(s)
    touched = whole(s, (np.abs(forces(s)) > 0.0).any(axis=1).astype(np.int64)).astype(bool)
    loose = whole(s, hessian.loose.astype(np.int64)).astype(bool)
    assert not loose[touched].any()
    h, sides, way = 1e-7, [], np.where(touched[:, None], np.sin(1.0 + np.arange(60)[:, None] * np.arange(1.0, 3.0)), 0.0)
    for sign in (1, -1):
        t = system(world, *plain[:2], plain[2] + sign * h * way, *plain[3:])
        sides.append(whole(t, forces(t)))
    x, y = hessian.vector(way[s.id[: s.n_owned]]), hessian.vector()
    hessian.matrix.mult(x, y)
    product, numeric = whole(s, hessian.rows(y)), -(sides[0] - sides[1]) / (2 * h)
    size = np.linalg.norm(numeric, axis=1)
    # row by row, as the pair that overlaps is a million times stiffer than the others
    assert (np.linalg.norm(product - numeric, axis=1) <= 1e-4 * size + 1e-7 * np.median(size[touched])).all()


def pair_apart(comm, name, distance):
    """Two particles of species 0 in a large cell."""
    model = MODELS[name]
    position = np.array([[3.0, 3.0], [3.0 + distance, 3.0]])
    return system(comm, model, 12.0 * np.eye(2), position, np.full(2, model.sizes.diameters[0]), np.zeros(2, np.int32))


def test_a_pair_at_the_bottom_of_its_well_is_bound(world):
    """It carries no force, and has one vibration, of frequency (2 phi'')^(1/2)."""
    model = MODELS["lj-binary"]
    length, bottom = model.mixing.length[0][0], 2 ** (1 / 6)
    s = pair_apart(world, "lj-binary", bottom * length)
    assert np.abs(whole(s, forces(s))).max() < 1e-13
    hessian = Hessian(s)
    assert hessian.n_loose == 0
    curvature = model.mixing.energy[0][0] * model.potential.derivative(bottom, 2) / length**2
    assert spectrum(hessian).frequency2 == pytest.approx([0.0, 2 * curvature], rel=1e-10, abs=1e-10)


def test_contacts_that_a_quench_leaves_behind_hold_nothing(world):
    """Discs that touch by 1e-12 and nothing else: the scale of forces is not that of these contacts."""
    s = pair_apart(world, "harmonic", 1.0 - 1e-12)
    assert evaluate(s).pairs == 1
    assert Hessian(s).n_loose == 2


def test_bond_matrix(world, alone):
    """S^T S from its definition, and with empty rows for who is loose."""
    for name in ("ipl10-2d", "harmonic-3d"):
        one = glass(alone, name)
        hessian = Hessian(one)
        values = dense_of(hessian, hessian.bond_matrix())
        assert np.linalg.norm(values.sum(axis=1)) < 1e-10 * np.linalg.norm(values)
        vector = np.sin(np.arange(values.shape[0])).reshape(-1, one.dimension)
        bonds = bond_expansion(one, strain_expansion(one, np.zeros((one.dimension,) * 2) + np.eye(one.dimension), 1))
        position = one.reference + one.displacement
        apart = position[bonds.rows[:, 1]] - position[bonds.rows[:, 0]]
        unit = apart / np.linalg.norm(apart, axis=1)[:, None]
        all_rows = vector[ghosts_to_owners(one)]
        stretch = ((all_rows[bonds.rows[:, 1]] - all_rows[bonds.rows[:, 0]]) * unit).sum(axis=1)
        assert vector.ravel() @ values @ vector.ravel() == pytest.approx((stretch**2).sum(), rel=1e-12)
        many = glass(world, name)
        other = Hessian(many)
        x, y = other.vector(vector_of(many)), other.vector()
        other.bond_matrix().mult(x, y)
        expected = (values @ vector_of(one).ravel()).reshape(-1, one.dimension)
        assert whole(many, other.rows(y)) == pytest.approx(whole(one, expected), abs=1e-12 * np.abs(expected).max())


def vector_of(s):
    return np.sin(1.0 + s.id[: s.n_owned, None] * np.arange(1.0, s.dimension + 1))


def ghosts_to_owners(s):
    """Row of the owner of each row, on one rank."""
    rows = np.arange(s.n_all)
    rows[s.n_owned:] = 0
    s.forward(rows)
    return rows


def dense_of(hessian, matrix):
    saved, hessian.matrix = hessian.matrix, matrix
    try:
        return dense(hessian)
    finally:
        hessian.matrix = saved


def test_rebuilt_systems_are_refused(world):
    s = glass(world, "ipl10-2d")
    hessian = Hessian(s)
    s.rebuild()
    with pytest.raises(RuntimeError, match="renumbered"):
        hessian.bond_matrix()


def test_nothing_but_rattlers(world):
    s = floating(world)
    assert rattlers(s).sum() == Hessian(s).loose.sum()
    model, box, position, diameter, species = arrays("harmonic-3d")
    apart = system(world, model, 4 * box, 4 * position, diameter, species)
    assert rattlers(apart).all()
    with pytest.raises(PhysicsError, match="no two particles interact"):
        lowest_modes(Hessian(apart), 1)

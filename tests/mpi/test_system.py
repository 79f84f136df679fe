"""The distributed system: pair sets, halo, migration, state, for every rank count the test is run with."""

from __future__ import annotations

import numpy as np
import pytest
from glasses import all_pairs, arrays, glass, liquid, liquid_arrays, system, whole

from hpcglass.core import comm as ranks
from hpcglass.core import system as systems
from hpcglass.core.decomposition import best_grid
from hpcglass.core.system import System
from hpcglass.errors import InputError, PhysicsError
from hpcglass.geometries.periodic import deformation, pure_shear, reduce_tilt, simple_shear
from hpcglass.landscape.forces import evaluate, forces


def listed_pairs(s: System):
    """Sorted (i, j, distance) of interacting pairs found by the lists of all ranks."""
    owner = np.repeat(np.arange(s.n_owned), np.diff(s.pairs.start))
    index = s.pairs.index.astype(int)
    vector = (s.reference[index] - s.reference[owner]) + (s.displacement[index] - s.displacement[owner])
    distance = np.linalg.norm(vector, axis=1)
    near = distance**2 * s.pairs.inverse_length2 < s.model.potential.cutoff**2
    i, j, r = s.id[owner[near]], s.id[index[near]], np.round(distance[near], 7)
    inner = index[near] < s.n_owned
    rows = []
    for a, b, distance_, both in zip(i, j, r, inner, strict=True):
        if a == b:
            rows.append((a, b, distance_))
        elif both:
            rows.append((min(a, b), max(a, b), distance_))
        elif a < b:                      # the other owner lists it too, as (b, a)
            rows.append((a, b, distance_))
    send = np.array(rows, dtype=np.float64).reshape(-1, 3)
    everything = ranks.send_rows(s.comm, np.zeros(len(send), dtype=int), send)[0]
    return sorted((int(a), int(b), float(c)) for a, b, c in everything)


TILTS = {2: [(), (0.3,), (-0.5,), (1.7,)], 3: [(), (0.4, -0.3, 0.2), (0.0, 1.3, 0.0)]}


@pytest.mark.parametrize("name,particles,dimension", [("ipl12", 150, 2), ("lj-binary", 90, 2), ("ipl10", 120, 3),
                                                      ("harmonic", 60, 3), ("ipl12", 9, 2), ("lj-binary", 4, 2), ("ipl10", 5, 3)])
def test_pair_sets_equal_brute_force(world, name, particles, dimension):
    """Also in cells smaller than the interaction range, where pairs meet through several images."""
    for tilt in TILTS[dimension]:
        plain = liquid_arrays(name, particles, dimension, tilt)
        s = system(world, *plain)
        found = listed_pairs(s)
        if world.rank == 0:
            expected = [(int(a), int(b), float(c)) for a, b, c in all_pairs(*plain)]
            assert len(found) == len(expected)
            assert np.allclose(np.array(found), np.array(expected), atol=2e-7)


def test_list_still_holds_after_motion_within_the_skin(world):
    """No pair is missed while `update` says the list is good, under motion and affine steps together."""
    plain = liquid_arrays("ipl12", 200, 2)
    s = system(world, *plain)
    rng = np.random.default_rng(3)
    kept = rebuilt = 0
    for _ in range(12):
        kick = rng.normal(0, 0.03, (200, 2))
        s.move(kick[s.id[: s.n_owned]])
        s.deform(deformation(simple_shear(2, "xy"), 0.02))
        if s.update():
            rebuilt += 1
        else:
            kept += 1
        position, diameter, species = whole(s, s.unwrapped()), whole(s, s.diameter[: s.n_owned]), whole(s, s.species[: s.n_owned])
        found = listed_pairs(s)
        if world.rank == 0:
            expected = all_pairs(s.model, s.box, position, diameter, species)
            assert len(found) == len(expected)
    assert kept and rebuilt


def test_every_rank_grid_gives_one_rank_forces(world, alone):
    for name in ("ipl12-2d", "ipl10-3d", "lj-binary-2d"):
        many, one = glass(world, name), glass(alone, name)
        for s in (many, one):
            s.deform(deformation(pure_shear(s.dimension, "xy"), 0.05))
            s.update()
        a, b = evaluate(many), evaluate(one)
        difference = np.abs(whole(many, a.forces) - whole(one, b.forces)).max()
        assert difference <= 1e-13 * np.abs(whole(one, b.forces)).max() * 10
        assert a.energy == pytest.approx(b.energy, rel=1e-13)
        assert np.allclose(a.stress, b.stress, rtol=1e-12, atol=1e-13)


def test_fewer_particles_than_ranks(world, alone):
    for particles in (1, 2, 3):
        plain = liquid_arrays("ipl12", particles, 2)
        a, b = evaluate(system(world, *plain)), evaluate(system(alone, *plain))
        assert a.energy == pytest.approx(b.energy, rel=1e-13, abs=1e-13)
        assert a.pairs == b.pairs


def test_no_particles_is_refused(world):
    model, box, *_ = liquid_arrays("ipl12", 4, 2)
    empty = {"id": np.empty(0, int), "position": np.empty((0, 2)), "diameter": np.empty(0), "species": np.empty(0, np.int32)}
    with pytest.raises(InputError, match="at least one"):
        System(world, model, box, empty)


def test_forward_and_reverse_are_adjoint(world):
    """sum_ghosts g.forward(x) = sum_owned reverse(g).x"""
    s = liquid(world, "ipl10", 150, 3)
    rng = np.random.default_rng(s.comm.rank)
    x, g = np.zeros((s.n_all, 3)), np.zeros((s.n_all, 3))
    x[: s.n_owned] = rng.normal(size=(s.n_owned, 3))
    g[s.n_owned:] = rng.normal(size=(s.n_ghosts, 3))
    s.forward(x)
    left = ranks.total(world, np.vdot(x[s.n_owned:], g[s.n_owned:]))
    s.reverse_add(g)
    right = ranks.total(world, np.vdot(x[: s.n_owned], g[: s.n_owned]))
    assert left == pytest.approx(right, rel=1e-12)
    assert s.n_ghosts > 0


def test_ghosts_are_images_of_their_owners(world):
    s = liquid(world, "ipl12", 100, 2, tilt=(0.4,))
    s.deform(deformation(simple_shear(2, "xy"), 0.01))
    s.update()
    position = np.zeros((s.n_all, 2))
    position[: s.n_owned] = s.position
    s.forward(position)
    ghost = s.reference[s.n_owned:] + s.displacement[s.n_owned:]
    periods = (ghost - position[s.n_owned:]) @ np.linalg.inv(s.box).T
    assert np.allclose(periods, np.rint(periods), atol=1e-12)
    assert np.allclose(np.rint(periods), s.halo.periods)


def test_tilt_by_a_period_changes_nothing(world):
    s = glass(world, "ipl12-2d")
    before = evaluate(s)
    box = s.box @ np.array([[1, 3], [0, 1]])           # the same lattice of images
    model, _, *rest = arrays("ipl12-2d")
    after = evaluate(system(world, model, box, *rest))
    assert after.energy == pytest.approx(before.energy, rel=1e-13)
    assert np.allclose(after.stress, before.stress, atol=1e-12)
    assert (np.abs(reduce_tilt(box)) > 1).any()


def test_shear_by_many_periods_keeps_unwrapped_paths(world):
    """Re-mapping of the cell is invisible: affine shear to a strain of 3.2 moves every particle affinely."""
    s = glass(world, "ipl12-2d")
    s.fields["start"] = s.unwrapped()
    step = deformation(simple_shear(2, "xy"), 0.16)
    for _ in range(20):
        s.deform(step)
        s.update()
    s.rebuild()
    expected = s.fields["start"] @ deformation(simple_shear(2, "xy"), 3.2).T
    assert np.abs(s.unwrapped() - expected).max(initial=0.0) < 1e-11
    assert abs(s.box[0, 1]) <= 0.51 * s.box[0, 0]


def test_permuted_ids_permute_the_answer(world):
    model, box, position, diameter, species = arrays("ipl10-2d")
    order = np.random.default_rng(5).permutation(len(position))
    s = system(world, model, box, position + 0.01 * np.sin(position), diameter, species)
    t = system(world, model, box, (position + 0.01 * np.sin(position))[order], diameter[order], species[order])
    f, g = whole(s, forces(s)), whole(t, forces(t))
    assert np.abs(g - f[order]).max() < 1e-11 * np.abs(f).max()


def test_state_comes_back_to_the_bit(world):
    s = glass(world, "ipl12-2d")
    rng = np.random.default_rng(0)
    for _ in range(4):
        s.move(rng.normal(0, 0.05, (s.n_total, 2))[s.id[: s.n_owned]])
        s.deform(deformation(simple_shear(2, "xy"), 0.013))
        s.fields["mark"] = s.id[: s.n_owned].astype(float)
        s.update()
        t = System.from_state(world, s.model, *s.state())
        assert (t.id == s.id).all() and (t.pairs.index == s.pairs.index).all()
        assert (t.displacement == s.displacement).all() and (t.reference == s.reference).all()
        assert (forces(t) == forces(s)).all()
        assert (t.fields["mark"] == t.id[: t.n_owned]).all()


def test_configuration_is_exact(world):
    """position + position_low say where the particles are to the last bit: a renewed system has the same forces to 1e-14."""
    s = glass(world, "ipl12-2d")
    s.move(0.011 * np.sin(1.0 + s.id[: s.n_owned, None] * np.array([1.0, 2.0])))
    s.update()
    t = s.renewed()
    assert np.abs(whole(s, forces(s)) - whole(t, forces(t))).max() < 2e-14 * np.abs(whole(s, forces(s))).max()
    again = t.renewed()
    assert (again.reference == t.reference).all() and (again.displacement == t.displacement).all()


def test_reorder_finds_every_row(world):
    s = liquid(world, "ipl12", 57, 2)
    first, last = ranks.block(57, world.size, world.rank)
    ids = np.arange(57)[::-1][first:last].copy()
    rows = np.stack([ids * 1.0, ids**2.0], axis=1)
    back = s.reorder(ids, rows)
    assert (back[:, 0] == s.id[: s.n_owned]).all() and (back[:, 1] == s.id[: s.n_owned] ** 2.0).all()


def test_shifted_origin_changes_owners_not_forces(world, alone):
    s = glass(world, "ipl12-2d")
    reference = whole(s, forces(s))
    s.origin = np.array([0.37, 0.81])
    s.rebuild()
    assert np.abs(whole(s, forces(s)) - reference).max() < 1e-11


def test_nan_names_the_particle(world):
    s = glass(world, "ipl12-2d")
    bad = np.zeros((s.n_owned, 2))
    bad[s.id[: s.n_owned] == 123] = np.nan
    s.move(bad)
    with pytest.raises(PhysicsError, match="particle 123"):
        s.update()


@pytest.mark.parametrize("box,size,grid", [(np.diag([10.0, 10.0]), 4, (2, 2)), (np.diag([40.0, 10.0]), 4, (4, 1)),
                                           (np.diag([10.0, 10.0, 30.0]), 3, (1, 1, 3)), (np.diag([8.0, 8.0, 8.0]), 8, (2, 2, 2)),
                                           (np.diag([10.0, 90.0]), 7, (1, 7))])
def test_rank_grid_follows_the_shape(box, size, grid):
    assert best_grid(box, size) == grid


def test_a_bound_of_the_motion_spares_the_look_at_all_particles(world, monkeypatch):
    """It is taken when the bounds add up to the slack, and finds how far it really was; without a bound always."""
    s, looks = glass(world, "ipl12-2d"), []
    real = systems.farthest
    monkeypatch.setattr(systems, "farthest", lambda *args: looks.append(1) or real(*args))
    for bound, seen in ((np.inf, 1), (0.4 * s.slack, 1), (0.4 * s.slack, 1), (0.4 * s.slack, 2), (0.9 * s.slack, 2), (np.inf, 3)):
        assert not s.update(bound) and len(looks) == seen
    s.move(np.full((s.n_owned, 2), 0.6 * s.slack))
    assert not s.update(0.85 * s.slack) and len(looks) == 3
    s.move(np.full((s.n_owned, 2), 0.6 * s.slack))
    assert s.update(0.85 * s.slack) and len(looks) == 4
    assert not s.update(0.5 * s.slack) and len(looks) == 4

"""A glass between rigid circular walls: start, forces, Hessian, zero modes, files. Moves: test_walls_moves.py."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from glasses import system, whole
from test_hessian import probe, times

from hpcglass.config import SystemParams
from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.errors import PhysicsError
from hpcglass.geometries import annulus
from hpcglass.geometries.annulus import Walls
from hpcglass.io import checkpoint, configuration, h5
from hpcglass.io.contents import Contents
from hpcglass.io.reader import Reader
from hpcglass.io.record import Record
from hpcglass.landscape import walls
from hpcglass.landscape.bonds import bond_spectrum
from hpcglass.landscape.expansion import elastic_moduli
from hpcglass.landscape.forces import evaluate, forces, largest_force, per_particle
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.landscape.modes import lowest_modes, number_of_modes, spectrum
from hpcglass.landscape.nonaffine import d2min
from hpcglass.landscape.rattlers import rattlers
from hpcglass.moves import start
from hpcglass.moves.minimise import minimise
from hpcglass.moves.relax import to_minimum
from hpcglass.potentials.library import MODELS
from hpcglass.potentials.model import Mixing, PairPotential, Segment, Sizes

# model, dimension, density, r_in, r_out
CASES = [("ipl12", 2, 1.0, 0.65, 7.0), ("ipl10", 3, 0.58, 1.0, 4.5), ("ipl10-binary", 2, 0.86, 2.0, 7.0),
         ("lj", 2, 0.9, 0.6, 7.0), ("lj-binary", 2, 1.02, 1.0, 7.0), ("harmonic", 2, 0.9, 2.0, 8.0),
         ("harmonic", 3, 0.9, 1.5, 5.0)]
names = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}d")


def between(comm, name, dimension, density, r_in, r_out, seed=1) -> System:
    """A start as an input file describes it: at random, pushed off."""
    params = SystemParams(model=name, dimension=dimension, density=density, r_in=r_in, r_out=r_out, start="random")
    return start.build(comm, params, MODELS[name], seed)


def minimum(comm, case) -> System:
    s = between(comm, *case)
    to_minimum(s, "cg", 1e-11, 100_000)
    return s


def moved(s, rows):
    """The same system with its particles displaced by rows (n_total, d), in the order of ids."""
    t = s.renewed()
    t.move(rows[t.id[: t.n_owned]])
    t.update()
    return t


def radii(s):
    """(n_total,) distances from the centre."""
    return np.linalg.norm(whole(s, s.position) - np.array(s.walls.centre), axis=1)


# ---------------------------------------------------------------------- walls alone

def test_geometry():
    flat, solid = Walls((5.0, 5.0), 1.0, 3.0), Walls((5.0, 5.0, 5.0), 1.0, 3.0)
    assert flat.volume == pytest.approx(8 * np.pi) and solid.volume == pytest.approx(4 / 3 * np.pi * 26)
    assert flat.areas == pytest.approx((2 * np.pi, 6 * np.pi)) and solid.areas == pytest.approx((4 * np.pi, 36 * np.pi))
    assert Walls.of(np.array(flat.numbers)) == flat and solid.inflated(1.5) == Walls((5.0, 5.0, 5.0), 1.5, 3.0)
    for r_out, reach in ((80.0, 2.0), (3.7, 4.03)):
        edge = annulus.edge(r_out, reach)
        assert edge % 2 == 0 and 2 * r_out + reach + annulus.MARGIN <= edge < 2 * r_out + reach + annulus.MARGIN + 2


def test_gap_is_exact():
    """To round-off of the gap itself, at the rim of a large annulus: the plain difference is a hundred times worse."""
    rng, worst, plain = np.random.default_rng(1), 0.0, 0.0
    for _ in range(300):
        angle, wall = rng.uniform(0, 2 * np.pi), 80.0 + rng.uniform()
        w = np.rint((wall - rng.uniform(0.5, 1.5)) * np.array([np.cos(angle), np.sin(angle)]) * 2**42) / 2**42
        u = rng.normal(size=2) * 1e-2
        square = sum((Fraction(a) + Fraction(b)) ** 2 for a, b in zip(w, u, strict=True))
        radius = float(np.hypot(*(w + u)))
        exact = float((square - Fraction(wall) ** 2) / (Fraction(radius) + Fraction(wall)))      # radius to 1e-16 is enough here
        worst = max(worst, abs(walls._gap(w, u, radius, wall) - exact))
        plain = max(plain, abs(radius - wall - exact))
    assert worst < 4e-16 and plain > 5e-15


def test_a_particle_by_hand(world):
    """Potential x^-2 - 1/4 below x = 2, one particle of diameter 1.5 at distance 3 between walls of radii 2 and 5."""
    model = replace(MODELS["ipl12"], potential=PairPotential((Segment(2.0, (-2, 0), (1.0, -0.25)),)),
                    mixing=Mixing(), sizes=Sizes("power", 1.5, 1.5))
    s = system_between(world, model, np.array([[3.0, 0.0]]), np.array([1.5]), 2.0, 5.0)
    e, on = evaluate(s), walls.load(s)
    inner, outer = 1.5**2, 1.5**2 / 4
    assert e.energy == pytest.approx(inner + outer - 0.5, rel=1e-14)
    assert np.allclose(whole(s, e.forces), [[2 * 1.5**2 - 2 * 1.5**2 / 8, 0.0]], atol=1e-13)
    assert on.normal_force == pytest.approx([2 * 1.5**2, 2 * 1.5**2 / 8], rel=1e-13) and on.contacts.tolist() == [1, 1]
    assert on.pressure == pytest.approx(on.normal_force / (2 * np.pi * np.array([2.0, 5.0])), rel=1e-13)
    assert np.allclose(on.net_force, [[-2 * 1.5**2, 0], [2 * 1.5**2 / 8, 0]], atol=1e-13)
    assert e.pairs == 0 and (s.volume == s.walls.volume)


def system_between(comm, model, place, diameter, r_in, r_out):
    """Particles at given places from the centre."""
    w = annulus.centred(place.shape[1], r_in, r_out, model.largest_cutoff)
    first, last = ranks.block(len(place), comm.size, comm.rank)
    rows = {"id": np.arange(first, last), "position": (place + np.array(w.centre))[first:last], "diameter": diameter[first:last],
            "species": np.zeros(last - first, np.int32), "walls": np.array(w.numbers)}
    return System(comm, model, annulus.edge(r_out, model.largest_cutoff) * np.eye(place.shape[1]), rows)


# ---------------------------------------------------------------------- start, forces, Hessian

@names
def test_start(world, alone, case):
    """As many as the density says, all between the walls, without close overlaps, the same on any number of ranks."""
    s, single = between(world, *case), between(alone, *case)
    assert s.n_total == round(case[2] * annulus.volume(case[1], *case[3:])) and s.volume == s.walls.volume
    r = radii(s)
    assert r.min() > case[3] + 0.2 and r.max() < case[4] - 0.2
    assert np.abs(whole(s, s.position) - whole(single, single.position)).max() < 1e-9
    assert np.isfinite(evaluate(s).energy)


def test_random_positions_are_uniform():
    """Moments of the radius over 20 000 particles: 4.5 sigma, false alarm 1e-5 each."""
    for d in (2, 3):
        w = Walls((9.0,) * d, 1.0, 4.0)
        place = start.between(w, np.random.default_rng(d).uniform(size=(20_000, d)), np.zeros(20_000)) - 9.0
        r = np.linalg.norm(place, axis=1)
        share = (r**d - 1.0) / (4.0**d - 1.0)                           # uniform in (0, 1)
        assert abs(share.mean() - 0.5) < 4.5 / np.sqrt(12 * 20_000)
        unit = place / r[:, None]
        assert np.abs(unit.mean(axis=0)).max() < 4.5 / np.sqrt(d * 20_000)
        assert np.abs((unit**2).mean(axis=0) - 1 / d).max() < 4.5 * 0.36 / np.sqrt(20_000)


@names
def test_forces_are_minus_the_gradient(world, alone, case):
    s = between(world, *case)
    direction = np.random.default_rng(2).normal(size=(s.n_total, s.dimension))
    f = whole(s, forces(s))
    h, energies = 1e-5 if case[0] == "harmonic" else 1e-4, []
    for k in (-2, -1, 1, 2):
        energies.append(evaluate(moved(s, k * h * direction)).energy)
    numeric = (energies[0] - 8 * energies[1] + 8 * energies[2] - energies[3]) / (12 * h)
    assert -float((f * direction).sum()) == pytest.approx(numeric, rel=5e-6, abs=2e-6)
    assert np.abs(f - whole(s, forces(s, exact=False))).max() < 1e-9 * np.abs(f).max()
    assert np.abs(f - whole(s, evaluate(s).forces)).max() < 1e-12 * np.abs(f).max()
    assert ranks.total(world, float(per_particle(s)[0].sum())) == pytest.approx(evaluate(s).energy, rel=1e-12)
    single = system_like(alone, s)
    assert np.abs(f - whole(single, forces(single))).max() < 1e-12 * np.abs(f).max()
    assert evaluate(single).energy == pytest.approx(evaluate(s).energy, rel=1e-13)


def system_like(comm, s):
    """The same configuration on other ranks."""
    copy = system(comm, s.model, s.box, *[whole(s, np.ascontiguousarray(rows[: s.n_owned])) for rows in
                                          (s.position, s.diameter, s.species)])
    copy.walls = s.walls
    return copy


@names
def test_hessian_and_rotation(world, case):
    """Against differences of forces where it starts; at the minimum, rotations cost nothing and the rest is stable."""
    s = between(world, *case)
    to_minimum(s, "cg", 1e-2, 100_000)
    direction = whole(s, probe(s))
    product, h = whole(s, times(Hessian(s), probe(s))), 1e-6
    side = [moved(s, sign * h * direction) for sign in (1, -1)]
    numeric = -(whole(side[0], forces(side[0])) - whole(side[1], forces(side[1]))) / (2 * h)
    free = whole(s, rattlers(s).astype(float)) == 0
    if case[0] != "harmonic":           # contacts open there
        assert free.all() and np.abs(product - numeric)[free].max() < 1e-6 * np.abs(numeric).max()
    to_minimum(s, "cg", 1e-12, 100_000)
    hessian = Hessian(s)
    stiffness = np.abs(whole(s, hessian.rows(hessian.matrix.getDiagonal()))).max()
    motions = [hessian.rows(vector) for vector in hessian.zero_modes()]
    assert len(motions) == s.dimension * (s.dimension - 1) // 2
    for motion in motions:
        assert np.abs(whole(s, times(hessian, motion))).max() < 1e-9 * stiffness
    gram = ranks.total(world, np.array([[np.vdot(a, b) for a in motions] for b in motions]))
    assert np.allclose(gram, np.eye(len(motions)), atol=1e-13)
    fewest = number_of_modes(hessian)
    assert fewest == (s.n_total - hessian.n_loose) * s.dimension - len(motions)


def dense(hessian):
    """The matrix of one rank as an array."""
    size = hessian.matrix.getSize()[0]
    pointer, index, values = hessian.matrix.getValuesCSR()
    result = np.zeros((size, size))
    for row in range(size):
        result[row, index[pointer[row]:pointer[row + 1]]] = values[pointer[row]:pointer[row + 1]]
    return result


@pytest.mark.parametrize("case", [CASES[0], ("ipl10", 3, 0.58, 1.0, 3.6)], ids=["2d", "3d"])
def test_zero_modes_and_pinned_rows(world, alone, case):
    """The spectrum of the dense matrix: as many zeros as rotations, and none when the pinned rows are held."""
    single = minimum(alone, case)
    hessian = Hessian(single)
    matrix, expected = dense(hessian), len(hessian.translations)
    values = np.linalg.eigvalsh(matrix)
    assert np.abs(values[:expected]).max() < 1e-9 and values[expected] > 1e-3
    rows = hessian.pinned()
    assert len(set(rows.tolist())) == expected
    held = np.delete(np.delete(matrix, rows, 0), rows, 1)
    assert np.linalg.eigvalsh(held)[0] > 1e-4 * values[expected]
    # other combinations of the same zero modes, all largest in one row
    first, *others = hessian.translations
    hessian.translations = [first, *(other.copy() for other in others)]     # PETSc keeps its own null space as it is
    for other in hessian.translations[1:]:
        other.aypx(0.1, first)
    again = hessian.pinned()
    assert np.linalg.eigvalsh(np.delete(np.delete(matrix, again, 0), again, 1))[0] > 1e-4 * values[expected]
    hessian = Hessian(single)
    s = system_like(world, single)
    to_minimum(s, "cg", 1e-11, 100_000)
    assert lowest_modes(Hessian(s), 8).frequency2 == pytest.approx(values[expected: expected + 8], rel=1e-6)
    if world.size == 1:
        assert spectrum(hessian).frequency2 == pytest.approx(values[expected:], rel=1e-8)


def test_pinned_rows_of_translations(world):
    """Those of the first particle, as without walls."""
    from glasses import glass

    hessian = Hessian(glass(world, "ipl12-2d"))
    assert hessian.pinned().tolist() == [0, 1]


def test_refill_renews_the_rotations(world):
    s = minimum(world, CASES[0])
    hessian = Hessian(s)
    s.move(0.01 * probe(s))
    s.update()
    if s.epoch == hessian.epoch:
        hessian.refill()
    else:
        hessian = Hessian(s)
    fresh = Hessian(s)
    assert np.abs(times(hessian, probe(s)) - times(fresh, probe(s))).max(initial=0.0) < 1e-9
    assert np.abs(hessian.rows(hessian.translations[0]) - fresh.rows(fresh.translations[0])).max(initial=0.0) < 1e-13


@pytest.mark.few_ranks
@names
def test_balance_at_a_minimum(world, case):
    """Both walls bear the same; the inner one's normal force is dU/dr_in; no torque."""
    s = minimum(world, case)
    on, scale = walls.load(s), evaluate(s).force_scale
    assert np.abs(on.net_force.sum(axis=0)).max() < 1e-8 * scale and on.contacts[1] > 5
    assert np.abs(on.net_force).max() > 1e-3 * scale        # but not nothing
    for motion in walls.rigid_motions(s):
        assert abs(ranks.total(world, float(np.vdot(motion, walls_only(s))))) < 1e-9 * scale
    h, side, w = 1e-5, [], s.walls
    for sign in (1, -1):
        s.walls = w.inflated(w.r_in + sign * h)
        side.append(evaluate(s).energy)
    assert (side[0] - side[1]) / (2 * h) == pytest.approx(on.normal_force[0], rel=1e-6, abs=1e-6)


def walls_only(s):
    force = np.zeros((s.n_owned, s.dimension))
    walls.push(s, force)
    return force


def test_rattlers(alone):
    """Harmonic discs: one wedged between wall and wall is held by nothing else; one free; d + 1 contacts, one of them a wall."""
    model = replace(MODELS["harmonic"], mixing=Mixing(energy_power=2), sizes=Sizes("power", 1.0, 1.0))
    wedge = np.array([[4.55, -0.45], [4.55, 0.45], [3.8, 0.0]])     # three discs at the outer wall, pressed on one another
    s = system_between(alone, model, np.vstack([wedge, [[0.0, 3.0]]]), np.ones(4), 1.0, 5.0)
    touching, strongest = walls.holding(s)
    order = np.argsort(s.id[:4])
    assert touching[order].tolist() == [1, 1, 0, 0] and (strongest[order][:2] > 0.01).all()
    assert rattlers(s)[order].tolist() == [False, False, False, True]
    # two chains from wall to wall, and a disc that barely touches both: a third contact, the wall, makes the difference
    angle = np.arccos((36 + 6.2**2 - 1) / (12 * 6.2)) - 1e-9
    chains = np.array([[r * np.cos(a), r * np.sin(a)] for a in (angle, -angle) for r in (3.8, 4.6, 5.4, 6.2)])
    for radius, expected in ((6.0 + 1e-9, False), (6.0 - 1e-9, True)):
        third = system_between(alone, model, np.vstack([chains, [[radius, 0.0]]]), np.ones(9), 3.0, 7.0)
        assert rattlers(third)[np.argsort(third.id[:9])].tolist() == [False] * 8 + [expected]
    flat = system_between(alone, model, np.array([[4.6, 0.0], [0.0, 3.0]]), np.ones(2), 1.0, 5.0)
    hessian = Hessian(flat)
    assert hessian.n_loose == 1        # the one at the wall is pressed


# ---------------------------------------------------------------------- errors

def test_beyond_a_wall(world):
    s = between(world, *CASES[0])
    first = s.walls
    s.walls = first.inflated(2.0)
    with pytest.raises(PhysicsError, match=r"particle \d+ is beyond a wall: .* take more"):
        walls.check_inside(s, "take more steps")
    assert not np.isfinite(largest_force(s, forces(s)))
    with pytest.raises(PhysicsError, match="is beyond a wall"):
        minimise(s, "cg", 1e-6)
    s.walls = first
    walls.check_inside(s, "")


def test_finite_potentials_go_on_beyond(alone):
    """A straight line from where the distance vanishes: energy and force are continuous, and push back."""
    model = MODELS["harmonic"]
    energy, force = [], []
    for depth in (-1e-4, 1e-4, 0.5):
        s = system_between(alone, model, np.array([[5.0 + depth, 0.0]]), np.array([1.0]), 1.0, 5.0)
        energy.append(evaluate(s).energy)
        force.append(float(forces(s)[0, 0]))
    assert force == pytest.approx([-1.0] * 3, abs=2e-4) and energy == pytest.approx([0.5, 0.5, 1.0], abs=2e-4)


def test_what_walls_refuse(world):
    s = minimum(world, CASES[0])
    with pytest.raises(PhysicsError, match="rigid walls cannot be strained"):
        s.deform(1.01 * np.eye(2))
    with pytest.raises(PhysicsError, match="need a periodic cell"):
        elastic_moduli(s)
    with pytest.raises(PhysicsError, match="needs a periodic cell"):
        bond_spectrum(Hessian(s))


# ---------------------------------------------------------------------- kept by copies and files

def same(s, t):
    return s.walls == t.walls and np.array_equal(whole(s, s.position), whole(t, t.position))


def test_state_and_files(world, tmp_path_factory):
    s = between(world, *CASES[0])
    s.walls = s.walls.inflated(0.7)
    assert same(s, s.renewed()) and same(s, System.from_state(world, s.model, *s.state()))
    path = str(tmp_path_factory.mktemp("walls")) if world.rank == 0 else ""
    directory = Path(world.bcast(path))
    contents, frames = Contents(), []
    for r_in in (0.66, 0.7):
        s.walls = s.walls.inflated(r_in)
        frames.append(configuration.capture(s, 3, 0.5))
    configuration.put(contents, world, frames)
    h5.write(world, directory / "frames.h5", contents)
    with Reader(world, directory / "frames.h5") as file:
        for frame, r_in in enumerate((0.66, 0.7)):
            t = System(world, s.model, *configuration.read(file, frame))
            assert t.walls.r_in == r_in and np.array_equal(whole(t, t.position), whole(s, s.position))
    checkpoint.write(world, directory / "checkpoint-a.h5", 0, 1, 1, s, ({}, {}), Record(), {}, lambda contents: contents.value(
        "/provenance/resolved_input", ""))
    restored, _ = checkpoint.read(world, directory / "checkpoint-a.h5").restore(world, s.model)
    assert same(s, restored)
    assert np.array_equal(whole(s, forces(s)), whole(restored, forces(restored)))


def test_d2min_of_a_rotation(world):
    """Nothing moved but the whole: no D^2_min beyond the affine part of a small rotation."""
    s = minimum(world, CASES[0])
    before = s.unwrapped()
    turned = moved(s, np.zeros((s.n_total, 2)))
    turned.move(1e-3 * walls.rigid_motions(turned)[0])
    turned.update()
    before = turned.reorder(s.id[: s.n_owned], before)
    assert np.abs(d2min(turned, before, np.eye(2))).max(initial=0.0) < 1e-12

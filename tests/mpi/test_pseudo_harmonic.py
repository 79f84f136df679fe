"""Pseudo-harmonic modes: the cost and its derivative, minima of it, what does not matter; decay profiles."""

from __future__ import annotations

import numpy as np
import pytest
from glasses import NAMES, glass, liquid, liquid_arrays, system, whole
from test_solve import floating, product

from hpcglass.core.comm import largest, total
from hpcglass.errors import InputError, PhysicsError
from hpcglass.geometries.periodic import heights
from hpcglass.landscape.contractions import pair_energies
from hpcglass.landscape.localised import _start, _step, evaluate
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.landscape.matrix.solve import Solver
from hpcglass.landscape.modes import lowest_modes
from hpcglass.landscape.profiles import core_particle, decay_exponent, decay_profile
from hpcglass.landscape.pseudo_harmonic import Quartic, companion_force, cost, pseudo_harmonic_mode


def field(s, seed):
    """An irregular field, the same on any number of ranks."""
    return np.random.default_rng(seed).normal(size=(s.n_total, s.dimension))[s.id[: s.n_owned]]


def peak(s, values):
    """max |value| over all ranks."""
    return largest(s.comm, float(np.abs(values).max(initial=0.0)))


def strains(s, rows):
    """(rows of each interacting pair, z_ij), each pair on one rank."""
    everywhere = np.zeros((s.n_all, s.dimension))
    everywhere[: s.n_owned] = rows
    s.forward(everywhere)
    pairs = pair_energies(s, np.zeros_like(s.box), [rows]).rows
    return pairs, everywhere[pairs[:, 1]] - everywhere[pairs[:, 0]]


def dipole(s, rows):
    """Unit forces that pull apart the pair with the largest |z_ij| of a field, along z_ij."""
    pairs, z = strains(s, rows)
    size = np.einsum("pa,pa->p", z, z)
    best = largest(s.comm, float(size.max(initial=0.0)))
    mine = np.flatnonzero(size == best)
    force = np.zeros((s.n_all, s.dimension))
    if mine.size:
        force[pairs[mine[0]]] = z[mine[0]] * np.array([[-1.0], [1.0]])
    s.reverse_add(force)
    return force[: s.n_owned] / np.sqrt(best)


def overlap(s, a, b):
    """a.b / |a| |b|."""
    ab, aa, bb = total(s.comm, np.array([np.vdot(a, b), np.vdot(a, a), np.vdot(b, b)]))
    return ab / np.sqrt(aa * bb)


@pytest.mark.parametrize("name", NAMES)
def test_cost_and_gradient(world, name):
    s = glass(world, name)
    z, w = field(s, 1), field(s, 2)
    value, gradient = cost(s, z)
    _, apart = strains(s, z)
    fourth = total(world, float((np.einsum("pa,pa->p", apart, apart) ** 2).sum()))
    stiffness = total(world, float(np.vdot(z, product(Hessian(s), z))))
    assert value == pytest.approx(stiffness**2 / fourth, rel=1e-12)
    step = 1e-4
    slope = (cost(s, z + step * w)[0] - cost(s, z - step * w)[0]) / (2 * step)
    assert total(world, float(np.vdot(gradient, w))) == pytest.approx(slope, rel=1e-6)
    assert abs(total(world, float(np.vdot(gradient, z)))) < 1e-10 * value
    assert np.abs(total(world, gradient.sum(axis=0))).max() < 1e-10 * value


@pytest.mark.parametrize("name", ["ipl12-2d", "harmonic-3d"])
def test_a_step_ends_at_the_minimum_on_the_line(world, name):
    """And turns the field by 45 degrees at most, when the minimum is further away."""
    s = glass(world, name)
    springs, solver = Quartic(s), Solver(Hessian(s))
    soft = _start(s, springs, solver.solve(field(s, 1)), "mode")
    for seed, far in ((2, False), (3, False), (4, False), (2, True), (3, True)):
        z, p = soft, solver.solve(field(s, seed))
        if far:         # from a rough field towards the soft one
            z, p = _start(s, springs, field(s, seed), "mode"), soft
        p = p - total(world, float(np.vdot(z, p))) * z
        size = np.sqrt(total(world, float(np.vdot(p, p))))
        slope = total(world, float(np.vdot(p, cost(s, z)[1])))
        p *= -np.sign(slope)
        t = _step(s, springs, z, p, total(world, float(np.vdot(p, evaluate(s, springs, z).residual))))
        here, gradient = cost(s, z + t * p)
        assert here < cost(s, z)[0]
        if far:
            assert t * size == pytest.approx(1.0, rel=1e-12)
        else:
            assert 0.0 < t * size < 1.0
            assert abs(total(world, float(np.vdot(p, gradient)))) < 1e-9 * abs(slope)


@pytest.mark.parametrize("name", NAMES)
def test_minima_from_modes_and_dipoles(world, name):
    s = glass(world, name)
    hessian = Hessian(s)
    solver = Solver(hessian)
    for start in (lowest_modes(hessian, 1).vectors[..., 0], solver.solve(dipole(s, field(s, 3))), solver.solve(field(s, 4))):
        found = pseudo_harmonic_mode(s, start, solver=solver)
        assert found.gradient <= 1e-10
        assert found.iterations < 40
        value, gradient = cost(s, found.mode)
        assert found.cost == pytest.approx(value, rel=1e-12)
        assert value < cost(s, start)[0]
        image = companion_force(s, found.mode)
        assert peak(s, image - product(hessian, found.mode)) < 1e-12 * found.stiffness
        scale = 4 * found.cost / found.stiffness * np.sqrt(total(world, float(np.vdot(image, image))))
        assert np.sqrt(total(world, float(np.vdot(gradient, gradient)))) < 1.01e-10 * scale
        assert found.stiffness == pytest.approx(total(world, float(np.vdot(found.mode, image))), rel=1e-12)
        assert total(world, float(np.vdot(found.mode, found.mode))) == pytest.approx(1.0, rel=1e-14)
        assert np.abs(total(world, found.mode.sum(axis=0))).max() < 1e-12
        # not only stationary: C rises in soft and in rough directions
        for seed in range(5, 8):
            rough = field(s, seed)
            for other in (rough, solver.solve(rough)):
                other = 0.01 * other / np.sqrt(total(world, float(np.vdot(other, other))))
                assert cost(s, found.mode + other)[0] > value < cost(s, found.mode - other)[0]


def test_the_response_to_a_dipole_in_the_core_leads_back(world):
    """From the pair that a mode strains most, on a glass with many modes; the mode lies where the response did."""
    s = glass(world, "ipl12-2d-N10000")
    hessian = Hessian(s)
    solver = Solver(hessian)
    first = pseudo_harmonic_mode(s, lowest_modes(hessian, 1).vectors[..., 0], solver=solver)
    response = solver.solve(dipole(s, first.mode))
    again = pseudo_harmonic_mode(s, response, solver=solver)
    assert 1 - abs(overlap(s, first.mode, again.mode)) < 1e-12
    assert again.cost == pytest.approx(first.cost, rel=1e-10)
    fraction = np.linalg.solve(s.box, core_particle(s, response)[1] - core_particle(s, again.mode)[1])
    assert np.linalg.norm(s.box @ (fraction - np.rint(fraction))) < 3.0
    assert 0.9 < overlap(s, response, again.mode)


def test_length_and_translation_do_not_matter(world):
    s = glass(world, "lj-binary-2d")
    z = field(s, 1)
    value, gradient = cost(s, z)
    moved, other = cost(s, 3.0 * z + np.array([5.0, -2.0]))
    assert moved == pytest.approx(value, rel=1e-12)
    assert peak(s, other - gradient / 3.0) < 1e-11 * peak(s, gradient)
    solver = Solver(Hessian(s))
    one = pseudo_harmonic_mode(s, solver.solve(z), solver=solver)
    two = pseudo_harmonic_mode(s, 7.0 * solver.solve(z) + np.array([0.1, 3.0]), solver=solver)
    assert peak(s, one.mode - two.mode) < 1e-9


@pytest.mark.parametrize("name", ["ipl12-2d", "harmonic-3d"])
def test_the_same_mode_on_any_number_of_ranks_and_with_any_solver(world, alone, name):
    many, one = glass(world, name), glass(alone, name)
    expected = pseudo_harmonic_mode(one, field(one, 1))
    answer = whole(one, expected.mode)
    for method in ("direct", "cg"):
        found = pseudo_harmonic_mode(many, field(many, 1), solver=Solver(Hessian(many), method))
        assert np.abs(whole(many, found.mode) - answer).max() < 1e-7
        assert found.stiffness == pytest.approx(expected.stiffness, rel=1e-9)


def test_loose_particles_stay_in_place(world):
    s, without = floating(world), glass(world, "harmonic-3d")
    start = field(s, 1)
    found = pseudo_harmonic_mode(s, start)
    mode = whole(s, found.mode)
    assert np.abs(mode[400]).max() == 0.0
    plain = np.random.default_rng(1).normal(size=(401, 3))[without.id[: without.n_owned]]
    assert np.abs(mode[:400] - whole(without, pseudo_harmonic_mode(without, plain).mode)).max() < 1e-7


def test_what_is_refused(world):
    s = glass(world, "ipl12-2d")
    solver = Solver(Hessian(s))
    with pytest.raises(PhysicsError, match=r"no pseudo-harmonic mode after 2 linear solves: the gradient is .* 1e-10, at a cost"):
        pseudo_harmonic_mode(s, field(s, 1), iterations=2, solver=solver)
    with pytest.raises(PhysicsError, match="moves no pair"):
        pseudo_harmonic_mode(s, np.ones((s.n_owned, 2)), solver=solver)
    with pytest.raises(PhysicsError, match="moves no interacting pair"):
        cost(s, np.zeros((s.n_owned, 2)))
    with pytest.raises(InputError, match="one row of 2 numbers"):
        pseudo_harmonic_mode(s, np.ones((s.n_owned + (s.comm.rank == 0), 2)), solver=solver)
    broken = field(s, 1)
    broken[s.id[: s.n_owned] == 7] = np.nan
    with pytest.raises(PhysicsError, match="moves no pair"):
        pseudo_harmonic_mode(s, broken, solver=solver)
    bad = liquid(world, "ipl12", 100, 2)
    with pytest.raises(PhysicsError, match="saddle"):
        pseudo_harmonic_mode(bad, field(bad, 1))
    soft = lowest_modes(Hessian(bad), 1, tolerance=1e-6).vectors[..., 0]
    with pytest.raises(PhysicsError, match=r"H:zz = -.* saddle"):
        pseudo_harmonic_mode(bad, soft)
    spread = liquid_arrays("harmonic", 9, 2)
    empty = system(world, spread[0], 5 * spread[1], 5 * spread[2], *spread[3:])
    with pytest.raises(PhysicsError, match="no two particles interact"):
        pseudo_harmonic_mode(empty, field(empty, 1), solver=solver)


def power_law(s, core, exponent):
    """|v| = r^exponent around a particle, 2 on it, all images searched; and the distances."""
    everywhere = whole(s, s.position)
    apart = everywhere - everywhere[core]
    shifts = np.stack(np.meshgrid(*[np.arange(-2, 3)] * s.dimension, indexing="ij"), -1).reshape(-1, s.dimension)
    distance = np.min([np.linalg.norm(apart + s.box @ shift, axis=1) for shift in shifts], axis=0)
    size = np.where(distance > 0, np.maximum(distance, 1e-3) ** exponent, 2.0)
    direction = np.random.default_rng(9).normal(size=apart.shape)
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    return (size[:, None] * direction)[s.id[: s.n_owned]], distance, size


@pytest.mark.parametrize(("dimension", "tilt"), [(2, (0.4,)), (3, (0.3, -0.4, 0.2))])
def test_decay_profile(world, dimension, tilt):
    s = liquid(world, "ipl12", 900, dimension, tilt)
    rows, distance, size = power_law(s, 123, -2.5)
    core, place = core_particle(s, rows)
    assert core == 123
    assert place == pytest.approx(whole(s, s.position)[123], abs=1e-15)
    profile = decay_profile(s, rows)
    reach = heights(s.box).min() / 2
    spacing = (s.volume / 900) ** (1 / dimension)
    assert profile.core == 123
    edges = np.geomspace(spacing, reach, len(profile.median) + 1)
    assert profile.distance == pytest.approx(np.sqrt(edges[1:] * edges[:-1]))
    for low, high, median, count in zip(edges[:-1], edges[1:], profile.median, profile.count, strict=True):
        inside = (distance >= low) & (distance < high)
        assert count == inside.sum()
        if count:
            assert median == pytest.approx(np.median(size[inside]), rel=1e-12)
    slope, error = decay_exponent(profile.distance, profile.median, (1.2, reach))
    assert slope == pytest.approx(-2.5, abs=0.2)
    assert 0 < error < 0.2
    two = decay_profile(s, rows, [1e-9, 1e-8, 0.9 * reach])
    assert two.count.tolist() == [0, (distance < 0.9 * reach).sum() - 1]
    assert np.isnan(two.median[0])


def test_decay_exponent_is_a_line_through_logarithms():
    x = np.geomspace(1, 100, 20)
    noise = 0.1 * np.cos(7.0 * np.arange(20))
    y = 3.0 * x**-1.5 * np.exp(noise)
    y[4], y[6] = np.nan, 0.0
    use = (y > 0) & (x < 60)
    fit, covariance = np.polyfit(np.log(x[use]), np.log(y[use]), 1, cov=True)
    slope, error = decay_exponent(x, y, (0.5, 60))
    assert slope == pytest.approx(fit[0], rel=1e-10)
    assert error == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-10)
    with pytest.raises(InputError, match="three bins"):
        decay_exponent(x, y, (1.0, 1.5))


@pytest.mark.few_ranks
def test_profiles_of_modes(world, alone):
    """A pseudo-harmonic mode in 2D falls like 1/r, its force like the cube of its gradient, r^-6; the same on all ranks."""
    profiles = []
    for comm in (world, alone):
        s = glass(comm, "ipl12-2d-N10000")
        found = pseudo_harmonic_mode(s, lowest_modes(Hessian(s), 1).vectors[..., 0])
        profiles.append((decay_profile(s, found.mode), decay_profile(s, companion_force(s, found.mode))))
    for here, there in zip(*profiles, strict=True):
        assert here.core == there.core
        assert (here.count == there.count).all()
        assert here.median == pytest.approx(there.median, rel=1e-4, nan_ok=True)
    mode, force = profiles[0]
    assert decay_exponent(mode.distance, mode.median, (4.0, 20.0))[0] == pytest.approx(-1.0, abs=0.25)
    assert decay_exponent(force.distance, force.median, (4.0, 20.0))[0] == pytest.approx(-6.0, abs=1.0)


def test_profiles_refuse(world):
    s = glass(world, "ipl12-2d")
    rows = field(s, 1)
    for edges in ([1.0], [0.0, 1.0], [2.0, 1.0], [1.0, np.nan], [1.0, 1.01 * heights(s.box).min() / 2]):
        with pytest.raises(InputError, match="bins of distance need"):
            decay_profile(s, rows, edges)
    model, box, position, diameter, species = liquid_arrays("harmonic", 9, 2)
    few = system(world, model, 3 * box, 3 * position[:3], diameter[:3], species[:3])
    with pytest.raises(InputError, match="too narrow"):
        decay_profile(few, field(few, 1))

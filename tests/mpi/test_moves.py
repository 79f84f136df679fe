"""Minimisers, dynamics, box relaxation and D^2_min on any number of ranks."""

from __future__ import annotations

import numpy as np
import pytest
from glasses import arrays, glass, liquid, system, whole

from hpcglass.core.comm import total
from hpcglass.core.system import System
from hpcglass.errors import PhysicsError
from hpcglass.geometries.periodic import deformation, simple_shear
from hpcglass.landscape.forces import evaluate, forces, largest_force
from hpcglass.landscape.nonaffine import d2min, participation, position_of_largest
from hpcglass.moves.dynamics import Dynamics, maxwell_velocities
from hpcglass.moves.methods import METHODS, largest_stiffness
from hpcglass.moves.minimise import minimise
from hpcglass.moves.relax import to_minimum, to_pressure
from hpcglass.moves.start import push_off


@pytest.mark.parametrize("method", sorted(METHODS))
def test_minimum_to_round_off(world, method):
    """max|F| <= 1e-13 in a glass: reference + displacement coordinates leave no floor of the box size."""
    s = glass(world, "ipl12-2d")
    s.deform(deformation(simple_shear(2, "xy"), 2e-4))
    report = minimise(s, method, 1e-13, max_evaluations=50_000)
    assert report.converged and report.max_force <= 1e-13
    s.rebuild()
    assert largest_force(s, forces(s)) < 2e-13


def test_both_minimisers_find_the_same_elastic_state(world):
    energies = []
    for method in METHODS:
        s = glass(world, "ipl10-3d")
        s.deform(deformation(simple_shear(3, "xz"), 1e-4))
        assert minimise(s, method, 1e-10).converged
        energies.append(evaluate(s).energy)
    assert energies[0] == pytest.approx(energies[1], rel=1e-12)


def test_minimiser_says_why_it_stopped(world):
    s = glass(world, "ipl12-2d")
    s.deform(deformation(simple_shear(2, "xy"), 0.03))
    report = minimise(s, "fire", 1e-12, max_evaluations=7)
    assert not report.converged and report.evaluations == 7 and "limit" in report.reason
    assert report.max_force == pytest.approx(report.max_force) and report.max_force > 1e-12
    with pytest.raises(PhysicsError, match="max_evaluations"):
        to_minimum(s, "cg", 1e-12, 5)


@pytest.mark.few_ranks
@pytest.mark.parametrize("method", sorted(METHODS))
def test_minimisation_resumes_to_the_bit(world, method):
    """Cut anywhere: the system's state and the method's numbers are all there is."""
    whole_run = glass(world, "ipl12-2d")
    saved = {}

    def watch(count, largest, state):
        if count in (3, 40, 111):
            saved[count] = (whole_run.state(), dict(state))
        return {1: 3, 3: 40, 40: 111}.get(count, count + 1)

    whole_run.deform(deformation(simple_shear(2, "xy"), 0.02))
    report, _ = to_minimum(whole_run, method, 1e-10, 100_000, watch)
    for count, (state, numbers) in saved.items():
        resumed = System.from_state(world, whole_run.model, *state)
        again, _ = to_minimum(resumed, method, 1e-10, 100_000, None, numbers)
        assert again.evaluations == report.evaluations, count
        assert (resumed.displacement == whole_run.displacement).all() and (resumed.id == whole_run.id).all()
    assert len(saved) == 3


def test_stiffness_is_the_largest_eigenvalue(world):
    import h5py
    from glasses import DATA

    with h5py.File(DATA / "ipl12-2d.h5") as file:
        highest = file["reference/hessian_highest"][()]
    s = glass(world, "ipl12-2d")
    assert largest_stiffness(s) == pytest.approx(1.1 * highest, rel=0.2)


@pytest.mark.few_ranks
def test_push_off_removes_overlaps(world):
    """A random start, where the energy overflows, becomes one whose largest force is that of a dense liquid."""
    model, box, position, diameter, species = arrays("ipl12-2d")
    ids = np.arange(len(position))
    from hpcglass.core.random import Stream, uniform

    random = uniform(3, Stream.POSITIONS, 0, ids, 2) @ box.T
    s = push_off(system(world, model, box, random, diameter, species))
    e = evaluate(s)
    assert np.isfinite(e.energy) and e.energy / s.n_total < 50
    assert largest_force(s, e.forces) < 5e4
    assert minimise(s, "fire", 1e-8, max_evaluations=100_000).converged


@pytest.mark.few_ranks
def test_box_relaxes_to_the_pressure(world):
    s = glass(world, "harmonic-3d")
    start = s.volume
    mechanics, rounds = to_pressure(s, 0.1, 1e-9, lambda _: to_minimum(s, "fire", 1e-11, 200_000)[1])
    assert mechanics.pressure == pytest.approx(0.1, rel=1e-9)
    assert rounds < 30 and s.volume != start
    # a minimum of the enthalpy: both neighbours along the box direction have more, at relaxed particles
    enthalpy = evaluate(s).energy + 0.1 * s.volume
    for strain in (-2e-4, 2e-4):
        t = s.renewed()
        t.deform(np.exp(strain) * np.eye(3))
        mechanics = to_minimum(t, "fire", 1e-10, 200_000)[1]
        assert mechanics.energy + 0.1 * t.volume > enthalpy


def run_dynamics(s, thermostat, steps, dt, temperature=0.2, seed=1):
    s.fields["velocity"] = maxwell_velocities(s, temperature, seed)
    dynamics = Dynamics(s, thermostat, dt, 0.5, seed)
    kept = []
    for step in range(1, steps + 1):
        dynamics.step(step, temperature)
        if step % 10 == 0:
            kept.append((dynamics.temperature(), dynamics.conserved(evaluate(s).energy, temperature)))
    return dynamics, np.array(kept)


@pytest.mark.few_ranks
@pytest.mark.parametrize("thermostat", ["none", "nose-hoover"])
def test_conserved_quantity_improves_as_dt_squared(world, thermostat):
    """Halving the step divides the fluctuation of the conserved quantity by 4 (order 2)."""
    spread = []
    for dt in (0.004, 0.002):
        s = glass(world, "lj-binary-2d")
        _, kept = run_dynamics(s, thermostat, round(1.2 / dt), dt, 0.3)
        spread.append(np.std(kept[len(kept) // 3:, 1]))
    assert 2.5 < spread[0] / spread[1] < 6.5


@pytest.mark.few_ranks
@pytest.mark.parametrize("thermostat", ["nose-hoover", "langevin"])
def test_thermostats_hold_the_temperature(world, thermostat):
    """Mean kinetic temperature within 5 block errors (false alarm 6e-7 for Gaussian errors)."""
    s = glass(world, "ipl12-2d")
    _, kept = run_dynamics(s, thermostat, 3000, 0.005, 0.25)
    blocks = kept[60:, 0].reshape(10, -1).mean(axis=1)
    error = blocks.std(ddof=1) / np.sqrt(10)
    assert abs(blocks.mean() - 0.25) < 5 * error + 1e-4
    assert error < 0.02


def test_dynamics_is_reversible(world):
    s = glass(world, "ipl12-2d")
    dynamics, _ = run_dynamics(s, "none", 50, 0.004)
    dynamics.velocity[:] *= -1
    for step in range(50):
        dynamics.step(step, 0.2)
    t = glass(world, "ipl12-2d")
    t.fields["velocity"] = maxwell_velocities(t, 0.2, 1)
    back = whole(s, s.unwrapped()) - whole(t, t.unwrapped())
    assert np.abs(back - back.mean(axis=0)).max() < 1e-8


def test_short_paths_do_not_depend_on_the_ranks(world, alone):
    for thermostat in ("nose-hoover", "langevin"):
        many, one = glass(world, "ipl12-2d"), glass(alone, "ipl12-2d")
        for s in (many, one):
            run_dynamics(s, thermostat, 60, 0.004)
        assert np.abs(whole(many, many.unwrapped()) - whole(one, one.unwrapped())).max() < 1e-8


def test_velocities_have_the_temperature_and_no_drift(world):
    s = liquid(world, "ipl12", 100, 2)
    v = maxwell_velocities(s, 0.7, 3)
    assert total(world, np.vdot(v, v)) / (2 * 99) == pytest.approx(0.7, rel=1e-12)
    assert np.abs(total(world, v.sum(axis=0))).max() < 1e-12


def test_d2min_vanishes_for_affine_maps(world):
    for name in ("ipl12-2d", "ipl10-3d"):
        s = glass(world, name)
        s.image[:, 1] = s.id[: s.n_owned] % 3 - 1      # neighbours that crossed the boundary differently often before
        s.fields["before"] = s.unwrapped()
        step = deformation(simple_shear(s.dimension, "xy"), 0.07)
        s.deform(step)
        s.rebuild()
        assert np.abs(d2min(s, s.fields["before"], step)).max(initial=0.0) < 1e-12


def test_d2min_by_least_squares(world, alone):
    """Against an explicit fit of the affine map, with neighbours across the boundary and between ranks."""
    s = glass(world, "ipl12-2d")
    s.fields["before"] = s.unwrapped()
    step = deformation(simple_shear(2, "xy"), 0.02)
    s.deform(step)
    s.move(0.05 * np.sin(3.0 * s.id[: s.n_owned, None] + np.array([0.0, 1.0])))
    s.rebuild()
    field = d2min(s, s.fields["before"], step)
    mine = whole(s, field)
    position, before = whole(s, s.unwrapped()), whole(s, s.fields["before"])
    model, _, _, diameter, _ = arrays("ipl12-2d")
    inverse, old_box = np.linalg.inv(s.box), np.linalg.solve(step, s.box)
    for i in (0, 7, 100, 399):
        periods = -np.rint((position - position[i]) @ inverse.T)
        now = position - position[i] + periods @ s.box.T
        then = before - before[i] + periods @ old_box.T
        length = 0.5 * (diameter + diameter[i]) * (1 - 0.2 * abs(diameter - diameter[i]))
        near = np.linalg.norm(now, axis=1) < model.potential.cutoff * length
        near[i] = False
        fit, *_ = np.linalg.lstsq(then[near], now[near], rcond=None)
        assert mine[i] == pytest.approx(((now[near] - then[near] @ fit) ** 2).sum(), rel=1e-8)
    assert participation(s, np.ones(s.n_owned)) == pytest.approx(1.0)
    which, place = position_of_largest(s, field)
    assert which == int(np.argmax(mine))
    row = np.flatnonzero(s.id[: s.n_owned] == which)
    assert total(world, float(np.abs(s.position[row] - place).sum())) < 1e-12


def test_dissipation_of_a_parabola_and_of_a_drop():
    """sigma = mu gamma stores all work; what an event loses appears in full."""
    from hpcglass.stages.shear.loading import State, dissipation

    mu, step = 17.0, 1e-3
    stress = [mu * k * step for k in range(4)]
    energy = [0.5 * mu * (k * step) ** 2 for k in range(4)]
    states = [State(k * step, stress[k], 1.0, energy[k], 0.0, ()) for k in range(4)]
    assert dissipation(states[1:3], states[3]) == pytest.approx(0.0, abs=1e-17)
    assert dissipation(states[1:3], states[3]._replace(energy=energy[3] - 1e-5)) == pytest.approx(1e-5, rel=1e-9)

"""The stage `inflate`: what it stores, elasticity, resume, what it refuses."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from glasses import glass, whole
from pydantic import ValidationError
from test_modes_stage import Recorder
from test_walls import CASES, between, dense, minimum, system_between

from hpcglass import registry
from hpcglass.config import Config
from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.errors import InputError, Interrupted, PhysicsError
from hpcglass.landscape import walls
from hpcglass.landscape.forces import evaluate
from hpcglass.landscape.hessian import Hessian
from hpcglass.moves.relax import to_minimum
from hpcglass.potentials.library import MODELS
from hpcglass.potentials.model import Mixing, Sizes
from hpcglass.stages.base import Snapshot
from hpcglass.stages.inflate import InflateParams


class Run(Recorder):
    """Stops at a safe point when told to."""

    def __init__(self, restored=None, rows=None, stop_at=-1):
        super().__init__()
        self.restored, self.rows, self.stop_at, self.points = restored, rows or {}, stop_at, 0

    def safe_point(self, step, total, snapshot, note=""):
        self.points += 1
        if self.points == self.stop_at:
            self.kept = snapshot()
            raise Interrupted("stopped")


def run(s, context=None, **params):
    context = context or Run()
    registry.stages()["inflate"](InflateParams(**params)).run(s, context)
    return context


@pytest.mark.parametrize("case", [CASES[0], CASES[1], CASES[4]], ids=["ipl12", "ipl10-3d", "lj-binary"])
def test_what_is_stored(world, case):
    s = between(world, *case)
    done = run(s, fraction=0.1, steps=2)
    r_in, r_out = case[3:]
    got = done.results
    assert (got["r_in"], got["r_out"]) == (r_in, r_out) and got["d_0"] == pytest.approx(0.1 * r_in, rel=1e-15)
    assert got["r_in_after"] == s.walls.r_in == pytest.approx(1.1 * r_in) and got["centre"].tolist() == list(s.walls.centre)
    assert done.column("inflation", "step").tolist() == [0, 1, 2] and done.step == 2
    assert done.column("inflation", "r_in") == pytest.approx([r_in, 1.05 * r_in, 1.1 * r_in])
    assert done.column("inflation", "energy")[[0, 2]].tolist() == [got["energy_before"], got["energy_after"]]
    here, scale = evaluate(s), evaluate(s).force_scale
    assert got["energy_after"] == here.energy and got["max_force"] <= 1e-10 * scale
    load = walls.load(s)
    assert got["pressure_after"] == pytest.approx(load.pressure) and got["pressure_before"][1] > 0
    assert done.column("inflation", "force_in")[-1] == pytest.approx(load.normal_force[0])
    assert np.abs(got["net_force"].sum(axis=0)).max() < 1e-7 * scale
    # positions before, moved by the displacement, are the positions now
    before, step = done.fields["position_before"], done.fields["displacement"]
    assert np.abs(before + step - s.unwrapped()).max(initial=0.0) < 1e-12
    assert got["largest_displacement"] == pytest.approx(np.linalg.norm(whole(s, step), axis=1).max(), rel=1e-13)
    assert got["largest_displacement"] > 1e-3
    start = s.renewed()
    start.displacement[: start.n_owned] -= start.reorder(s.id[: s.n_owned], step)
    start.walls = s.walls.inflated(r_in)
    start.update()
    assert evaluate(start).energy == pytest.approx(got["energy_before"], rel=1e-12)
    assert (done.fields["d2min"] >= 0).all() and ranks.total(world, float(done.fields["d2min"].sum())) > 0
    assert s.fields == {} and re.match(r"inflate: r_in .* in 2 steps, energy ", done.lines[0])


def test_small_inflation_is_linear(alone):
    """u = d_0 H^+ (phi'' n of the contacts with the inner wall), and dU = d_0 F_in + d_0^2/2 (...): the trapezoid of F_in."""
    s = minimum(alone, CASES[0])
    found, d_0 = walls.contacts(s), 1e-5
    inner = ~found.outer
    push = np.zeros((s.n_owned, 2))
    np.add.at(push, found.row[inner], found.curvature[inner, None] * found.normal[inner])
    matrix = dense(Hessian(s))
    expected = d_0 * (np.linalg.pinv(matrix, rcond=1e-12, hermitian=True) @ push.ravel()).reshape(-1, 2)
    order = np.argsort(s.id[: s.n_owned])
    expected = expected[order]
    done = run(s, d_0=d_0, force_tolerance=1e-12)
    assert np.abs(whole(s, done.fields["displacement"]) - expected).max() < 1e-3 * np.abs(expected).max()
    force, energy = done.column("inflation", "force_in"), done.column("inflation", "energy")
    assert energy[1] - energy[0] == pytest.approx(d_0 * force.mean(), rel=1e-6)


def test_elastic_medium(world):
    """A hexagonal lattice of springs is isotropic: the shape of d_el of Kumar et al., eq. 2, and nearly its amplitude.

    The springs at the walls give way, so the amplitude is that of a slightly different annulus. The start is no perfect lattice,
    from where rounding errors would choose the minimum.
    """
    model = replace(MODELS["harmonic"], mixing=Mixing(energy_power=2), sizes=Sizes("power", 1.0, 1.0))
    i, j = (n.ravel() for n in np.meshgrid(np.arange(-40, 41), np.arange(-40, 41)))
    place = 0.8 * np.stack([i + 0.5 * j, np.sqrt(0.75) * j], axis=1)
    r_in, r_out = 4.0, 16.0
    r = np.linalg.norm(place, axis=1)
    place = place[(r > r_in + 0.45) & (r < r_out - 0.45)]
    place = place + np.random.default_rng(2).normal(0.0, 0.02, place.shape)
    s = system_between(world, model, place, np.ones(len(place)), r_in, r_out)
    done = run(s, d_0=1e-4, force_tolerance=1e-12)
    x = whole(s, done.fields["position_before"]) - np.array(s.walls.centre)
    u, r = whole(s, done.fields["displacement"]), np.linalg.norm(x, axis=1)
    radial = (u * x).sum(axis=1) / r
    elastic = 1e-4 * (r**2 - r_out**2) / (r_in**2 - r_out**2) * r_in / r
    inside = (r > 5.5) & (r < 14.5)
    amplitude = (radial * elastic)[inside].sum() / (elastic**2)[inside].sum()
    assert amplitude == pytest.approx(1.0, abs=0.12)
    for low in np.arange(5.5, 13.6, 1.0):
        ring = (r > low) & (r < low + 1)
        assert radial[ring].mean() == pytest.approx(amplitude * elastic[ring].mean(), abs=0.02e-4)
    around = u[:, 1] * x[:, 0] - u[:, 0] * x[:, 1]
    assert abs(around.sum()) < 1e-3 * np.abs(around).sum()         # forces without torque do not turn the whole
    assert done.results["energy_after"] > done.results["energy_before"]


def test_any_number_of_ranks(world, alone):
    """The same response as one rank, of a stable glass and a small inflation."""
    single = minimum(alone, CASES[0])
    arrays = single.configuration()
    order = np.argsort(arrays["id"])
    mine = slice(*ranks.block(single.n_total, world.size, world.rank))
    rows = {name: values[order][mine] for name, values in arrays.items() if name != "walls"}
    s = System(world, single.model, single.box, {**rows, "walls": arrays["walls"]})
    together, apart = run(s, d_0=1e-3, force_tolerance=1e-12), run(single, d_0=1e-3, force_tolerance=1e-12)
    u, v = whole(s, together.fields["displacement"]), whole(single, apart.fields["displacement"])
    assert np.abs(u - v).max() < 1e-8 and np.abs(u).max() > 1e-4
    assert together.results["energy_after"] == pytest.approx(apart.results["energy_after"], rel=1e-12)


@pytest.mark.parametrize("stop_at", [1, 4, 12])
@pytest.mark.parametrize("algorithm", ["cg", "fire"])
def test_resume_to_the_bit(world, stop_at, algorithm):
    """Stopped in the first, second and last minimisation."""
    keys = {"d_0": 0.1, "steps": 3, "algorithm": algorithm, "force_tolerance": 1e-8}
    s = minimum(world, CASES[0])
    s.move(1e-3 * np.sin(1.0 + s.id[: s.n_owned, None] * np.arange(1.0, 3.0)))
    s.update()
    whole_run, state = Run(), s.state()
    run(s, whole_run, **keys)
    assert whole_run.points > 12
    first = Run(stop_at=stop_at)
    t = System.from_state(world, s.model, *state)
    with pytest.raises(Interrupted):
        run(t, first, **keys)
    kept, saved = first.kept, t.state()
    again = System.from_state(world, s.model, *saved)
    second = run(again, Run(restored=Snapshot(kept.scalars, kept.fields), rows=first.rows), **keys)
    assert second.rows == whole_run.rows
    for name in ("displacement", "d2min", "position_before"):
        assert np.array_equal(whole(again, second.fields[name]), whole(s, whole_run.fields[name])), name
    for name, value in whole_run.results.items():
        assert np.array_equal(second.results[name], value), name
    assert second.lines == whole_run.lines


def test_too_far(world):
    """The wall runs over particles in one jump, and pushes them away in many."""
    s = minimum(world, ("ipl12", 2, 0.9, 1.0, 7.0))
    copy = s.renewed()
    with pytest.raises(PhysicsError, match=r"particle \d+ is beyond a wall: .* take more `steps`"):
        run(s, d_0=1.5)
    assert run(copy, d_0=1.5, steps=15, force_tolerance=1e-6).results["r_in_after"] == 2.5


def test_needs_walls(world):
    with pytest.raises(PhysicsError, match="not between walls"):
        run(glass(world, "ipl12-2d"), d_0=0.1)


INPUT = """
[system]
model = "ipl12"
density = 1.0
r_in = 0.65
r_out = 12.0
%s
[[stage]]
kind = "quench"
[[stage]]
kind = "inflate"
%s
"""


def test_input():
    config = Config.parse(INPUT % ("", "d_0 = 0.1"), "input.toml")
    assert config.system.particles == round(np.pi * (144 - 0.65**2)) and config.system.density == 1.0
    assert Config.parse(config.to_toml(), "resolved.toml") == config
    by_number = Config.parse((INPUT % ("", "fraction = 0.2")).replace("density = 1.0", "particles = 400"), "input.toml")
    assert by_number.system.density == pytest.approx(400 / (np.pi * (144 - 0.65**2)))
    solid = Config.parse((INPUT % ("dimension = 3", "fraction = 0.2")).replace("r_out = 12.0", "r_out = 6.0"), "input.toml")
    assert solid.system.particles == round(4 / 3 * np.pi * (216 - 0.65**3))


@pytest.mark.parametrize("system,stage,message", [
    ("", "", "give either d_0 or fraction"),
    ("", "d_0 = 0.1\nfraction = 0.1", "give either d_0 or fraction"),
    ("", "d_0 = -0.1", "must be > 0"),
    ("", "d_0 = 0.1\nsteps = 0", "must be >= 1"),
    ("", "d_0 = 0.5", "into particles .* take more steps"),
    ("", "fraction = 20\nsteps = 1000", "too near to the outer one"),
    ("tilt = [0.1]", "d_0 = 0.1", "no meaning between walls"),
    ('start = "lattice"', "d_0 = 0.1", "starts at random"),
    ("particles = 100", "d_0 = 0.1", "do not fill the volume"),
    ("", 'd_0 = 0.1\n[[stage]]\nkind = "shear"\nmax_strain = 0.1', "needs a periodic cell"),
    ("", 'd_0 = 0.1\n[[stage]]\nkind = "quench"\npressure = 1.0', "no target pressure"),
])
def test_wrong_input(system, stage, message):
    with pytest.raises(InputError, match=message):
        Config.parse(INPUT % (system, stage), "input.toml")


@pytest.mark.parametrize("old,new,message", [
    ("r_out = 12.0", "", "walls need r_in < r_out"), ("r_out = 12.0", "r_out = 0.5", "walls need r_in < r_out"),
    ("r_out = 12.0", "r_out = 2.0", "less than two of the largest diameters"), ("density = 1.0", "", "density is missing"),
    ("r_in = 0.65\nr_out = 12.0", "particles = 100", "there are no walls to move")])
def test_wrong_walls(old, new, message):
    text = INPUT % ("", "d_0 = 0.1")
    assert old in text
    if "particles" in new:
        text = text.replace("density = 1.0\n", "")
    with pytest.raises(InputError, match=message):
        Config.parse(text.replace(old, new), "input.toml")


def test_params_alone():
    with pytest.raises(ValidationError, match="either d_0 or fraction"):
        InflateParams()
    assert InflateParams(fraction=0.2).inflation(2.0) == pytest.approx(0.4) and InflateParams(d_0=0.3).inflation(2.0) == 0.3


def test_a_whole_minimum(world):
    """to_minimum keeps everybody between the walls, from any start."""
    s = between(world, "harmonic", 2, 0.9, 2.0, 8.0)
    to_minimum(s, "fire", 1e-9, 100_000)
    walls.check_inside(s, "")
    radius = np.linalg.norm(s.position - np.array(s.walls.centre), axis=1)
    assert ((radius > s.walls.r_in) & (radius < s.walls.r_out)).all()

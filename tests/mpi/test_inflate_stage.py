"""The stage `inflate`: what it stores, elasticity, resume, what it refuses."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from glasses import glass, whole
from pydantic import ValidationError
from test_modes_stage import Recorder
from test_walls import CASES, between, dense, minimum, moved, system_between

from hpcglass import registry
from hpcglass.config import Config
from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.errors import InputError, Interrupted, PhysicsError
from hpcglass.landscape import walls
from hpcglass.landscape.forces import evaluate
from hpcglass.landscape.matrix.factors import Inverse
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.moves.quasistatic import choice
from hpcglass.moves.relax import to_minimum
from hpcglass.potentials.library import MODELS
from hpcglass.potentials.model import Mixing, Sizes
from hpcglass.stages.base import Snapshot
from hpcglass.stages.inflate import InflateParams


class Run(Recorder):
    """Keeps fields in the order of ids; stops at a safe point when told to; goes on from where `other` was stopped."""

    def __init__(self, other=None, stop_at=-1):
        super().__init__()
        self.stop_at, self.points = stop_at, 0
        if other is not None:
            self.restored, self.tables, self.results = Snapshot(other.kept.scalars), other.tables, other.results
            self.fields, self.lines = other.fields, other.lines

    def field(self, name, values, units="", long_name=""):
        self.fields[name] = whole(self.system, values)

    def safe_point(self, step, total, snapshot, note=""):
        self.points += 1
        if self.points == self.stop_at:
            self.kept = snapshot()
            raise Interrupted("stopped")


def run(s, context=None, **params):
    context = context or Run()
    context.system = s
    registry.stages()["inflate"](InflateParams(**params)).run(s, context)
    return context


@pytest.mark.few_ranks
@pytest.mark.parametrize("case", [CASES[0], CASES[1], CASES[4]], ids=["ipl12", "ipl10-3d", "lj-binary"])
def test_what_is_stored(world, case):
    s = between(world, *case)
    done = run(s, fraction=0.1, steps=2)
    r_in, r_out = case[3:]
    got, row = done.results, done.tables["inflation"][0]
    assert (got["r_in"], got["r_out"]) == (r_in, r_out) and row["d_0"] == pytest.approx(0.1 * r_in, rel=1e-15)
    assert s.walls.r_in == pytest.approx(1.1 * r_in) and got["centre"].tolist() == list(s.walls.centre)
    path = {name: done.column("wall", name) for name in done.tables["wall"][0]}
    assert path["inflation"].tolist() == [-1, 0, 0, 0, 0] and path["step"].tolist() == [0, 1, 2, 3, 4]
    assert path["r_in"] == pytest.approx([r_in, 1.05 * r_in, 1.1 * r_in, 1.05 * r_in, r_in])
    assert path["energy"][[0, 2]].tolist() == [got["energy_before"], row["energy_after"]]
    assert row["energy_change"] == path["energy"][2] - path["energy"][0]
    assert row["energy_plastic"] == path["energy"][4] - path["energy"][0]
    assert row["energy_elastic"] == path["energy"][2] - path["energy"][4]
    work = 0.5 * (path["force_in"][1:3] + path["force_in"][:2]).sum() * 0.05 * r_in
    assert row["work"] == pytest.approx(work, rel=1e-12) and row["dissipated"] == pytest.approx(work - row["energy_change"])
    assert row["evaluations"] == path["evaluations"][1:].sum() and done.step == 1
    # the stage leaves the inflated glass
    here, scale = evaluate(s), evaluate(s).force_scale
    assert row["energy_after"] == pytest.approx(here.energy, rel=1e-14) and row["max_force"] <= 1e-10 * scale
    load = walls.load(s)
    assert [row["pressure_in"], row["pressure_out"]] == pytest.approx(load.pressure) and got["pressure_before"][1] > 0
    assert path["force_in"][2] == pytest.approx(load.normal_force[0]) and row["imbalance"] < 1e-7 * scale
    # positions before, moved by the displacement, are the positions now
    before, step = done.fields["position_before"], done.fields["displacement"]
    assert np.abs(before + step - whole(s, s.unwrapped())).max() < 1e-12
    assert row["largest_displacement"] == pytest.approx(np.linalg.norm(step, axis=1).max(), rel=1e-13)
    assert row["largest_displacement"] > 1e-3
    start = moved(s, -step)
    start.walls = s.walls.inflated(r_in)
    assert evaluate(start).energy == pytest.approx(got["energy_before"], rel=1e-12)
    assert (done.fields["d2min"] >= 0).all() and done.fields["d2min"].sum() > 0
    assert s.fields == {} and re.match(r"inflate: r_in .*, energy .* \(plastic ", done.lines[0])


@pytest.mark.few_ranks
@pytest.mark.parametrize("case", [CASES[0], CASES[1]], ids=["ipl12", "ipl10-3d"])
def test_each_size_starts_from_the_same_minimum(world, case):
    """Several sizes in one stage are what each gives alone, to the bit."""
    s, *copies = [minimum(world, case).renewed() for _ in range(3)]
    r_in, sizes = case[3], (0.15, 0.05)
    together = run(s, fraction=list(sizes), force_tolerance=1e-8)
    assert together.column("inflation", "d_0") == pytest.approx(np.multiply(sizes, r_in)) and together.step == 2
    for k, (copy, size) in enumerate(zip(copies, sizes, strict=True)):
        alone = run(copy, fraction=size, force_tolerance=1e-8)
        assert alone.tables["inflation"] == [together.tables["inflation"][k]]
        for name in ("displacement", "d2min"):
            assert np.array_equal(alone.fields[name], together.fields[f"{name}_{k}"])
    assert np.array_equal(whole(copies[1], copies[1].position), whole(s, s.position)) and s.walls == copies[1].walls


@pytest.mark.few_ranks
@pytest.mark.needs("cholmod", "mumps")
@pytest.mark.parametrize("case", [CASES[0], CASES[4]], ids=["ipl12", "lj-binary"])
def test_the_end_by_factors(world, case, monkeypatch):
    """As large glasses do: the same minima in fewer evaluations. Only the rotation has no stiffness."""
    s, copy = [minimum(world, case).renewed() for _ in range(2)]
    params = {"fraction": [0.02, 0.05], "force_tolerance": 1e-10}
    plain = run(copy, **params)
    monkeypatch.setattr(choice, "FEWEST", 0)
    inverse = Inverse(Hessian(s))
    force = np.random.default_rng(1).normal(size=(s.n_total, 2))[s.id[: s.n_owned]]
    answer = inverse.apply(force)
    left = inverse.hessian.vector(answer), inverse.hessian.vector()
    inverse.hessian.matrix.mult(*left)
    rest = inverse.hessian.rows(left[1]) - force
    turning = inverse.hessian.rows(inverse.hessian.translations[0])
    turning /= np.sqrt(ranks.total(world, float((turning**2).sum())))
    rest += ranks.total(world, float((turning * force).sum())) * turning
    assert inverse.stable and ranks.largest(world, float(np.abs(rest).max(initial=0.0))) < 1e-8
    inverse.destroy()
    found = run(s, **params)
    for k in range(2):
        few, many = found.tables["inflation"][k], plain.tables["inflation"][k]
        assert few["evaluations"] < 0.7 * many["evaluations"]
        assert few["energy_change"] == pytest.approx(many["energy_change"], abs=1e-9)
        assert np.abs(found.fields[f"displacement_{k}"] - plain.fields[f"displacement_{k}"]).max() < 1e-6


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
    assert np.abs(done.fields["displacement"] - expected).max() < 1e-3 * np.abs(expected).max()
    row = done.tables["inflation"][0]
    assert row["energy_change"] == pytest.approx(row["work"], rel=1e-6)


def network(comm, displaced):
    """A hexagonal lattice of springs between walls, every particle a little off its place."""
    model = replace(MODELS["harmonic"], mixing=Mixing(energy_power=2), sizes=Sizes("power", 1.0, 1.0))
    i, j = (n.ravel() for n in np.meshgrid(np.arange(-40, 41), np.arange(-40, 41)))
    place = 0.8 * np.stack([i + 0.5 * j, np.sqrt(0.75) * j], axis=1)
    r_in, r_out = 4.0, 16.0
    r = np.linalg.norm(place, axis=1)
    place = place[(r > r_in + 0.45) & (r < r_out - 0.45)]
    place = place + np.random.default_rng(2).normal(0.0, displaced, place.shape)
    return system_between(comm, model, place, np.ones(len(place)), r_in, r_out)


@pytest.mark.few_ranks
def test_an_elastic_medium_gives_all_energy_back(world):
    """Without events the plastic part is round-off of the energy, and the dissipation the trapezoid's error, ~ 1/steps^2."""
    s = network(world, 0.02)
    rows = [run(s.renewed(), d_0=0.05, steps=steps, force_tolerance=1e-11).tables["inflation"][0] for steps in (2, 4)]
    for row in rows:
        assert row["energy_elastic"] > 0.1 and abs(row["energy_plastic"]) < 1e-12 * abs(row["energy_after"])
        assert row["remaining"] < 1e-6       # the rotation costs nothing
        assert row["energy_elastic"] + row["energy_plastic"] == pytest.approx(row["energy_change"], rel=1e-12)
    assert abs(rows[0]["dissipated"]) < 1e-2 * rows[0]["energy_change"]
    assert rows[1]["dissipated"] == pytest.approx(rows[0]["dissipated"] / 4, rel=0.1)
    without = run(s.renewed(), d_0=0.05, steps=2, deflate=False, force_tolerance=1e-11).tables["inflation"][0]
    assert np.isnan(without["energy_plastic"]) and np.isnan(without["remaining"])
    assert without["energy_change"] == pytest.approx(rows[0]["energy_change"], rel=1e-12)


@pytest.mark.few_ranks
def test_a_glass_does_not(world):
    """A far inflation of a fresh quench, in small steps: events, each of which loses energy; the way back is another one."""
    s = minimum(world, CASES[0])
    done = run(s, d_0=0.5, steps=20, force_tolerance=1e-7)
    row, energy = done.tables["inflation"][0], done.column("wall", "energy")
    assert row["dissipated"] > 0.05 and row["remaining"] > 0.1
    assert row["energy_plastic"] == energy[-1] - energy[0] != 0.0
    # on no step does the glass gain more than the wall's work, up to the curvature of its branch
    force, r_in = done.column("wall", "force_in"), done.column("wall", "r_in")
    lost = 0.5 * (force[1:] + force[:-1]) * np.diff(r_in) - np.diff(energy)
    assert lost.min() > -0.02 and lost.max() > 1.0


@pytest.mark.few_ranks
def test_elastic_medium(world):
    """A hexagonal lattice of springs is isotropic: the shape of d_el of Kumar et al., eq. 2, and nearly its amplitude.

    The springs at the walls give way, so the amplitude is that of a slightly different annulus. The start is no perfect lattice,
    from where rounding errors would choose the minimum.
    """
    r_in, r_out = 4.0, 16.0
    s = network(world, 0.02)
    done = run(s, d_0=1e-4, force_tolerance=1e-12)
    x = done.fields["position_before"] - np.array(s.walls.centre)
    u, r = done.fields["displacement"], np.linalg.norm(x, axis=1)
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
    assert done.tables["inflation"][0]["energy_change"] > 0


def test_any_number_of_ranks(world, alone):
    """The same response as one rank, of a stable glass and a small inflation."""
    single = minimum(alone, CASES[0])
    arrays = single.configuration()
    order = np.argsort(arrays["id"])
    mine = slice(*ranks.block(single.n_total, world.size, world.rank))
    rows = {name: values[order][mine] for name, values in arrays.items() if name != "walls"}
    s = System(world, single.model, single.box, {**rows, "walls": arrays["walls"]})
    together, apart = run(s, d_0=1e-3, force_tolerance=1e-12), run(single, d_0=1e-3, force_tolerance=1e-12)
    u, v = together.fields["displacement"], apart.fields["displacement"]
    assert np.abs(u - v).max() < 1e-8 and np.abs(u).max() > 1e-4
    rows = [done.tables["inflation"][0] for done in (together, apart)]
    for name in ("energy_after", "work", "pressure_in"):
        assert rows[0][name] == pytest.approx(rows[1][name], rel=1e-12), name


@pytest.mark.parametrize("algorithm", ["cg", pytest.param("factors", marks=pytest.mark.needs("cholmod", "mumps")),
                                       pytest.param("fire", marks=pytest.mark.few_ranks)])
def test_resume_to_the_bit(world, algorithm, monkeypatch):
    """Stopped in the first minimisation, on the way out and back, in the second inflation; checkpoints go to 17 decimals."""
    if algorithm == "factors":
        monkeypatch.setattr(choice, "FEWEST", 0)
        algorithm = "cg"
    keys = {"d_0": [0.1, 0.05], "steps": 2, "algorithm": algorithm, "force_tolerance": 1e-7}
    s = minimum(world, CASES[0])
    s.move(1e-3 * np.sin(1.0 + s.id[: s.n_owned, None] * np.arange(1.0, 3.0)))
    s.update()
    straight, state = Run(), s.state()
    run(s, straight, **keys)
    stops = sorted({1, *np.linspace(2, straight.points, 5).astype(int).tolist()})
    stopped_in = set()
    for stop_at in stops:
        t, first = System.from_state(world, s.model, *state), Run(stop_at=stop_at)
        with pytest.raises(Interrupted):
            run(t, first, **keys)
        kept = first.kept.scalars
        assert all(np.asarray(value).dtype.kind in "biufc" for value in kept.values())
        stopped_in.add((kept["number"], kept["step"] > 2))
        if stop_at < straight.points:       # and once more at the next safe point
            t, first = System.from_state(world, s.model, *t.state()), Run(first, stop_at=1)
            with pytest.raises(Interrupted):
                run(t, first, **keys)
        again = System.from_state(world, s.model, *t.state())
        second = run(again, Run(first), **keys)
        assert second.tables == straight.tables and second.lines == straight.lines
        assert second.fields.keys() == straight.fields.keys() and second.results.keys() == straight.results.keys()
        for found, wanted in ((second.fields, straight.fields), (second.results, straight.results)):
            assert all(np.array_equal(found[name], value) for name, value in wanted.items())
        assert np.array_equal(whole(again, again.position), whole(s, s.position)) and again.walls == s.walls
    assert {number for number, _ in stopped_in} == {-1, 0, 1} and (0, True) in stopped_in | {(1, True)}


@pytest.mark.few_ranks
def test_stops_between_short_minimisations(world):
    """Twenty steps of the wall, few evaluations each: one can stop, and go on, between any two."""
    keys = {"d_0": 1e-3, "steps": 10, "force_tolerance": 1e-3}
    s = minimum(world, CASES[0])
    straight, state = Run(), s.state()
    run(s, straight, **keys)
    evaluations = straight.column("wall", "evaluations")
    assert evaluations.max() < 20 and straight.points == len(evaluations) == 21
    for stop_at in (1, 2, 8, 21):
        t, first = System.from_state(world, s.model, *state), Run(stop_at=stop_at)
        with pytest.raises(Interrupted):
            run(t, first, **keys)
        assert len(first.tables["wall"]) == stop_at - 1
        again = System.from_state(world, s.model, *t.state())
        second = run(again, Run(first), **keys)
        assert second.tables == straight.tables and second.fields.keys() == straight.fields.keys()
        assert all(np.array_equal(second.fields[name], value) for name, value in straight.fields.items())
        assert np.array_equal(whole(again, again.position), whole(s, s.position)) and again.walls == s.walls


@pytest.mark.few_ranks
def test_too_far(world):
    """The wall runs over particles in one jump, and pushes them away in many."""
    s = minimum(world, ("ipl12", 2, 0.9, 1.0, 7.0))
    copy = s.renewed()
    with pytest.raises(PhysicsError, match=r"particle \d+ is beyond a wall: .* take more `steps`"):
        run(s, d_0=1.5)
    run(copy, d_0=1.5, steps=15, deflate=False, force_tolerance=1e-6)
    assert copy.walls.r_in == 2.5


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
    ("", "d_0 = -0.1", r"d_0.*must be > 0"),
    ("", "d_0 = [0.1, 0.0]", r"d_0.*must be > 0"),
    ("", 'd_0 = "far"', r"d_0.*must be a number"),
    ("", "d_0 = []", r"d_0.*at least 1"),
    ("", "d_0 = [0.1, 0.5]", "into particles .* take more steps"),
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
    assert InflateParams(fraction=[0.2, 0.1]).inflations(2.0) == pytest.approx([0.4, 0.2])
    assert InflateParams(d_0=0.3).inflations(2.0) == [0.3] and InflateParams(d_0=(0.1, 0.3)).inflation(2.0) == 0.3


def test_a_whole_minimum(world):
    """to_minimum keeps everybody between the walls, from any start."""
    s = between(world, "harmonic", 2, 0.9, 2.0, 8.0)
    to_minimum(s, "fire", 1e-9, 100_000)
    walls.check_inside(s, "")
    radius = np.linalg.norm(s.position - np.array(s.walls.centre), axis=1)
    assert ((radius > s.walls.r_in) & (radius < s.walls.r_out)).all()

"""Long quasistatic loadings, on one rank: many events, sizes of steps, cycles, a strain of 20, and what no cell may change."""

from __future__ import annotations

import numpy as np
import pytest
from glasses import arrays, glass, liquid, whole
from mpi4py import MPI
from recorder import Stopped, Stopping

from hpcglass.core.system import System
from hpcglass.geometries.periodic import deformation, pure_shear, simple_shear
from hpcglass.landscape.forces import evaluate
from hpcglass.stages.shear.params import ShearParams
from hpcglass.stages.shear.run import Shear

EVENT = 1e-3        # energy of what counts as an event here


class Kept(Stopping):
    """Remembers every safe point; stops at one."""

    def frame(self, step, time=0.0, **fields):
        pass

    def safe_point(self, step, total, snapshot, note=""):
        if len(self.tables["loading"]) - 1 == self.stop:
            self.saved, self.state = snapshot(), self.system.state()
            raise Stopped


def run(system, restored=None, tables=None, **params):
    recorder = Kept(system, None, restored, tables)
    Shear(ShearParams(event_energy=params.pop("event_energy", EVENT), **params)).run(system, recorder)
    return recorder


def loaded(name, **params):
    return run(glass(MPI.COMM_SELF, name), event_frames=False, **params)


def large(recorder):
    return [row for row in recorder.tables["events"] if row["energy_drop"] > EVENT]


@pytest.mark.parametrize("name,steps", [("lj-poly-2d", 125), ("ipl12-2d", 115), ("lj-binary-2d", 98)])
def test_the_branch_and_fire_agree_through_ten_events(name, steps):
    """Stress, energy and events at all steps, one glass after the other up to strains of 0.1."""
    fire, branch = (loaded(name, strain_step=1e-3, max_strain=1e-3 * steps, method=method, force_tolerance=1e-12)
                    for method in ("fire", "branch"))
    scale = evaluate(glass(MPI.COMM_SELF, name)).force_scale
    columns = [(column, 1e-10 * scale) for column in ("shear_stress", "stress_xx", "stress_yy", "stress_xy")]
    for column, error in [*columns, ("energy", 1e-9), ("dissipation_density", 1e-10)]:
        assert branch.column("loading", column) == pytest.approx(fire.column("loading", column), abs=error, rel=0), column
    events = large(fire), large(branch)
    assert len(events[0]) >= 10
    assert [(row["step"], row["core_id"]) for row in events[0]] == [(row["step"], row["core_id"]) for row in events[1]]
    assert [row["energy_drop"] for row in events[0]] == pytest.approx([row["energy_drop"] for row in events[1]], abs=1e-8)
    assert branch.results["count_falls"] < 0.3 * steps


@pytest.mark.parametrize("name,strain,sizes,count", [
    ("lj-poly-2d", 0.014, (1e-3, 1e-4, 1e-5), 2), ("lj-binary-2d", 0.024, (1e-3, 1e-4), 3)])
def test_events_do_not_depend_on_the_step(name, strain, sizes, count):
    """The same instabilities to 1e-11 and the same end; energy drops differ by what the trapezoid leaves open in that step.

    The integral of the stress over a step with a drop s at an unknown place is known to h s/2, which is the tolerance below.
    """
    found = []
    for size in sizes:
        done = loaded(name, strain_step=size, max_strain=strain, method="branch", locate=True, force_tolerance=1e-12)
        found.append((done, large(done)))
    volume = glass(MPI.COMM_SELF, name).volume
    finest, expected = found[-1]
    assert len(expected) == count
    for size, (done, events) in zip(sizes, found, strict=True):
        assert len(events) == count
        for row, other in zip(events, expected, strict=True):
            assert row["gamma_c"] == pytest.approx(other["gamma_c"], abs=1e-11)
            assert 0 <= row["strain"] - row["gamma_c"] < size * (1 + 1e-9)
            assert (row["core_id"], row["trigger_id"]) == (other["core_id"], other["trigger_id"])
            open_ = 0.5 * volume * size * row["stress_drop"] + 1e-5
            assert row["energy_drop"] == pytest.approx(other["energy_drop"], abs=open_)
        assert done.results["energy"] == pytest.approx(finest.results["energy"], abs=1e-9)
        assert done.results["stress"] == pytest.approx(finest.results["stress"], abs=1e-9)


def test_two_events_in_one_step_are_one():
    """Their energies add up, and the end is the same; the first instability is that of the event."""
    steps = dict(max_strain=0.025, method="branch", locate=True, force_tolerance=1e-12)
    fine, coarse = (loaded("lj-binary-2d", strain_step=size, **steps) for size in (1e-4, 5e-3))
    first, last = [[row for row in large(each) if row["gamma_c"] > 0.02] for each in (fine, coarse)]
    assert (len(first), len(last)) == (2, 1)
    assert last[0]["gamma_c"] == pytest.approx(first[0]["gamma_c"], abs=1e-11)
    volume = glass(MPI.COMM_SELF, "lj-binary-2d").volume
    assert last[0]["energy_drop"] == pytest.approx(sum(row["energy_drop"] for row in first),
                                                   abs=0.5 * volume * 5e-3 * last[0]["stress_drop"])
    assert coarse.results["energy"] == pytest.approx(fine.results["energy"], abs=1e-9)


def unaccounted(name, size, **params):
    """Energy lost by the trapezoid over all steps, without the events', and those."""
    done = loaded(name, strain_step=size, method="branch", event_energy=1e-4, force_tolerance=1e-12, **params)
    events = done.column("events", "energy_drop")
    return glass(MPI.COMM_SELF, name).volume * done.column("loading", "dissipation_density")[-1] - events.sum(), events


@pytest.mark.parametrize("name,strain", [("lj-poly-2d", 2e-3), ("ipl10-2d", 1e-2)])
def test_work_is_energy_on_a_branch(name, strain):
    """One way, without events: what is left is the error of the trapezoid, of second order."""
    errors = [unaccounted(name, strain / steps, max_strain=strain)[0] for steps in (10, 20, 40)]
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.02) and errors[1] / errors[2] == pytest.approx(4.0, rel=0.01)


def test_work_is_energy_and_dissipation_on_a_cycle():
    """With events that are located to 1e-7: their energies do not depend on the step, and the rest vanishes.

    As its 3/2 power: a branch ends as sigma - sigma_c ~ (gamma_c - gamma)^(1/2), where the trapezoid is no better.
    """
    cycle = dict(max_strain=4e-3, cycles=1, adaptive=True, smallest_step=1e-7)
    (coarse, before), (fine, after) = (unaccounted("lj-poly-2d", size, **cycle) for size in (4e-4, 5e-5))
    assert len(after) == 2 and before == pytest.approx(after, abs=1e-8)
    assert abs(fine) < 1e-4 * after.sum()
    assert 8**1.25 < coarse / fine < 8**1.75


@pytest.mark.parametrize("name,gradient,strain", [
    ("ipl12-2d", simple_shear(2, "xy"), 0.52), ("ipl12-2d", simple_shear(2, "yx"), -0.52),
    ("ipl10-3d", simple_shear(3, "yz"), 0.52), ("ipl12-2d", pure_shear(2, "xy"), 0.15)])
def test_another_cell_of_the_same_lattice_changes_nothing(name, gradient, strain):
    """Energy, stress and forces before and after the cell is re-mapped."""
    model, box, position, diameter, species = arrays(name)
    tilted = np.eye(len(box))
    if not np.diag(gradient).any():
        tilted += 0.9 * strain * gradient
    else:
        tilted[0, 1] = 0.45
    ids = np.arange(len(position))
    periods = np.stack([ids % (2 + axis) - 1 for axis in range(len(box))], axis=1)      # some are in other images
    s = System(MPI.COMM_SELF, model, tilted @ box, {"id": ids, "position": (position + periods @ box.T) @ tilted.T,
                                                    "diameter": diameter, "species": species})
    s.deform(deformation(gradient, 0.1 * strain if not np.diag(gradient).any() else strain))
    epoch, before = s.epoch, s.box.copy()
    assert not s.update()
    old, force, place = evaluate(s), whole(s, evaluate(s).forces), whole(s, s.unwrapped())
    s.rebuild()
    assert s.epoch == epoch + 1 and not np.allclose(s.box, before)
    new = evaluate(s)
    assert new.pairs == old.pairs
    assert new.energy == pytest.approx(old.energy, rel=1e-12)
    assert np.abs(new.stress - old.stress).max() < 1e-12 * np.abs(old.stress).max()
    assert np.abs(whole(s, new.forces) - force).max() < 1e-12 * old.force_scale
    assert np.abs(whole(s, s.unwrapped()) - place).max() < 1e-11


def by_images(system):
    """Energy over all pairs of all images, with positions folded anew into the cell."""
    box, model, diameter = system.box, system.model, system.diameter[: system.n_owned]
    (power_law,) = model.potential.segments
    length = 0.5 * (diameter[:, None] + diameter) * (1 - model.mixing.nonadditivity * abs(diameter[:, None] - diameter))
    position = system.unwrapped()
    apart = position[None] - position[:, None]
    apart -= np.floor(apart @ np.linalg.inv(box).T) @ box.T
    reach = np.ceil(model.largest_cutoff * np.linalg.norm(np.linalg.inv(box), axis=1)).astype(int) + 1
    energy = 0.0
    for a in range(-reach[0], reach[0] + 1):
        for b in range(-reach[1], reach[1] + 1):
            x = np.linalg.norm(apart + box @ [a, b], axis=-1) / length
            x = x[(x < model.potential.cutoff) & (x > 1e-6)]
            energy += 0.5 * sum(c * (x ** float(p)).sum() for p, c in zip(power_law.powers, power_law.coefficients, strict=True))
    return energy


class Recounted(Kept):
    """Compares the energy at every safe point with that of all images."""

    def safe_point(self, step, total, snapshot, note=""):
        if self.tables.get("loading"):      # there is no row yet while it relaxes
            assert by_images(self.system) == pytest.approx(self.tables["loading"][-1]["energy"], rel=1e-11), step


def test_to_a_strain_of_twenty():
    """The cell is re-mapped twenty times; no pair is lost, at any step."""
    s = liquid(MPI.COMM_SELF, "ipl12", 64, 2, seed=3)
    recorder = Recounted(s)
    params = ShearParams(strain_step=0.05, max_strain=20.0, method="fire", force_tolerance=1e-8, event_frames=False)
    Shear(params).run(s, recorder)
    table = recorder.tables["loading"]
    assert len(table) == 401 and table[-1]["strain"] == pytest.approx(20.0, abs=1e-12)
    assert s.box[0, 0] == pytest.approx(8.0, abs=1e-12) and s.box[1, 1] == pytest.approx(8.0, abs=1e-12)
    assert (20.0 * 8.0 - s.box[0, 1]) / 8.0 == pytest.approx(20.0, abs=1e-10)


def test_no_pair_is_lost_where_the_cell_shrinks():
    """Particles approach each other by the affine map alone; the list knows it. At all steps the energy is that of all images."""
    s = liquid(MPI.COMM_SELF, "ipl12", 64, 2, seed=3)
    recorder = Recounted(s)
    Shear(ShearParams(mode="dilation", strain_step=-0.02, max_strain=0.4, method="fire", force_tolerance=1e-8,
                      event_frames=False)).run(s, recorder)
    assert len(recorder.tables["loading"]) == 21


def test_a_list_expires_by_an_affine_map_alone():
    """Compressed at once until pairs outside the list touch."""
    s = glass(MPI.COMM_SELF, "ipl12-2d")
    s.deform(deformation(np.eye(2), -0.01))
    assert not s.update()
    s.deform(deformation(np.eye(2), -0.24))
    assert s.update()
    fresh = System(MPI.COMM_SELF, s.model, s.box, {"id": s.id[: s.n_owned], "position": s.unwrapped(),
                                                 "diameter": s.diameter[: s.n_owned], "species": s.species[: s.n_owned]})
    assert evaluate(s).energy == pytest.approx(evaluate(fresh).energy, rel=1e-12)


@pytest.mark.parametrize("params", [
    dict(strain_step=1e-4, max_strain=3e-3, adaptive=True, smallest_step=1e-6),
    dict(strain_step=5e-4, max_strain=3.5e-3, turning_points=[3.5e-3, 1e-3], locate=True)])
def test_goes_on_to_the_bit_from_every_point_around_an_event(params):
    """Right before it, right after it, and between the halved steps that lead to it."""
    straight_on = glass(MPI.COMM_SELF, "lj-poly-2d")
    through = run(straight_on, method="branch", **params)
    event = int(through.tables["events"][0]["step"])
    for stop in (event - 2, event - 1, event, event + 1):
        s = glass(MPI.COMM_SELF, "lj-poly-2d")
        halted = Kept(s, stop)
        with pytest.raises(Stopped):
            Shear(ShearParams(event_energy=EVENT, method="branch", **params)).run(s, halted)
        again = System.from_state(MPI.COMM_SELF, s.model, *halted.state)
        ended = run(again, halted.saved, halted.tables, method="branch", **params)
        assert all(repr(ended.tables[name]) == repr(through.tables[name]) for name in ("loading", "events")), stop
        assert (whole(again, again.unwrapped()) == whole(straight_on, straight_on.unwrapped())).all()

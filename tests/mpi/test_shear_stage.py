"""The stage `shear`: protocols, events with their instabilities, cycles, and going on from any step to the bit."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from glasses import DATA, glass, whole
from pydantic import ValidationError
from recorder import Stopped, Stopping

from hpcglass.core.system import System
from hpcglass.stages.protocol import Walk, legs
from hpcglass.stages.shear.params import ShearParams
from hpcglass.stages.shear.run import Shear


class Kept(Stopping):
    """Whole fields and frames; stops after a number of safe points."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.frames, self.points, self.notes, self.unloaded = [], 0, [], []

    def field(self, name, values, units="", long_name=""):
        self.fields[name] = whole(self.system, values)

    def frame(self, step, time=0.0, **fields):
        self.frames.append((step, time, {name: whole(self.system, rows) for name, rows in fields.items()}))

    def safe_point(self, step, total, snapshot, note=""):
        self.points += 1
        self.notes.append(note)
        assert 0 <= step <= total
        if "unloaded" in note:
            kept = snapshot()
            rows = {name: whole(self.system, values) for name, values in kept.fields.items()}
            self.unloaded.append({name: np.asarray(value).tolist() for name, value in (kept.scalars | rows).items()})
        if self.points == self.stop:
            self.saved = snapshot()
            self.state = self.system.state()
            raise Stopped


def run(s, stop=None, restored=None, tables=None, kept=Kept, **params):
    recorder = kept(s, stop, restored, tables)
    stage = Shear(ShearParams(**params))
    if stop is None:
        stage.run(s, recorder)
    else:
        with pytest.raises(Stopped):
            stage.run(s, recorder)
    return recorder


def test_legs():
    assert [(leg.start, leg.step, leg.steps) for leg in legs(0.1, -0.03, [], 0)] == [(0.0, -0.03, 3)]
    ends = [leg.start + leg.step * leg.steps for leg in legs(0.2, 0.03, [0.1, -0.2, 0.0], 0)]
    assert ends == pytest.approx([0.1, -0.2, 0.0], abs=1e-15)
    assert [leg.steps for leg in legs(0.1, -0.01, [], 2)] == [10, 20, 10] * 2
    assert legs(0.1, -0.01, [], 1)[0].step < 0


def test_halving_keeps_to_the_grid():
    """Steps halve when told to, double when they may, and meet every whole step."""
    walk = Walk(legs(0.03, 0.01, [], 0), smallest=0.01 / 7)
    assert walk.units == 8
    seen, halved = [], 0
    while not walk.done:
        if 0.011 < walk.ahead and walk.strain < 0.012 and halved < 3:
            assert walk.halve()
            halved += 1
            continue
        assert walk.ahead == pytest.approx(walk.strain + walk.step, abs=1e-15)
        walk = Walk(walk.path, 0.01 / 7, walk.scalars)
        walk.advance()
        seen.append(walk.strain)
    steps = np.diff([0.0, *seen]) / 0.01
    assert steps == pytest.approx([1, 1 / 8, 1 / 8, 1 / 4, 1 / 2, 1])
    assert not Walk(legs(0.03, 0.01, [], 0)).halve()


@pytest.mark.few_ranks
@pytest.mark.parametrize("name,step,steps", [("ipl12-2d", 2e-4, 88), ("lj-poly-2d", 2e-4, 68)])
def test_the_branch_and_fire_agree_through_events(world, name, step, steps):
    """The same stress, energy and events at every step; far fewer force evaluations."""
    if name == "ipl12-2d" and world.size > 1:
        pytest.skip("one glass is enough on several ranks")
    fire, branch = (run(glass(world, name), strain_step=step, max_strain=steps * step, method=method, event_frames=False,
                        event_energy=1e-4)
                    for method in ("fire", "branch"))
    assert len(fire.tables["loading"]) == len(branch.tables["loading"]) == steps + 1
    for column, error in (("strain", 1e-15), ("shear_stress", 3e-9), ("pressure", 3e-9), ("energy", 1e-8)):
        assert branch.column("loading", column) == pytest.approx(fire.column("loading", column), abs=error)
    large = branch.column("events", "energy_drop") > 1e-4
    assert large.sum() >= 2
    for column in ("step", "core_id"):
        assert branch.column("events", column)[large].tolist() == fire.column("events", column).tolist()
    assert branch.results["count_evaluations"] < 0.2 * fire.results["count_evaluations"]
    assert branch.results["count_factorisations"] < 0.4 * steps
    assert branch.column("loading", "max_force").max() < 1e-8


def reference(name, key):
    with h5py.File(DATA / f"{name}.h5") as file:
        group = file["reference/aqs"]
        return group[key][()] if key in group else group.attrs[key]


def test_events_are_located(world):
    """The first event of a loading: strain, mode, trigger, in the table and with the frames."""
    name = "lj-poly-2d"
    done = run(glass(world, name), strain_step=1e-4, max_strain=3e-3, method="branch", locate=True)
    event = done.tables["events"][0]
    assert event["gamma_c"] == pytest.approx(2.64431755517e-3, abs=1e-11)
    assert 0 < event["gamma_c"] - reference(name, "last_stable_strain") < reference(name, "bracket")
    assert abs(event["critical_eigenvalue"]) < 1e-6
    mode = reference(name, "critical_mode")
    size = (mode**2).sum(axis=1)
    assert event["trigger_id"] == size.argmax()
    assert event["critical_participation"] == pytest.approx(size.sum()**2 / (len(size) * (size**2).sum()), rel=1e-2)
    assert event["stress"] < event["sigma_c"] + 1e-3 and event["stress_drop"] == pytest.approx(event["drop_xy"], abs=1e-12)
    assert event["size"] == pytest.approx(400 * event["participation"])
    (before, _, _), (after, strain, fields) = done.frames[:2]
    assert (before, after) == (26, 27) and strain == pytest.approx(2.7e-3)
    assert abs((fields["critical_mode"] * mode).sum()) > 0.999 * np.linalg.norm(mode)


@pytest.mark.few_ranks
def test_adaptive_steps_end_at_the_instability(world):
    """The last state before the event lies within the smallest step below gamma_c, by either method."""
    for method in ("branch", "fire"):
        done = run(glass(world, "lj-poly-2d"), strain_step=2e-4, max_strain=2.8e-3, method=method, adaptive=True,
                   smallest_step=1e-6)
        events = done.tables["events"]
        assert len(events) == 1
        last = done.column("loading", "strain")[int(events[0]["step"]) - 1]
        assert 0 < 2.64431755517e-3 - last < 1.1e-6
        assert done.column("loading", "strain")[-1] == pytest.approx(2.8e-3, abs=1e-15)


@pytest.mark.few_ranks
@pytest.mark.parametrize("mode,gradient", [("simple", "xy"), ("pure", "xy"), ("dilation", "xy")])
def test_an_elastic_branch_is_reversible(world, mode, gradient):
    """Forward and back to where it started, without an event: the same energy and stress; what was dissipated is nothing."""
    s = glass(world, "ipl10-2d")
    done = run(s, mode=mode, plane=gradient, strain_step=1e-4, max_strain=2e-3, turning_points=[2e-3, -1e-3, 0.0],
               method="branch", force_tolerance=1e-12)
    assert done.strain == 0.0 and not done.tables["events"]
    table = done.tables["loading"]
    assert len(table) == 61 and table[20]["strain"] == pytest.approx(2e-3, abs=1e-16)
    for column in ("shear_stress", "energy", "pressure"):
        values = done.column("loading", column)
        assert values[-1] == pytest.approx(values[0], rel=1e-12, abs=1e-10)
        assert values[30] == pytest.approx(values[10], rel=1e-12, abs=1e-10)
    assert abs(table[-1]["dissipation_density"]) < 1e-10
    assert done.results["count_falls"] == 0


@pytest.mark.few_ranks
@pytest.mark.parametrize("method", ["branch", "fire"])
def test_work_is_energy_and_dissipation(world, method):
    """Along a cycle through events, the work (trapezoid over all steps) is what was gained and what was lost."""
    s = glass(world, "lj-poly-2d")
    done = run(s, strain_step=2e-4, max_strain=4e-3, cycles=1, method=method, event_frames=False)
    assert done.column("loading", "strain")[[20, 60, 80]] == pytest.approx([4e-3, -4e-3, 0.0], abs=1e-15)
    strain, stress, energy = (done.column("loading", name) for name in ("strain", "shear_stress", "energy"))
    work = s.volume * (0.5 * (stress[1:] + stress[:-1]) * np.diff(strain)).sum()
    lost = s.volume * done.column("loading", "dissipation_density")[-1]
    assert len(done.tables["events"]) >= 2 and lost > 0
    assert work == pytest.approx(energy[-1] - energy[0] + lost, rel=1e-9)
    assert lost == pytest.approx(done.column("events", "energy_drop").sum(), rel=0.02)


@pytest.mark.parametrize("method,stop", [("branch", 12), ("branch", 27), ("branch", 28),
                                         pytest.param("fire", 27, marks=pytest.mark.few_ranks)])
def test_goes_on_to_the_bit(world, method, stop):
    """Stopped in the middle of a branch, at and after an event."""
    params = dict(strain_step=1e-4, max_strain=3.5e-3, method=method, locate=method == "branch", frames_every=7)
    straight_on = glass(world, "lj-poly-2d")
    through = run(straight_on, **params)
    halted = run(glass(world, "lj-poly-2d"), stop=stop, **params)
    again = System.from_state(world, straight_on.model, *halted.state)
    ended = run(again, restored=halted.saved, tables=halted.tables, **params)
    assert len(through.tables["events"]) > 0
    for name in ("loading", "events"):
        assert repr(ended.tables[name]) == repr(through.tables[name])
    assert {k: np.asarray(v).tolist() for k, v in ended.results.items()} == {
        k: np.asarray(v).tolist() for k, v in through.results.items()}
    assert (whole(again, again.unwrapped()) == whole(straight_on, straight_on.unwrapped())).all()
    assert all((ended.fields[name] == through.fields[name]).all() for name in through.fields)


@pytest.mark.few_ranks
def test_reversal_of_events(world):
    """A small event leaves no trace after unloading by 1e-3; the next, larger one does."""
    s = glass(world, "ipl12-2d")
    done = run(s, strain_step=2e-4, max_strain=0.018, method="branch", reverse=True, reverse_strain=3e-3, event_frames=False)
    small, large = done.tables["events"]
    assert (small["reversible"], large["reversible"]) == (1.0, 0.0)
    assert small["energy_drop"] < 1e-3 < large["energy_drop"] and np.isnan(large["recovering_strain"])
    assert small["recovering_strain"] == pytest.approx(small["strain"] - 1e-3, abs=1e-9)
    # by hand: there and back, down to the recovering strain, as if nothing had happened
    back, there = (run(glass(world, "ipl12-2d"), strain_step=2e-4, max_strain=0.015, method="fire", turning_points=points,
                       force_tolerance=1e-12) for points in ([0.015, 0.0138], [0.0138]))
    assert back.results["energy"] == pytest.approx(there.results["energy"], abs=1e-9)


@pytest.mark.parametrize("method", ["branch", pytest.param("fire", marks=pytest.mark.few_ranks)])
def test_unloading_goes_on_to_the_bit(world, method):
    """Stopped twice in the middle of unloading after an event, which is in the last step."""
    params = dict(strain_step=4e-4, max_strain=2.8e-3, method=method, reverse=True, reverse_strain=1.2e-3, force_tolerance=1e-8)
    straight_on = glass(world, "lj-poly-2d")
    through = run(straight_on, **params)
    within = [number for number, note in enumerate(through.notes, 1) if "unloaded" in note]
    assert len(through.tables["events"]) == 1 and within == [8, 9, 10]
    first = run(glass(world, "lj-poly-2d"), stop=within[0], **params)
    assert not first.tables["events"] and not first.frames        # recorded when the unloading is done
    again = System.from_state(world, straight_on.model, *first.state)
    second = run(again, stop=2, restored=first.saved, tables=first.tables, **params)
    assert second.unloaded == through.unloaded[1:2] and "unload twin displacement" in second.unloaded[0]
    again = System.from_state(world, straight_on.model, *second.state)
    ended = run(again, restored=second.saved, tables=second.tables, **params)
    assert ended.unloaded == through.unloaded[2:]
    for name in ("loading", "events"):
        assert repr(ended.tables[name]) == repr(through.tables[name])
    assert repr(ended.results) == repr(through.results) and repr(ended.frames) == repr(through.frames)
    assert (whole(again, again.unwrapped()) == whole(straight_on, straight_on.unwrapped())).all()
    assert all((ended.fields[name] == through.fields[name]).all() for name in through.fields)


@pytest.mark.parametrize("params,says,cited", [
    (dict(method="branch", strain_step=-1e-4, max_strain=2e-4, mode="dilation"), "dilation, 2 steps of -0.0001, along branches",
     {"nocedal1980", "keller1977"}),
    (dict(method="cg", strain_step=1e-4, max_strain=1e-4, cycles=1, plane="yx"),
     "simple shear yx, 4 steps of 0.0001, 1 cycle of amplitude 0.0001, by descents (cg)", {"polak1969"}),
    (dict(method="fire", strain_step=1e-3, max_strain=1e-3, mode="pure", turning_points=[1e-3, 0.0], adaptive=True, locate=True),
     "pure shear xy, 2 steps of 0.001 or less, from 0 to 0.001, 0, by descents (fire)", {"bitzek2006", "keller1977"})])
def test_says_what_it_does(alone, params, says, cited):
    done = run(glass(alone, "ipl10-2d"), force_tolerance=1e-6, **params)
    assert done.lines[0] == f"shear: {says}" and "steps to strain" in done.lines[1] and done.lines[1].endswith(", 0 events")
    assert cited <= done.cited and ("nocedal1980" in done.cited) == ("keller1977" in cited)


@pytest.mark.parametrize("wrong", [{"turning_points": [0.05], "cycles": 1}, {"turning_points": [0.05, 0.05]},
                                   {"turning_points": [0.2]}, {"turning_points": [0.0]}])
def test_protocols_that_make_no_sense(wrong):
    with pytest.raises(ValidationError, match="turning_points"):
        ShearParams(max_strain=0.1, **wrong)

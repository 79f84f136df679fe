"""Plastic activity along a loading: affine motion has none, a slab moved by hand is a band, counters go on to the bit."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from glasses import glass, liquid, whole
from pydantic import ValidationError
from test_shear_stage import Kept, run

from hpcglass.core.system import System
from hpcglass.geometries.periodic import deformation, pure_shear, simple_shear
from hpcglass.stages.protocol import Walk, legs
from hpcglass.stages.shear.activity import Activity, normals
from hpcglass.stages.shear.params import ShearParams

LOADING = dict(strain_step=2e-3, max_strain=0.01, method="fire", event_frames=False, activity_every=4e-3,
               force_tolerance=1e-7, activity_threshold=1e-3, activity_bin=2.0)


def by_hand(system, gradient, step, steps, move=lambda k: None, **params):
    """Affine steps without minimisation, with something else moved in each; the context after the loading."""
    context = Kept(system)
    params = ShearParams(strain_step=step, max_strain=abs(step) * steps, activity_every=abs(step), **params)
    walk = Walk(legs(params.max_strain, params.strain_step, [], 0))
    recorder = Activity(system, context, gradient, params, walk)
    for k in range(steps):
        strain = walk.ahead
        system.deform(deformation(gradient, step))
        move(k)
        system.rebuild()            # wraps, re-maps and migrates, which affine steps alone do not ask for
        walk.advance()
        recorder.after(SimpleNamespace(state=SimpleNamespace(strain=strain)))
    recorder.finish(walk.strain)
    return context


@pytest.mark.few_ranks
@pytest.mark.parametrize("mode,make", [("simple", simple_shear), ("pure", pure_shear)])
@pytest.mark.parametrize("reference", ["previous", "start"])
def test_affine_motion_is_no_activity(world, mode, make, reference):
    """Also over the re-mapping of the cell, where the tilt passes half a period."""
    s = liquid(world, "ipl12", 400, 2)
    done = by_hand(s, make(2, "xy"), 0.1, 8, mode=mode, activity_reference=reference, activity_threshold=1e-10)
    assert len(done.tables["activity"]) == 8
    assert done.column("activity", "d2min").max() < 1e-12 and not done.column("activity", "active").any()
    assert not done.column("activity", "band").any() and np.isnan(done.column("activity", "width")).all()
    assert not done.fields["activity"].any() and np.isnan(done.fields["first_activity"]).all()
    assert not s.fields


def slab_mover(system, normal, low, high):
    """Moves a slab of particles about at random, the same particles in every step."""
    inside = {}

    def move(k):
        rows = slice(0, system.n_owned)
        if not inside:
            s = whole(system, system.position) @ np.linalg.inv(system.box).T @ normal % 1.0
            inside["ids"] = np.flatnonzero((s > low) & (s < high))
        jump = np.random.default_rng(k).normal(0, 0.2, (system.n_total, system.dimension))
        mine = np.isin(system.id[rows], inside["ids"])
        system.move(np.where(mine[:, None], jump[system.id[rows]], 0.0))

    return move


@pytest.mark.parametrize("mode,plane,orientation", [("simple", "xy", 1), ("simple", "xy", 2), ("simple", "yx", 1),
                                                    ("pure", "xy", 1), ("pure", "xy", 2)])
def test_a_slab_moved_by_hand_is_the_band(world, mode, plane, orientation):
    """Where it was put, as wide, in all five orientations; who was moved is who was active."""
    s = liquid(world, "ipl12", 900, 2)
    normal = normals(mode, plane, 2)[orientation - 1]
    gradient = (simple_shear if mode == "simple" else pure_shear)(2, plane)
    done = by_hand(s, gradient, 1e-3, 3, slab_mover(s, normal, 0.6, 0.8), mode=mode, plane=plane, activity_bin=1.0,
                   activity_threshold=0.03)
    period = 1 / np.linalg.norm(normal @ np.linalg.inv(s.box))
    last = done.tables["activity"][-1]
    assert (last["band"], last["across"]) == (orientation, orientation)
    assert last["position"] == pytest.approx(0.7 * period, abs=0.5)
    assert 0.2 * period < last["width"] < 0.2 * period + 4        # neighbours of those that moved are active, too
    assert last["localisation"] == pytest.approx(period / last["width"])
    count = done.fields["activity"]
    moved = slab_coordinate(s, normal)
    assert count[(moved > 0.62) & (moved < 0.78)].mean() > 1.8 and not count[(moved > 0.05) & (moved < 0.35)].any()
    x, strain, profile = (done.column("band_profile", name) for name in ("x", "strain", "activity"))
    assert profile[(strain > 2.5e-3) & (abs(x) < 0.05 * period)].min() > 1.4
    assert profile[abs(x) > 0.3 * period].max() == 0
    assert last["events"] == pytest.approx(count.mean()) and last["ever_active"] == pytest.approx((count > 0).mean())
    first = done.fields["first_activity"]
    assert (np.isnan(first) == (count == 0)).all() and (first[count == 3] == pytest.approx(1e-3))


def test_directions_of_bands():
    """Along the shear and across it; in pure shear the planes of a falling and of a rising diagonal, b - a first."""
    assert normals("simple", "xy", 2).tolist() == [[0, 1], [1, 0]]
    assert normals("pure", "xy", 2).tolist() == [[-1, 1], [1, 1]]
    assert normals("pure", "zx", 3).tolist() == [[1, 0, -1], [1, 0, 1]]


def slab_coordinate(system, normal):
    return whole(system, system.position) @ np.linalg.inv(system.box).T @ normal % 1.0


def test_three_dimensions_know_the_plane(world):
    s = liquid(world, "ipl10", 1000, 3)
    done = by_hand(s, simple_shear(3, "zx"), 1e-3, 2, slab_mover(s, np.array([1, 0, 0]), 0.1, 0.3), plane="zx", activity_bin=1.0,
                   activity_threshold=0.05)
    last = done.tables["activity"][-1]
    assert last["band"] == 1 and last["position"] == pytest.approx(0.2 * s.box[0, 0], abs=0.6)


@pytest.mark.few_ranks
@pytest.mark.parametrize("reference", ["previous", "start"])
def test_activity_of_a_loading(world, alone, reference):
    """Intervals of whole steps; D2min against a plain loading to the same strain; the same on one rank."""
    s = glass(world, "lj-poly-2d")
    start = whole(s, s.id[: s.n_owned])
    done = run(s, **LOADING, activity_reference=reference)
    strain = done.column("activity", "strain")
    assert strain == pytest.approx([4e-3, 8e-3])
    shorter = run(glass(world, "lj-poly-2d"), **LOADING | {"activity_every": 0.0, "max_strain": 4e-3})
    assert done.tables["activity"][0]["d2min"] == pytest.approx(shorter.fields["d2min"].mean(), rel=1e-9)
    assert done.tables["activity"][0]["active"] == (shorter.fields["d2min"] > 1e-3).mean()
    assert "activity" not in shorter.tables
    count = done.fields["activity"]
    assert count.sum() == pytest.approx(done.column("activity", "active").sum() * len(start))
    assert done.tables["activity"][-1]["ever_active"] == (count > 0).mean() > 0.01
    single = run(glass(alone, "lj-poly-2d"), **LOADING, activity_reference=reference)
    assert (single.fields["activity"] == count).all()
    for name in done.tables["activity"][0]:
        assert done.column("activity", name) == pytest.approx(single.column("activity", name), rel=1e-6, nan_ok=True)


@pytest.mark.few_ranks
def test_there_and_back_is_against_the_right_strain(world):
    """Around a turning point within an elastic branch the steps go forth and back; nothing is active."""
    done = run(glass(world, "ipl10-2d"), strain_step=2e-4, max_strain=2e-3, turning_points=[6e-4, 0.0], method="fire",
               force_tolerance=1e-12, activity_every=2e-4, activity_reference="start", activity_threshold=1e-12)
    strain = done.column("activity", "strain")
    assert strain == pytest.approx([2e-4, 4e-4, 6e-4, 4e-4, 2e-4, 0.0], abs=1e-12)
    moved = done.column("activity", "d2min")
    assert moved[[0, 1]] == pytest.approx(moved[[4, 3]], rel=1e-4) and moved[5] < 1e-6 * moved[0]


@pytest.mark.few_ranks
@pytest.mark.parametrize("stop", [1, 2])
def test_goes_on_to_the_bit(world, stop):
    through_system = glass(world, "lj-poly-2d")
    through = run(through_system, **LOADING)
    halted = run(glass(world, "lj-poly-2d"), stop=stop, **LOADING)
    again = System.from_state(world, through_system.model, *halted.state)
    ended = run(again, restored=halted.saved, tables=halted.tables, **LOADING)
    for name in ("activity", "band_profile", "loading"):
        assert repr(ended.tables[name]) == repr(through.tables[name])
    assert ended.fields.keys() == through.fields.keys() > {"activity", "first_activity"}
    for name in through.fields:
        np.testing.assert_array_equal(ended.fields[name], through.fields[name])


def test_intervals_shorter_than_a_step_are_refused():
    with pytest.raises(ValidationError, match=r"activity_every = 0\.0005 is less than a step"):
        ShearParams(max_strain=0.1, strain_step=-1e-3, activity_every=5e-4)

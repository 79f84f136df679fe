"""The stage `strength`: what it stores, how it goes on after a stop, frames of a loading, what is refused."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from glasses import glass, whole
from pydantic import ValidationError
from recorder import Recorder

from hpcglass.cavity import frozen
from hpcglass.stages.base import Snapshot
from hpcglass.stages.shear.params import ShearParams
from hpcglass.stages.strength import run as stage
from hpcglass.stages.strength.params import StrengthParams
from hpcglass.stages.strength.run import Strength, chosen

pytestmark = pytest.mark.few_ranks


def run(s, context=None, **params):
    recorder = context or Recorder()
    recorder.comm = s.comm
    Strength(StrengthParams(**params)).run(s, recorder)
    return recorder


def test_what_it_stores(world):
    s = glass(world, "ipl12-2d")
    done = run(s, spacing=5.0, angles=[0, 30, 60, 90, 120, 150], backward=True)
    sites = {name: done.column("sites", name) for name in done.tables["sites"][0]}
    assert len(sites["x"]) == 16 and (sites["delta_tau_y"] >= 0).all() and (sites["sigma_y"] > sites["stress"]).all()
    assert sites["threshold"] == pytest.approx(sites["stress"] + sites["delta_tau_y"])
    assert (sites["sigma_y"] - sites["stress"] >= sites["delta_tau_y"] - 1e-12).all()
    assert set(done.fields) == {"delta_tau_y", "sigma_y", "threshold", "delta_tau_y_backward", "sigma_y_backward"}
    field = whole(s, done.fields["delta_tau_y"])
    assert np.nanmin(field) == sites["delta_tau_y"].min() and set(field[np.isfinite(field)]) <= set(sites["delta_tau_y"])
    assert len(done.tables["trials"]) == 16 * 6 and set(done.column("trials", "flag")) <= set(frozen.FLAGS)
    blocks = {name: done.column("blocks", name) for name in done.tables["blocks"][0]}
    assert len(blocks["x"]) == 16 and blocks["particles"].sum() == s.n_total
    summary = done.tables["strength"][0]
    assert blocks["stress"].mean() == pytest.approx(summary["stress"], abs=1e-9)
    assert summary["delta_sigma"] == pytest.approx(blocks["stress"].std())
    assert 0.7 * summary["shear_modulus"] < blocks["modulus"].mean() < 1.3 * summary["shear_modulus"]
    assert summary["patch_modulus"] > 0.9 * summary["shear_modulus"] and "barbot2018" in done.cited


def test_weakest_and_micromechanics(world):
    s = glass(world, "ipl12-2d")
    every, weakest = run(s, spacing=5.0), run(s, spacing=5.0, weakest=True, trials=False)
    assert np.array_equal(every.column("sites", "delta_tau_y"), weakest.column("sites", "delta_tau_y"))
    assert "trials" not in weakest.tables
    series = run(s, method="micromechanics", sites="particles", spacing=3.0, backward=True)
    assert len(series.tables["sites"]) > 30 and np.nanmin(series.column("sites", "sigma_y")) > -1.0
    assert {"second", "third"} <= series.tables["trials"][0].keys() and "richard-expansions" in series.cited


class Stopped(Exception):
    """Somebody asked."""


class Stopping(Recorder):
    """Is asked to stop after so many safe points."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def safe_point(self, step, total, snapshot, note=""):
        super().safe_point(step, total, snapshot, note)
        self.after -= 1
        if not self.after:
            raise Stopped


def test_it_goes_on_after_a_stop(world, monkeypatch):
    """Whatever part of the sites was done: the same bits."""
    s = glass(world, "ipl12-2d")
    options = {"spacing": 5.0, "angles": [0, 45, 90, 135]}
    right = run(s, **options)
    monkeypatch.setattr(stage, "SECONDS", 1e-6)        # a site of each rank
    first = Stopping(3)
    with pytest.raises(Stopped):
        run(s, first, **options)
    known = ~np.isnan(first.last.scalars["values"]).all(axis=(1, 2))
    assert 0 < known.sum() < len(known)
    again = Recorder()
    again.restored = Snapshot(copy.deepcopy(first.last.scalars), {})
    run(s, again, **options)
    assert again.tables == right.tables
    assert all(np.array_equal(again.fields[name], right.fields[name], equal_nan=True) for name in right.fields)


@pytest.mark.parametrize("method", ["frozen", "micromechanics"])
def test_any_loading(world, method):
    """The directions begin at the loading: what it needs is always known. A loading turned by 180 degrees is the same one."""
    s = glass(world, "ipl12-2d")
    found = [run(s, spacing=10.0, method=method, loading=loading) for loading in (45.0, 225.0, -17.0)]
    for one in found:
        assert all(np.isfinite(one.column("sites", name)).all() for name in ("sigma_y", "threshold", "stress", "modulus"))
    assert found[0].column("sites", "threshold") == pytest.approx(found[1].column("sites", "threshold"), rel=1e-6)


def test_frames():
    frames = [(0, 0.0), (5, 0.01), (10, 0.02), (15, 0.03)]
    assert chosen(frames, []) == [(0, 0.0), (1, 0.01), (2, 0.02), (3, 0.03)]
    assert chosen(frames, [0.021, 0.0, 0.019]) == [(0, 0.0), (2, 0.02)]


@pytest.mark.parametrize("params,message", [
    ({"strains": [0.1]}, "belong to frames"), ({"method": "micromechanics", "weakest": True}, "weakest is for method"),
    ({"method": "micromechanics", "until": "drop"}, "is for method"),
    ({"weakest": True, "until": "drop"}, "weakest stops trials"), ({"stiffness": 1.0}, "soft matrix"),
    ({"angles": [0, 0]}, "differ"), ({"angles": [50.0, 130.0]}, "no direction of angles is within 45 degrees"),
    ({"angles": [0], "backward": True}, "loading 90 in the plane xy"), ({"planes": ["xz"]}, "no direction of planes"),
    ({"weakest": True, "backward": True}, "one loading only")])
def test_what_is_refused(params, message):
    with pytest.raises(ValidationError, match=message):
        StrengthParams(**params)


def test_what_it_looks_at():
    params = StrengthParams(of="shear")
    assert params.looks_at() == "shear" and StrengthParams().looks_at() == ""
    assert not list(params.misfits(ShearParams(max_strain=0.1, frames_every=5)))
    assert "frames_every" in next(iter(params.misfits(ShearParams(max_strain=0.1, event_frames=False))))[1]
    beyond = StrengthParams(of="shear", strains=[0.05, -0.2]).misfits(ShearParams(max_strain=0.1, frames_every=5))
    assert next(iter(beyond)) == ("strains", "-0.2 is beyond the loading of stage shear, which ends at 0.1")
    assert StrengthParams(method="micromechanics").derivatives() == 4 and params.derivatives() == 2

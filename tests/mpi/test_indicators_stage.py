"""The stage `indicators`: what it stores, how it goes on, what is refused."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from glasses import glass, whole
from pydantic import ValidationError
from recorder import Recorder

from hpcglass.errors import InputError, PhysicsError
from hpcglass.indicators.catalogue import INDICATORS, chosen, families, needs
from hpcglass.stages.base import Snapshot
from hpcglass.stages.indicators.params import IndicatorsParams
from hpcglass.stages.indicators.run import Indicators

pytestmark = pytest.mark.few_ranks
QUICK = ["structure", "contacts", "vibrality", "nafmu"]


def run(s, context=None, **params):
    recorder = context or Recorder()
    Indicators(IndicatorsParams(**params)).run(s, recorder)
    return recorder


def test_what_it_stores(world):
    s = glass(world, "ipl12-2d")
    done = run(s, which=QUICK, kick_steps=500)
    assert set(done.fields) == {indicator.name for indicator in chosen(QUICK, 2)}
    assert all(values.shape == (s.n_owned,) for values in done.fields.values())
    assert done.results["nonaffinity_error"] == pytest.approx(2.9 / 500**0.5)
    assert whole(s, done.fields["nafmu"]).sum() == pytest.approx(done.results["nonaffine_modulus"], rel=1e-9)
    assert done.results["s2_range"] == pytest.approx(1.438, abs=1e-3) and "richard2020" in done.cited


class Stopped(Exception):
    """Somebody asked."""


class Stopping(Recorder):
    """Is asked to stop after so many safe points."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def safe_point(self, step, total, snapshot, note=""):
        super().safe_point(step, total, snapshot, note)
        if step == self.after:
            raise Stopped


def test_it_goes_on_after_a_stop(world):
    s = glass(world, "ipl12-2d")
    right = run(s, which=QUICK, kick_steps=500)
    for after in (3, 19):
        first = Stopping(after)
        with pytest.raises(Stopped):
            run(s, first, which=QUICK, kick_steps=500)
        again = Recorder()
        again.fields, again.results = copy.copy(first.fields), copy.copy(first.results)
        again.restored = Snapshot(first.last.scalars, {})
        run(s, again, which=QUICK, kick_steps=500)
        assert again.fields.keys() == right.fields.keys() and again.results.keys() == right.results.keys()
        assert all(np.allclose(again.fields[name], right.fields[name], rtol=1e-9) for name in right.fields)


def test_tables_of_nonlinear_modes(world):
    s = glass(world, "ipl12-2d")
    done = run(s, which=["nonlinear_n4"], nonlinear_cell=8.0)
    assert 1 <= len(done.tables["nonlinear_modes_4"]) <= done.results["nonlinear_starts_4"] == 4
    assert (done.column("nonlinear_modes_4", "gradient") <= 1e-4).all()


def test_3d_leaves_out_what_is_flat(world):
    s = glass(world, "harmonic-3d")
    done = run(s, which=["contacts", "structure"])
    assert "s2" in done.fields and "theta" not in done.fields


def test_what_is_refused(world):
    with pytest.raises(ValidationError, match="no indicator or family is called 'thetta'"):
        IndicatorsParams(which=["thetta"])
    with pytest.raises(InputError, match="2D only"):
        chosen(["theta"], 3)
    s = glass(world, "ipl12-2d")
    s.move(0.05 * np.sin(s.id[: s.n_owned, None] * np.array([1.3, 0.7])))
    s.update()
    run(s, which=["theta"])                 # positions alone
    with pytest.raises(PhysicsError, match="minimum"):
        run(s, which=["vibrality"])


def test_the_catalogue():
    assert {"structure", "contacts", "response", "soft_modes", "nonlinear", "saddles", "softness", "strength"} == set(families())
    assert needs(["structure"]) == {"positions"} and needs(["z", "M"]) == {"potential", "modes"} and "cavity" in needs(["all"])
    assert all(indicator.name == name and indicator.soft in ("low", "high") for name, indicator in INDICATORS.items())
    assert IndicatorsParams(which=["structure"]).solvers(1) is None and IndicatorsParams().solvers(1) is not None
    assert IndicatorsParams(which=["theta"]).derivatives() == 0 and IndicatorsParams(which=["M"]).derivatives() == 3

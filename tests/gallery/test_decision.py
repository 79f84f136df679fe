"""Paper 000: which of fifty glasses are screened, taken from made-up tables."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from papers.decision import LARGE, TABLES, Decision

decision = Decision("any")
PARTS = np.array([0.08, 0.15, 0.31, 0.4])


@pytest.fixture
def glasses(monkeypatch):
    """Ten glasses of two densities, inflated by PARTS; the denser ones are stiffer and lose less, whatever else they do."""
    density = np.repeat([0.8, 1.0], 5)
    table = {"d_0": np.tile(0.65 * PARTS, (10, 1)), "r_in": np.full((10, 4), 0.65), "r_out": np.full((10, 4), 80.0),
             "delta": np.zeros((10, 4)), "misfit_scaled": np.full((10, 4), 4.0), "kappa": np.full((10, 4), 0.04),
             "energy_plastic": np.zeros((10, 4)), "screened": np.zeros((10, 4))}
    soft = np.arange(10.0) % 5 + 100.0 * (density == 0.8)
    monkeypatch.setattr(Decision, "density", lambda self, at: density)
    monkeypatch.setattr(Decision, "softness", lambda self, at: soft)
    monkeypatch.setattr(Decision, "fields", lambda self, at, column: table[column])
    return table, soft, density


def test_softness_is_compared_within_a_density(glasses):
    table, soft, density = glasses
    table["delta"] = np.outer(soft % 100.0 - 1000.0 * (density == 0.8), np.ones(4))
    assert decision.by_softness("delta")(None)[0] == pytest.approx(1.0)        # over all together it would be negative
    table["delta"] = -table["delta"] ** 3
    value, error = decision.by_softness("delta")(None)
    assert value == pytest.approx(-1.0) and error == pytest.approx(8**-0.5)
    table["delta"][:] = 1.0
    assert np.isnan(decision.by_softness("delta")(None)[0])


def test_shares(glasses):
    table = glasses[0]
    table["screened"][0, :2] = 1
    table["screened"][1, 3] = 1
    table["kappa"][1, 3] = 0.03         # kappa r_out = 2.4
    table["energy_plastic"][:3, -1] = -0.02
    table["energy_plastic"][4, 0] = -0.02       # given back at the largest inflation
    assert decision.screened(0.0, 0.16)(None)[0] == pytest.approx(2 / 20)
    assert decision.screened(0.16, 1.0)(None)[0] == pytest.approx(1 / 20)
    assert decision.beyond(None)[0] == pytest.approx(1 / 10)
    assert decision.rearranged(None)[0] == pytest.approx(3 / 10)


def test_fields_without_loss(glasses):
    table = glasses[0]
    table["misfit_scaled"][0, 0], table["misfit_scaled"][1, 0] = -7.6, -1.0     # better by far, hardly better
    table["energy_plastic"][5:] = -1.0
    assert decision.elastic_if_reversible(None)[0] == pytest.approx(1 / 20)


def test_samples_of_the_tables():
    """All have kappa r_out > 3: the least ones are (f) of Table I and (c) of Table II."""
    theirs = {name: [a * b for a, b in samples] for name, samples in TABLES.items()}
    for values in theirs.values():
        assert len(values) == 6 and min(values) == pytest.approx(3.36) and min(values) > LARGE

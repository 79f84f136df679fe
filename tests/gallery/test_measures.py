"""How numbers of the papers' figures are taken: from made-up glasses of which the answer is known."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from papers import atoms, bonds, plastic


class Samples:
    """Stands for the results of every campaign: the same samples, whatever is asked for."""

    def __init__(self, samples, merged=None):
        self.every, self.one = samples, merged
        self.tasks = {atoms.TASKS["ESL"]: None}

    def __getitem__(self, key):
        return self

    def samples(self, stage, task="run"):
        return iter(self.every)

    def merged(self, stage, task="run"):
        return self.one


def test_peak_over_plateau_is_that_of_the_mean_curve():
    """Noise of single steps and of single glasses does not make a peak; one that all glasses have is found."""
    rng, strain = np.random.default_rng(1), np.arange(0, 0.6005, 1e-3)
    def curve(height):
        rise = np.minimum(strain / 0.05, 1.0)
        return rise * (0.5 + height * np.exp(-(((strain - 0.08) / 0.03) ** 2)))
    flat = np.array([curve(0.0) + 0.02 * rng.standard_normal(len(strain)) for _ in range(10)])
    peaked = flat + curve(0.2) - curve(0.0)
    assert atoms.overshoot(strain, flat) == pytest.approx(1.0, abs=0.01)
    assert atoms.overshoot(strain, peaked) == pytest.approx(1.0 + 0.2 / 0.5 * 0.96, abs=0.02)
    one = [SimpleNamespace(tables={"loading": SimpleTable(strain=strain, shear_stress=s)}) for s in peaked]
    value, error = atoms.peak("ESL")(Samples(one))
    assert value == atoms.overshoot(strain, peaked) and 0.0 < error < 0.01
    assert atoms.plateau("ESL")(Samples(one))[0] == pytest.approx(0.5, abs=0.002)


class SimpleTable(dict):
    """Columns."""

    @property
    def rows(self):
        return len(next(iter(self.values())))


def test_exponent_beyond_where_all_spectra_are_complete():
    """The softest 16 of 6000 eigenvalues of P(x) ~ x^-3.5 beyond x = 1, which are 2 % of them."""
    rng, glasses = np.random.default_rng(2), []
    for _ in range(400):
        x = np.sort((1.0 - rng.random(120)) ** (-1 / 2.5))[::-1][:16]
        glasses.append(SimpleNamespace(tables={"bond_modes": SimpleTable(eigenvalue=x)}, results={"nonzero_count": 6000}))
    least = max(one.tables["bond_modes"]["eigenvalue"].min() for one in glasses)
    at = Samples(glasses, SimpleNamespace(results={"eigenvalue_unit": 1.0}))
    value, error = bonds.tail_above(bonds.SOFTEST, "2000", 1.01 * least)(at)
    assert 0.0 < error < 0.2 and abs(value - 3.5) < 3 * error
    assert np.isnan(bonds.tail_above(bonds.SOFTEST, "2000", 0.9 * least)(at)[0])       # not all of them reach so far down


def test_first_events_that_unloading_undoes():
    """Not later ones, nor those of which it is not known, nor those that lose too little; glasses without one do not count."""
    events = [[1.0, 0.0], [0.0, 1.0], [], [np.nan, 1.0], [1.0]]
    losses = [[0.001, 0.5], [0.2, 0.5], [], [0.2, 0.5], [0.3]]
    glasses = [SimpleNamespace(tables={"events": SimpleTable(reversible=np.array(one), energy_drop=np.array(loss))})
               for one, loss in zip(events, losses, strict=True)]
    assert plastic.reversible("0.3")(Samples(glasses))[0] == pytest.approx(2 / 3)
    assert plastic.reversible("0.3", 0.01)(Samples(glasses))[0] == pytest.approx(1 / 3)

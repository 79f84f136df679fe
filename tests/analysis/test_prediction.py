"""Scores of indicators: known answers, what a field that knows nothing scores, which events count, the shear band."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hpcglass.analysis.open_run import StageResults, Table
from hpcglass.analysis.prediction import scores
from hpcglass.analysis.prediction.forecasts import of_stages
from hpcglass.analysis.prediction.groups import Group, tables
from hpcglass.analysis.prediction.localised import localised
from hpcglass.analysis.prediction.packed import pack, unpack
from hpcglass.analysis.prediction.scores import error
from hpcglass.analysis.prediction.spread import BINS, distribution
from hpcglass.errors import InputError

N = 100
CONFIGURATIONS = {"kind": [0, 0, 1, 1, 2, 3, 4], "event": [0, 0, 1, 2, 2, 1, 1],
                  "strain": [0.0, 0.02, 0.0099, 0.0399, 0.03, 0.01, 0.01],
                  "distance": [np.nan, np.nan, 1e-4, 1e-4, 0.01, 0.0, 0.0]}


def table(**columns):
    return Table({name: np.array(values, dtype=float) for name, values in columns.items()}, {name: "" for name in columns}, {})


def sample(trigger=(3, 7, -1, 9), energy=(0.001, 0.5, 0.5, 0.5), **fields):
    """A sample whose third event was not located; fields are (N, 7)."""
    loading = StageResults(Path("01-shear.h5"), "shear")
    loading.tables = {
        "events": table(trigger_id=trigger, energy_drop=energy, gamma_c=np.where(np.array(trigger) < 0, np.nan,
                                                                                 [0.01, 0.04, 0.05, 0.09])),
        "loading": table(strain=[0.0, 0.05, 0.1], dissipation_density=[0.0, 1.0, 3.0])}
    stage = StageResults(Path("02-indicators.h5"), "indicators", {"of": "shear"}, {"configurations": table(**CONFIGURATIONS)},
                         fields=fields)
    return of_stages("here", stage, loading)


def knows(*soft, end=1.0):
    """(N, 7): these particles have the largest values, the first one of all, the others are all alike."""
    field = np.zeros((N, 7))
    for k, i in enumerate(soft):
        field[i] = end * (len(soft) - k)
    return field


def plain(rows, **wanted):
    """The row with these values."""
    found, = (row for row in rows if all(row[name] == value for name, value in wanted.items()))
    return found


def test_known_answers():
    """Theta is soft where it is high, psi_6 where it is low; without a value a particle is called least likely, and of a field
    without any there is no score."""
    blind = np.full((N, 7), np.nan)
    blind[:, 1:] = 1.0
    loose = knows(7, 9)
    loose[3] = np.nan
    found = sample(theta=knows(3, 7), psi_6=knows(3, 7), vibrality=blind, xdot=loose)
    assert found.unlocated == 1 and found.number.tolist() == [1, 2, 4] and found.names == ["psi_6", "theta", "vibrality", "xdot"]
    first = plain(scores.first([found], 0.0), kind=0)
    assert first["C_theta"] == pytest.approx(1.0) and first["C_psi_6"] == pytest.approx(2 / N - 1)
    assert np.isnan(first["C_vibrality"]) and np.isnan(first["error_theta"])
    assert first["C_xdot"] == pytest.approx(2 / N - 1) and plain(scores.first([found], 0.0), kind=1)["C_vibrality"] < 0.1
    second = plain(scores.against_number([found, found], 0.0), number=2)
    assert second["C_theta"] == pytest.approx(2 * (N - 1) / N - 1) and second["strain"] == 0.04
    third = plain(scores.against_number([found, found], 0.0), number=3)        # all alike: the mean rank of 98
    assert third["C_theta"] == pytest.approx(2 * (98 + 1) / 2 / N - 1)


def test_which_configuration_belongs_to_which_event():
    """A field that is right in one configuration alone."""
    for column, kind, least in ((0, 0, 0.0), (2, 1, 0.0), (3, 1, 0.1), (5, 3, 0.0), (6, 4, 0.0)):
        field = np.zeros((N, 7))
        field[7 if least else 3, column] = 1.0
        rows = scores.first([sample(theta=field)], least)
        assert {row["kind"]: row["C_theta"] for row in rows}[kind] == pytest.approx(1.0)
        assert all(row["C_theta"] < 0.1 for row in rows if row["kind"] != kind)
    field = np.zeros((N, 7))
    field[7, 4] = 1.0
    row, = scores.before([sample(theta=field)], 0.0)
    assert row["distance"] == 0.01 and row["C_theta"] == pytest.approx(1.0) and row["events"] == 1


def test_micro_events_do_not_count():
    found = sample(theta=knows(7))
    assert plain(scores.first([found], 0.0), kind=0)["C_theta"] < 0.1
    filtered = scores.first([found], 0.1)
    assert plain(filtered, kind=0)["C_theta"] == pytest.approx(1.0) and plain(filtered, kind=0)["strain"] == 0.04
    assert [row["kind"] for row in filtered] == [0, 1]         # the moved copies belong to the other event
    assert plain(scores.against_number([found, found], 0.1), number=1)["C_theta"] == pytest.approx(1.0)


def test_against_strain_and_dissipation():
    rows = scores.against_strain([sample(theta=knows(3, 7, 9))] * 2, 0.0, 5)
    assert [row["strain"] for row in rows] == pytest.approx([0.01, 0.03, 0.05, 0.07, 0.09])
    assert [row["events"] for row in rows] == [2, 2, 0, 0, 2] and np.isnan(rows[2]["C_theta"])
    assert [row["dissipation_density"] for row in rows] == pytest.approx([0.2, 0.6, 1.0, 1.8, 2.6], abs=1e-12)
    assert rows[4]["C_theta"] == pytest.approx(2 * 98 / N - 1)


def test_cumulative():
    rows = scores.cumulative([sample(theta=knows(3)), sample(theta=knows(5, 3))], 0.0)
    shares = {round(row["missed"], 2): row["F_theta"] for row in rows}
    assert shares[0.0] == 0.5 and shares[0.01] == 1.0 and len(rows) == 101


def test_a_shuffled_field_scores_nothing():
    """Of 200 fields without knowledge, each asked of 20 samples, |C| is more than two errors for 6 % (Student's t): the rate of
    false alarms. Their mean is 0 within three errors."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(200):
        samples = [sample(theta=np.repeat(rng.permutation(N)[:, None] * 1.0, 7, axis=1)) for _ in range(20)]
        row = plain(scores.first(samples, 0.0), kind=0)
        found.append((row["C_theta"], row["error_theta"]))
    score, wrong = np.array(found).T
    assert 0.02 < (np.abs(score) > 2 * wrong).mean() < 0.11
    assert abs(score.mean()) < 3 * error(score) + 1 / N


def test_all_tables():
    group = Group("T_p = 0.1", {"T_p": 0.1}, [sample(theta=knows(3), psi_6=knows(9)), sample(theta=knows(4, 3), psi_6=knows(3))])
    made = tables([group, group], [0.0, 0.1], 4)
    assert set(made) == {"first", "cumulative", "number", "before", "strain", "spearman", "groups"}
    assert made["groups"]["T_p"].tolist() == [0.1, 0.1] and made["groups"]["unlocated"].tolist() == [2, 2]
    assert made["first"].rows == 2 * (4 + 2) and made["spearman"].rows == 4 and made["spearman"]["theta"][1] == pytest.approx(1.0)
    with pytest.raises(InputError, match="has other indicators"):
        tables([group, Group("other", {}, [sample(theta=knows(3))])], [0.0], 4)


def test_packed():
    found = sample(theta=knows(3))
    again = unpack(*pack(found))
    assert np.array_equal(again.ranks, found.ranks) and again.names == found.names and again.localised is None
    assert unpack(*pack("damaged")) == "damaged"


def test_indicators_before_a_loading():
    """Without `of` there is one configuration, the glass as cast, and fields are (N,)."""
    field = np.zeros(N)
    field[3] = 1.0
    loading = StageResults(Path("03-shear.h5"), "shear", tables={
        "events": table(trigger_id=[3], energy_drop=[0.1], gamma_c=[0.02]),
        "loading": table(strain=[0.0, 0.05], dissipation_density=[0.0, 1.0])})
    stage = StageResults(Path("02-indicators.h5"), "indicators", {"of": None}, fields={"theta": field})
    found = of_stages("here", stage, loading)
    assert plain(scores.first([found], 0.0), kind=0)["C_theta"] == pytest.approx(1.0) and found.localised is None
    assert scores.before([found], 0.0) == []


def test_without_located_events():
    loading = StageResults(Path("01-shear.h5"), "shear", tables={"events": table(strain=[0.1])})
    with pytest.raises(InputError, match="locate = true"):
        of_stages("here", StageResults(Path("x.h5"), "indicators", fields={"theta": np.zeros(N)}), loading)


# ------------------------------------------------------------------ the band


class Banded(StageResults):
    """With frames and events of its own."""

    frames = None
    events = None


@pytest.mark.parametrize("axis", [0, 1])
def test_inside_a_band(axis):
    """Particles within 3 of a line move; an indicator knows them from the second configuration on."""
    rng = np.random.default_rng(3)
    box = np.array([[40.0, 2.0], [0.0, 40.0]])
    position = rng.random((4000, 2)) @ box.T
    across = position @ np.linalg.inv(box)[axis]
    inside = np.abs((across - 0.9 + 0.5) % 1.0 - 0.5) * 40.0 < 3.0
    loading = Banded(Path("01-shear.h5"), "shear", tables={"events": table(energy_drop=[0.1, 5.0])}, box=box, position=position,
                     fields={"event_d2min": np.where(inside, 1.0, 1e-4)})
    frame = SimpleNamespace(position=position, box=box, strain=0.07)
    loading.events = [None, SimpleNamespace(after=frame)]
    stage = Banded(Path("02-indicators.h5"), "indicators", {"of": "shear"})
    stage.frames = [frame, frame]
    values = np.stack([rng.random(4000), inside * 2.0 + rng.random(4000)])[None]
    ranks = np.argsort(np.argsort(values, axis=-1), axis=-1) / 4000
    found = localised(stage, loading, ranks, values)
    assert found.strain == 0.07 and 5.0 < found.width < 9.0 and found.period == pytest.approx(40.0, rel=0.01)
    assert found.inside[0] == pytest.approx([0.5, 0.88], abs=0.05) and found.profile.shape == (1, 2, 40)
    middle = found.profile[0, 1, 18:22].mean()
    assert middle == pytest.approx(2.5, abs=0.15) and found.profile[0, 1, :10].mean() == pytest.approx(0.5, abs=0.1)
    assert localised(StageResults(Path("x.h5"), "indicators"), loading, ranks, values) is None


def test_distribution():
    density = np.zeros((1, 2, BINS))
    density[0, :, 3] = 2.0
    rows = distribution([(np.array([0.0, 0.1]), density), (np.array([0.0]), 2 * density[:, :1])], np.array([[0.0, BINS / 10]]))
    assert len(rows) == 2 * BINS
    row = plain(rows, strain=0.0, value=0.35)
    assert row["density"] == 3.0 and row["density_error"] == 1.0 and row["samples"] == 2

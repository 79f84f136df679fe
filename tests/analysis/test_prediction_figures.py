"""Figures of `hpcglass predict`: what they show are the numbers of the tables."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from test_prediction import N, knows, sample

from hpcglass.analysis.figures.draw import figures
from hpcglass.analysis.figures.prediction.parts import shown, title
from hpcglass.analysis.open_run import StageResults, Table
from hpcglass.analysis.prediction.groups import NAMES, Group, tables
from hpcglass.analysis.prediction.localised import SLABS, Localised
from hpcglass.analysis.prediction.scores import joined
from hpcglass.analysis.prediction.spread import BINS, distribution


@pytest.fixture(scope="module")
def stage():
    """Two preparations of two samples each, with bands."""
    rng = np.random.default_rng(4)
    groups = []
    for g, temperature in enumerate((0.1, 0.3)):
        samples = []
        for _ in range(2):
            one = sample(theta=knows(3, 7) + 1e-3 * rng.random((N, 7)), psi_6=rng.random((N, 7)), phi=rng.random((N, 7)))
            one.localised = Localised(0.07, 40.0, 6.0, 0.5 + 0.1 * g + np.zeros((3, 7)), rng.random((3, 7, SLABS)))
            samples.append(one)
        groups.append(Group(f"T_p = {temperature}", {"T_p": temperature}, samples))
    made = tables(groups, [0.0, 0.1], 5)
    found = [(np.array([0.0, 0.02]), rng.random((1, 2, BINS)))] * 2
    rows = [{"group": g, **row} for g in range(2) for row in distribution(found, np.array([[0.0, 1.0]]))]
    made["distribution"] = joined(rows, {}, NAMES)
    return StageResults(Path("scores.h5"), "scores", tables={f"prediction_{name}": one for name, one in made.items()},
                        results={"groups": "\n".join(group.name for group in groups), "indicators": "phi\npsi_6\ntheta",
                                 "distributed": "theta"})


@pytest.fixture(scope="module")
def drawn(stage):
    return dict(figures(stage))


def test_which_there_are(drawn, stage):
    assert set(drawn) == {"-ranks", "-scores", "-preparation", "-moved", "-spearman", "-strain", "-events", "-distributions",
                          "-band"}
    number = {"prediction_number": stage.tables["prediction_number"]}
    alone = StageResults(stage.path, "scores", tables=number, results=stage.results)
    assert [suffix for suffix, _ in figures(alone)] == ["-events"]
    assert figures(StageResults(Path("x.h5"), "x")) == []


def column(stage, table, name, **wanted):
    found = stage.tables[f"prediction_{table}"]
    same = np.ones(found.rows, dtype=bool)
    for key, value in wanted.items():
        same &= found[key] == value
    return found[name][same]


def test_scores(drawn, stage):
    figure = drawn["-scores"]()
    assert len(figure.axes) == 2
    for g, axes in enumerate(figure.axes):
        for container, least in zip(axes.containers, (0.0, 0.1), strict=True):
            shown_y = container.lines[0].get_ydata()
            wanted = [column(stage, "first", f"C_{name}", group=g, kind=0, least_energy=least)[0]
                      for name in ("phi", "psi_6", "theta")]
            assert shown_y == pytest.approx(wanted)
    plt.close(figure)


def test_ranks_and_moved(drawn, stage):
    figure = drawn["-ranks"]()
    bars = [bar.get_height() for bar in figure.axes[1].patches]
    names = shown(["phi", "psi_6", "theta"], ("thermal_expansion", "phi", "mu", "theta"))
    wanted = [column(stage, "first", f"C_{name}", group=0, kind=0, least_energy=0.0)[0] for name in names]
    assert names == ["phi", "theta"] and bars == pytest.approx(wanted)
    plt.close(figure)
    figure = drawn["-moved"]()
    heights = [bar.get_height() for bar in figure.axes[1].patches]
    assert heights == pytest.approx([column(stage, "first", "C_theta", group=1, kind=kind, least_energy=0.0)[0]
                                     for kind in (0, 3, 4, 1)])
    plt.close(figure)


def test_curves(drawn, stage):
    figure = drawn["-preparation"]()
    line = figure.axes[0].containers[0].lines[0]
    assert line.get_xdata() == pytest.approx([1 / 0.1, 1 / 0.3])
    plt.close(figure)
    figure = drawn["-strain"]()
    last = figure.axes[-1].containers[1].lines[0]
    assert last.get_ydata() == pytest.approx(column(stage, "strain", "dissipation_density", group=1, least_energy=0.0))
    plt.close(figure)
    figure = drawn["-events"]()
    assert figure.axes[0].containers[0].lines[0].get_xdata().tolist() == [1, 2, 3] and figure.axes[1].get_xscale() == "log"
    plt.close(figure)


def test_distributions_and_bands(drawn, stage):
    figure = drawn["-distributions"]()
    assert [line.get_label() for line in figure.axes[0].lines] == ["0", "0.02"] and len(figure.axes) == 2
    assert figure.axes[0].lines[0].get_ydata() == pytest.approx(column(stage, "distribution", "density", group=0, strain=0.0))
    plt.close(figure)
    figure = drawn["-band"]()
    inside = figure.axes[-1].containers[0].lines[0]
    assert inside.get_ydata() == pytest.approx([0.6, 0.6]) and inside.get_xdata().tolist() == [0.0, 0.02]
    profile = figure.axes[0].lines[0]
    assert profile.get_xdata()[[0, -1]].tolist() == [-19.5, 19.5]
    plt.close(figure)


def test_titles():
    """Parameters with a sign get it; dollars in names are no mathematics."""
    assert title("T_p = 0.1").startswith("$T_") and title("a$b") == r"a\$b"
    assert shown(["z"], ("theta",)) == ["z"] and Table({}, {}, {}).rows == 0

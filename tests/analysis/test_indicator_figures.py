"""Figures of the stage `indicators`: what they show."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from hpcglass.analysis.figures import indicators
from hpcglass.analysis.open_run import StageResults
from hpcglass.numbers.ranking import soft_ranks, spearman


@pytest.fixture
def stage():
    rng = np.random.default_rng(2)
    names = ["rho", "theta", "z", "vibrality", *(f"psi_{m}" for m in range(2, 10)), "nafmu", "M"]
    fields = {name: rng.random(100) for name in names}
    fields["vibrality"][3] = np.nan
    return StageResults(Path("01-indicators.h5"), "indicators", params={"kind": "indicators"}, fields=fields,
                        position=10.0 * rng.random((100, 2)), box=np.diag([10.0, 10.0]), diameter=np.full(100, 0.9))


def test_a_map_for_each_and_their_correlations(stage):
    drawn = dict(indicators.figures(stage))
    assert list(drawn) == ["-ranks-1", "-ranks-2", "-spearman"]
    counts = []
    for name in ("-ranks-1", "-ranks-2"):
        figure = drawn[name]()
        counts.append(sum(bool(axes.get_title()) for axes in figure.axes))
        plt.close(figure)
    assert counts == [12, 2]
    figure = drawn["-spearman"]()
    shown = np.asarray(figure.axes[0].images[0].get_array())
    names = [text.get_text().split("  ")[0] for text in figure.axes[0].get_yticklabels()]
    ranks = np.array([soft_ranks(stage.fields[name], indicators.INDICATORS[name].soft) for name in names])
    assert shown == pytest.approx(spearman(ranks)) and sorted(names) == sorted(stage.fields)
    plt.close(figure)


def test_other_stages_have_none(stage):
    stage.params["kind"] = "quench"
    assert indicators.figures(stage) == []


class Along(StageResults):
    """With frames of its own."""

    frames = None


def test_along_a_loading_the_first_configuration_is_shown(stage):
    """Its cell and positions, not those at the end of the loading."""
    columns = {name: np.column_stack([values, np.full(100, np.nan)]) for name, values in stage.fields.items()}
    along = Along(stage.path, "indicators", {"kind": "indicators", "of": "shear"}, fields=columns, position=stage.position + 3.0,
                  box=np.array([[10.0, 2.0], [0.0, 10.0]]), diameter=stage.diameter)
    along.frames = [stage]
    first, plain = (dict(indicators.figures(one))["-spearman"]() for one in (along, stage))
    assert np.array_equal(*(figure.axes[0].images[0].get_array() for figure in (first, plain)))
    shown = indicators.first_configuration(along, ["theta"])
    assert np.array_equal(shown.position, stage.position) and np.array_equal(shown.box, stage.box)
    assert np.array_equal(indicators.ranks(shown, "theta"), indicators.ranks(stage, "theta"))
    plt.close("all")

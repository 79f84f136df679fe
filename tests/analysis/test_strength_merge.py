"""Merged strength stages: distributions that add up, a pseudogap that was put in, means with errors; the figures."""

from __future__ import annotations

import numpy as np
import pytest
from samples import write_sample

from hpcglass.analysis.ensembles.merge import merge
from hpcglass.analysis.ensembles.strengths import bin_width
from hpcglass.analysis.figures.draw import figures
from hpcglass.analysis.figures.strength.distributions import coarser
from hpcglass.analysis.open_run import StageResults, Table

THETA = 0.5


def tables(seed, strains=(0.0, 0.1)):
    """Blocks and sites of one sample; P(x) = (theta + 1) x^theta for 0 < x < 1 of the residual strengths of the sites."""
    dice = np.random.default_rng(seed)
    n, m = 100 * len(strains), 4000 * len(strains)
    block = {"strain": np.repeat(strains, 100), "x": dice.random(n), "y": dice.random(n), "delta_tau_y": dice.gamma(4.0, 0.2, n),
             "sigma_y": dice.normal(1.5, 0.3, n), "threshold": dice.normal(1.4, 0.3, n), "particles": np.full(n, 25.0),
             "stress": dice.normal(0.0, 0.2, n), "modulus": dice.normal(10.0, 1.0, n)}
    site = {"strain": np.repeat(strains, 4000), "delta_tau_y": dice.random(m) ** (1.0 / (1.0 + THETA))}
    summary = {"strain": np.array(strains)}
    for name in ("delta_tau_y", "sigma_y", "threshold"):
        parts = block[name].reshape(len(strains), -1)
        summary |= {f"mean_{name}": parts.mean(axis=1), f"std_{name}": parts.std(axis=1)}
    summary |= {"stress": np.zeros(len(strains)), "delta_sigma": block["stress"].reshape(len(strains), -1).std(axis=1)}
    return {"blocks": block, "sites": site, "strength": summary}


@pytest.fixture(scope="module")
def merged(tmp_path_factory):
    root = tmp_path_factory.mktemp("strength")
    runs = [write_sample(root / f"run-{seed}", tables(seed), seed=seed, kind="strength") for seed in range(6)]
    return merge(runs, "soft").finish()


def test_distributions(merged):
    found, _ = merged
    density = found["sigma_y_density"]
    for strain in (0.0, 0.1):
        here = density["strain"] == strain
        assert density["count"][here].sum() == 600
        width = np.diff(np.unique(density["value"])).min()
        assert density["density"][here].sum() * width == pytest.approx(1.0)
        mean = (density["value"] * density["count"])[here].sum() / 600
        assert mean == pytest.approx(1.5, abs=5 * 0.3 / 600**0.5 + width)
        assert (density["density_error"][here] >= 0).all()
    assert {f"{name}_density" for name in ("delta_tau_y", "threshold", "stress", "modulus")} <= found.keys()


def test_the_pseudogap_that_was_put_in(merged):
    table = merged[0]["pseudogap"]
    free = table["fixed"] == 0
    assert free.sum() == 2 and (table["strain"][free] == [0.0, 0.1]).all()
    for value, error in zip(table["exponent"][free], table["exponent_error"][free], strict=True):
        assert 0.0 < error < 0.1 and abs(value - THETA) < 5 * error + 0.02


def test_means_over_samples(merged):
    table = merged[0]["mean_strength"]
    parts = np.array([tables(seed)["strength"]["mean_sigma_y"] for seed in range(6)])
    assert table["mean_sigma_y"] == pytest.approx(parts.mean(axis=0))
    assert table["mean_sigma_y_error"] == pytest.approx(parts.std(axis=0, ddof=1) / 6**0.5)


def test_bin_widths():
    values = np.random.default_rng(0).normal(0.0, 1.0, 10_000)
    assert bin_width(values) == 0.02 or bin_width(values) == 0.05
    assert bin_width(1e3 * values) == pytest.approx(1e3 * bin_width(values))
    assert bin_width(np.array([1.0, 1.0])) == 1.0 and bin_width(np.array([np.nan])) == 1.0


def test_figures(merged, tmp_path):
    """Of a merged file and of one sample; coarser bins keep the whole."""
    found, _ = merged
    stage = StageResults(tmp_path, "soft", tables=found)
    drawn = dict(figures(stage))
    assert {"-strength", "-strain"} <= drawn.keys()
    axes = drawn["-strength"]().axes
    assert len(axes) == 4 and all(len(panel.lines) >= 2 for panel in axes)
    x, density, error = coarser(found["sigma_y_density"], 0.0)
    assert len(x) <= 30 and np.isfinite(error).all() and density.sum() * np.diff(x).mean() == pytest.approx(1.0, abs=0.1)
    columns = tables(0)["blocks"]
    one = StageResults(tmp_path, "soft", params={"kind": "strength"},
                       tables={"blocks": Table(columns, dict.fromkeys(columns, ""), {name: name for name in columns})})
    assert len(dict(figures(one))["-distribution"]().axes) == 4


def test_maps_of_strength_have_one_scale(tmp_path):
    """They are the same quantity: one norm, one bar; backward fields without a value are left out."""
    rng = np.random.default_rng(3)
    fields = {"sigma_y": rng.uniform(0.5, 1.0, 50), "delta_tau_y": rng.uniform(0.2, 2.0, 50),
              "sigma_y_backward": np.full(50, np.nan)}
    stage = StageResults(tmp_path / "00-strength.h5", "strength", params={"kind": "strength"}, fields=fields,
                         box=10.0 * np.eye(2), position=rng.uniform(0.0, 10.0, (50, 2)), diameter=np.ones(50))
    first, second, bar = dict(figures(stage))["-map"]().axes
    assert first.collections[0].norm is second.collections[0].norm
    assert 0.2 < first.collections[0].norm.vmin < 0.5 and 1.5 < first.collections[0].norm.vmax < 2.0
    assert bar.get_ylabel() == "local strength [energy/length$^{2}$]"


def test_one_legend_for_all_strains(tmp_path):
    """Above the panels; densities have the inverse unit."""
    columns = tables(0)["blocks"]
    units = dict.fromkeys(columns, "energy/length^2")
    stage = StageResults(tmp_path, "soft", params={"kind": "strength"},
                         tables={"blocks": Table(columns, units, {name: name for name in columns})})
    figure = dict(figures(stage))["-distribution"]()
    assert len(figure.legends) == 1 and len(figure.legends[0].get_texts()) == 2
    assert all(axes.get_legend() is None and axes.get_ylabel().endswith("[length$^{2}$/energy]") for axes in figure.axes)

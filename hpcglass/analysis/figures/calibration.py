"""Figures of a calibration: the curve of the fitted lattice on that of its target, and the trials that led there."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hpcglass.analysis.figures.catalogue import Figures, register
from hpcglass.analysis.figures.style import BLUE, GREEN, GREY, RED, panels
from hpcglass.analysis.open_run import StageResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = {"fixed": r"$\varepsilon_\mathrm{pl}$", "c0": "$c_0$", "c1": "$c_1$"}


@register
def figures(stage: StageResults) -> Figures:
    """(suffix of the file name, function that draws) of each figure of a stage; empty for other stages."""
    if "calibration" not in stage.tables or not stage.tables["calibration"].rows:
        return []
    return [("", partial(draw_curves, stage)), ("-trials", partial(draw_trials, stage))]


def draw_curves(stage: StageResults) -> Figure:
    """Mean stress against strain; bands are two standard errors to either side."""
    figure, (axes,) = panels(1, width=4.2, height=3.0)
    table, results = stage.tables["calibration"], stage.results
    x = table["strain"]
    if results["target_samples"]:
        count = int(results["target_samples"])
        label = f"target, {count} sample{'s' * (count > 1)}"
        axes.plot(x, table["target"], color=RED, label=label, linewidth=1.1 if count > 1 else 0.6)
        if count > 1:
            band(axes, x, table["target"], table["target_error"], RED)
    else:
        begin = float(stage.params["plateau_from"])
        for name, span in (("plateau", (begin, x[-1])), ("peak", (0.0, begin))):
            value, error = results[f"target_{name}"], results[f"target_{name}_error"]
            if np.isfinite(value):
                axes.plot(span, (value, value), "--", color=RED, linewidth=0.9, label="target" if name == "plateau" else None)
                band(axes, np.array(span), np.full(2, value), np.full(2, error), RED)
    found = ", ".join(f"{NAMES[name]} = {results[name]:.3g}" for name in NAMES if name in results)
    axes.plot(x, table["shear_stress"], color=BLUE, label=f"lattice, {found}")
    band(axes, x, table["shear_stress"], table["error"], BLUE)
    axes.axvline(float(stage.params["plateau_from"]), color="0.7", linewidth=0.8, zorder=0,
                 label="the plateau begins")
    axes.set_xlim(0.0, x[-1])
    axes.set_ylim(0.0, None)
    axes.set_xlabel(r"strain $\gamma$")
    axes.set_ylabel(r"stress $\Sigma$")
    axes.legend()
    return figure


def band(axes: Axes, x: object, mean: object, error: object, color: str) -> None:
    """Two standard errors to either side."""
    mean, error = np.asarray(mean), np.asarray(error)
    axes.fill_between(x, mean - 2 * error, mean + 2 * error, color=color, alpha=0.2, linewidth=0)


def draw_trials(stage: StageResults) -> Figure:
    """Plateau and peak of each trial against its mean slip, the target as a line, the result as a mark."""
    figure, both = panels(2, width=4.2, height=2.1)
    table, results = stage.tables["trials"], stage.results
    shared = table["share"].max() > 0
    for axes, name in zip(both, ("plateau", "peak"), strict=True):
        axes.errorbar(table["mean_slip"], table[name], table[f"{name}_error"], fmt="none", ecolor=GREY, elinewidth=0.8)
        points = axes.scatter(table["mean_slip"], table[name], c=table["share"] if shared else BLUE, vmin=0 if shared else None,
                              vmax=1 if shared else None, s=14, zorder=3)
        if np.isfinite(results[f"target_{name}"]):
            axes.axhline(results[f"target_{name}"], color=RED, linewidth=0.9, linestyle="--", label="target")
        axes.errorbar(results["mean_slip"], results[f"predicted_{name}"], results[f"predicted_{name}_error"],
                      results["mean_slip_error"], fmt="s", color=GREEN, markersize=5, label="result", zorder=4)
        axes.set_ylabel(f"{name} stress{'' if name == 'plateau' or stage.params['fit'] == 'c0_c1' else ', not fitted'}")
    both[0].legend()
    both[-1].set_xlabel(r"mean slip $\bar\varepsilon_0$")
    if shared:
        figure.colorbar(points, ax=both, label="share of $c_1$", aspect=40)
    return figure

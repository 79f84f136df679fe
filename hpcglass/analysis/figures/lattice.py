"""Figures of loaded elasto-plastic lattices: curves against strain, maps at some strains, sizes of avalanches.

The same for one sample and for a merged ensemble, whose curves have their standard errors as bands. Profiles of a shear band and
its width are drawn in `activity`, as for particles.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from hpcglass.analysis.figures.catalogue import Figures, register
from hpcglass.analysis.figures.style import BLUE, GREY, MARKERS, RED, SERIES, label, panels, row
from hpcglass.analysis.open_run import StageResults, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAPS = 4                # strains in a figure of maps, at most
CURVES = {
    "mean_threshold": r"threshold $\langle\sigma_c\rangle$",
    "strain_std": r"std of strain $\Delta\gamma$",
    "stress_std": r"std of stress $\Delta\sigma$",
    "localisation": "localisation LOC"}
FIELDS = {"events": "slips", "plastic_strain": r"$\gamma_p$", "stress": r"$\sigma$ [stress]",
          "threshold": r"$\sigma_c$ [stress]"}


@register
def figures(stage: StageResults) -> Figures:
    """(suffix of the file name, function that draws) of each figure of a lattice."""
    drawn: Figures = []
    table = stage.tables.get("loading")
    if table is not None and table.rows and "mean_threshold" in table:
        drawn.append(("", partial(draw_curves, stage, table)))
    merged = stage.tables.get("mean_loading")
    if merged is not None and "mean_threshold" in merged and merged.rows:
        drawn.append(("-lattice", partial(draw_curves, stage, merged)))
    if stage.grids and FIELDS.keys() <= stage.grids.keys():
        drawn.append(("-map", partial(draw_maps, stage)))
    for name in ("avalanche_slips", "avalanche_slips_density"):
        if name in stage.tables and stage.tables[name].rows:
            drawn.append(("-avalanches", partial(draw_avalanches, stage, name.removeprefix("avalanche_slips"))))
    return drawn


def draw_curves(stage: StageResults, table: Table) -> Figure:
    """Stress, mean threshold, fluctuations and localisation against strain (Figs. 3, 4, 6 and 7 of Tyukodi et al.)."""
    figure, axes = panels(1 + len(CURVES), width=4.2, height=1.7)
    curve(axes[0], table, "shear_stress", BLUE)
    if (other := stage.tables.get("beside")) is not None and other.rows:
        axes[0].plot(other["strain"], other["shear_stress"], color=RED, linewidth=0.8, label=f"stage {stage.params['compare']}")
        axes[0].lines[0].set_label("lattice")
        axes[0].legend()
    axes[0].set_ylabel(label(table, "shear_stress", r"stress $\Sigma$"))
    axes[0].set_ylim(min(0.0, float(np.nanmin(table["shear_stress"]))), None)
    for panel, (column, name) in zip(axes[1:], CURVES.items(), strict=True):
        curve(panel, table, column, BLUE)
        panel.set_ylabel(label(table, column, name))
        if column == "localisation":
            panel.set_ylim(0.0, highest_localisation(table, stage.results.get("sites", stage.results.get("particles"))))
    if "samples" in table:
        axes[0].legend([f"mean of {int(table['samples'].max())} samples, standard error"], loc="lower right")
    axes[-1].set_xlabel(r"strain $\gamma$")
    return figure


def highest_localisation(table: Table, sites: Any) -> float:
    """Top of an axis of LOC: a little above all states with as many slips as blocks in a line.

    Before that a few blocks rule: one slip in an otherwise unstrained lattice has LOC = L.
    """
    settled = table["slips"] >= sites**0.5
    settled[0] = True
    return 1.1 * float(table["localisation"][settled].max())


def curve(axes: Axes, table: Table, column: str, color: str) -> None:
    """A column against strain, with its standard error as a band if there is one."""
    x, y = table["strain"], table[column]
    axes.plot(x, y, color=color)
    if f"{column}_error" in table:
        error = np.nan_to_num(table[f"{column}_error"])
        axes.fill_between(x, y - error, y + error, color=color, alpha=0.3, linewidth=0)


def draw_maps(stage: StageResults) -> Figure:
    """Slips, plastic strain, stress and thresholds at some of the strains that were kept; white sites have never slipped."""
    from matplotlib.figure import Figure

    strain = stage.grid_strain
    shown = np.unique(np.linspace(0, len(strain) - 1, min(MAPS, len(strain))).round().astype(int))
    figure = Figure(figsize=(1.0 + 1.75 * len(shown), 1.75 * len(FIELDS)), layout="compressed")
    rows = figure.subplots(len(FIELDS), len(shown), squeeze=False)
    for k, axes in enumerate(rows[0]):
        axes.set_title(rf"$\gamma = {strain[shown[k]]:.4g}$")
    for across, (name, symbol) in zip(rows, FIELDS.items(), strict=True):
        values = stage.grids[name][shown]
        style = shading(name, values)
        for k, axes in enumerate(across):
            frame = values[k]
            if name in ("events", "plastic_strain"):
                frame = np.where(stage.grids["events"][shown[k]] > 0, frame, np.nan)
            image = axes.imshow(frame, origin="lower", interpolation="nearest", rasterized=True, **style)
            axes.set(xticks=[], yticks=[])
            axes.spines[["top", "right"]].set_visible(True)
        bar = figure.colorbar(image, ax=across.tolist(), shrink=0.85, pad=0.01)
        bar.set_label(symbol, fontsize=8)
    return figure


def shading(name: str, values: Any) -> dict[str, Any]:
    """One colour scale for all strains: logarithmic for what only grows, about zero if there are both signs."""
    from matplotlib.colors import LogNorm, Normalize

    if name in ("events", "plastic_strain"):
        there = values[values > 0]
        low, high = (float(there.min()), float(there.max())) if there.size else (1.0, 1.0)
        return {"cmap": "viridis_r", "norm": LogNorm(low, max(high, 1.5 * low))}
    low, high = float(values.min()), float(values.max())
    if low < 0 < high:
        return {"cmap": "RdBu_r", "norm": Normalize(-max(high, -low), max(high, -low))}
    return {"cmap": "cividis", "norm": Normalize(low, max(high, low + 1e-12))}


def draw_avalanches(stage: StageResults, merged: str) -> Figure:
    """Distributions of the numbers of slips S and of the stress drops in avalanches, in each window of strain."""
    figure, both = row(2, 2.9, 2.6)
    for axes, name, column, xlabel, ylabel in zip(
            both, ("avalanche_slips", "avalanche_drops"), ("slips", "drop"),
            ("slips in an avalanche $S$", r"stress drop $\delta\Sigma$"), ("$P(S)$", r"$P(\delta\Sigma)$"), strict=True):
        table = stage.tables[f"{name}{merged}"]
        for k, start in enumerate(np.unique(table["window_start"])):
            here = table["window_start"] == start
            x, y, end = table[column][here], table["density"][here], table["window_end"][here][0]
            text = rf"$\gamma > {start:.3g}$" if np.isinf(end) else rf"${start:.3g} < \gamma < {end:.3g}$"
            bars = np.nan_to_num(table["density_error"][here]) if merged else None
            error = None if bars is None else np.array([np.minimum(bars, 0.95 * y), bars])
            axes.errorbar(x, y, error, fmt=MARKERS[k % 6], color=SERIES[k % 6], markersize=3, linewidth=0.7,
                          label=text if len(np.unique(table["window_start"])) > 1 else None)
        if name == "avalanche_slips" and table.rows > 4:
            guide = np.array([table[column].min(), table[column].max()])
            top = float(table["density"].max())
            axes.plot(guide, 0.6 * top * (guide / guide[0]) ** -1.5, "--", color=GREY, linewidth=0.8,
                      label="$S^{-3/2}$, mean field")
        axes.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    return figure

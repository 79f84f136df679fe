"""Distributions of local yield stresses, of one sample or of many, and how they change with strain (001 Fig. 4b; 004 Fig. 2)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hpcglass.analysis.figures.catalogue import Figures, register
from hpcglass.analysis.figures.strength.maps import SYMBOLS
from hpcglass.analysis.figures.style import MARKERS, SERIES, label, panels, row, units
from hpcglass.analysis.open_run import StageResults, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = ("sigma_y", "delta_tau_y", "threshold")
BINS = 24               # of the whole range, at most; fewer where there are few values
STRAINS = 5             # in one panel, at most


@register
def figures(stage: StageResults) -> Figures:
    """Of a stage `strength`, or of a merged file of many."""
    drawn: Figures = []
    if any(rows(stage.tables.get(f"{name}_density")) for name in NAMES):
        drawn.append(("-strength", partial(draw_merged, stage)))
    elif rows(blocks := stage.tables.get("blocks")) and blocks is not None and "delta_tau_y" in blocks:
        drawn.append(("-distribution", partial(draw_sample, stage)))
    for name in ("strength", "mean_strength"):
        table = stage.tables.get(name)
        if table is not None and len(np.unique(table["strain"])) > 1:
            drawn.append(("-strain", partial(draw_strain, table, name == "mean_strength")))
    return drawn


def rows(table: Table | None) -> int:
    """How many a table has."""
    return 0 if table is None else table.rows


def some(strains: np.ndarray) -> np.ndarray:
    """A few of the strains, the first and the last among them."""
    known = np.unique(strains)
    return known[np.unique(np.linspace(0, len(known) - 1, min(len(known), STRAINS)).astype(int))]


def draw_sample(stage: StageResults) -> Figure:
    """Histograms of the values of blocks, and of the stress of blocks."""
    blocks = stage.tables["blocks"]
    names = [name for name in (*NAMES, "stress") if np.isfinite(blocks[name]).any()]
    figure, places = row(len(names), 2.3, 2.3)
    for axes, name in zip(places, names, strict=True):
        values = blocks[name]
        bins = most(np.isfinite(values).sum() / len(np.unique(blocks["strain"])))
        edges = np.linspace(np.nanmin(values), np.nanmax(values) + 1e-12, bins + 1)
        for k, strain in enumerate(some(blocks["strain"])):
            here = values[np.isclose(blocks["strain"], strain) & np.isfinite(values)]
            density = np.histogram(here, edges, density=True)[0] if here.size else np.zeros(bins)
            axes.stairs(density, edges, color=SERIES[k % 6], label=rf"$\gamma = {strain:.3g}$", linewidth=1.0)
        finish(axes, blocks, name)
    key(figure, places[0])
    return figure


def draw_merged(stage: StageResults) -> Figure:
    """Densities of the values of blocks over all samples, with their errors; coarser bins than those in the file."""
    names = [name for name in (*NAMES, "stress") if rows(stage.tables.get(f"{name}_density"))]
    figure, places = row(len(names), 2.3, 2.3)
    for axes, name in zip(places, names, strict=True):
        table = stage.tables[f"{name}_density"]
        for k, strain in enumerate(some(table["strain"])):
            x, density, error = coarser(table, strain)
            axes.errorbar(x, density, error, fmt=MARKERS[k % 6] + "-", color=SERIES[k % 6], markersize=2.5, linewidth=0.7,
                          label=rf"$\gamma = {strain:.3g}$")
        finish(axes, table, name)
    key(figure, places[0])
    return figure


def coarser(table: Table, strain: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(value, density, error) with about BINS bins, from the whole bins of the file."""
    here = np.isclose(table["strain"], strain)
    value, density, error = (table[name][here] for name in ("value", "density", "density_error"))
    fine = float(np.diff(np.unique(value)).min()) if len(value) > 1 else 1.0
    group = max(round((np.ptp(value) + fine) / fine / most(table["count"][here].sum())), 1)
    bins = np.floor(value / (group * fine) + 1e-9).astype(np.int64)
    bins -= bins.min()
    total = np.bincount(bins, density) / group
    variance = np.bincount(bins, np.nan_to_num(error) ** 2) / group**2
    x = np.bincount(bins, value * density) / np.maximum(np.bincount(bins, density), 1e-300)
    good = total > 0
    return x[good], total[good], np.sqrt(variance)[good]


def most(values: float) -> int:
    """Bins for so many values."""
    return int(min(BINS, max(np.sqrt(values), 4)))


def finish(axes: Axes, table: Table, name: str) -> None:
    """Labels of a panel; a density has the inverse of the unit."""
    symbol, column = SYMBOLS.get(name, r"$\sigma$"), name if name in table else "value"
    inverse = "/".join(reversed(table.units.get(column, "").split("/")))
    axes.set_xlabel(label(table, column, f"stress {symbol}" if name == "stress" else symbol))
    axes.set_ylabel(f"$P$({symbol}){units(inverse)}")
    axes.set_ylim(0.0, None)


def key(figure: Figure, axes: Axes) -> None:
    """One legend for all panels, above them, if there are several strains."""
    handles, texts = axes.get_legend_handles_labels()
    if len(texts) > 1:
        figure.legend(handles, texts, loc="outside upper center", ncols=min(len(texts), 3), fontsize=7, frameon=False)


def draw_strain(table: Table, merged: bool) -> Figure:
    """Mean over blocks against strain; bands are the standard deviation over blocks of one sample, or the error over samples."""
    names = [name for name in NAMES if np.isfinite(table[f"mean_{name}"]).any()]
    figure, (upper, lower) = panels(2, width=4.0, height=2.2)
    for k, name in enumerate(names):
        mean = table[f"mean_{name}"]
        spread = np.nan_to_num(table[f"mean_{name}_error"] if merged else table[f"std_{name}"])
        upper.plot(table["strain"], mean, MARKERS[k] + "-", color=SERIES[k], markersize=3, linewidth=0.8, label=SYMBOLS[name])
        upper.fill_between(table["strain"], mean - spread, mean + spread, color=SERIES[k], alpha=0.15, linewidth=0)
    upper.set_ylabel(label(table, f"mean_{names[0]}", "mean"))
    of_bands = "standard error over samples" if merged else "standard deviation over blocks"
    upper.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(names), frameon=False, title_fontsize=8,
                 title=f"bands: {of_bands}")
    for k, (name, text) in enumerate((("delta_sigma", r"$\delta\sigma$ over blocks"), ("stress", r"stress $\Sigma$"))):
        lower.plot(table["strain"], table[name], MARKERS[k] + "-", color=SERIES[k + 3], markersize=3, linewidth=0.8, label=text)
    lower.set_ylabel(label(table, "delta_sigma", "stress"))
    lower.set_xlabel(r"strain $\gamma$")
    lower.legend()
    return figure

"""Figures of plastic activity and of events: maps, profiles and widths of bands; of ensembles also rates, drops, steady state."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.figures.catalogue import Figures, register
from hpcglass.analysis.figures.cells import color_bar, discs, frame, part, view
from hpcglass.analysis.figures.style import BLUE, GREY, RED, grid, label, panels, row
from hpcglass.analysis.open_run import StageResults, Table
from hpcglass.words import PLUS_MINUS, measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
CURVES = 7          # profiles in a figure
SLOPES = ((0.25, "--", r"$\gamma^{0.25}$"), (0.5, ":", r"$\gamma^{0.5}$"))


@register
def figures(stage: StageResults) -> Figures:
    """(suffix of the file name, function that draws) of each figure of a stage file or of a merged file."""
    tables = stage.tables
    drawn: Figures = []
    if "activity" in stage.fields and stage.position is not None:
        drawn.append(("-activity", partial(draw_activity, stage)))
    profile = tables.get("band_profile", tables.get("mean_band_profile"))
    activity = tables.get("activity", tables.get("mean_activity"))
    if profile is not None and profile.rows and activity is not None and (profile["activity"] > 0).any():
        drawn.append(("-band", partial(draw_band, profile, activity)))
    if "event_rate" in tables and tables["event_rate"]["events"].sum():
        drawn.append(("-events", partial(draw_events, tables["event_rate"])))
    if "first_event" in tables and tables["first_event"].rows > 1:
        drawn.append(("-first", partial(draw_first, stage)))
    if "steady_stress_density" in tables:
        drawn.append(("-steady", partial(draw_steady, stage)))
    return drawn


def draw_activity(stage: StageResults) -> Figure:
    """The final configuration with those particles coloured that were active at least once, by when they first were."""
    from matplotlib.colors import Normalize

    seen = view(stage)
    first, strains = stage.fields["first_activity"][seen.chosen], stage.tables["activity"]["strain"]
    figure, (axes,) = grid(1, 1, 3.8, 3.3, maps=True)
    ever = ~np.isnan(first)
    limits = (float(strains.min()), float(strains.max())) if len(strains) else (0.0, 1.0)
    discs(axes, part(seen, ~ever), facecolor="#dddddd")
    active = discs(axes, part(seen, ever), first[ever], cmap="plasma", norm=Normalize(*limits))
    frame(axes, seen)
    share = float(np.isfinite(stage.fields["first_activity"]).mean())
    axes.set_title(seen.title(f"{100 * share:.3g} % active at least once"))
    if limits[0] < limits[1]:
        color_bar(figure, active, axes, "strain when first active", "", first[ever])
    return figure


def draw_band(profile: Table, activity: Table) -> Figure:
    """Profiles of the activity around the band at strains in equal ratios; its width against the strain."""
    from matplotlib import colormaps

    figure, (left, right) = row(2)
    strains = np.unique(np.abs(profile["strain"]))
    lit = np.array([(profile["activity"][np.abs(profile["strain"]) == g] > 0).any() for g in strains])
    strains = strains[lit & (strains > 0)]
    wanted = np.geomspace(strains[0], strains[-1], CURVES) if len(strains) else strains
    chosen = np.unique(np.abs(np.log(strains[None] / wanted[:, None])).argmin(axis=1))
    for k, gamma in enumerate(strains[chosen]):
        rows = np.abs(profile["strain"]) == gamma
        color = colormaps["viridis"](0.92 * k / max(len(chosen) - 1, 1))
        left.plot(profile["x"][rows], profile["activity"][rows], ".-", markersize=2.5, color=color,
                  label=rf"$\gamma = {gamma:.3g}$")
    left.set(xlabel=label(profile, "x", "distance from the band $x$"), ylabel=f"{profile.long_name['activity']} $P(x)$",
             ylim=(0, None))
    left.legend(fontsize=7, handlelength=1.2)
    _widths(right, activity)
    return figure


def _widths(axes: Axes, table: Table) -> None:
    """w(gamma), filled where there is a band, with guides to the eye."""
    strain, width = np.abs(table["strain"]), table["width"]
    seen = np.isfinite(width) & (strain > 0)
    if "width_error" in table:
        axes.errorbar(strain[seen], width[seen], np.nan_to_num(table["width_error"][seen]), fmt="o", color=BLUE, markersize=2.8,
                      linewidth=0.7, label="samples with a band")
        band = seen
    else:
        band = seen & (table["band"] > 0)
        axes.plot(strain[seen & ~band], width[seen & ~band], "o", color=GREY, markersize=2.8, markerfacecolor="none",
                  markeredgewidth=0.7, label="no band")
        axes.plot(strain[band], width[band], "o", color=BLUE, markersize=2.8, label="band")
    if band.sum() > 1:
        x, middle = np.array([strain[band].min(), strain[band].max()]), np.median(np.flatnonzero(band)).astype(int)
        for power, style, name in SLOPES:
            axes.plot(x, 1.2 * width[middle] * (x / strain[middle]) ** power, style, color="black", linewidth=0.8, label=name)
    axes.set(xscale="log", yscale="log", xlabel=r"strain $\gamma$", ylabel=label(table, "width", "width $w$"))
    axes.legend(fontsize=7)


def draw_events(table: Table) -> Figure:
    """Mean stress drop of an event, and number of events per strain, against strain."""
    figure, (drop, rate) = panels(2, width=4.2, height=2.0)
    x = table["strain"]
    for axes, name, text, color in ((drop, "stress_drop", r"$\langle\Delta\sigma\rangle$", RED),
                                    (rate, "rate", r"events of a sample per strain", BLUE)):
        axes.errorbar(x, table[name], np.nan_to_num(table[f"{name}_error"]), (table["high"] - table["low"]) / 2, fmt="o",
                      color=color, markersize=2.8, linewidth=0.7)
        axes.set_ylabel(label(table, name, text))
        axes.set_ylim(min(0.0, float(np.nanmin(table[name]))), None)
    rate.set_xlabel("strain")
    return figure


def draw_first(stage: StageResults) -> Figure:
    """Distribution over samples of the strain at the first event."""
    figure, (axes,) = panels(1, width=4.2, height=2.6)
    strain, mean = stage.tables["first_event"]["strain"], stage.results["first_event_strain"]
    error, without = stage.results["first_event_strain_error"], int(stage.results["first_event_none"])
    axes.hist(strain, bins=int(np.clip(2 * len(strain) ** 0.5, 4, 40)), color=BLUE, alpha=0.6, linewidth=0)
    axes.axvspan(mean - error, mean + error, color=RED, alpha=0.25, linewidth=0)
    axes.axvline(mean, color=RED, linewidth=0.9, label=rf"mean ${measured(mean, error, PLUS_MINUS)}$")
    axes.plot([], [], " ", label=f"{len(strain)} samples" + (f", {without} more without an event" if without else ""))
    axes.set(xlabel="strain at the first event", ylabel="samples")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.legend()
    return figure


def draw_steady(stage: StageResults) -> Figure:
    """Distribution of the stress in the steady state."""
    figure, (axes,) = panels(1, width=4.2, height=2.6)
    table, numbers = stage.tables["steady_stress_density"], stage.results
    mean, error, spread = (numbers[f"steady_stress{name}"] for name in ("", "_error", "_std"))
    axes.errorbar(table["stress"], table["density"], np.nan_to_num(table["density_error"]), fmt="o", color=BLUE, markersize=2.8,
                  linewidth=0.7, label=rf"strain $> {numbers['steady_from']:.3g}$, std ${spread:.2g}$")
    axes.axvline(mean, color=RED, linewidth=0.9, label=rf"$\langle\sigma_s\rangle = {measured(mean, error, PLUS_MINUS)}$")
    axes.set(xlabel=label(table, "stress", r"$\sigma_s$"), ylabel=r"$P(\sigma_s)$", ylim=(0, None))
    axes.legend()
    return figure

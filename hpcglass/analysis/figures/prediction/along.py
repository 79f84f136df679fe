"""Scores and values along the loading: C against strain, number of the event and strain before it, beside the dissipation;
distributions; the shear band. 003 Figs. 4h-k, 6, 8, 9, 10."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hpcglass.analysis.figures.catalogue import Figures, register
from hpcglass.analysis.figures.prediction.parts import (
    curve,
    rows,
    score_axis,
    shades,
    shown,
    symbol,
    table,
    texts,
    there,
    title,
)
from hpcglass.analysis.figures.style import SERIES, grid
from hpcglass.analysis.figures.style import units as spelled
from hpcglass.analysis.open_run import StageResults
from hpcglass.indicators.catalogue import INDICATORS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DECAY = ("delta_tau_y", "vibrality", "theta")       # 003 Fig. 6
PROFILES = ("delta_tau_y", "theta")                 # 003 Fig. 10


@register
def figures(stage: StageResults) -> Figures:
    """Of a file of `hpcglass predict`."""
    makers = (("strain", "-strain", draw_strain), ("number", "-events", draw_events), ("distribution", "-distributions",
              draw_distributions), ("band", "-band", draw_band))
    return [(suffix, partial(draw, stage)) for name, suffix, draw in makers if there(stage, name)]


def draw_strain(stage: StageResults) -> Figure:
    """C_gamma of three indicators for all preparations, and the energy dissipated until there."""
    groups, names = texts(stage, "groups"), shown(texts(stage, "indicators"), DECAY, 3)
    figure, places = grid(len(names) + 1, 2, 3.2, 2.4)
    colors = shades(len(groups))
    for axes, name in zip(places, names, strict=False):
        for g, group in enumerate(groups):
            found = rows(table(stage, "strain"), group=g, least_energy=0.0)
            curve(axes, found["strain"], found[f"C_{name}"], found[f"error_{name}"], g, title(group), colors[g])
        axes.set_xlabel(r"$\gamma$")
        axes.set_title(symbol(name))
        score_axis(axes, r"$C_\gamma$")
    last = places[-1]
    for g in range(len(groups)):
        found = rows(table(stage, "strain"), group=g, least_energy=0.0)
        curve(last, found["strain"], found["dissipation_density"], found["dissipation_density_error"], g, "", colors[g])
    positive = table(stage, "strain")["dissipation_density"]
    if (positive > 0).any():
        last.set_yscale("log")
        last.set_ylim(bottom=0.5 * float(positive[positive > 0].min()))
    last.set(xlabel=r"$\gamma$", ylabel=rf"$\Gamma${spelled(table(stage, 'strain').units['dissipation_density'])}")
    figure.legend(*places[0].get_legend_handles_labels(), fontsize=7, loc="outside lower center", ncols=min(3, len(groups)))
    return figure


def draw_events(stage: StageResults) -> Figure:
    """C against the number of the event, and against the strain before it, for each preparation."""
    groups, names = texts(stage, "groups"), shown(texts(stage, "indicators"))
    also = there(stage, "before")
    figure, places = grid(len(groups) * (1 + also), 1 + also, 3.3, 2.4)
    for g, group in enumerate(groups):
        axes = places[g * (1 + also)]
        found = rows(table(stage, "number"), group=g, least_energy=0.0)
        for k, name in enumerate(names):
            curve(axes, found["number"], found[f"C_{name}"], found[f"error_{name}"], k, symbol(name))
        axes.set(xlabel="number of the event", title=title(group))
        score_axis(axes, r"$C_\gamma$")
        if also:
            other = places[2 * g + 1]
            found = rows(table(stage, "before"), group=g, least_energy=0.0)
            for k, name in enumerate(names):
                curve(other, found["distance"], found[f"C_{name}"], found[f"error_{name}"], k, symbol(name))
            other.set_xscale("log")
            other.set_xlabel(r"$\Delta\gamma$")
            score_axis(other, r"$C_{\Delta\gamma}$")
    places[0].legend(fontsize=7, ncols=2, handlelength=1.2)
    return figure


def draw_distributions(stage: StageResults) -> Figure:
    """P of an indicator at several strains, for each preparation."""
    groups, names, found = texts(stage, "groups"), texts(stage, "distributed"), table(stage, "distribution")
    figure, places = grid(len(groups) * len(names), len(groups), 3.2, 2.5)
    for i, name in enumerate(names):
        for g, group in enumerate(groups):
            axes, here = places[i * len(groups) + g], rows(found, group=g, indicator=i)
            strains = sorted(set(here["strain"].tolist()))
            for strain, color in zip(strains, shades(len(strains)), strict=True):
                one = rows(here, strain=strain)
                axes.plot(one["value"], np.where(one["density"] > 0, one["density"], np.nan), color=color, label=f"{strain:.3g}")
            axes.set_yscale("log")
            sign = symbol(name)
            axes.set(xlabel=f"{sign}{spelled(INDICATORS[name].units.replace('^d', '^2'))}", ylabel=f"$P$({sign})",
                     title=title(group))
    places[0].legend(title=r"$\gamma$", fontsize=7, title_fontsize=7)
    return figure


def draw_band(stage: StageResults) -> Figure:
    """Profiles across the shear band at several strains, and mean ranks inside against strain, for each preparation."""
    groups, indicators = texts(stage, "groups"), texts(stage, "indicators")
    names = shown(indicators, PROFILES, 2)
    groups_there = [g for g in range(len(groups)) if rows(table(stage, "band"), group=g).rows]
    figure, places = grid(len(groups_there) * (len(names) + 1), len(names) + 1, 3.0, 2.5)
    for line, g in enumerate(groups_there):
        across = places[line * (len(names) + 1): (line + 1) * (len(names) + 1)]
        found = rows(table(stage, "profile"), group=g)
        strains = sorted(set(found["strain"].tolist()))
        for axes, name in zip(across, names, strict=False):
            for strain, color in zip(strains, shades(len(strains)), strict=True):
                one = rows(found, strain=strain)
                axes.plot(one["x"], one[f"mean_{name}"], color=color, label=f"{strain:.3g}")
            axes.set(xlabel="$x - x_0$", ylabel=f"$\\langle${symbol(name)}$\\rangle$", title=title(groups[g]))
        across[0].legend(title=r"$\gamma$", fontsize=6, title_fontsize=7, ncols=2)
        inside = rows(table(stage, "band"), group=g)
        for k, name in enumerate(shown(indicators)):
            curve(across[-1], inside["strain"], inside[f"r_{name}"], inside[f"error_{name}"], k, symbol(name),
                  SERIES[k % len(SERIES)])
        across[-1].axhline(0.5, color="0.6", lw=0.8, zorder=0)
        across[-1].set(xlabel=r"$\gamma$", ylabel=r"$\langle r\rangle_\mathrm{sb}$")
        across[-1].legend(fontsize=6, ncols=2)
    return figure


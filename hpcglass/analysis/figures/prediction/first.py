"""Scores of the first event: F(1 - r), C_min of all indicators and by preparation, of moved copies; 003 Figs. 3, 4, 7."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hpcglass.analysis.figures.catalogue import Figures, register
from hpcglass.analysis.figures.prediction.parts import (
    curve,
    energies,
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
from hpcglass.analysis.figures.style import GREY, SERIES, SYMBOLS, grid, panels, row
from hpcglass.analysis.open_run import StageResults
from hpcglass.indicators.catalogue import INDICATORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CLASSIC = ("thermal_expansion", "phi", "mu", "theta", "vibrality", "delta_tau_y")        # 003 Fig. 3, and three good ones
MOVED = ("theta", "s2", "P", "Q", "z")
KINDS = {0: ("as cast", "#333333"), 3: ("affine", "#A0A0A0"), 4: ("affine + nonaffine", "#0072B2"), 1: ("onset", "#D55E00")}


@register
def figures(stage: StageResults) -> Figures:
    """Of a file of `hpcglass predict`."""
    drawn: Figures = []
    if there(stage, "cumulative"):
        drawn.append(("-ranks", partial(draw_ranks, stage)))
    if there(stage, "first") and 0 in table(stage, "first")["kind"]:
        drawn.append(("-scores", partial(draw_scores, stage)))
        if len(texts(stage, "groups")) > 1:
            drawn.append(("-preparation", partial(draw_preparation, stage)))
    if there(stage, "first") and {3, 4} & set(table(stage, "first")["kind"].astype(int).tolist()):
        drawn.append(("-moved", partial(draw_moved, stage)))
    if there(stage, "spearman"):
        drawn.append(("-spearman", partial(draw_spearman, stage)))
    return drawn


def draw_ranks(stage: StageResults) -> Figure:
    """F(1 - r) of some indicators, and their scores, for each preparation."""
    groups, names = texts(stage, "groups"), shown(texts(stage, "indicators"), CLASSIC)
    figure, places = grid(2 * len(groups), 2, 3.2, 2.6)
    for g, group in enumerate(groups):
        found = rows(table(stage, "cumulative"), group=g, least_energy=0.0)
        left, right = places[2 * g: 2 * g + 2]
        left.plot([0, 1], [0, 1], "--", color=GREY, lw=0.8)
        for k, name in enumerate(names):
            left.plot(found["missed"], found[f"F_{name}"], color=SERIES[k], drawstyle="steps-post", label=symbol(name))
        left.set(xlabel="$1 - r$", ylabel="$F(1 - r)$", xlim=(0, 1), ylim=(0, 1.02), title=title(group))
        left.legend(loc="lower right", ncols=2, handlelength=1.2)
        scores = rows(table(stage, "first"), group=g, least_energy=0.0, kind=0)
        for k, name in enumerate(names if scores.rows else ()):
            right.bar(k, scores[f"C_{name}"], yerr=np.nan_to_num(scores[f"error_{name}"]), color=SERIES[k], width=0.7,
                      error_kw={"elinewidth": 0.8})
        right.set_xticks(range(len(names)), [symbol(name) for name in names])
        score_axis(right, r"$C_\mathrm{min}$")
    return figure


def draw_scores(stage: StageResults) -> Figure:
    """C_min of all indicators, a panel for each preparation; families apart; open: without micro-events."""
    groups, names = texts(stage, "groups"), texts(stage, "indicators")
    figure, places = panels(len(groups), width=max(3.4, 0.24 * len(names) + 1.0), height=1.8)
    for g, (group, axes) in enumerate(zip(groups, places, strict=True)):
        found = rows(table(stage, "first"), group=g, kind=0)
        _families(axes, names)
        for k, least in enumerate(energies(found)):
            one = rows(found, least_energy=least)
            score, wrong = (np.array([float(one[f"{what}_{name}"][0]) for name in names]) for what in ("C", "error"))
            axes.errorbar(np.arange(len(names)) + 0.2 * k, score, np.nan_to_num(wrong), fmt="os"[k % 2], ms=4, elinewidth=0.8,
                          color=SERIES[k], mfc="white" if k else SERIES[0],
                          label="all events" if not least else f"of at least {least:g}")
        if not g and len(energies(found)) > 1:
            axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2)
        axes.set_title(f"{title(group)}, {found['events'][0]:.0f} first events" if found.rows else title(group), loc="left")
        score_axis(axes, r"$C_\mathrm{min}$")
    places[-1].set_xticks(range(len(names)), [symbol(name) for name in names], fontsize=7)
    return figure


def _families(axes: Axes, names: list[str]) -> None:
    """Every second family on grey."""
    family = [INDICATORS[name].family for name in names]
    for k, one in enumerate(dict.fromkeys(family)):
        here = [i for i, name in enumerate(family) if name == one]
        if k % 2:
            axes.axvspan(here[0] - 0.5, here[-1] + 0.5, color="0.94", lw=0, zorder=0)
    axes.set_xlim(-0.5, len(names) - 0.5)


def draw_preparation(stage: StageResults) -> Figure:
    """C_min against the preparation: over 1/T_p as in the paper, or over the parameter of the sweep, if there is one."""
    groups, names, told = texts(stage, "groups"), texts(stage, "indicators"), table(stage, "groups")
    values = [name for name in told if name not in ("group", "samples", "located", "unlocated") and np.isfinite(told[name]).all()
              and len(set(told[name].tolist())) == len(groups)]
    over = "T_p" if "T_p" in values else values[0] if len(values) == 1 else ""
    x = np.arange(len(groups), dtype=np.float64)
    if over:
        x = 1.0 / told[over] if over == "T_p" else told[over]
    families = list(dict.fromkeys(INDICATORS[name].family for name in names))
    figure, places = grid(len(families), 3, 3.2, 2.5)
    for axes, family in zip(places, families, strict=False):
        members = [name for name in names if INDICATORS[name].family == family]
        for k, name in enumerate(members):
            scores = [rows(table(stage, "first"), group=g, kind=0, least_energy=0.0) for g in range(len(groups))]
            y, wrong = (np.array([float(one[f"{what}_{name}"][0]) if one.rows else np.nan for one in scores])
                        for what in ("C", "error"))
            color = None if len(members) <= len(SERIES) else shades(len(members))[k]
            curve(axes, x, y, wrong, k, symbol(name), color)
        if over:
            axes.set_xlabel(r"$1/T_\mathrm{p}$" if over == "T_p" else SYMBOLS.get(over, over))
        else:
            axes.set_xticks(x, [title(group) for group in groups], rotation=20, fontsize=7, ha="right")
        axes.set_title(family.replace("_", " "))
        score_axis(axes, r"$C_\mathrm{min}$")
        axes.set_ylim(-1.05, 1.05)
        axes.legend(fontsize=6, handlelength=1.0, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def draw_moved(stage: StageResults) -> Figure:
    """C of the first event: as cast, moved affinely, affinely and nonaffinely, at its onset."""
    groups, names = texts(stage, "groups"), shown(texts(stage, "indicators"), MOVED)
    figure, places = row(len(groups))
    for g, (group, axes) in enumerate(zip(groups, places, strict=True)):
        for k, (kind, (text, color)) in enumerate(KINDS.items()):
            found = rows(table(stage, "first"), group=g, least_energy=0.0, kind=kind)
            if found.rows:
                score, wrong = (np.array([float(found[f"{what}_{name}"][0]) for name in names]) for what in ("C", "error"))
                axes.bar(np.arange(len(names)) + 0.2 * k - 0.3, score, 0.19, yerr=np.nan_to_num(wrong), color=color, label=text,
                         error_kw={"elinewidth": 0.8})
        axes.set_xticks(range(len(names)), [symbol(name) for name in names])
        axes.set_title(title(group) if len(groups) > 1 else "")
        score_axis(axes, "$C$, first event" if not g else "")
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + 0.35)
    places[0].legend(loc="upper left", fontsize=7, ncols=2, handlelength=1.0)
    return figure


def draw_spearman(stage: StageResults) -> Figure:
    """Correlations of the ranks of all pairs of indicators, as cast, for each preparation."""
    groups, names = texts(stage, "groups"), texts(stage, "indicators")
    size = max(2.8, 0.17 * len(names) + 0.9)
    figure, places = grid(len(groups), min(len(groups), 2), size + 0.5, size + 0.2, maps=True)
    for g, (group, axes) in enumerate(zip(groups, places, strict=True)):
        found = rows(table(stage, "spearman"), group=g)
        drawn = axes.imshow(np.array([found[name] for name in names]), vmin=-1.0, vmax=1.0, cmap="RdBu_r")
        axes.set_xticks(range(len(names)), [symbol(name) for name in names], fontsize=5, rotation=90)
        axes.set_yticks(range(len(names)), [symbol(name) for name in names], fontsize=5)
        axes.grid(False)
        axes.set_title(title(group))
    figure.colorbar(drawn, ax=places, shrink=0.7, label="$C_s$")
    return figure

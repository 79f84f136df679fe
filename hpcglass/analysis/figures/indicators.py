"""Figures of the stage `indicators`: maps of the ranks, and how alike the indicators are."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hpcglass.analysis.figures.catalogue import Figures, register
from hpcglass.analysis.figures.cells import color_bar, discs, frame, view
from hpcglass.analysis.figures.style import grid, panels
from hpcglass.analysis.open_run import StageResults
from hpcglass.indicators.catalogue import INDICATORS
from hpcglass.numbers.ranking import soft_ranks, spearman

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS, MAPS = 4, 12       # maps beside each other, and in a figure


@register
def figures(stage: StageResults) -> Figures:
    """Maps of a dozen indicators at a time, and the matrix of their correlations."""
    if stage.params.get("kind") != "indicators" or stage.position is None:
        return []
    names = [name for name in INDICATORS if name in stage.fields]
    if stage.params.get("of") and names:
        stage = first_configuration(stage, names)
    many = len(names) > MAPS
    drawn: Figures = [(f"-ranks-{k // MAPS + 1}" if many else "-ranks", partial(draw_maps, stage, names[k: k + MAPS]))
                      for k in range(0, len(names), MAPS)]
    return drawn + ([("-spearman", partial(draw_spearman, stage, names))] if len(names) > 1 else [])


def first_configuration(stage: StageResults, names: list[str]) -> StageResults:
    """Of a stage with a column for each configuration along a loading: the first one, as if it were the stage's own."""
    frame = stage.frames[0]
    return replace(stage, position=frame.position, box=frame.box, fields={name: stage.fields[name][:, 0] for name in names})


def ranks(stage: StageResults, name: str) -> np.ndarray:
    """(N,) ranks by softness, 1 the softest."""
    return soft_ranks(stage.fields[name], INDICATORS[name].soft)


def symbol(name: str) -> str:
    """As in the paper, with its index."""
    base, _, index = INDICATORS[name].symbol.partition("_")
    return f"{base}$_{{{index}}}$" if index else base


def draw_maps(stage: StageResults, names: list[str]) -> Figure:
    """Particles coloured by their rank: those that an indicator calls softest are bright."""
    from matplotlib.colors import Normalize

    seen = view(stage)
    figure, places = grid(len(names), min(len(names), COLUMNS), 2.4, 2.6, maps=True)
    values = [ranks(stage, name)[seen.chosen] for name in names]
    for axes, name, shown in zip(places, names, values, strict=True):
        drawn = discs(axes, seen, shown, "mean", norm=Normalize(0.0, 1.0), cmap="inferno")
        frame(axes, seen)
        axes.set_title(seen.title(f"{symbol(name)}  ({name})"), fontsize=8)
    color_bar(figure, drawn, places, "rank by softness", "")
    return figure


def draw_spearman(stage: StageResults, names: list[str]) -> Figure:
    """Correlations of the ranks of all pairs of indicators."""
    size = max(3.2, 0.3 * len(names) + 1.0)
    figure, (axes,) = panels(1, width=size + 1.2, height=size + 0.3)
    matrix = spearman(np.array([ranks(stage, name) for name in names]))
    drawn = axes.imshow(matrix, vmin=-1.0, vmax=1.0, cmap="RdBu_r")
    axes.set_xticks(range(len(names)), [symbol(name) for name in names], fontsize=6)
    axes.set_yticks(range(len(names)), [f"{name}  {symbol(name)}" for name in names], fontsize=6)
    axes.grid(False)
    figure.colorbar(drawn, ax=axes, shrink=0.7, label="Spearman's correlation of ranks")
    return figure

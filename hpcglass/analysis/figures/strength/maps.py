"""Maps of the stage `strength`: particles coloured by what the sites around them bear (001 Fig. 4a)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hpcglass.analysis.figures.catalogue import Figures, register
from hpcglass.analysis.figures.cells import color_bar, discs, frame, view
from hpcglass.analysis.figures.style import dimension, grid, spelled
from hpcglass.analysis.open_run import StageResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SYMBOLS = {
    "delta_tau_y": r"$\Delta\tau_y$", "sigma_y": r"$\sigma_Y$", "threshold": r"$\sigma_c$",
    "delta_tau_y_backward": r"$\Delta\tau_y$ backward", "sigma_y_backward": r"$\sigma_Y$ backward"}
SHARE = (1.0, 99.0)         # percentiles between which colours change
ACROSS = 3                  # maps beside each other, at most


@register
def figures(stage: StageResults) -> Figures:
    """One figure with all fields, if they are those of the configuration in the file."""
    names = mapped(stage)
    return [("-map", partial(draw_maps, stage, names))] if names and stage.position is not None else []


def mapped(stage: StageResults) -> list[str]:
    """Fields of one configuration that are there."""
    if stage.params.get("kind") != "strength" or stage.params.get("of") is not None:
        return []
    return [name for name in SYMBOLS if name in stage.fields and stage.fields[name].ndim == 1
            and np.isfinite(stage.fields[name]).any()]


def draw_maps(stage: StageResults, names: list[str]) -> Figure:
    """Particles coloured by their strength, soft ones bright; one scale for all fields, which are the same quantity."""
    from matplotlib.colors import Normalize

    seen = view(stage)
    figure, places = grid(len(names), min(len(names), ACROSS), 2.4, 2.7, maps=True)
    values = [stage.fields[name][seen.chosen] for name in names]
    low, high = np.nanpercentile(np.concatenate(values), SHARE)
    norm = Normalize(low, max(high, low + 1e-12))
    for axes, name, shown in zip(places, names, values, strict=True):
        drawn = discs(axes, seen, shown, "least", norm=norm, cmap="inferno_r")
        frame(axes, seen)
        axes.set_title(seen.title(SYMBOLS[name]))
    color_bar(figure, drawn, places, "local strength", spelled("energy/length^d", dimension(stage)), *values)
    return figure

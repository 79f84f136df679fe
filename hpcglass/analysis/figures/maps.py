"""Maps of particles coloured by a field: where a glass deformed plastically, or will."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hpcglass.analysis.figures.catalogue import Figures, register
from hpcglass.analysis.figures.cells import color_bar, discs, frame, scale, view
from hpcglass.analysis.figures.style import grid
from hpcglass.analysis.open_run import StageResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 4           # most maps beside each other
TITLES = {"d2min": "first to last", "event_d2min": "largest event"}


@register
def figures(stage: StageResults) -> Figures:
    """All maps of D^2_min in one."""
    return [("-map", partial(draw_maps, stage))] if titles(stage) and stage.position is not None else []


def titles(stage: StageResults) -> dict[str, str]:
    """What to write above the map of each field of D^2_min that the stage has; of `inflate`, how far the wall moved."""
    if "inflation" in stage.tables:
        sizes = stage.tables["inflation"]["d_0"]
        fields = [f"d2min_{k}" for k in range(len(sizes))] if len(sizes) > 1 else ["d2min"]
        known = {name: rf"$d_0 = {d_0:.4g}$" for name, d_0 in zip(fields, sizes, strict=True)}
    else:
        known = TITLES
    return {name: title for name, title in known.items() if name in stage.fields}


def draw_maps(stage: StageResults) -> Figure:
    """The final configuration coloured by D^2_min: since the first and of the largest event, or of each inflation; one scale."""
    named, seen = titles(stage), view(stage)
    figure, panels = grid(len(named), min(len(named), COLUMNS), 3.0, 3.2, maps=True)
    values = [stage.fields[name][seen.chosen] for name in named]
    norm = scale(*values)
    for axes, title, shown in zip(panels, named.values(), values, strict=True):
        drawn = discs(axes, seen, shown, norm=norm, cmap="inferno")
        frame(axes, seen)
        axes.set_title(seen.title(title))
    color_bar(figure, drawn, panels, r"$D^2_\mathrm{min}$", "length^2", *values)
    return figure

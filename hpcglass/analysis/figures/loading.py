"""Figure of a loading: stress and energy against strain, with the plastic events."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hpcglass.analysis.figures.catalogue import Figures, register
from hpcglass.analysis.figures.style import BLUE, RED, label, panels
from hpcglass.analysis.open_run import StageResults, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINES = 100             # of events in the panel of the energy; more would hide it


@register
def figures(stage: StageResults) -> Figures:
    """Of a loading of particles."""
    table = stage.tables.get("loading")
    return [("", partial(draw_shear, stage, table))] if table is not None and table.rows and "energy" in table else []


def draw_shear(stage: StageResults, table: Table) -> Figure:
    """Stress and energy against strain; each plastic event is a mark that grows with its stress drop, where it began."""
    figure, (stress, energy) = panels(2, width=4.2, height=2.3)
    strain = table["strain"]
    stress.plot(strain, table["shear_stress"], color=BLUE)
    name = r"stress $\mathrm{tr}\,\sigma$" if stage.params.get("mode") == "dilation" else "shear stress"
    stress.set_ylabel(label(table, "shear_stress", name))
    energy.plot(strain, table["energy"], color=BLUE)
    energy.set_ylabel(label(table, "energy"))
    energy.set_xlabel("strain")
    events = stage.tables.get("events")
    if events is not None and events.rows:
        drop = abs(events["stress_drop"])
        area = 4 + 36 * drop / max(float(drop.max()), 1e-300)
        before = (events["step"].astype(int) - 1).clip(0, table.rows - 1)      # the last state before the drop
        count = f"{events.rows} event{'s' * (events.rows > 1)}"
        stress.scatter(strain[before], table["shear_stress"][before], s=area, color=RED, linewidths=0, zorder=3, label=count)
        stress.legend(loc="lower right")
        for x in strain[before] if events.rows <= LINES else ():
            energy.axvline(x, color=RED, linewidth=0.4, alpha=0.5, zorder=0)
    return figure

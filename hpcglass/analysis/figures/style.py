"""What all figures share: colours, sizes, panels, labels and ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpcglass.analysis.open_run import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE = {
    "font.size": 9, "axes.labelsize": 9, "axes.titlesize": 9, "legend.fontsize": 8, "legend.frameon": False,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8, "lines.linewidth": 1.1,
    "xtick.direction": "in", "ytick.direction": "in", "figure.dpi": 200, "axes.axisbelow": True,
}
BLUE, RED, GREEN, GREY = "#2b5c8a", "#b8432f", "#4d8a57", "#8a8a8a"


def panels(count: int, width: float = 3.4, height: float = 1.9) -> tuple[Figure, list[Axes]]:
    """A column of panels that share their abscissa."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height * count), layout="constrained")
    axes = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0].tolist()
    return figure, axes


def row(count: int, width: float = 3.3, height: float = 2.7) -> tuple[Figure, list[Axes]]:
    """Panels side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * count, height), layout="constrained")
    return figure, figure.subplots(1, count, squeeze=False)[0].tolist()


def label(table: Table, column: str) -> str:
    """Axis label: the column's long name and units."""
    name, units = table.long_name.get(column, column), table.units.get(column, "")
    return f"{name} [{units}]" if units else name


def round_ticks(axes: Axes, both: bool = False) -> None:
    """Labels at 1, 2, 5 on a logarithmic abscissa of less than two decades, which has hardly any powers of ten.

    both : the ordinate, too
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    for axis in (axes.xaxis, axes.yaxis) if both else (axes.xaxis,):
        low, high = axis.get_view_interval()
        axis.set_minor_formatter(NullFormatter())
        if high < 100 * low:
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high > 10 * low else (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
            axis.set_major_formatter(lambda x, _: f"{x:g}")

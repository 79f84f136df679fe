"""What all figures share: colours, sizes, panels, labels and ticks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hpcglass.analysis.open_run import StageResults, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

STYLE: dict[str, Any] = {
    "font.size": 9, "axes.labelsize": 9, "axes.titlesize": 9, "legend.fontsize": 8,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8, "lines.linewidth": 1.1,
    "xtick.direction": "in", "ytick.direction": "in", "xtick.major.pad": 6.0, "xtick.minor.pad": 6.0,      # apart in the corner
    "figure.dpi": 200, "axes.axisbelow": True,
    "legend.fancybox": False, "legend.framealpha": 0.9, "legend.edgecolor": "0.8",      # a key, not data
    "axes.formatter.limits": (-3, 5), "axes.formatter.use_mathtext": True, "axes.formatter.useoffset": False,
    "pdf.fonttype": 42, "svg.hashsalt": "hpcglass",
}
# M. Okabe and K. Ito, Color universal design (2002): told apart with any colour vision
BLUE, RED, GREEN, ORANGE, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#808080"
SERIES = (BLUE, RED, GREEN, PURPLE, ORANGE, GREY)
MARKERS = "os^Dv<"
SYMBOLS = {"T_p": r"$T_\mathrm{p}$", "T_m": r"$T_\mathrm{m}$", "d_0": "$d_0$", "N": "$N$", "L": "$L$",
           "r_in": r"$r_\mathrm{in}$", "r_out": r"$r_\mathrm{out}$"}
POWER = re.compile(r"\^(\([\d/]+\)|\d+(?:/\d+)?)")      # ^2, ^1/2, ^(3/2)
FLOW, COLUMN = "panels that may stand in other rows", "panels above each other"      # labels of figures
TALLEST = 1.2           # times the height that it has, at most, a column of panels in a wider figure
NARROWEST = 2.0         # panel beside another one [inches]
GAP = 0.4               # of the height of a letter, between two labels of ticks


def panels(count: int, width: float = 3.4, height: float = 1.9) -> tuple[Figure, list[Axes]]:
    """A column of panels that share their abscissa."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height * count), layout="constrained")
    axes = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0].tolist()
    figure.set_label(COLUMN)
    return figure, axes


def row(count: int, width: float = 3.3, height: float = 2.7) -> tuple[Figure, list[Axes]]:
    """Panels side by side."""
    return grid(count, count, width, height)


def grid(count: int, across: int, width: float, height: float, maps: bool = False) -> tuple[Figure, list[Axes]]:
    """Panels in rows of `across`, each (width, height) inches; in a narrower figure there are fewer in a row.

    maps : they have an aspect of their own
    """
    from matplotlib.figure import Figure

    down = -(-count // across)
    figure = Figure(figsize=(width * across, height * down), layout="compressed" if maps else "constrained")
    axes = figure.subplots(down, across, squeeze=False).ravel().tolist()
    for blank in axes[count:]:
        blank.remove()
    figure.set_label(FLOW)
    return figure, axes[:count]


def resize(figure: Figure, width: float) -> None:
    """Give a figure another width [inches]; its height goes with it.

    Panels that would be too narrow stand in more rows; those above each other keep the height that their labels need.
    """
    old, height = figure.get_size_inches()
    panels = [axes for axes in figure.axes if axes.get_subplotspec() is not None]
    if figure.get_label() == FLOW and panels:
        down, across = panels[0].get_subplotspec().get_gridspec().get_geometry()
        fewer = max(1, min(across, int(width / NARROWEST)))
        rows = -(-len(panels) // fewer)
        old, height = old * fewer / across, height * rows / down
        if fewer < across:
            cells = figure.add_gridspec(rows, fewer)
            for k, axes in enumerate(panels):
                axes.set_subplotspec(cells[k // fewer, k % fewer])
    ratio = width / old
    figure.set_size_inches(width, height * (min(max(ratio, 1.0), TALLEST) if figure.get_label() == COLUMN else ratio))


def dimension(stage: StageResults) -> int:
    """Number of space dimensions; of a merged ensemble, too. Lattices have two."""
    return len(stage.box) if stage.box is not None else round(float(stage.results.get("dimension", 2)))


def with_known_units(stage: StageResults) -> StageResults:
    """The same with `energy/length^2` where the file says `energy/length^d`."""
    d = dimension(stage)
    tables = {name: Table(dict(table), {column: spelled(text, d) for column, text in table.units.items()}, table.long_name)
              for name, table in stage.tables.items()}
    return replace(stage, tables=tables)


def spelled(units: str, d: int) -> str:
    """Units in d dimensions: no `^d`, no power of one.

    >>> spelled("energy/length^d", 3), spelled("(length^2/energy)^(d/2)", 2)
    ('energy/length^3', '(length^2/energy)')
    """
    units = units.replace("^d", f"^{d}").replace("^(d/2)", f"^({Fraction(d, 2)})" if d != 2 else "")
    return re.sub(r"\^1(?![\d/])", "", units)


def units(text: str) -> str:
    """Units as they stand on an axis: ` [energy/length²]`, or nothing."""
    return f" [{POWER.sub(lambda found: '$^{' + found[1].strip('()') + '}$', text)}]" if text else ""


def named(name: str, value: object) -> str:
    """A parameter's name and value; signs of mathematics in a user's name or text are no mathematics here.

    >>> named("T_p", 0.08), named("a$b", "c")
    ('$T_\\mathrm{p}$ = 0.08', 'a\\$b = c')
    """
    words = [SYMBOLS.get(name, name), f"{value:.4g}" if isinstance(value, float) else str(value)]
    return " = ".join(word if word in SYMBOLS.values() else word.replace("$", r"\$") for word in words)


def label(table: Table, column: str, text: str | None = None) -> str:
    """Axis label: the column's long name, or another text, and its units."""
    return f"{text or table.long_name.get(column, column)}{units(table.units.get(column, ''))}"


def round_ticks(axis: Axis) -> None:
    """Labels at 1, 2, 5 on a logarithmic axis of less than two decades, which has hardly any powers of ten."""
    from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullFormatter, NullLocator

    if axis.get_scale() != "log" or isinstance(axis.get_major_locator(), FixedLocator):
        return
    low, high = sorted(axis.get_view_interval())
    axis.set_minor_formatter(NullFormatter())
    if high < 100 * low:
        subs = (1.0, 2.0, 5.0) if high > 10 * low else (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
        axis.set_major_locator(LogLocator(subs=subs) if high > 2 * low else MaxNLocator(4, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(lambda x, _: f"{x:.6g}")
        if high <= 2 * low:
            axis.set_minor_locator(NullLocator())


def untangle(figure: Figure) -> None:
    """Round numbers at the ticks, and no labels that would run into the one before."""
    for axes in everywhere(figure):
        for axis in (axes.xaxis, axes.yaxis):
            round_ticks(axis)
            plain_labels(axis)
    for _ in range(2):          # with fewer labels there is more room, and there may be more ticks
        figure.draw_without_rendering()
        crowded = [axis for axes in everywhere(figure) for axis in (axes.xaxis, axes.yaxis) if _thin(axis)]
        if not crowded:
            return
    figure.draw_without_rendering()


@contextmanager
def settled(figure: Figure) -> Iterator[None]:
    """While a figure is written that has been untangled: it has its places, and to find them is most of the work."""
    engine = figure.get_layout_engine()
    figure.set_layout_engine("none")
    try:
        yield
    finally:
        figure.set_layout_engine(engine)


def plain_labels(axis: Axis) -> None:
    """Numbers at the ticks as text instead of formulas, which look the same and take long to parse."""
    from matplotlib.ticker import ScalarFormatter

    class Plain(ScalarFormatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return super().__call__(x, pos).removeprefix(r"$\mathdefault{").removesuffix("}$")

    old = axis.get_major_formatter()
    if type(old) is ScalarFormatter:
        axis.set_major_formatter(Plain())


def everywhere(figure: Figure) -> list[Axes]:
    """All axes: panels, bars of colours, insets."""
    return [axes for one in figure.axes for axes in (one, *one.child_axes) if axes.get_visible()]


def shown_labels(axis: Axis) -> list[Any]:
    """The texts at the ticks of an axis, as they were last drawn, in the order of their places."""
    if not axis.axes.axison or not axis.get_visible():
        return []
    ticks = [tick for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()) if within(axis, tick.get_loc())]
    texts = [text for tick in ticks for text in (tick.label1, tick.label2) if text.get_visible() and text.get_text()]
    along = 0 if axis.axis_name == "x" else 1
    return sorted(texts, key=lambda text: float(text.get_window_extent().bounds[along]))


def within(axis: Axis, place: float) -> bool:
    """Whether a place is on the part of an axis that is seen."""
    (low, high), at = sorted(axis.get_transform().transform(axis.get_view_interval())), axis.get_transform().transform(place)
    room = 1e-9 * (high - low)
    return bool(low - room <= at <= high + room)


def _thin(axis: Axis) -> bool:
    """Fewer ticks, evenly spaced, until their labels are apart; whether there was anything to do."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullFormatter

    if not tangled(axis):
        return False
    if axis.get_scale() == "linear" and not isinstance(axis.get_major_locator(), FixedLocator):
        for bins in range(len(shown_labels(axis)) - 1, 1, -1):
            axis.set_major_locator(MaxNLocator(bins, steps=[1, 2, 2.5, 5, 10]))
            axis.get_tightbbox()
            if not tangled(axis):
                return True
    if not isinstance(axis.get_minor_formatter(), NullFormatter):
        axis.set_minor_formatter(NullFormatter())
        axis.get_tightbbox()
    places = axis.get_majorticklocs()
    texts = axis.get_major_formatter().format_ticks(places)
    seen = [k for k, place in enumerate(places) if within(axis, place)]
    every = 2
    while tangled(axis) and every <= len(seen):
        kept = seen[::every]
        axis.set_major_locator(FixedLocator(places))
        axis.set_major_formatter(FixedFormatter([text if k in kept else "" for k, text in enumerate(texts)]))
        axis.get_tightbbox()
        every += 1
    return True


def tangled(axis: Axis) -> bool:
    """Whether two labels of ticks touch."""
    boxes = [text.get_window_extent() for text in shown_labels(axis)]
    along = 0 if axis.axis_name == "x" else 1
    return any(left.bounds[along] + left.bounds[2 + along] + GAP * left.height * (along == 0) > right.bounds[along]
               for left, right in pairwise(boxes))

"""What figures of `hpcglass predict` share: rows of a preparation, curves with errors, which indicators are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hpcglass.analysis.figures.style import MARKERS, SERIES, SYMBOLS
from hpcglass.analysis.open_run import StageResults, Table
from hpcglass.indicators.catalogue import INDICATORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STAND_FOR = ("delta_tau_y", "vibrality", "theta", "nafmu", "phi", "thermal_expansion")      # one of each class, and two poor ones
SHADES = "viridis"      # of strains, and of preparations


def table(stage: StageResults, name: str) -> Table:
    """A table of the file."""
    return stage.tables[f"prediction_{name}"]


def there(stage: StageResults, name: str) -> bool:
    """Whether the file has a table."""
    return f"prediction_{name}" in stage.tables


def texts(stage: StageResults, name: str) -> list[str]:
    """Names of preparations, of indicators, of those with distributions."""
    return str(stage.results.get(name, "")).split("\n") if stage.results.get(name) else []


def rows(found: Table, **wanted: float) -> Table:
    """The rows in which columns have these values."""
    same = np.ones(found.rows, dtype=bool)
    for column, value in wanted.items():
        same &= np.abs(found[column] - value) < 1e-9
    return Table({column: values[same] for column, values in found.items()}, found.units, found.long_name)


def energies(found: Table) -> list[float]:
    """Least energies of the events: 0, and perhaps another."""
    return sorted(set(found["least_energy"].tolist()))


def symbol(name: str) -> str:
    """As in the paper, with its index."""
    base, _, index = INDICATORS[name].symbol.partition("_")
    return f"{base}$_{{{index}}}$" if index else base


def shown(names: Sequence[str], wanted: Sequence[str] = STAND_FOR, most: int = len(SERIES)) -> list[str]:
    """Indicators whose curves are drawn: those wanted that there are, else the first ones."""
    return [name for name in wanted if name in names][:most] or list(names)[:most]


def title(text: str) -> str:
    """Name of a preparation, in which signs of mathematics are none."""
    for name, sign in SYMBOLS.items():
        if text.startswith(f"{name} = "):
            return f"{sign}{text[len(name):]}"
    return text.replace("$", r"\$")


def curve(axes: Axes, x: Any, y: Any, wrong: Any, number: int, label: str = "", color: Any = None) -> None:
    """Points with error bars, joined."""
    known = np.isfinite(y)
    axes.errorbar(x[known], y[known], np.nan_to_num(wrong[known]), fmt=f"{MARKERS[number % len(MARKERS)]}-", ms=3.5, lw=1.0,
                  elinewidth=0.8, capsize=0, color=color if color is not None else SERIES[number % len(SERIES)], label=label)


def shades(count: int) -> list[Any]:
    """Colours in an order."""
    from matplotlib import colormaps

    return [colormaps[SHADES](x) for x in np.linspace(0.0, 0.85, max(count, 1))]


def score_axis(axes: Axes, text: str) -> None:
    """An axis of C, with the line of those who know nothing."""
    axes.set_ylabel(text)
    low, high = axes.get_ylim()
    axes.set_ylim(max(min(low, -0.1), -1.05), max(min(high, 1.05), 1.0))
    axes.axhline(0.0, color="0.6", lw=0.8, zorder=0)

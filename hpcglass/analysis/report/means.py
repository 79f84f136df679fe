"""The mean curve of every value of a sweep's parameter, in one panel, with standard errors over the samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hpcglass.analysis.figures.style import STYLE, named, panels
from hpcglass.analysis.report.gather import Results
from hpcglass.analysis.report.multiples import CURVES, MOST, Curve, curves, labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def mean_curves(results: Results) -> tuple[Figure, str] | None:
    """(figure, what it shows) of a sweep over one parameter; None if there is none, or nothing of which a mean can be taken."""
    import matplotlib

    if len(results.varied) != 1:
        return None
    found: dict[Any, list[Curve]] = {}
    names = set()
    for task in results.tasks:
        stage, name, some = curves(results, task)
        if some:
            names.add((stage, name))
            found.setdefault(task.values.get(results.varied[0]), []).extend(some)
    if len(names) != 1 or len(found) < 2:
        return None
    (stage, name), = names
    x, y = CURVES[name]
    for some in found.values():
        if len(some) < 2 or some[0].table.rows < 2 or len({tuple(curve.table[x]) for curve in some}) > 1:
            return None
    every = list(found)
    shown = [every[k] for k in np.unique(np.linspace(0, len(every) - 1, min(MOST, len(every))).round().astype(int))]
    with matplotlib.rc_context(STYLE):
        figure, (axes,) = panels(1, width=4.2, height=2.8)
        for k, value in enumerate(shown):
            values = np.array([curve.table[y] for curve in found[value]])
            mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / len(values) ** 0.5
            color = matplotlib.colormaps["viridis"](0.92 * k / (len(shown) - 1))
            axes.plot(found[value][0].table[x], mean, color=color, linewidth=1.2, label=named(results.varied[0], value))
            axes.fill_between(found[value][0].table[x], mean - error, mean + error, color=color, alpha=0.18, linewidth=0)
        across, up = labels(found[shown[0]][0].table, name)
        axes.set(xlabel=across, ylabel=up)
        axes.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    few = f", {len(shown)} of {len(every)} values" if len(shown) < len(every) else ""
    return figure, f"Means over the samples of stage {stage}, bands: standard errors{few}."

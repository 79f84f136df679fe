"""The same curve of every task of a sweep, a panel each, over two of its parameters; all panels have the same axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.figures.style import BLUE, GREY, RED, STYLE, label, named, with_known_units
from hpcglass.analysis.open_run import StageResults, Table
from hpcglass.analysis.report.gather import Results, Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
# table -> columns of what one looks at first; the first one that the last stages have
CURVES = {"loading": ("strain", "shear_stress"), "inflation": ("d_0", "energy_change"), "thermo": ("time", "potential"),
          "measurements": ("sweep", "energy"), "minimisation": ("evaluations", "energy")}
WORDS = {"strain": "strain", "shear_stress": "shear stress", "d_0": "$d_0$", "energy_change": r"$\Delta E$", "time": "time",
         "potential": "potential energy", "sweep": "sweeps", "energy": "energy", "evaluations": "force evaluations"}
MOST = 6            # values of a parameter, and samples in a panel


@dataclass
class Curve:
    """Of one sample: a table, and where its events were."""

    table: Table
    events: Floats


def curves(results: Results, task: Task) -> tuple[str, str, list[Curve]]:
    """(label of the stage, name of the table, a curve per sample) of a task; the last stage that has a known table."""
    for stage in reversed(list(dict.fromkeys(name for sample in task.started for name in sample.files))):
        found: list[Curve] = []
        name = ""
        for sample in task.started:
            read = results.stage(sample.files[stage]) if stage in sample.files else None
            name = name or next((one for one in CURVES if read is not None and one in read.tables and read.tables[one].rows), "")
            if read is not None and name in read.tables and read.tables[name].rows:
                found.append(_curve(with_known_units(read), name))
        if found:
            return stage, name, found
    return "", "", []


def _curve(stage: StageResults, name: str) -> Curve:
    events = stage.tables.get("events")
    steps = events["step"].astype(int) - 1 if name == "loading" and events is not None else np.zeros(0, dtype=int)
    return Curve(stage.tables[name], steps.clip(0, stage.tables[name].rows - 1))


def draw_curves(axes: Axes, name: str, found: list[Curve]) -> None:
    """Each sample as a thin line, with its events; the mean as a thick one where all have the same abscissae."""
    x, y = CURVES[name]
    if len(found) > 1 and all(curve.table.rows == 1 for curve in found):
        _draw_points(axes, *(np.array([curve.table[column][0] for curve in found]) for column in (x, y)))
        return
    for curve in found[:MOST]:
        color, width = (GREY, 0.5) if len(found) > 1 else (BLUE, 1.0)
        axes.plot(curve.table[x], curve.table[y], color=color, linewidth=width, marker="o" if curve.table.rows == 1 else None)
        if len(curve.events):
            axes.plot(curve.table[x][curve.events], curve.table[y][curve.events], ".", color=RED, markersize=2.5)
    same = len({tuple(curve.table[x]) for curve in found}) == 1
    if len(found) > 1 and same:
        mean = np.mean([curve.table[y] for curve in found], axis=0)
        axes.plot(found[0].table[x], mean, color=BLUE, linewidth=1.3)


def _draw_points(axes: Axes, x: Floats, y: Floats) -> None:
    """Samples of one number each: all of them, and their means with standard errors."""
    axes.plot(x, y, ".", color=GREY, markersize=2.5)
    places = np.unique(x)
    some = [y[x == place] for place in places]
    error = [float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0 for values in some]
    axes.errorbar(places, [values.mean() for values in some], error, fmt="o-", color=BLUE, markersize=3, linewidth=0.8)


def labels(table: Table, name: str) -> tuple[str, str]:
    """Of both axes."""
    x, y = (label(table, column, WORDS[column]) for column in CURVES[name])
    return x, y


def small_multiples(results: Results) -> tuple[Figure, str] | None:
    """(figure, what it shows): columns are the values of the first parameter that varies, rows those of the second."""
    import matplotlib
    from matplotlib.figure import Figure

    names = _panels_over(results)
    if not names:
        return None
    first, second = names[0], names[1] if len(names) > 1 else None
    across, note = _values(results, first)
    down, more = _values(results, second) if second else ([None], "")
    found: dict[tuple[Any, Any], list[Curve]] = {}
    stages = set()
    for task in results.tasks:
        place = task.values.get(first), task.values.get(second) if second else None
        if place[0] in across and place[1] in down:
            stage, name, some = curves(results, task)
            stages.add((stage, name))
            found.setdefault(place, []).extend(some)
    stages.discard(("", ""))
    if not stages:
        return None
    stage, name = max(stages)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(0.8 + 1.75 * len(across), 0.7 + 1.5 * len(down)), layout="constrained")
        grid = figure.subplots(len(down), len(across), sharex=True, sharey=True, squeeze=False)
        for row, low in zip(grid, down, strict=True):
            for axes, value in zip(row, across, strict=True):
                some = [curve for curve in found.get((value, low), []) if CURVES[name][1] in curve.table]
                draw_curves(axes, name, some)
                axes.text(0.03, 0.97, f"n = {len(some)}", transform=axes.transAxes, va="top", fontsize=7, color="0.4")
        for axes, value in zip(grid[0], across, strict=True):
            axes.set_title(named(first, value))
        for axes, low in zip(grid[:, -1], down, strict=True):
            if second:
                axes.annotate(named(second, low), (1.02, 0.5), xycoords="axes fraction", rotation=-90, va="center", fontsize=9)
        table = next(curve.table for some in found.values() for curve in some if CURVES[name][1] in curve.table)
        x, y = labels(table, name)
        figure.supxlabel(x, fontsize=9)
        figure.supylabel(y, fontsize=9)
    pooled = [one for one in results.varied if one not in (first, second)]
    note += f" Tasks that differ in {', '.join(pooled)} are in one panel." if pooled else ""
    return figure, f"Table {name} of stage {stage}: samples grey (at most {MOST}), events red, means blue.{note}{more}"


def _panels_over(results: Results) -> list[str]:
    """The parameters that make panels: those that vary, but not the abscissa of curves that have a single point each."""
    for task in results.tasks:
        _, name, found = curves(results, task)
        if found and all(curve.table.rows == 1 for curve in found) and len(results.varied) > 1:
            return [one for one in results.varied if one != CURVES[name][0]]
    return results.varied


def _values(results: Results, name: str) -> tuple[list[Any], str]:
    """Values of a parameter, evenly thinned if there are too many, which is said."""
    every = list(dict.fromkeys(task.values.get(name) for task in results.tasks))
    if len(every) <= MOST:
        return every, ""
    chosen = np.unique(np.linspace(0, len(every) - 1, MOST).round().astype(int))
    return [every[k] for k in chosen], f" {MOST} of {len(every)} values of {name} are shown."

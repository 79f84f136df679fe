"""Figures of what a stage wrote, a PNG or a few next to its file.

A figure is chosen by the table a stage file has, so that a stage's label does not matter.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcglass.analysis.open_run import StageResults, Table, read_stage

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE = {
    "font.size": 9, "axes.labelsize": 9, "axes.titlesize": 9, "legend.fontsize": 8, "legend.frameon": False,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8, "lines.linewidth": 1.1,
    "xtick.direction": "in", "ytick.direction": "in", "figure.dpi": 200, "axes.axisbelow": True,
}
BLUE, RED, GREEN, GREY = "#2b5c8a", "#b8432f", "#4d8a57", "#8a8a8a"


def plot_stage_file(path: str | Path, output: str | Path | None = None, kind: str = "png") -> list[Path]:
    """Draw the figures of a stage file, or of a merged ensemble.

    Parameters
    ----------
    path : stage file
    output : directory of the figures; by default that of the file
    kind : "png", "pdf" or "svg"; lines are vectors in the last two, large numbers of particles are not

    Returns
    -------
    list of Path
        The figures; empty for a kind of stage without figures.

    Raises
    ------
    FileError
        The file is damaged.
    """
    import matplotlib

    path = Path(path)
    stage = read_stage(path)
    directory = Path(output) if output is not None else path.parent
    written = []
    with matplotlib.rc_context(STYLE):
        for suffix, draw in figures(stage):
            target = directory / f"{path.stem}{suffix}.{kind}"
            draw().savefig(target, dpi=200)
            written.append(target)
    return written


def figures(stage: StageResults) -> list[tuple[str, Callable[[], Figure]]]:
    """(suffix of the file name, function that draws) of each figure of a stage."""
    from hpcglass.analysis import (
        activity_figures,
        bond_figures,
        calibrate_figures,
        epm_figures,
        expand_figures,
        merge_figures,
        mode_figures,
    )
    from hpcglass.analysis.maps import draw_maps, titles

    drawn: list[tuple[str, Callable[[], Figure]]] = [
        ("", partial(draw, stage, stage.tables[name]))
        for name, draw in FIGURES.items() if name in stage.tables and stage.tables[name].rows]
    if titles(stage) and stage.position is not None:
        drawn.append(("-map", partial(draw_maps, stage)))
    modules = (activity_figures, expand_figures, mode_figures, bond_figures, merge_figures, epm_figures, calibrate_figures)
    return drawn + [figure for module in modules for figure in module.figures(stage)]


def panels(count: int, width: float = 3.4, height: float = 1.9) -> tuple[Figure, list[Axes]]:
    """A column of panels that share their abscissa."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height * count), layout="constrained")
    axes = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0].tolist()
    return figure, axes


def label(table: Table, column: str) -> str:
    """Axis label: the column's long name and units."""
    name, units = table.long_name.get(column, column), table.units.get(column, "")
    return f"{name} [{units}]" if units else name


def draw_swap(stage: StageResults, table: Table) -> Figure:
    """Energy, acceptances and the two thermometers over the production sweeps."""
    figure, (energy, acceptance, thermometer, exchange) = panels(4)
    x = table["sweep"]
    energy.plot(x, table["energy"], color=BLUE)
    energy.set_ylabel("energy per particle")
    acceptance.plot(x, table["acceptance_displacement"], color=BLUE, label="displacement")
    acceptance.plot(x, table["acceptance_swap"], color=RED, label="swap")
    acceptance.set_ylim(0, None)
    acceptance.set_ylabel("acceptance")
    acceptance.legend()
    _thermometer(thermometer, stage, table, "temperature_configurational", stage.params.get("temperature"))
    thermometer.set_ylabel(r"$T_\mathrm{conf}$")
    _thermometer(exchange, stage, table, "exchange_ratio", 1.0)
    exchange.set_ylabel("exchange ratio")
    exchange.set_xlabel("sweeps")
    return figure


def _thermometer(axes: Axes, stage: StageResults, table: Table, column: str, expected: float | None) -> None:
    """A noisy series, its mean with the statistical error as a band, and what it should be."""
    axes.plot(table["sweep"], table[column], color=BLUE, alpha=0.5, linewidth=0.7)
    mean, error = stage.results.get(column), stage.results.get(f"{column}_error")
    if mean is not None and error is not None:
        axes.axhspan(mean - error, mean + error, color=BLUE, alpha=0.25, linewidth=0, label=f"{mean:.5g} $\\pm$ {error:.1g}")
    if expected is not None:
        axes.axhline(expected, color=RED, linewidth=0.8, linestyle="--", label=f"exact {expected:g}")
    axes.legend()


def draw_quench(stage: StageResults, table: Table) -> Figure:
    """Largest force against force evaluations, and the energy on the way."""
    figure, (force, energy) = panels(2)
    force.semilogy(table["evaluations"], table["max_force"], color=BLUE)
    force.set_ylabel(r"$\max_i |F_i|$")
    energy.plot(table["evaluations"], table["energy"], color=BLUE)
    energy.set_ylabel(label(table, "energy"))
    energy.set_xlabel("force evaluations")
    return figure


def draw_md(stage: StageResults, table: Table) -> Figure:
    """Temperature, energies and pressure against time."""
    figure, (temperature, energy, pressure) = panels(3)
    time = table["time"]
    temperature.plot(time, table["temperature"], color=BLUE)
    if "target" in table and stage.params.get("thermostat") != "none":
        temperature.plot(time, table["target"], "--", color=RED, linewidth=0.8)
    temperature.set_ylabel("temperature")
    energy.plot(time, table["potential"], color=BLUE, label="potential")
    energy.plot(time, table["potential"] + table["kinetic"], color=GREY, label="total")
    energy.set_ylabel(label(table, "potential").replace("potential ", ""))
    energy.legend()
    pressure.plot(time, table["pressure"], color=BLUE)
    pressure.set_ylabel("pressure")
    pressure.set_xlabel("time")
    return figure


def draw_loading(stage: StageResults, table: Table) -> Figure:
    """What a loading did, of particles or of a lattice."""
    from hpcglass.analysis.epm_figures import draw_curves

    return draw_shear(stage, table) if "energy" in table else draw_curves(stage, table)


def draw_shear(stage: StageResults, table: Table) -> Figure:
    """Stress and energy against strain; each plastic event is a mark that grows with its stress drop, where it began."""
    figure, (stress, energy) = panels(2, width=4.2, height=2.3)
    strain = table["strain"]
    stress.plot(strain, table["shear_stress"], color=BLUE)
    stress.set_ylabel(r"stress $\mathrm{tr}\,\sigma$" if stage.params.get("mode") == "dilation" else "shear stress")
    energy.plot(strain, table["energy"], color=BLUE)
    energy.set_ylabel(label(table, "energy"))
    energy.set_xlabel("strain")
    energy.locator_params(axis="x", nbins=6)       # small strains have long labels
    events = stage.tables.get("events")
    if events is not None and events.rows:
        drop = abs(events["stress_drop"])
        area = 4 + 36 * drop / max(float(drop.max()), 1e-300)
        before = (events["step"].astype(int) - 1).clip(0, table.rows - 1)      # the last state before the drop
        count = f"{events.rows} event{'s' * (events.rows > 1)}"
        stress.scatter(strain[before], table["shear_stress"][before], s=area, color=RED, linewidths=0, zorder=3, label=count)
        stress.legend(loc="lower right")
        for x in strain[before]:
            energy.axvline(x, color=RED, linewidth=0.4, alpha=0.5, zorder=0)
    return figure


FIGURES: dict[str, Callable[[StageResults, Table], Any]] = {
    "measurements": draw_swap, "minimisation": draw_quench, "thermo": draw_md, "loading": draw_loading}

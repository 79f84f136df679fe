"""Figures of how a glass is made: swap Monte Carlo, molecular dynamics, quench."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hpcglass.analysis.figures.catalogue import Figures, register
from hpcglass.analysis.figures.style import BLUE, GREY, RED, label, panels, row
from hpcglass.analysis.open_run import StageResults, Table
from hpcglass.words import PLUS_MINUS, measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@register
def figures(stage: StageResults) -> Figures:
    """One figure of each table."""
    return [(suffix, partial(draw, stage, stage.tables[name]))
            for name, (suffix, draw) in TABLES.items() if name in stage.tables and stage.tables[name].rows]


def draw_swap(stage: StageResults, table: Table) -> Figure:
    """Energy, acceptances and the two thermometers over the production sweeps."""
    figure, (energy, acceptance, thermometer, exchange) = panels(4)
    x = table["sweep"]
    energy.plot(x, table["energy"], color=BLUE)
    energy.set_ylabel(label(table, "energy", "energy per particle"))
    acceptance.plot(x, table["acceptance_displacement"], color=BLUE, label="displacement")
    acceptance.plot(x, table["acceptance_swap"], color=RED, label="swap")
    acceptance.set_ylim(0, None)
    acceptance.set_ylabel("acceptance")
    acceptance.legend()
    _thermometer(thermometer, stage, table, "temperature_configurational", stage.params.get("temperature"))
    thermometer.set_ylabel(label(table, "temperature_configurational", r"$T_\mathrm{conf}$"))
    _thermometer(exchange, stage, table, "exchange_ratio", 1.0)
    exchange.set_ylabel("exchange ratio")
    exchange.set_xlabel("sweeps")
    return figure


def draw_relaxation(stage: StageResults, table: Table) -> Figure:
    """What is left of the overlap and of the sizes after a time, and where they have fallen to 1/e."""
    figure, (axes,) = row(1, width=3.4, height=2.7)
    for name, color, words in (("overlap", BLUE, "overlap"), ("size", RED, "sizes")):
        time, error = stage.results.get(f"decay_time_{name}", np.inf), stage.results.get(f"decay_time_{name}_error", np.nan)
        known = measured(time, error, PLUS_MINUS) if np.isfinite(error) else f"{time:.0f}"
        said = rf", $\tau = {known}$" if np.isfinite(time) else ""
        axes.errorbar(table["lag"], table[name], np.nan_to_num(table[f"{name}_error"]), color=color, marker="o", markersize=3,
                      linewidth=1, label=words + said)
    axes.axhline(np.exp(-1), color=GREY, linewidth=0.8, linestyle="--", label="1/e")
    axes.set_xscale("log")
    axes.set_ylim(min(0.0, float(np.min([table["overlap"], table["size"]]))), 1.02)
    axes.set_xlabel("sweeps between two configurations")
    axes.set_ylabel("correlation")
    axes.legend(loc="lower left")
    return figure


def _thermometer(axes: Axes, stage: StageResults, table: Table, column: str, expected: float | None) -> None:
    """A noisy series, its mean with the statistical error as a band, and what it should be."""
    axes.plot(table["sweep"], table[column], color=BLUE, alpha=0.5, linewidth=0.7)
    mean, error = stage.results.get(column), stage.results.get(f"{column}_error")
    if mean is not None and error is not None and np.isfinite(error):
        words = f"${measured(mean, error, PLUS_MINUS)}$"
        axes.axhspan(mean - error, mean + error, color=BLUE, alpha=0.25, linewidth=0, label=words)
    elif mean is not None:
        axes.axhline(mean, color=BLUE, linewidth=0.8, label=f"mean {mean:.5g}")
    if expected is not None:
        axes.axhline(expected, color=RED, linewidth=0.8, linestyle="--", label=f"exact {expected:g}")
    axes.legend()


def draw_quench(stage: StageResults, table: Table) -> Figure:
    """Largest force against force evaluations, and the energy on the way."""
    figure, (force, energy) = panels(2)
    force.plot(table["evaluations"], table["max_force"], color=BLUE)
    if (table["max_force"] > 0).any():
        force.set_yscale("log")
    force.set_ylabel(label(table, "max_force", r"$\max_i |F_i|$"))
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
    temperature.set_ylabel(label(table, "temperature", "temperature"))
    energy.plot(time, table["potential"], color=BLUE, label="potential")
    energy.plot(time, table["potential"] + table["kinetic"], color=GREY, label="total")
    energy.set_ylabel(label(table, "potential", "energy"))
    energy.legend()
    pressure.plot(time, table["pressure"], color=BLUE)
    pressure.set_ylabel(label(table, "pressure", "pressure"))
    pressure.set_xlabel(label(table, "time", "time"))
    return figure


TABLES: dict[str, tuple[str, Callable[[StageResults, Table], Figure]]] = {
    "measurements": ("", draw_swap), "relaxation": ("-relaxation", draw_relaxation),
    "minimisation": ("", draw_quench), "thermo": ("", draw_md)}

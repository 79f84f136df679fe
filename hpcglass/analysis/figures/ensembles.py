"""Figures of a merged ensemble: spectra with their tails, participation numbers, overlaps, decay, pair energies, loading."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from hpcglass.analysis.figures.catalogue import Figures, register
from hpcglass.analysis.figures.style import BLUE, GREEN, GREY, RED, label, panels
from hpcglass.analysis.open_run import StageResults, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SYMBOLS = {"eigenvalue": r"\lambda", "omega": r"\omega"}
MODES = {"participation_force": ("force modes $F$", BLUE, "o"),
         "participation_displacement": ("displacement modes $D$", RED, "s"), "participation": ("modes", BLUE, "o")}
OVERLAPS = {"overlap_force": ("$F$", BLUE, "o"), "overlap_displacement": ("$D$", RED, "s")}
DECAY = {"D": ("$D$", RED, "o"), "F": ("$F$", BLUE, "o"),
         "D_PH": (r"$D_\mathrm{PH}$", RED, "x"), "F_PH": (r"$F_\mathrm{PH}$", BLUE, "x")}
ORDERS = ((1, BLUE, "o", "7/2"), (2, RED, "s", "11/6"), (3, GREEN, "^", "3/2"))


@register
def figures(stage: StageResults) -> Figures:
    """(suffix of the file name, function that draws) of each figure of a merged file; empty for stage files."""
    drawn: Figures = []
    for column, suffix in (("eigenvalue", "-eigenvalues"), ("omega", "-frequencies")):
        if f"{column}_density" in stage.tables and drawable(stage.tables[f"{column}_density"]):
            drawn.append((suffix, partial(draw_spectrum, stage, column)))
    for name, suffix, draw in (("overlap_profile", "-overlap", draw_overlap), ("mean_decay", "-decay", draw_decay),
                               ("bond_density", "-bonds", draw_bonds), ("mean_loading", "-loading", draw_loading)):
        if name in stage.tables and drawable(stage.tables[name]):
            drawn.append((suffix, partial(draw, stage, stage.tables[name])))
    return drawn


def drawable(table: Table) -> bool:
    """Whether there is anything to see: a value with an error that is positive."""
    return any((np.nan_to_num(table[name]) > 0).any() for name in table if f"{name}_error" in table)


def points(axes: Axes, x: Any, y: Any, error: Any, color: str, marker: str = "o", name: str | None = None) -> None:
    """Points with error bars that end inside a logarithmic axis, where there is something positive."""
    seen = np.isfinite(y) & (y > 0)
    if not seen.any():
        return
    bars = np.nan_to_num(error[seen])
    axes.errorbar(x[seen], y[seen], np.array([np.minimum(bars, 0.95 * y[seen]), bars]), fmt=marker, color=color, markersize=2.8,
                  linewidth=0.7, markeredgewidth=0.7, label=name)


def draw_spectrum(stage: StageResults, column: str) -> Figure:
    """Density with the fit of its soft tail and the window of it, over the median participation numbers."""
    table, tail = stage.tables[f"{column}_density"], stage.tables[f"{column}_tail"]
    profile = stage.tables.get(f"{column}_participation")
    drawn = profile is not None and bool(np.isfinite([profile[name] for name in MODES if name in profile]).any())
    figure, (density, *rest) = panels(1 + drawn, width=4.2, height=2.6)
    symbol = SYMBOLS[column]
    points(density, np.sqrt(table["low"] * table["high"]), table["density"], table["density_error"], BLUE)
    for fixed, style in ((1.0, "-"), (0.0, ":")):
        for k in np.flatnonzero((tail["fixed"] == fixed) & np.isfinite(tail["distance"])) if tail else ():
            sign, exponent = (-1.0, "-") if column == "eigenvalue" else (1.0, "")
            given = f"{tail['exponent'][k]:.3g}" if fixed else rf"{tail['exponent'][k]:.2f} \pm {tail['exponent_error'][k]:.2g}"
            draw_fit(density, tail, int(k), sign, style, RED, f"${symbol}^{{{exponent}{given}}}$", shaded=bool(fixed))
    letter = "P" if column == "eigenvalue" else "D"
    density.set(xscale="log", yscale="log", ylabel=f"${letter}({symbol})$")
    _limits(density, table["density"])
    if len(density.get_legend_handles_labels()[0]):
        density.legend()
    for axes in rest:
        draw_participation(axes, stage, profile, column)
    (rest or [density])[-1].set_xlabel(label(table, "low", f"${symbol}$"))
    return figure


def draw_fit(axes: Axes, tail: Table, k: int, sign: float, style: str, color: str, name: str, shaded: bool = False) -> None:
    """A fitted power law over its window, as far as there are points."""
    low, high, exponent = (float(tail[column][k]) for column in ("window_low", "window_high", "exponent"))
    left, right = axes.dataLim.intervalx
    low, high = max(low, left), min(high, right)
    x = np.geomspace(low, high, 50)
    axes.plot(x, tail["prefactor"][k] * x ** (sign * exponent), style, color=color, linewidth=1.0, zorder=3, label=name)
    if shaded:
        axes.axvspan(low, high, color=GREY, alpha=0.15, linewidth=0)


def draw_participation(axes: Axes, stage: StageResults, profile: Any, column: str) -> None:
    """Medians of N e; the plateau of the force modes and where they come to it."""
    for name, (text, color, marker) in MODES.items():
        if name in profile:
            points(axes, profile[column], profile[name], profile[f"{name}_error"], color, marker, text)
    plateau, at = stage.results.get("plateau", np.nan), stage.results.get("plateau_at", np.nan)
    if np.isfinite(plateau):
        axes.axhline(plateau, color=GREY, linewidth=0.8, linestyle="--",
                     label=rf"plateau, $\xi = {stage.results['mode_length']:.3g}$")
    if np.isfinite(at):
        axes.plot(at, 1.15 * plateau, "*", color="black", markersize=6, zorder=4, label="plateau reached")
    axes.set(xscale="log", yscale="log", ylabel="$N e$")
    if len(axes.get_legend_handles_labels()[0]) > 1:
        axes.legend()


def _limits(axes: Axes, values: Any) -> None:
    """Ordinates of the points, not of error bars or fits that reach further."""
    seen = values[np.isfinite(values) & (values > 0)]
    if len(seen):
        axes.set_ylim(seen.min() / 4, seen.max() * 4)


def draw_overlap(stage: StageResults, table: Table) -> Figure:
    """How far bond modes are from pseudo-harmonic ones."""
    figure, (axes,) = panels(1, width=4.2, height=2.8)
    for name, (text, color, marker) in OVERLAPS.items():
        if name in table:
            points(axes, table["eigenvalue"], table[name], table[f"{name}_error"], color, marker, text)
    axes.set(xscale="log", yscale="log", xlabel=r"$\lambda$", ylabel=r"$1 - \langle V|V_\mathrm{PH}\rangle$")
    axes.legend()
    return figure


def draw_decay(stage: StageResults, table: Table) -> Figure:
    """Size of modes against the distance from their core, with the decay of a dipole's response and of its force."""
    figure, (axes,) = panels(1, width=4.2, height=3.2)
    x, d = table["distance"], round(float(stage.results["dimension"]))
    for name, (text, color, marker) in DECAY.items():
        if name in table:
            points(axes, x, table[name], table[f"{name}_error"], color, marker, text)
    for name, power, style in (("D", 1 - d, "--"), ("F_PH", -3 * d, ":")):
        seen = np.isfinite(table[name]) & (table[name] > 0) if name in table else np.zeros(0, dtype=bool)
        if seen.sum() > 2:
            begin = int(np.flatnonzero(seen)[seen.sum() // 2])
            guide = 2.0 * table[name][begin] * (x / x[begin]) ** power
            shown = (x > x[begin] / 2) & (guide > table[name][seen].min() / 3)
            axes.plot(x[shown], guide[shown], style, color="black", linewidth=0.8, label=f"$r^{{{power}}}$")
    axes.set(xscale="log", yscale="log", xlabel=label(table, "distance", "distance from the core"), ylabel="median $|v_i|$")
    axes.legend()
    return figure


def draw_bonds(stage: StageResults, table: Table) -> Figure:
    """Densities of the pair energies of the strain expansion, with the expected tails."""
    figure, (axes,) = panels(1, width=4.2, height=3.2)
    tail = stage.tables["bond_tail"]
    for n, color, marker, _ in ORDERS:
        if f"density_{n}" in table:
            points(axes, table["value"], table[f"density_{n}"], table[f"density_{n}_error"], color, marker, f"order {n}")
    for n, color, _, exponent in ORDERS:
        for k in np.flatnonzero((tail["order"] == n) & (tail["fixed"] == 1) & np.isfinite(tail["distance"])) if tail else ():
            draw_fit(axes, tail, int(k), -1.0, "-", color, f"fit $x^{{-{exponent}}}$")
    axes.set(xscale="log", yscale="log", ylabel="density", xlabel=label(table, "value").replace("phi_n", r"$\varphi_n$"))
    _limits(axes, np.concatenate([table[name] for name in table if name.startswith("density") and not name.endswith("error")]))
    axes.legend()
    return figure


def draw_loading(stage: StageResults, table: Table) -> Figure:
    """Mean stress against strain, with its standard error as a band."""
    figure, (axes,) = panels(1, width=4.2, height=2.8)
    x, y, error = table["strain"], table["shear_stress"], np.nan_to_num(table["shear_stress_error"])
    axes.plot(x, y, color=BLUE, label=f"mean of {int(table['samples'].max())} samples")
    axes.fill_between(x, y - error, y + error, color=BLUE, alpha=0.3, linewidth=0, label="standard error")
    axes.set(xlabel="strain", ylabel=label(table, "shear_stress", "shear stress"))
    axes.legend()
    return figure

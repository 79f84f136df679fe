"""Figures of the stage `expand`: distributions of pair energies, series against strained states, map of the product field."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hpcglass.analysis.figures.catalogue import Figures, register
from hpcglass.analysis.figures.cells import color_bar, discs, frame, signed_scale, view
from hpcglass.analysis.figures.style import BLUE, GREEN, GREY, RED, grid, label, panels
from hpcglass.analysis.open_run import StageResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = (r"|\varphi_\gamma|", r"|\varphi_{\gamma\gamma}|", r"|\varphi_{\gamma\gamma\gamma}|")


@register
def figures(stage: StageResults) -> Figures:
    """(suffix of the file name, function that draws) of each figure of a stage; empty for other stages."""
    drawn: Figures = []
    if "bond_distribution" in stage.tables and "density_1" in stage.tables["bond_distribution"]:
        drawn.append(("", partial(draw_distribution, stage)))
    if "comparison" in stage.tables and stage.tables["comparison"].rows:
        drawn.append(("-comparison", partial(draw_comparison, stage)))
    if "bond_product" in stage.fields and stage.position is not None:
        drawn.append(("-map", partial(draw_product, stage)))
    return drawn


def draw_distribution(stage: StageResults) -> Figure:
    """Densities of the derivatives of pair energies, with the power laws fitted to their tails."""
    figure, (axes,) = panels(1, width=4.6, height=3.4)
    table, fits = stage.tables["bond_distribution"], stage.tables.get("bond_tails")
    x = table["value"]
    for n, (name, color) in enumerate(zip(NAMES, (BLUE, RED, GREEN), strict=True), start=1):
        if f"density_{n}" not in table:
            break
        density = table[f"density_{n}"]
        seen = density > 0
        text = f"${name}$"
        if fits is not None and n <= fits.rows and np.isfinite(fits["exponent"][n - 1]):
            row = {column: float(values[n - 1]) for column, values in fits.items()}
            text += rf": $\beta = {row['exponent']:.2f} \pm {row['exponent_error']:.2f}$ (soft modes: {row['expected']:.3g})"
            ends = np.array([row["low"], min(row["high"], float(x[seen][-1]))])
            axes.loglog(ends, row["prefactor"] * ends ** -row["exponent"], "-", color=color, linewidth=1.2)
            axes.loglog(ends, 3 * row["prefactor_expected"] * ends ** -row["expected"], "--", color=color, linewidth=0.8)
        axes.loglog(x[seen], density[seen], "o", color=color, markersize=2.5, label=text)
    axes.set_xlabel(label(table, "value", r"$|\varphi_{n\gamma}|$"))
    axes.set_ylabel("probability density")
    axes.legend(fontsize=7, title="dashed: slopes of soft modes", title_fontsize=7)
    return figure


def draw_comparison(stage: StageResults) -> Figure:
    """Shear stress and pressure of strained minima (circles), to first order (line), and by the whole series (dashed)."""
    table = stage.tables["comparison"]
    figure, axes = panels(2, width=4.2, height=2.4)
    sigma = stage.results["stress_derivatives"]
    at_rest = {"stress_xy": sigma[0, 0, 1], "pressure": -np.trace(sigma[0]) / len(sigma[0])}
    strain = np.append(0.0, table["strain"])
    for panel, (name, start) in zip(axes, at_rest.items(), strict=True):
        for kind, style, text in (("_linear", dict(color=GREY, linestyle="-"), "order 1"),
                                  ("_expansion", dict(color=RED, linestyle="--"), f"order {len(sigma) - 1}")):
            panel.plot(strain, np.append(start, table[f"{name}{kind}"]), label=text, **style)
        panel.plot(strain, np.append(start, table[name]), "o", color=BLUE, markersize=3, fillstyle="none", label="strained glass")
        seen = np.append(start, table[name])
        room = 0.3 * max(float(np.ptp(seen)), 1e-12)
        panel.set_ylim(seen.min() - room, seen.max() + room)      # the series may leave: the glass is what one looks at
        panel.set_ylabel(label(table, name, {"stress_xy": "shear stress", "pressure": "pressure"}[name]))
    axes[-1].set_xlabel("strain")
    axes[0].legend()
    return figure


def draw_product(stage: StageResults) -> Figure:
    """Sum of phi_g phi_gg on each particle: red where going forward destabilises, blue where it stabilises."""
    figure, (axes,) = grid(1, 1, 4.4, 3.9, maps=True)
    seen = view(stage)
    values = stage.fields["bond_product"][seen.chosen]
    drawn = discs(axes, seen, values, norm=signed_scale(values), cmap="RdBu")
    frame(axes, seen)
    axes.set_title(seen.title("below 0: destabilised by strain"))
    color_bar(figure, drawn, axes, r"$\sum \varphi_\gamma \varphi_{\gamma\gamma}$", "energy^2", values)
    return figure

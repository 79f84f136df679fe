"""Figures of mode spectra: participation and number of modes against frequency, and the softest modes as arrows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.figures.catalogue import Figures, register
from hpcglass.analysis.figures.cells import View, color_bar, frame, view
from hpcglass.analysis.figures.style import BLUE, GREEN, GREY, RED, dimension, grid, label, panels
from hpcglass.analysis.open_run import StageResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
SHOWN = 4               # modes drawn as arrows
LARGEST = 0.09          # length of the longest arrow at most, in widths of the cell
FAINT = 0.02            # arrows shorter than this share of the longest are not drawn


@register
def figures(stage: StageResults) -> Figures:
    """(suffix of the file name, function that draws) of each figure of a stage; empty for other stages."""
    table = stage.tables.get("modes")
    if table is None or not table.rows or "participation" not in table:
        return []
    drawn: Figures = [("", partial(draw_spectrum, stage))]
    if "modes" in stage.fields and stage.position is not None and stage.box is not None:
        drawn.append(("-map", partial(draw_modes, stage)))
    return drawn


def draw_spectrum(stage: StageResults) -> Figure:
    """Participation against frequency, with the frequencies of plane waves; below it the number of modes or their density."""
    figure, (participation, number) = panels(2, width=4.2, height=2.3)
    table = stage.tables["modes"]
    omega, products = table["omega"], particles(stage) * table["participation"]
    low, high = float(omega.min()), float(omega.max())
    margin = 0.04 * (high - low if high > low else abs(high) or 1.0)
    number.set_xlim(0.0 if 0 <= low < 0.7 * high else low - margin, high + margin)
    participation.scatter(omega, products, s=9.0 if len(omega) < 300 else 2.0, color=BLUE, linewidths=0, zorder=3)
    if products.max() > 8 * products.min():
        participation.set_yscale("log")
    participation.set_ylabel(r"$N e$")
    if "density_of_states" in stage.tables:
        mark_waves(stage, [participation], 5)
        draw_density(stage, number)
    else:
        mark_waves(stage, [participation, number], 50)
        draw_number(stage, number)
    number.set_xlabel(label(table, "omega", r"$\omega$"))
    if low < 0:
        for axes in (participation, number):
            axes.axvline(0.0, color=GREY, linewidth=0.6)
    return figure


def draw_number(stage: StageResults, axes: Axes) -> None:
    """Number of modes up to omega, from the lower end of the range if one was asked for, and Debye's A_D omega^d/d of them."""
    omega, d = stage.tables["modes"]["omega"], dimension(stage)
    first = float((stage.params.get("range") or [0.0])[0])
    axes.step(np.append(omega[0], omega), np.arange(len(omega) + 1), where="post", color=BLUE)
    axes.set_ylim(0, 1.1 * len(omega))
    axes.set_ylabel(f"modes in [{first:g}, $\\omega$]" if first else "modes up to $\\omega$")
    if "debye_level" in stage.results:
        x = np.linspace(first, max(float(omega[-1]), first), 200)
        scale = stage.results["debye_level"] * stage.results["modes_total"] / d
        axes.plot(x, scale * (x**d - first**d), "--", color=RED, linewidth=0.9, label="Debye")
        axes.legend(loc="upper left")


def draw_density(stage: StageResults, axes: Axes) -> None:
    """Density of states, normalised to 1, and Debye's A_D omega^(d-1)."""
    states, d = stage.tables["density_of_states"], dimension(stage)
    half = 0.5 * (states["omega"][1] - states["omega"][0])
    edges = np.append(states["omega"] - half, states["omega"][-1] + half)
    axes.stairs(states["density"], edges, color=BLUE, fill=True, alpha=0.3)
    axes.stairs(states["density"], edges, color=BLUE)
    axes.set_ylim(0, 1.15 * float(states["density"].max()))
    axes.set_ylabel(r"$D(\omega)$")
    if "debye_level" in stage.results:
        x = np.linspace(0.0, edges[-1], 200)
        axes.plot(x, stage.results["debye_level"] * x ** (d - 1), "--", color=RED, linewidth=0.9, label="Debye")
        axes.legend(loc="upper left")


def mark_waves(stage: StageResults, panels: list[Axes], most: int) -> None:
    """Lines at the frequencies of plane waves in sight, at most so many of each kind; their numbers above those with room."""
    waves = stage.tables.get("phonons")
    if waves is None:
        return
    top = panels[0]
    low, high = top.get_xlim()
    last = -np.inf
    for branch, color, style, name in (
            (0, GREY, "-", "transverse waves, their number above"), (1, GREEN, "--", "longitudinal waves")):
        frequency = waves["frequency"][waves["branch"] == branch]
        shown = frequency[(frequency > low) & (frequency < high)][:most]
        for axes in panels:
            for x in shown:
                axes.axvline(x, color=color, linestyle=style, linewidth=0.6, alpha=0.7, zorder=0)
        if len(shown):
            panels[-1].plot([], [], color=color, linestyle=style, linewidth=0.8, label=name)
    for x, degeneracy, branch in zip(waves["frequency"], waves["degeneracy"], waves["branch"], strict=True):
        rank = np.count_nonzero((waves["branch"] == branch) & (waves["frequency"] <= x) & (waves["frequency"] > low))
        if low < x < high and rank <= most and x - last > 0.055 * (high - low):
            top.annotate(f"{degeneracy:.0f}", (x, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 2),
                         textcoords="offset points", ha="center", color=GREEN if branch else GREY, fontsize=7)
            last = x
    if panels[-1].get_legend_handles_labels()[0]:
        panels[-1].legend(loc="upper left" if len(panels) > 1 else "lower center")


def particles(stage: StageResults) -> int:
    return 1 if stage.position is None else len(stage.position)


def draw_modes(stage: StageResults) -> Figure:
    """The first modes, each with its frequency and participation; in 3D a slab seen along its third edge."""
    table, modes = stage.tables["modes"], stage.fields["modes"]
    count = min(SHOWN, modes.shape[2])
    figure, panels = grid(count, min(count, 2), 3.4, 3.7, maps=True)
    seen = view(stage)
    arrows = np.moveaxis(modes[seen.chosen, :2, :count], 2, 0)
    largest, length = lengths(seen, arrows)
    for k, axes in enumerate(panels):
        drawn = draw_arrows(axes, seen, arrows[k], largest, length)
        axes.set_title(rf"$\omega$ = {table['omega'][k]:.4g},  $Ne$ = {len(modes) * table['participation'][k]:.3g}")
    color_bar(figure, drawn, panels, r"$|\mathbf{e}_i|$, with $\sum_i |\mathbf{e}_i|^2 = 1$", "")
    return figure


def lengths(seen: View, modes: Floats) -> tuple[float, float]:
    """(size of the largest vector of all modes (m, n, 2), length of its arrow).

    Extended modes: typical arrows hardly overlap; localised ones: the core stays in bounds.
    """
    size = np.linalg.norm(modes, axis=2)
    largest, typical = float(size.max(initial=1e-300)), float(np.sqrt((size**2).mean())) if size.size else 1.0
    width, height = np.ptp(seen.limits, axis=0)
    apart = np.sqrt(width * height / max(len(seen.position), 1))
    return largest, float(min(LARGEST * width, 1.5 * apart * largest / max(typical, 1e-300)))


def draw_arrows(axes: Axes, seen: View, mode: Floats, largest: float, longest: float) -> Any:
    """A vector at each particle: length and colour tell its size, so that a core stands out of the far field."""
    from matplotlib.colors import PowerNorm

    size = np.linalg.norm(mode, axis=1)
    order = np.argsort(size, kind="stable")             # the large ones on top
    order = order[size[order] > FAINT * largest]
    width = min(0.0035, 0.16 / max(len(size), 1) ** 0.5)
    drawn = axes.quiver(*seen.position[order].T, *mode[order].T, size[order], norm=PowerNorm(0.6, 0, largest), cmap="viridis_r",
                        angles="xy", scale_units="xy", scale=largest / longest, width=width,
                        headwidth=4, headlength=4.5, headaxislength=4, pivot="middle", rasterized=True)
    frame(axes, seen)
    return drawn

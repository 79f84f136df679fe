"""Figures of the bond operator: its spectrum, the softest mode, decay and pseudo-harmonic partners.

J. A. Giannini, D. Richard, M. L. Manning, E. Lerner, Phys. Rev. E 104, 044905 (2021), figs. 3 and 4, for one sample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.figures.catalogue import Figures, register
from hpcglass.analysis.figures.cells import View, discs, length_bar, part, view
from hpcglass.analysis.figures.style import BLUE, GREY, RED, dimension, grid, label, panels, row
from hpcglass.analysis.open_run import StageResults, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
WINDOW = 12.0       # half the width of a map, in mean spacings
LONGEST = 2.5       # length of the longest arrow, in mean spacings
FAINT = 0.05        # arrows shorter than this part of the longest are left out
STRONG = 0.1        # part of the bonds that is drawn
PER_DECADE = 8      # bins of the spectrum
MARKERS = {"D": "o", "F": "s"}


@register
def figures(stage: StageResults) -> Figures:
    """(suffix of the file name, function that draws) of each figure of a stage; empty for other stages."""
    spectrum = stage.tables.get("bond_modes")
    if spectrum is None or not spectrum.rows:
        return []
    drawn: Figures = [("", partial(draw_spectrum, stage, spectrum))]
    if "displacement_modes" in stage.fields and stage.position is not None:
        drawn.append(("-softest", partial(draw_softest, stage)))
    if "dipole_responses" in stage.fields and stage.position is not None:
        drawn.append(("-dipole", partial(draw_dipole, stage)))
    if "decay" in stage.tables and stage.tables["decay"].rows:
        drawn.append(("-decay", partial(draw_decay, stage)))
    return drawn


def draw_spectrum(stage: StageResults, table: Table) -> Figure:
    """Density of eigenvalues, or of the soft end their number above lambda; participation of F and D."""
    figure, (density, participation) = panels(2, width=3.6, height=2.2)
    unit = float(stage.results.get("eigenvalue_unit", 1.0))
    value = table["eigenvalue"] / unit
    if "trace" in stage.results:
        low, high = np.floor(np.log10(value.min()) * PER_DECADE), np.ceil(np.log10(value.max()) * PER_DECADE)
        edges = 10 ** (np.arange(low, high + 1) / PER_DECADE)
        count = np.histogram(value, edges)[0]
        x, y = np.sqrt(edges[1:] * edges[:-1])[count > 0], (count / np.diff(edges) / len(value))[count > 0]
        density.loglog(x, y, "o", color=BLUE, markersize=3)
        anchor, power, text = max(len(x) - 6, 0), -3.5, r"$\lambda^{-7/2}$"
        density.set_ylabel(r"$P(\lambda)$")
    else:
        x, y = value, np.arange(1.0, len(value) + 1)
        density.loglog(x, y, "o", color=BLUE, markersize=3)
        anchor, power, text = len(x) // 2, -2.5, r"$\lambda^{-5/2}$, from $P\sim\lambda^{-7/2}$"
        density.set_ylabel(r"modes above $\lambda$")
    guide(density, x[anchor], y[anchor], np.array([x[anchor], x.max()]), power, text)
    density.set_ylim(y.min() / 3, y.max() * 3)
    particles = len(stage.position) if stage.position is not None else 1
    size = 3 if table.rows <= 200 else 1
    for name, column, color in (("F", "participation_force", BLUE), ("D", "participation_displacement", RED)):
        participation.loglog(value, particles * table[column], MARKERS[name], color=color, markersize=size, markeredgewidth=0,
                             alpha=1.0 if size == 3 else 0.4, label=f"${name}$")
    participation.axhline(particles, color=GREY, linewidth=0.8, linestyle=":", label="all particles")
    participation.set_ylabel(r"$N e(\lambda)$, particles")
    participation.set_xlabel(r"$\lambda/\lambda_0$" if "eigenvalue_unit" in stage.results else r"$\lambda$")
    participation.legend(markerscale=1.0 if size == 3 else 3.0)
    return figure


def draw_softest(stage: StageResults) -> Figure:
    """Bond forces f, forces F and displacements D of the softest mode, and their pseudo-harmonic partners, around its core."""
    fields, bonds = stage.fields, stage.pairs.get("bond_modes")
    close = Surroundings.of(stage, int((fields["displacement_modes"][..., 0] ** 2).sum(axis=1).argmax()))
    names = [("F", "force_modes", "pseudo_harmonic_forces"), ("D", "displacement_modes", "pseudo_harmonic_modes")]
    titles = [r"bond forces $f$"] * (bonds is not None) + [r"particle forces $F$", r"displacements $D$"]
    figure, axes = row(len(titles), 2.9, 3.3)
    for panel, title in zip(axes, titles, strict=True):
        _window(panel, close)
        panel.set_title(close.seen.title(title))
    if bonds is not None:
        _draw_bonds(axes[0], close, bonds["id"], bonds["force"][:, 0])
    for panel, (name, field, partner) in zip(axes[-2:], names, strict=True):
        _arrows(panel, close, fields[field][..., 0], close.spacing, BLUE, 0.008, f"${name}$")
        if partner in fields:
            _arrows(panel, close, fields[partner][..., 0], close.spacing, RED, 0.0035, rf"${name}_\mathrm{{PH}}$")
            panel.legend(loc="upper right")
    return figure


def draw_dipole(stage: StageResults) -> Figure:
    """Displacements by a unit dipole on one bond (fig. 2a); the dipole itself is red."""
    first, second = (int(stage.tables["dipoles"][name][0]) for name in ("first", "second"))
    close = Surroundings.of(stage, first)
    figure, (axes,) = grid(1, 1, 3.2, 3.5, maps=True)
    _window(axes, close)
    dipole = np.zeros_like(close.position)
    dipole[second] = close.position[second] - close.position[first]
    dipole[first] = -dipole[second]
    _arrows(axes, close, stage.fields["dipole_responses"][..., 0], close.spacing, BLUE, 0.005, "response")
    _arrows(axes, close, dipole, 0.5 * close.spacing, RED, 0.012, "dipole")
    axes.legend(loc="upper right")
    axes.set_title(close.seen.title("response to a dipole"))
    return figure


def draw_decay(stage: StageResults) -> Figure:
    """Median size of the fields against the distance from the core; how far the pseudo-harmonic partners are."""
    decay, partners = stage.tables["decay"], stage.tables.get("pseudo_harmonic")
    both = partners is not None and partners.rows
    figure, panels = row(1 + bool(both), 3.4, 2.9)
    r = decay["distance"]
    for name, color in (("D", RED), ("F", BLUE)):
        panels[0].loglog(r, decay[name], MARKERS[name], color=color, markersize=3.5, label=f"${name}$")
        if f"{name}_PH" in decay:
            panels[0].loglog(r, decay[f"{name}_PH"], f"{MARKERS[name]}--", color=color, markersize=3.5, markerfacecolor="white",
                             linewidth=0.6, label=rf"${name}_\mathrm{{PH}}$")
    d = dimension(stage)
    middle = len(r) // 3
    guide(panels[0], r[middle], 2 * decay["D"][middle], r[middle:], 1.0 - d, rf"$r^{{{1 - d}}}$")
    panels[0].set_xlabel(label(decay, "distance", "distance from the core"))
    panels[0].set_ylabel(r"median $|v|$")
    panels[0].legend()
    if partners is not None and both:
        unit = float(stage.results.get("eigenvalue_unit", 1.0))
        value = partners["eigenvalue"] / unit
        for name, column, color in (("D", "overlap_displacement", RED), ("F", "overlap_force", BLUE)):
            panels[1].loglog(value, partners[column], MARKERS[name], color=color, markersize=3.5,
                             label=rf"$1-\langle {name}|{name}_\mathrm{{PH}}\rangle$")
        panels[1].set_xlabel(r"$\lambda/\lambda_0$" if "eigenvalue_unit" in stage.results else r"$\lambda$")
        panels[1].set_ylabel("distance to pseudo-harmonic mode")
        panels[1].legend()
    return figure


def guide(axes: Axes, x: float, y: float, span: Floats, power: float, text: str) -> None:
    """A dashed power law through (x, y), over a span, with its name at the end."""
    span = np.array([span.min(), span.max()])
    axes.loglog(span, y * (span / x) ** power, "--", color="black", linewidth=0.8, label=text)
    axes.legend()


@dataclass(frozen=True)
class Surroundings:
    """A configuration with one particle moved to the middle of the cell.

    position, fraction : (N, d) with it in the middle; of the edges, from it
    spacing : mean spacing [length]
    half : half the width of a map [length]
    seen : who is drawn, in 3D a slab
    """

    position: Floats
    fraction: Floats
    box: Floats
    spacing: float
    half: float
    centre: Floats
    seen: View

    @classmethod
    def of(cls, stage: StageResults, core: int) -> Surroundings:
        assert stage.position is not None and stage.box is not None
        box = stage.box
        spacing = float(abs(np.linalg.det(box)) / len(stage.position)) ** (1 / len(box))
        fraction = np.linalg.solve(box, (stage.position - stage.position[core]).T).T
        fraction -= np.rint(fraction)
        position = (fraction + 0.5) @ box.T
        walls = stage.walls
        if walls is not None:
            walls = np.append(walls[:-2] - stage.position[core] + 0.5 * box.sum(axis=1), walls[-2:])
        seen = view(replace(stage, position=position, walls=walls))
        half = min(WINDOW * spacing, 0.5 * float(np.ptp(position[:, :2], axis=0).min()))
        return cls(position, fraction, box, spacing, half, 0.5 * box.sum(axis=1)[:2], seen)


def _window(axes: Axes, close: Surroundings) -> None:
    """Pale discs of the particles around a point; the walls, if any are in sight."""
    near = (np.abs(close.seen.position - close.centre) < close.half + 1.0).all(axis=1)
    discs(axes, part(close.seen, near), facecolor="#f2f2f2", edgecolor="#d0d0d0", linewidth=0.3)
    for line in close.seen.outlines:
        axes.plot(*line.T, color="black", linewidth=0.6)
    axes.set_xlim(close.centre[0] - close.half, close.centre[0] + close.half)
    axes.set_ylim(close.centre[1] - close.half, close.centre[1] + close.half)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
    length_bar(axes)


def _arrows(axes: Axes, close: Surroundings, field: Floats, spacing: float, color: str, width: float, label: str) -> None:
    """The field in the plane as arrows; the longest are `LONGEST` spacings long."""
    size = np.linalg.norm(field, axis=1)
    seen = (size > FAINT * size.max())[close.seen.chosen]
    axes.quiver(*close.seen.position[seen].T, *field[close.seen.chosen][seen, :2].T, angles="xy", scale_units="xy",
                scale=size.max() / (LONGEST * spacing), color=color, width=width, minlength=0.0, label=label, zorder=3)


def _draw_bonds(axes: Axes, close: Surroundings, ids: Any, force: Floats) -> None:
    """The strongest bonds as lines as wide as their force: extension red, compression blue."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba
    from matplotlib.lines import Line2D

    size = np.abs(force)
    seen = (size >= np.quantile(size, 1 - STRONG)) & close.seen.chosen[ids].all(axis=1)
    step = close.fraction[ids[seen, 1]] - close.fraction[ids[seen, 0]]
    begin = close.position[ids[seen, 0]]
    end = begin + (step - np.rint(step)) @ close.box.T
    relative = size[seen] / size.max()
    colors = [to_rgba(RED if extended else BLUE, 0.25 + 0.75 * strength)
              for extended, strength in zip(force[seen] > 0, relative, strict=True)]
    axes.add_collection(LineCollection(np.stack([begin[:, :2], end[:, :2]], axis=1), colors=colors,
                                       linewidths=0.2 + 3.5 * relative, capstyle="round"))
    axes.legend(handles=[Line2D([], [], color=RED, label="extended"), Line2D([], [], color=BLUE, label="compressed")],
                loc="upper right")

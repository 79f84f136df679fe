"""Maps of particles coloured by a field: where a glass deformed plastically, or will."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.figures.catalogue import Figures, register
from hpcglass.analysis.open_run import StageResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
DISCS = 20_000        # more particles are drawn as points,
POINTS = 200_000      # and more than these as an image,
PIXELS = 1200         # of so many pixels along its longer side
COLUMNS = 4           # most maps beside each other
TITLES = {"d2min": r"$D^2_\mathrm{min}$, first to last", "event_d2min": r"$D^2_\mathrm{min}$, largest event"}


@register
def figures(stage: StageResults) -> Figures:
    """All maps of D^2_min in one."""
    return [("-map", partial(draw_maps, stage))] if titles(stage) and stage.position is not None else []


def titles(stage: StageResults) -> dict[str, str]:
    """What to write above the map of each field of D^2_min that the stage has; of `inflate`, how far the wall moved."""
    if "inflation" in stage.tables:
        sizes = stage.tables["inflation"]["d_0"]
        fields = [f"d2min_{k}" for k in range(len(sizes))] if len(sizes) > 1 else ["d2min"]
        known = {name: rf"$D^2_\mathrm{{min}}$, $d_0 = {d_0:.4g}$" for name, d_0 in zip(fields, sizes, strict=True)}
    else:
        known = TITLES
    return {name: title for name, title in known.items() if name in stage.fields}


def draw_maps(stage: StageResults) -> Figure:
    """The final configuration coloured by D^2_min: since the first and of the largest event, or of each inflation."""
    from matplotlib.figure import Figure

    named = titles(stage)
    across = min(len(named), COLUMNS)
    down = -(-len(named) // COLUMNS)
    figure = Figure(figsize=(3.6 * across, 3.3 * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes, (name, title) in zip(panels, named.items(), strict=False):
        draw_map(figure, axes, stage, stage.fields[name], title)
    for axes in panels[len(named):]:
        axes.set_axis_off()
    return figure


def draw_map(figure: Figure, axes: Axes, stage: StageResults, values: Floats, title: str, signed: bool = False) -> None:
    """Particles coloured by a field on a logarithmic scale, in both directions if it is signed; in 3D a slab seen along z."""
    from matplotlib.cm import ScalarMappable

    assert stage.position is not None and stage.box is not None
    position, box = stage.position, stage.box
    diameter = np.ones(len(position)) if stage.diameter is None else stage.diameter
    if len(box) == 3:
        chosen = slab(position, box, 2 * float(diameter.mean()))
        position, diameter, values, title = position[chosen], diameter[chosen], values[chosen], f"{title} (slab)"
    norm = signed_scale(values) if signed else scale(values)
    order = np.argsort(np.abs(values), kind="stable")          # the interesting ones on top
    shown = values[order] if signed else np.where(values > 0, values, norm.vmin)[order]
    particles = _discs(axes, position[order, :2], diameter[order], shown, norm, "RdBu" if signed else "inferno")
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]) @ box[:2, :2].T
    axes.plot(*corners.T, color="black", linewidth=0.6)
    margin = 0.02 * (corners.max() - corners.min())
    axes.set_xlim(corners[:, 0].min() - margin, corners[:, 0].max() + margin)
    axes.set_ylim(corners[:, 1].min() - margin, corners[:, 1].max() + margin)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_title(title)
    bar = figure.colorbar(ScalarMappable(norm, particles.get_cmap()), ax=axes, shrink=0.8, pad=0.02)
    if signed:
        decades = 10.0 ** np.arange(np.ceil(np.log10(norm.linthresh)), np.log10(norm.vmax) + 1e-9)
        bar.set_ticks([*-decades[::-1], 0.0, *decades])
        bar.minorticks_off()


def slab(position: Floats, box: Floats, thickness: float) -> NDArray[np.bool_]:
    """Particles in a slab of the given thickness in the middle of the cell, across its third edge."""
    fraction = np.linalg.solve(box, position.T)[2] % 1.0
    height = 1 / float(np.linalg.norm(np.linalg.inv(box)[2]))
    return np.abs(fraction - 0.5) * height <= thickness / 2


def scale(values: Floats) -> Any:
    """Logarithmic, over the upper three decades of the positive values."""
    from matplotlib.colors import LogNorm, Normalize

    positive = values[values > 0]
    if not len(positive):
        return Normalize(0, 1)
    top = max(float(np.quantile(positive, 0.998)), float(np.finfo(float).tiny) * 1e4)
    return LogNorm(max(top * 1e-3, float(positive.min()) / 2), top * 1.0001, clip=True)


def signed_scale(values: Floats) -> Any:
    """Logarithmic in both directions, over the upper three decades of the modulus, linear between."""
    from matplotlib.colors import SymLogNorm

    top = max(float(np.quantile(np.abs(values), 0.999)), float(np.finfo(float).tiny) * 1e4)
    return SymLogNorm(top * 1e-3, linscale=0.5, vmin=-top, vmax=top, clip=True)


def _discs(axes: Axes, position: Floats, diameter: Floats, shown: Floats, norm: Any, colors: str) -> Any:
    from matplotlib.collections import EllipseCollection

    if len(position) > POINTS:
        return _image(axes, position, shown, norm, colors)
    if len(position) > DISCS:
        return axes.scatter(position[:, 0], position[:, 1], c=shown, norm=norm, cmap=colors, s=4e4 / len(position), linewidths=0,
                            rasterized=True)
    discs = EllipseCollection(diameter, diameter, np.zeros(len(diameter)), units="xy", offsets=position,
                              offset_transform=axes.transData, array=shown, norm=norm, cmap=colors, linewidths=0)
    axes.add_collection(discs)
    return discs


def _image(axes: Axes, position: Floats, values: Floats, norm: Any, colors: str) -> Any:
    """Each pixel has the value of largest modulus in it; `values` are in ascending order of their modulus."""
    low, high = position.min(axis=0), position.max(axis=0)
    shape = np.maximum((PIXELS * (high - low) / (high - low).max()).astype(int), 1)
    place = np.minimum(((position - low) / (high - low) * shape).astype(int), shape - 1)
    pixels = np.full(shape, np.nan)
    pixels[place[:, 0], place[:, 1]] = values       # the last one stays
    return axes.imshow(pixels.T, origin="lower", extent=(low[0], high[0], low[1], high[1]), norm=norm, cmap=colors,
                       interpolation="none")

"""A configuration as it is drawn: which particles, the outline of the cell or the walls, a bar of length, scales of colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.figures.style import units
from hpcglass.analysis.open_run import StageResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
MARGIN = 0.02           # around the outline, of its width
BAR = 0.25              # the bar of length is at most so much of the width
DISCS = 200_000         # more particles are drawn as an image,
PIXELS = 400            # of at most so many pixels across: no more can be seen in a panel,
CLOSE = 2.0             # each of at least so many mean spacings: hardly one is empty
DECADES = 3             # of a logarithmic scale, at most


@dataclass(frozen=True)
class View:
    """What is seen of a configuration: in 2D all of it, in 3D a slab in the middle, along the third edge of the cell.

    Attributes
    ----------
    chosen : (N,) who is seen
    position, diameter : (n, 2), (n,) of those; positions are moved along the third edge into the middle plane
    outlines : closed lines (k, 2), the edge of the cell or the walls
    slab : whether it is one
    """

    chosen: NDArray[np.bool_]
    position: Floats
    diameter: Floats
    outlines: list[Floats]
    slab: bool

    @property
    def limits(self) -> tuple[Floats, Floats]:
        """Lowest and highest coordinates of the outline."""
        points = np.concatenate(self.outlines)
        return points.min(axis=0), points.max(axis=0)

    def title(self, text: str) -> str:
        """A title that says so if only a slab is seen."""
        return f"{text} (slab)" if self.slab else text


def view(stage: StageResults, thickness: float | None = None) -> View:
    """The final configuration of a stage.

    thickness : of the slab in 3D [length]; by default two mean diameters
    """
    assert stage.position is not None and stage.box is not None
    position, box = stage.position, stage.box
    diameter = np.ones(len(position)) if stage.diameter is None else stage.diameter
    chosen, middle = np.ones(len(position), dtype=bool), np.zeros(2)
    if len(box) == 3:
        chosen = slab(position, box, 2 * float(diameter.mean()) if thickness is None else thickness)
        position, middle = into_middle(position, box), 0.5 * box[:2, 2]
    outlines = [middle + np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]) @ box[:2, :2].T]
    if stage.walls is not None:
        angle = np.linspace(0, 2 * np.pi, 361)
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        outlines = [stage.walls[:2] + radius * circle for radius in stage.walls[-2:]]
    return View(chosen, position[chosen][:, :2], diameter[chosen], outlines, len(box) == 3)


def part(seen: View, some: NDArray[np.bool_]) -> View:
    """Some of the particles that are seen."""
    return replace(seen, position=seen.position[some], diameter=seen.diameter[some])


def slab(position: Floats, box: Floats, thickness: float) -> NDArray[np.bool_]:
    """Particles in a slab of the given thickness in the middle of the cell, across its third edge."""
    fraction = np.linalg.solve(box, position.T)[2] % 1.0
    height = 1 / float(np.linalg.norm(np.linalg.inv(box)[2]))
    return np.abs(fraction - 0.5) * height <= thickness / 2


def into_middle(position: Floats, box: Floats) -> Floats:
    """Moved along the third edge into the middle of the cell: what is in the cell is then in the outline of that plane."""
    fraction = np.linalg.solve(box, position.T).T % 1.0
    fraction[:, 2] = 0.5
    return fraction @ box.T


def frame(axes: Axes, seen: View) -> None:
    """The outline and a bar of length; nothing else of the axes."""
    for line in seen.outlines:
        axes.plot(*line.T, color="black", linewidth=0.6, zorder=4)
    low, high = seen.limits
    margin = MARGIN * float((high - low).max())
    axes.set_xlim(low[0] - margin, high[0] + margin)
    axes.set_ylim(low[1] - margin, high[1] + margin)
    axes.set_aspect("equal")
    axes.set_axis_off()
    length_bar(axes)


def length_bar(axes: Axes) -> None:
    """A bar below a map that says how long a length is: 1, 2 or 5 times a power of ten."""
    from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

    low, high = sorted(axes.get_xlim())
    largest = BAR * (high - low)
    power = 10.0 ** np.floor(np.log10(largest))
    length = float(power * max(k for k in (1, 2, 5) if k * power <= largest))
    bar = AnchoredSizeBar(axes.transData, length, f"{length:g} length{'s' if length != 1 else ''}", "upper left",
                          bbox_to_anchor=(0.0, -0.02), bbox_transform=axes.transAxes, frameon=False, pad=0.1, borderpad=0.0,
                          sep=2, size_vertical=0.004 * (high - low), label_top=False)
    axes.add_artist(bar)


def scale(*values: Floats) -> Any:
    """Logarithmic, over the upper three decades of all values that are positive; for all panels that are to be compared."""
    from matplotlib.colors import LogNorm, Normalize

    positive = np.concatenate([one[one > 0] for one in values])
    if not len(positive):
        return Normalize(0, 1)
    top = max(float(positive.max()), float(np.finfo(float).tiny) * 10.0 ** (DECADES + 1))
    return LogNorm(max(top / 10.0**DECADES, float(positive.min()) / 2), top * 1.0001, clip=True)


def signed_scale(*values: Floats) -> Any:
    """Logarithmic in both directions, over the upper three decades of the modulus, linear between."""
    from matplotlib.colors import SymLogNorm

    top = max([float(np.abs(one).max(initial=0.0)) for one in values] + [float(np.finfo(float).tiny) * 10.0 ** (DECADES + 1)])
    return SymLogNorm(top / 10.0**DECADES, linscale=0.5, vmin=-top, vmax=top, clip=True)


def color_bar(figure: Figure, drawn: Any, axes: Axes | Sequence[Axes], text: str, unit: str, *values: Floats) -> Any:
    """The scale of one or several panels, with its unit; pointed where values lie outside."""
    from matplotlib.colors import SymLogNorm

    norm = drawn.norm
    low = any(bool((one < norm.vmin).any()) for one in values)
    high = any(bool((one > norm.vmax).any()) for one in values)
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[low, high]
    bar = figure.colorbar(drawn, ax=axes, shrink=0.8, pad=0.02, extend=extend)
    bar.set_label(f"{text}{units(unit)}")
    if isinstance(norm, SymLogNorm):
        decades = 10.0 ** np.arange(np.ceil(np.log10(norm.linthresh)), np.log10(norm.vmax) + 1e-9)
        bar.set_ticks([*-decades[::-1], 0.0, *decades])
        bar.minorticks_off()
    return bar


def discs(axes: Axes, seen: View, values: Floats | None = None, dense: str = "largest", **options: Any) -> Any:
    """Particles, coloured by values (n,) of those that are seen, the largest on top; a very large number as an image.

    dense : which value a pixel of the image has of those in it: "largest" (modulus), "least" or "mean"
    """
    from matplotlib.collections import EllipseCollection

    if values is not None and len(values) > DISCS:
        return _image(axes, seen, values, dense, **options)
    order = np.arange(len(seen.position)) if values is None else np.argsort(np.abs(values), kind="stable")
    diameter = seen.diameter[order]
    particles = EllipseCollection(diameter, diameter, np.zeros(len(order)), units="xy", offsets=seen.position[order],
                                  offset_transform=axes.transData, rasterized=len(order) > 5000,
                                  array=None if values is None else values[order], **{"linewidth": 0.0, **options})
    axes.add_collection(particles)
    return particles


def _image(axes: Axes, seen: View, values: Floats, dense: str, **options: Any) -> Any:
    """The same on a grid; pixels without a particle, or without a number, stay empty."""
    low, high = seen.limits
    pixel = max(float((high - low).max()) / PIXELS, CLOSE * float(np.sqrt(np.prod(high - low) / len(values))))
    shape = np.maximum(((high - low) / pixel).astype(int), 1)
    good = np.isfinite(values)
    place = np.clip(((seen.position[good] - low) / (high - low) * shape).astype(int), 0, shape - 1)
    where, found = place[:, 1] * shape[0] + place[:, 0], values[good]
    if dense == "mean":
        with np.errstate(invalid="ignore"):
            pixels = np.bincount(where, found, shape.prod()) / np.bincount(where, minlength=shape.prod())
    else:
        order = np.argsort(np.abs(found) if dense == "largest" else -found, kind="stable")
        pixels = np.full(shape.prod(), np.nan)
        pixels[where[order]] = found[order]       # the last one stays
    return axes.imshow(pixels.reshape(shape[::-1]), origin="lower", extent=(low[0], high[0], low[1], high[1]),
                       interpolation="nearest", **options)

"""What a figure shows as numbers: its lines, points, bars, arrows, discs and pixels as rows of one table.

It is read off the drawn figure, so that every figure has it and nothing can differ from what is seen.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Columns = dict[str, NDArray[np.float64]]
Series = tuple[str, str, Columns]       # kind, name, columns of one length
NAMES = ("x", "y", "x_low", "x_high", "y_low", "y_high", "dx", "dy", "diameter", "value")
WHAT = {"x_low": "ends of a bar, a bin or a band", "dx": "components of an arrow, or from one end of a line to the other",
        "value": "what the colour says"}


def as_csv(figure: Figure) -> str:
    """Rows of all panels: number of the panel, kind and name of the series, and those of NAMES that occur.

    Lines that begin with # say what the panels and the columns are.
    """
    panels = [axes for one in figure.axes for axes in (one, *one.child_axes) if axes.get_label() != "<colorbar>"]
    found = [(k, *one) for k, axes in enumerate(panels) for one in series(axes)]
    used = [name for name in NAMES if any(name in columns for *_, columns in found)]
    text = io.StringIO()
    for k, axes in enumerate(panels):
        if any(number == k for number, *_ in found):
            text.write(f"# panel {k}: {described(axes)}\n")
    text.writelines(f"# {name}: {what}\n" for name, what in WHAT.items() if name in used)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["panel", "kind", "series", *used])
    for k, kind, name, columns in found:
        cells = [np.atleast_1d(columns[column]) if column in columns else None for column in used]
        for i in range(max(len(cell) for cell in cells if cell is not None)):
            values = (np.nan if cell is None else float(cell[i]) for cell in cells)
            writer.writerow([k, kind, name, *("" if np.isnan(value) else repr(value) for value in values)])
    return text.getvalue()


def described(axes: Axes) -> str:
    """Title, labels, and those of the bars of colours."""
    norms = [one.norm for one in (*axes.collections, *axes.images) if one.get_array() is not None]
    bars = [one.colorbar for panel in axes.figure.axes for one in (*panel.collections, *panel.images)
            if one.colorbar is not None and any(one.norm is norm for norm in norms)]
    title = next(filter(None, (axes.get_title(loc) for loc in ("center", "left", "right"))), "")
    parts = {"": title, "x": axes.get_xlabel() or shared_label(axes), "y": axes.get_ylabel(),
             "value": bars[0].ax.get_ylabel() or bars[0].ax.get_xlabel() if bars else ""}
    return plain("; ".join(f"{name}: {what}" if name else what for name, what in parts.items() if what))


def plain(text: str) -> str:
    r"""A label without the signs of mathematics.

    >>> plain(r"$D^2_\mathrm{min}$ [length$^{2}$]")
    'D^2_min [length^2]'
    """
    return re.sub(r"\\(?:mathrm|mathbf|,|;)|[$\\{}]", "", text).replace("\n", " ")


def shared_label(axes: Axes) -> str:
    """The label below, of panels with one abscissa."""
    return next((other.get_xlabel() for other in axes.get_shared_x_axes().get_siblings(axes) if other.get_xlabel()), "")


def series(axes: Axes) -> Iterator[Series]:
    """All that is drawn in a panel."""
    from matplotlib.container import ErrorbarContainer
    from matplotlib.patches import Rectangle, StepPatch

    parts: set[Any] = set()
    for container in axes.containers:
        if isinstance(container, ErrorbarContainer):
            line, caps, bars = container.lines
            parts |= {line, *caps, *bars}
            yield "points", name_of(container), with_bars(container)
    for line in axes.lines:
        if line not in parts and len(line.get_xdata()):
            yield "line", name_of(line), on_axes(axes, line)
    for patch in axes.patches:
        if isinstance(patch, StepPatch):
            values, edges, _ = patch.get_data()
            yield "bins", name_of(patch), {"x_low": edges[:-1], "x_high": edges[1:], "y": np.asarray(values, dtype=float)}
        elif isinstance(patch, Rectangle):
            box = patch.get_bbox()
            yield "bar", name_of(patch), {"x_low": box.x0, "x_high": box.x1, "y_low": box.y0, "y_high": box.y1}
    for collection in axes.collections:
        if collection not in parts and (columns := of_collection(collection)):
            yield collection.__class__.__name__.removesuffix("Collection").lower(), name_of(collection), columns
    for image in axes.images:
        yield "pixels", name_of(image), of_image(image)


def name_of(artist: Any) -> str:
    name = str(artist.get_label() or "")
    return "" if name.startswith("_") else name


def with_bars(container: Any) -> Columns:
    """Points and the ends of their bars."""
    line, _, bars = container.lines
    ends = [np.array(bar.get_segments()).reshape(-1, 2, 2) for bar in bars]
    columns: Columns = {}
    for axis, has in enumerate((container.has_xerr, container.has_yerr)):
        if has:
            segments = ends.pop(0)
            columns |= {f"{'xy'[axis]}_low": segments[:, 0, axis], f"{'xy'[axis]}_high": segments[:, 1, axis]}
            columns.setdefault("xy"[1 - axis], segments[:, 0, 1 - axis])
    if line is not None:
        columns |= {"x": np.asarray(line.get_xdata(), dtype=float), "y": np.asarray(line.get_ydata(), dtype=float)}
    lengths = {len(values) for values in columns.values()}
    return columns if len(lengths) == 1 else {"x": columns["x"], "y": columns["y"]}


def on_axes(axes: Axes, line: Any) -> Columns:
    """Coordinates of a line; none along an axis that it crosses from end to end."""
    xy = np.array(line.get_xydata(), dtype=float)
    along = line.get_transform().contains_branch_seperately(axes.transData)
    return {name: xy[:, k] if along[k] else np.full(len(xy), np.nan) for k, name in enumerate("xy")}


def of_collection(collection: Any) -> Columns:
    """Points, discs, arrows, lines or a band."""
    from matplotlib.collections import EllipseCollection, FillBetweenPolyCollection, LineCollection
    from matplotlib.quiver import Quiver

    if isinstance(collection, FillBetweenPolyCollection):
        vertices = np.concatenate([path.vertices for path in collection.get_paths()] or [np.empty((0, 2))])
        x = np.unique(vertices[:, 0])
        lows = [vertices[vertices[:, 0] == one, 1].min() for one in x]
        return {"x": x, "y_low": np.array(lows), "y_high": np.array([vertices[vertices[:, 0] == one, 1].max() for one in x])}
    if isinstance(collection, LineCollection):
        ends = np.array([segment[[0, -1]] for segment in collection.get_segments()]).reshape(-1, 2, 2)
        (x, y), (dx, dy) = ends[:, 0].T, (ends[:, 1] - ends[:, 0]).T
        columns = {"x": x, "y": y, "dx": dx, "dy": dy}
    else:
        offsets = np.ma.filled(np.ma.asarray(collection.get_offsets(), dtype=float), np.nan)
        columns = {"x": offsets[:, 0], "y": offsets[:, 1]}
    if isinstance(collection, Quiver):
        columns |= {"dx": np.asarray(collection.U, dtype=float), "dy": np.asarray(collection.V, dtype=float)}
    if isinstance(collection, EllipseCollection):
        columns["diameter"] = np.asarray(collection.get_widths(), dtype=float)
    if collection.get_array() is not None:
        columns["value"] = np.ma.filled(np.ma.asarray(collection.get_array(), dtype=float), np.nan)
    return columns if len(columns["x"]) else {}


def of_image(image: Any) -> Columns:
    """Middle and value of each pixel that has one."""
    values = np.ma.filled(np.ma.asarray(image.get_array(), dtype=float), np.nan)
    left, right, bottom, top = image.get_extent()
    down, across = values.shape
    x, y = np.meshgrid(left + (np.arange(across) + 0.5) * (right - left) / across,
                       bottom + (np.arange(down) + 0.5) * (top - bottom) / down)
    seen = np.isfinite(values)
    return {"x": x[seen], "y": y[seen], "value": values[seen]}

"""Maps as data for the page: frames of a trajectory, or a last configuration, with fields to choose from.

Positions become whole numbers of 16 bits, values of a field the number of one of 255 colours (0: not seen). What is too much
for the page is thinned: first frames are left out, then particles become pixels. A note says so. A field has one scale in all
maps of a page.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.figures.cells import View, scale, signed_scale, view
from hpcglass.analysis.open_run import StageResults
from hpcglass.sealed.file import File
from hpcglass.sealed.runfiles import refuse_other, segments

Floats = NDArray[np.float64]
ALL = "/particles/all"
MOST_FRAMES = 60
MOST_PARTICLES = 20_000         # more become pixels,
PIXELS = 200                    # of at most so many along an edge
COLORS = 255
WIDE = 30.0                     # ratio of the largest to the smallest value from which a scale is logarithmic
NAMES = {"d2min": "D²min, first to last [length²]", "event_d2min": "D²min of the largest event [length²]",
         "first_activity": "strain when first active", "activity": "intervals in which active",
         "bond_product": "φγ φγγ [energy²]",
         "events": "slips", "plastic_strain": "plastic strain", "stress": "stress", "threshold": "threshold"}


@dataclass
class Frame:
    """A configuration of a trajectory; `unwrapped` are the positions before wrapping."""

    label: str
    stage: StageResults
    unwrapped: Floats


@dataclass
class Drawn:
    """Frames as they are seen, and one list of values per field: of particles, or of the pixels of `shape` (across, down)."""

    labels: list[str]
    views: list[View]
    fields: dict[str, list[Floats]] = field(default_factory=dict)
    shape: tuple[int, int] | None = None
    note: list[str] = field(default_factory=list)


def read_map(stage: StageResults, budget: int) -> Drawn | None:
    """What is to be seen of a stage, in at most about so many bytes; None if there is nothing.

    Raises
    ------
    FileError
        A segment of the trajectory is damaged, or not that of the stage.
    """
    if stage.grids:
        return _lattice(stage, budget)
    if stage.position is None or stage.box is None:
        return None
    drawn = _particles(stage, budget)
    return _pixels(drawn) if max(len(seen.position) for seen in drawn.views) > MOST_PARTICLES else drawn


def encoded(maps: Sequence[tuple[str, Drawn]]) -> list[dict[str, Any]]:
    """Data of maps, each with its title; equal fields have equal scales."""
    every: dict[str, list[Floats]] = {}
    for _, drawn in maps:
        for name, values in drawn.fields.items():
            every.setdefault(name, []).extend(values)
    scales = {name: shading(values) for name, values in every.items()}
    return [{**_placed(drawn), "fields": [_field(name, values, *scales[name]) for name, values in drawn.fields.items()],
             "title": title, "note": _sentence(drawn.note)} for title, drawn in maps]


def _sentence(parts: list[str]) -> str:
    return ("; ".join(parts) + ".").capitalize() if parts else ""


def _thinned(count: int, each: int, budget: int, note: list[str]) -> list[int]:
    """Which frames there is room for: evenly spaced, the last among them."""
    most = max(1, min(MOST_FRAMES, budget // max(each, 1)))
    if count <= most:
        return list(range(count))
    note.append(f"{most} of {count} frames")
    return sorted(set(np.linspace(count - 1, 0, most).round().astype(int).tolist()))


def _particles(stage: StageResults, budget: int) -> Drawn:
    note: list[str] = []
    with File(stage.path) as file:
        listed = [(stage.path.parent / name, seal) for name, seal in segments(file).items()]
    there = [(path, seal) for path, seal in listed if path.exists()]
    if len(there) < len(listed):
        note.append(f"{len(listed) - len(there)} of {len(listed)} files of the trajectory are not there")
    counts = [_count(path, seal, stage.path) for path, seal in there]
    assert stage.position is not None
    static = {name: values for name, values in stage.fields.items()
              if values.shape == (len(stage.position),) and values.dtype.kind in "fiu"}
    bytes_each = 2 * min(len(stage.position), PIXELS**2) * (6 + len(static))
    chosen = _thinned(sum(counts), bytes_each, budget, note)
    frames = list(_read([path for path, _ in there], counts, chosen, stage)) or [Frame("at the end", stage, stage.position)]
    views = [view(frame.stage) for frame in frames]
    if views[0].slab:
        note.append("a slab of two diameters in the middle")
    drawn = Drawn([frame.label for frame in frames], views, note=note)
    for name, values in sorted(static.items(), key=lambda one: list(NAMES).index(one[0]) if one[0] in NAMES else len(NAMES)):
        drawn.fields[NAMES.get(name, name)] = [values[seen.chosen].astype(np.float64) for seen in views]
    if len(frames) > 1:
        drawn.fields |= {"displacement besides the strain, from the first frame [length]": _moved(frames, views, first=True),
                         "displacement besides the strain, from the frame before [length]": _moved(frames, views, first=False)}
    if stage.diameter is not None:
        drawn.fields["diameter [length]"] = [seen.diameter for seen in views]
    drawn.fields = drawn.fields or {"particles": [np.ones(len(seen.position)) for seen in views]}
    return drawn


def _count(path: Path, seal: str, owner: Path) -> int:
    with File(path) as file:
        refuse_other(file, seal, owner)
        return int(file.shape(f"{ALL}/position/value")[0])


def _read(paths: list[Path], counts: list[int], chosen: list[int], stage: StageResults) -> Iterator[Frame]:
    """Those frames, one file after the other."""
    begin = 0
    for path, count in zip(paths, counts, strict=True):
        with File(path) as file:
            for k in (k - begin for k in chosen if begin <= k < begin + count):
                position, edges = (file.value(f"{ALL}/{name}/value", k) for name in ("position", "box/edges"))
                changing = f"{ALL}/diameter/value" in file
                diameter = file.value(f"{ALL}/diameter/value", k) if changing else stage.diameter
                image = file.value(f"{ALL}/image/value", k) if f"{ALL}/image" in file else np.zeros_like(position)
                walls = file.value(f"{ALL}/box/walls/value", k) if f"{ALL}/box/walls" in file else stage.walls
                step, time = (file.value(f"{ALL}/position/{name}")[k] for name in ("step", "time"))
                kind = "strain" if "loading" in stage.tables else "time"
                label = f"step {step}" + (f", {kind} {time:.6g}" if time or kind == "strain" else "")
                yield Frame(label, replace(stage, position=position, box=edges.T, diameter=diameter, walls=walls),
                            position + image @ edges)
        begin += count


def _moved(frames: list[Frame], views: list[View], first: bool) -> list[Floats]:
    """(n,) of each frame: |x - H H_0^-1 x_0|, the displacement that the deformation of the cell does not explain."""
    found = []
    for k, (frame, seen) in enumerate(zip(frames, views, strict=True)):
        before = frames[0 if first else max(k - 1, 0)]
        assert frame.stage.box is not None and before.stage.box is not None
        affine = frame.stage.box @ np.linalg.inv(before.stage.box)
        found.append(np.linalg.norm(frame.unwrapped - before.unwrapped @ affine.T, axis=1)[seen.chosen])
    return found


def _lattice(stage: StageResults, budget: int) -> Drawn:
    """Fields of a lattice; of a large one blocks of sites are averaged."""
    note: list[str] = []
    size = len(next(iter(stage.grids.values()))[0])
    block = -(-size // PIXELS)
    if block > 1:
        note.append(f"means of {block} x {block} sites")
    across = size // block
    chosen = _thinned(len(stage.grid_strain), 2 * across**2 * len(stage.grids), budget, note)
    corners = float(across * block) * np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]])
    square = View(np.zeros(0, dtype=bool), np.empty((0, 2)), np.empty(0), [corners], False)
    drawn = Drawn([f"strain {stage.grid_strain[k]:.6g}" for k in chosen], [square] * len(chosen), {}, (across, across), note)
    for name, grid in stage.grids.items():
        frames = [grid[k][:across * block, :across * block].astype(np.float64) for k in chosen]
        coarse = [frame.reshape(across, block, across, block).mean(axis=(1, 3)).ravel() for frame in frames]
        if name in ("events", "plastic_strain"):
            coarse = [np.where(frame > 0, frame, np.nan) for frame in coarse]
        drawn.fields[NAMES.get(name, name)] = coarse
    return drawn


def _limits(drawn: Drawn) -> tuple[Floats, Floats]:
    """Of all frames, with room for the discs at the edge."""
    ends = [seen.limits for seen in drawn.views]
    room = 0.6 * max(float(seen.diameter.max(initial=0.0)) for seen in drawn.views)
    return np.min([low for low, _ in ends], axis=0) - room, np.max([high for _, high in ends], axis=0) + room


def _placed(drawn: Drawn) -> dict[str, Any]:
    """All but the fields."""
    low, high = _limits(drawn)
    outlines = [[line.round(4).ravel().tolist() for line in seen.outlines] for seen in drawn.views]
    frames = [{"label": label, "count": len(seen.position), "outlines": lines}
              for label, seen, lines in zip(drawn.labels, drawn.views, outlines, strict=True)]
    common = {"limits": [*low.tolist(), *high.tolist()], "frames": frames}
    if drawn.shape is not None:
        return {"kind": "pixels", "shape": list(drawn.shape), **common}
    largest = max(float(seen.diameter.max(initial=1e-300)) for seen in drawn.views)
    place = [((seen.position - low) / (high - low) * 65535).round().clip(0, 65535).astype("<u2") for seen in drawn.views]
    size = [(seen.diameter / largest * 255).round().astype(np.uint8) for seen in drawn.views]
    return {"kind": "discs", "largest": largest, "position": _bytes(place), "diameter": _bytes(size), **common}


def _pixels(drawn: Drawn) -> Drawn:
    """Each pixel has the value of largest modulus in it."""
    low, high = _limits(drawn)
    shape = np.maximum(np.rint(PIXELS * (high - low) / (high - low).max()).astype(int), 1)
    pixels: dict[str, list[Floats]] = {name: [] for name in drawn.fields}
    for name, values in drawn.fields.items():
        for seen, one in zip(drawn.views, values, strict=True):
            order = np.argsort(np.nan_to_num(np.abs(one), nan=-1.0), kind="stable")
            place = ((seen.position - low) / (high - low) * shape).astype(int).clip(0, shape - 1)[order]
            image = np.full((shape[1], shape[0]), np.nan)
            image[place[:, 1], place[:, 0]] = one[order]
            pixels[name].append(image.ravel())
    note = [*drawn.note, "each pixel has the largest value of the particles in it"]
    return replace(drawn, fields=pixels, shape=(int(shape[0]), int(shape[1])), note=note)


def _field(name: str, values: list[Floats], norm: Any, colors: str) -> dict[str, Any]:
    """Numbers of colours, the colours, and what some of them stand for."""
    from matplotlib import colormaps

    parts = [np.ma.filled(norm(np.nan_to_num(one)), 0.0) for one in values]
    shown = [np.where(np.isfinite(one), 1 + np.rint((COLORS - 1) * part), 0) for one, part in zip(values, parts, strict=True)]
    table = (255 * colormaps[colors](np.linspace(0, 1, COLORS))[:, :3]).round().astype(np.uint8)
    return {"name": name, "values": _bytes([one.astype(np.uint8) for one in shown]), "colors": table.tobytes().hex(),
            "ticks": ticks(norm)}


def shading(values: list[Floats]) -> tuple[Any, str]:
    """(scale, name of the colours): about zero if there are both signs; logarithmic if the values differ by much."""
    from matplotlib.colors import LogNorm, Normalize

    seen = np.concatenate([one[np.isfinite(one)] for one in values])
    if not len(seen):
        return Normalize(0, 1), "viridis"
    if seen.min() < 0 < seen.max():
        return signed_scale(seen), "RdBu_r"
    middle = float(np.median(seen[seen > 0])) if (seen > 0).any() else 0.0
    if seen.max() > WIDE * middle > 0:
        return scale(seen), "inferno"
    if seen.min() > 0 and seen.max() > WIDE * seen.min():
        return LogNorm(seen.min(), seen.max(), clip=True), "viridis"
    return Normalize(seen.min(), max(seen.max(), seen.min() + 1e-12 * abs(seen.min()) + 1e-300), clip=True), "viridis"


def ticks(norm: Any) -> list[tuple[float, str]]:
    """(place from 0 to 1, text) at round values."""
    from matplotlib.colors import LogNorm, SymLogNorm
    from matplotlib.ticker import LogLocator, MaxNLocator

    if isinstance(norm, SymLogNorm):
        decades = 10.0 ** np.arange(np.ceil(np.log10(norm.linthresh)), np.log10(norm.vmax) + 1e-9)
        places = [*-decades[::-1], 0.0, *decades]
    elif isinstance(norm, LogNorm):
        wide = norm.vmax > 30 * norm.vmin
        places = list(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)).tick_values(norm.vmin, norm.vmax))
    else:
        places = list(MaxNLocator(4).tick_values(norm.vmin, norm.vmax))
    inside = [float(place) for place in places if norm.vmin <= place <= norm.vmax]
    return [(round(float(norm(place)), 4), f"{place:.4g}") for place in inside]


def _bytes(frames: list[NDArray[Any]]) -> list[str]:
    """Base64 of each frame; a frame equal to the one before is empty."""
    texts: list[str] = []
    for k, one in enumerate(frames):
        same = k > 0 and one.shape == frames[k - 1].shape and np.array_equal(one, frames[k - 1])
        texts.append("" if same else base64.b64encode(np.ascontiguousarray(one).tobytes()).decode())
    return texts

"""Figures and maps of a page, as long as there is room."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from hpcglass.analysis.ensembles.merge import merge
from hpcglass.analysis.figures.draw import figures
from hpcglass.analysis.figures.files import fit
from hpcglass.analysis.figures.style import STYLE, panels, settled
from hpcglass.analysis.open_run import StageResults
from hpcglass.analysis.report.frames import Drawn, encoded, read_map
from hpcglass.analysis.report.gather import Results, Sample
from hpcglass.analysis.report.markup import Html, data, joined, picture, tag
from hpcglass.analysis.report.means import mean_curves
from hpcglass.analysis.report.multiples import curves, draw_curves, labels, small_multiples
from hpcglass.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES, MAPS = 2_000_000, 1_800_000        # bytes of all
LARGEST_SVG = 70_000                        # larger figures become pixels
DPI = 140
MOST_MAPS = 4


@dataclass
class Room:
    """What is left for figures, and the names of those that found none."""

    bytes: int = FIGURES
    omitted: list[str] = field(default_factory=list)

    def figure(self, draw: Callable[[], Figure], title: str) -> Html:
        """A figure with its name below, or nothing if there is no room."""
        import matplotlib

        if self.bytes <= 0:
            self.omitted.append(title)
            return Html()
        with matplotlib.rc_context(STYLE):
            drawn = draw()
            fit(drawn)
            with settled(drawn):
                content, kind = _content(drawn, "svg"), "svg"
                if len(content) > LARGEST_SVG:
                    content, kind = _content(drawn, "png"), "png"
        self.bytes -= len(content) * 4 // 3
        return tag("figure", picture(content, kind, title, 96 * drawn.get_figwidth()), tag("figcaption", title))


def _content(figure: Figure, kind: str) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format=kind, dpi=DPI, metadata={"Date": None} if kind == "svg" else None)
    return file.getvalue()


def together(results: Results, room: Room) -> Html:
    """Of a sweep small multiples; of an ensemble its samples, and the figures of what `merge` makes of them."""
    if len(results.tasks) > 1:
        found = small_multiples(results)
        if found is None:
            return Html()
        figure, told = found
        drawn, means = [room.figure(lambda: figure, told)], mean_curves(results)
        if means is not None:
            drawn.insert(0, room.figure(lambda: means[0], means[1]))
        return joined([tag("h2", "Over the parameters", id="together"), tag("div", *drawn, class_="figures")])
    task = results.tasks[0]
    if len(task.started) < 2:
        return Html()
    parts = list(_ensemble(results, room))
    return joined([tag("h2", "All samples", id="together"), tag("div", *parts, class_="figures")])


def _ensemble(results: Results, room: Room) -> Iterator[Html]:
    task = results.tasks[0]
    stage, name, found = curves(results, task)
    if found:
        def draw() -> Figure:
            figure, (axes,) = panels(1, width=4.2, height=2.8)
            draw_curves(axes, name, found)
            x, y = labels(found[0].table, name)
            axes.set(xlabel=x, ylabel=y)
            return figure

        yield room.figure(draw, f"{stage}: {name} of each sample, events red, mean thick")
    for kind in dict.fromkeys(kind for sample in task.started for kind in sample.files):
        try:
            merged = merge([task.directory], kind)
            tables, numbers = merged.finish()
        except InputError:
            continue        # this stage has nothing that samples share
        values = {name: value for name, (value, *_) in numbers.items()}
        both = StageResults(task.directory / f"{kind}.h5", kind, merged.first.params if merged.first else {}, tables, values)
        for suffix, draw_one in figures(both):
            yield room.figure(draw_one, f"{kind}{suffix}, all samples")


def stages(results: Results, sample: Sample, room: Room) -> Iterator[tuple[str, StageResults, Html]]:
    """(label, what it wrote, its figures) of each stage of a sample."""
    for name, path in sample.files.items():
        stage = results.stage(path)
        if stage is not None:
            drawn = [room.figure(draw, f"{path.stem}{suffix}") for suffix, draw in figures(stage)]
            yield name, stage, tag("div", *drawn, class_="figures")


def maps(results: Results) -> Html:
    """Of the first sample of some tasks the last stage that has something to see."""
    chosen = _stages_with_maps(results)
    found: list[tuple[str, Drawn]] = []
    for title, stage in chosen:
        drawn = results.tried(partial(read_map, stage, MAPS // len(chosen)))
        if drawn is not None:
            found.append((title, drawn))
    parts = [_map(f"map-{number}", one) for number, one in enumerate(encoded(found))]
    started, shown = len([task for task in results.tasks if task.started]), len(parts)
    which = f"{shown} of {started} tasks" if shown < started else "each task"
    told = f"The first sample of {which}, all in one scale of colours."
    note = [tag("p", told, class_="note")] * (started > 1)
    return joined([tag("h2", "Maps", id="maps"), *note, tag("div", *parts, class_="maps")]) if parts else Html()


def _map(name: str, drawn: dict[str, Any]) -> Html:
    """The elements that the script of the page brings to life."""
    controls = tag("div", tag("select", aria_label="field"), tag("button", "play", type="button"),
                   Html('<input type="range" min="0" max="0" step="1" aria-label="frame">'), tag("output"), class_="controls")
    return tag("div", tag("h3", drawn["title"]), controls, tag("canvas", role="img"), tag("p", drawn["note"], class_="note"),
               data(drawn, name), class_="map", data_map=name)


def _stages_with_maps(results: Results) -> list[tuple[str, StageResults]]:
    tasks = [task for task in results.tasks if task.started]
    some = [tasks[k] for k in np.unique(np.linspace(0, len(tasks) - 1, MOST_MAPS).round().astype(int))]
    found = []
    for task in some:
        sample = task.started[0]
        for name, path in reversed(sample.files.items()):
            stage = results.stage(path)
            if stage is not None and (stage.grids or stage.position is not None):
                names = [task.directory.name] * (len(results.tasks) > 1) + [sample.name] * (len(task.samples) > 1) + [name]
                found.append((", ".join(names), stage))
                break
    return found

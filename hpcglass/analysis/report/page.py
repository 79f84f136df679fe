"""The page: what there is, warnings, curves, maps, figures, numbers, times, input, provenance."""

from __future__ import annotations

import base64
import hashlib
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from hpcglass import __version__
from hpcglass.analysis.open_run import StageResults
from hpcglass.analysis.report import pictures
from hpcglass.analysis.report.gather import Results, Sample, Task, numbers, provenance, timings
from hpcglass.analysis.report.markup import Html, folded, joined, table, tag
from hpcglass.analysis.report.over import over_tasks

ENDS = 4            # rows at either end of a long table
COLUMNS = 14        # of a table
MOST = 200          # warnings, tasks or samples that are listed
SHOWN = 40          # numbers of a small array


def page(results: Results) -> str:
    """The whole page as HTML.

    Damaged files are left out and named in `results.damaged`, and at the top of the page.
    """
    first = next(task for task in results.tasks if task.started)
    sample = first.started[0]
    room = pictures.Room()
    body = [pictures.together(results, room), over_tasks(results), pictures.maps(results)]
    body += [_stages(results, first, sample, room), _times(results, first, sample), _input(results, first, sample)]
    if room.omitted:
        names = ", ".join(room.omitted)
        body.append(tag("p", f"No room for the figures {names}: `hpcglass plot` draws them.", class_="note"))
    return _document(results, [_head(results, first), _problems(results), _what_there_is(results), *body])


def _document(results: Results, body: list[Html]) -> str:
    """Nothing but our script may run, and nothing is fetched: browsers are told so."""
    here = files("hpcglass.analysis.report")
    style, script = ((here / name).read_text(encoding="utf-8") for name in ("page.css", "map.js"))
    allowed = " ".join(f"{kind}-src 'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}';"
                       for kind, content in (("script", script), ("style", style)))
    policy = f"default-src 'none'; img-src data:; {allowed} base-uri 'none'; form-action 'none'"
    head = joined([Html('<meta charset="utf-8">'), Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
                   Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
                   tag("title", f"{results.directory.absolute().name}: {results.kind}"), tag("style", Html(style))])
    whole = tag("html", tag("head", head), tag("body", joined(body), tag("script", Html(script))), lang="en")
    return f"<!DOCTYPE html>\n{whole}\n"


def _head(results: Results, task: Task) -> Html:
    places = [("together", "curves"), ("maps", "maps"), ("stages", "stages"), ("times", "times"), ("input", "input")]
    if len(results.tasks) == 1 and len(task.started) < 2:
        del places[0]
    return joined([tag("h1", task.title or results.directory.absolute().name),
                   tag("p", f"{results.kind} in {results.directory}; hpcglass {__version__}", class_="note"),
                   tag("nav", *(tag("a", name, href=f"#{place}") for place, name in places))])


def _problems(results: Results) -> Html:
    """Damaged files and warnings of the logs; those of many samples once, with their number."""
    parts = [tag("div", f"Left out, damaged: {why}", class_="wrong") for why in results.damaged]
    said: dict[str, list[str]] = {}
    for task in results.tasks:
        for sample in task.samples:
            for line in sample.warnings:
                said.setdefault(line, []).append("/".join([task.directory.name, *[sample.name] * (len(task.samples) > 1)]))
    lines = [f"{line} ({len(where)} x, first in {where[0]})" if len(where) > 1 else line for line, where in said.items()]
    if lines:
        more = [f"... and {len(lines) - MOST} more"] * (len(lines) > MOST)
        parts.append(tag("div", *(tag("p", line) for line in [*lines[:MOST], *more]), class_="wrong"))
    return joined(parts) if parts else tag("p", "No warnings.", class_="note")


def _what_there_is(results: Results) -> Html:
    """A row for each task, or for each sample, or for the run."""
    if len(results.tasks) > 1:
        heads = ["task", *results.varied, "samples finished", "stages of the first"]
        rows = [[task.directory.name, *(task.values.get(name, "") for name in results.varied),
                 f"{task.finished} of {len(task.samples)}", _progress(task, task.samples[0])] for task in results.tasks]
    else:
        task = results.tasks[0]
        heads = ["sample" if len(task.samples) > 1 else "run", "state", "stages"]
        states = ["finished" if sample.finished else "unfinished" for sample in task.samples]
        rows = [[sample.name, state, _progress(task, sample)] for sample, state in zip(task.samples, states, strict=True)]
    more = tag("p", f"{len(rows) - MOST} more", class_="note") if len(rows) > MOST else ""
    return joined([table(heads, rows[:MOST]), more])


def _progress(task: Task, sample: Sample) -> str:
    return f"{len(sample.files)} of {max(len(task.stages), len(sample.files))}: {', '.join(sample.files)}"


def _stages(results: Results, task: Task, sample: Sample, room: pictures.Room) -> Html:
    whose = [task.directory.name] * (len(results.tasks) > 1) + [sample.name] * (len(task.samples) > 1)
    parts = [tag("h2", f"Stages{' of ' if whose else ''}{', '.join(whose)}", id="stages")]
    for label, stage, drawn in pictures.stages(results, sample, room):
        parts += [tag("h3", stage.path.stem), drawn, _numbers(stage.path), *(_table(name, stage) for name in stage.tables)]
        if stage.params:
            rows = [(key, str(value)) for key, value in stage.params.items()]
            parts.append(folded(f"keys of {label}", table(["key", "value"], rows)))
    return joined(parts)


def _numbers(path: Path) -> Html:
    rows = [(name, _shown(value), units, said) for name, (value, units, said) in numbers(path).items()]
    return folded(f"{len(rows)} numbers", table(["name", "value", "units", "what"], rows)) if rows else Html()


def _shown(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    if value.size > SHOWN:
        return f"array {value.shape}"
    return np.array2string(value, precision=6, separator=", ")


def _table(name: str, stage: StageResults) -> Html:
    """Both ends of it."""
    given = stage.tables[name]
    columns = list(given)[:COLUMNS]
    heads = [tag("span", column, title=f"{given.long_name[column]} [{given.units[column] or 1}]") for column in columns]
    last = max(ENDS, given.rows - ENDS)
    rows: list[list[Any]] = [[given[column][k] for column in columns] for k in range(min(ENDS, given.rows))]
    rows += [["..."] * len(columns)] * (given.rows > 2 * ENDS)
    rows += [[given[column][k] for column in columns] for k in range(last, given.rows)]
    more = f", {len(columns)} of {len(given)} columns" if len(given) > COLUMNS else ""
    return folded(f"table {name}: {given.rows} rows{more}", table(heads, rows))


def _times(results: Results, task: Task, sample: Sample) -> Html:
    """Seconds of each verb of each stage of a sample."""
    rows: list[list[object]] = []
    for label, path in sample.files.items():
        found = results.tried(partial(timings, path)) or []
        whole = next((most for verb, *_, most in found if verb == "total"), 0.0)
        rows += [[label, verb, calls, float(f"{mean:.3g}"), float(f"{most:.3g}"), round(100 * most / whole, 1) if whole else ""]
                 for verb, calls, _, mean, most in found]
    heads = ["stage", "verb", "calls", "mean over ranks [s]", "most [s]", "share [%]"]
    return joined([tag("h2", "Times", id="times"), table(heads, rows) if rows else tag("p", "None are kept.", class_="note")])


def _input(results: Results, task: Task, sample: Sample) -> Html:
    last = list(sample.files.values())[-1]
    told = results.tried(partial(provenance, last))
    about, written = told if told is not None else ({}, "")
    parts: list[object] = [tag("h2", "Input and provenance", id="input")]
    if written:
        parts.append(folded("input as it was written", tag("pre", written)))
    parts.append(folded("input with all defaults", tag("pre", task.input)))
    parts.append(folded("versions, seed, ranks, machine", table(["", ""], [(key, str(value)) for key, value in about.items()])))
    return joined(parts)

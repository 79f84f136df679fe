"""List the model glasses, or the kinds of stages with all their keys."""

from __future__ import annotations

import argparse
import json
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from hpcglass import registry

HELP = "model glasses, or stages with their keys"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=["models", "stages"], metavar="models|stages")
    parser.add_argument("--json", action="store_true", help="as JSON")


def main(options: argparse.Namespace) -> int:
    if options.what == "models":
        rows = models()
        text = [f"{r['name']:<14} {_densities(r):<24} {r['sizes']:<34} {r['summary']}" for r in rows]
    else:
        rows = stages()
        text = [line for stage in rows for line in _stage_lines(stage)]
    print(json.dumps(rows, indent=1) if options.json else "\n".join(text))
    return 0


def models() -> list[dict[str, Any]]:
    """Name, summary, densities, sizes, cut-off and reference of each built-in model."""
    return [{"name": m.name, "summary": m.summary, "density": {str(d): v for d, v in m.density.items()}, "sizes": _sizes(m.sizes),
             "cutoff": m.potential.cutoff, "reference": m.reference} for m in registry.models().values()]


def _sizes(sizes: Any) -> str:
    if sizes.kind == "species":
        parts = (f"{f:.3g} of D = {d:.4g}" for f, d in zip(sizes.fractions, sizes.diameters, strict=True))
        return ", ".join(parts)
    return f"D^-{sizes.exponent:g} on [{sizes.smallest:.4g}, {sizes.largest:.4g}]"


def _densities(row: dict[str, Any]) -> str:
    return ", ".join(f"{v:.4g} ({d}D)" for d, v in row["density"].items()) or "density to be chosen"


def stages() -> list[dict[str, Any]]:
    """Every kind of stage: what it does and its keys."""
    return [{"kind": name, "summary": _summary(stage.Params), "keys": keys(stage.Params)}
            for name, stage in registry.stages().items()]


def _summary(params: type[BaseModel]) -> str:
    return " ".join((params.__doc__ or "").split("\n\n")[0].split())


def keys(params: type[BaseModel]) -> list[dict[str, Any]]:
    """Name, type, default (none when required) and description of each key of a table."""
    rows = []
    for name, field in params.model_fields.items():
        if name == "kind":
            continue
        row = {"key": name, "type": type_name(field.annotation), "required": field.is_required(),
               "description": field.description or ""}
        rows.append(row if field.is_required() else {**row, "default": field.default})
    return rows


def type_name(annotation: Any) -> str:
    """A type in the words of TOML."""
    plain = {int: "whole number", float: "number", str: "text", bool: "true or false", type(None): ""}
    if annotation in plain:
        return plain[annotation]
    if get_origin(annotation) is Literal:
        return " | ".join(f'"{choice}"' if isinstance(choice, str) else str(choice) for choice in get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(filter(None, map(type_name, get_args(annotation))))
    if get_origin(annotation) in (tuple, list):
        return f"list of {type_name(get_args(annotation)[0])}"
    return "table"


def _stage_lines(stage: dict[str, Any]) -> list[str]:
    lines = [f"{stage['kind']}: {stage['summary']}"]
    for row in stage["keys"]:
        default = "required" if row["required"] else json.dumps(row["default"]) if row["default"] is not None else "-"
        lines.append(f"  {row['key']:<16} {default:<14} {row['description']} ({row['type']})")
    return [*lines, ""]

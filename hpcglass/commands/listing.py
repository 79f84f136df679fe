"""List the model glasses, the kinds of stages with all their keys, or the keys of the other tables; which package adds what."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from hpcglass import registry
from hpcglass.config import Config
from hpcglass.config.models import (
    EnsembleParams,
    MixingParams,
    ModelParams,
    SegmentParams,
    SizesParams,
    SystemParams,
    TableParams,
)
from hpcglass.errors import InputError
from hpcglass.indicators.base import Indicator
from hpcglass.indicators.catalogue import INDICATORS
from hpcglass.plugins import Catalogue
from hpcglass.potentials.model import Model

HELP = "model glasses, stages, indicators, keys of the input"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=["models", "stages", "indicators", "input"],
                        metavar="models|stages|indicators|input")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--schema", action="store_true", help="of input: as a JSON schema, for editors and other programs")


def main(options: argparse.Namespace) -> int:
    if options.schema:
        if options.what != "input":
            raise InputError(f"list {options.what} --schema: only the input has a schema: list input --schema")
        from hpcglass.config.schema import input_schema

        print(json.dumps(input_schema(), indent=1))
        return 0
    if options.what == "models":
        rows = models()
        text = [f"{r['name']:<14} " + (r.get("error") or f"{_densities(r):<24} {r['sizes']:<34} {r['summary']}{_from(r)}")
                for r in rows]
    elif options.what == "indicators":
        rows = indicators()
        text = [f"{r['name']:<18} " + (r.get("error") or f"{r['symbol']:<5} {r['units'] or '-':<17} {r['soft']:<5} "
                                       f"{r['needs']:<10} {r['family']:<11} {r['summary']} ({r['source']}){_from(r)}")
                for r in rows]
    else:
        rows = stages() if options.what == "stages" else tables()
        text = [line for row in rows for line in ([f"{row['kind']}: {row['error']}", ""] if "error" in row else _lines(row))]
    known: dict[str, Catalogue[Any]] = {"models": registry.models(), "stages": registry.stages(),
                                          "indicators": INDICATORS}
    for name, package in known[options.what].shadowed().items() if options.what in known else ():
        text.append(f"(the {options.what[:-1]} '{name}' of the package {package} is not used: hpcglass has one of this name)")
    print(json.dumps(rows, indent=1) if options.json else "\n".join(text))
    return 0


def models() -> list[dict[str, Any]]:
    """Name, summary, densities, sizes, cut-off, continuity, reference and package of each model."""
    def row(m: Model) -> dict[str, Any]:
        return {"summary": m.summary, "density": {str(d): v for d, v in m.density.items()}, "sizes": _sizes(m.sizes),
                "cutoff": m.potential.cutoff, "continuity": m.potential.continuity, "reference": m.reference}

    return _rows("name", registry.models(), row)


def indicators() -> list[dict[str, Any]]:
    """Name, symbol, units, which end is soft, what it needs, family, equation, summary, dimensions, package of each one."""
    def row(i: Indicator) -> dict[str, Any]:
        return {"symbol": i.symbol, "units": i.units, "soft": i.soft, "needs": i.needs, "family": i.family, "source": i.source,
                "summary": i.summary, "dimensions": list(i.dimensions)}

    return _rows("name", INDICATORS, row)


def _rows(title: str, known: Catalogue[Any], row: Callable[[Any], dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each name; of a package's that cannot be used, why."""
    rows = []
    for name in known:
        first = {title: name, "from": known.origin(name) or "hpcglass"}
        try:
            rows.append(first | row(known[name]))
        except InputError as error:
            rows.append(first | {"error": str(error)})
    return rows


def _from(row: dict[str, Any]) -> str:
    """Where a row comes from, if it is not hpcglass's own."""
    return f" [{row['from']}]" if row.get("from", "hpcglass") != "hpcglass" else ""


def _sizes(sizes: Any) -> str:
    if sizes.kind == "species":
        parts = (f"{f:.3g} of D = {d:.4g}" for f, d in zip(sizes.fractions, sizes.diameters, strict=True))
        return ", ".join(parts)
    return f"D^-{sizes.exponent:g} on [{sizes.smallest:.4g}, {sizes.largest:.4g}]"


def _densities(row: dict[str, Any]) -> str:
    return ", ".join(f"{v:.4g} ({d}D)" for d, v in row["density"].items()) or "density to be chosen"


def stages() -> list[dict[str, Any]]:
    """Every kind of stage: what it does and its keys."""
    return _rows("kind", registry.stages(), lambda stage: {"summary": _summary(stage.Params), "keys": keys(stage.Params)})


def tables() -> list[dict[str, Any]]:
    """The tables of an input besides its stages."""
    shown: dict[str, type[BaseModel]] = {
        "top level": Config, "[system]": SystemParams, "[model]": ModelParams, "[[model.segment]]": SegmentParams,
        "[model.table]": TableParams, "[model.mixing]": MixingParams, "[model.sizes]": SizesParams, "[ensemble]": EnsembleParams}
    return [{"table": name, "summary": _summary(table), "keys": keys(table)} for name, table in shown.items()]


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
        default = field.default.model_dump() if isinstance(field.default, BaseModel) else field.default
        rows.append(row if field.is_required() else {**row, "default": default})
    return rows


def type_name(annotation: Any) -> str:
    """A type in the words of TOML."""
    plain = {int: "whole number", float: "number", str: "text", bool: "true or false", type(None): ""}
    if annotation in plain:
        return plain[annotation]
    if get_origin(annotation) is Annotated:
        return type_name(get_args(annotation)[0])
    if annotation == int | float:
        return "number"
    if get_origin(annotation) is Literal:
        return " | ".join(f'"{choice}"' if isinstance(choice, str) else str(choice) for choice in get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(filter(None, map(type_name, get_args(annotation))))
    if get_origin(annotation) in (tuple, list):
        return f"list of {type_name(get_args(annotation)[0])}"
    return "table"


def _lines(table: dict[str, Any]) -> list[str]:
    lines = [f"{table.get('kind') or table['table']}: {table['summary']}{_from(table)}"]
    for row in table["keys"]:
        empty = row["required"] or row["default"] is None or row["type"].endswith("table")
        default = "required" if row["required"] else "-" if empty else json.dumps(row["default"])
        lines.append(f"  {row['key']:<16} {default:<14} {row['description']} ({row['type']})")
    return [*lines, ""]

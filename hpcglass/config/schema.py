"""The input as a JSON schema, for editors that complete and check TOML, and for programs that write inputs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from hpcglass import registry
from hpcglass.config.config import Config
from hpcglass.errors import InputError

NAMED = {"type": "string", "pattern": r"^\$[^\s$]+$"}       # the name of a parameter, for a number


def input_schema() -> dict[str, Any]:
    """Every table and key of an input, with types, limits, defaults and descriptions.

    Where a number is wanted, "$name" may stand, and `[sweep]` may be one table or several. What depends on other keys, and on
    files, is for `hpcglass validate`.
    """
    kinds = dict(_kinds())
    models: list[type[BaseModel]] = [Config, *kinds.values()]
    places, whole = models_json_schema([(model, "validation") for model in models], ref_template="#/$defs/{model}")
    definitions = {name: _named(table) for name, table in whole["$defs"].items()}
    config = definitions.pop(places[Config, "validation"]["$ref"].rpartition("/")[2])
    references = {name: places[params, "validation"]["$ref"] for name, params in kinds.items()}
    for reference in references.values():
        table = definitions[reference.rpartition("/")[2]]
        table["required"] = ["kind", *(key for key in table.get("required", []) if key != "kind")]
    properties = config["properties"]
    properties["stage"] |= {"items": {"oneOf": [{"$ref": reference} for reference in references.values()],
                                      "discriminator": {"propertyName": "kind", "mapping": references}}}
    properties["parameters"] = {"type": "object", "additionalProperties": {"type": "number"},
                                "description": properties["parameters"].get("description", "")}
    values = {"type": "array", "items": {"type": "number"}, "minItems": 1}
    table = {"type": "object", "additionalProperties": values}
    row = {"type": "object", "additionalProperties": {"anyOf": [values, {"type": "number"}]}}
    properties["sweep"] = {"anyOf": [table, {"type": "array", "items": row}],
                           "description": properties["sweep"].get("description", "")}
    definitions.pop("StageParams", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "input of hpcglass", **config,
            "$defs": definitions}


def _kinds() -> Iterator[tuple[str, type[BaseModel]]]:
    """Stages and their tables, also those of packages, but for packages that cannot be used here."""
    known = registry.stages()
    for name in known:
        with contextlib.suppress(InputError):
            yield name, known[name].Params


def _named(schema: Any) -> Any:
    """The same schema, where a number may be the name of a parameter."""
    if isinstance(schema, list):
        return [_named(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") in ("number", "integer"):
        about = {key: value for key, value in schema.items() if key in ("title", "description", "default")}
        rest = {key: value for key, value in schema.items() if key not in about}
        return {**about, "anyOf": [rest, NAMED]}
    return {key: value if key in ("default", "enum", "const") else _named(value) for key, value in schema.items()}

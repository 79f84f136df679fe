"""From the text of an input to typed tables: every problem is found before one is reported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from hpcglass.config.problems import Problems
from hpcglass.config.suggest import did_you_mean, suggest
from hpcglass.config.toml import Path
from hpcglass.errors import InputError

Model = TypeVar("Model", bound=BaseModel)
LARGEST = 16 * 2**20      # bytes; an input is a page or two

REASONS = {
    "float_type": "must be a number", "float_parsing": "must be a number",
    "int_type": "must be a whole number", "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be text in quotes", "bool_type": "must be true or false",
    "tuple_type": "must be a list [...]", "list_type": "must be a list [...]",
    "model_type": "must be a table", "dict_type": "must be a table",
    "greater_than": "must be > {gt}", "greater_than_equal": "must be >= {ge}",
    "less_than": "must be < {lt}", "less_than_equal": "must be <= {le}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} items", "too_long": "must have at most {max_length} items",
    "string_pattern_mismatch": "may have letters, digits, _ and - only",
    "value_error": "{error}",
}


def read_text(path: FilePath) -> str:
    """Text of an input file.

    Raises
    ------
    InputError
        When there is no such file, or it cannot be an input.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)       # not to its end: there are files without
        if len(data) > LARGEST:
            raise InputError(f"{path}: more than {LARGEST} bytes is too large for an input file")
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file{_similar(path)}") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a directory, not an input file") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path}:{line}: byte {error.object[error.start]:#04x} is not UTF-8 text") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not text.strip():
        raise InputError(f"{path}: the file is empty")
    return text


def _similar(path: FilePath) -> str:
    try:
        return did_you_mean(path.name, sorted(p.name for p in path.parent.iterdir()))
    except OSError:
        return ""


def table(model: type[Model], data: Any, path: Path, problems: Problems, what: str = "") -> Model | None:
    """Validate one table; None (and problems) when it is wrong.

    Strict: no number in quotes, no 0/1 for a truth value. JSON is used in between because pydantic
    takes a list for a tuple there even when strict.
    """
    if not isinstance(data, Mapping):
        problems.add(path, "must be a table" if path else "must be a TOML document", data)
        return None
    try:
        return model.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    for item in sorted(errors, key=lambda e: e["type"] == "missing"):     # a typo explains a missing key
        _explain(item, model, data, path, problems, what)
    return None


def _explain(item: Any, model: type[BaseModel], data: Any, path: Path, problems: Problems, what: str) -> None:
    inner = tuple(item["loc"])
    place = path + inner
    if item["type"] == "extra_forbidden":
        name, around = str(inner[-1]), _at(data, inner[:-1])
        known = list(_class_at(model, inner[:-1]).model_fields)
        hint = did_you_mean(name, known, present=around)
        problems.add(place, f"unknown key{what}{hint or ' (known: ' + ', '.join(known) + ')'}")
    elif item["type"] == "missing":
        name, around = str(inner[-1]), _at(data, inner[:-1])
        parent = _class_at(model, inner[:-1])
        if not any(suggest(k, parent.model_fields, present=around) == name for k in around if k not in parent.model_fields):
            problems.add(place, f"is missing ({parent.model_fields[name].description or 'required'})")
    else:
        value = _at(data, inner)
        problems.add(place, _reason(item, value), value if not isinstance(value, dict) else None)


def _reason(item: Any, value: Any) -> str:
    if item["type"] == "literal_error":
        choices = item["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", ")
        hint = did_you_mean(value, choices) if isinstance(value, str) else ""
        return f"must be {item['ctx']['expected']}{hint}"
    template = REASONS.get(item["type"])
    if template is None:
        return str(item["msg"])
    return template.format(**item.get("ctx", {}))


def _at(data: Any, path: Path) -> Any:
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _class_at(model: type[BaseModel], path: Path) -> type[BaseModel]:
    """The model of a nested table, found through the types of the fields."""
    for part in path:
        if isinstance(part, str):
            model = next(_models_in(model.model_fields[part].annotation))
    return model


def _models_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)

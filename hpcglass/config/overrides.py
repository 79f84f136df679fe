"""`--set` on the command line and `"$name"` in the file: what changes an input before it is checked."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Collection, Sequence
from typing import Any

from hpcglass.config.problems import Problems, dotted
from hpcglass.config.suggest import did_you_mean, suggest
from hpcglass.config.toml import Path
from hpcglass.errors import InputError

SMALLEST, LARGEST = 1e-100, 1e100     # of numbers that are not 0: whatever is computed from them stays finite


def apply(data: dict[str, Any], overrides: Sequence[str], tables: Sequence[str]) -> dict[Path, str]:
    """Write each `key=value` into `data`; return where each one went.

    `key` is `table.key`, `stage.<number>.key`, `<kind or label of a stage>.key`, a key of the top
    level, or the name of a parameter. The value is read as TOML, or as text if it is not TOML.

    Raises
    ------
    InputError
        For an argument that names no place.
    """
    placed = {}
    for argument in overrides:
        key, equals, text = argument.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set {argument}: write --set key=value, for instance --set seed=2")
        path = _locate(data, key.strip().split("."), argument, tables)
        _place(data, path, _toml_value(text), argument)
        placed[path] = argument
    return placed


def _toml_value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text.strip()
    return parsed["value"] if len(parsed) == 1 else text


def _locate(data: dict[str, Any], parts: list[str], argument: str, tables: Sequence[str]) -> Path:
    parameters = data.get("parameters")
    names = list(parameters) if isinstance(parameters, dict) else []
    first, rest = parts[0], parts[1:]
    if not rest and first in names:
        return ("parameters", first)
    if first == "stage" and rest:
        return ("stage", _stage_number(data, rest[0], argument), *rest[1:])
    if first in tables:
        return tuple(parts)
    stages = _stage_names(data)
    numbers = [i for i, labels in enumerate(stages) if first in labels]
    if rest and len(numbers) == 1:
        return ("stage", numbers[0], *rest)
    if rest and numbers:
        choices = " or ".join(f"stage.{i}" for i in numbers)
        raise InputError(f"--set {argument}: {len(numbers)} stages are called '{first}': write {choices}")
    known = [*tables, *(label for labels in stages for label in labels)] if rest else [*names, *tables]
    what = "table or stage" if rest else "parameter or key"
    raise InputError(f"--set {argument}: the input has no {what} '{first}'{did_you_mean(first, known)}")


def _stages(data: dict[str, Any]) -> list[Any]:
    stages = data.get("stage")
    return stages if isinstance(stages, list) else []


def _stage_names(data: dict[str, Any]) -> list[list[str]]:
    return [[str(s[key]) for key in ("label", "kind") if key in s] if isinstance(s, dict) else [] for s in _stages(data)]


def _stage_number(data: dict[str, Any], text: str, argument: str) -> int:
    count = len(_stages(data))
    if text.isascii() and text.isdigit() and len(text) < 10 and int(text) < count:
        return int(text)
    has = f"numbers from 0 to {count - 1}" if count else "none"
    raise InputError(f"--set {argument}: there is no stage '{text}' (the input's stages have {has})")


def _place(data: dict[str, Any], path: Path, value: Any, argument: str) -> None:
    table: Any = data
    for depth, part in enumerate(path[:-1]):
        if isinstance(part, str) and isinstance(table, dict):
            table = table.setdefault(part, {})
        elif isinstance(part, int) and isinstance(table, list):
            table = table[part]
        if not isinstance(table, dict | list):
            raise InputError(f"--set {argument}: {dotted(path[: depth + 1])} is not a table")
    if not isinstance(table, dict):
        raise InputError(f"--set {argument}: {dotted(path[:-1])} is not a table")
    table[str(path[-1])] = value


def references(data: dict[str, Any]) -> dict[Path, str]:
    """Which parameter's name stands where, as `"$name"`."""
    tables = {key: value for key, value in data.items() if key not in ("parameters", "sweep", "title")}
    return {path: value[1:].strip() for path, value in _leaves(tables) if isinstance(value, str) and value.startswith("$")}


def substitute(data: dict[str, Any], problems: Problems, in_file: Collection[str]) -> dict[Path, str]:
    """Put the value of each parameter where `"$name"` stands; return which name stood where.

    Values under [parameters] that are not numbers, unknown names and parameters that nothing in the file
    uses are noted as problems. A parameter whose places were all overridden goes quietly.
    """
    parameters = _numbers(data.get("parameters", {}), problems)
    found = references(data)
    for path, name in found.items():
        if name in parameters:
            replace(data, path, parameters[name])
        elif problems.under(("parameters", name)):
            problems.muted.add(path)
        else:
            hint = did_you_mean(name, parameters) or (
                f" (known: {', '.join(parameters)})" if parameters else " (there is no [parameters])")
            problems.add(path, f"unknown parameter '{name}'{hint}", f"${name}")
    meant = {suggest(name, parameters) for name in found.values() if name not in parameters}
    for name in parameters.keys() - found.values() - meant:
        if name in in_file:
            del data["parameters"][name]
        else:
            problems.add(("parameters", name), f"no value of the input is \"${name}\": use it or remove it")
    return found


def _numbers(table: Any, problems: Problems) -> dict[str, int | float]:
    if not isinstance(table, dict):
        problems.add(("parameters",), "must be a table: [parameters] with lines name = number", table)
        return {}
    numbers = {}
    for name, value in table.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            problems.add(("parameters", name), "must be a number", value)
        elif not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            problems.add(("parameters", name), "a parameter's name has letters, digits and _ only")
        else:
            numbers[name] = value
    return numbers


def normalise(data: dict[str, Any], problems: Problems) -> None:
    """Whole floats become integers (1e4 particles); values that can mean nothing are problems."""
    for path, value in list(_leaves(data)):
        if isinstance(value, float) and not math.isfinite(value):
            problems.add(path, f"{value} is not a finite number")
            replace(data, path, None)
        elif isinstance(value, float) and value and not SMALLEST <= abs(value) <= LARGEST:
            problems.add(path, f"{value} is far out of range: numbers are 0 or within {SMALLEST:g} to {LARGEST:g}")
            replace(data, path, None)
        elif isinstance(value, int) and abs(value) >= 2**63:
            problems.add(path, "the number is too large (whole numbers end at 2^63)", value)
            replace(data, path, None)
        elif isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            replace(data, path, int(value))
        elif not isinstance(value, str | int | float):
            problems.add(path, "dates and times have no meaning here", str(value))
            replace(data, path, None)


def _leaves(value: Any, path: Path = ()) -> Any:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    else:
        yield path, value


def replace(data: Any, path: Path, value: Any) -> None:
    """Another value at a place."""
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value

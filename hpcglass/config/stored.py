"""What the resolved input in a file says: typed stages and the glass, whatever has become of the files that it names."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from hpcglass import registry
from hpcglass.config.models import ModelParams
from hpcglass.errors import InputError
from hpcglass.potentials.model import Model
from hpcglass.stages.base import StageParams


def model(resolved: str, path: Path) -> Model:
    """The glass former of a resolved input; nothing else of it is looked at, so that its files may have moved.

    path : of the file that it is from, for the message

    Raises
    ------
    InputError
        It is of a package that is not installed here.
    """
    data: dict[str, Any] = tomllib.loads(resolved)
    own = data.get("model")
    if own is not None:
        return ModelParams.model_validate(_named(own, data.get("parameters", {}))).build()
    name, known = data["system"]["model"], registry.models()
    if name not in known:
        package = re.search(rf'^# model "{re.escape(name)}": (.*)$', resolved, re.MULTILINE)
        raise InputError(f"{path}: is of the model {name}" + (
            f" of the package {package[1]}, which is not installed here" if package else ", which this hpcglass does not know"))
    return known[name]


def stage(params: dict[str, Any]) -> StageParams:
    """The typed table of a stage, from its keys with the values of parameters."""
    return registry.stages()[params["kind"]].Params.model_validate(params)


def stage_at(resolved: str, number: int) -> StageParams:
    """The typed table of stage `number` of a resolved input."""
    data: dict[str, Any] = tomllib.loads(resolved)
    return stage(_named(data["stage"][number], data.get("parameters", {})))


def _named(value: Any, parameters: dict[str, Any]) -> Any:
    """`value` with every "$name" replaced by its parameter."""
    if isinstance(value, dict):
        return {key: _named(item, parameters) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_named(item, parameters) for item in value)
    return parameters[value[1:]] if isinstance(value, str) and value.startswith("$") else value

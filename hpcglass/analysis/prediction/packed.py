"""Forecasts of a sample as a text and arrays, which ranks can tell each other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.packed_tables import Answer
from hpcglass.analysis.prediction.forecasts import Forecasts
from hpcglass.analysis.prediction.localised import Localised


def pack(found: Forecasts | str) -> Answer:
    """Numbers and texts as JSON, arrays beside them; or why there is nothing."""
    if isinstance(found, str):
        return json.dumps(found), []
    arrays: list[NDArray[Any]] = []
    about = _plain(found, arrays)
    about["localised"] = found.localised and _plain(found.localised, arrays)
    return json.dumps(about), arrays


def unpack(text: str, arrays: Sequence[NDArray[Any]]) -> Forecasts | str:
    """The same again."""
    about = json.loads(text)
    if isinstance(about, str):
        return about
    rest = iter(arrays)
    inner = about.pop("localised")
    values = _filled(about, rest)
    return Forecasts(**values, localised=Localised(**_filled(inner, rest)) if inner else None)


def _plain(found: Any, arrays: list[NDArray[Any]]) -> dict[str, Any]:
    about: dict[str, Any] = {}
    for one in fields(found):
        value = getattr(found, one.name)
        if isinstance(value, np.ndarray):
            arrays.append(np.ascontiguousarray(value))
            value = None
        if one.name != "localised":
            about[one.name] = value
    return about


def _filled(about: dict[str, Any], rest: Iterator[NDArray[Any]]) -> dict[str, Any]:
    return {name: next(rest) if value is None else value for name, value in about.items()}

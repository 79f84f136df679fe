"""What was found in displacement fields as a text and arrays, which ranks can tell each other; without the fields."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.screening.annulus import Annulus
from hpcglass.analysis.screening.files import Case
from hpcglass.analysis.screening.fit import Deviation, Screening
from hpcglass.analysis.screening.radial import Profile
from hpcglass.analysis.screening.tables import Found

PARTS = (Case, Profile, Screening, Deviation)
FIELDS = ("position", "displacement")       # what is left out: there are as many rows as particles


def pack(found: Sequence[Found]) -> tuple[str, list[NDArray[Any]]]:
    """Numbers as JSON, arrays beside them."""
    arrays: list[NDArray[Any]] = []

    def plain(name: str, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays.append(value[:0] if name in FIELDS else value)
            return None
        if isinstance(value, Annulus):
            return [value.r_in, value.r_out, value.d_0, value.dimension]
        return str(value) if isinstance(value, Path) else value

    about = [[{field.name: plain(field.name, getattr(part, field.name)) for field in fields(part)} for part in one]
             for one in found]
    return json.dumps(about), arrays


def unpack(text: str, arrays: Sequence[NDArray[Any]]) -> list[Found]:
    """The same again."""
    rest = iter(arrays)
    return [tuple(_part(kind, about, rest) for kind, about in zip(PARTS, one, strict=True))
            for one in json.loads(text)]


def _part(kind: type, about: dict[str, Any], rest: Iterator[NDArray[Any]]) -> Any:
    values: dict[str, Any] = {name: next(rest) if value is None else value for name, value in about.items()}
    if "annulus" in values:
        values["annulus"] = Annulus(*values["annulus"])
    if "path" in values:
        values["path"] = Path(values["path"])
    return kind(**values)

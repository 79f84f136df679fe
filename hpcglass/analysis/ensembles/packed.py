"""Samples and results as a text and arrays, which ranks can tell each other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from hpcglass.analysis.ensembles.collectors import Numbers, Sample
from hpcglass.analysis.packed_tables import Answer, Tables, build, describe


def pack_sample(sample: Sample | str) -> Answer:
    """What a stage file says of a sample, or what is wrong with it."""
    if isinstance(sample, str):
        return json.dumps(sample), []
    about = asdict(replace(sample, tables={}, path=Path()))
    about["path"] = str(sample.path)
    about["tables"], arrays = describe(sample.tables)
    return json.dumps(about), arrays


def unpack_sample(text: str, arrays: Sequence[NDArray[Any]]) -> Sample | str:
    """The sample again, or what is wrong with it."""
    about = json.loads(text)
    if isinstance(about, str):
        return about
    about["tables"] = build(about["tables"], iter(arrays))
    about["results"] = {name: tuple(result) for name, result in about["results"].items()}
    return Sample(**{**about, "path": Path(about["path"])})


def pack_results(found: dict[int, tuple[Tables, Numbers]]) -> Answer:
    """Tables and numbers of some collectors, by their number."""
    about, arrays = {}, []
    for number, (tables, numbers) in found.items():
        described, columns = describe(tables)
        about[number] = (described, numbers)
        arrays += columns
    return json.dumps(about), arrays


def unpack_results(answers: Sequence[Answer]) -> dict[int, tuple[Tables, Numbers]]:
    """Those of all, by the number of the collector."""
    found = {}
    for text, arrays in answers:
        columns = iter(arrays)
        for number, (described, numbers) in json.loads(text).items():
            found[int(number)] = (build(described, columns), {name: tuple(value) for name, value in numbers.items()})
    return dict(sorted(found.items()))

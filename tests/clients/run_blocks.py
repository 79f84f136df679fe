"""Run pieces of code in the environment of the clients:  python run_blocks.py JOBS.json RESULTS.npz

JOBS.json is a list of [name, file, code]; a piece finds the file's name in the variable `file`. Of each, the arrays and numbers
that are left over are stored as "name/variable", or the exception as "name/error".
"""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np


def kept(value: object) -> bool:
    return isinstance(value, (bool, int, float, str, bytes, np.ndarray, np.generic, tuple))


def plain(value: np.ndarray) -> np.ndarray:
    """A text that is stored as an object, as a text."""
    return np.asarray(value.item()) if value.dtype == object and not value.ndim else value


def run(file: str, code: str) -> dict[str, np.ndarray]:
    names: dict[str, object] = {"file": file}
    try:
        exec(compile(code, "docs/clients.md", "exec"), names)
    except BaseException as error:
        return {"error": np.array(f"{type(error).__name__}: {error}")}
    found = {name: value for name, value in names.items() if name[0] != "_" and kept(value)}
    for name, value in names.items():
        if type(value) is dict and name[0] != "_":
            found |= {f"{name}/{key}": entry for key, entry in value.items() if kept(entry)}
    return {name: plain(np.asarray(value)) for name, value in found.items()}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with open(sys.argv[1], encoding="utf-8") as jobs:
        results = {f"{name}/{variable}": value for name, file, code in json.load(jobs)
                   for variable, value in run(file, code).items()}
    np.savez(sys.argv[2], **{name: value for name, value in results.items() if value.dtype.kind in "biufUS"})

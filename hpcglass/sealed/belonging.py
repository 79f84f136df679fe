"""Whether a file belongs to the run in whose directory it lies: one of another run would give its numbers without a word.

The files of a run say which input they were made from, of which sample, and from which file of the stage before; the directory
has the input (resolved.toml), the number of the sample in its name, and the file of the stage before.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcglass import disk
from hpcglass.errors import FileError

if TYPE_CHECKING:
    from hpcglass.sealed.file import File

RESOLVED = "resolved.toml"
SAMPLE = re.compile(r"sample-(\d{4,})")     # directory of a sample of an ensemble
LARGEST = 64 * 2**20                        # bytes of a resolved input


def stranger(file: File) -> str:
    """Why a file of a run, by its name, is not one of the run in its directory; empty if nothing says so."""
    if "/provenance" not in file or "/provenance/resolved_input" not in file:
        return ""
    told, directory = file.attributes("/provenance"), file.path.parent
    if differences := _other_input(directory / RESOLVED, str(file.value("/provenance/resolved_input"))):
        return f"was made from another input than {RESOLVED} beside it ({differences[0]}{', ...' * (len(differences) > 1)})"
    sample = SAMPLE.fullmatch(directory.absolute().name)
    if sample and "sample" in told and int(told["sample"]) != int(sample[1]):
        return f"is of sample {told['sample']}"
    for name, seal in before(file).items():
        if seal and _contents(directory / name) not in ("", seal):
            return f"was made from another {name} than the one beside it"
    return ""


def before(file: File) -> dict[str, str]:
    """Name and seal of the file of the stage before, that a stage's file was made from; empty for others and the first."""
    number = re.match(r"(\d\d+)-", file.path.name)
    if number is None or "/stage" not in file or "/provenance" not in file:
        return {}
    parents = dict(line.rpartition(" ")[::2] for line in str(file.attributes("/provenance")["parents"]).splitlines())
    return {name: seal for name, seal in parents.items() if name.startswith(f"{int(number[1]) - 1:02d}-")}


def changes(old: str, new: str) -> list[str]:
    """Keys in which two resolved inputs differ, as "key: old -> new"; the title is free to change."""
    former, after = _flat(tomllib.loads(old)), _flat(tomllib.loads(new))
    keys = [key for key in {**former, **after} if key != "title" and former.get(key) != after.get(key)]
    return [f"{key}: {former.get(key, 'not set')} -> {after.get(key, 'not set')}" for key in keys]


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {key: leaf for name, item in items for key, leaf in _flat(item, f"{path}.{name}" if path else str(name)).items()}
    return {path: value}


def _other_input(resolved: Path, text: str) -> list[str]:
    """How the input of a run differs from another; nothing if it is not there, or cannot be read: a run will say that."""
    try:
        own = disk.read_bytes(resolved, LARGEST).decode()
        return [] if own == text else changes(own, text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        return []


def _contents(path: Path) -> str:
    """By which other files know a file; empty if it is not there or damaged."""
    from hpcglass.sealed.check import check  # NumPy, which `status` and `validate` do without

    try:
        return check(path).contents
    except FileError:
        return ""

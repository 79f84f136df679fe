"""A directory whose input has grown: a stage made longer, stages behind the last one, more samples. Any other change is refused.

Which keys of a stage may grow, its Params say (`GROWS`), and why certain values of them will not do (`no_longer`).
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hpcglass import registry
from hpcglass.config import Config
from hpcglass.errors import HpcglassError, InputError
from hpcglass.rundir.ready import changes, refuse_changed

STAGE_KEY = re.compile(r"stage\.(\d+)\.(\w+)(?:\..*)?")     # of a list or a table its members differ
SAMPLES = "ensemble.samples"
HINT = "use --fresh to start over (the old files are kept aside), or another --output"


@dataclass(frozen=True)
class Growth:
    """How an input differs from that which a directory was made from.

    lines : the keys that changed, as "key: old -> new", of a new stage its kind; none: it is the same input
    stages : numbers of the stages that become longer, or are new
    """

    lines: tuple[str, ...] = ()
    stages: tuple[int, ...] = ()


def growth(old: str, config: Config, where: Path, last: int | None = None) -> Growth:
    """What a directory, or the file of stage `last`, lacks to be of an input.

    Parameters
    ----------
    old : resolved input that it was made from
    last : stages after this one do not matter, nor does the number of samples

    Raises
    ------
    InputError
        It is of another input, or a stage cannot go on from where it ended.
    FileError
        It does not say of which.
    """
    new = config.to_toml()
    if old == new:
        return Growth()
    try:
        keys = _keys(old, new)
    except (tomllib.TOMLDecodeError, RecursionError):
        keys = []           # damaged: that is said below
    before, after = (tomllib.loads(text) if keys else {} for text in (old, new))
    wrong = [key for key in keys if not _may_grow(key, before, after)]
    if wrong or not keys:
        refuse_changed(old, new, where, _why(wrong, before, after) if keys else "")
        return Growth()
    lines = {key: line for key, line in zip(keys, changes(old, new), strict=True)
             if (last is None or (key != SAMPLES and _number(key) <= last))
             and (not _is_new(key, before, after) or key.endswith(".kind"))}
    stages = tuple(sorted({_number(key) for key in lines if key != SAMPLES}))
    if stages:
        _refuse(old, config, where, stages, list(lines.values()))
    return Growth(tuple(lines.values()), stages)


def only_longer(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether all that differs between two tables of an input are keys that may grow; each run looks closer."""
    return all(_may_grow(key, old, new) for key in _keys_of(old, new))


def history(old: str, grown: Growth, before: str) -> str:
    """What a file says of the inputs it was made from before the last one: JSON, a list of what was changed, when, and they.

    Parameters
    ----------
    old : resolved input before the change
    before : what the file said until now
    """
    entry = {"date": datetime.now().isoformat(timespec="seconds"), "changed": grown.lines, "resolved_input": old}
    return json.dumps([*json.loads(before or "[]"), entry])


def _refuse(old: str, config: Config, where: Path, stages: tuple[int, ...], lines: list[str]) -> None:
    """Raise InputError if one of the stages cannot go on."""
    try:
        former = Config.parse(old, where)
    except HpcglassError as error:
        raise InputError(f"{where} was made by another version, whose input cannot be read: {error}\n{HINT}") from None
    for number in stages:
        if number < len(former.stage) and (reason := config.stage[number].no_longer(former.stage[number])):
            raise InputError(f"{where} cannot be continued with\n  " + "\n  ".join(lines) + f"\n{reason}; {HINT}")


def _why(keys: list[str], old: dict[str, Any], new: dict[str, Any]) -> str:
    """What a refusal says besides the keys that changed: what could have been made longer, where they are."""
    reasons, known = [], registry.stages()
    for key in keys:
        found = STAGE_KEY.fullmatch(key)
        kind = _kind(old, int(found[1])) if found else ""
        if key == SAMPLES:
            reasons.append("an ensemble of at least two samples may get more of them")
        elif kind in known and kind == _kind(new, int(found[1]) if found else -1):
            grows = known[kind].Params.GROWS
            reasons.append(f"of a finished `{kind}` {' and '.join(grows)} may grow, nothing else" if grows else
                           f"a finished `{kind}` has no end from which it could go on")
    return "; ".join(dict.fromkeys(reasons))


def _keys(old: str, new: str) -> list[str]:
    return [line.partition(":")[0] for line in changes(old, new)]


def _keys_of(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    from hpcglass.config import toml

    return _keys(toml.dumps(old), toml.dumps(new))


def _number(key: str) -> int:
    """Of the stage; whether it may grow was asked before."""
    found = STAGE_KEY.fullmatch(key)
    return int(found[1]) if found else -1


def _may_grow(key: str, old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether a key that differs is one that may grow, and has."""
    if key == SAMPLES:
        before, after = (int(data.get("ensemble", {}).get("samples", 1)) for data in (old, new))
        return 1 < before < after
    found = STAGE_KEY.fullmatch(key)
    if found is None:
        return False
    if _is_new(key, old, new):
        return True
    kind, known = _kind(new, int(found[1])), registry.stages()
    return kind in known and _kind(old, int(found[1])) == kind and found[2] in known[kind].Params.GROWS


def _is_new(key: str, old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether it is a key of a stage that comes after all that there were; the first of which keep their places."""
    return len(old.get("stage", [])) <= _number(key) < len(new.get("stage", []))


def _kind(data: dict[str, Any], number: int) -> str:
    """Of a stage; empty if there is none."""
    return str(dict(enumerate(data.get("stage", []))).get(number, {}).get("kind", ""))

"""What a sweep's directory says about its input: sweep.toml has all that the tasks share, and is compared before one starts.

It is made by the first task that starts, with all values that the grid goes over left out: a grid may grow. Of several tasks that
start at once one makes it, and the others read it.
"""

from __future__ import annotations

import hashlib
import os
import time
import tomllib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from hpcglass import disk
from hpcglass.config import toml
from hpcglass.errors import FileError, InputError
from hpcglass.rundir.extend import only_longer
from hpcglass.rundir.ready import resolved_input
from hpcglass.sealed.belonging import LARGEST, changes

NAME = "sweep.toml"
HEAD = "# What all tasks in this directory share. It is compared before a task starts; leave it as it is.\n"
PATIENCE = 5.0      # seconds for another task to write it


def shared(resolved: str, over: Sequence[str], follows: Collection[str]) -> str:
    """The resolved input of a sweep, or of one of its tasks, without what differs from task to task.

    Parameters
    ----------
    over : parameters that the sweep goes over
    follows : keys of [system] that follow from other numbers

    Raises
    ------
    ValueError
        `resolved` is no such text.
    """
    data: dict[str, Any] = tomllib.loads(resolved)
    for key in ("title", "sweep"):
        data.pop(key, None)
    parameters, system = data.get("parameters", {}), data.get("system", {})
    if not isinstance(parameters, dict) or not isinstance(system, dict):
        raise ValueError("no resolved input")
    data["parameters"] = {name: value for name, value in parameters.items() if name not in over}
    data["system"] = {name: value for name, value in system.items() if name not in follows}
    return toml.dumps({"over": list(over), **{key: value for key, value in data.items() if value not in ({}, [])}})


def digest(text: str) -> str:
    """Hash of what tasks share."""
    return hashlib.sha256(text.encode()).hexdigest()


def stored(output: Path) -> str | None:
    """What the tasks in a directory share; None if nothing was stored.

    Raises
    ------
    FileError
        sweep.toml is damaged.
    """
    end = time.monotonic() + PATIENCE
    while True:
        try:
            text = disk.read_bytes(output / NAME, LARGEST).decode(errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise FileError(f"{output / NAME}: cannot be read: {error.strerror}") from None
        head, _, rest = text.removeprefix(HEAD).partition("\n")
        if head == f"sha256 = \"{digest(rest)}\"":
            return rest
        if text or time.monotonic() > end:       # an empty one is just being written, where there are no hard links
            raise FileError(f"{output / NAME}: damaged; remove it and run the same command again: it is made from the tasks that "
                            "are there")
        time.sleep(0.1)


def belongs(output: Path, ours: str, follows: Collection[str]) -> None:
    """Make sure that a sweep's directory is that of this input, and say so in it (one process).

    Raises
    ------
    InputError
        It has tasks of another input.
    FileError
        It cannot be written, or sweep.toml is damaged.
    """
    theirs = stored(output)
    if theirs is None:
        over = tomllib.loads(ours)["over"]
        for directory in sorted(path for path in output.iterdir() if "=" in path.name and path.is_dir()):
            refuse_other(of_task(directory, over, follows)[0], ours, directory)
        create(output / NAME, f"{HEAD}sha256 = \"{digest(ours)}\"\n{ours}")
        theirs = stored(output)
    if theirs is not None and theirs != ours and only_longer_than(theirs, ours):
        disk.write_text(output / NAME, f"{HEAD}sha256 = \"{digest(ours)}\"\n{ours}")      # each task looks closer
        return
    refuse_other(theirs, ours, output)


def only_longer_than(theirs: str, ours: str) -> bool:
    """Whether an input only asks for more than what tasks were made from: more samples, longer stages."""
    return only_longer(tomllib.loads(theirs), tomllib.loads(ours))


def of_task(directory: Path, over: Sequence[str], follows: Collection[str]) -> tuple[str | None, dict[str, Any]]:
    """What a task that was started shares with others, and its parameters; None if it was not, or if nobody knows."""
    try:
        resolved = resolved_input(directory)
        if resolved is None:
            return None, {}
        return shared(resolved, over, follows), tomllib.loads(resolved).get("parameters", {})
    except (FileError, ValueError, RecursionError):
        return None, {}


def refuse_other(theirs: str | None, ours: str, where: Path) -> None:
    """Raise InputError if what is shared differs."""
    if theirs is not None and theirs != ours:
        raise InputError(f"{where} was made from another input; these keys, which all tasks share, changed:\n  "
                         + "\n  ".join(changes(theirs, ours)) + "\nuse another --output, or change them back")


def create(path: Path, text: str) -> None:
    """Write a file that is not there yet; if another process is faster, its file stays."""
    new = disk.temporary(path)
    disk.create(new, text)
    try:
        disk.sync(new)
        os.link(new, path)
    except FileExistsError:
        pass
    except OSError:             # a file system without hard links: whoever reads it waits until it is written
        try:
            disk.create(path, text)
        except FileExistsError:
            pass
    finally:
        new.unlink(missing_ok=True)
    disk.sync(path.parent)


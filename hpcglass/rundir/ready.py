"""What a run finds in its directory before it begins: what one that was killed has left, links, the input it was made from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from hpcglass import disk
from hpcglass.errors import FileError, InputError
from hpcglass.sealed.belonging import LARGEST, RESOLVED, changes

OWN = re.compile(r"resolved\.toml|log\.txt|references\.bib|DONE|checkpoint-[ab]\.h5|\d\d+-.*\.h5|sample-\d{4,}")     # names
ADVICE = "remove it and run the same command again: the files of the stages know their input, too"


def make_ready(directory: Path) -> None:
    """Clear temporary files, and refuse links in the place of files and samples (one process; nobody else is writing).

    Raises
    ------
    FileError
        There is a link.
    """
    disk.clear_leftovers(directory)
    for path in disk.links(directory, OWN):
        raise FileError(f"{path} is a link; a run follows none in its directory: put the file itself there, or remove the link")


def resolved_input(directory: Path) -> str | None:
    """Text of resolved.toml; None if it is not there.

    Raises
    ------
    FileError
        It cannot be read, or is no text.
    """
    path = directory / RESOLVED
    try:
        data = disk.read_bytes(path, LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise FileError(f"{path}: damaged, it is no text; {ADVICE}") from None


def refuse_changed(old: str, new: str, where: Path, why: str = "") -> None:
    """Raise InputError if a directory belongs to another input, FileError if it does not say which.

    why : a change that may look harmless is none
    """
    try:
        differences = changes(old, new)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise FileError(f"{where}: resolved.toml is damaged ({error}); {ADVICE}") from None
    if differences:
        lines = "\n  ".join(differences) + (f"\n{why}" if why else "")
        raise InputError(f"{where} was made from another input; these keys changed:\n  {lines}\n"
                         "use --fresh to start over (the old files are kept aside), or another --output")

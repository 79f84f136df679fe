"""Where figures go: beside their file, or elsewhere under a name that also says task and sample."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from hpcglass import disk
from hpcglass.errors import FileError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLE = re.compile(r"sample-\d{4,}")
LONGEST = 180           # bytes of a name, without what tells a file's figures apart


def save(figure: Figure, path: Path) -> Path:
    """Write a figure, whole or not at all, in the format of its ending.

    Raises
    ------
    FileError
        It cannot be written.
    """
    try:
        with disk.replacing(path) as new:
            figure.savefig(new, dpi=200, format=path.suffix[1:])
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


def full_name(file: Path, root: Path | None = None) -> str:
    """What to call a stage file where it lies beside others: `T=0.1_sample-0003_02-shear`.

    root : all files are below this directory; the way from there is part of the name
    """
    below = file.parent.relative_to(root).parts if root is not None else ()
    above: list[str] = []
    place = (root if root is not None else file.parent).absolute()
    while SAMPLE.fullmatch(place.name) or "=" in place.name:
        above.insert(0, place.name)
        place = place.parent
    name = "_".join([*above, *below, file.stem])
    if len(name.encode()) <= LONGEST:
        return name
    return f"{name.encode()[:LONGEST // 2].decode(errors='ignore')}_{hashlib.sha256(name.encode()).hexdigest()[:8]}_{file.stem}"

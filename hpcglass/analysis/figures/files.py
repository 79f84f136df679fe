"""Where figures go, and how: beside their file, or elsewhere under a name that also says task and sample."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpcglass import disk
from hpcglass.analysis.figures.data import as_csv
from hpcglass.analysis.figures.style import resize, settled, untangle
from hpcglass.errors import FileError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLE = re.compile(r"sample-\d{4,}")
LONGEST = 180           # bytes of a name, without what tells a file's figures apart
MILLIMETRES = 25.4      # in an inch
COLUMNS = {"single": 86.0, "double": 178.0}     # of Phys. Rev. [mm]; letters keep their size


@dataclass(frozen=True)
class Look:
    """How figures are written.

    Attributes
    ----------
    kind : "png", "pdf" or "svg"; lines are vectors in the last two, large numbers of particles are not
    dpi : dots per inch, of what is not a vector
    width : of the figure [mm]; heights go with it, letters keep their size. By default what suits the figure
    data : what is drawn goes into a .csv beside the figure, too
    """

    kind: str = "png"
    dpi: int = 200
    width: float | None = None
    data: bool = False


PLAIN = Look()


def save(figure: Figure, path: Path, look: Look = PLAIN) -> list[Path]:
    """Write a figure, whole or not at all, and what it shows as a table if that is wanted.

    path : without the ending

    Raises
    ------
    FileError
        It cannot be written.
    """
    fit(figure, look)
    picture, table = (path.with_name(f"{path.name}.{ending}") for ending in (look.kind, "csv"))
    try:
        with disk.replacing(picture) as new, settled(figure):
            figure.savefig(new, dpi=look.dpi, format=look.kind)
        if look.data:
            disk.write_text(table, as_csv(figure))
    except OSError as error:
        raise FileError(f"{picture}: cannot be written: {error.strerror or error}") from None
    return [picture, table] if look.data else [picture]


def fit(figure: Figure, look: Look = PLAIN) -> None:
    """Give a figure its width, and its ticks labels that are apart."""
    if look.width is not None:
        resize(figure, look.width / MILLIMETRES)
    untangle(figure)


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

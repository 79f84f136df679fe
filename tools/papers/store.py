"""What is kept of a measured entry: docs/gallery/<id>.json, numbers with errors and where they come from; a small picture; and
the curves of a picture of the entry's own, docs/gallery/<id>.h5, to be drawn again beside others."""

from __future__ import annotations

import datetime
import json
import math
import shlex
import subprocess
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from papers import campaign as campaigns
from papers.catalogue import CAMPAIGNS
from papers.entry import Entry
from papers.results import Gallery, taken

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "docs" / "gallery"
LARGEST = 150_000  # bytes of a picture
WIDEST = 1100  # pixels


@dataclass
class Record:
    """Numbers of one entry.

    Attributes
    ----------
    numbers : name -> [value, error]; null where there is none
    commands : those of hpcglass, without where the output goes
    seconds : of processor time, of all campaigns of the entry, which other entries may share
    """

    id: str
    numbers: dict[str, list[float | None]]
    commands: list[str]
    seconds: float
    commit: str
    machine: str
    date: str
    versions: dict[str, str] = field(default_factory=dict)

    def number(self, name: str) -> tuple[float, float]:
        value, error = self.numbers.get(name, [None, None])
        return (math.nan if value is None else value), (math.nan if error is None else error)


def measure(entry: Entry, at: Gallery) -> Record:
    """Take all numbers of an entry from the results."""
    numbers = {number.name: [x if math.isfinite(x) else None for x in taken(number.of, at)] for number in entry.numbers}
    used = [(CAMPAIGNS[name], member) for name in entry.campaigns for member in CAMPAIGNS[name].members]
    there = [(campaign, name, keys) for campaign, (name, keys) in used if at[campaign.name, name].run.exists()]
    lines = [
        "hpcglass " + shlex.join(campaigns.command(campaign, keys, at.scale, campaigns.noted(at[campaign.name, name])))
        for campaign, name, keys in there
    ]
    total = sum(campaigns.seconds(at[campaign.name, name]) for campaign, name, _ in there)
    return Record(
        entry.id,
        numbers,
        lines,
        round(total, 1),
        commit(),
        machine(),
        today(),
        versions(),
    )


def keep(record: Record) -> None:
    """Write it into docs/gallery."""
    KEPT.mkdir(exist_ok=True)
    text = {**asdict(record), "numbers": {name: [rounded(x) for x in pair] for name, pair in record.numbers.items()}}
    (KEPT / f"{record.id}.json").write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def rounded(x: float | None) -> float | None:
    """Six digits are more than any error leaves."""
    return None if x is None else float(f"{x:.6g}")


def kept(entry: Entry) -> Record | None:
    """What docs/gallery has of an entry."""
    path = KEPT / f"{entry.id}.json"
    return Record(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def picture(entry: Entry, at: Gallery) -> Path | None:
    """Make the entry's picture small and put it into docs/gallery."""
    if not entry.picture:
        return None
    if isinstance(entry.picture, str):
        found = sorted((at.root / at.scale).glob(entry.picture))
        if not found:
            print(f"{entry.id}: there is no picture {entry.picture} among the results")
            return None
        data: Any = found[0]
    else:
        data = drawn(entry, at, KEPT / f"{entry.id}.h5")
    path = KEPT / f"{entry.id}.png"
    shrink(data, path)
    return path


def drawn(entry: Entry, at: Gallery, curves: Path) -> BytesIO:
    """A picture of the entry's own, in the style of all others; its curves go into a file."""
    import matplotlib as mpl

    from hpcglass.analysis.figures.style import STYLE

    assert callable(entry.picture)
    out = BytesIO()
    with mpl.rc_context(STYLE):
        figure = entry.picture(at)
        figure.savefig(out, dpi=170, format="png")
    keep_curves(figure, curves, f"{entry.id}: {entry.what}")
    out.seek(0)
    return out


def keep_curves(figure: Any, path: Path, title: str) -> None:
    """Panels, and in each what is drawn: columns x, y, ends of error bars (y_low, y_high); labels are attributes."""
    from hpcglass.analysis.figures.data import plain, series

    with h5py.File(path, "w") as file:
        file.attrs.update(title=title, commit=commit(), date=today())
        for k, axes in enumerate(figure.axes):
            panel = file.create_group(f"panel_{k}")
            panel.attrs.update(x=plain(axes.get_xlabel()), y=plain(axes.get_ylabel()))
            for n, (kind, name, columns) in enumerate(series(axes)):
                group = panel.create_group(f"series_{n}")
                group.attrs.update(kind=kind, label=plain(name))
                for column, values in columns.items():
                    row = np.atleast_1d(np.asarray(values, np.float32))  # a bar is a single one
                    group.create_dataset(column, data=row, compression="gzip", shuffle=True)


def shrink(data: Any, path: Path) -> None:
    """At most so many pixels across, 256 colours that also keep rare ones, and if need be smaller still."""
    from PIL import Image

    with Image.open(data) as image:
        flat = Image.new("RGB", image.size, "white")
        flat.paste(image, mask=image.getchannel("A") if "A" in image.getbands() else None)
    width = min(WIDEST, flat.width)
    while True:
        size = (width, round(flat.height * width / flat.width))
        small = flat.resize(size, Image.Resampling.LANCZOS)
        small.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size < LARGEST:
            return
        width = round(0.85 * width)


def today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def commit() -> str:
    """The last one that touched code or inputs, with a plus if files of these differ from it."""

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True).stdout.strip()

    return git("log", "-1", "--abbrev=12", "--format=%h", "--", "hpcglass", "inputs") + (
        "+" if git("status", "--porcelain", "hpcglass", "inputs") else ""
    )


def machine() -> str:
    """Processor and cores."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} cores of {names[0]}" if names else "unknown"


def versions() -> dict[str, str]:
    """Of what makes the numbers."""
    import sys

    import numba
    import numpy
    import scipy

    import hpcglass

    return {
        "hpcglass": hpcglass.__version__,
        "python": sys.version.split()[0],
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "numba": numba.__version__,
    }

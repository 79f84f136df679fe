"""The blocks of docs/clients.md, the files they are tried on, and what is further known about a client."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "clients.md"
SECTION = re.compile(r"^## (?P<title>[\w-]+)$(?P<text>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```python\nfile = (?P<files>.*?)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
# name: model, dimension, strain that the straight cell is given
GLASSES: dict[str, tuple[str, int, dict[tuple[int, int], float]]] = {
    "2d": ("ipl12", 2, {}),
    "2d-binary-xy": ("lj-binary", 2, {(0, 1): 0.7}),                                    # by more than half an edge
    "2d-binary-yx": ("lj-binary", 2, {(1, 0): 0.3}),                                    # the first edge is off x
    "3d": ("ipl10", 3, {}),
    "3d-binary-all": ("harmonic", 3, {(0, 1): 0.3, (0, 2): -0.4, (1, 2): 0.6}),
    "3d-binary-zx": ("harmonic", 3, {(2, 0): 0.3}),
}
FLAT = [name for name, (_, dimension, _) in GLASSES.items() if dimension == 2]


class Job(NamedTuple):
    """A piece of code that a client runs on a file."""

    client: str
    name: str       # of the result: unique within a client
    file: str       # within the directory of the exports
    code: str


def blocks() -> list[Job]:
    """Each block of the page on each file that its first line names; `; 2D` restricts it to flat ones.

    "glass" stands for each of the glasses.
    """
    jobs = []
    for section in SECTION.finditer(PAGE.read_text(encoding="utf-8")):
        for number, block in enumerate(BLOCK.finditer(section["text"])):
            for stem, ending in re.findall(r"\b([a-z]+(?:\.traj)?)\.(gsd|xyz|data|dump|h5md|vtkhdf|h5)\b", block["files"]):
                stems = (FLAT if "2D" in block["files"] else GLASSES) if stem == "glass" else [stem]
                jobs += [Job(section["title"], f"{number}/{s}.{ending}", f"{s}.{ending}", block["code"]) for s in stems]
    return jobs

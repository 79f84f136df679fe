"""What the figures of a run cost, whole commands, this build against another in turns.

    python tools/benchmarks/figures.py DIR [DIR ...] [--against CHECKOUT] [--rounds 3]

Each DIR is a run directory; `hpcglass plot DIR` draws it into a directory that is removed. CPU seconds, with the start of Python.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from common import ROOT, machine, table


def spent() -> float:
    """CPU seconds of the commands so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def drawn(root: Path, directory: Path) -> tuple[float, int]:
    """CPU seconds of a checkout for the figures of a run, and how many there are."""
    before = spent()
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([sys.executable, "-m", "hpcglass", "plot", str(directory.resolve()), "--output", scratch], check=True,
                       stdout=subprocess.DEVNULL, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
        return spent() - before, len(list(Path(scratch).glob("*.png")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--against", type=Path, help="another checkout of this repository")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    roots = [options.against.resolve(), ROOT] if options.against else [ROOT]
    rows = []
    for directory in options.directories:
        turns = [[drawn(root, directory) for root in roots] for _ in range(options.rounds)]
        seconds = np.median([[turn[0] for turn in one] for one in turns], axis=0)
        rows.append([directory.name, turns[0][-1][1], *[f"{one:.1f}" for one in seconds],
                     *([f"{seconds[1] / seconds[0]:.2f}"] if options.against else [])])
    print(machine(), "\n")
    print(table(["run", "figures", *(["other, CPU s"] if options.against else []), "this, CPU s",
                 *(["this / other"] if options.against else [])], rows))


if __name__ == "__main__":
    main()

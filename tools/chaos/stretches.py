#!/usr/bin/env python3
"""How long a run may be deaf: the longest time between two looks at requests to stop, stage by stage. Not part of the tests.

    tools/chaos/stretches.py INPUT.toml [...] [--set KEY=VALUE ...] [--output DIR]
    mpirun -n 2 tools/chaos/stretches.py ...

Runs the inputs and prints a row for each stage: how long it took, the longest stretch, what ended it (a safe point, a look within
a step, or the end of the stage) and how far the stage was, then how many looks there were. Kernels that have yet to be compiled
count: run it twice.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mpi4py import MPI

from hpcglass.__main__ import main as hpcglass
from hpcglass.context import StageContext


@dataclass
class Stage:
    """What was seen of a stage."""

    name: str
    size: str
    began: float
    last: float
    longest: float = 0.0
    ended: str = ""
    looks: int = 0

    def mark(self, what: str) -> None:
        now = time.monotonic()
        if now - self.last > self.longest:
            self.longest, self.ended = now - self.last, what
        self.last = now


STAGES: list[Stage] = []


def record() -> None:
    """Let all contexts of stages tell when they are called."""
    begin, safe_point, look, finish = (getattr(StageContext, name) for name in ("__init__", "safe_point", "look", "finish"))

    def began(self: Any, system: Any, *arguments: Any, **options: Any) -> None:
        begin(self, system, *arguments, **options)
        now = time.monotonic()
        STAGES.append(Stage(self.stem, f"N = {system.n_total}, {system.dimension}D" if system else "lattice", now, now))

    def told(method: Any, what: str) -> Any:
        def wrapped(self: Any, *arguments: Any, **options: Any) -> Any:
            STAGES[-1].mark(f"{what}, step {arguments[0] if arguments else self.step}")
            STAGES[-1].looks += 1
            answer = method(self, *arguments, **options)
            STAGES[-1].last = time.monotonic()      # without what a checkpoint takes
            return answer
        return wrapped

    def finished(self: Any) -> Any:
        STAGES[-1].mark("end of the stage")
        return finish(self)

    StageContext.__init__ = began           # type: ignore[method-assign]
    StageContext.safe_point = told(safe_point, "safe point")    # type: ignore[method-assign]
    StageContext.look = told(look, "look")  # type: ignore[method-assign]
    StageContext.finish = finished          # type: ignore[method-assign]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="+", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of hpcglass run")
    parser.add_argument("--output", type=Path, help="keep the results here, one directory per input; default: remove them")
    options = parser.parse_args()
    record()
    alone = MPI.COMM_WORLD.rank == 0
    folder = options.output or Path(MPI.COMM_WORLD.bcast(tempfile.mkdtemp() if alone else None))
    changes = [word for change in options.set for word in ("--set", change)]
    code = 0
    for source in options.inputs:
        code = code or hpcglass(["run", str(source), "--output", str(folder / source.stem), "--no-plots", *changes])
    if alone:
        print(f"\n| stage | size | ranks | took | longest stretch | it ended at | looks |\n|{'---|' * 7}")
        for stage in STAGES:
            print(f"| {stage.name} | {stage.size} | {MPI.COMM_WORLD.size} | {stage.last - stage.began:.1f} s | "
                  f"{stage.longest:.2g} s | {stage.ended} | {stage.looks} |")
        if options.output is None:
            shutil.rmtree(folder)
    return code


if __name__ == "__main__":
    sys.exit(main())

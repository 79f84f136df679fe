"""Post-processing on one rank and on several: `merge` and `check` of many samples.

    python tools/benchmarks/post.py samples DIR         makes them: loadings, events and modes
    python tools/benchmarks/post.py commands DIR        times and ratios of merge and check, on an idle machine
    tools/launch 2 python tools/benchmarks/post.py busy DIR     CPU time of merge on the busiest rank, on any machine

Samples have the tables of a loading of 300 steps and of 2000 modes, with random numbers, written as a stage writes them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import machine, table

ROOT = Path(__file__).resolve().parents[2]
RESOLVED = """seed = 1
[system]
model = "ipl12"
dimension = 2
particles = {particles}
[[stage]]
kind = "shear"
label = "shear"
"""


def make_samples(directory: Path, samples: int, particles: int) -> None:
    """Stage files of an ensemble, as a run writes them."""
    from mpi4py import MPI

    from hpcglass.io import h5, provenance
    from hpcglass.io.configuration import Frame, put
    from hpcglass.io.contents import Contents

    side = particles**0.5
    for k in range(samples):
        rng = np.random.default_rng(k)
        contents = Contents()
        provenance.put(contents, MPI.COMM_SELF, "", RESOLVED.format(particles=particles), 1, [])
        rows = {"position": rng.random((particles, 2)) * side, "position_low": np.zeros((particles, 2)),
                "image": np.zeros((particles, 2), dtype=np.int32), "diameter": rng.random(particles),
                "species": np.zeros(particles, dtype=np.int32)}
        put(contents, MPI.COMM_SELF, [Frame(0, 0.0, np.eye(2) * side, rows)])
        contents.per_particle("/fields/d2min", MPI.COMM_SELF, rng.random(particles))
        for name, columns in random_tables(rng).items():
            contents.attribute(f"/results/{name}", columns="\n".join(columns))
            for column, values in columns.items():
                contents.value(f"/results/{name}/{column}", values, "", column)
        contents.value("/stage/segments", "{}")
        (directory / f"sample-{k:04d}").mkdir(parents=True, exist_ok=True)
        h5.write(MPI.COMM_SELF, directory / f"sample-{k:04d}" / "00-shear.h5", contents)


def random_tables(rng: np.random.Generator) -> dict[str, dict[str, np.ndarray]]:
    """Those of a loading, and of modes."""
    strain = np.linspace(0, 0.6, 301)
    stress = np.tanh(20 * strain) + 0.05 * rng.normal(size=301)
    step = np.sort(rng.choice(np.arange(20, 301), 60, replace=False))
    omega = np.sort(rng.random(2000))
    return {"loading": {"strain": strain, "shear_stress": stress, "energy": stress**2, "pressure": 1 + 0.1 * stress},
            "events": {"step": step.astype(float), "strain": strain[step], "stress_drop": rng.exponential(0.1, 60),
                       "energy_drop": rng.exponential(1.0, 60), "size": rng.integers(1, 99, 60).astype(float)},
            "modes": {"index": np.arange(2000.0), "omega": omega, "participation": rng.random(2000)}}


def seconds(ranks: int, words: list[str]) -> float:
    """A command on some ranks, start included."""
    launch = [str(ROOT / "tools" / "launch"), str(ranks)] if ranks > 1 else []
    began = time.monotonic()
    subprocess.run([*launch, sys.executable, "-m", "hpcglass", *words], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"})
    return time.monotonic() - began


def compare(directory: Path, ranks: int, repeats: int) -> str:
    """Seconds of merge and check on one rank and on several, the least of some turns; and of a command that does nothing."""
    commands = {"start": ["check", str(next(directory.glob("*/*.h5")))], "check": ["check", str(directory)],
                "merge": ["merge", str(directory), "--stage", "shear", "--no-plots", "-o", str(directory / "merged.h5")]}
    found = {(name, size): [] for name in commands for size in (1, ranks)}
    for _ in range(repeats):
        for name, size in found:
            found[name, size].append(seconds(size, commands[name]))
    least = {key: min(times) for key, times in found.items()}
    rows = [(name, *(f"{least[name, size]:.2f}" for size in (1, ranks)), f"{least[name, 1] / least[name, ranks]:.2f}")
            for name in commands]
    return table(["command", "1 rank, s", f"{ranks} ranks, s", "ratio"], rows)


def busy(directory: Path) -> None:
    """CPU seconds of `merge` in this process, without the start and without waiting for others; of the busiest rank.

    Unlike the clock, this can be measured on a machine that is not idle.
    """
    from mpi4py import MPI

    from hpcglass.analysis.ensembles import merge as _  # noqa: F401 (the start is not counted)
    from hpcglass.commands import parser
    from hpcglass.core import comm as movement
    from hpcglass.io import agree, h5, provenance, share  # noqa: F401

    waited = [0.0]

    def waiting(function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            began = time.process_time()
            try:
                return function(*arguments)
            finally:
                waited[0] += time.process_time() - began
        return timed

    agree.smallest, agree.broadcast, movement.gathered = map(waiting, (agree.smallest, agree.broadcast, movement.gathered))
    options = parser.build().parse_args(["merge", str(directory), "--stage", "shear", "--no-plots", "-o",
                                         str(directory / "merged.h5")])
    MPI.COMM_WORLD.Barrier()
    began = time.process_time()
    options.main(options, share.Ranks(MPI.COMM_WORLD))
    spent = movement.largest(MPI.COMM_WORLD, time.process_time() - began - waited[0])
    if MPI.COMM_WORLD.rank == 0:
        print(f"merge on {MPI.COMM_WORLD.size} ranks: {spent:.2f} s of CPU on the busiest rank, load {os.getloadavg()[0]:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["samples", "commands", "busy"])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--particles", type=int, default=10000)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    if options.what == "samples":
        make_samples(options.directory, options.samples, options.particles)
    elif options.what == "busy":
        busy(options.directory)
    else:
        print(f"{machine()}, load {os.getloadavg()[0]:.1f}\n\n{compare(options.directory, options.ranks, options.repeats)}")


if __name__ == "__main__":
    main()

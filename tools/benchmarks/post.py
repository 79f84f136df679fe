"""Post-processing on one rank and on several: `merge` and `check` of many samples, `profile` and `export` of a large trajectory.

    python tools/benchmarks/post.py samples DIR         makes them: loadings, events and modes
    python tools/benchmarks/post.py commands DIR        times and ratios of merge and check, on an idle machine
    tools/launch 2 python tools/benchmarks/post.py busy DIR     CPU time of merge on the busiest rank, on any machine
    python tools/benchmarks/post.py trajectory DIR      makes one: 50 frames of 10^6 particles, 1.8 GB
    python tools/benchmarks/post.py memory DIR [WORD ...] [--ranks P]       memory and CPU time of profile and exports of it

Samples have the tables of a loading of 300 steps and of 2000 modes, with random numbers, written as a stage writes them. The
particles of the trajectory lie on a lattice, displaced by a tenth of its spacing, and move in the middle of the cell more than
elsewhere. Memory is the peak of the largest rank above what it has after the same command on a small trajectory, in frames
(positions, periods, diameters and species: 36 bytes per particle in 2D); WORDs choose among the commands.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from common import machine, peak_memory, table

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


def make_trajectory(directory: Path, particles: int, frames: int) -> None:
    """The file of a shear with its segments, as a run writes them."""
    from mpi4py import MPI

    from hpcglass.io import h5, provenance
    from hpcglass.io.configuration import Frame, put
    from hpcglass.io.contents import Contents
    from hpcglass.io.trajectory import Trajectory

    def describe(contents: Contents) -> None:
        provenance.put(contents, MPI.COMM_SELF, "", RESOLVED.format(particles=particles), 1, [])

    directory.mkdir(parents=True, exist_ok=True)
    side, rng = round(particles**0.5), np.random.default_rng(1)
    lattice = np.stack(np.unravel_index(np.arange(side**2), (side, side)), axis=1)
    position = lattice + rng.uniform(-0.1, 0.1, lattice.shape) + 0.5
    fixed = {"diameter": rng.uniform(0.8, 1.2, side**2), "species": np.zeros(side**2, dtype=np.int32)}
    trajectory = Trajectory(MPI.COMM_SELF, directory, "00-shear", describe)
    for step in range(frames):
        strain = np.array([[1.0, 1e-3 * step], [0.0, 1.0]])
        if step % 20 == 0:      # in between they may leave the cell
            period = np.floor(position / side)
        frame = Frame(step, 1e-3 * step, strain * side, {
            "position": (position - period * side) @ strain.T, "image": period.astype(np.int32), **fixed})
        trajectory.append(frame)
        position += rng.normal(0, 0.02, position.shape) * np.exp(-((position[:, 1:] / side - 0.5) / 0.1) ** 2)
    trajectory.flush()
    contents = Contents()
    describe(contents)
    put(contents, MPI.COMM_SELF, [frame])
    contents.attribute("/stage", index=0, name="shear", references="")
    contents.value("/stage/segments", trajectory.to_json())
    h5.write(MPI.COMM_SELF, directory / "00-shear.h5", contents)


PASSES = {
    "profile": ["profile", "--across", "y", "-o", "profile.csv"],
    "profile of D2min": ["profile", "--across", "y", "--field", "d2min", "-o", "profile.csv"],
    "vtkhdf": ["export", "-o", "all.vtkhdf"],
    "vtkhdf with D2min": ["export", "--fields", "d2min", "-o", "all.vtkhdf"],
    "h5md with displacement": ["export", "--fields", "displacement", "-o", "all.h5md"],
    "xyz": ["export", "-o", "all.xyz"],
    "dump": ["export", "-o", "all.dump"],
    "gsd": ["export", "-o", "all.gsd"]}


def peak(directory: Path, name: str, every: int) -> None:
    """Peak memory in frames, and CPU seconds, of one command in this process: a row of the table."""
    from mpi4py import MPI

    from hpcglass.commands import parser
    from hpcglass.core.comm import largest
    from hpcglass.io.share import Ranks

    world, words = MPI.COMM_WORLD, PASSES[name]

    def run(where: Path) -> None:
        which = ["--every", str(every)] if every > 1 else ["--frame", "all"]
        options = parser.build().parse_args([words[0], str(where / "00-shear.h5"), *words[1:-1], str(where / words[-1]), *which])
        with contextlib.redirect_stdout(None):
            options.main(options, (lambda: world) if options.needs_world else Ranks(world))
        world.Barrier()
        if world.rank == 0:
            (where / words[-1]).unlink()

    with h5py.File(directory / "00-shear.h5") as file:
        frame = 36.0 * file["particles/all/position/value"].shape[1]
    run(directory / "small")        # so that all is loaded and compiled
    idle, began = peak_memory(reset=True), time.process_time()
    run(directory)
    most, spent = largest(world, peak_memory() - idle), largest(world, time.process_time() - began)
    if world.rank == 0:
        print(f"| {name} | {most / frame:.1f} | {spent:.0f} |", flush=True)


def memory(directory: Path, chosen: list[str], every: int, ranks: int) -> None:
    """The commands one after the other, each in processes of its own."""
    print(f"{ranks} rank(s), every {every}. frame\n\n{table(['command', 'frames at most', 'CPU, s'], [])}", flush=True)
    launch = [str(ROOT / "tools" / "launch"), str(ranks)] if ranks > 1 else []
    for name in chosen or PASSES:
        subprocess.run([*launch, sys.executable, __file__, "peak", str(directory), name, "--every", str(every)], check=True)


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
    parser.add_argument("what", choices=["samples", "commands", "busy", "trajectory", "memory", "peak"])
    parser.add_argument("directory", type=Path)
    parser.add_argument("words", nargs="*", metavar="WORD", help=f"of `memory`: {', '.join(PASSES)}")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--particles", type=int, help="default: 10000 of a sample, 1000000 of the trajectory")
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--every", type=int, default=1, help="of `memory`: these frames only")
    parser.add_argument("--ranks", type=int, help="default: 2, of `memory` 1")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    if options.what == "samples":
        make_samples(options.directory, options.samples, options.particles or 10_000)
    elif options.what == "trajectory":
        make_trajectory(options.directory, options.particles or 1_000_000, options.frames)
        make_trajectory(options.directory / "small", 10_000, min(options.frames, 12))
    elif options.what == "memory":
        memory(options.directory, options.words, options.every, options.ranks or 1)
    elif options.what == "peak":
        peak(options.directory, options.words[0], options.every)
    elif options.what == "busy":
        busy(options.directory)
    else:
        print(f"{machine()}, load {os.getloadavg()[0]:.1f}\n\n{compare(options.directory, options.ranks or 2, options.repeats)}")


if __name__ == "__main__":
    main()

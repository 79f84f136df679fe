"""Time to write and to read back a configuration of a million particles, with hashes and syncs.

    mpirun -n 2 python tools/benchmarks/snapshot.py [--particles 1000000] [--dimension 3] [--directory .]

Writing = particles to file order, hashing, writing by all ranks, fsync, rename. For comparison the same bytes are
written by one rank with plain h5py: no order, no hashes, no sync. Prints a markdown table.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import h5py
import numpy as np
from common import machine, table
from mpi4py import MPI

from hpcglass.io import h5
from hpcglass.io.configuration import Frame, put, read
from hpcglass.io.contents import Contents
from hpcglass.io.order import by_id
from hpcglass.io.reader import Reader


def rows_of(comm: MPI.Comm, particles: int, dimension: int) -> dict[str, np.ndarray]:
    """What a rank holds: its share of the particles, in no order."""
    ids = np.random.default_rng(0).permutation(particles)[comm.rank::comm.size]
    random = np.random.default_rng(comm.rank)
    return {"id": ids, "position": random.random((ids.size, dimension)), "position_low": random.random((ids.size, dimension)),
            "image": np.zeros((ids.size, dimension), dtype=np.int32), "diameter": random.random(ids.size),
            "species": np.zeros(ids.size, dtype=np.int32)}


def write(comm: MPI.Comm, path: Path, rows: dict[str, np.ndarray], box: np.ndarray) -> float:
    comm.Barrier()
    began = time.perf_counter()
    names = [name for name in rows if name != "id"]
    moved = by_id(comm, rows["id"], *(rows[name] for name in names))
    contents = Contents()
    put(contents, comm, [Frame(0, 0.0, box, dict(zip(names, moved, strict=True)))])
    h5.write(comm, path, contents)
    comm.Barrier()
    return time.perf_counter() - began


def read_back(comm: MPI.Comm, path: Path) -> float:
    comm.Barrier()
    began = time.perf_counter()
    with Reader(comm, path) as file:
        read(file)
    comm.Barrier()
    return time.perf_counter() - began


def write_plainly(path: Path, particles: int, dimension: int) -> float:
    rows = rows_of(MPI.COMM_SELF, particles, dimension)
    began = time.perf_counter()
    with h5py.File(path, "w") as file:
        for name, values in rows.items():
            file[name] = values
    return time.perf_counter() - began


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--particles", type=int, default=1_000_000)
    options.add_argument("--dimension", type=int, default=3)
    options.add_argument("--directory", type=Path, default=Path("."))
    given = options.parse_args()
    comm = MPI.COMM_WORLD
    path = given.directory / ".benchmark-snapshot.h5"
    rows = rows_of(comm, given.particles, given.dimension)
    writing = sorted(write(comm, path, rows, np.eye(given.dimension)) for _ in range(5))
    reading = sorted(read_back(comm, path) for _ in range(5))
    if comm.rank == 0:
        size = path.stat().st_size
        plain = sorted(write_plainly(path, given.particles, given.dimension) for _ in range(5))
        path.unlink()
        print(table(["ranks", "particles", "MB", "write, median (worst) of 5", "read and check", "plain h5py, one rank, no sync"],
                    [[comm.size, f"{given.particles} ({given.dimension}D)", f"{size / 1e6:.0f}",
                      f"{writing[2]:.2f} s ({writing[-1]:.2f} s)", f"{reading[2]:.2f} s", f"{plain[2]:.2f} s"]]))
        print(machine())


if __name__ == "__main__":
    main()

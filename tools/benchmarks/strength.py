"""Patches in a frozen matrix: trials against those of a slow, independent calculation, and what a trial takes.

    python tools/benchmarks/strength.py [--smooth 0.02]

The glasses and their trials (eight sites of each, 18 directions) are in tests/data. Times are CPU of this process, kernels
compiled; work is counted: passes over the pairs of a patch, factorisations, solves with a factor.
"""

from __future__ import annotations

import argparse
import sys
import time

import h5py
import numpy as np
from common import ROOT, machine, table
from mpi4py import MPI

from hpcglass.cavity import frozen
from hpcglass.cavity.strength import strength

sys.path.insert(0, str(ROOT / "tests"))
from glasses import DATA, glass

GLASSES = ("ipl12-2d", "ipl10-2d", "lj-binary-2d", "lj-poly-2d")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smooth", type=float, default=frozen.SMOOTH, help="branch check")
    options = parser.parse_args()
    print(machine() + "\n", flush=True)
    rows = []
    for name in GLASSES:
        with h5py.File(DATA / f"strength-{name}.h5") as file:
            right = {key: item[()] for key, item in file.items()}
        system, angles = glass(MPI.COMM_SELF, name), np.rad2deg(right["alpha"])
        strength(system, right["sites"][:1], angles[:1])
        began = time.process_time()
        found = strength(system, right["sites"], angles, smooth=options.smooth)
        seconds, trials = time.process_time() - began, found.flag.size
        regular = (found.flag == frozen.MAXIMUM) & (right["flag"] == 0)
        off = np.abs(found.tau_c / right["tau_c"] - 1.0)[regular]
        rows.append([name, trials, int(regular.sum()), int((off < 1e-3).sum()), f"{np.median(off):.1e}", f"{off.max():.1e}",
                     f"{1e3 * seconds / trials:.2f}", *(f"{count:.0f}" for count in found.work[:3] / trials)])
    head = ["glass", "trials", "regular in both", "tau_c within 1e-3", "median", "largest", "ms", "passes", "factors", "solves"]
    print(table(head, rows))


if __name__ == "__main__":
    main()

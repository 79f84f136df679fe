"""Softest modes of the bond operator: time of the factorisation and of all, how many of either; and the full spectrum.

    python tools/benchmarks/bonds.py                            2D, N = 10 000, 20 modes, from tests/data
    python tools/benchmarks/bonds.py --tile 3                   2D, N = 90 000: copies side by side, shaken and minimised again
    python tools/benchmarks/bonds.py --dimension 3 --particles 8000     3D, a fresh glass quenched from random positions
    python tools/benchmarks/bonds.py --dimension 3 --particles 2000 --all      the full spectrum besides, without vectors

A factorisation and 150 solves are what one may expect to pay at least: "ratio" is the time of the modes over that of those.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import h5py
import numpy as np
from common import ROOT, machine, peak_memory, table
from mpi4py import MPI

from hpcglass.config import SystemParams
from hpcglass.core.system import System
from hpcglass.landscape.bonds import bond_spectrum, softest_bond_modes
from hpcglass.landscape.matrix.hessian import Hessian, PETSc
from hpcglass.landscape.matrix.solve import factorise, first_bound, pin
from hpcglass.moves.minimise import minimise
from hpcglass.moves.start import build
from hpcglass.potentials.library import MODELS

SOLVES = 150


def stored(tile: int) -> System:
    """The glass of tests/data, `tile` x `tile` copies of it: shaken so that no two are alike, and minimised."""
    with h5py.File(ROOT / "tests" / "data" / "ipl12-2d-N10000.h5") as file:
        position, box, size = (file["configuration"][name][:] for name in ("position", "box", "size"))
    shifts = np.stack(np.meshgrid(np.arange(tile), np.arange(tile)), -1).reshape(-1, 2) @ box.T
    position = (shifts[:, None] + position).reshape(-1, 2)
    n = len(position)
    if tile > 1:
        position += np.random.default_rng(1).normal(0, 0.05, position.shape)
    fields: dict[str, Any] = {"id": np.arange(n), "position": position, "diameter": np.tile(size, tile**2),
                              "species": np.zeros(n, np.int32)}
    return System(MPI.COMM_SELF, MODELS["ipl12"], tile * box, fields)


def fresh(dimension: int, particles: int) -> System:
    """Random positions of `ipl10`."""
    model = MODELS["ipl10"]
    params = SystemParams(model="ipl10", dimension=dimension, particles=particles, density=model.density[dimension],
                          aspect=(1.0,) * dimension)
    return build(MPI.COMM_SELF, params, model, seed=1)


def least(hessian: Hessian) -> tuple[float, float]:
    """Seconds of a factorisation, and of `SOLVES` solves."""
    matrix = pin(hessian.matrix, first_bound(hessian), hessian.system.dimension)
    begin = time.perf_counter()
    ksp, _ = factorise(matrix, "")
    factor = time.perf_counter() - begin
    right, left = hessian.vector(np.ones((hessian.system.n_owned, hessian.system.dimension))), hessian.vector()
    begin = time.perf_counter()
    for _ in range(SOLVES):
        ksp.solve(right, left)
    return factor, time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dimension", type=int, choices=(2, 3), default=2)
    parser.add_argument("--particles", type=int, default=0, help="a fresh glass of so many, instead of the stored one")
    parser.add_argument("--tile", type=int, default=1, help="copies of the stored glass along either axis")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--all", action="store_true", help="the full spectrum, without vectors, besides")
    options = parser.parse_args()
    if options.dimension == 3 and not options.particles:
        parser.error("there is no stored glass in three dimensions: --particles N")
    system = fresh(options.dimension, options.particles) if options.particles else stored(options.tile)
    report = minimise(system, "fire", 1e-10)
    hessian = Hessian(system)
    softest_bond_modes(hessian, 1)      # compile
    factor, solves = least(hessian)
    PETSc.Log.begin()
    events = [PETSc.Log.Event(name) for name in ("MatCholFctrNum", "MatSolve")]
    before = [event.getPerfInfo()["count"] for event in events]
    begin = time.perf_counter()
    modes = softest_bond_modes(hessian, options.count)
    seconds = time.perf_counter() - begin
    counts = [event.getPerfInfo()["count"] - old for event, old in zip(events, before, strict=True)]
    print(machine(), "\n")
    print(f"{options.dimension}D, N = {system.n_total}, max|F| {report.max_force:.1e}, lambda_1 = {modes.eigenvalue[0]:.8g}")
    print(f"one factorisation {factor:.2f} s, {SOLVES} solves {solves:.2f} s\n")
    head = ["what", "modes", "seconds", "ratio", "factorisations", "solves", "largest residual", "peak [GB]"]
    rows: list[list[object]] = [["softest", options.count, f"{seconds:.2f}", f"{seconds / (factor + solves):.2f}", *counts,
                                 f"{modes.residuals.max():.0e}", f"{peak_memory() / 1e9:.2f}"]]
    if options.all:
        begin = time.perf_counter()
        values = bond_spectrum(hessian, vectors=False).eigenvalue
        seconds = time.perf_counter() - begin
        worst = np.abs(values[: options.count] / modes.eigenvalue - 1).max()
        rows.append(["all, values", len(values), f"{seconds:.2f}", "", 0, 0, f"{worst:.0e} (lambda, beside the softest)",
                     f"{peak_memory() / 1e9:.2f}"])
    print(table(head, rows))


if __name__ == "__main__":
    main()

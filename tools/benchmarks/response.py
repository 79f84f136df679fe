"""Linear response: Hessian, moduli and strain expansion, against matscipy and against a force evaluation.

    python tools/benchmarks/response.py matscipy [--particles 10000] [--rounds 3] [--accurate]
    python tools/benchmarks/response.py hessian [--dimension 2] [--particles 100000] [--rounds 5]
    tools/launch 2 .venv/bin/python tools/benchmarks/response.py expansion --dimension 2 --particles 1638400 [--copies 8]

`matscipy`: polydisperse x^-10 in 3D, which both codes have; from the positions of a minimum to Hessian and elastic constants.
matscipy lives in an environment of its own, made if missing. Every measurement is a process, the sides take turns.
`hessian`: refilling the matrix in units of a force evaluation, factors and solves by either method, and the fields of one and of
all strains by block conjugate gradients, to the accuracy of moduli.
Both are serial and count CPU time, which does not depend on how busy the machine is.
`expansion`: fields to third order under simple shear, on any number of ranks. Glasses are kept in results/benchmarks, so that all
see the same one; `expansion` run again does not have the memory of making it in its figures.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, machine, peak_memory, table
from mpi4py import MPI
from numpy.typing import NDArray

from hpcglass.config import SystemParams
from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.geometries.periodic import simple_shear
from hpcglass.io.convert import Configuration, tile
from hpcglass.landscape.contractions import along_path
from hpcglass.landscape.expansion import MODULI_ACCURACY, Moduli, elastic_moduli, strain_expansion
from hpcglass.landscape.forces import evaluate, forces
from hpcglass.landscape.matrix.block_cg import BlockConjugateGradients
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.landscape.matrix.solve import METHODS, Solver, choose
from hpcglass.landscape.rattlers import bonded
from hpcglass.moves.minimise import minimise
from hpcglass.moves.start import build
from hpcglass.moves.swap.run import SwapMonteCarlo
from hpcglass.potentials.library import MODELS

ENVIRONMENT = ROOT / ".venv-matscipy"
GLASSES = ROOT / "results" / "benchmarks"
CASES = {2: ("ipl12", 0.12), 3: ("ipl10", 0.5)}     # model, temperature
SWEEPS = 200
SMALL = {2: "ipl12-2d", 3: "ipl10-3d"}              # of the tests: to compile with
MEGABYTE = 2.0**20
Row = list[object]


def timed(comm: MPI.Comm, work: Callable[[], Any], repeats: int = 1) -> tuple[Any, float]:
    """(last result, seconds of one call): CPU time if this is a serial measurement, else that of the slowest rank."""
    clock = time.process_time if comm == MPI.COMM_SELF else time.perf_counter
    comm.Barrier()
    before = clock()
    for _ in range(repeats):
        result = work()
    return result, float(ranks.largest(comm, clock() - before)) / repeats


def glass(comm: MPI.Comm, dimension: int, particles: int, copies: int = 1) -> Path:
    """A stored minimum, made if missing: quenched from a liquid, or from displaced copies of a smaller glass."""
    path = GLASSES / f"{CASES[dimension][0]}-{dimension}d-{particles}{f'-tiled{copies}' * (copies > 1)}.npz"
    if ranks.total(comm, int(comm.rank == 0 and path.exists())):
        return path
    system = liquid(comm, dimension, particles) if copies == 1 else tiled(comm, dimension, particles, copies)
    report, seconds = timed(comm, lambda: minimise(system, "cg", 1e-10))
    whole = by_id(system, np.column_stack([system.unwrapped(), system.diameter[: system.n_owned]]))
    if comm.rank == 0:
        print(f"made {path.name}: {report.evaluations} force evaluations to max|F| = {report.max_force:.0e} in {seconds:.0f} s\n",
              flush=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        np.savez(part, position=whole[:, :-1], diameter=whole[:, -1], box=system.box,
                 probe=np.random.default_rng(1).normal(size=(particles, dimension)))
        part.replace(path)
    comm.Barrier()
    return path


def liquid(comm: MPI.Comm, dimension: int, particles: int) -> System:
    """Swap Monte Carlo from a random start."""
    name, temperature = CASES[dimension]
    params = SystemParams(model=name, dimension=dimension, particles=particles, density=MODELS[name].density[dimension],
                          aspect=(1.0,) * dimension)
    system = build(comm, params, MODELS[name], seed=1)
    chain = SwapMonteCarlo(system, temperature, 0.2, 0.1, seed=1)
    for number in range(SWEEPS // 20):
        chain.sub_sweep(number, 20)
    chain.store()
    return system


def tiled(comm: MPI.Comm, dimension: int, particles: int, copies: int) -> System:
    """A smaller glass repeated along each axis, its particles displaced, so that no two copies end up the same."""
    one = particles // copies**dimension
    if one * copies**dimension != particles:
        raise SystemExit(f"{particles} particles are not {copies}^{dimension} copies of a whole number")
    with np.load(glass(comm, dimension, one)) as file:
        many = tile(Configuration(file["position"], file["box"], file["diameter"]), [copies])
    noise = np.random.default_rng(2).normal(scale=0.03, size=many.position.shape)
    return spread(comm, dimension, many.box, many.position + noise, many.diameter)


def by_id(system: System, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of all particles by global id, on every rank."""
    result = np.zeros((system.n_total, rows.shape[1]))
    result[system.id[: system.n_owned]] = rows
    return ranks.total(system.comm, result)


def load(comm: MPI.Comm, path: Path, dimension: int) -> System:
    """A stored minimum, up to date."""
    with np.load(path) as file:
        return spread(comm, dimension, file["box"], file["position"], file["diameter"])


def spread(comm: MPI.Comm, dimension: int, box: Any, position: Any, diameter: Any) -> System:
    """A system from arrays that are whole on every rank."""
    first, last = ranks.block(len(position), comm.size, comm.rank)
    return System(comm, MODELS[CASES[dimension][0]], box, {
        "id": np.arange(first, last), "position": position[first:last], "diameter": diameter[first:last],
        "species": np.zeros(last - first, dtype=np.int32)})


def small(comm: MPI.Comm, dimension: int) -> System:
    """A small glass to compile with."""
    sys.path.insert(0, str(ROOT / "tests"))
    from glasses import glass as stored

    return stored(comm, SMALL[dimension])


# ---- against matscipy ----

def install() -> None:
    """Make matscipy's environment once; needs the network the first time only."""
    if (ENVIRONMENT / "ready").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
    (ENVIRONMENT / ".gitignore").write_text("*\n")
    subprocess.run([ENVIRONMENT / "bin" / "pip", "install", "-q", "matscipy", "ase", "numpy", "scipy"], check=True)
    (ENVIRONMENT / "ready").touch()


def our_side(path: Path, answer: Path, method: str) -> None:
    """What `matscipy_side` does, by hpcglass, in a process of its own."""
    comm = MPI.COMM_SELF
    trial = small(comm, 3)
    elastic_moduli(trial, Solver(Hessian(trial), method))
    with np.load(path) as file:
        probe = file["probe"]
    idle = peak_memory(reset=True)
    hessian, first = timed(comm, lambda: Hessian(load(comm, path, 3)))
    _, refill = timed(comm, hessian.refill, 5)
    system = hessian.system
    left = hessian.vector()
    hessian.matrix.mult(hessian.vector(probe[system.id[: system.n_owned]]), left)
    image = by_id(system, hessian.rows(left))
    hessian.destroy()

    def from_positions() -> Any:
        again = load(comm, path, 3)
        return elastic_moduli(again, Solver(Hessian(again), method))

    moduli, seconds = timed(comm, from_positions)
    mechanics = evaluate(system)
    np.savez(answer, idle=idle, peak=peak_memory(), hessian=first, refill=refill, moduli=seconds, energy=mechanics.energy,
             forces=by_id(system, mechanics.forces), image=image, born=moduli.born, tensor=moduli.tensor, birch=birch(moduli))


def birch(moduli: Moduli) -> NDArray[np.float64]:
    """matscipy's `elastic_constants`: d sigma_ab / d eps_mn of the true stress, strains without rotation."""
    stress, one = moduli.stress, np.eye(3)
    turned = sum(np.einsum(indices, stress, one) for indices in ("am,bn->abmn", "an,bm->abmn", "bm,an->abmn", "bn,am->abmn"))
    return moduli.tensor + 0.5 * turned - np.einsum("ab,mn->abmn", stress, one)


def against_matscipy(particles: int, rounds: int, accurate: bool) -> None:
    """Print times, memory and differences."""
    install()
    path = glass(MPI.COMM_SELF, 3, particles)
    here = Path(__file__).resolve()
    theirs: Row = [ENVIRONMENT / "bin" / "python", here.with_name("matscipy_side.py")]
    ours: Row = [sys.executable, here, "side"]
    sides: list[tuple[str, Row, str]] = [("matscipy", theirs, "1e-5"), ("hpcglass, cg", ours, "cg"),
                                         ("hpcglass, direct", ours, "direct")]
    if accurate:
        sides.insert(1, ("matscipy, rtol 1e-10", theirs, "1e-10"))
    rows: list[Row] = []
    found: dict[str, dict[str, Any]] = {}
    ratios: dict[str, list[list[float]]] = {}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as name:
        answer = Path(name) / "answer.npz"
        for k in range(1, rounds + 1):
            for what, command, option in sides:
                subprocess.run(list(map(str, [*command, path, answer, option])), check=True, env=environment)
                with np.load(answer) as file:
                    one = found[what] = {key: file[key] for key in file.files}
                one["above"] = one["peak"] - one["idle"]
                ratios.setdefault(what, []).append([float(found["matscipy"][key] / one[key]) for key in
                                                    ("hessian", "moduli", "peak", "above")])
                rows.append([k, what, f"{1e3 * one['hessian']:.0f}", f"{1e3 * one['refill']:.0f}" if "refill" in one else "",
                             f"{one['moduli']:.2f}", f"{one['peak'] / MEGABYTE:.0f}", f"{one['above'] / MEGABYTE:.0f}"])
    print(table(["round", "code", "Hessian from positions, ms", "refilled, ms", "moduli from positions, s", "peak memory, MB",
                 "above idle, MB"], rows))
    print("\nmatscipy divided by the row, medians:\n")
    print(table(["", "Hessian", "moduli", "peak memory", "above idle"],
                [[what, *(f"{x:.1f}" for x in np.median(some, axis=0))] for what, some in ratios.items()]))
    print("\nDifferences of the answers, relative to the largest entry:\n")
    keys = ("energy", "forces", "image", "born", "tensor", "birch")
    reference, head = found["hpcglass, direct"], ["energy", "forces", "H times a random vector", "Born", "C", "C + stress terms"]
    # forces vanish at a minimum: H times a vector of unit size is their scale
    size = {key: np.abs(reference[key]).max() for key in keys} | {"forces": np.abs(reference["image"]).max()}
    print(table(["to hpcglass, direct", *head],
                [[what, *(f"{np.abs(one[key] - reference[key]).max() / size[key]:.0e}" for key in keys)]
                 for what, one in found.items() if one is not reference]))


# ---- against a force evaluation ----

def against_force(dimension: int, particles: int, rounds: int) -> None:
    """Print what matrix, factors and solves cost."""
    comm = MPI.COMM_SELF
    path = glass(comm, dimension, particles)
    trial = small(comm, dimension)
    for method in ("cg", "direct"):
        Solver(Hessian(trial), method).solve(forces(trial))
    idle = peak_memory(reset=True)
    system = load(comm, path, dimension)
    hessian, scratch = timed(comm, lambda: Hessian(system))
    rows, ratios = [], []
    for k in range(1, rounds + 1):
        _, force = timed(comm, lambda: forces(system), 20)
        _, refill = timed(comm, hessian.refill, 5)
        ratios.append(refill / force)
        rows.append([k, f"{1e3 * force:.2f}", f"{1e3 * refill:.2f}", f"{ratios[-1]:.1f}"])
    print(f"{dimension}D, N = {system.n_total}, {system.pairs.index.size / system.n_total:.1f} listed pairs per particle, "
          f"Hessian from scratch {1e3 * scratch:.0f} ms\n")
    print(table(["round", "forces, ms", "refill, ms", "ratio"], rows))
    print(f"\nrefill / force: {np.median(ratios):.1f}, median of {rounds} rounds\n")
    right = -along_path(system, simple_shear(dimension, "xy"), [], 1).gradient
    rows = []
    for method in ("cg", "direct"):         # in this order: the peak grows
        solver, setup = timed(comm, lambda method=method: Solver(hessian, method))
        _, seconds = timed(comm, lambda solver=solver: solver.solve(right))
        rows.append([method, f"{setup:.2f}", f"{seconds:.2f}", solver.iterations, f"{solver.residual:.0e}",
                     f"{(peak_memory() - idle) / MEGABYTE:.0f}"])
        solver.destroy()
    strains = np.array([np.outer(a, b) + np.outer(b, a) for k, a in enumerate(np.eye(dimension)) for b in np.eye(dimension)[k:]])
    fields = [-along_path(bonded(system), 0.5 * strain, [], 1).gradient for strain in strains]
    BlockConjugateGradients(trial).solve(forces(trial), 1e-2)
    block, setup = timed(comm, lambda: BlockConjugateGradients(system))
    for chosen in (fields[1:2], fields):
        _, seconds = timed(comm, lambda chosen=chosen: block.solve_all(chosen, MODULI_ACCURACY))
        rows.append([f"block cg, {len(chosen)} together", f"{setup:.2f}", f"{seconds:.2f}", block.iterations,
                     f"{block.residual:.0e}", f"{(peak_memory() - idle) / MEGABYTE:.0f}"])
    print(table(["method", "set-up, s", "one solve, s", "iterations", "residual", "memory above idle, MB"], rows))


# ---- strain expansion ----

def expansion(comm: MPI.Comm, dimension: int, particles: int, copies: int, method: str) -> None:
    """Print time, iterations and memory of each order of a simple shear."""
    path = glass(comm, dimension, particles, copies)
    method = choose(method, particles, dimension, right_hand_sides=3)
    shear = simple_shear(dimension, "xy")
    trial = small(comm, dimension)
    strain_expansion(trial, shear, 3, Solver(Hessian(trial), method))
    idle = peak_memory(reset=True)
    system, lists = timed(comm, lambda: load(comm, path, dimension))
    _, force = timed(comm, lambda: forces(system), 5)
    hessian, matrix = timed(comm, lambda: Hessian(system))
    solver, setup = timed(comm, lambda: Solver(hessian, method))
    rows: list[Row] = [["positions to lists", f"{lists:.2f}", "", ""], ["one force evaluation", f"{force:.3f}", "", ""],
                       ["Hessian", f"{matrix:.2f}", "", ""], [f"{method}, set-up", f"{setup:.2f}", "", ""]]
    last = time.perf_counter()

    def found(fields: list[NDArray[np.float64]]) -> None:
        nonlocal last
        now = time.perf_counter()
        rows.append([f"order {len(fields)}", f"{now - last:.2f}", solver.iterations, f"{solver.residual:.0e}"])
        last = now

    result = strain_expansion(system, shear, 3, solver, found=found)
    rows.append(["energies and stresses", f"{time.perf_counter() - last:.2f}", "", ""])
    peak, above = (float(ranks.total(comm, x)) for x in (peak_memory(), peak_memory() - idle))
    if comm.rank == 0:
        print(f"{dimension}D, N = {system.n_total}, {comm.size} rank{'s' * (comm.size > 1)}\n")
        print(table(["what", "seconds", "iterations", "residual"], rows))
        print(f"\npeak memory of all ranks {peak / MEGABYTE:.0f} MB, {above / MEGABYTE:.0f} MB above the idle program, "
              f"{above / system.n_total:.0f} bytes per particle")
        print("sigma_xy and its derivatives:", " ".join(f"{x:.9g}" for x in result.sigma_along), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("matscipy")
    one.add_argument("--particles", type=int, default=10_000)
    one.add_argument("--rounds", type=int, default=3)
    one.add_argument("--accurate", action="store_true", help="matscipy with its conjugate gradients to 1e-10 too")
    one = commands.add_parser("side")           # a process of `matscipy`
    one.add_argument("path", type=Path)
    one.add_argument("answer", type=Path)
    one.add_argument("method", choices=METHODS)
    one = commands.add_parser("hessian")
    one.add_argument("--dimension", type=int, choices=(2, 3), default=2)
    one.add_argument("--particles", type=int, default=100_000)
    one.add_argument("--rounds", type=int, default=5)
    one = commands.add_parser("expansion")
    one.add_argument("--dimension", type=int, choices=(2, 3), default=2)
    one.add_argument("--particles", type=int, default=100_000)
    one.add_argument("--copies", type=int, default=1, help="along each axis, of a smaller glass: a shorter quench")
    one.add_argument("--method", choices=METHODS, default="auto")
    options = vars(parser.parse_args())
    command = options.pop("command")
    if command == "side":
        return our_side(**options)
    if MPI.COMM_WORLD.rank == 0:
        print(machine(), "\n", flush=True)
    if command == "expansion":
        return expansion(MPI.COMM_WORLD, **options)
    return against_matscipy(**options) if command == "matscipy" else against_force(**options)


if __name__ == "__main__":
    main()

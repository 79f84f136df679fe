"""Saddles by pulling, against activation and relaxation from random starts (ARTn), in the same discs of one glass.

    python tools/benchmarks/saddles.py [--starts 50] [--modes]

Pulls begin at the strongest pair of each cell, at random forces on clusters, and with --modes (a quarter of a minute) along
quartic modes. The plain way pushes a cluster at random, step by step, relaxing the hyperplane, until Lanczos' method finds a
negative eigenvalue; then it goes uphill along that mode and downhill in the hyperplane (N. Mousseau et al., J. At. Mol. Opt.
Phys. 2012, 925278), with Hessian products where a code without them would take two force evaluations each. Both end with the
same Newton steps and the same push-back. CPU seconds of this process, kernels compiled.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from common import ROOT, machine, table
from mpi4py import MPI

from hpcglass.core.replica import Replica
from hpcglass.indicators.glass import Choices, Glass
from hpcglass.indicators.saddles import CLUSTER, starts
from hpcglass.saddles import pull
from hpcglass.saddles.disc import Patch, evaluate, product
from hpcglass.saddles.sampling import sample
from hpcglass.saddles.search import Saddle, Search

sys.path.insert(0, str(ROOT / "tests"))
from glasses import glass

STEP, RELAXED, LANCZOS, STEPS = 0.1, 5, 12, 200     # length of a step, relaxations and Lanczos vectors in each, steps at most
TOLERANCE, CURVED = 0.05, -1.0                      # largest force at the end, eigenvalue at which the mode is followed


def lowest(search: Search, patch: Patch, pairs: int, guess: np.ndarray) -> tuple[float, np.ndarray]:
    """Lowest eigenvalue and mode of the last evaluation, as far as a few Lanczos vectors tell."""
    n, d, size = patch.n_free, patch.y.shape[1], guess.size
    basis, images = [guess / np.linalg.norm(guess)], []
    for _ in range(LANCZOS):
        image = np.empty(size)
        product(n, d, pairs, search.memory, basis[-1], image)
        images.append(image)
        new = image - np.array(basis).T @ (np.array(basis) @ image)
        basis.append(new / np.linalg.norm(new))
    q = np.array(basis[:-1])
    values, vectors = np.linalg.eigh(q @ np.array(images).T)
    return float(values[0]), q.T @ vectors[:, 0]


def activated(search: Search, patch: Patch, push: np.ndarray) -> tuple[Saddle, int]:
    """The saddle that ARTn comes to from a random push, and the force evaluations and products it took."""
    n, d, memory, shell = patch.n_free, patch.y.shape[1], search.memory, search.sample.shell
    y, listed, pairs, work = patch.y.copy(), patch.y.copy(), -1, 0
    direction = push.ravel() / np.linalg.norm(push)
    mode, value = direction.copy(), 0.0
    for count in range(STEPS):
        y[:n] += STEP * direction.reshape(n, d)
        for _ in range(RELAXED):
            pairs = pull.listed_for(search.system.table, n, y, listed, patch.diameter, patch.species, shell, pairs, memory)
            if pairs < 0:
                return Saddle(pull.THIN), work
            evaluate(search.system.table, n, y, pairs, memory, True)
            force = memory.force[: n * d]
            work += 1
            across = force - (force @ direction) * direction
            y[:n] += (across * min(2e-3, 0.05 / np.abs(across).max())).reshape(n, d)
        value, mode = lowest(search, patch, pairs, mode)
        work += LANCZOS
        if value < CURVED:
            direction = mode * (1.0 if mode @ direction > 0.0 else -1.0)
            along = float(force @ direction)
            if np.abs(force).max() < 20.0 * TOLERANCE or (along > 0.0 and count > 3):
                break       # over the top: what is left is Newton's
    flag, _ = pull.rest(search.system.table, n, y, y.copy(), patch.diameter, patch.species, shell, -1, memory)
    if flag:
        return Saddle(flag), work
    return search.settled(Saddle(flag, rows=patch.rows[:n], motion=y[:n] - patch.y[:n])), work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=50, help="of each kind")
    parser.add_argument("--modes", action="store_true", help="pull along quartic modes, too")
    options = parser.parse_args()
    print(machine() + "\n", flush=True)
    kinds = ("modes",) * options.modes + ("bonds", "random")
    whole = glass(MPI.COMM_SELF, "ipl12-2d-N10000")
    system, rows, costs = Replica(whole).system, [], {}
    begun = starts(Glass(whole, Choices(saddle_starts=kinds)), system)
    search = Search(system, 8.0)
    for kind in sorted({start.kind for start in begun}):
        chosen = [start for start in begun if start.kind == kind]
        chosen = chosen[:: max(1, len(chosen) // options.starts)][: options.starts]
        sample(MPI.COMM_SELF, search, chosen[:1], lambda what: None)
        search.memory.counts[:] = 0
        began = time.process_time()
        found = sample(MPI.COMM_SELF, search, chosen, lambda what: None)
        seconds, trials = time.process_time() - began, len(found.flag)
        costs[kind] = seconds / max(found.connected.sum(), 1)
        passes, factors, *_ = search.memory.counts / trials
        rows.append([f"pull: {('modes', 'bonds', 'random')[kind]}", trials, f"{(found.flag == 0).mean():.0%}",
                     f"{found.connected.mean():.0%}", f"{1e3 * seconds / trials:.1f}", f"{passes:.0f}", f"{factors:.0f}",
                     f"{1e3 * costs[kind]:.1f}"])
    chosen = [start for start in begun if start.kind == 2]
    chosen = chosen[:: max(1, len(chosen) // options.starts)][: options.starts]
    reached = connected = work = 0
    began = time.process_time()
    for number, start in enumerate(chosen):
        patch = search.patch(start.row)
        near = (patch.y[: patch.n_free] ** 2).sum(axis=1) < CLUSTER**2
        push = np.where(near[:, None], np.random.default_rng(number).normal(size=(patch.n_free, 2)), 0.0)
        one, took = activated(search, patch, push)
        reached, connected, work = reached + (one.flag == 0), connected + one.connected, work + took
    seconds, trials = time.process_time() - began, len(chosen)
    plain = seconds / max(connected, 1)
    rows.append(["ARTn-like", trials, f"{reached / trials:.0%}", f"{connected / trials:.0%}", f"{1e3 * seconds / trials:.1f}",
                 f"{work / trials:.0f}", "", f"{1e3 * plain:.1f}"])
    head = ["way", "trials", "reached", "connected", "CPU ms a trial", "passes", "factors", "CPU ms a connected saddle"]
    print(table(head, rows))
    print("\nARTn-like over pull, per connected saddle: "
          + ", ".join(f"{('modes', 'bonds', 'random')[kind]} {plain / cost:.1f}" for kind, cost in costs.items()))


if __name__ == "__main__":
    main()

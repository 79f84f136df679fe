"""A quench that is interrupted anywhere goes on to the bit, also while the box relaxes to a pressure."""

from __future__ import annotations

import numpy as np
import pytest
from glasses import glass, system
from recorder import Recorder

from hpcglass.core.system import System
from hpcglass.potentials.library import MODELS
from hpcglass.stages.quench import Quench


class Watching(Recorder):
    """Keeps what a checkpoint at each safe point would hold."""

    def __init__(self, system, restored=None, tables=None):
        super().__init__()
        self.system, self.restored, self.kept = system, restored, {}
        self.tables = {name: list(rows) for name, rows in (tables or {}).items()}

    def safe_point(self, step, total, snapshot, note=""):
        self.kept[step] = self.system.state(), snapshot(), {name: list(rows) for name, rows in self.tables.items()}


@pytest.mark.parametrize("algorithm", ["cg", "fire"])
def test_relaxation_to_a_pressure(world, algorithm):
    def run(system, **resumed):
        context = Watching(system, **resumed)
        params = Quench.Params(algorithm=algorithm, force_tolerance=1e-8, pressure=12.0, pressure_tolerance=1e-5)
        Quench(params).run(system, context)
        rows = [values for _, values in sorted(system.state()[1].items())]
        return context, rows

    start = glass(world, "ipl12-2d")
    whole, expected = run(start)
    rounds = [int(snapshot.scalars["box:rounds"]) for _, snapshot, _ in whole.kept.values()]
    assert max(rounds) >= 3
    steps = list(whole.kept)
    for number in (1, 2, max(rounds)):
        places = [step for step, found in zip(steps, rounds, strict=True) if found == number]
        (numbers, rows), snapshot, tables = whole.kept[places[len(places) // 2]]
        again, found = run(System.from_state(world, start.model, numbers, rows), restored=snapshot, tables=tables)
        assert again.tables == whole.tables and again.results["energy"] == whole.results["energy"]
        assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True)), number


@pytest.mark.parametrize("algorithm", ["cg", "fire"])
@pytest.mark.parametrize("particles", [2, 3])
def test_a_few_particles_at_the_bottom_of_their_attraction(alone, particles, algorithm):
    """No pair has a force but round-off, which a share of the pair forces themselves could not be compared with."""
    place = np.array([[4.0, 4.0], [5.05, 4.0], [4.5, 4.9]])[:particles]
    s = system(alone, MODELS["lj-binary"], 10.0 * np.eye(2), place, np.ones(particles), np.ones(particles, dtype=np.int32))
    Quench(Quench.Params(algorithm=algorithm, max_evaluations=10_000)).run(s, recorder := Recorder())
    assert recorder.results["max_force"] < 1e-12 < recorder.results["force_scale"]

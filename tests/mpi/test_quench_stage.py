"""A quench that is interrupted anywhere goes on to the bit, also while the box relaxes to a pressure."""

from __future__ import annotations

import numpy as np
import pytest
from glasses import glass, system
from recorder import Recorder

from hpcglass.core.system import System
from hpcglass.moves import landing
from hpcglass.moves.quasistatic import choice
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


@pytest.mark.few_ranks
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


@pytest.mark.few_ranks
@pytest.mark.needs("cholmod", "mumps")
@pytest.mark.parametrize("lead", [True, False])
def test_a_quench_that_ends_with_factors(world, monkeypatch, lead):
    """In the same minimum, with fewer evaluations; it goes on to the bit, also after factors that led nowhere."""
    def run(system, **resumed):
        context = Watching(system, **resumed)
        Quench(Quench.Params()).run(system, context)
        return context, [values for _, values in sorted(system.state()[1].items())]

    start = glass(world, "ipl12-2d")
    start.move(0.02 * np.sin(1.0 + start.id[: start.n_owned, None] * np.arange(1.0, 3.0)))
    monkeypatch.setattr(System, "pace", 40)
    plain, _ = run(start.renewed())
    monkeypatch.setattr(choice, "FEWEST", 10)
    monkeypatch.setattr(landing, "REACH", landing.REACH if lead else 0.0)
    whole, expected = run(begun := System.from_state(world, start.model, *start.state()))
    assert begun.n_total < 1000 and ("factors" in whole.results["reason"]) == lead
    assert whole.results["energy"] == pytest.approx(plain.results["energy"], abs=1e-10)
    assert not lead or whole.results["evaluations"] < 0.7 * plain.results["evaluations"]
    tried = [int(snapshot.scalars["tried"]) for _, snapshot, _ in whole.kept.values()]
    assert set(tried) == ({0} if lead else {0, 1, 2, 3})      # from 1e-4, 1e-5 and 1e-6 of the force scale
    for number in set(tried):
        (numbers, rows), snapshot, tables = list(whole.kept.values())[tried.index(number)]
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

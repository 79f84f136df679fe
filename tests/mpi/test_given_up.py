"""Asked to stop within a step: the stage goes back to the last safe point and stores that; what goes on is equal to the bit."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
from glasses import glass, whole
from recorder import Stopped, Stopping

from hpcglass.config import Config
from hpcglass.context import StageContext
from hpcglass.core import system as systems
from hpcglass.core.system import System
from hpcglass.errors import Interrupted
from hpcglass.io.reader import verify
from hpcglass.run import main as hpcglass_run
from hpcglass.stages.base import GivenUp
from hpcglass.stages.expand.run import Expand, ExpandParams
from hpcglass.stages.shear.params import ShearParams
from hpcglass.stages.shear.run import Shear


class Asked(Stopping):
    """Asked to stop at one of the looks, whole fields and frames."""

    def __init__(self, system, stop=None, restored=None, tables=None):
        super().__init__(system, stop, restored, tables)
        self.frames, self.looks, self.places, self.asked, self.note = [], 0, [], False, ""
        self.lengths = self._lengths()

    def _lengths(self):
        return {name: len(rows) for name, rows in self.tables.items()}

    def field(self, name, values, units="", long_name=""):
        self.fields[name] = whole(self.system, values)

    def frame(self, step, time=0.0, **fields):
        self.frames.append((step, time, {name: whole(self.system, rows) for name, rows in fields.items()}))

    def look(self):
        self.looks += 1
        self.places.append(self.note)
        if self.looks == self.stop:
            for name, rows in self.tables.items():
                del rows[self.lengths.get(name, 0):]
            self.asked = True
            raise GivenUp

    def safe_point(self, step, total, snapshot, note=""):
        self.lengths, self.note = self._lengths(), note
        if "relaxing" in note:
            self.look_at_relaxing()
        if self.asked:
            self.saved, self.state = snapshot(), self.system.state()
            raise Stopped

    def look_at_relaxing(self):
        """A safe point within the first minimisation counts as a look."""
        self.looks += 1
        self.places.append(self.note)
        self.asked = self.looks == self.stop


def run(stage, s, **more):
    recorder = Asked(s, **more)
    if recorder.stop is None:
        stage.run(s, recorder)
    else:
        with pytest.raises(Stopped):
            stage.run(s, recorder)
    return recorder


def same(stage, start, stops):
    """Stopped at each of the looks that `stops` chooses, and gone on: as if it had been left alone."""
    straight_on = start()
    through = run(stage, straight_on)
    for stop in stops(through):
        halted = run(stage, start(), stop=stop)
        again = System.from_state(straight_on.comm, straight_on.model, *halted.state)
        ended = run(stage, again, restored=halted.saved, tables=halted.tables)
        where = f"look {stop} of {through.looks}"
        assert repr(ended.tables) == repr(through.tables), where
        assert repr(sorted((halted.results | ended.results).items())) == repr(sorted(through.results.items())), where
        assert repr(halted.frames + ended.frames) == repr(through.frames), where
        assert (whole(again, again.unwrapped()) == whole(straight_on, straight_on.unwrapped())).all(), where
        fields = halted.fields | ended.fields
        assert all(np.array_equal(fields[name], through.fields[name], equal_nan=True) for name in through.fields), where
    return through


def spread(count, after=""):
    """So many looks from the first to the last of those after safe points with such a note."""
    def stops(through):
        there = [look for look, place in enumerate(through.places, 1) if after in place]
        return sorted({there[k] for k in np.linspace(0, len(there) - 1, count).astype(int)})

    return stops


def shaken(world):
    """Not at rest."""
    s = glass(world, "lj-poly-2d")
    s.move(1e-3 * np.sin(np.arange(2) + s.id[: s.n_owned, None]))
    return s


@pytest.mark.few_ranks
def test_in_a_descent_or_the_first_minimisation(world, monkeypatch):
    """By descents, from a configuration that is not at rest."""
    monkeypatch.setattr(systems, "BETWEEN_LOOKS", (1e9, 40))
    stage = Shear(ShearParams(strain_step=1e-3, max_strain=4e-3, method="fire", force_tolerance=1e-8, frames_every=1))
    through = same(stage, lambda: shaken(world), spread(4))
    assert any("relaxing" in place for place in through.places) and len(through.tables["events"]) > 0


@pytest.mark.few_ranks
@pytest.mark.parametrize("adaptive", [False, True])
def test_along_a_branch_and_over_its_end(world, alone, adaptive):
    """In corrections, descents, the search for a fold, and unloading. On one rank: factors of several are equal to round-off."""
    stage = Shear(ShearParams(strain_step=4e-4, max_strain=2.8e-3, method="branch", locate=True, adaptive=adaptive,
                              smallest_step=1e-4, reverse=True, reverse_strain=8e-4, force_tolerance=1e-8))
    through = same(stage, lambda: glass(alone, "lj-poly-2d"), spread(5))
    assert len(through.tables["events"]) == 1


@pytest.mark.few_ranks
def test_when_a_saddle_is_left_at_the_start(alone):
    """The minimum that was found first is kept."""
    stage = Shear(ShearParams(strain_step=1e-4, max_strain=2e-4, method="branch", force_tolerance=1e-8))
    through = same(stage, lambda: shaken(alone), spread(3))
    assert through.places


@pytest.mark.few_ranks
def test_while_strained_for_comparison(world, alone):
    stage = Expand(ExpandParams(order=1, moduli=False, compare=1e-3, compare_steps=3))
    same(stage, lambda: glass(alone, "lj-poly-2d"), spread(4, after="strained"))


INPUT = """
seed = 3
[system]
model = "ipl10"
dimension = 2
particles = 200
[[stage]]
kind = "quench"
[[stage]]
kind = "shear"
strain_step = 2e-3
max_strain = 0.02
method = "fire"
frames_every = 3
[[stage]]
kind = "modes"
count = 5
"""


@pytest.mark.few_ranks
def test_a_whole_run(world, tmp_path_factory, monkeypatch):
    """Asked to stop within a descent, and in a stage that keeps nothing; the files are those of a run that was left alone."""
    directory = Path(world.bcast(str(tmp_path_factory.mktemp("shared")) if world.rank == 0 else ""))
    config, look = Config.parse(INPUT, "input.toml"), StageContext.look
    monkeypatch.setenv("HPCGLASS_CHECKPOINT_SECONDS", "1e9")       # only when stopped

    def start(name):
        return hpcglass_run(config, INPUT, directory / name, world, False, False)

    for stem, which, message in (("01-shear", 70, r"stopped at step \d+ of 10 of 01-shear"),
                                 ("02-modes", 2, "stopped in 02-modes")):
        looks = iter(range(10**6))

        def asked(context, stem=stem, which=which, looks=looks):
            if context.stem == stem and next(looks) == which:
                context._stop._note(signal.SIGTERM, None)
            look(context)

        monkeypatch.setattr(StageContext, "look", asked)
        with pytest.raises(Interrupted, match=message):
            start("run")
    monkeypatch.setattr(StageContext, "look", look)
    assert start("run") == start("whole") == 0
    stems = ("01-shear", "02-modes") if world.size == 1 else ("01-shear",)     # MUMPS on several ranks: equal to round-off
    found, wanted = ({f"{stem}:{name}": value for stem in stems for name, value in verify(
        directory / run / f"{stem}.h5", world).items() if not name.startswith(("/provenance/", "/timing/", "/stage/"))}
        for run in ("run", "whole"))
    assert len(found) > 40 and [name for name in wanted if found[name] != wanted[name]] == []

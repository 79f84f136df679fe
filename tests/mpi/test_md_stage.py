"""Dynamics that go wrong end with exit code 3 and are not saved, however short they are."""

from __future__ import annotations

import numpy as np
import pytest
from glasses import glass
from recorder import Recorder, Stopped, Stopping

from hpcglass.errors import PhysicsError
from hpcglass.stages.md import MD


def stage(**keys):
    return MD(MD.Params(**{"temperature": 0.1, "time": 2.0, "time_step": 0.5, "thermostat": "none", **keys}))


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("thermostat", ["none", "nose-hoover", "langevin"])
@pytest.mark.parametrize("name", ["ipl12-2d", "lj-binary-2d", "ipl10-2d"])
def test_four_steps_that_are_much_too_long(world, name, thermostat):
    """They ended "done": NaN is not larger than anything, and a thermostat cools what has flown apart."""
    context = Recorder()
    context.seed = 1
    with pytest.raises(PhysicsError, match=r"explodes|no finite position"):
        stage(thermostat=thermostat).run(glass(world, name), context)
    assert len(context.tables["thermo"]) == 1


def test_energy_that_drifts(world):
    """Soft discs stay in place with such steps, but their energy does not."""
    context = Recorder()
    context.seed = 1
    with pytest.raises(PhysicsError, match="the energy drifts"):
        stage(temperature=1e-3).run(glass(world, "harmonic-3d"), context)


def test_a_velocity_that_is_no_number_is_not_saved(world):
    """It is seen at the next safe point, before a checkpoint is made of it; also where another rank has it."""
    class Poisoned(Recorder):
        seed = 1

        def safe_point(self, step, total, snapshot, note=""):
            self.saved = step
            system.fields["velocity"][:1, 0] = np.nan if world.rank == world.size - 1 else 0.0

    system, context = glass(world, "ipl12-2d"), Poisoned()
    with pytest.raises(PhysicsError):
        stage(time_step=0.002).run(system, context)
    assert context.saved == min(system.pace, 20)


def test_energy_at_the_start_survives_a_restart(world):
    class Stops(Stopping):
        seed = 1

        def safe_point(self, step, total, snapshot, note=""):
            self.last = snapshot()
            if step == self.stop:
                raise Stopped

    system = glass(world, "ipl12-2d")
    cut = Stops(system, stop=40)
    with pytest.raises(Stopped):
        stage(time=0.1, time_step=0.001, measure_every=10).run(system, cut)
    begun = cut.column("thermo", "conserved")[0]
    assert cut.last.scalars["energy at the start"] == begun
    cut.last.scalars["energy at the start"] = begun + 100.0
    resumed = Stops(system, restored=cut.last, tables=cut.tables)
    with pytest.raises(PhysicsError, match="the energy drifts"):
        stage(time=0.1, time_step=0.001, measure_every=10).run(system, resumed)

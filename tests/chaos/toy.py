"""A stage that is all bookkeeping: it moves particles at random and uses every part of the context.

The variable CHAOS = "kind:rank:step" makes something go wrong there: `error` (an unexpected exception), `physics` (a PhysicsError
on one rank only), `nan` (a position), `field` (NaN in what is saved), `exit` (the process is gone), `signal` (this rank alone is
told to stop).
"""

from __future__ import annotations

import os
import signal
import time
from typing import Literal

import numpy as np
from pydantic import Field

from hpcglass import launcher
from hpcglass.errors import PhysicsError
from hpcglass.stages.base import Snapshot, Stage, StageParams


class ToyParams(StageParams):
    """Random steps."""

    kind: Literal["toy"] = "toy"
    steps: int = Field(gt=0, description="number of steps")
    pause: float = Field(0.0, ge=0, description="sleep per step [s]")
    frames_every: int = Field(3, gt=0, description="steps between frames")


class Toy(Stage):
    """Random steps."""

    name = "toy"
    Params = ToyParams

    def run(self, system, context):
        from hpcglass.core.comm import total

        self.system = system
        table = context.table("walk", step=("", "step"), mean=("length", "mean displacement"))
        first, work = 0, 0.0
        if context.restored:
            first, work = context.restored.scalars["step"], context.restored.scalars["work"]
            assert context.restored.scalars["name"] == "toy" and len(table) == first
            assert np.array_equal(context.restored.fields["square"], system.fields["memory"] ** 2)
        else:
            system.fields["memory"] = np.zeros((system.n_owned, system.dimension))
        context.cite("salmon2011")

        def snapshot():
            state = Snapshot({"step": step, "work": work, "name": "toy", "trace": np.arange(3.0) * work},
                             {"square": system.fields["memory"] ** 2})
            if wrong(self.system, step, "field"):
                state.fields["square"][:1] = np.nan
            return state

        for step in range(first + 1, self.params.steps + 1):
            with context.timer("move"):
                random = np.random.Generator(np.random.Philox(key=[context.seed, step]))
                kick = 0.05 * random.normal(size=(system.n_total, system.dimension))[system.id[: system.n_owned]]
                system.move(kick)
                system.fields["memory"] = 0.9 * system.fields["memory"] + kick
                system.update()
            work += total(system.comm, float((system.fields["memory"] ** 2).sum()))
            table.append(step=step, mean=work / step)
            if step % self.params.frames_every == 0:
                context.frame(step, 0.1 * step, memory=system.fields["memory"])
            go_wrong(system, step)
            time.sleep(self.params.pause)
            context.safe_point(step, self.params.steps, snapshot, note=f"work {work:.3g}")
        context.result("work", work, "length^2", "sum of squares")
        context.field("memory", system.fields["memory"], "length", "fading memory of the steps")


def wrong(system, step, kind):
    what, rank, when = os.environ.get("CHAOS", "::").split(":")
    return what == kind and int(rank) == launcher.rank() and int(when) == step


def go_wrong(system, step):
    if wrong(system, step, "error"):
        raise RuntimeError("something nobody thought of")
    if wrong(system, step, "physics"):
        raise PhysicsError("the energy exploded")
    if wrong(system, step, "nan") and system.n_owned:
        system.displacement[0, 0] = np.nan
    if wrong(system, step, "exit"):
        os._exit(9)
    if wrong(system, step, "signal"):
        os.kill(os.getpid(), signal.SIGUSR1)

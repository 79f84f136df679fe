"""What a stage learns of an earlier one: its tables, and its frames as systems."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mpi4py import MPI

from hpcglass.config import Config
from hpcglass.config.checks import check_earlier
from hpcglass.context import StageContext
from hpcglass.core.comm import largest, total
from hpcglass.core.system import System
from hpcglass.errors import FileError, InputError
from hpcglass.io.reader import Reader
from hpcglass.io.record import Record
from hpcglass.landscape.forces import evaluate
from hpcglass.potentials.library import MODELS
from hpcglass.run import main
from hpcglass.rundir.earlier import Earlier
from hpcglass.stages.base import StageParams

comm = MPI.COMM_WORLD
TEXT = """
seed = 3
[system]
model = "ipl12"
dimension = 2
particles = 100
[[stage]]
kind = "quench"
force_tolerance = 1e-8
[[stage]]
kind = "shear"
label = "loading"
method = "fire"
force_tolerance = 1e-8
strain_step = 4e-3
max_strain = 0.04
frames_every = 2
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = Path(comm.bcast(str(tmp_path_factory.mktemp("earlier")) if comm.rank == 0 else ""))
    assert main(Config.parse(TEXT, "input.toml"), TEXT, place / "run", comm, fresh=False, plots=False) == 0
    comm.Barrier()
    return place / "run"


def earlier(made) -> Earlier:
    return Earlier(comm, MODELS["ipl12"], [made / "00-quench.h5", made / "01-loading.h5"])


def test_tables_and_frames(made):
    loading = earlier(made)
    table = loading.table("loading")
    assert len(table["strain"]) == 11 and isinstance(loading.value("count_evaluations"), int)
    with pytest.raises(InputError, match="no table nothing"):
        loading.table("nothing")
    with pytest.raises(InputError, match="no number loading"):
        loading.value("loading")
    assert len(loading.frames) >= 5 and loading.frames == sorted(loading.frames)
    for number, (step, strain) in enumerate(loading.frames):
        s = loading.frame(number)
        assert strain == pytest.approx(4e-3 * step) and s.n_total == 100
        assert evaluate(s).energy == pytest.approx(table["energy"][step], abs=1e-9)
    start = loading.start()
    with Reader(comm, made / "00-quench.h5") as file:
        assert evaluate(start).energy == pytest.approx(file.value("/results/energy"), abs=1e-10)
    with pytest.raises(InputError, match="have no d2min"):
        loading.frame(0, "d2min")
    loading.close()


def test_the_first_stage_has_nothing_before_it(made):
    with pytest.raises(InputError, match="put a quench before"):
        Earlier(comm, MODELS["ipl12"], [made / "00-quench.h5"]).start()


def test_another_trajectory_is_refused(made, tmp_path_factory):
    copy = Path(comm.bcast(str(tmp_path_factory.mktemp("other")) if comm.rank == 0 else "")) / "run"
    if comm.rank == 0:
        shutil.copytree(made, copy)
        shutil.copy(copy / "00-quench.h5", copy / "01-loading.traj-0000.h5")
    comm.Barrier()
    with pytest.raises(FileError, match="not the file that 01-loading"):
        Earlier(comm, MODELS["ipl12"], [copy / "00-quench.h5", copy / "01-loading.h5"])


def test_columns_of_a_field():
    """In the order of ids, whatever the order of the system they belong to."""
    context = object.__new__(StageContext)
    context.comm, context.record = comm, Record()
    rng = np.random.default_rng(1)
    box, position = 10.0 * np.eye(2), rng.random((100, 2)) * 10
    own = np.arange(100)[comm.rank::comm.size]
    other = System(comm, MODELS["ipl12"], box, {"id": own, "position": position[own], "diameter": np.full(len(own), 0.5),
                                                "species": np.zeros(len(own), np.int32)})
    ids = other.id[: other.n_owned].astype(float)
    context.field_column("a", 0, ids, of=other)
    context.field_column("a", 2, 2.0 * ids, of=other)
    rows = context.record.fields["a"][0]
    assert total(comm, len(rows)) == 100 and rows.shape[1] == 3 and np.isnan(rows[:, 1]).all()
    assert largest(comm, float(np.abs(rows[:, 2] - 2.0 * rows[:, 0]).max(initial=0.0))) == 0.0
    context.field("b", ids, of=other)
    assert np.array_equal(context.record.fields["b"][0], rows[:, 0])


class Looking(StageParams):
    """Looks at a quench."""

    of: str = "quench"

    def looks_at(self):
        return self.of

    def misfits(self, earlier):
        if earlier.kind != "quench":
            yield "of", f"is a {earlier.kind}"


def test_the_label_is_checked():
    def said(*before, of="quench", after=()):
        named = [name.partition(":") for name in (*before, *after)]
        stages = [SimpleNamespace(kind=kind, label=label or None) for kind, _, label in named]
        stages.insert(len(before), Looking(kind="looking", of=of))
        return [message for _, message, _ in check_earlier(stages, len(before))]

    assert said("quench") == [] and said("swap", "quench:first", of="first") == []
    assert said("swap") == ["there is no stage of this label or kind (before it: swap)"]
    assert said("swap", after=("quench",)) == ["must be a stage before this one (before it: swap)"]
    assert said("quench", "quench") == ["is the name of several earlier stages: give each a label"]
    assert said("swap", of="swap") == ["is a swap"]

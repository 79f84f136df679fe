"""`hpcglass softness train` and the indicator: the same on any number of ranks; what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from glasses import arrays, glass, whole
from mpi4py import MPI
from pydantic import ValidationError
from recorder import Recorder
from test_shared_work import on_all_and_alone, same

from hpcglass.analysis.open_run import open_run, read_stage
from hpcglass.config import Config
from hpcglass.errors import InputError
from hpcglass.indicators.catalogue import INDICATORS, chosen
from hpcglass.indicators.plane import identity
from hpcglass.indicators.softness import functions_of
from hpcglass.run import main
from hpcglass.stages.indicators.params import IndicatorsParams
from hpcglass.stages.indicators.run import Indicators, read_plane

pytestmark = pytest.mark.few_ranks
comm = MPI.COMM_WORLD
TEXT = """
seed = 2
[system]
model = "ipl12"
dimension = 2
particles = 200
[ensemble]
samples = 3
[[stage]]
kind = "quench"
force_tolerance = 1e-12
[[stage]]
kind = "shear"
strain_step = 1e-3
max_strain = 0.03
locate = true
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    place = Path(comm.bcast(str(tmp_path_factory.mktemp("softness")) if comm.rank == 0 else ""))
    assert main(Config.parse(TEXT, "input.toml"), TEXT, place / "run", comm, fresh=False, plots=False) == 0
    comm.Barrier()
    return place / "run"


@pytest.fixture(scope="module")
def trained(runs):
    return runs.parent / ("by-all.h5" if comm.size > 1 else "by-one.h5")


def test_any_number_of_ranks(runs, trained, capsys):
    said = on_all_and_alone(capsys, "softness", "train", runs, "-o", runs.parent / "OUT.h5", "--held-out", "3")
    if comm.rank == 0:
        assert "3 samples" in said and "held-out ones" in said
        made = read_stage(trained)
        assert made.tables["softness_plane"].rows == 26 and 0.0 <= made.results["softness_accuracy"] <= 1.0
        assert made.results["softness_model"].startswith("ipl12: ") and '"quench"' in made.results["softness_preparation"]
        if comm.size > 1:
            same(runs.parent / "by-all.h5", runs.parent / "by-one.h5")
    comm.Barrier()


def test_the_indicator(runs, trained, world):
    """S from the file by hand, whatever the number of ranks; soft examples are softer than stiff ones."""
    plane = read_plane(world, str(trained))
    model, box, position, diameter, species = arrays("ipl12-2d")
    right = plane.softness(functions_of(model, box, position, diameter, species))
    s, done = glass(world, "ipl12-2d"), Recorder()
    Indicators(IndicatorsParams(which=["softness"], softness=str(trained))).run(s, done)
    assert np.abs(whole(s, done.fields["softness"]) - right).max() < 1e-9 * np.abs(right).max()
    assert np.std(right) > 0.0 and plane.model == identity(model)


def test_what_it_learnt(runs, trained):
    if comm.rank == 0:
        from hpcglass.analysis.softness.labels import examples

        _, functions, labels = examples(runs / "sample-0000", "shear", 0.0)
        plane = read_plane(MPI.COMM_SELF, str(trained))
        assert set(labels.tolist()) == {0.0, 1.0}
        assert plane.softness(functions[labels == 1]).mean() > plane.softness(functions[labels == 0]).mean()
        event = open_run(runs / "sample-0000")["shear"].events[0]
        assert np.linalg.norm(event.mode) == pytest.approx(1.0)
    comm.Barrier()


def test_refused(runs, trained, world):
    s = glass(world, "lj-binary-2d")
    with pytest.raises(InputError, match="trained on another model, ipl12"):
        Indicators(IndicatorsParams(which=["softness"], softness=str(trained))).run(s, Recorder())
    stage = str(runs / "sample-0000" / "00-quench.h5")
    with pytest.raises(InputError, match="no file of `hpcglass softness train`"):
        Indicators(IndicatorsParams(which=["softness"], softness=stage)).run(glass(world, "ipl12-2d"), Recorder())
    with pytest.raises(ValidationError, match="needs the file"):
        IndicatorsParams(which=["softness"])
    with pytest.raises(ValidationError, match="not among those"):
        IndicatorsParams(which=["z"], softness="w.h5")
    with pytest.raises(FileNotFoundError):
        IndicatorsParams(which=["softness"], softness="w.h5").beside(Path("/nowhere"))
    assert INDICATORS["softness"] not in chosen(["all"], 2)

"""`hpcglass predict`: the same words and bits on any number of ranks; a sample that is missing something; what is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI
from test_shared_work import command, on_all_and_alone, same, spoil

from hpcglass.analysis.open_run import read_stage
from hpcglass.commands.indicators.predict import preparations
from hpcglass.config import Config
from hpcglass.errors import InputError
from hpcglass.io.share import Ranks
from hpcglass.run import main

comm = MPI.COMM_WORLD
TEXT = """
seed = 2
[system]
model = "ipl12"
dimension = 2
particles = 120
[ensemble]
samples = 4
[[stage]]
kind = "quench"
force_tolerance = 1e-12
[[stage]]
kind = "shear"
strain_step = 1e-3
max_strain = 0.05
locate = true
[[stage]]
kind = "indicators"
of = "shear"
which = ["theta", "z", "rho"]
strains = [0.0, 0.04]
onsets = true
before_events = [2e-3]
moved = true
events = 2
"""


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    """Four samples, the last one damaged."""
    place = Path(comm.bcast(str(tmp_path_factory.mktemp("predict")) if comm.rank == 0 else ""))
    assert main(Config.parse(TEXT, "input.toml"), TEXT, place / "run", comm, fresh=False, plots=False) == 0
    comm.Barrier()
    if comm.rank == 0:
        spoil(place / "run" / "sample-0003" / "02-indicators.h5")
    comm.Barrier()
    return place / "run"


def test_any_number_of_ranks(ensemble, capsys):
    place = ensemble.parent
    said = on_all_and_alone(capsys, "predict", ensemble, "-o", place / "OUT.h5", "--csv", place / "OUT", "--least-energy", "0.1")
    if comm.rank == 0:
        assert "run: 3 samples, first event in 3 of them" in said and "skipped: " in said and "theta" in said
        assert "first event of at least 0.1" in said
        made = read_stage(place / ("by-all.h5" if comm.size > 1 else "by-one.h5"))
        table = made.tables["prediction_first"]
        assert set(table["kind"].tolist()) == {0, 1, 3, 4} and set(table["least_energy"].tolist()) == {0.0, 0.1}
        assert made.results["indicators"].split("\n") == ["rho", "theta", "z"]
        if comm.size > 1:
            same(place / "by-all.h5", place / "by-one.h5")
        with open(place / "by-one-first.csv") as file:
            rows = list(csv.DictReader(file))
        assert rows[0]["group"] == "run" and float(rows[0]["C_theta"]) == pytest.approx(table["C_theta"][0])
        density = made.tables["prediction_distribution"]
        first = density["strain"] == 0.0
        assert (density["density"][first] * np.diff(density["value"][first])[0]).sum() == pytest.approx(1.0, abs=0.05)
        assert sorted(path.name for path in place.glob("by-one-*.png"))


def test_which_samples_are_one_preparation():
    """Those of one ensemble, named one by one; not those of two that happen to have the same name."""
    a, b, c = Path("x/a/sample-0001"), Path("x/a/sample-0002"), Path("y/b")
    assert preparations([a, b, c]) == {a: "a", b: "a", c: "b"}
    other = Path("y/a/sample-0001")
    found = preparations([a, b, other])
    assert found[a] == found[b] != found[other] and found[other].endswith("y/a")


def test_what_is_refused(ensemble, capsys):
    for words, why in ((["-o", "x.csv"], "must end in .h5"),
                       (["--distributions", "thetta"], "no indicator"), (["--distributions", "structure"], "is a family"),
                       (["-o", "nowhere/x.h5"], "no directory"),
                       (["--stage", "quench"], "no sample with indicators"), (["--stage", "nothing"], "no sample")):
        with pytest.raises(InputError, match=why):
            command(Ranks(comm), "predict", ensemble, *words)
    assert "skipped" in capsys.readouterr().out or comm.rank

"""Finished runs that go on with a longer input: to the bit as if it had been the input at once; what cannot go on is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mpi4py import MPI

from hpcglass.config import Config
from hpcglass.core.comm import total
from hpcglass.errors import InputError
from hpcglass.io.reader import Reader, verify
from hpcglass.run import main
from hpcglass.rundir.whole import examine

comm = MPI.COMM_WORLD
CHANGING = ("/timing", "/provenance", "/stage/segments")
SHEAR = """
seed = 3
[system]
model = "ipl12"
dimension = 2
particles = 64
[[stage]]
kind = "shear"
method = "fire"
force_tolerance = 1e-8
strain_step = 4e-3
max_strain = {strain}
{keys}
[[stage]]
kind = "quench"
"""
MD = """
seed = 3
[system]
model = "ipl12"
dimension = 2
particles = 100
[[stage]]
kind = "md"
temperature = 0.1
time = {time}
measure_every = 10
thermostat = "{thermostat}"
"""

SWAP = """
seed = 3
[system]
model = "ipl12"
dimension = 2
particles = 100
[[stage]]
kind = "swap"
temperature = 0.3
sweeps = {sweeps}
warmup = 10
sub_sweeps = 20
measure_every = 40
"""
LATTICE = """
seed = 3
[[stage]]
kind = "epm"
size = 8
shear_modulus = 2.0
slip = {{ c0 = 0.1 }}
initial = {{ distribution = "weibull", mean = 0.3, cv = 0.3 }}
record_every = 0.01
{loading}
"""
BACKWARD = 'backward = { distribution = "weibull", mean = 0.3, cv = 0.3 }'


@pytest.fixture
def place(tmp_path_factory):
    return Path(comm.bcast(str(tmp_path_factory.mktemp("longer")) if comm.rank == 0 else ""))


def run(directory, text, **keys):
    text = text.format(**{"keys": "", **keys})
    code = main(Config.parse(text, "input.toml"), text, directory, comm, fresh=False, plots=False)
    comm.Barrier()
    return code


def same(one, other):
    """Two files hold the same but for what tells of their making."""
    one, other = ({name: value for name, value in verify(path).items() if not name.startswith(CHANGING)} for path in (one, other))
    assert one == other and one


@pytest.mark.few_ranks
@pytest.mark.parametrize(("before", "after"), [
    ({"strain": 0.02}, {"strain": 0.04}),
    ({"strain": 0.02, "keys": "adaptive = true\nsmallest_step = 1e-3\nactivity_every = 8e-3"},
     {"strain": 0.04, "keys": "adaptive = true\nsmallest_step = 1e-3\nactivity_every = 8e-3"}),
    ({"strain": 0.012, "keys": "cycles = 1"}, {"strain": 0.012, "keys": "cycles = 2"})], ids=["one way", "adaptive", "cycles"])
def test_a_longer_loading(before, after, place):
    assert run(place / "run", SHEAR, **before) == 0
    assert run(place / "run", SHEAR, **after) == 0 == run(place / "at-once", SHEAR, **after)
    for name in ("00-shear.h5", "01-quench.h5"):
        same(place / "run" / name, place / "at-once" / name)
    with Reader(comm, place / "run" / "00-shear.h5") as file:
        told = json.loads(file.value("/provenance/extended"))
        assert len(told) == 1 and told[0]["changed"][0].startswith("stage.0.") and "[[stage]]" in told[0]["resolved_input"]
        assert f"max_strain = {after['strain']}" in file.value("/provenance/resolved_input")
    log = (place / "run" / "log.txt").read_text()
    assert "made longer: stage.0." in log and "set aside 01-quench.h5" in log
    assert examine(comm, [place / "run"]).faults == []
    assert run(place / "run", SHEAR, **after) == 0      # nothing to do
    with pytest.raises(InputError, match=r"was made from another input|cannot be continued"):
        run(place / "run", SHEAR, **before)
    assert total(comm, 1) == comm.size


@pytest.mark.few_ranks
@pytest.mark.parametrize("samples", [1, 2])
def test_a_further_stage(samples, place):
    """What is there stays as it is, to the byte; what comes is as if it had been in the input at once."""
    before = SHEAR.replace("[system]", f"[ensemble]\nsamples = {samples}\n[system]", 1)
    after = before + '[[stage]]\nkind = "shear"\nlabel = "back"\nstrain_step = -2e-3\nmax_strain = 4e-3\n'
    runs = [place / "run" / f"sample-{k:04d}" for k in range(samples)] if samples > 1 else [place / "run"]
    assert run(place / "run", before, strain=0.004) == 0
    made = [(path / "01-quench.h5").read_bytes() for path in runs]
    assert run(place / "run", after, strain=0.004) == 0 == run(place / "at-once", after, strain=0.004)
    for path, bytes_before in zip(runs, made, strict=True):
        same(path / "02-back.h5", place / "at-once" / path.relative_to(place / "run") / "02-back.h5")
        assert (path / "01-quench.h5").read_bytes() == bytes_before
    assert examine(comm, runs).faults == []


@pytest.mark.few_ranks
@pytest.mark.parametrize("thermostat", ["nose-hoover", "langevin"])
def test_longer_dynamics(thermostat, place):
    for time in (0.2, 0.36, 0.5):       # the second one ends between two rows of the table
        assert run(place / "run", MD, time=time, thermostat=thermostat) == 0
    assert run(place / "at-once", MD, time=0.5, thermostat=thermostat) == 0
    same(place / "run" / "00-md.h5", place / "at-once" / "00-md.h5")
    with Reader(comm, place / "run" / "00-md.h5") as file:
        assert [entry["changed"] for entry in json.loads(file.value("/provenance/extended"))] == [
            ["stage.0.time: 0.2 -> 0.36"], ["stage.0.time: 0.36 -> 0.5"]]


@pytest.mark.few_ranks
def test_more_sweeps(place):
    for sweeps in (60, 120, 700):       # 60 is no row of a longer table; 700 are more measurements than there are blocks
        assert run(place / "run", SWAP, sweeps=sweeps) == 0
    assert run(place / "at-once", SWAP, sweeps=700) == 0
    same(place / "run" / "00-swap.h5", place / "at-once" / "00-swap.h5")
    with Reader(comm, place / "run" / "00-swap.h5") as file:
        assert file.value("/results/measurements/sweep").tolist() == [*range(40, 700, 40), 700]
        assert file.value("/results/energy_error") > 0


@pytest.mark.few_ranks
@pytest.mark.parametrize(("before", "after"), [
    ("max_strain = 0.4\nfields_at = [0.2]", "max_strain = 0.8\nfields_at = [0.2, 0.6]\nwindows = [0.5]"),
    ("max_strain = 0.4\ncycles = 1\n" + BACKWARD, "max_strain = 0.4\ncycles = 2\n" + BACKWARD)], ids=["one way", "cycles"])
def test_a_longer_loading_of_a_lattice(before, after, place):
    assert run(place / "run", LATTICE, loading=before) == 0
    assert run(place / "run", LATTICE, loading=after) == 0 == run(place / "at-once", LATTICE, loading=after)
    same(place / "run" / "00-epm.h5", place / "at-once" / "00-epm.h5")
    with Reader(comm, place / "run" / "00-epm.h5") as file:
        assert file.value("/results/avalanches_total") > 10
    assert examine(comm, [place / "run"]).faults == []
    assert total(comm, 1) == comm.size


def test_more_samples_and_longer_ones(place):
    ensemble = MD + "[ensemble]\nsamples = {samples}\n"
    keys = {"time": 0.1, "thermostat": "langevin"}
    assert run(place / "run", ensemble, samples=2, **keys) == 0
    first = verify(place / "run" / "sample-0000" / "00-md.h5")
    assert run(place / "run", ensemble, samples=3, **keys) == 0
    assert verify(place / "run" / "sample-0000" / "00-md.h5") == first
    assert run(place / "run", ensemble, samples=3, **{**keys, "time": 0.2}) == 0
    assert run(place / "at-once", ensemble, samples=3, **{**keys, "time": 0.2}) == 0
    for k in range(3):
        same(*(place / name / f"sample-000{k}" / "00-md.h5" for name in ("run", "at-once")))
    assert examine(comm, [place / "run"]).faults == []
    with pytest.raises(InputError, match=r"ensemble\.samples: 3 -> 2"):
        run(place / "run", ensemble, samples=2, **{**keys, "time": 0.2})
    assert total(comm, 1) == comm.size


def without_end(path):
    """A file as an older version wrote it."""
    from hpcglass.io import h5
    from hpcglass.io.contents import Contents
    from hpcglass.sealed.file import File

    contents = Contents()
    with File(path) as file:
        for name in file.objects():
            if name.startswith(("/end", "/provenance/seal")):
                continue
            told = {key: value for key, value in file.attributes(name).items() if key not in ("sha256", "frames")}
            contents.attribute(name, **told)
            if not file.is_group(name):
                contents.value(name, file.value(name))
    h5.write(MPI.COMM_SELF, path, contents)


def test_what_cannot_go_on_is_refused(place):
    keys = {"time": 0.1, "thermostat": "langevin"}
    assert run(place / "run", MD, **keys) == 0
    before = verify(place / "run" / "00-md.h5")
    for time, thermostat, reason in ((0.05, "langevin", "the run that was made is longer"), (0.2, "none", "another input")):
        with pytest.raises(InputError, match=reason):
            run(place / "run", MD, time=time, thermostat=thermostat)
    assert (place / "run" / "DONE").exists() and verify(place / "run" / "00-md.h5") == before
    comm.Barrier()
    if comm.rank == 0:
        without_end(place / "run" / "00-md.h5")
        (place / "run" / "DONE").unlink()
    comm.Barrier()
    with pytest.raises(InputError, match="does not hold the state in which the stage ended"):
        run(place / "run", MD, **{**keys, "time": 0.2})
    assert total(comm, 1) == comm.size

"""The stage `indicators` along a loading: which configurations, that they are those of the loading, how it goes on."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
from glasses import whole
from mpi4py import MPI
from pydantic import ValidationError
from recorder import Recorder

from hpcglass.config import Config
from hpcglass.core.comm import largest
from hpcglass.errors import InputError
from hpcglass.geometries.periodic import deformation, simple_shear
from hpcglass.indicators.glass import Glass
from hpcglass.landscape.forces import evaluate
from hpcglass.potentials.library import MODELS
from hpcglass.run import main
from hpcglass.rundir.earlier import Earlier
from hpcglass.stages.base import Snapshot
from hpcglass.stages.indicators.along import KINDS, Loading
from hpcglass.stages.indicators.params import AlongParams, IndicatorsParams
from hpcglass.stages.indicators.run import Indicators
from hpcglass.stages.shear.params import ShearParams

pytestmark = pytest.mark.few_ranks
comm = MPI.COMM_WORLD
TEXT = """
seed = 2
[system]
model = "ipl12"
dimension = 2
particles = 200
[[stage]]
kind = "quench"
force_tolerance = 1e-12
[[stage]]
kind = "shear"
strain_step = 2e-4
max_strain = 0.03
locate = true
"""
ALL = {"strains": [0.0, 0.004], "onsets": True, "before_events": [5e-5, 2e-3], "moved": True, "events": 2}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    place = Path(comm.bcast(str(tmp_path_factory.mktemp("along")) if comm.rank == 0 else "")) / "run"
    assert main(Config.parse(TEXT, "input.toml"), TEXT, place, comm, fresh=False, plots=False) == 0
    comm.Barrier()
    return [place / "00-quench.h5", place / "01-shear.h5"]


def earlier(files):
    return Earlier(comm, MODELS["ipl12"], files)


def loading(files, **keys):
    return Loading(earlier(files), AlongParams(kind="indicators", of="shear", **keys), lambda: None)


class Along(Recorder):
    """Has a loading behind it; is asked to stop after so many safe points."""

    def __init__(self, files, after=None, restored=None):
        super().__init__()
        self.files, self.after, self.restored = files, after, restored

    def earlier(self, label):
        assert label == "shear"
        return earlier(self.files)

    def safe_point(self, step, total, snapshot, note=""):
        super().safe_point(step, total, snapshot, note)
        if step == self.after:
            raise KeyboardInterrupt


def run(files, context=None, **keys):
    context = context or Along(files)
    system = earlier(files).start()
    Indicators(IndicatorsParams(of="shear", **{"which": ["theta", "z", "vibrality"], **ALL, **keys})).run(system, context)
    return context, system


def test_which_configurations(files):
    events = earlier(files).table("events")
    assert len(events["strain"]) >= 2
    found = loading(files, **ALL).places()
    kinds = [KINDS[place.kind] for place in found]
    assert kinds[:2] == ["strain", "strain"] and kinds[-2:] == ["affine", "nonaffine"] and kinds.count("onset") == 2
    assert all(place.strain + place.distance == pytest.approx(events["gamma_c"][place.event - 1], abs=1e-15)
               for place in found if place.event)
    dissipated = np.sort(events["energy_drop"])
    chosen = loading(files, onsets=True, events=0, least_energy=float(dissipated[-1])).places()
    assert [place.event for place in chosen] == [0, int(events["energy_drop"].argmax()) + 1]
    with pytest.raises(InputError, match="beyond the end of the loading"):
        loading(files, strains=[0.04]).places()


def test_they_are_those_of_the_loading(files):
    """The branch is followed to states that were kept, and to some that were not: energies and stresses agree."""
    path = loading(files, **ALL)
    table, events = earlier(files).table("loading"), earlier(files).table("events")
    for place in path.places():
        system = path.configuration(place)
        if place.moved:
            continue
        at = evaluate(system)
        step = round(place.strain / 2e-4)
        if abs(step * 2e-4 - place.strain) < 1e-9:
            assert at.energy == pytest.approx(table["energy"][step], abs=1e-9)
            assert at.stress[0, 1] == pytest.approx(table["shear_stress"][step], abs=1e-9)
        elif place.distance < 1e-4:     # not kept: the energy gained since the onset is the work done
            onset = int(events["step"][place.event - 1]) - 1
            work = at.stress[0, 1] + table["shear_stress"][onset]
            work *= 0.5 * system.volume * (place.strain - table["strain"][onset])
            assert at.energy - table["energy"][onset] == pytest.approx(work, rel=2e-2)


def test_fields(files):
    done, system = run(files)
    places = loading(files, **ALL).places()
    assert [row["strain"] for row in done.tables["configurations"]] == [place.strain for place in places]
    assert done.frames == [(k, place.strain) for k, place in enumerate(places)]
    assert all(done.fields[name].shape == (system.n_total, len(places)) for name in ("theta", "z", "vibrality"))
    moved = [place.moved for place in places]
    assert np.isnan(done.fields["vibrality"][:, moved]).all() and not np.isnan(done.fields["theta"]).any()
    start = earlier(files).start()
    assert np.allclose(whole(start, Glass(start).orientation[1]), done.fields["theta"][:, 0], atol=1e-9)
    first = next(place for place in places if place.moved)
    start.deform(deformation(simple_shear(2, "xy"), first.strain))
    start.update()
    assert np.allclose(whole(start, Glass(start).orientation[1]), done.fields["theta"][:, places.index(first)], atol=1e-9)


def test_nonaffine_motion_brings_it_nearer_to_the_onset(files):
    """To first order: what is left of the distance to the onset is less than without it."""
    path = loading(files, onsets=True, moved=True)
    _, onset, affine, nonaffine = path.places()
    there = path.configuration(onset)

    def distance(place):
        system = path.configuration(place)
        system.deform(deformation(simple_shear(2, "xy"), onset.strain - place.strain))
        ids = system.id[: system.n_owned].copy()
        moved = there.reorder(ids, system.unwrapped()) - there.unwrapped()
        moved -= moved.mean()
        return largest(comm, float(np.abs(moved - np.rint(moved @ np.linalg.inv(there.box).T) @ there.box.T).max(initial=0.0)))

    assert distance(nonaffine) < 0.7 * distance(affine)


@pytest.mark.parametrize("after", [0, 2, 7, 9])
def test_it_goes_on_after_a_stop(files, after):
    right, _ = run(files)
    first = Along(files, after)
    with pytest.raises(KeyboardInterrupt):
        run(files, first)
    again = Along(files, restored=Snapshot(first.last.scalars, {}))
    again.fields, again.tables, again.frames = copy.copy(first.fields), copy.copy(first.tables), first.frames
    run(files, again)
    assert again.frames == right.frames
    for column in ("kind", "event", "strain", "distance"):
        assert np.array_equal(again.column("configurations", column), right.column("configurations", column), equal_nan=True)
    for name, values in right.fields.items():       # MUMPS on several ranks is not the same to the bit
        assert (np.array_equal if comm.size == 1 else np.allclose)(again.fields[name], values, equal_nan=True)


def test_3d(tmp_path_factory):
    """The same in space: states on the branch have the loading's energy, and the kinds of indicators that are defined there."""
    place = Path(comm.bcast(str(tmp_path_factory.mktemp("space")) if comm.rank == 0 else "")) / "run"
    text = TEXT.replace("dimension = 2", "dimension = 3").replace('"ipl12"', '"ipl10"').replace("2e-4", "2e-3")
    assert main(Config.parse(text, "input.toml"), text, place, comm, fresh=False, plots=False) == 0
    comm.Barrier()
    found = [place / "00-quench.h5", place / "01-shear.h5"]
    files = Earlier(comm, MODELS["ipl10"], found)
    path = Loading(files, AlongParams(kind="indicators", of="shear", strains=[0.0, 0.004, 0.012], onsets=True), lambda: None)
    energy = files.table("loading")["energy"]
    for at in path.places():
        assert evaluate(path.configuration(at)).energy == pytest.approx(energy[round(at.strain / 2e-3)], abs=1e-8)
    context = Along(found)
    context.earlier = lambda label: Earlier(comm, MODELS["ipl10"], found)
    system = files.start()
    Indicators(IndicatorsParams(of="shear", which=["contacts", "s2", "vibrality"], onsets=True, moved=True)).run(system, context)
    assert {"z", "s2", "vibrality"} <= set(context.fields) and context.fields["s2"].shape == (system.n_total, 4)


def test_what_is_refused():
    with pytest.raises(ValidationError, match="of which loading"):
        IndicatorsParams(onsets=True)
    with pytest.raises(ValidationError, match="no configuration is asked for"):
        IndicatorsParams(of="shear", strains=[])
    with pytest.raises(ValidationError, match="must not be negative"):
        IndicatorsParams(of="shear", strains=[-0.1])

    def said(indicators, **shear):
        return list(IndicatorsParams(of="shear", **indicators).misfits(ShearParams(**{"max_strain": 0.1, **shear})))

    assert said({}) == [] and said({"onsets": True}, locate=True) == []
    assert said({"strains": [0.05, 0.2]}) == [("strains", "0.2: beyond the max_strain of the loading")]
    for indicators, shear, key, words in (
            ({}, {"mode": "pure"}, "of", "simple shear"), ({"plane": "yx"}, {}, "plane", '"xy"'),
            ({}, {"cycles": 1}, "of", "backward"), ({}, {"strain_step": -1e-3}, "of", "backward"),
            ({}, {"event_frames": False}, "of", "event_frames = true"),
            ({"moved": True}, {}, "of", "locate = true")):
        (found, message), = said(indicators, **shear)
        assert found == key and words in message
    (_, message), = IndicatorsParams(of="x").misfits(AlongParams(kind="quench"))
    assert "stage quench" in message

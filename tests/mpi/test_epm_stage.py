"""Stage `epm`: what it records, the same on any number of ranks; stopped and resumed to the bit; wrong input."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from mpi4py import MPI
from recorder import Recorder

from hpcglass.analysis.open_run import read_stage
from hpcglass.config import Config
from hpcglass.core.comm import total
from hpcglass.errors import FileError, InputError, Interrupted
from hpcglass.io.reader import verify
from hpcglass.run import main as run
from hpcglass.rundir.signals import Stop
from hpcglass.stages.base import Snapshot

comm = MPI.COMM_WORLD
ALONE = MPI.COMM_SELF
INPUT = """
seed = 5
[[stage]]
kind = "epm"
size = 18
shear_modulus = 20.0
initial = { distribution = "normal", mean = 2.0, cv = 0.3 }
slip = { fixed = 0.065 }
max_strain = 0.3
record_every = 0.01
"""


class Run(Recorder):
    """A context that keeps grids too, and stops at a safe point if it is told to."""

    def __init__(self, group, before=None, stop_at=None):
        super().__init__()
        self.comm, self.seed, self.stop_at, self.grids, self.points, self.kept = group, 2**63 + 9, stop_at, [], 0, None
        if before is not None:
            self.restored, self.tables, self.grids = before.kept, before.tables, before.grids

    def grid(self, step, strain, lines, **fields):
        self.grids.append((step, strain, lines, fields))

    def safe_point(self, step, steps, snapshot, note=""):
        self.points += 1
        if self.points == self.stop_at:
            self.kept = snapshot()
            raise Interrupted("stopped")


def load(group, context=None, **keys):
    """Run the stage with other keys than those of INPUT."""
    lines = {line.partition(" = ")[0]: line for line in INPUT.strip().splitlines()[3:]}
    lines |= {key: f"{key} = {value}" for key, value in keys.items() if value is not None}
    text = "[[stage]]\nkind = \"epm\"\n" + "\n".join(line for key, line in lines.items() if keys.get(key, 0) is not None)
    context = context or Run(group)
    Config.parse(text, "input.toml").stages()[0].run(None, context)
    return context


def rows_alike(one, other):
    """Tables of two runs, to the bit; NaN is equal to NaN."""
    assert one.keys() == other.keys()
    for name in one:
        assert len(one[name]) == len(other[name]), name
        for a, b in zip(one[name], other[name], strict=True):
            assert repr({k: float(v) for k, v in a.items()}) == repr({k: float(v) for k, v in b.items()}), name


FULL = {"size": 18, "initial": '{ distribution = "weibull", mean = 1.6, cv = 0.3 }',
        "renewal": '{ distribution = "gamma", mean = 1.0, cv = 0.4 }', "slip": "{ c0 = 0.03, c1 = 0.02 }", "bulk_modulus": 50.0,
        "internal_stress": 0.1, "renewed_modulus": 15.0, "fields_at": [0.0, 0.05, 0.3], "windows": [0.1], "avalanche_rows": 40}
CYCLES = {"backward": '{ distribution = "normal", mean = 1.5, cv = 0.2 }', "cycles": 2, "max_strain": 0.15,
          "fields_at": [0.15, -0.15], "orientation": '"pure"', "dynamics": '"asynchronous"', "wave_vectors": '"lattice"'}


@pytest.mark.parametrize("keys", [FULL, CYCLES], ids=["loading", "cycles"])
def test_any_number_of_ranks(keys):
    together, alone = load(comm, **keys), load(ALONE, **keys)
    rows_alike(together.tables, alone.tables)
    assert together.results.keys() == alone.results.keys()
    assert all(repr(together.results[name]) == repr(alone.results[name]) for name in alone.results)
    assert len(together.grids) == len(alone.grids) == len(keys["fields_at"])
    for (step, strain, lines, fields), whole in zip(together.grids, alone.grids, strict=True):
        assert (step, strain) == whole[:2] and total(comm, len(lines)) == 18
        for name, values in fields.items():
            assert np.array_equal(values, whole[3][name][lines]), name


def test_every_key_reaches_the_model():
    """Each key in its own place; what is left out is the model's default."""
    keys = {**FULL, "backward": CYCLES["backward"],
            "orientation": '"pure"', "dynamics": '"asynchronous"', "wave_vectors": '"lattice"'}
    body = "\n".join(f"{key} = {value}" for key, value in keys.items())
    text = f'[[stage]]\nkind = "epm"\nmax_strain = 0.3\nshear_modulus = 20\n{body}'
    params = Config.parse(text, "input.toml").stages()[0].params
    context = SimpleNamespace(comm=comm, seed=7)
    model = params.model(context, params.slip.build(context))
    assert (model.size, model.modulus, model.bulk_modulus) == (18, 20.0, 50.0)
    assert (model.renewed_modulus, model.internal_stress) == (15.0, 0.1)
    assert (model.shear, model.order, model.wave_vectors, model.seed) == ("pure", "weakest", "lattice", 7)
    assert (model.slip.c0, model.slip.c1, model.slip.random) == (0.03, 0.02, True)
    for found, mean, cv in ((model.thresholds, 1.6, 0.3), (model.renewal, 1.0, 0.4), (model.backward, 1.5, 0.2)):
        assert found.mean == pytest.approx(mean, rel=1e-3) and found.variance**0.5 == pytest.approx(mean * cv, rel=1e-3)
    plain = Config.parse(INPUT, "input.toml").stages()[0].params
    model = plain.model(context, plain.slip.build(context))
    assert (model.renewal, model.backward, model.renewed_modulus, model.bulk_modulus) == (None, None, None, np.inf)
    assert (model.shear, model.order, model.wave_vectors, model.slip.random) == ("simple", "synchronous", "continuum", False)
    assert model.thresholds.quantile(1e-12) > 0      # a normal distribution is cut at zero


def test_what_is_recorded():
    """Conservation laws, and sums of what is recorded in different ways."""
    done = load(comm, **FULL)
    column = lambda name: done.column("loading", name)      # noqa: E731
    assert column("strain") == pytest.approx(np.linspace(0, 0.3, 31), abs=1e-14)
    assert column("shear_stress") == pytest.approx(column("modulus") * (column("strain") - column("plastic_strain")), abs=1e-12)
    assert column("modulus")[0] == 20.0 and 15.0 < column("modulus")[-1] < 20.0
    assert column("avalanches")[-1] == done.results["avalanches_total"] > 40 == len(done.tables["avalanches"])
    for name in ("avalanche_slips", "avalanche_drops"):
        assert done.column(name, "count").sum() == done.results["avalanches_total"]
        assert set(done.column(name, "window_start")) == {0.0, 0.1}
    table = done.tables["avalanche_slips"]
    for start in (0.0, 0.1):
        assert sum(row["density"] * row["whole"] for row in table if row["window_start"] == start) == pytest.approx(1.0)
        drops = [row for row in done.tables["avalanche_drops"] if row["window_start"] == start]     # bins 10^(k/10)
        widths = [row["drop"] * (10**0.05 - 10**-0.05) for row in drops]
        assert sum(row["density"] * width for row, width in zip(drops, widths, strict=True)) == pytest.approx(1.0)
    before = column("avalanches")[np.searchsorted(column("strain"), 0.1 - 1e-9)]
    assert sum(row["count"] for row in table if row["window_start"] == 0.0) == before
    low = sum(row["first"] * row["count"] for row in table)
    high = sum((row["first"] + row["whole"] - 1) * row["count"] for row in table)
    assert low <= done.results["slips_total"] <= high
    assert done.column("avalanches", "strain")[0] == done.results["first_avalanche"] > 0
    whole = load(comm, **{**FULL, "record_every": 0.3})                 # all avalanches between two records
    assert whole.results["first_avalanche"] == done.results["first_avalanche"] == whole.column("avalanches", "strain")[0]
    assert done.results["peak_stress"] == column("shear_stress").max() and done.results["sites"] == 18**2
    _, strain, _, fields = done.grids[-1]
    slips = total(comm, int(fields["events"].sum()))
    assert strain == pytest.approx(0.3, abs=1e-14) and slips == done.results["slips_total"]
    assert total(comm, float(fields["plastic_strain"].sum())) / 18**2 == pytest.approx(column("plastic_strain")[-1], abs=1e-13)
    assert total(comm, float(fields["stress"].sum())) / 18**2 == pytest.approx(column("shear_stress")[-1], abs=1e-12)
    profile = [row for row in done.tables["band_profile"] if row["strain"] == strain]
    assert len(profile) == 18 and sum(row["activity"] for row in profile) * 18 == pytest.approx(slips)
    assert done.column("activity", "events")[-1] * 18**2 == pytest.approx(slips)
    assert done.column("activity", "ever_active")[-1] * 18**2 == pytest.approx(total(comm, int((fields["events"] > 0).sum())))


@pytest.mark.few_ranks
def test_cycles():
    """The way there and back, counted in the strain covered."""
    done = load(comm, **CYCLES, windows=[0.6])
    strain, covered = done.column("loading", "strain"), done.column("loading", "covered")
    assert strain[[15, 45, 60, 75, 120]] == pytest.approx([0.15, -0.15, 0, 0.15, 0], abs=1e-14)
    assert covered == pytest.approx(np.arange(121) * 0.01, abs=1e-12)
    assert done.column("loading", "shear_stress")[45] < 0
    counts = done.tables["avalanche_slips"]
    assert sum(row["count"] for row in counts if row["window_start"] == 0) == done.column("loading", "avalanches")[60]


@pytest.mark.few_ranks
@pytest.mark.parametrize("keys", [FULL, CYCLES], ids=["loading", "cycles"])
def test_resume_to_the_bit(keys, monkeypatch):
    """Stopped anywhere, also between records, and continued with the rows spread over ranks in another way."""
    monkeypatch.setattr("hpcglass.stages.lattice.epm.LINES_AT_ONCE", 3 * 18)
    straight = load(comm, **keys)
    assert straight.points > straight.column("loading", "strain").size
    for stop_at in np.linspace(1, straight.points, 5).astype(int).tolist():
        first = Run(comm, stop_at=stop_at)
        with pytest.raises(Interrupted):
            load(comm, first, **keys)
        kept = first.kept
        assert all(np.asarray(value).dtype.kind in "biuf" for value in kept.scalars.values())
        assert all(len(rows) == len(kept.ids) for rows in kept.fields.values())
        if comm.size > 1:       # everything on the last rank
            from hpcglass.core.comm import send_rows

            names = list(kept.fields)
            ids, *moved = send_rows(comm, np.full(len(kept.ids), comm.size - 1), kept.ids, *(kept.fields[n] for n in names))
            first.kept = Snapshot(kept.scalars, dict(zip(names, moved, strict=True)), ids)
        second = load(comm, Run(comm, first), **keys)
        rows_alike(second.tables, straight.tables)
        assert repr(second.results) == repr(straight.results)
        assert len(second.grids) == len(straight.grids)
        for one, other in zip(second.grids, straight.grids, strict=True):
            assert all(np.array_equal(one[3][name], values) for name, values in other[3].items())


@pytest.fixture
def directory(tmp_path_factory):
    """One directory for all ranks."""
    path = str(tmp_path_factory.mktemp("shared")) if comm.rank == 0 else ""
    return Path(comm.bcast(path))


def test_band_lies_where_it_is(directory):
    """One line is soft, and stays so: all slips are on it, and the band is found there, in either direction."""
    soft = np.full((18, 18), 50.0)
    soft[7] = 0.3
    if comm.rank == 0:
        with h5py.File(directory / "maps.h5", "w") as file:
            file["along"], file["across"] = soft, soft.T
    comm.Barrier()
    for name, number in (("along", 1), ("across", 2)):
        keys = {"initial": f'{{ file = "{directory}/maps.h5", column = "{name}", as_map = true }}',
                "renewal": '{ distribution = "normal", mean = 0.3, std = 0.01 }', "max_strain": 0.2, "fields_at": [0.2]}
        done = load(comm, **keys)
        last = done.tables["activity"][-1]
        assert (last["band"], last["position"], last["width"]) == (number, 7.5, 1.0)
        assert last["ever_active"] == pytest.approx(1 / 18)
        centre = [row["activity"] for row in done.tables["band_profile"] if row["x"] == 0.0]
        assert len(centre) == 1 and centre[0] * 18 == pytest.approx(done.results["slips_total"]) and centre[0] > 0
        _, _, lines, fields = done.grids[-1]
        slipped = fields["events"] > 0
        assert np.array_equal(slipped, (soft if number == 1 else soft.T)[lines] < 1)
        assert done.tables["loading"][-1]["plastic_localisation"] == pytest.approx(1.0, abs=0.3)


@pytest.mark.parametrize("number", [1, 2])
def test_bands_along_diagonals(directory, number):
    """Pure shear, a soft diagonal: 1 is that of equal y - x, 2 that of equal x + y; lengths are those across them."""
    y, x = np.indices((18, 18))
    soft = np.where(((y - x) if number == 1 else (x + y)) % 18 == 7, 0.3, 50.0)
    if comm.rank == 0:
        with h5py.File(directory / "map.h5", "w") as file:
            file["map"] = soft
    comm.Barrier()
    done = load(comm, orientation='"pure"', initial=f'{{ file = "{directory}/map.h5", column = "map", as_map = true }}',
                renewal='{ distribution = "normal", mean = 0.3, std = 0.01 }', max_strain=0.2)
    last = done.tables["activity"][-1]
    assert (last["band"], last["ever_active"]) == (number, pytest.approx(1 / 18))
    assert last["position"] == pytest.approx(7.5 / 2**0.5) and last["width"] == pytest.approx(1 / 2**0.5)


def test_thresholds_from_files(directory):
    """A sample from a CSV column and from an HDF5 dataset are the same; nothing else is ever drawn."""
    values = np.array([0.5, 0.9, 1.3, 2.0])
    if comm.rank == 0:
        lines = "".join(f"{k}, {v}\n" for k, v in enumerate(values))
        (directory / "yield.csv").write_text(f"# local yield stress\nsite, forward\n{lines}")
        with h5py.File(directory / "yield.h5", "w") as file:
            file["results/forward"] = values[::-1].reshape(2, 2)
    comm.Barrier()
    runs = [load(comm, initial=f'{{ file = "{directory}/yield.{kind}", column = "{column}" }}', fields_at=[0.3])
            for kind, column in (("csv", "forward"), ("h5", "results/forward"))]
    rows_alike(runs[0].tables, runs[1].tables)
    found = runs[0].grids[-1][3]["threshold"]
    assert np.isin(found, values).all() and runs[0].results["slips_total"] > 50


def test_thresholds_from_rows_of_a_file(directory):
    """Only rows in which other columns have the values that are asked for; the same from both kinds of file."""
    yields, T_p, sample = np.array([0.5, 0.9, 1.3, 2.0, 3.0]), np.array([0.7, 0.2, 0.7, 0.2, 0.7]), np.array([0, 0, 1, 1, 2])
    if comm.rank == 0:
        rows = "".join(f"{a},{b},{c}\n" for a, b, c in zip(T_p, sample, yields, strict=True))
        (directory / "yield.csv").write_text("T_p,sample,forward\n" + rows)
        with h5py.File(directory / "yield.h5", "w") as file:
            file["T_p"], file["sample"], file["forward"] = T_p.astype("f4"), sample, yields
    comm.Barrier()
    runs = [load(comm, initial=f'{{ file = "{directory}/yield.{kind}", column = "forward", where = {{ {where} }} }}',
                 fields_at=[0.3]) for kind, where in (("csv", "T_p = 0.7"), ("h5", "T_p = 0.7"), ("h5", "T_p = 0.7, sample = 1"))]
    rows_alike(runs[0].tables, runs[1].tables)
    drawn = [set(np.unique(run.grids[-1][3]["threshold"])) for run in runs]
    assert drawn[0] <= {0.5, 1.3, 3.0} and len(drawn[0]) > 1 and drawn[2] == {1.3}
    for where, message in (("T_p = 0.3", "nowhere T_p = 0.3; there are 0.2, 0.7"), ("T_p = 0.2, sample = 2", "no entry with"),
                           ("T = 0.2", "no such dataset")):
        with pytest.raises(InputError, match=message):
            load(comm, initial=f'{{ file = "{directory}/yield.h5", column = "forward", where = {{ {where} }} }}')


@pytest.mark.parametrize("name,column,message", [
    ("yield.csv", "backward", "no such column; there are site, forward"),
    ("yield.csv", "forward", "1 of 3 values are not finite"),
    ("text.csv", "site", "could not convert"), ("yield.h5", "forward", "no such dataset; there are results/forward"),
    ("broken.h5", "forward", "signature"), ("map.h5", "map", "18 x 18; it is 3 x 3")])
def test_files_that_cannot_be_used(directory, name, column, message):
    if comm.rank == 0:
        (directory / "yield.csv").write_text("site,forward\n0,1.0\n1,nan\n2,2.0\n")
        (directory / "text.csv").write_text("site,forward\nA,1.0\n")
        (directory / "broken.h5").write_text("not HDF5")
        with h5py.File(directory / "yield.h5", "w") as file:
            file["results/forward"] = np.ones(3)
        with h5py.File(directory / "map.h5", "w") as file:
            file["map"] = np.ones((3, 3))
    comm.Barrier()
    as_map = ", as_map = true" if name == "map.h5" else ""
    with pytest.raises(FileError if name == "broken.h5" else InputError, match=message):
        load(comm, initial=f'{{ file = "{directory}/{name}", column = "{column}"{as_map} }}',
             renewal='{ distribution = "normal", mean = 1, cv = 0.1 }')


@pytest.mark.parametrize("keys,message", [
    ({"size": 1}, "size.*must be >= 2"), ({"slip": None}, "slip.*is missing"),
    ({"slip": "{}"}, "either fixed, or c0"), ({"slip": "{ fixed = 0.1, c0 = 0.1 }"}, "either fixed, or c0"),
    ({"slip": "{ fixed = 0.1, c1 = 0.1 }"}, "no c1"), ({"slip": "{ c0 = 0 }"}, "nothing would slip"),
    ({"initial": None}, "initial.*is missing"), ({"initial": "{ mean = 1 }"}, "either a distribution or a file"),
    ({"initial": '{ distribution = "weibull", mean = 1 }'}, "either mean and cv, or shape and scale"),
    ({"initial": '{ distribution = "weibul", mean = 1, cv = 1 }'}, "did you mean 'weibull'"),
    ({"initial": '{ distribution = "normal", mean = -1, cv = 0.1 }'}, "the mean must be > 0"),
    ({"initial": '{ distribution = "gamma", mean = 1, cv = 0.1, lower = 2, upper = 1 }'}, "lower < upper"),
    ({"initial": '{ distribution = "gamma", mean = 1, cv = 0.1, as_map = true }'}, "belong to values from a file"),
    ({"initial": '{ file = "input.toml" }'}, "column is missing"),
    ({"initial": '{ distribution = "gamma", mean = 1, cv = 0.1, where = { a = 1 } }'}, "where belongs to values from a file"),
    ({"initial": '{ file = "x.h5", column = "a", mean = 1 }'}, "no mean"),
    ({"initial": '{ file = "nowhere.h5", column = "a" }'}, "initial.file.*there is no file"),
    ({"backward": '{ file = "nowhere.h5", column = "a" }'}, "backward.file.*there is no file"),
    ({"renewal": '{ file = "nowhere.h5", column = "a", as_map = true }'}, "renewal cannot be a map"),
    ({"initial": '{ file = "nowhere.h5", column = "a", as_map = true }'}, "needs a renewal"),
    ({"fields_at": [0.5]}, "fields_at .* go beyond"), ({"turning_points": [0.5]}, "turning_points .* go beyond"),
    ({"turning_points": [0.1], "cycles": 1}, "not both"), ({"turning_points": [0.1, 0.1]}, "differ from one to the next"),
    ({"record_every": 0.5}, "more than max_strain"), ({"windows": [0.2, 0.1]}, "in order"), ({"windows": [0.0]}, "must be > 0"),
    ({"orientation": '"simpel"'}, "did you mean 'simple'"), ({"wavevectors": '"lattice"'}, "did you mean 'wave_vectors'")])
def test_wrong_input(keys, message):
    with pytest.raises(InputError, match=message):
        load(comm, **keys)


@pytest.mark.few_ranks
def test_stopped_run_goes_on(directory, monkeypatch):
    """The whole program: stopped twice, continued from checkpoints, the same files as on one rank without a stop."""
    text = INPUT + "\n".join(f"{key} = {value}" for key, value in {
        "fields_at": [0.05, 0.1, 0.2], "internal_stress": 0.1, "windows": [0.1]}.items())
    config = Config.parse(text, "input.toml")
    assert config.system is None and Config.parse(config.to_toml(), "resolved.toml") == config
    monkeypatch.setenv("HPCGLASS_CHECKPOINT_SECONDS", "1e9")       # only when stopped
    asked = Stop.asked
    for after in (7, 12):
        calls = iter(range(10**6))
        monkeypatch.setattr(Stop, "asked", lambda self, reserve=0.0, calls=calls, after=after: int(next(calls) == after))
        with pytest.raises(Interrupted, match="stopped at step"):
            run(config, text, directory / "run", comm, False, False)
    monkeypatch.setattr(Stop, "asked", asked)
    assert run(config, text, directory / "run", comm, False, False) == 0
    if comm.rank == 0:
        assert run(config, text, directory / "one", ALONE, False, False) == 0
        assert "continuing from checkpoint" in (directory / "run" / "log.txt").read_text()
        found, wanted = (verify(directory / name / "00-epm.h5") for name in ("run", "one"))
        found, wanted = (
            {name: value for name, value in hashes.items() if not name.startswith(("/provenance/", "/timing/", "/stage/"))}
            for hashes in (found, wanted))
        assert found == wanted and len(found) > 40
        grids, others = (read_stage(directory / name / "00-epm.h5") for name in ("run", "one"))
        assert grids.grid_strain == pytest.approx([0.05, 0.1, 0.2], abs=1e-12) and grids.grids["stress"].shape == (3, 18, 18)
        assert all(np.array_equal(grids.grids[name], values) for name, values in others.grids.items()) and len(others.grids) == 4
    comm.Barrier()

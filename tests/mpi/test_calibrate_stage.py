"""Stage `calibrate`: the same on any number of ranks, stopped and resumed to the bit, targets from runs; wrong input."""

from __future__ import annotations

import re
import tomllib

import h5py
import numpy as np
import pytest
from mpi4py import MPI
from recorder import Recorder
from sealed_files import seal_file

from hpcglass.config import Config
from hpcglass.core.comm import largest
from hpcglass.errors import FileError, InputError, Interrupted
from hpcglass.stages.base import Snapshot

ALONE = MPI.COMM_SELF
INPUT = """
[[stage]]
kind = "calibrate"
fit = "c0_c1"
target = { plateau = 0.7, plateau_error = 0.02, peak = 0.9, peak_error = 0.03 }
size = 6
shear_modulus = 20.0
initial = { distribution = "weibull", mean = 1.5, cv = 0.3 }
max_strain = 0.3
record_every = 0.03
plateau_from = 0.15
accuracy = 0.2
samples = 16
most_samples = 32
"""


class Run(Recorder):
    """A context that stops at a safe point if it is told to."""

    def __init__(self, group, before=None, stop_at=None):
        super().__init__()
        self.comm, self.seed, self.stop_at, self.points = group, 2**64 - 3, stop_at, 0
        if before is not None:
            self.restored = Snapshot({name: np.array(value) for name, value in before.kept.scalars.items()})

    def safe_point(self, step, total, snapshot, note=""):
        self.points += 1
        if self.points == self.stop_at:
            self.kept = snapshot()
            raise Interrupted("stopped")


def text(**keys):
    """INPUT with other values; None leaves a key out."""
    lines = {line.partition(" = ")[0]: line for line in INPUT.strip().splitlines()}
    lines |= {key: f"{key} = {value}" for key, value in keys.items()}
    return "\n".join(line for key, line in lines.items() if keys.get(key, 0) is not None)


def fit(group, context=None, **keys):
    context = context or Run(group)
    Config.parse(text(**keys), "input.toml").stages()[0].run(None, context)
    return context


@pytest.fixture(scope="module")
def whole(world):
    """A run on all ranks, not interrupted."""
    return fit(world)


def assert_same(one, other):
    """Results, tables and words of two runs, to the bit."""
    assert one.message == other.message
    for mine, theirs in ((one.results, other.results), *((dict(enumerate(one.tables[t])), dict(enumerate(other.tables[t])))
                                                        for t in ("calibration", "trials"))):
        assert mine.keys() == theirs.keys()
        for name in mine:
            a, b = (list(v.values()) if isinstance(v, dict) else v for v in (mine[name], theirs[name]))
            assert np.array_equal(np.asarray(a, dtype=float), np.asarray(b, dtype=float), equal_nan=True), name


def test_same_on_any_number_of_ranks_and_what_is_stored(whole):
    together = whole
    assert_same(together, fit(ALONE))
    found = together.results
    assert found["sites"] == 36
    assert {"tyukodi2023", "richard-expansions"} <= together.cited
    assert found["c0"] + found["c1"] * (1.5**2 * (1 + 0.3**2)) == pytest.approx(found["mean_slip"], rel=1e-9)
    assert (found["target_plateau"], found["target_plateau_error"]) == (0.7, pytest.approx(0.02))
    assert np.isnan(found["target_peak_strain"])
    assert found["covariance"].shape == (2, 2)
    assert found["c1_error"] == pytest.approx(found["covariance"][1, 1] ** 0.5)
    assert together.column("calibration", "strain") == pytest.approx(0.03 * np.arange(11))
    beyond = together.column("calibration", "strain") > 0.149
    assert together.column("calibration", "shear_stress")[beyond].mean() == pytest.approx(found["predicted_plateau"])
    assert together.column("trials", "samples").sum() == found["evaluations"] == together.step


def test_the_stage_in_the_words_can_be_run(whole):
    done = whole
    pasted = tomllib.loads(done.message[done.message.index("[[stage]]"):])["stage"][0]
    assert pasted["slip"] == {name: pytest.approx(done.results[name], rel=1e-3) for name in ("c0", "c1")}
    params = Config.parse(done.message[done.message.index("[[stage]]"):], "pasted.toml").stage[0]
    assert (params.kind, params.size, params.initial.cv) == ("epm", 6, 0.3)


@pytest.mark.few_ranks
@pytest.mark.parametrize("stop_at", [1, 4, -1])
def test_resumed_to_the_bit(world, whole, stop_at):
    stop_at = whole.points + 1 + stop_at if stop_at < 0 else min(stop_at, whole.points)
    stopped = Run(world, stop_at=stop_at)
    with pytest.raises(Interrupted):
        fit(world, stopped)
    again = Run(world, stopped)
    assert_same(fit(world, again), whole)
    assert again.points == whole.points - stop_at


def test_resumed_on_another_number_of_ranks(world, whole):
    stopped = Run(world, stop_at=whole.points // 2)
    with pytest.raises(Interrupted):
        fit(world, stopped)
    assert_same(fit(ALONE, Run(ALONE, stopped)), whole)


@pytest.mark.parametrize(("peak", "told"), [(0.72, True), (0.9, False)])
def test_a_target_without_an_overshoot_says_little_about_c1(world, peak, told):
    target = f"{{ plateau = 0.7, plateau_error = 0.03, peak = {peak}, peak_error = 0.01 }}"
    done = fit(world, target=target, accuracy=1.0, most_samples=16)
    assert ("c1 means little" in done.message) == told


def write(path, strain, stress, name="loading"):
    """A stage file as far as it is read here."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file[f"results/{name}/strain"], file[f"results/{name}/shear_stress"] = strain, stress
    seal_file(path)


@pytest.fixture
def glass(tmp_path):
    """An ensemble of three samples with a curve of 0.8 (1 - exp(-50 strain)) and something added."""
    strain = np.linspace(0.0, 0.45, 500)
    for k in range(3):
        sample = tmp_path / "glass" / f"sample-000{k}"
        write(sample / "01-shear.h5", strain, 0.8 * (1 - np.exp(-50 * strain)) + 0.01 * (k - 1))
        write(sample / "00-quench.h5", strain, strain, "minimisation")
    return tmp_path / "glass"


def target(path, **more):
    return "{ " + ", ".join([f'runs = ["{path}"]', *(f'{key} = "{value}"' for key, value in more.items())]) + " }"


def test_targets_from_runs(world, glass):
    done = fit(world, fit='"c0"', target=target(glass))
    assert done.results["target_samples"] == 3
    assert done.results["target_plateau"] == pytest.approx(0.8, abs=1e-3)
    assert done.results["target_plateau_error"] == pytest.approx(0.01 / 3**0.5)
    assert np.isfinite(done.results["curve_misfit"])
    assert done.column("calibration", "target")[-1] == pytest.approx(0.8, abs=1e-3)
    one = fit(world, fit='"c0"', target=target(glass / "sample-0001", stage="shear"))
    assert one.results["target_samples"] == 1
    assert one.results["target_plateau_error"] > 0.01       # that of one lattice of six by six sites
    file = fit(world, fit='"fixed"', target=target(glass / "sample-0001" / "01-shear.h5"))
    assert file.results["fixed"] > 0
    assert "c0" not in file.results


@pytest.mark.parametrize(("slope", "told"), [(0.0, False), (4.0, True)])
def test_a_target_that_has_not_come_to_its_plateau(world, glass, slope, told):
    """Three samples that rise by 0.36 between the halves of the plateau, one lattice by chance by 0.1."""
    if world.rank == 0:
        strain = np.linspace(0.0, 0.45, 500)
        for k in range(3):
            write(glass / f"sample-000{k}" / "01-shear.h5", strain, 0.5 * (1 - np.exp(-50 * strain)) + slope * (strain - 0.1))
    world.Barrier()
    done = fit(world, fit='"c0"', target=target(glass), accuracy=1.0, most_samples=16)
    assert ("is not flat beyond plateau_from = 0.15" in done.message) == told


def damaged(glass, how):
    """Spoil the ensemble in some way; returns the target that is given."""
    strain, sample = np.linspace(0.0, 0.45, 50), glass / "sample-0001"
    if how == "short":
        write(sample / "01-shear.h5", strain / 2, strain)
    elif how == "cyclic":
        write(sample / "01-shear.h5", np.sin(20 * strain), strain)
    elif how == "nan":
        write(sample / "01-shear.h5", strain, strain * np.nan)
    elif how == "two":
        write(sample / "02-again.h5", strain, strain)
    elif how == "none":
        (sample / "01-shear.h5").unlink()
    elif how == "no file":
        (sample / "01-shear.h5").write_bytes(b"not HDF5 at all")
    return target(glass / "sample-0001" / "00-quench.h5") if how == "merged" else target(glass)


@pytest.mark.parametrize(("how", "words"), [
    ("short", "was loaded to a strain of 0.225 only"), ("cyclic", "goes back and forth"), ("nan", "finite numbers"),
    ("two", r"more than one stage with a table 'loading' \(there are: 01-shear, 02-again\); say which"),
    ("none", r"no stage with a table 'loading' \(there are: none\)"), ("merged", "has no table 'loading'"),
    ("no file", r"01-shear\.h5: not written by hpcglass")])
def test_runs_that_are_no_target(world, glass, how, words):
    with pytest.raises(FileError if how == "no file" else InputError, match=words) as caught:
        fit(world, fit='"c0"', target=damaged(glass, how))
    assert largest(world, len(str(caught.value))) > 0        # on all ranks: nobody is left behind


@pytest.mark.parametrize(("keys", "words"), [
    ({"target": "{ plateau = 0.8 }"}, "needs target.peak"),
    ({"target": "{ plateau_error = 0.8 }"}, "give either plateau"),
    ({"target": "{ plateau = 0.8, peak = 0.7 }"}, "peak = 0.7 is below plateau = 0.8"),
    ({"target": '{ plateau = 0.8, runs = ["x"] }'}, "give either plateau"),
    ({"target": '{ runs = ["x"], peak = 1.0 }'}, "leave them out"),
    ({"target": '{ plateau = 0.8, peak = 1.0, stage = "x" }'}, "stage belongs to runs"),
    ({"target": '{ runs = ["not-there"] }'}, "there is no file .*not-there"),
    ({"target": None}, "target"), ({"fit": '"c2"'}, "fit"), ({"fit": None}, "fit"),
    ({"plateau_from": 0.3}, "must leave a step"), ({"plateau_from": 0.01}, "must leave a step"), ({"window": 0.2}, "wider"),
    ({"samples": 60}, "more than most_samples"), ({"samples": 1}, "samples"), ({"accuracy": 0.0}, "accuracy"),
    ({"slip": "{ fixed = 0.1 }"}, "slip"), ({"start": 0.0}, "start")])
def test_wrong_input(keys, words):
    with pytest.raises(InputError, match=re.compile(words)):
        Config.parse(text(**keys), "input.toml")

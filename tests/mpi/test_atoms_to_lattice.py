"""A lattice made of a glass: what goes in is what is measured in it; moduli and stresses block by block; conservation; ranks."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from mpi4py import MPI
from recorder import Recorder
from sealed_files import seal_file

from hpcglass.config import Config
from hpcglass.epm import Lattice
from hpcglass.errors import InputError
from hpcglass.stages.lattice.atoms import read_glass

comm, ALONE = MPI.COMM_WORLD, MPI.COMM_SELF
SIZE = 6
HEAD = '[system]\nmodel = "ipl10"\ndimension = 2\nparticles = 775\n'      # 6 x 6 blocks
INPUT = """
[[stage]]
kind = "strength"
label = "fresh"
[[stage]]
kind = "strength"
[[stage]]
kind = "epm"
size = 6
max_strain = 0.2
record_every = 0.01
slip = { fixed = 0.02 }
"""


def blocks(seed=1, mean=1.0, strains=(0.0,)):
    """Tables of a stage `strength`, blocks with the last axis fastest."""
    dice = np.random.default_rng(seed)
    n = SIZE**2 * len(strains)
    columns = {"strain": np.repeat(strains, SIZE**2), "sigma_y": mean * dice.uniform(0.5, 1.5, n),
               "stress": dice.normal(0.1, 0.05, n), "modulus": 20.0 * dice.uniform(0.8, 1.2, n),
               "delta_tau_y": dice.uniform(0.2, 0.9, n)}
    columns["threshold"] = columns["stress"] + columns["delta_tau_y"]
    columns["y"] = np.tile((np.arange(SIZE) + 0.5) * 5.0, SIZE * len(strains))
    number = {"strain": np.array(strains), "shear_modulus": np.full(len(strains), 20.0 * mean),
              "bulk_modulus": np.full(len(strains), 50.0), "delta_sigma": np.full(len(strains), 0.05),
              "patch_modulus": np.full(len(strains), 25.0 * mean)}
    patches = {"strain": np.repeat(strains, 3 * SIZE**2), "threshold": dice.uniform(1.0, 3.0, 3 * SIZE**2 * len(strains))}
    return {"blocks": columns, "sites": patches, "strength": number}


CALIBRATION = """kind = "calibrate"
label = "slips"
fit = "fixed"
target = { plateau = 0.5 }
size = 6
shear_modulus = 20.0
initial = { distribution = "weibull", mean = 1.0, cv = 0.3 }
max_strain = 0.3
plateau_from = 0.1"""


class Context(Recorder):
    """A context with earlier stages."""

    def __init__(self, group, **stages):
        super().__init__()
        self.comm, self.seed, self.stages = group, 11, stages

    def earlier(self, label):
        tables = self.stages[label]

        def value(name):
            if name not in tables:
                raise InputError(f"no number {name}")
            return tables[name]

        return SimpleNamespace(table=tables.__getitem__, value=value, close=lambda: None)

    def grid(self, *args, **fields):
        pass


def params_of(text):
    return Config.parse(HEAD + INPUT + text, "input.toml").stages()[2].params


MAP = """
initial = { glass = "strength", quantity = "threshold", as_map = true }
renewal = { glass = "fresh", quantity = "sigma_y" }
renewed_modulus = "glass"
local_moduli = true
internal_stress = "map"
bulk_modulus = "glass"
"""


def made(group, text):
    params = params_of(text)
    context = Context(group, strength=blocks(), fresh=blocks(2, 0.8))
    return Lattice(group, params.model(context, params.slip.build(context)))


def test_what_goes_in_is_measured_back():
    """Thresholds, internal stress and moduli of the lattice at the start are those of the blocks, in rows of equal y; the block
    that is nearest to its threshold slips first, when it is reached.
    """
    lattice, table = made(comm, MAP), blocks()["blocks"]
    grid = {name: values.reshape(SIZE, SIZE).T for name, values in table.items()}
    assert np.array_equal(lattice.gather(lattice.threshold_field()), grid["threshold"])
    assert lattice.gather(lattice.stress_field()) == pytest.approx(grid["stress"] - grid["stress"].mean(), abs=1e-9)
    assert lattice.modulus == pytest.approx(20.0, rel=1e-8) and lattice.model.bulk_modulus == 50.0
    assert lattice.model.local_moduli == pytest.approx(grid["modulus"] * 20.0 / grid["modulus"].mean())
    assert lattice.model.renewed_modulus == pytest.approx(16.0)
    missing = grid["threshold"] - lattice.gather(lattice.stress_field())
    first = lattice.load(0.5, at_most=1)
    assert lattice.gather(lattice.event_field())[np.unravel_index(missing.argmin(), missing.shape)] == 1
    assert first.strain[0] * 20.0 == pytest.approx(missing.min(), rel=1e-8)       # loaded to its threshold, and no further
    drawn = set(blocks(2, 0.8)["blocks"]["sigma_y"])
    while lattice.slips < 40:
        lattice.load(lattice.strain + 0.01)
    events = lattice.gather(lattice.event_field())
    assert set(lattice.gather(lattice.threshold_field())[events > 0]) <= drawn


def test_conservation_in_a_lattice_of_a_map():
    """Sigma = mu (gamma - gamma_p) at all times, the mean of the stress field; the modulus is the mean over blocks."""
    lattice = made(comm, MAP)
    moduli = lattice.model.local_moduli
    for strain in (0.02, 0.05, 0.1, 0.2):
        while lattice.strain != strain:
            lattice.load(strain)
        events = lattice.gather(lattice.event_field())
        expected = np.where(events > 0, 16.0, moduli).mean()
        assert lattice.modulus == pytest.approx(expected, rel=1e-8)
        assert lattice.stress == pytest.approx(expected * (strain - lattice.plastic_strain), rel=1e-7)
        assert lattice.gather(lattice.stress_field()).mean() == pytest.approx(lattice.stress, abs=1e-10)
    assert lattice.slips > 20


def test_any_number_of_ranks():
    together, alone = made(comm, MAP), made(ALONE, MAP)
    for lattice in (together, alone):
        while lattice.strain != 0.15:
            lattice.load(0.15)
    assert together.stress == alone.stress and together.slips == alone.slips
    assert np.array_equal(together.gather(together.stress_field()), alone.stress_field())
    scalars, rows = together.state()
    again = Lattice.from_state(comm, together.model, scalars, together.sites, rows)
    for lattice in (together, again):
        while lattice.strain != 0.2:
            lattice.load(0.2)
    assert together.stress == again.stress and together.modulus == again.modulus


def test_thresholds_of_a_matrix_that_relaxes():
    """Times mu over that of the patches, 0.8 here, in a map and in a sample."""
    lattice = made(comm, MAP.replace('"threshold", as_map', '"threshold", relaxed = true, as_map').replace('"map"', "0.0"))
    table = blocks()["blocks"]
    assert lattice.gather(lattice.threshold_field()) == pytest.approx(0.8 * table["threshold"].reshape(SIZE, SIZE).T)
    sampled = made(comm, 'initial = { glass = "strength", quantity = "sigma_y", relaxed = true }')
    assert sampled.model.thresholds.mean == pytest.approx(0.8 * table["sigma_y"].mean())


def test_sampled_thresholds():
    lattice = made(comm, 'initial = { glass = "strength", quantity = "sigma_y" }\ninternal_stress = "glass"')
    assert set(lattice.gather(lattice.threshold_field()).ravel()) <= set(blocks()["blocks"]["sigma_y"])
    assert lattice.model.modulus == 20.0 and lattice.model.internal_stress == 0.05 and lattice.model.local_moduli is None


def test_thresholds_of_single_patches():
    lattice = made(comm, 'initial = { glass = "strength", sites = true }')
    assert set(lattice.gather(lattice.threshold_field()).ravel()) <= set(blocks()["sites"]["threshold"])
    assert lattice.model.thresholds.mean == pytest.approx(blocks()["sites"]["threshold"].mean())


@pytest.mark.parametrize("fit,slip", [({"fixed": 0.07}, (0.07, 0.0, False)), ({"c0": 0.03}, (0.03, 0.0, True)),
                                      ({"c0": 0.03, "c1": 0.02}, (0.03, 0.02, True))])
def test_slips_of_a_calibration(fit, slip):
    text = HEAD + INPUT.replace("fixed = 0.02", 'of = "slips"').replace('kind = "strength"\nlabel = "fresh"', CALIBRATION)
    params = Config.parse(text + 'shear_modulus = 20.0\ninitial = { distribution = "weibull", mean = 1.0, cv = 0.3 }',
                          "input.toml").stages()[2].params
    built = params.slip.build(Context(comm, slips=fit))
    assert (built.c0, built.c1, built.random) == slip


def test_files(tmp_path, monkeypatch):
    """A stage's file, a run of samples, a merged file: the same blocks."""
    import h5py

    from hpcglass.analysis.ensembles.strengths import bin_width

    root = comm.bcast(str(tmp_path)) if comm.size > 1 else str(tmp_path)
    if comm.rank == 0:
        for sample in range(2):
            path = tmp_path / f"sample-{sample:04d}" / "02-strength.h5"
            path.parent.mkdir()
            write(h5py, path, blocks(sample + 1, strains=(0.0, 0.1)))
        values = np.concatenate([blocks(k, strains=(0.0, 0.1))["blocks"]["sigma_y"][: SIZE**2] for k in (1, 2)])
        width = bin_width(values)
        numbers, counts = np.unique(np.floor(values / width), return_counts=True)
        density = {"strain": np.zeros(len(numbers)), "value": (numbers + 0.5) * width, "count": counts.astype(float)}
        write(h5py, tmp_path / "merged.h5", {"sigma_y_density": density, "mean_strength": blocks()["strength"]})
    comm.Barrier()
    context = Context(comm)
    run, one = read_glass(context, root, None, 0.0), read_glass(context, f"{root}/sample-0000/02-strength.h5", None, 0.1)
    assert run.values("sigma_y").size == 2 * SIZE**2 and one.values("sigma_y").size == SIZE**2
    assert np.array_equal(one.values("stress"), blocks(1, strains=(0.0, 0.1))["blocks"]["stress"][SIZE**2:])
    assert run.number("shear_modulus") == pytest.approx(20.0)
    patches = np.concatenate([blocks(k, strains=(0.0, 0.1))["sites"]["threshold"][: 3 * SIZE**2] for k in (1, 2)])
    assert np.array_equal(run.values("threshold", "sites"), patches)
    merged = read_glass(context, f"{root}/merged.h5", None, 0.0)
    with pytest.raises(InputError, match=rf"^{root}/merged.h5: a merged file has no sites"):
        merged.values("threshold", "sites")
    with pytest.raises(InputError, match="does not say where its blocks are"):
        merged.map("sigma_y", SIZE)
    width = bin_width(run.values("sigma_y"))
    assert np.sort(merged.values("sigma_y")) == pytest.approx(np.sort(run.values("sigma_y")), abs=width)
    with pytest.raises(InputError, match="72 blocks"):
        run.map("sigma_y", SIZE)
    with pytest.raises(InputError, match=r"no strain 0\.05"):
        read_glass(context, root, None, 0.05).values("sigma_y")
    with pytest.raises(InputError, match="stage other with a table 'blocks'"):
        read_glass(context, root, "other", 0.0).values("sigma_y")
    comm.Barrier()


def write(h5py, path, tables):
    with h5py.File(path, "w") as file:
        for name, columns in tables.items():
            for column, values in columns.items():
                file[f"results/{name}/{column}"] = values
    seal_file(path)


@pytest.mark.parametrize("text,message", [
    ('initial = { glass = "other" }', "no stage of this label"), ('initial = { glass = "epm" }', "must be a stage before"),
    ('initial = { distribution = "weibull", mean = 1.0, cv = 0.3 }', "shear_modulus is missing"),
    ('initial = { glass = "fresh" }\nlocal_moduli = true', "as_map = true"),
    ('initial = { glass = "fresh" }\nrenewed_modulus = "glass"', "needs renewal.glass"),
    ('initial = { glass = "fresh", mean = 1.0 }', "have no mean"),
    ('initial = { glass = "fresh", sites = true, as_map = true }', "a map has a value for each block"),
    ('initial = { distribution = "weibull", mean = 1.0, cv = 0.3, sites = true }', "sites belong to a glass"),
    ('initial = { glass = "fresh" }\ncompare = "fresh"', "is a stage strength, not shear"),
    ('initial = { glass = "" }', "must not be empty")])
def test_what_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        params_of(text)


def test_a_map_must_fit():
    params = params_of(MAP)
    context = Context(comm, strength=blocks(strains=(0.0, 0.0)), fresh=blocks())
    with pytest.raises(InputError, match="72 blocks in 6 rows of equal y, and the lattice 6 x 6"):
        params.model(context, params.slip.build(context))
    flat = blocks()
    flat["blocks"]["y"] = np.tile((np.arange(4) + 0.5) * 5.0, 9)        # 9 x 4 blocks, or those of a 3D glass
    context = Context(comm, strength=flat, fresh=blocks())
    with pytest.raises(InputError, match="36 blocks in 4 rows of equal y"):
        params.model(context, params.slip.build(context))

"""Opening a run, and a figure for each kind of stage."""

import h5py
import numpy as np
import pytest
from sealed_files import seal_file

import hpcglass
from hpcglass.__main__ import main
from hpcglass.analysis.figures.cells import slab
from hpcglass.analysis.figures.draw import plot_stage_file
from hpcglass.errors import FileError, InputError

RESOLVED = """
[parameters]
T = 0.12
[[stage]]
kind = "swap"
temperature = "$T"
[[stage]]
kind = "quench"
[[stage]]
kind = "shear"
[[stage]]
kind = "md"
temperature = 0.5
temperature_end = 0.1
thermostat = "langevin"
"""


def stage_file(path, tables, fields=None, dimension=2, count=64):
    rng = np.random.default_rng(3)
    box = np.eye(dimension) * count ** (1 / dimension)
    with h5py.File(path, "w") as file:
        file["particles/all/position/value"] = (rng.random((count, dimension)) @ box.T)[None]
        file["particles/all/box/edges/value"] = box.T[None]
        file["particles/all/diameter"] = rng.uniform(0.7, 1.6, count)
        file["provenance/resolved_input"] = RESOLVED
        file["results/number"] = 2.5
        file["results/exchange_ratio"], file["results/exchange_ratio_error"] = 0.99, 0.02
        for name, columns in tables.items():
            for column, values in columns.items():
                data = file.create_dataset(f"results/{name}/{column}", data=values)
                data.attrs["units"], data.attrs["long_name"] = "energy", f"the {column}"
        for name, values in (fields or {}).items():
            file[f"fields/{name}"] = values
        for name in tables:
            file[f"results/{name}"].attrs["columns"] = "\n".join(tables[name])
    return seal_file(path)


@pytest.fixture
def run(tmp_path):
    rng = np.random.default_rng(1)
    x = np.arange(30.0)
    one = np.ones(30)
    swap = dict(sweep=x, energy=one, acceptance_displacement=one, acceptance_swap=one, mean_square_displacement=x,
                temperature_configurational=0.12 + 0.01 * rng.normal(size=30), exchange_ratio=one)
    stage_file(tmp_path / "00-swap.h5", {"measurements": swap})
    stage_file(tmp_path / "01-quench.h5", {"minimisation": dict(evaluations=x, energy=one, max_force=10 ** -x)})
    loading = dict(strain=x, shear_stress=x, energy=x, pressure=x)
    events = dict(step=[3.0], strain=[3.0], stress=[3.0], stress_drop=[0.5])
    maps = dict(d2min=np.append(np.zeros(4), rng.random(60)), event_d2min=rng.random(64))
    stage_file(tmp_path / "02-load.h5", {"loading": loading, "events": events}, maps)
    thermo = dict(step=x, time=x, temperature=one, target=one, kinetic=one, potential=one, pressure=one)
    stage_file(tmp_path / "03-md.h5", {"thermo": thermo}, dict(d2min=rng.random(64)), dimension=3)
    bonds = dict(value=10.0**(x / 5 - 3), density_1=one, density_2=one)
    stage_file(tmp_path / "04-expand.h5", {"bond_distribution": bonds})
    stage_file(tmp_path / "02-load.traj-0000.h5", {})
    return tmp_path


def test_open_gives_tables_numbers_and_the_configuration(run):
    opened = hpcglass.open(run)
    assert list(opened.files) == ["00-swap", "01-quench", "02-load", "03-md", "04-expand"]
    swap = opened["swap"]
    assert swap.params["temperature"] == 0.12       # the parameter's value
    table = swap.tables["measurements"]
    assert table.rows == 30
    assert list(table)[:2] == ["sweep", "energy"]       # as they were written
    assert table["sweep"][3] == 3.0
    assert table.units["energy"] == "energy" and table.long_name["energy"] == "the energy"
    assert swap.results == {"number": 2.5, "exchange_ratio": 0.99, "exchange_ratio_error": 0.02}
    assert swap.position.shape == (64, 2) and swap.box.shape == (2, 2)
    assert opened[2].fields["d2min"].shape == (64,)
    assert opened["02-load"].label == "load"
    with pytest.raises(InputError, match="did you mean 'quench'"):
        opened["qench"]


def test_a_table_becomes_a_dataframe(run):
    pytest.importorskip("pandas")
    assert len(hpcglass.open(run)["swap"].tables["measurements"].to_dataframe()) == 30


def test_open_of_something_else_is_refused(tmp_path):
    with pytest.raises(InputError, match="no results of a run"):
        hpcglass.open(tmp_path)
    with pytest.raises(InputError, match="no such directory"):
        hpcglass.open(tmp_path / "none")


def test_every_stage_has_its_figures(run, tmp_path, capsys):
    assert main(["plot", str(run), "-o", str(tmp_path / "figures")]) == 0
    names = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert names == ["00-swap.png", "01-quench.png", "02-load-map.png", "02-load.png", "03-md-map.png", "03-md.png",
                     "04-expand.png"]
    for path in (tmp_path / "figures").iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 5000


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_short_tables_are_drawn_too(tmp_path, rows):
    x = np.arange(rows, dtype=float)
    names = ("sweep", "energy", "acceptance_displacement", "acceptance_swap", "temperature_configurational", "exchange_ratio")
    path = stage_file(tmp_path / "00-swap.h5", {"measurements": dict.fromkeys(names, x)})
    assert len(plot_stage_file(path)) == (rows > 0)
    loading = dict.fromkeys(("strain", "shear_stress", "energy"), x)
    events = dict.fromkeys(("step", "strain", "stress", "stress_drop"), x[:0])
    path = stage_file(tmp_path / "01-shear.h5", {"loading": loading, "events": events},
                      dict(d2min=np.zeros(64)))
    assert len(plot_stage_file(path)) == 1 + (rows > 0)


def test_a_damaged_file_is_said(tmp_path, capsys):
    path = tmp_path / "00-swap.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + b"x" * 100)
    with pytest.raises(FileError, match="damaged"):
        plot_stage_file(path)
    assert main(["plot", str(path)]) == 4
    assert "Traceback" not in capsys.readouterr().err


def test_slab_is_in_the_middle():
    position = np.array([[0.0, 0, 0], [0, 0, 5.0], [0, 0, 5.9], [0, 0, 6.1]])
    assert slab(position, np.eye(3) * 10, 2.0).tolist() == [False, True, True, False]


@pytest.mark.filterwarnings("error::UserWarning")
def test_a_quench_without_forces_has_a_figure(tmp_path):
    """Nothing touches: no logarithm of zero, and no warning of the library that draws."""
    table = dict(evaluations=[1.0, 2.0], energy=[0.0, 0.0], max_force=[0.0, 0.0])
    figures = plot_stage_file(stage_file(tmp_path / "00-quench.h5", {"minimisation": table}))
    assert [path.name for path in figures] == ["00-quench.png"]

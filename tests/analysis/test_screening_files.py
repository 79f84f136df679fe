"""Screened elasticity from files: every kind of displacement field, the command, campaigns."""

import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from sealed_files import seal_file
from test_screening import FLAT, events, field, points

from hpcglass.__main__ import main
from hpcglass.analysis.figures.maps import draw_maps
from hpcglass.analysis.open_run import read_stage
from hpcglass.analysis.screening.annulus import elastic_energy
from hpcglass.analysis.screening.files import Case, find_files, read_cases
from hpcglass.analysis.screening.fit import fit_screening, measure_deviation
from hpcglass.analysis.screening.radial import radial_profile
from hpcglass.analysis.screening.tables import groups, share, statistics, summary
from hpcglass.errors import FileError, InputError


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(8)
    x = points(rng, FLAT, 4000)
    return x, field(x, 0.109, FLAT) + events(rng, x, FLAT, 0.3)


GEOMETRY = {"r_in": 0.65, "r_out": 80.0, "d_0": 0.1, "centre": [0.0, 0.0]}


INPUT = """
[parameters]
T_m = %g
[system]
model = "ipl12"
r_in = 0.65
[[stage]]
kind = "swap"
temperature = "$T_m"
[[stage]]
kind = "inflate"
d_0 = 0.1
"""


def stage_file(path, x, fields, sizes, changes, temperature=0.3):
    """What the stage `inflate` writes, as far as it is read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["fields/position_before"] = x
        for k, u in enumerate(fields):
            file[f"fields/displacement_{k}" if len(fields) > 1 else "fields/displacement"] = u
        for name in ("r_in", "r_out", "centre"):
            file[f"results/{name}"] = GEOMETRY[name]
        changes = np.asarray(changes, dtype=float)
        for name, values in (("d_0", sizes), ("energy_change", changes), ("energy_elastic", changes + 0.5),
                             ("energy_plastic", 0.0 * changes - 0.5), ("work", changes + 1.0)):
            file[f"results/inflation/{name}"] = values
        file["provenance/resolved_input"] = INPUT % temperature
    return seal_file(path)


def write_all(folder, x, u):
    """The same field in every kind of file."""
    np.savez(folder / "a.npz", position=x, displacement=u, energy_change=-0.75, **GEOMETRY)
    np.savetxt(folder / "b.txt", np.hstack([x, u]))
    np.savetxt(folder / "c.csv", np.hstack([u, x, x]), delimiter=",", header="ux,uy,x,y,more,columns", comments="")
    with h5py.File(folder / "d.h5", "w") as file:
        file["position"], file["displacement"] = x, u
        file.attrs.update(GEOMETRY)
    stage_file(folder / "01-inflate.h5", x, [u], [0.1], [-0.75])
    return [folder / name for name in ("a.npz", "b.txt", "c.csv", "d.h5", "01-inflate.h5")]


def test_every_kind_of_file_gives_the_same_field(sample, tmp_path):
    for path in write_all(tmp_path, *sample):
        case, = read_cases(path, **(GEOMETRY if path.suffix in (".txt", ".csv") else {}))
        assert np.allclose(case.position, sample[0], atol=1e-12) and np.allclose(case.displacement, sample[1], atol=1e-12)
        assert case.annulus == FLAT
        known = path.suffix == ".npz" or "inflate" in path.name
        assert case.energies.get("energy_change") == (-0.75 if known else None)
    assert case.energies["energy_plastic"] == -0.5 and case.inputs["T_m"] == 0.3
    assert read_cases(tmp_path / "a.npz", r_in=0.5)[0].annulus.r_in == 0.5
    several = read_cases(stage_file(tmp_path / "02-inflate.h5", sample[0], [sample[1], 2 * sample[1]], [0.1, 0.2], [-0.7, -0.9]))
    assert [case.annulus.d_0 for case in several] == [0.1, 0.2] and [case.number for case in several] == [0, 1]
    assert np.array_equal(several[1].displacement, 2 * sample[1]) and several[1].energies["energy_change"] == -0.9
    with pytest.raises(InputError, match="--r-in --r-out --d0 --centre"):
        read_cases(tmp_path / "b.txt")
    (tmp_path / "bad.txt").write_text("1 2 3\n")
    with pytest.raises(InputError, match="columns x y ux uy"):
        read_cases(tmp_path / "bad.txt")
    (tmp_path / "bad.h5").write_text("no file")
    with pytest.raises(FileError, match="not a file of this kind"):
        read_cases(tmp_path / "bad.h5")
    with pytest.raises(FileError, match="no such file"):
        read_cases(tmp_path / "absent.npz")


def test_command_writes_tables_and_figures(sample, tmp_path, capsys):
    files = write_all(tmp_path, *sample)
    names = [str(files[0]), str(files[4])]
    assert main(["screening", *names, "--medium", "30", "15", "2", "--bins", "30", "-o", str(tmp_path / "out.h5"), "--plot"]) == 0
    said = capsys.readouterr().out
    assert said.count(", screened (delta") == 2 and "share that is screened: 1" in said
    merged = read_stage(tmp_path / "out.h5")
    table = merged.tables["screening"]
    assert table["kappa"] == pytest.approx([0.109, 0.109], abs=2e-3) and merged.results["screened_share"] == 1.0
    assert table["energy_medium"] == pytest.approx(elastic_energy(FLAT, 30, 15, 2)) and table["energy_elastic"][1] == -0.25
    figures = {path.name for path in tmp_path.glob("*.png")}
    drawn = {f"{name}-{kind}.png" for name in ("a", "01-inflate") for kind in ("screening", "displacement")}
    assert figures == drawn | {"out-sweep.png", "out-groups.png"}
    options = ["--centre", "0", "0", "--r-in", "0.65", "--r-out", "80", "--d0", "0.1"]
    assert main(["screening", str(files[1]), *options, "-o", str(tmp_path / "out.csv")]) == 0
    header, row = (tmp_path / "out.csv").read_text().splitlines()
    assert header.startswith("file,dimension,r_in") and float(row.split(",")[header.split(",").index("screened")]) == 1
    assert main(["screening", str(files[1])]) == 2
    assert main(["screening", str(files[0]), "-o", "out.txt"]) == 2
    (tmp_path / "empty").mkdir()
    assert main(["screening", str(tmp_path / "empty")]) == 2


def test_campaign_by_temperature_and_size(sample, tmp_path, capsys):
    """Two samples at each of two temperatures, with two d_0 each: four groups of two, found in the directories of the sweep."""
    x, u = sample
    noise = u - field(x, 0.109, FLAT)
    kappas = {0.2: (0.0, 0.109), 0.8: (0.109, 0.15)}      # at d_0 = 0.1 and 0.2
    for temperature, pair in kappas.items():
        for number in range(2):
            fields = [size / 0.1 * (field(x, kappa, FLAT) + (0.3 + 0.2 * number) * noise)
                      for size, kappa in zip((0.1, 0.2), pair, strict=True)]
            stage_file(tmp_path / f"T_m={temperature}" / f"sample-000{number}" / "01-inflate.h5", x, fields, [0.1, 0.2],
                       [1.0 + number, -1.0], temperature)
    h5py.File(tmp_path / "checkpoint-a.h5", "w").close()
    assert len(find_files([tmp_path, tmp_path / "T_m=0.2"])) == 4
    assert main(["screening", str(tmp_path), "-o", str(tmp_path / "all.h5"), "--plot"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"T_m +d_0 +fields +screened", said) and re.search(r"0\.2 +0\.1 +2 +0\.00 \[", said)
    merged = read_stage(tmp_path / "all.h5")
    table, rows = merged.tables["screening"], merged.tables["groups"]
    assert rows["T_m"].tolist() == [0.2, 0.2, 0.8, 0.8] and rows["d_0"].tolist() == [0.1, 0.2, 0.1, 0.2]
    assert rows["fields"].tolist() == [2] * 4 and rows["screened_share"].tolist() == [0, 1, 1, 1]
    assert np.isnan(rows["kappa_median"][0]) and rows["kappa_median"][1:] == pytest.approx([0.109, 0.109, 0.15], abs=2e-3)
    assert rows["energy_change_mean"].tolist() == [1.5, -1.0, 1.5, -1.0]
    assert rows["energy_change_mean_error"] == pytest.approx([0.5, 0.0, 0.5, 0.0])
    here = (table["T_m"] == 0.8) & (table["d_0"] == 0.1)
    assert rows["M_mean"][2] == pytest.approx(table["M"][here].mean()) and here.sum() == 2
    assert main(["screening", str(tmp_path), "-o", str(tmp_path / "all.csv")]) == 0
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 9
    assert (tmp_path / "all-groups.csv").read_text().startswith("T_m,r_in,r_out,d_0,fields,screened_share")


def test_share():
    """Wilson's interval contains the share and stays between 0 and 1."""
    for n, k in ((1, 0), (1, 1), (10, 3), (500, 499)):
        part, low, high = share(n, k)
        assert part == k / n and 0 <= low <= part <= high <= 1
    assert share(100, 50)[2] == pytest.approx(0.5 + 0.5 * 0.5 * 2 / np.sqrt(101), abs=2e-3)


def test_statistics_of_a_sweep(sample):
    x, u = sample
    rows = []
    for k, kappa in enumerate((0.0, 0.03, 0.05, 0.07, 0.09)):
        v = field(x, kappa, FLAT) + 0.3 * (u - field(x, 0.109, FLAT))
        case = Case(Path("sweep"), k, FLAT, np.zeros(2), x, v, {"energy_change": 1.0 - k})
        profile = radial_profile(x, v, (0.0, 0.0), FLAT)
        rows.append((case, profile, fit_screening(profile), measure_deviation(profile)))
    table = summary(rows)
    found = {name: value for name, (value, _) in statistics(table).items()}
    assert found["kappa_energy_correlation"] == pytest.approx(-1.0) and found["fields"] == 5
    assert found["screened_share"] == 0.8 and found["screened_low"] < 0.8 < found["screened_high"]
    assert found["kappa_median"] == pytest.approx(0.06, abs=5e-3)
    assert np.isnan(table["energy_plastic"]).all() and groups(table).rows == 1


@pytest.mark.parametrize("sizes", [[0.1], [0.05, 0.1, 0.2, 0.3, 0.4]], ids=["one", "several"])
def test_maps_say_how_far_the_wall_moved(sample, tmp_path, sizes):
    x, u = sample
    stage = read_stage(stage_file(tmp_path / "02-inflate.h5", x, [u] * len(sizes), sizes, np.zeros(len(sizes))))
    stage.position, stage.box = x, 164.0 * np.eye(2)
    stage.fields |= {f"d2min_{k}" if len(sizes) > 1 else "d2min": (u**2).sum(axis=1) for k in range(len(sizes))}
    titles = [axes.get_title() for axes in draw_maps(stage).axes]
    assert [title for title in titles if title] == [f"$d_0 = {size:g}$" for size in sizes]

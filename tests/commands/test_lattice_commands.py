"""What the commands do with lattices: validate, run, status, merge, plot, list; all without particles."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from inprocess import hpcglass

from hpcglass.__main__ import main
from hpcglass.analysis.figures import lattice as epm_figures
from hpcglass.analysis.figures import lattices as epm_together
from hpcglass.analysis.figures.draw import plot_stage_file
from hpcglass.analysis.open_run import Table, read_stage
from hpcglass.errors import InputError

INPUT = """
seed = 3
[parameters]
L = 12
[ensemble]
samples = 3
[[stage]]
kind = "epm"
size = "$L"
shear_modulus = 20.0
initial = { distribution = "normal", mean = 2.0, cv = 0.3 }
slip = { fixed = 0.065 }
max_strain = 1.0
record_every = 0.01
fields_at = [0.5, 1.0]
windows = [0.2]
"""


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    """A directory with an input, and its run `out`."""
    directory = tmp_path_factory.mktemp("lattice")
    (directory / "input.toml").write_text(INPUT)
    assert main(["run", str(directory / "input.toml"), "--output", str(directory / "out"), "--no-plots"]) == 0
    return directory


def counted(part, start):
    """Avalanches of a sample in a window, by the middle of their bin."""
    table = part.tables["avalanche_slips"]
    here = table["window_start"] == start
    return dict(zip(table["slips"][here].round(6), table["count"][here], strict=True))


def test_validate_needs_no_particles(ensemble, capsys):
    assert main(["validate", str(ensemble / "input.toml")]) == 0
    text = capsys.readouterr().out
    assert text.startswith("valid: epm, 3 samples") and "particles" not in text
    assert main(["validate", str(ensemble / "input.toml"), "--set", "L=4096"]) == 0
    larger = capsys.readouterr().out
    assert "GB" in larger and larger != text


def test_status_and_list(ensemble, capsys):
    assert main(["status", str(ensemble / "out"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 4 and all("epm" in json.dumps(row) or "done" in json.dumps(row) for row in rows)
    assert main(["list", "stages"]) == 0
    assert "epm: An elasto-plastic model" in capsys.readouterr().out


def test_merged_lattices(ensemble):
    """Counts add up, means are means, and the figures are drawn, of the ensemble and of a sample."""
    target = ensemble / "merged.h5"
    assert main(["merge", str(ensemble / "out"), "--stage", "epm", "-o", str(target)]) == 0
    merged = read_stage(target)
    parts = [read_stage(path) for path in sorted(ensemble.glob("out/sample-*/00-epm.h5"))]
    assert len(parts) == 3 and len({part.results["slips_total"] for part in parts}) > 1
    for name in ("avalanche_slips", "avalanche_drops"):
        table = merged.tables[f"{name}_density"]
        assert table["count"].sum() == sum(part.results["avalanches_total"] for part in parts)
        assert set(table["window_start"]) == {0.0, 0.2} and (table["density_error"] >= 0).all()
    table, whole = merged.tables["avalanche_slips_density"], {}
    for part in parts:
        whole |= dict(zip(part.tables["avalanche_slips"]["slips"].round(6), part.tables["avalanche_slips"]["whole"], strict=True))
    for start in (0.0, 0.2):
        here = table["window_start"] == start
        width = [whole[x] for x in table["slips"][here].round(6)]
        assert (table["density"][here] * width).sum() == pytest.approx(1.0)
        counts = np.array([[counted(part, start).get(x, 0.0) for part in parts] for x in table["slips"][here].round(6)])
        left_out = (counts.sum(axis=1)[:, None] - counts) / (counts.sum() - counts.sum(axis=0)) / np.array(width)[:, None]
        spread = ((left_out - left_out.mean(axis=1)[:, None]) ** 2).sum(axis=1)
        assert table["density_error"][here] == pytest.approx(np.sqrt(2 / 3 * spread)) and table["density_error"].max() > 0
    stress = np.mean([part.tables["loading"]["shear_stress"] for part in parts], axis=0)
    assert merged.tables["mean_loading"]["shear_stress"] == pytest.approx(stress, abs=1e-12)
    assert "steady_stress_density" in merged.tables and merged.results["steady_from"] == 0.5
    drawn = {path.name for path in [*plot_stage_file(target), *plot_stage_file(parts[0].path, ensemble)]}
    assert {"merged-lattice.png", "merged-avalanches.png", "merged-steady.png", "sample-0000_00-epm.png",
            "sample-0000_00-epm-map.png", "sample-0000_00-epm-band.png", "sample-0000_00-epm-avalanches.png"} <= drawn


SWEEP = """
seed = 3
[parameters]
c1 = 0.0
mean = 1.0
[sweep]
c1 = [0.0, 0.02]
mean = [1.0, 1.5]
[ensemble]
samples = 2
[[stage]]
kind = "epm"
size = 12
shear_modulus = 19.0
initial = { distribution = "weibull", mean = 1.5, cv = 0.3 }
renewal = { distribution = "weibull", mean = "$mean", cv = 0.3 }
slip = { c0 = 0.03, c1 = "$c1" }
max_strain = 0.6
record_every = 0.01
fields_at = [0.3, 0.6]
"""


def test_lattices_drawn_together(tmp_path):
    """Four variants: each with its name, the means of its own samples, and all figures."""
    (tmp_path / "input.toml").write_text(SWEEP)
    assert main(["run", str(tmp_path / "input.toml"), "--output", str(tmp_path / "out"), "--no-plots"]) == 0
    variants = epm_together.read(tmp_path / "out", "epm")
    assert [one.label for one in variants] == [f"{variant}, ${c1}$" for c1 in ("c_1 = 0", "c_1 > 0")
                                               for variant in ("disordered", "rejuvenation")]
    for one in variants:
        task = next(path for path in (tmp_path / "out").glob("c1=*") if path in one.sample.path.parents)
        mean = 1.0 if one.rejuvenates else 1.5
        assert f"mean={mean:g}" in task.name.replace(".0", "") and ("c1=0.02" in task.name) == one.correlated
        samples = [read_stage(path).tables["loading"]["shear_stress"] for path in task.glob("sample-*/00-epm.h5")]
        assert len(samples) == 2 and one.tables["mean_loading"]["shear_stress"] == pytest.approx(np.mean(samples, axis=0))
    assert main(["plot", str(tmp_path / "out"), "--together", "-o", str(tmp_path / "figures"), "--format", "pdf"]) == 0
    drawn = list((tmp_path / "figures").iterdir())
    assert {"together-curves.pdf", "together-steady.pdf", "together-maps.pdf"} <= {path.name for path in drawn}
    assert all(path.name.startswith("together-") and path.stat().st_size > 5000 for path in drawn)
    with pytest.raises(InputError, match="no sweep with a loaded lattice"):
        epm_together.read(tmp_path, "epm")


def test_the_first_slips_do_not_rule_the_axis_of_localisation():
    """One slip in an unstrained lattice has LOC = L; the axis shows what comes after as many slips as a line has blocks."""
    table = Table({"slips": np.array([0.0, 1.0, 12.0, 30.0]), "localisation": np.array([0.1, 9.0, 0.6, 0.3])}, {}, {})
    assert epm_figures.highest_localisation(table, 144) == pytest.approx(0.66)


def test_a_lattice_goes_into_an_image(tmp_path):
    """VTKHDF with time steps, or without for one frame; tests/clients has VTK read it."""
    (tmp_path / "i.toml").write_text(
        '[[stage]]\nkind = "epm"\nsize = 8\nshear_modulus = 2.0\nslip = { c0 = 0.1 }\nrecord_every = 0.1\nmax_strain = 0.4\n'
        'initial = { distribution = "weibull", mean = 0.3, cv = 0.3 }\nfields_at = [0.2, 0.4]\n')
    assert hpcglass("run", tmp_path / "i.toml", "--output", tmp_path / "run", "--no-plots").returncode == 0
    stage, out = tmp_path / "run" / "00-epm.h5", tmp_path / "l.vtkhdf"
    right = read_stage(stage).grids
    done = hpcglass("export", stage, "-o", out, "--frame", "all")
    assert done.stdout == f"{out}: 2 of 2 frames, steps 2 to 4\n", done.stderr
    with h5py.File(out) as file:
        root = file["VTKHDF"]
        assert root.attrs["Type"] == b"ImageData" and root.attrs["WholeExtent"].tolist() == [0, 8, 0, 8, 0, 0]
        assert sorted(root["CellData"]) == sorted(right) and root["Steps/Values"][:].tolist() == [0.2, 0.4]
        for name, values in right.items():
            np.testing.assert_array_equal(root[f"CellData/{name}"][:], values)
    assert hpcglass("export", stage, "-o", out, "--fields", "stress", "--frame", "0").returncode == 0
    with h5py.File(out) as file:
        np.testing.assert_array_equal(file["VTKHDF/CellData/stress"][:], right["stress"][0])
    for words, said in ((["-o", tmp_path / "l.xyz"], "of a lattice, without particles"),
                        (["-o", out, "--events"], "keeps its fields at strains"),
                        (["-o", out, "--fields", "d2min"], "no such field")):
        done = hpcglass("export", stage, *words)
        assert done.returncode == 2 and said in done.stderr

"""What the commands do with lattices: validate, run, status, merge, plot, list; all without particles."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hpcglass.__main__ import main
from hpcglass.analysis.open_run import read_stage
from hpcglass.analysis.plots import plot_stage_file

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
    stress = np.mean([part.tables["loading"]["shear_stress"] for part in parts], axis=0)
    assert merged.tables["mean_loading"]["shear_stress"] == pytest.approx(stress, abs=1e-12)
    assert "steady_stress_density" in merged.tables and merged.results["steady_from"] == 0.5
    drawn = {path.name for path in [*plot_stage_file(target), *plot_stage_file(parts[0].path, ensemble)]}
    assert {"merged-lattice.png", "merged-avalanches.png", "merged-steady.png", "00-epm.png", "00-epm-map.png", "00-epm-band.png",
            "00-epm-avalanches.png"} <= drawn

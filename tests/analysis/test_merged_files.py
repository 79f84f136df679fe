"""The merged file, its figures, and the comparison of several."""

import numpy as np
import pytest
from samples import everything, spectrum, write_sample

from hpcglass.__main__ import main
from hpcglass.analysis.ensembles.merge import compare
from hpcglass.analysis.open_run import read_stage
from hpcglass.errors import InputError
from hpcglass.io.reader import verify


def test_the_merged_file_is_whole_and_drawn(tmp_path, capsys):
    for k in range(20):
        everything(tmp_path / "run" / f"sample-{k:04d}", 0.5, 1.0, k)
    output = tmp_path / "merged.h5"
    assert main(["merge", str(tmp_path / "run"), "--stage", "soft", "-o", str(output)]) == 0
    assert len(verify(output)) > 20
    stage = read_stage(output)
    assert sorted(stage.tables) == ["bond_density", "bond_tail", "eigenvalue_density", "eigenvalue_participation",
                                    "eigenvalue_tail", "mean_decay", "mean_loading", "overlap_profile", "scalars"]
    assert stage.results["samples"] == 20
    assert stage.tables["eigenvalue_density"].units["low"] == "energy"
    names = sorted(path.name for path in tmp_path.glob("*.png"))
    assert names == [f"merged-{name}.png" for name in ("bonds", "decay", "eigenvalues", "loading", "overlap")]
    assert min(path.stat().st_size for path in tmp_path.glob("*.png")) > 5000
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{output}: stage soft of 20 of 20 samples" and len(said) == 6


def test_a_single_thin_sample_is_merged_and_drawn(tmp_path, capsys):
    thin = spectrum([1.05, 4.0])
    thin["pseudo_harmonic"] = {"index": [0], "eigenvalue": [4.0], "overlap_displacement": [0.1], "overlap_force": [0.1]}
    thin["decay"] = {"distance": [], "D": [], "F": []}
    write_sample(tmp_path / "a", thin)
    assert main(["merge", str(tmp_path / "a"), "--stage", "soft", "-o", str(tmp_path / "m.h5")]) == 0
    assert [path.name for path in tmp_path.glob("*.png")] == ["m-eigenvalues.png"]
    table = read_stage(tmp_path / "m.h5").tables
    assert np.isnan(table["eigenvalue_tail"]["prefactor"]).all() and np.isnan(table["overlap_profile"]["overlap_force"]).all()


def test_compare_gives_ratios_to_the_reference(tmp_path):
    files = []
    for temperature, strength in ((0.3, 1.0), (0.6, 2.0)):
        for k in range(6):
            everything(tmp_path / str(temperature) / f"sample-{k:04d}", temperature, strength, k)
        files.append(tmp_path / f"{temperature}.h5")
        assert main(["merge", str(tmp_path / str(temperature)), "--stage", "soft", "-o", str(files[-1]), "--no-plots"]) == 0
    table = compare(files)
    assert table["stage.0.temperature"].tolist() == [0.3, 0.6]
    assert table["prefactor_ratio"][1] == 1.0 and table["prefactor_ratio_error"][1] == 0.0
    tails = [read_stage(path).tables["eigenvalue_tail"] for path in files]
    a, b = (tail["prefactor"][1] for tail in tails)
    assert table["prefactor_ratio"][0] == pytest.approx(a / b)
    relative = [tail["prefactor_error"][1] / tail["prefactor"][1] for tail in tails]
    assert table["prefactor_ratio_error"][0] == pytest.approx(a / b * np.hypot(*relative))
    assert compare(files, 0)["prefactor_ratio"][1] == pytest.approx(b / a)
    with pytest.raises(InputError, match="not a merged file"):
        compare([tmp_path / "0.3" / "sample-0000" / "01-soft.h5"])

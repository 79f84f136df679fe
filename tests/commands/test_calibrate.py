"""`hpcglass calibrate`: loading curves of a run as the target of another; what it refuses."""

from __future__ import annotations

import h5py
import pytest

from hpcglass.__main__ import main
from hpcglass.errors import EXIT_INPUT

LATTICE = """
size = 6
shear_modulus = 20.0
initial = { distribution = "weibull", mean = 1.5, cv = 0.3 }
max_strain = 0.3
"""
GLASS = f"""
seed = 7
[ensemble]
samples = 3
[[stage]]
kind = "epm"
slip = {{ fixed = 0.05 }}
record_every = 0.01
{LATTICE}"""
FIT = f"""
[[stage]]
kind = "calibrate"
fit = "fixed"
target = {{ plateau = 1.0 }}
record_every = 0.01
plateau_from = 0.15
accuracy = 0.1
{LATTICE}"""


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in (("glass.toml", GLASS), ("fit.toml", FIT)):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_target_on_the_command_line(inputs, capsys):
    """Three samples as the target: the slip they were made with, within five of its errors of about 10 %."""
    assert main(["run", "glass.toml", "--output", "glass", "--no-plots"]) == 0
    assert main(["calibrate", "fit.toml", "--target", "glass", "--output", "fit"]) == 0
    with h5py.File(inputs / "fit" / "00-calibrate.h5") as file:
        found = {name: file["results"][name][()] for name in ("fixed", "fixed_error", "target_samples", "curve_misfit")}
        assert file["results/calibration/target"].shape == (31,)
    assert found["target_samples"] == 3
    assert abs(found["fixed"] - 0.05) < 5 * found["fixed_error"] < 0.05
    said = capsys.readouterr().out
    assert "calibrated: fixed = " in said
    assert 'kind = "epm"' in said
    assert {path.name for path in (inputs / "fit").glob("*.png")} == {"00-calibrate.png", "00-calibrate-trials.png"}
    assert main(["calibrate", "fit.toml", "--target", "glass", "--output", "fit"]) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_figures_without_curves_of_the_target(inputs):
    assert main(["calibrate", "fit.toml", "--output", "fit"]) == 0
    assert len(list((inputs / "fit").glob("*.png"))) == 2


@pytest.mark.parametrize(("arguments", "words"), [
    (["glass.toml"], "no stage `calibrate`"),
    (["glass.toml", "--target", "."], "calibrate"),
    (["fit.toml", "--target", "."], "no stage with a table 'loading'")])
def test_what_it_refuses(inputs, capfd, arguments, words):
    assert main(["calibrate", *arguments, "--output", "out"]) == EXIT_INPUT
    assert words in capfd.readouterr().err


def test_target_that_is_not_there(inputs, capfd):
    with pytest.raises(SystemExit) as caught:
        main(["calibrate", "fit.toml", "--target", "nowhere"])
    assert caught.value.code == EXIT_INPUT
    assert "nowhere" in capfd.readouterr().err

"""What `validate`, `run`, `import`, `export` and `load` say about files of other programs, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hpcglass.__main__ import main
from hpcglass.errors import InputError
from hpcglass.io.convert import Configuration, read_any, write_any

CASES = Path(__file__).parents[1] / "data" / "cases"
MAP = "species of no-properties.xyz in lj-binary, by the names: S is S (55), L is L (45)"


def an_input(directory, file, model="lj-binary", more=""):
    path = directory / "in.toml"
    path.write_text(f'seed = 5\n[system]\nmodel = "{model}"\nfile = "{file}"\n{more}[[stage]]\nkind = "quench"\n')
    return str(path)


def test_validate_shows_the_map(tmp_path, capsys):
    path = an_input(tmp_path, CASES / "no-properties.xyz")
    assert main(["validate", path]) == 0
    assert f"  start               {MAP}\n" in capsys.readouterr().out
    assert main(["validate", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["start"] == [MAP]
    assert main(["validate", an_input(tmp_path, CASES / "empty-slots.h5", "ipl12")]) == 0
    assert "warning: empty-slots.h5 has no diameters: they are drawn anew" in capsys.readouterr().out


def test_run_writes_the_map_into_its_log(tmp_path):
    assert main(["run", an_input(tmp_path, CASES / "no-properties.xyz"), "--output", str(tmp_path / "out"), "--no-plots"]) == 0
    assert MAP in (tmp_path / "out" / "log.txt").read_text()


@pytest.mark.parametrize("command", ["validate", "run"])
@pytest.mark.parametrize(("file", "model", "message"), [
    ("open-boundary.xyz", "ipl12", "not periodic along x, y, z"), ("base-ipl12.xyz", "lj-binary", "particle 0 has the diameter"),
    ("twice.xyz", "ipl12", "particles 0 and 1 are at the same place")])
def test_contradictions_end_with_2(tmp_path, capsys, command, file, model, message):
    lines = (CASES / "base-ipl12.xyz").read_text().splitlines()
    (tmp_path / "twice.xyz").write_text("\n".join([*lines[:3], lines[2], *lines[4:], ""]))
    path = CASES / file if (CASES / file).exists() else tmp_path / file
    output = ["--output", str(tmp_path / "out")] if command == "run" else []
    assert main([command, an_input(tmp_path, path, model), *output]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("density", ["1e-20", "1e-13"])
def test_a_new_system_without_neighbours_is_refused(tmp_path, capsys, density):
    path = tmp_path / "in.toml"
    path.write_text(f'[system]\nmodel = "ipl12"\nparticles = 100\ndensity = {density}\n[[stage]]\nkind = "quench"\n')
    assert main(["validate", str(path)]) == 2
    assert "system.density" in (said := capsys.readouterr().err) and "particles would hardly ever meet; raise the density" in said


def test_import_takes_the_dimension_of_the_model(tmp_path, capsys):
    grid = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), axis=-1).reshape(-1, 3)
    write_any(Configuration(grid, 4 * np.eye(3), species=(np.arange(64) % 2).astype(np.int32)), tmp_path / "cube.data")
    command = ["import", str(tmp_path / "cube.data"), "-o", str(tmp_path / "cube.h5"), "--model", "lj-binary"]
    assert main(command) == 2
    assert "is in 3D, lj-binary is a model in 2D; if it is meant, say --dimension 3" in capsys.readouterr().err
    assert main([*command, "--dimension", "3"]) == 0
    assert "1 is S (32), 2 is L (32)" in capsys.readouterr().out
    assert read_any(tmp_path / "cube.h5").dimension == 3
    assert main([*command, "--dimension", "2"]) == 2


def test_import_draws_nothing(tmp_path, capsys):
    out = str(tmp_path / "a.h5")
    assert main(["import", str(CASES / "empty-slots.h5"), "-o", out, "--model", "ipl12"]) == 2
    assert "has no diameters, which ipl12 needs; to have them drawn, start a run" in capsys.readouterr().err
    assert main(["import", str(CASES / "empty-slots.h5"), "-o", out, "--model", "harmonic"]) == 2
    assert "has no species, which harmonic needs" in capsys.readouterr().err
    assert not Path(out).exists()


def test_export_says_how_species_are_numbered(tmp_path, capsys):
    assert main(["export", str(CASES / "labels-S-L.xyz"), "-o", str(tmp_path / "a.data")]) == 0
    assert "species: S is 1, L is 2" in capsys.readouterr().out
    found = read_any(tmp_path / "a.data")
    np.testing.assert_array_equal(np.bincount(found.species), [55, 45])
    assert found.diameter is None       # none are made up


def test_load_says_what_to_do_with_files_of_others():
    from hpcglass.library import load

    with pytest.raises(InputError, match=r"is of another program; make a file of hpcglass of it: hpcglass import .*ipl12.xyz"):
        load(CASES / "base-ipl12.xyz")


@pytest.mark.parametrize("command", ["validate", "run"])
def test_stages_that_cannot_do_with_the_walls_of_a_file_are_refused_at_once(tmp_path, capsys, command):
    """An annulus has nothing to shear, and there is nothing to inflate without walls; said before the first stage."""
    between = tmp_path / "annulus.toml"
    between.write_text('[system]\nmodel = "ipl12"\ndimension = 2\ndensity = 1.0\nr_in = 1.0\nr_out = 6.0\n'
                       '[[stage]]\nkind = "quench"\nforce_tolerance = 1e-2\n')
    assert main(["run", str(between), "--output", str(tmp_path / "annulus"), "--no-plots"]) == 0
    output = ["--output", str(tmp_path / "out")] if command == "run" else []
    annulus = tmp_path / "annulus" / "00-quench.h5"
    for file, stage, message in (
            (annulus, 'kind = "shear"\nmax_strain = 0.1', "stage[1].kind: needs a periodic cell"),
            (annulus, 'kind = "quench"\npressure = 1', "stage[1].pressure: rigid walls do not give"),
            (CASES / "base-ipl12.xyz", 'kind = "inflate"\nfraction = 0.1', "stage[1].kind: there are no walls to move")):
        path = Path(an_input(tmp_path, file, "ipl12"))
        path.write_text(f'{path.read_text()}label = "first"\n[[stage]]\n{stage}\n')
        assert main([command, str(path), *output]) == 2
        assert message in (said := capsys.readouterr().err) and "walls" in said
        assert not list((tmp_path / "out").glob("*.h5"))

"""`import --model` with a TOML file: the model goes into the new file, and what contradicts it is refused."""

from __future__ import annotations

import numpy as np
import pytest
from test_convert import configuration, distances

from hpcglass.__main__ import main
from hpcglass.io.convert import write_any
from hpcglass.landscape.forces import evaluate
from hpcglass.library import load

OWN = """
[model]
name = "springs"
density = 1.0
segment = [{ upto = 1.0, powers = [0, 1, 2], coefficients = [0.5, -1.0, 0.5] }]
[model.mixing]
energy_power = 2
[model.sizes]
fractions = [0.5, 0.5]
diameters = [1.0, 1.4]
names = ["small", "large"]
"""


def test_import_takes_models_of_ones_own(tmp_path, capsys):
    """The model goes into the file, from which a live system comes out; the rules of species hold, and its errors have lines."""
    c = configuration(2, "sheared")
    c.species = np.arange(40, dtype=np.int32) % 2
    c.diameter = np.where(c.species == 0, 1.0, 1.4)
    write_any(c, tmp_path / "c.dump")
    own, out = tmp_path / "own.toml", tmp_path / "c.h5"
    own.write_text(OWN)
    assert main(["import", str(tmp_path / "c.dump"), "-o", str(out), "--model", str(own)]) == 0
    assert "1 is small (20), 2 is large (20)" in capsys.readouterr().out
    own.write_text(f'{OWN}[system]\nmodel = "springs"\n[[stage]]\nkind = "quench"\n')        # an input file will do, too
    assert main(["import", str(tmp_path / "c.dump"), "-o", str(out), "--model", str(own)]) == 0
    glass = load(out)
    near, length = distances(c), 0.5 * (c.diameter[:, None] + c.diameter)
    overlap = np.triu(np.where(near < length, 0.5 * (length - near) ** 2, 0.0), 1)
    assert glass.model.name == "springs" and evaluate(glass).energy == pytest.approx(overlap.sum())
    for text, said in ((OWN.replace("upto", "upton"), "own.toml:5: model.segment"),
                       (OWN.replace("[model", "[modle"), "mean 'model'"),
                       (OWN.replace("1.4]", "1.3]"), "particle 1 has the diameter 1.4, but is of species large"),
                       ("x = 1", "no table")):
        own.write_text(text)
        assert main(["import", str(tmp_path / "c.dump"), "-o", str(out), "--model", str(own)]) == 2
        assert said in capsys.readouterr().err
    assert main(["import", str(tmp_path / "c.dump"), "-o", str(out), "--model", str(tmp_path / "none.toml")]) == 2


def test_import_takes_the_points_of_a_potential_along(tmp_path):
    """They lie in a file beside the model's, which the new file does not need."""
    c = configuration(2, "sheared", species=False)
    c.diameter = np.linspace(1.0, 1.4, 40)
    write_any(c, tmp_path / "c.xyz")
    r = np.linspace(0.5, 1.5, 12)
    (tmp_path / "points.txt").write_text("".join(f"{x} {(1.5 - x) ** 4}\n" for x in r))
    (tmp_path / "own.toml").write_text('[model]\nname = "drawn"\n[model.table]\nfile = "points.txt"\n'
                                       "[model.sizes]\nsmallest = 1.0\nlargest = 1.4\n")
    assert main(["import", str(tmp_path / "c.xyz"), "-o", str(tmp_path / "c.h5"), "--model", str(tmp_path / "own.toml")]) == 0
    (tmp_path / "points.txt").unlink()
    assert load(tmp_path / "c.h5").model.potential.cutoff == 1.5

"""A user's package with a model and a stage: found by its entry points, listed, run, recorded; a broken one is named."""

from __future__ import annotations

import json
import sys
import tomllib

import h5py
import pytest
from inprocess import hpcglass

import hpcglass as hg
from hpcglass import plugins, registry
from hpcglass.config import Config
from hpcglass.errors import InputError

CODE = """
from typing import Literal
from pydantic import Field
from hpcglass.potentials.model import Mixing, Model, PairPotential, Segment, Sizes
from hpcglass.stages.base import Stage, StageParams

soft = Model("soft", "soft spheres", PairPotential((Segment(1.0, (2.5,), (0.4,), 1.0, -1),)), Mixing(),
             Sizes("power", 0.8, 1.4), {2: 0.9}, repulsive=True)
cut = Model("cut", "", PairPotential((Segment(2.5, (-12,), (1.0,)),)), Mixing(), Sizes("power", 0.8, 1.4))

class CountParams(StageParams):
    '''Counts the particles.'''
    kind: Literal["count"] = "count"
    times: int = Field(1, ge=1, description="how often")

class Count(Stage):
    name, Params = "count", CountParams

    def run(self, system, context):
        context.result("count", system.n_total * self.params.times)
        context.reached(1, 0.0)
"""
ENTRIES = """[hpcglass.models]
soft = myglasses:soft
cut = myglasses:cut
absent = myglasses:absent
harmonic = myglasses:soft
other = brokenglasses:other
[hpcglass.stages]
count = myglasses:Count
nothing = myglasses:soft
"""
INPUT = """
[system]
model = "soft"
particles = 60
[[stage]]
kind = "quench"
force_tolerance = 1e-6
[[stage]]
kind = "count"
times = 2
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Two installed packages: one that works, with one name that is not in it, and one that cannot be imported."""
    place = tmp_path / "site"
    info = place / "my_glasses-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-glasses\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    (place / "myglasses.py").write_text(CODE)
    (place / "brokenglasses.py").write_text("import surely_not_installed\n")
    monkeypatch.syspath_prepend(str(place))
    plugins.offers.cache_clear()
    yield place
    plugins.offers.cache_clear()
    sys.modules.pop("myglasses", None)


@pytest.fixture
def done(package, tmp_path):
    """A run with the package's model and stage."""
    (tmp_path / "input.toml").write_text(INPUT)
    result = hpcglass("run", "input.toml", "--output", "out", directory=tmp_path)
    assert result.returncode == 0, result.stderr
    return tmp_path / "out"


def test_a_package_is_imported_when_its_name_is_used(package):
    assert "count" in registry.stages() and "soft" in registry.models() and "absent" in registry.models()
    assert "myglasses" not in sys.modules
    assert registry.stages()["count"].name == "count" and "myglasses" in sys.modules


def test_own_names_need_no_look_at_packages(monkeypatch):
    monkeypatch.setattr(plugins.metadata, "entry_points", lambda **_: pytest.fail("looked for packages"))
    plugins.offers.cache_clear()
    config = Config.parse('[system]\nmodel = "ipl12"\nparticles = 100\n[[stage]]\nkind = "quench"\n', "input.toml")
    assert config.packages() == {} and config.stages() and config.glass().name == "ipl12"


def test_a_run_with_a_packages_model_and_stage(done):
    with h5py.File(done / "01-count.h5") as file:
        assert file["results/count"][()] == 120
        resolved = file["provenance/resolved_input"][()].decode()
    assert resolved.startswith('# model "soft": my-glasses 1.2\n# stage "count": my-glasses 1.2\n')
    assert tomllib.loads(resolved)["stage"][1] == {"kind": "count", "times": 2}
    assert (done / "resolved.toml").read_text() == resolved
    assert "nothing to do" in hpcglass("run", "input.toml", "--output", "out", directory=done.parent).stdout
    assert hg.load(done / "00-quench.h5").model.name == "soft"


def test_a_file_without_its_package(done, package):
    (package / "my_glasses-1.2.dist-info" / "entry_points.txt").unlink()
    plugins.offers.cache_clear()
    with pytest.raises(InputError, match=r"the model soft of the package my-glasses 1\.2, which is not installed here"):
        hg.load(done / "00-quench.h5")
    assert "there is no such model" in hpcglass("validate", done.parent / "input.toml").stderr


@pytest.mark.parametrize("change,says", [
    (('"soft"', '"absent"'), "model 'absent' of the package my-glasses 1.2 (myglasses:absent) cannot be used: AttributeError"),
    (('"soft"', '"other"'), "ModuleNotFoundError: No module named 'surely_not_installed'"),
    (('"soft"', '"cut"'), "cannot be used: its energy jumps (the cut-off is x = 2.5)"),
    (('"count"', '"nothing"'), "stage 'nothing' of the package my-glasses 1.2 (myglasses:soft) cannot be used: it is no"),
    (("times = 2", "times = 0"), "stage[1].times = 0: must be >= 1"),
    (('"count"', '"cuont"'), "there is no such stage, did you mean 'count'?"),
])
def test_what_is_wrong_is_said(package, tmp_path, change, says):
    (tmp_path / "input.toml").write_text(INPUT.replace(*change))
    result = hpcglass("validate", tmp_path / "input.toml")
    assert result.returncode == 2 and says in result.stderr and "Traceback" not in result.stderr


def test_the_list_says_where_a_thing_comes_from(package):
    text = hpcglass("list", "models").stdout
    assert "soft spheres [my-glasses 1.2]" in text and "model 'absent' of the package my-glasses 1.2" in text
    assert "(the model 'harmonic' of the package my-glasses 1.2 is not used: hpcglass has one of this name)" in text
    rows = {row["name"]: row for row in json.loads(hpcglass("list", "models", "--json").stdout)}
    assert rows["harmonic"]["from"] == "hpcglass" and rows["soft"]["continuity"] == 2 and "error" in rows["cut"]
    assert "count: Counts the particles. [my-glasses 1.2]" in hpcglass("list", "stages").stdout


def test_two_packages_of_one_name(package):
    info = package / "your_glasses-3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: your-glasses\nVersion: 3\n")
    (info / "entry_points.txt").write_text("[hpcglass.models]\nsoft = myglasses:soft\n")
    plugins.offers.cache_clear()
    with pytest.raises(InputError, match=r"model 'soft' is in (my.* and your.*|your.* and my.*): uninstall one"):
        registry.models()["soft"]

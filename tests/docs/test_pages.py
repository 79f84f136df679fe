"""What docs/ tells its readers works, and lists all there is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from inprocess import hpcglass

from hpcglass import registry
from hpcglass.config import Config

sys.path.insert(0, str(Path(__file__).parent))
from pages import BLOCK, ROOT, Reader

DOCS = ROOT / "docs"
SMALLER = {
    "--output results/quickstart": "--output results/quickstart --set system.particles=200 --set swap.sweeps=200 "
                                   "--set shear.max_strain=0.02",
    "particles = 500": "particles = 100", "sweeps = 1500": "sweeps = 30", "samples = 10 ": "samples = 3 ",
    "particles = 600": "particles = 100", "sweeps = 20000": "sweeps = 100", "max_strain = 0.12": "max_strain = 0.005",
    "ensemble.samples=22": "ensemble.samples=3", "samples = 4 ": "samples = 2 ", "max_strain = 0.05": "max_strain = 0.004",
    "max_strain = 0.15": "max_strain = 0.1",
    "--output results/annulus": "--output results/annulus --set system.r_out=9 --set swap.sweeps=40",
    "inputs/epm.toml": "inputs/epm.toml --set L=16 --set strain=0.2 --set epm.fields_at=[0.1,0.2] --set epm.windows=[0.1]",
    "inputs/strength.toml": "inputs/strength.toml --set N=400 --set spacing=6.4 --set swap.sweeps=30 --set map.angles=[0,90] "
                            "--set shear.max_strain=0.005 --set shear.frames_every=5",
    "inputs/atoms-to-lattice.toml": "inputs/atoms-to-lattice.toml --set N=400 --set L=4 --set liquid.sweeps=20 "
                                    "--set fresh-liquid.sweeps=20 --set flow=0.1 --set plateau=0.06 --set strain=0.03 "
                                    "--set step=1e-3 --set calibrate.accuracy=0.5 --set calibrate.most_samples=16",
    "inputs/calibrate.toml": "inputs/calibrate.toml --set calibrate.accuracy=0.1 --set calibrate.most_samples=32 "
                             "--set calibrate.size=8",
    "max_evaluations=100_000": "max_evaluations=10_000",
}

MD = """
[system]
model = "lj-binary"
particles = 200
[[stage]]
kind = "md"
temperature = 0.5
time = 0.1
frames = 2
"""


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """A reader who has gone through the pages, and what each printed."""
    reader = Reader(tmp_path_factory.mktemp("reader"), SMALLER)
    shutil.copytree(ROOT / "inputs", reader.directory / "inputs")
    (reader.directory / "md.toml").write_text(MD)
    assert hpcglass("run", "md.toml", directory=reader.directory).returncode == 0
    pages = {page: reader.follow(page) for page in ("tutorial.md", "figures.md", "python.md", "file-format.md")}
    return reader, pages


def test_the_tutorial_works(followed):
    reader, pages = followed
    assert reader.unused == set(), "no longer in the pages"
    assert "is finished; nothing to do" in pages["tutorial.md"]
    made = {path.name for path in reader.directory.iterdir()}
    assert {"mine.toml", "backward.toml", "compare.png", "glass.xyz", "glass.data", "T0.08.h5", "T0.4.h5", "annulus.h5"} <= made
    assert {"movie.vtkhdf", "movie.dump"} <= made
    assert {"strength.png", "atoms-to-lattice.png"} <= made
    assert {"events.png", "lattice.png", "many.png", "loading.csv"} <= made and "4 of 4 runs" in pages["tutorial.md"]
    assert "2 tasks, 0 missing, failed: {}" in pages["tutorial.md"] and "6 tasks: 6 waiting" in pages["tutorial.md"]
    for run in ("quickstart", "T0.08", "T0.4", "backward", "ask", "events", "annulus", "epm", "calibrate", "strength",
                "atoms-to-lattice"):
        assert (reader.directory / "results" / run / "DONE").exists()


def test_the_python_page_finds_a_softer_relaxed_modulus(followed):
    text = followed[1]["python.md"]
    affine, relaxed = (float(re.search(rf"{name} shear modulus ([\d.]+)", text)[1]) for name in ("affine", "relaxed"))
    assert 0.1 * affine < relaxed < 0.9 * affine


def test_the_file_format_page_names_every_dataset(followed):
    page = (DOCS / "file-format.md").read_text()
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", page))))
    missing = set()
    results = followed[0].directory / "results"
    files = [path for run in ("quickstart", "md", "events", "epm") for path in (results / run).glob("*.h5")]
    assert len(files) >= 8
    for path in files:
        with h5py.File(path) as file:
            file.visititems(lambda name, _: missing.update(set(re.findall(r"\w+", name)) - named)
                            if not name.startswith(("timing/", "end/")) else None)      # a state is for nobody else
    assert missing == set()


def test_the_input_reference_is_up_to_date():
    done = subprocess.run([sys.executable, ROOT / "tools" / "make_input_reference", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_inputs_in_the_input_page_are_valid():
    stage = '[[stage]]\nkind = "quench"\n'
    system = '[system]\nmodel = "springs"\nparticles = 100\n'
    blocks = [text for kind, text in BLOCK.findall((DOCS / "input.md").read_text()) if kind == "toml"]
    whole = [text if "[system]" in text else system + stage + text for text in blocks]
    assert len(whole) == 2
    for text in whole:
        Config.parse(text, "input.md")


def test_every_model_and_stage_has_a_section():
    models, inputs = ((DOCS / f"{page}.md").read_text() for page in ("models", "input"))
    assert [name for name in registry.models() if f"### `{name}`" not in models] == []
    assert [name for name in registry.stages() if f'### `kind = "{name}"`' not in inputs] == []

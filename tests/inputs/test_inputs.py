"""Every file in inputs/ runs, made small by the line `# try it small: ...` in its head."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
INPUTS = sorted((ROOT / "inputs").rglob("*.toml"))


def small(path: Path) -> list[str]:
    """Options of the "try it small" line."""
    found = re.search(r"^# try it small:(.*)$", path.read_text(), re.MULTILINE)
    assert found, f"{path.name} does not say how to try it small"
    return shlex.split(found.group(1))


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.stem)
def test_input_runs(path, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "hpcglass", "run", str(path), "--output", str(out), *small(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr and "warning" not in done.stdout
    files = sorted(out.rglob("??-*.h5"))
    last = [file for file in files if re.fullmatch(r"\d\d-[\w-]+\.h5", file.name)]
    assert last and (out / "DONE").exists() and list(out.rglob("*.png"))
    with h5py.File(last[-1]) as file:
        loading = file["results/loading"]
        strain, stress, dissipated = (loading[name][:] for name in ("strain", "shear_stress", "dissipated"))
        assert loading["max_force"][:].max() < 1e-8
    assert len(strain) > 4 and np.isfinite(stress).all()
    # no step gains more energy than the work done: a stiff solid at small strain, up to the curvature of its branches
    assert dissipated.min() > -1e-3

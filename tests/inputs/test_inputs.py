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
from inprocess import hpcglass

from hpcglass import registry
from hpcglass.config import Config
from hpcglass.solvers import refuse_lacking
from hpcglass.sweep import tasks

ROOT = Path(__file__).parents[2]
INPUTS = sorted((ROOT / "inputs").rglob("*.toml"))


def small(path: Path) -> list[str]:
    """Options of the "try it small" line."""
    found = re.search(r"^# try it small:(.*)$", path.read_text(), re.MULTILINE)
    assert found, f"{path.name} does not say how to try it small"
    return shlex.split(found.group(1))


def with_every_kind_of_stage() -> list[Path]:
    """Few inputs that have a stage of each kind: what a stage does not import itself is missed in a process of its own only."""
    chosen, seen = [], set()
    for path in INPUTS:
        kinds = set(re.findall(r'^kind = "(\w+)"', path.read_text(), re.MULTILINE))
        if kinds - seen:
            chosen.append(path)
            seen |= kinds
    assert seen == set(registry.stages())
    return chosen


ALONE = with_every_kind_of_stage()
EVERYWHERE = {"swap", "md", "quench"}       # how glasses are made: the inputs that run alone draw it


def run(path: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """The input made small, run as a command; one that does not run alone draws nothing."""
    arguments = ["run", str(path), "--output", str(out), *small(path)]
    if path not in ALONE:
        return hpcglass(*arguments, "--no-plots")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-m", "hpcglass", *arguments], capture_output=True, text=True, env=environment,
                          timeout=900)


def drawn(path: Path, files: list[Path]) -> None:
    """Draw what this input shows, once: its tasks and samples have files of the same names."""
    kinds = [stage.kind for stage in Config.load(path, small(path)[1::2]).stage]
    once = {file.name: file for file in files}
    own = [file for name, file in once.items() if kinds[int(name[:2])] not in EVERYWHERE]
    for file in own or once.values():
        done = hpcglass("plot", file)
        assert done.returncode == 0 and "warning" not in done.stdout + done.stderr, done.stdout + done.stderr


def loading(table):
    """A stiff solid at small strain: no step gains more energy than the work done, up to the curvature of its branches."""
    assert len(table["strain"]) > 4 and np.isfinite(table["shear_stress"]).all()
    if "plastic_strain" in table:       # a lattice: what is not plastic is elastic
        assert table["shear_stress"] == pytest.approx(table["modulus"] * (table["strain"] - table["plastic_strain"]), abs=1e-9)
        return
    assert table["max_force"].max() < 1e-8
    assert table["dissipated"].min() > -1e-3


def comparison(table):
    """At the smallest strain the series is right."""
    start = table["stress_xy"][0]
    assert abs(table["stress_xy_expansion"][0] - start) < 1e-4 * max(abs(start), 1e-2)


def distribution(table):
    """As many pairs of every order, in densities that add up to 1."""
    counts = [values.sum() for name, values in table.items() if name.startswith("count")]
    assert min(counts) == max(counts) > 100
    assert (table["density_1"] * table["value"]).sum() * np.log(10) / 10 == pytest.approx(1.0, rel=0.01)


def spectrum(table):
    """In order, positive, and accurate."""
    assert len(table["omega2"]) > 4 and (np.diff(table["omega2"]) >= 0).all() and table["omega2"][0] > 0
    assert table["residual"].max() < 1e-8


def bond_spectrum(table):
    """In order and positive."""
    assert len(table["eigenvalue"]) > 4 and (np.diff(table["eigenvalue"]) <= 0).all() and table["eigenvalue"][-1] > 0


CHECKS = {"loading": loading, "comparison": comparison, "bond_distribution": distribution, "modes": spectrum,
          "bond_modes": bond_spectrum}


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem, marks=[pytest.mark.papers] * (path.parent.name == "papers"))
                                  for path in INPUTS])
def test_input_runs(path, tmp_path):
    refuse_lacking(Config.load(path, small(path)[1::2]), 1)     # then it is skipped
    out = tmp_path / "out"
    done = run(path, out)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr and "warning" not in done.stdout
    files = sorted(out.rglob("??-*.h5"))
    last = [file for file in files if re.fullmatch(r"\d\d-[\w-]+\.h5", file.name)]
    runs = [task.directory for task in tasks(Config.load(path, small(path)[1::2]), out)] or [out]
    assert last and all((run / "DONE").exists() for run in runs)
    if path not in ALONE:
        drawn(path, last)
    assert list(out.rglob("*.png"))
    for path in last:
        with h5py.File(path) as file:
            for name, check in CHECKS.items():
                if name in file["results"]:
                    check({column: values[:] for column, values in file["results"][name].items()})

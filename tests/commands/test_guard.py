"""A failure on any rank ends the job: one message, the right exit code, never a hang."""

import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LAUNCH = ROOT / "tools" / "launch"
LIMIT = 20      # seconds for start, failure and end


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "input.toml"
    path.write_text('[system]\nmodel = "ipl12"\nparticles = 100\n[[stage]]\nkind = "quench"\n')
    return path


def start(ranks, arguments, **environment):
    command = [str(LAUNCH), str(ranks), sys.executable, *map(str, arguments)]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT,
                          env={**os.environ, "PYTHONPATH": str(ROOT), **environment})
    return done.returncode, done.stderr, time.monotonic() - began


@pytest.mark.parametrize(("kind", "code"), [("InputError", 2), ("PhysicsError", 3), ("FileError", 4), ("Interrupted", 75)])
def test_an_error_of_all_ranks_is_said_once_with_its_exit_code(source, tmp_path, kind, code):
    found, said, _ = start(3, [HERE / "guarded_program.py", source, "--output", tmp_path / "o"], FAIL=f"{kind} all")
    assert found == code
    assert said.count("the reason") == 1
    assert "Traceback" not in said


@pytest.mark.parametrize(("kind", "code", "who"), [("PhysicsError", 3, 0), ("PhysicsError", 3, 2), ("ZeroDivisionError", 1, 2),
                                                   ("MemoryError", 4, 0)])
def test_an_error_of_one_rank_ends_the_others(source, tmp_path, kind, code, who):
    found, said, seconds = start(3, [HERE / "guarded_program.py", source, "--output", tmp_path / "o"], FAIL=f"{kind} {who}")
    assert found == code
    assert seconds < LIMIT
    assert f"rank {who}" in said
    assert said.count("hpcglass: ") == 1
    if code == 1:
        assert f"rank {who} failed in __main__.work, line " in said


def test_a_bug_on_all_ranks_is_said_once(source, tmp_path):
    found, said, _ = start(3, [HERE / "guarded_program.py", source, "--output", tmp_path / "o"], FAIL="ZeroDivisionError all")
    assert found in (1, 9)      # 9: mpirun of MPICH, when the first rank to end made it kill the others
    assert said.count("hpcglass: rank 0 failed") == said.count("hpcglass: ") == 1


def test_a_wrong_input_is_said_once_by_all_ranks(tmp_path):
    path = tmp_path / "input.toml"
    path.write_text("[system]\n")
    found, said, _ = start(3, ["-m", "hpcglass", "run", path])
    assert found == 2
    assert said.count("system.model: is missing") == 1
    assert said.count("there is no [[stage]]") == 1
    assert "Traceback" not in said


@pytest.mark.skipif(find_spec("petsc4py") is None, reason="petsc4py is not installed")
def test_ranks_end_though_they_dropped_matrices_in_another_order():
    """PETSc would wait at the end for a rank that has nothing left (what garbage collection of cycles may lead to)."""
    program = ("from hpcglass.landscape.matrix.hessian import PETSc\n"
               "vector = PETSc.Vec().createMPI(10, comm=PETSc.COMM_WORLD)\n"
               "if PETSc.COMM_WORLD.getRank(): vector.destroy()\n")
    assert start(3, ["-c", program])[0] == 0


def test_srun_without_pmi_is_explained_before_mpi_fails(source):
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("PMI", "PALS", "OMPI_COMM"))}
    for rank, said in (("0", 1), ("1", 0)):
        done = subprocess.run(
            [sys.executable, "-m", "hpcglass", "run", str(source)], capture_output=True, text=True, timeout=60, cwd=ROOT,
            env={**bare, "PYTHONPATH": str(ROOT), "SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": rank})
        assert done.returncode == 2
        assert done.stderr.count("srun started 4 tasks that cannot find each other: use `srun --mpi=pmix`") == said


@pytest.mark.parametrize("command", [["run", "input"], ["info"]])
def test_tasks_that_believe_to_be_alone_are_told(source, command):
    """As when the launcher belongs to another MPI library."""
    arguments = [str(source) if word == "input" else word for word in command]
    done = subprocess.run([sys.executable, "-m", "hpcglass", *arguments], capture_output=True, text=True, timeout=60, cwd=ROOT,
                          env={**os.environ, "PYTHONPATH": str(ROOT), "PMI_SIZE": "4", "PMI_RANK": "0"})
    assert done.returncode == 2
    assert "started as 4 tasks, but the MPI of each sees itself alone" in done.stderr
    assert "srun --mpi=pmix" in done.stderr

"""Ranks started by srun find each other, and it shows when they do not."""

from __future__ import annotations

import json
import os
import subprocess
import sys


def srun(mpi: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["srun", f"--mpi={mpi}", "-n", "2", "--time=2", *command], capture_output=True, text=True, timeout=120,
                          env=dict(os.environ))      # without what MPI has left in this process


def test_two_ranks_see_each_other():
    done = srun("pmix", sys.executable, "-m", "hpcglass", "info", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["MPI ranks"] == 2


def test_ranks_that_believe_to_be_alone_are_an_error():
    # without SLURM_NODELIST Open MPI takes each task for a program of its own, as an MPI built for another launcher does
    done = srun("none", "env", "-u", "SLURM_NODELIST", sys.executable, "-m", "hpcglass", "info")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "srun --mpi=pmix" in done.stderr
    assert "Traceback" not in done.stderr

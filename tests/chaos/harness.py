"""Start the program under MPI, hurt it, and compare what it leaves behind."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from mpi4py import MPI

from hpcglass.io import trajectory
from hpcglass.io.reader import verify

HERE = Path(__file__).parent
PROGRAM = HERE / "program.py"
PATIENCE = 180.0     # a run that takes longer hangs; with nothing compiled yet and other tests beside it, it may take 100
CHANGING = ("/provenance/", "/timing/", "/stage/segments")     # differ between runs with the same results


@functools.cache
def launcher() -> tuple[str, ...]:
    """This environment's mpirun with what Open MPI needs to start more ranks than cores, also as root and beside other jobs."""
    beside = Path(sys.executable).parent / "mpirun"
    mpirun = str(beside) if beside.exists() else "mpirun"
    version = subprocess.run([mpirun, "--version"], capture_output=True, text=True).stdout
    if "Open MPI" not in version:
        return (mpirun,)
    return (mpirun, "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1")


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def last_descendants(pid: int) -> list[int]:
    """Ranks are children of mpirun (Open MPI) or of its proxy (MPICH)."""
    return [rank for child in children(pid) for rank in (last_descendants(child) or [child])]


def write_input(path: Path, pause: float = 0.0, steps: int = 30, particles: int = 300, extra: str = "") -> Path:
    """Two toy stages."""
    path.write_text(f"""
title = "chaos"
seed = 7
[system]
model = "ipl12"
dimension = 2
particles = {particles}
[[stage]]
kind = "toy"
steps = {steps}
pause = {pause}
[[stage]]
kind = "toy"
label = "again"
steps = {steps}
pause = {pause}
frames_every = 5
{extra}
""")
    return path


class Program:
    """One start of the program; `through` are the words of another launcher than mpirun."""

    def __init__(self, input_file: Path, output: Path, ranks: int, *options: str, checkpoint: float = 0.1,
                 through: tuple[str, ...] = (), **environment: str) -> None:
        command = [sys.executable, str(PROGRAM), "run", str(input_file), "--output", str(output), "--no-plots", *options]
        if through or ranks > 1:
            command = [*(through or (*launcher(), "-n", str(ranks))), *command]
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("OMPI_", "PMIX_", "PMI_", "SLURM_"))}
        variables = {"HPCGLASS_CHECKPOINT_SECONDS": str(checkpoint), "OPENBLAS_NUM_THREADS": "1",
                     "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), inherited.get("PYTHONPATH", "")])}
        self.ranks = ranks
        self.began = time.monotonic()
        self.process = self._start(command, {**inherited, **variables, **environment})

    def _start(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                start_new_session=True)

    def pids(self) -> list[int]:
        """The ranks."""
        if self.ranks == 1:
            return [self.process.pid]
        return last_descendants(self.process.pid)

    def kill(self) -> None:
        """kill -9 of all ranks and the launcher."""
        for pid in [*self.pids(), self.process.pid, *self.session()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.wait()

    def session(self) -> list[int]:
        """All processes that the start gave birth to, also those that mpirun had no time to know."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == self.process.pid:
                found.append(int(path.parent.name))
        return found

    def wait(self) -> tuple[int, str]:
        """Exit code and all that was printed. A program that hangs is killed and fails the test."""
        try:
            text, _ = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            for pid in [*self.pids(), self.process.pid]:
                os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"hangs:\n{self.process.communicate()[0]}") from None
        self.seconds = time.monotonic() - self.began
        return self.process.returncode, text


def wait_for(path: Path, program: Program) -> None:
    """Until a file is there (or the program ended)."""
    end = time.monotonic() + PATIENCE
    while not path.exists() and program.process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)


def wait_for_checkpoint_after(path: Path, program: Program) -> None:
    """Until the stage that follows the one of this file has a checkpoint (or the program ended)."""
    wait_for(path, program)
    end = time.monotonic() + PATIENCE
    while program.process.poll() is None and time.monotonic() < end:
        found = [checkpoint.stat().st_mtime_ns for checkpoint in path.parent.glob("checkpoint-?.h5")]
        if max(found, default=0) > path.stat().st_mtime_ns:
            return
        time.sleep(0.01)


def results(directory: Path, moving: tuple[str, ...] = ("position", "memory", "image")) -> dict[str, object]:
    """Hashes of all results of a run, and the frames of its trajectories."""
    found: dict[str, object] = {}
    for path in sorted(directory.glob("[0-9][0-9]-*.h5")):
        if ".traj-" in path.name:
            continue
        hashes = verify(path)
        found.update({f"{path.name}:{name}": value for name, value in hashes.items() if not name.startswith(CHANGING)})
        for name in moving if list(directory.glob(f"{path.stem}.traj-*.h5")) else ():
            steps, values = trajectory.frames_of(directory, path.stem, name)
            found[f"{path.stem} steps of {name}"] = steps.tolist()
            found[f"{path.stem} frames of {name}"] = values.tobytes()
    return found


def same(directory: Path, reference: dict[str, object]) -> None:
    """Assert that a run gave what the reference run gave, to the bit."""
    assert (directory / "DONE").exists()
    found = results(directory)
    assert found.keys() == reference.keys()
    assert [name for name in found if found[name] != reference[name]] == []
    assert not list(directory.glob("*.part")) and not list(directory.glob("checkpoint-*.h5"))


def frames(directory: Path, stem: str) -> np.ndarray:
    return trajectory.frames_of(directory, stem)[1]


def all_readable(directory: Path) -> list[Path]:
    """Every file that has its final name is whole; returns them."""
    files = sorted(directory.glob("*.h5"))
    for path in files:
        verify(path, MPI.COMM_SELF)
    return files

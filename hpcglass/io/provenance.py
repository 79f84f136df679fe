"""Where a file comes from: what goes into /provenance and /h5md of every file."""

from __future__ import annotations

import getpass
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from mpi4py import MPI

from hpcglass import __version__
from hpcglass.io.contents import Contents
from hpcglass.sealed.guard import h5py

HISTORY = "/provenance/extended"
_LIBRARIES = ("numpy", "scipy", "numba", "mpi4py", "h5py", "petsc4py", "slepc4py", "pydantic", "matplotlib")


def git_commit(package: Path = Path(__file__).parents[1]) -> str:
    """Commit of the source tree the package runs from; empty if it is installed elsewhere."""
    git = package.parent / ".git"
    try:
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        name = head[5:]
        if (git / name).is_file():
            return (git / name).read_text().strip()
        packed = (git / "packed-refs").read_text().splitlines()
        return next((line.split()[0] for line in packed if line.endswith(f" {name}")), "")
    except OSError:
        return ""


def put(contents: Contents, comm: MPI.Comm, input_text: str, resolved: str, seed: int, parents: list[str],
        sample: int | None = None, history: str = "") -> None:
    """Add /h5md and /provenance. What differs between ranks is rank 0's (it writes).

    parents : "name seal" of each file this one was made from
    sample : number in the ensemble, 0 without one; None for files of no run
    history : earlier inputs, JSON; see `rundir.extend.history`
    """
    contents.attribute("/h5md", version=[1, 1])
    contents.attribute("/h5md/author", name=_user())
    contents.attribute("/h5md/creator", name="hpcglass", version=__version__)
    libraries = {name: sys.modules[name].__version__ for name in _LIBRARIES if hasattr(sys.modules.get(name), "__version__")}
    contents.attribute(
        "/provenance", hpcglass=__version__, git_commit=git_commit(), seed=str(seed), ranks=comm.size,
        written=datetime.now(UTC).isoformat(timespec="seconds"), host=platform.node(), platform=platform.platform(),
        python=platform.python_version(), hdf5=h5py.version.hdf5_version,
        mpi=MPI.Get_library_version().splitlines()[0].strip("\0 "),
        parents="\n".join(parents), **libraries, **({} if sample is None else {"sample": sample}),
        **{name: os.environ[name] for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_RESTART_COUNT")
           if name in os.environ})
    contents.value("/provenance/input", input_text, "", "input as the user wrote it")
    contents.value("/provenance/resolved_input", resolved, "", "input with all defaults, in TOML")
    if history:
        contents.value(HISTORY, history, "", "inputs before it was made longer, and what was changed when, in JSON")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):      # a container may have no name for the user
        return "unknown"

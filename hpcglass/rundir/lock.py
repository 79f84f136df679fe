"""One run per directory: a lock file that says who holds it, and that the dead cannot hold."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

from hpcglass.errors import FileError

NAME = ".lock"


def acquire(directory: Path) -> str:
    """Take the lock of a run directory (one process of the run). Returns a note if a stale lock was taken over.

    Raises
    ------
    FileError
        A run that may be alive holds it.
    """
    path = directory / NAME
    note = ""
    if not _create(path):
        holder = _read(path)
        if _alive(holder):
            raise FileError(
                f"{directory} is in use by process {holder.get('pid')} on {holder.get('host')}"
                + (f" (SLURM job {holder['job']})" if holder.get("job") else "")
                + f": wait for it, use another --output, or, if you are sure that it has ended, remove {path}")
        note = (f"took over {directory}: its last run (process {holder.get('pid')} on {holder.get('host')}) "
                "ended without cleaning up")
        path.unlink(missing_ok=True)
        if not _create(path):
            raise FileError(f"{directory} was taken by another run just now")
    return note


def release(directory: Path) -> None:
    """Give the lock back."""
    with contextlib.suppress(OSError):
        (directory / NAME).unlink()


def held(directory: Path) -> bool:
    """Whether a run that may be alive holds the lock."""
    path = directory / NAME
    return path.exists() and _alive(_read(path))


def _create(path: Path) -> bool:
    """Write the lock under a name of its own and link it in place, so that it is never seen half written."""
    mine = path.with_name(f"{NAME}.{platform.node()}.{os.getpid()}")
    mine.write_text(json.dumps(_self()))
    try:
        os.link(mine, path)
    except FileExistsError:
        return False
    except OSError:      # a file system without hard links
        return _create_exclusively(path)
    finally:
        mine.unlink()
    return True


def _create_exclusively(path: Path) -> bool:
    try:
        with open(path, "x") as file:
            file.write(json.dumps(_self()))
    except FileExistsError:
        return False
    return True


def _self() -> dict[str, str]:
    pid = os.getpid()
    return {"host": platform.node(), "pid": str(pid), "began": _began(pid), "job": os.environ.get("SLURM_JOB_ID", "")}


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _began(pid: int) -> str:
    """Start time of a living process in ticks, where /proc tells; tells a process from a later one with the same number."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _alive(holder: dict[str, str]) -> bool:
    """Whether the holder of a lock may still be running."""
    if not holder:
        return False
    if holder.get("host") == platform.node():
        pid = int(holder.get("pid", "0"))
        if Path("/proc/self/stat").exists():
            return bool(_began(pid)) and _began(pid) == holder.get("began")
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True
    return not _job_ended(holder.get("job", ""))


def _job_ended(job: str) -> bool:
    """Whether a SLURM job has ended for sure. Our own job number means that we are its requeued successor."""
    if not job:
        return False
    if job == os.environ.get("SLURM_JOB_ID"):
        return True
    squeue = shutil.which("squeue")
    if squeue is None:
        return False
    answer = subprocess.run([squeue, "--noheader", "--jobs", job, "--format=%T"], capture_output=True, text=True, timeout=60)
    unknown = "Invalid job id" in answer.stderr
    return unknown or (answer.returncode == 0 and answer.stdout.strip() in ("", "COMPLETED", "CANCELLED", "FAILED", "TIMEOUT"))

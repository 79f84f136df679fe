"""One run per directory: a lock file that says who holds it, and that the dead cannot hold.

`.lock` is written under a name of its own and then linked into place: of several links to one name only one succeeds, on NFS too,
and the lock is never seen half written.

Taking over from the dead must be one step as well: were their lock removed and a new one made, a second run could in between
remove that new one. So who finds the holder of `.lock` dead first makes a *claim*, the link `.lock.after-<mark>`, where the
mark stands for exactly what was found (its content, with process and start, and its time) and will not come back. Then

- there is one claim to a mark, hence one successor;
- if `.lock` is still what was found, only the successor may change it: its holder is dead, and others have no claim;
- if it is not, the claim is about the past, is given back, and all begins anew;
- the successor renames its claim to `.lock`: one step that does away with claim and old lock.

Who dies between claim and renaming leaves a claim of the dead, and has a successor in the same way. File locks (flock, fcntl)
would be simpler, but on many clusters they are local to a node, or not there at all.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import platform
import secrets
import shutil
import stat
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from hpcglass import disk
from hpcglass.errors import FileError
from hpcglass.settings import whole
from hpcglass.words import one_line

NAME = ".lock"
LARGEST = 4096          # bytes of a lock of ours; a larger file is none
ATTEMPTS = 100
WRITTEN_WITHIN = 30.0   # seconds that a lock may be empty where it cannot be linked into place
ALIVE, DEAD, UNKNOWN = "alive", "dead", "unknown"


@dataclass(frozen=True)
class Holder:
    """A process that holds a lock, or held it.

    began : start time in clock ticks, tells it from a later process of the same number
    boot, space : of the kernel, and of its processes as this one sees them (a container)
    job, restart : SLURM's number, and how often it was put back into the queue
    """

    host: str
    pid: str
    began: str = ""
    job: str = ""
    restart: str = ""
    boot: str = ""
    space: str = ""
    machine: str = ""

    def __str__(self) -> str:
        return f"process {self.pid} on {one_line(self.host)}" + (f" (SLURM job {self.job})" if self.job else "")


def acquire(directory: Path) -> str:
    """Take the lock of a run directory (one process of the run). Returns a note if a stale lock was taken over.

    Raises
    ------
    FileError
        A run that may be alive holds it.
    """
    for _ in range(ATTEMPTS):
        attempt = _Attempt(directory)
        try:
            note = attempt.make()
        finally:
            attempt.mine.unlink(missing_ok=True)
        if note is not None:
            _clear(directory)
            return note
    raise FileError(f"{directory}: its lock changes hands all the time; try again")


def release(directory: Path) -> None:
    """Give the lock back, if it is ours."""
    with contextlib.suppress(OSError):
        found = _look(directory / NAME)
        if found is not None and found.holder == _self():
            (directory / NAME).unlink()


def look(directory: Path) -> tuple[str, Holder | None] | None:
    """Whether the holder of a directory's lock lives: ALIVE, DEAD or UNKNOWN, and who it is. None without a lock.

    UNKNOWN is who cannot be asked from here: on another host, in another container.
    """
    try:
        found = _look(directory / NAME)
    except OSError:
        return UNKNOWN, None
    return None if found is None else (_state(found.holder), found.holder)


def held(directory: Path) -> bool:
    """Whether a run that may be alive holds the lock."""
    found = look(directory)
    return found is not None and found[0] != DEAD


# ---------------------------------------------------------------------- taking a lock

@dataclass(frozen=True)
class _Found:
    """What lies under a name. `mark` tells it from all else that lies there at another time."""

    mark: str
    holder: Holder | None       # None: not a lock of ours


class _Attempt:
    """One attempt to get the lock; `mine` is a file with our name in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lock = directory / NAME
        self.mine = directory / f"{NAME}.{secrets.token_hex(8)}"
        disk.create(self.mine, json.dumps(asdict(_self())))

    def make(self) -> str | None:
        """The note of `acquire`, or None when something changed meanwhile and it must be tried again."""
        places, found = [self.lock], []
        while not (got := self._put(places[-1])):
            here = None if got is None else _look(places[-1])
            if here is None:
                return None
            if _state(here.holder) != DEAD:
                raise FileError(
                    f"{self.directory} is in use by {here.holder}: wait for it, use another --output, or, if you are sure that "
                    f"it has ended, remove {self.lock}")
            found.append(here)
            places.append(self.directory / f"{NAME}.after-{here.mark}")
        if not found:
            return ""
        claim = places[-1]
        if any((now := _look(place)) is None or now.mark != was.mark for place, was in zip(places, found, strict=False)):
            claim.unlink(missing_ok=True)
            return None
        if not self._replace(claim):
            return None
        last = found[-1].holder
        return (f"took over {self.directory}: its last run ({last}) ended without cleaning up" if last else
                f"took over {self.directory}: its lock was none of a run")

    def _put(self, place: Path) -> bool | None:
        """Link our file to a name: whether it was free. None: our file is gone, somebody cleared it away."""
        try:
            os.link(self.mine, place)
        except FileExistsError:
            with contextlib.suppress(FileNotFoundError):
                return os.stat(self.mine).st_nlink > 1      # NFS may repeat a request that had succeeded
            return None
        except FileNotFoundError:
            if not self.directory.is_dir():
                raise
            return None
        except OSError as error:      # a file system without hard links
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
                raise
            return self._create(place)
        return True

    def _create(self, place: Path) -> bool:
        """The same without links: the lock can be seen before it is written."""
        try:
            disk.create(place, json.dumps(asdict(_self())))
        except FileExistsError:
            with contextlib.suppress(FileNotFoundError):
                status = os.lstat(place)
                if stat.S_ISREG(status.st_mode) and not status.st_size and time.time() - status.st_mtime < WRITTEN_WITHIN:
                    raise FileError(f"{self.directory}: another run is just starting in it") from None
            return False
        return True

    def _replace(self, claim: Path) -> bool:
        """Make the claim the lock."""
        try:
            os.replace(claim, self.lock)
        except (IsADirectoryError, NotADirectoryError, FileExistsError):
            # a directory in its place: out of the way with it; whoever then comes first has the lock
            n = 1
            while os.path.lexists(aside := self.lock.with_name(f"{NAME}.directory-{n}")):
                n += 1
            os.rename(self.lock, aside)
            claim.unlink(missing_ok=True)
            return bool(self._put(self.lock))
        return True


def _look(path: Path) -> _Found | None:
    """What lies under a name; None if nothing does.

    Raises
    ------
    FileError
        There is a file that cannot be read.
    """
    data = b""
    try:
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode):
            data = disk.read_bytes(path, LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EINVAL, errno.ENXIO):      # just now it was a file
            return None
        raise FileError(f"{path}: who holds it cannot be read ({error.strerror}); if you are sure that nobody does, remove it"
                        ) from None
    what = f"{status.st_mtime_ns} {status.st_size} ".encode() + data
    return _Found(hashlib.sha256(what).hexdigest()[:24], _holder(data) if len(data) <= LARGEST else None)


def _holder(data: bytes) -> Holder | None:
    """Who wrote a lock; None if that was no run."""
    try:
        found = json.loads(data)
        holder = Holder(**{name: str(found.get(name, "")) for name in Holder.__dataclass_fields__})
    except (ValueError, AttributeError, RecursionError):
        return None
    known = holder.host and whole(holder.pid) and 0 < int(holder.pid) < 2**31
    return holder if known and (not holder.job or whole(holder.job)) else None


def _clear(directory: Path) -> None:
    """Remove what attempts of the dead have left; one that is being made begins anew, and finds our lock."""
    for path in directory.glob(f"{NAME}.*"):
        with contextlib.suppress(OSError):
            path.unlink()


# ---------------------------------------------------------------------- who lives

def _self() -> Holder:
    pid = os.getpid()
    job = os.environ.get("SLURM_JOB_ID", "")
    restart = os.environ.get("SLURM_RESTART_COUNT", "") if whole(job) else ""
    return Holder(platform.node() or "localhost", str(pid), _began(pid) or "", job if whole(job) else "", restart,
                  _line("/proc/sys/kernel/random/boot_id"), _space(), _line("/etc/machine-id"))


def _line(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def _space() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _began(pid: int) -> str | None:
    """Start time of a process in ticks; empty for one that has ended; None where it cannot be seen."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except (OSError, ValueError, IndexError):
        return None


def _state(holder: Holder | None) -> str:
    """Whether the holder of a lock may still be running. A lock that says nothing is nobody's."""
    if holder is None:
        return DEAD
    here = _self()
    same_kernel = holder.boot == here.boot and holder.space == here.space if holder.boot else holder.host == here.host
    if same_kernel:
        return ALIVE if _runs(int(holder.pid), holder.began) else DEAD
    restarted = holder.host == here.host and holder.machine == here.machine != "" and holder.boot != here.boot
    return DEAD if restarted or _job_ended(holder) else UNKNOWN


def _runs(pid: int, began: str) -> bool:
    """Whether a process of this kernel, that began then, is there."""
    now = _began(pid)
    if now is not None:
        return now != "" and now == began
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:      # another user's, which /proc may hide
        pass
    return True


def _job_ended(holder: Holder) -> bool:
    """Whether a SLURM job has ended for sure. One of our own job before it was put back into the queue has."""
    if not holder.job:
        return False
    if holder.job == os.environ.get("SLURM_JOB_ID"):
        return holder.restart != os.environ.get("SLURM_RESTART_COUNT", "")
    squeue = shutil.which("squeue")
    if squeue is None:
        return False
    try:
        answer = subprocess.run([squeue, "--noheader", "--jobs", holder.job, "--format=%T"], capture_output=True, text=True,
                                timeout=20)
    except (OSError, ValueError, subprocess.SubprocessError):
        return False
    if answer.returncode:
        return "Invalid job id" in answer.stderr
    return answer.stdout.strip() in ("", "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL",
                                     "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT")

"""Where compiled kernels are kept between runs, and what happens when that place is damaged, or open to others.

One directory per version of the sources, of numba, and of the processor: an update or another kind of node never meets what was
compiled for something else. A file that cannot be read is compiled again. The directory lies in ~/.cache/hpcglass, or where
NUMBA_CACHE_DIR says; on a cluster with a slow home directory point it to a node-local one.

What is stored is code that will be run. So nobody else may enter the directory, nor put another one in its place; where that
is not so, kernels go to a private place, and `note` says why.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
from numba.core import caching

PACKAGE = Path(__file__).parents[1]
COMPILED = ("potentials", "geometries", "core", "epm", "landscape", "moves", "cavity", "saddles",
            "indicators")       # the layers with kernels

note = ""       # for the user: why kernels are not kept where they should be


def use_own_cache() -> None:
    """Keep kernels where nobody else can write, and recompile what cannot be read."""
    global note
    place, note = choose()
    numba.config.CACHE_DIR = str(place)
    _forgive(caching.IndexDataCacheFile, "_load_index", dict)
    _forgive(caching.IndexDataCacheFile, "load", lambda: None)


def choose() -> tuple[Path, str]:
    """The directory to use, made if need be, and what the user should know about it."""
    reasons: list[str] = []
    for place in _places():
        reason = _take(place)
        if not reason:
            return place, "; ".join([*reasons, f"they are kept in {place} instead"]) if reasons else ""
        reasons.append(f"compiled kernels are not kept in {place}: {reason}")
    private = Path(tempfile.mkdtemp(prefix="hpcglass-kernels-"))
    atexit.register(shutil.rmtree, private, ignore_errors=True)
    return private, "; ".join([*reasons, "they are compiled anew at every start"])


def _places() -> Iterator[Path]:
    """Where to try, links followed now so that nobody can turn them round later."""
    key = _key()
    if os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(os.path.realpath(os.environ["NUMBA_CACHE_DIR"])) / f"hpcglass-{os.geteuid()}-{key}"
    with contextlib.suppress(RuntimeError):         # nobody knows where home is
        yield Path(os.path.realpath(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")) / "hpcglass" / key
    yield Path(os.path.realpath(tempfile.gettempdir())) / f"hpcglass-{os.geteuid()}" / key


def is_cold(kernel: str) -> bool:
    """Whether a kernel, "module.function", has not been stored yet."""
    return next(Path(numba.config.CACHE_DIR).rglob(f"{kernel}-*.nbi"), None) is None


def _take(place: Path) -> str:
    """Make a directory that only we may enter, if it is not there; why it is not to be trusted, or nothing."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.mkdir(exist_ok=True, mode=0o700)
        return untrusted(place)
    except OSError as error:
        return error.strerror or str(error)


def untrusted(place: Path) -> str:
    """Why a directory is not to be trusted with code: it must be ours alone, and nobody may put another one in its place."""
    ours = place.lstat()
    if not stat.S_ISDIR(ours.st_mode):
        return "it is no directory"
    if ours.st_uid != os.geteuid():
        return "it belongs to another user"
    if ours.st_mode & 0o077:
        return f"others may enter it; `chmod 700 {place}` if all that is in it is yours, else remove it"
    for folder in place.parents:
        above = folder.stat()
        if above.st_uid not in (0, os.geteuid()):
            return f"{folder} belongs to another user"
        if above.st_mode & 0o022 and not above.st_mode & stat.S_ISVTX and not _alone(above):
            return f"others can write in {folder}"
    return ""


def _alone(folder: os.stat_result) -> bool:
    """Whether it is only the user's own group, of which nobody else is a member, that can write besides the owner."""
    if folder.st_mode & 0o002:
        return False
    import grp
    import pwd

    try:
        group, user = grp.getgrgid(folder.st_gid), pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return group.gr_name == user.pw_name and not set(group.gr_mem) - {user.pw_name}


def _key() -> str:
    """Changes with anything that compiled code depends on."""
    parts = [numba.__version__, llvmlite.binding.get_host_cpu_name(), llvmlite.binding.get_host_cpu_features().flatten()]
    for path in sorted(path for layer in COMPILED for path in (PACKAGE / layer).rglob("*.py")):
        status = path.stat()
        parts.append(f"{path.relative_to(PACKAGE)} {status.st_mtime_ns} {status.st_size}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _forgive(owner: Any, name: str, empty: Any) -> None:
    """Let a method of numba's cache answer "nothing stored" instead of raising on a damaged file."""
    original = getattr(owner, name, None)
    if original is None or getattr(original, "forgives", False):
        return

    def careful(self: Any, *arguments: Any) -> Any:
        try:
            return original(self, *arguments)
        except Exception:      # pickle raises anything on damaged bytes
            return empty()

    careful.forgives = True    # type: ignore[attr-defined]
    setattr(owner, name, careful)

"""Where compiled kernels are kept between runs, and what happens when that place is damaged.

One directory per version of the sources, of numba, and of the processor: an update or another kind of node never meets what was
compiled for something else. A file that cannot be read is compiled again. NUMBA_CACHE_DIR, if set, has the last word; on a
cluster with a slow home directory point it to a node-local one.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
from numba.core import caching

PACKAGE = Path(__file__).parents[1]
COMPILED = ("potentials", "geometries", "core", "epm", "landscape", "moves", "cavity", "indicators")    # the layers with kernels


def use_own_cache() -> None:
    """Keep kernels in ~/.cache/hpcglass/<key>, and recompile what cannot be read."""
    if not os.environ.get("NUMBA_CACHE_DIR"):
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hpcglass" / _key()
        try:
            base.mkdir(parents=True, exist_ok=True, mode=0o700)
            numba.config.CACHE_DIR = str(base)
        except OSError:
            pass     # numba then finds a place of its own
    _forgive(caching.IndexDataCacheFile, "_load_index", dict)
    _forgive(caching.IndexDataCacheFile, "load", lambda: None)


def is_cold(kernel: str) -> bool:
    """Whether a kernel, "module.function", has not been stored yet."""
    place = Path(numba.config.CACHE_DIR or PACKAGE)
    return next(place.rglob(f"{kernel}-*.nbi"), None) is None


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

"""The kernel cache: a damaged file is compiled again, not a crash."""

from __future__ import annotations

import os
import subprocess
import sys

from hpcglass.core import cache

PROGRAM = """
import numpy as np
from hpcglass.core.vectors import dots
print(dots(np.ones((3, 2)), 2 * np.ones((3, 2))), sum(dots.stats.cache_hits.values()))
"""


def run(directory) -> tuple[str, int]:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(directory)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    answer, hits = done.stdout.strip().rsplit(" ", 1)
    return answer, int(hits)


def test_damaged_cache_is_compiled_again(tmp_path):
    expected = "(6.0, 12.0, 24.0)"
    assert run(tmp_path) == (expected, 0)
    assert run(tmp_path) == (expected, 1)
    files = [path for path in tmp_path.rglob("*") if path.suffix in (".nbi", ".nbc")]
    assert len(files) >= 2
    for path in files:
        path.write_bytes(path.read_bytes()[:40] + b"damaged")
    assert run(tmp_path) == (expected, 0)
    assert run(tmp_path) == (expected, 1)


def test_key_follows_the_sources(tmp_path, monkeypatch):
    for place in ("core", "commands"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "a.py").write_text("x = 1\n")
    monkeypatch.setattr(cache, "PACKAGE", tmp_path)
    first = cache._key()
    assert cache._key() == first
    (tmp_path / "commands" / "a.py").write_text("x = 10\n")          # no kernel depends on it
    assert cache._key() == first
    (tmp_path / "core" / "a.py").write_text("x = 10\n")
    assert cache._key() != first

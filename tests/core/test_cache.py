"""The kernel cache: a damaged file is compiled again, not a crash."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

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


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Home, temporary folder and the folder that the user wishes, all below one that is private."""
    home, temporary, wished = (tmp_path / name for name in ("home", "tmp", "wished"))
    for folder in (home, temporary, wished):
        folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(wished))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return home, temporary, wished


def test_the_place_that_the_user_wishes(places):
    home, _, wished = places
    place, note = cache.choose()
    assert place.parent == wished and not note and place.stat().st_mode & 0o777 == 0o700
    assert cache.choose() == (place, "")
    (home / "link").symlink_to(wished)
    os.environ["NUMBA_CACHE_DIR"] = str(home / "link")       # who can turn the link round later shall not
    assert cache.choose() == (place, "")


def opened(place, wished):
    place.chmod(0o770)
    return "others may enter it; `chmod 700"


def readable_to_others(place, wished):
    place.chmod(0o755)
    return "others may enter it; `chmod 700"


def in_a_common_folder(place, wished):
    wished.chmod(0o777)
    return f"others can write in {wished}"


def a_file(place, wished):
    place.rmdir()
    place.write_text("")
    return "File exists"


def a_link(place, wished):
    place.rename(wished / "other")
    place.symlink_to(wished / "other")
    return "it is no directory"


def not_ours(place, wished):
    pytest.importorskip("pwd")
    if os.geteuid():
        pytest.skip("giving files away needs root")
    os.chown(place, 12345, 12345)
    return "it belongs to another user"


def below_another_user(place, wished):
    not_ours(wished, wished)
    return f"{wished} belongs to another user"


@pytest.mark.parametrize("spoil", [opened, readable_to_others, in_a_common_folder, a_file, a_link, not_ours, below_another_user])
def test_a_place_that_is_open_to_others_is_not_used(places, spoil):
    """Its index is code that is run: kernels go elsewhere, and it says so."""
    home, _, wished = places
    why = spoil(cache.choose()[0], wished)
    place, note = cache.choose()
    assert place.parent == home / "hpcglass"
    assert why in note and str(wished) in note and f"kept in {place} instead" in note


def test_a_sticky_folder_will_do(places):
    """As /tmp is: others can write in it, but not replace what is ours."""
    places[2].chmod(0o1777)
    place, note = cache.choose()
    assert place.parent == places[2] and not note


def test_nowhere_to_keep_them(places, monkeypatch):
    for folder in places:
        folder.chmod(0o777)
    removed = []
    monkeypatch.setattr(cache.atexit, "register", lambda *arguments, **_: removed.append(arguments[1]))
    monkeypatch.setattr(tempfile, "mkdtemp", lambda prefix: str(places[0].parent / prefix))
    place, note = cache.choose()
    assert removed == [place] == [places[0].parent / "hpcglass-kernels-"]
    assert note.count("not kept in") == 3 and note.endswith("they are compiled anew at every start")


def test_own_group_is_nobody_else(tmp_path, monkeypatch):
    """Many systems give each user a group of his own, and let it write."""
    import grp
    import pwd

    tmp_path.chmod(0o770)
    status = tmp_path.stat()
    user = pwd.getpwuid(os.geteuid()).pw_name
    monkeypatch.setattr(grp, "getgrgid", lambda gid: grp.struct_group((user, "x", gid, [user])))
    assert cache._alone(status)
    monkeypatch.setattr(grp, "getgrgid", lambda gid: grp.struct_group((user, "x", gid, [user, "other"])))
    assert not cache._alone(status)
    monkeypatch.setattr(grp, "getgrgid", lambda gid: grp.struct_group(("users", "x", gid, [])))
    assert not cache._alone(status)
    tmp_path.chmod(0o777)
    assert not cache._alone(Path(tmp_path).stat())

"""One holder of a lock, whoever comes when, and whatever lies in its place."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from hpcglass.errors import FileError
from hpcglass.rundir import lock

HOST = platform.node()


def ended() -> lock.Holder:
    """A process that was and is no more."""
    pid = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True).stdout.strip()
    return replace(lock._self(), pid=pid, began="1")


@pytest.fixture(scope="module")
def dead():
    return ended()


def put(directory, holder) -> None:
    (directory / lock.NAME).write_text(json.dumps(asdict(holder)))


def test_a_lock_is_taken_once_and_given_back(tmp_path):
    assert lock.acquire(tmp_path) == "" and lock.look(tmp_path) == (lock.ALIVE, lock._self())
    with pytest.raises(FileError, match=f"process {os.getpid()} on"):
        lock.acquire(tmp_path)
    lock.release(tmp_path)
    assert os.listdir(tmp_path) == [] and lock.look(tmp_path) is None


def test_the_lock_of_the_dead_is_taken_over_and_what_they_left_is_cleared(tmp_path, dead):
    put(tmp_path, dead)
    (tmp_path / ".lock.0123").write_text("of an attempt that was killed")
    assert lock.look(tmp_path) == (lock.DEAD, dead) and not lock.held(tmp_path)
    assert f"process {dead.pid}" in lock.acquire(tmp_path)
    assert os.listdir(tmp_path) == [lock.NAME] and lock.held(tmp_path)


def test_nobody_gives_back_the_lock_of_another(tmp_path, dead):
    put(tmp_path, dead)
    lock.release(tmp_path)
    assert (tmp_path / lock.NAME).exists()


@pytest.mark.parametrize("content", [
    b"", b"\0" * 100, b"hello", b"[1, 2]", b"3", b"[" * 5000, b"{" * 100_000, b'{"host": "x"}', b'{"pid": "1"}',
    b'{"host": "HOST", "pid": "abc"}', b'{"host": "HOST", "pid": "-1"}', b'{"host": "HOST", "pid": "0"}',
    '{"host": "HOST", "pid": "²"}'.encode(), b'{"host": "HOST", "pid": "99999999999999999999"}', b'{"host": "HOST", "pid": [1]}',
    b'{"host": "HOST", "pid": "1", "began": "1", "job": "--all; x"}', b'{"host": "\xff", "pid": "1"}', bytes(2**22),
    b'{"pid": "1", "host": ' + b" " * 5000 + b'"elsewhere"}'])
def test_what_is_no_lock_of_a_run_holds_nothing(tmp_path, content):
    (tmp_path / lock.NAME).write_bytes(content.replace(b"HOST", HOST.encode()))
    assert lock.look(tmp_path) == (lock.DEAD, None)
    assert "its lock was none of a run" in lock.acquire(tmp_path)
    with pytest.raises(FileError, match="is in use by process"):
        lock.acquire(tmp_path)
    assert os.listdir(tmp_path) == [lock.NAME]


def test_neither_directory_nor_link_nor_pipe_nor_socket_holds_anything(tmp_path):
    makers = {"full": lambda path: (path.mkdir(), (path / "file").touch()), "empty": lambda path: path.mkdir(),
              "pipe": os.mkfifo, "dangling": lambda path: path.symlink_to(tmp_path / "nowhere"),
              "link": lambda path: path.symlink_to(tmp_path / "precious"),
              "socket": lambda path: socket.socket(socket.AF_UNIX).bind(os.path.relpath(path))}
    (tmp_path / "precious").write_text("mine")
    for name, make in makers.items():
        place = tmp_path / name
        place.mkdir()
        make(place / lock.NAME)
        assert "none of a run" in lock.acquire(place), name
        assert (place / lock.NAME).is_file() and not (place / lock.NAME).is_symlink() and lock.held(place)
    assert (tmp_path / "precious").read_text() == "mine" and not (tmp_path / "nowhere").exists()
    assert (tmp_path / "full" / ".lock.directory-1" / "file").exists()      # nothing is deleted


def test_a_lock_that_cannot_be_read_is_said_and_kept(tmp_path, monkeypatch):
    (tmp_path / lock.NAME).write_text("x")

    def refused(path, most):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(lock.disk, "read_bytes", refused)
    with pytest.raises(FileError, match=r"cannot be read \(Permission denied\); if you are sure"):
        lock.acquire(tmp_path)
    assert lock.look(tmp_path) == (lock.UNKNOWN, None) and lock.held(tmp_path)
    assert os.listdir(tmp_path) == [lock.NAME]


def test_who_lives(monkeypatch):
    """The same kernel is asked; a reboot ends all; of another host, or another container, nothing is known but by SLURM."""
    for name in ("SLURM_JOB_ID", "SLURM_RESTART_COUNT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(lock.shutil, "which", lambda name: None)
    me = replace(lock._self(), machine="m")
    monkeypatch.setattr(lock, "_self", lambda: me)
    state = lock._state
    assert state(me) == lock.ALIVE
    assert state(replace(me, began="1")) == lock.DEAD                                   # a later process of the same number
    assert state(lock.Holder(me.host, me.pid, me.began)) == lock.ALIVE                  # as locks were before
    assert state(replace(me, boot="other")) == lock.DEAD                                # the machine was started anew
    assert state(replace(me, boot="other", machine="n")) == lock.UNKNOWN                # another one of the same name
    assert state(replace(me, space="pid:[1]")) == lock.UNKNOWN
    elsewhere = replace(me, host="elsewhere", boot="other", job="77")
    assert state(elsewhere) == lock.UNKNOWN
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    assert state(elsewhere) == lock.UNKNOWN                                             # another node of our own job
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert state(elsewhere) == lock.DEAD                                                # we are its successor


def test_a_squeue_that_does_not_answer_says_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(lock.shutil, "which", lambda name: "/usr/bin/squeue")
    holder = lock.Holder("elsewhere", "1", job="77")

    def hangs(*arguments, **options):
        raise subprocess.TimeoutExpired("squeue", 20)

    monkeypatch.setattr(lock.subprocess, "run", hangs)
    assert lock._state(holder) == lock.UNKNOWN
    for text, code, expected in (("RUNNING\n", 0, lock.UNKNOWN), ("NODE_FAIL\n", 0, lock.DEAD), ("", 0, lock.DEAD),
                                 ("", 1, lock.UNKNOWN)):
        monkeypatch.setattr(lock.subprocess, "run", lambda *a, c=code, t=text, **o: subprocess.CompletedProcess(a, c, t, ""))
        assert lock._state(holder) == expected


class Racers:
    """Runs that come one into the other: each system call of one can be the moment at which the next one does all of its own.

    pause : for each run, after how many calls the next one comes
    """

    def __init__(self, monkeypatch, directory, pause) -> None:
        self.directory, self.pause = directory, pause
        self.depth, self.calls, self.holders = -1, [], []
        living = lock._self()
        self.people = [replace(living, began=f"{living.began}", restart=str(k)) for k in range(len(pause) + 1)]
        monkeypatch.setattr(lock, "_self", lambda: self.people[max(self.depth, 0)])
        for owner, name in ((os, "link"), (os, "replace"), (os, "rename"), (lock.disk, "create"), (lock, "_look"),
                            (lock, "_clear")):
            original = getattr(owner, name)
            monkeypatch.setattr(owner, name, lambda *a, original=original, **o: self.call(original, *a, **o))

    def call(self, original, *arguments, **options):
        me = self.depth
        if 0 <= me < len(self.pause):
            self.calls[me] += 1
            if self.calls[me] == self.pause[me] + 1:
                self.run()
        return original(*arguments, **options)

    def run(self) -> None:
        self.depth += 1
        self.calls.append(0)
        me = self.depth
        try:
            lock.acquire(self.directory)
            self.holders.append(me)
        except FileError:
            pass
        self.depth -= 1


@pytest.mark.parametrize("clears", [True, False])
@pytest.mark.parametrize("kind", ["dead", "empty", "directory", "claimed", "claimed twice"])
def test_of_runs_that_come_at_any_moment_one_gets_the_lock_of_the_dead(tmp_path, kind, clears, dead):
    """All pairs of moments at which a second run comes into the first, and a third into the second.

    Clearing away what the others were about to use makes most of them begin anew: hence also without.
    """
    tried = 0
    for first in range(9):
        for second in range(9):
            place = tmp_path / f"{first}-{second}"
            place.mkdir()
            if kind == "directory":
                (place / lock.NAME).mkdir()
            elif kind == "empty":
                (place / lock.NAME).touch()
            else:
                put(place, dead)
                for _ in range(kind.count("claimed") + kind.count("twice")):       # by runs that were killed at once
                    name = lock.NAME
                    while (place / name).exists():
                        name = f"{lock.NAME}.after-{lock._look(place / name).mark}"
                    (place / name).write_text(json.dumps(asdict(replace(dead, restart="x"))))
            with pytest.MonkeyPatch.context() as patch:
                if not clears:
                    patch.setattr(lock, "_clear", lambda directory: None)
                racers = Racers(patch, place, (first, second))
                racers.run()
            assert len(racers.holders) == 1, (first, second, racers.holders)
            assert lock._look(place / lock.NAME).holder == racers.people[racers.holders[0]]
            left = [name for name in os.listdir(place) if not name.startswith(".lock.directory")]
            assert left == [lock.NAME] or not clears, (first, second)
            tried += len(racers.calls) == 3
    assert tried > 20          # others end before their guests would come

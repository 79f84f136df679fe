"""Starts of the program on one rank by fork, from a process that has loaded all of it but MPI and PETSc, which are of each start.

A start then takes a tenth of a second instead of seconds. The mother reads a line of JSON for each one - arguments, environment,
file for what is printed - and answers with the number of the process, and later with its exit code.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[2] / "tests" / "chaos"
LOADED = ("numpy", "numba", "h5py", "scipy.spatial", "hpcglass.run", "hpcglass.core.system", "hpcglass.landscape.forces",
          "hpcglass.moves.minimise", "hpcglass.moves.dynamics", "hpcglass.moves.swap.run", "hpcglass.epm.dynamics",
          "hpcglass.epm.calibration", "hpcglass.stages.shear.run", "hpcglass.stages.inflate")


def mother() -> None:
    """Load, then fork for every line that comes in; children are forgotten by nobody."""
    import importlib

    import mpi4py

    mpi4py.rc.initialize = mpi4py.rc.finalize = False
    sys.path[:0] = [str(TESTS.parents[1]), str(TESTS)]
    for name in LOADED:
        importlib.import_module(name)
    print("ready", flush=True)
    alive = True
    while alive or _wait(os.WNOHANG):
        if select.select([sys.stdin], [], [], 0.005)[0]:
            line = sys.stdin.readline()
            alive = bool(line)
            if line:
                print(json.dumps({"started": _fork(json.loads(line))}), flush=True)
        _wait(os.WNOHANG)


def _wait(how: int) -> bool:
    """Tell of a child that has ended."""
    try:
        pid, status = os.waitpid(-1, how)
    except ChildProcessError:
        return False
    if pid:
        print(json.dumps({"ended": pid, "code": os.waitstatus_to_exitcode(status)}), flush=True)
    return True


def _fork(told: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    out = os.open(told["print"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(out, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(told["environment"])
    sys.argv = ["hpcglass", *told["arguments"]]
    from mpi4py import MPI

    code = 1
    try:
        MPI.Init()
        import runpy

        runpy.run_path(str(TESTS / "program.py"), run_name="__main__")
    except SystemExit as end:
        code = int(end.code or 0)
        MPI.Finalize()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Process:
    """As much of `subprocess.Popen` as a `Program` needs."""

    def __init__(self, nursery: Nursery, pid: int, printed: Path) -> None:
        self.nursery, self.pid, self.printed = nursery, pid, printed

    @property
    def returncode(self) -> int | None:
        return self.nursery.ended.get(self.pid)

    def poll(self) -> int | None:
        """Exit code, or None while it runs."""
        self.nursery.listen(0.0)
        return self.returncode

    def communicate(self, timeout: float = 1e9) -> tuple[str, None]:
        """All that it printed, when it has ended."""
        end = time.monotonic() + timeout
        while self.returncode is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("hpcglass", timeout)
            self.nursery.listen(0.05)
        return self.printed.read_text(encoding="utf-8", errors="replace"), None


class Nursery:
    """The mother, seen from outside."""

    def __init__(self) -> None:
        self.ended: dict[int, int] = {}
        self.folder = Path(tempfile.mkdtemp(prefix="hpcglass-forked-"))
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}, start_new_session=True)
        assert self.process.stdout is not None
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit("the process that starts others could not load the program")
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text, self.started, self.number = "", [], 0

    def start(self, arguments: list[str], environment: dict[str, str]) -> Process:
        """A run on one rank."""
        self.number += 1
        printed = self.folder / f"{self.number % 50}.txt"
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"arguments": arguments, "environment": environment, "print": str(printed)}) + "\n")
        self.process.stdin.flush()
        self.started: list[int] = []
        while not self.started:
            self.listen(0.05)
        return Process(self, self.started.pop(), printed)

    def listen(self, seconds: float) -> None:
        """Hear what the mother says."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return
        self.text += self.process.stdout.read() or ""
        *lines, self.text = self.text.split("\n")
        for line in map(json.loads, lines):
            if "started" in line:
                self.started.append(line["started"])
                self.ended.pop(line["started"], None)
            else:
                self.ended[line["ended"]] = line["code"]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    mother()

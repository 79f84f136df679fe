"""Run the blocks of a page of docs/ as a reader would: sh blocks as commands, toml blocks as files, python blocks as a program.

The first `hpcglass` of a page, the first line that starts ranks, and every line that needs a shell, is a process of its own; the
other commands and the program run in the process of the tests, on one rank. A page or figure that was made is not made again.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from inprocess import hpcglass

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SHELL = re.compile(r"[|&;<>$`*?~(){}#]")     # what only a shell understands
RUN = {"hpcglass": f'exec "{sys.executable}" -m hpcglass "$@"\n',
       "mpirun": f'shift; PATH=${{PATH#*:}} exec "{ROOT}/tools/launch" "$@"\n'}     # mpirun -n 2 ...


class Reader:
    """A reader in a directory of their own, with the commands of an activated environment.

    Parameters
    ----------
    smaller : text of the pages -> what to put instead, so that it is quick; every entry must be found
    """

    def __init__(self, directory: Path, smaller: dict[str, str]) -> None:
        self.directory = directory
        self.smaller = dict(smaller)
        self.unused = set(smaller)
        self.drawn: set[str] = set()
        paths: list[Path] = []
        for name, text in RUN.items():
            paths.insert(0, directory / "bin" / name)
            paths[0].mkdir(parents=True)
            (paths[0] / name).write_text(f"#!/bin/bash\n{text}")
            (paths[0] / name).chmod(0o755)
        self.environment = {**os.environ, "PATH": ":".join(map(str, [*paths, os.environ["PATH"]])), "PYTHONPATH": str(ROOT),
                            "MPLBACKEND": "Agg", "OPENBLAS_NUM_THREADS": "1"}

    def follow(self, page: str) -> str:
        """Do what a page says; returns all that was printed."""
        program: dict[str, Any] = {"__name__": "__main__"}      # a page is one program: later blocks build on earlier ones
        output, own = "", {"hpcglass ": True, "mpirun -n 2 hpcglass ": True}        # not yet in a process of its own
        for kind, block in BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8")):
            text = self.small(block)
            if kind == "toml":
                name = re.match(r"# (\S+\.toml)\n", text)
                if name:
                    (self.directory / name[1]).write_text(text)
            elif kind == "sh":
                for line in (re.sub(r"  +#.*", "", line) for line in text.splitlines()):
                    if line in self.drawn:
                        continue
                    self.drawn |= {line} if line.startswith(("hpcglass plot ", "hpcglass report ")) else set()
                    start = next((start for start in own if line.startswith(start)), "") if not SHELL.search(line) else ""
                    if start and not own[start]:
                        words = shlex.split(line.removeprefix(start))
                        output += self.checked(hpcglass(*words, directory=self.directory), line)
                    else:
                        output += self.execute(["bash", "-c", line], line)
                        own |= {start: False} if start else {}
            elif kind == "python":
                output += self.compute(text, program)
        plt.close("all")
        return output

    def small(self, text: str) -> str:
        for old, new in self.smaller.items():
            if old in text:
                self.unused.discard(old)
                text = text.replace(old, new)
        return text

    def execute(self, command: list[str], shown: str) -> str:
        done = subprocess.run(command, cwd=self.directory, env=self.environment, capture_output=True, text=True, timeout=900)
        return self.checked(done, shown)

    def checked(self, done: subprocess.CompletedProcess[str], shown: str) -> str:
        assert done.returncode == 0, f"{shown}\n{done.stdout}{done.stderr}"
        assert "warning" not in done.stdout.lower(), f"{shown}\n{done.stdout}"
        return done.stdout

    def compute(self, text: str, program: dict[str, Any]) -> str:
        """The next block of a program."""
        printed = io.StringIO()
        with contextlib.chdir(self.directory), contextlib.redirect_stdout(printed):
            exec(compile(text, "block of the page", "exec"), program)
        assert "warning" not in printed.getvalue().lower(), f"{text}\n{printed.getvalue()}"
        return printed.getvalue()

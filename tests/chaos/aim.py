"""Stops a rank just before one of its operations on files, so that it can be killed there.

CHAOS_AIM = "rank:number:file:other": before its number-th operation (a file opened for writing, renamed, linked or removed; a
block of rows written) after there was an `other` file, this rank makes the file, writes into it what it is about to do, and waits
to be killed. Python's audit events tell of all these but the rows, whatever the code that does them is called.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import Any

from hpcglass import launcher

MOVES = {"os.rename": "rename", "os.remove": "remove", "os.link": "link", "os.mkdir": "make"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
FOREVER = 300.0


class Aim:
    """Counts operations on files below a directory; waits before one of them."""

    def __init__(self, directory: str, number: int, marker: str, other: str) -> None:
        self.directory, self.number, self.marker, self.other = os.path.abspath(directory), number, marker, other
        self.done = 0
        self.busy = False

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, str | os.PathLike) and isinstance(flags, int) and flags & WRITING:
                self.before("open", os.fspath(path))
        elif event in MOVES:
            self.before(MOVES[event], os.fspath(arguments[0]))

    def before(self, what: str, path: str) -> None:
        """An operation is about to happen."""
        if self.busy or not os.path.abspath(path).startswith(self.directory):
            return
        if self.done or not self.other or os.path.exists(self.other):
            self.done += 1
        if self.done == self.number:
            self.busy = True
            with open(f"{self.marker}.new", "w", encoding="utf-8") as file:
                file.write(f"{what} {os.path.basename(path)}")
            os.rename(f"{self.marker}.new", self.marker)
            time.sleep(FOREVER)


def take(wish: str, directory: str) -> None:
    """Aim as the variable says, if at this rank."""
    rank, number, marker, other = wish.split(":")
    if int(rank) != launcher.rank():
        return
    aim = Aim(directory, int(number), marker, other)
    sys.addaudithook(aim.hook)
    from hpcglass.io import h5

    pieces = h5._pieces

    def watched(*arguments: Any) -> Iterator[Any]:
        for piece in pieces(*arguments):
            aim.before("write rows of", os.path.join(directory, "a file"))
            yield piece

    h5._pieces = watched

"""log.txt: what happened, appended at every start, and the same lines on the terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import IO

from hpcglass import disk
from hpcglass.words import plain

WARNING = "warning: "
PROBLEMS = (WARNING, "error: ", "stopped: ")


class Log:
    """Lines with a date, written by one rank; on the others every method does nothing.

    A log never fails a run: a line that cannot be written is lost.

    Parameters
    ----------
    path : log.txt, or None on ranks that do not write
    terminal : also print the lines
    prefix : put before each line on the terminal, to tell samples apart
    brief : on the terminal only problems, and what `line` is given for it

    Attributes
    ----------
    warnings : those that were written, each once
    """

    def __init__(self, path: Path | None, terminal: bool = True, prefix: str = "", brief: bool = False) -> None:
        self.writes = path is not None
        self.terminal = terminal and self.writes
        self.warnings: list[str] = []
        self._prefix, self._brief = prefix, brief
        self._file: IO[str] | None = None
        if path is not None:
            with contextlib.suppress(OSError):
                self._file = disk.open_log(path)

    def line(self, message: str, terminal: bool = True, brief: str = "") -> None:
        """One message, perhaps of several lines; on a terminal that is to be brief `brief` instead."""
        if self.writes and message.startswith(WARNING) and message.removeprefix(WARNING) not in self.warnings:
            self.warnings.append(message.removeprefix(WARNING))
        message, stamp = plain(message), datetime.now().strftime("%Y-%m-%d %H:%M:%S")
        with contextlib.suppress(OSError, ValueError):
            if self._file is not None:
                self._file.write(f"{stamp}  {message}\n")
        if self._brief and not message.startswith(PROBLEMS):
            message = plain(brief)
        if self.terminal and terminal and message:
            with contextlib.suppress(OSError, ValueError):
                print(f"{self._prefix}{message}", flush=True, file=sys.stdout)

    def sum_up(self) -> None:
        """The warnings once more, together: what is seen last is read."""
        if self.warnings:
            self.line(listed(self.warnings))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            if self._file is not None:
                self._file.close()
        self._file = None


def listed(warnings: Sequence[str]) -> str:
    """All warnings of a run in one message."""
    return "\n".join([f"{len(warnings)} warning{'s' * (len(warnings) > 1)}:", *(f"  {warning}" for warning in warnings)])


def duration(seconds: float) -> str:
    """Seconds as people say them: 42 s, 3 min 05 s, 2 h 10 min, 3 d 4 h."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    if seconds < 86400:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
    return f"{seconds // 86400} d {seconds % 86400 // 3600} h"

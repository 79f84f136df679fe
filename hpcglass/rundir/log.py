"""log.txt: what happened, appended at every start, and the same lines on the terminal."""

from __future__ import annotations

import contextlib
import sys
from datetime import datetime
from pathlib import Path
from typing import IO

from hpcglass import disk
from hpcglass.words import plain


class Log:
    """Lines with a date, written by one rank; on the others every method does nothing.

    A log never fails a run: a line that cannot be written is lost.

    Parameters
    ----------
    path : log.txt, or None on ranks that do not write
    terminal : also print the lines
    prefix : put before each line on the terminal, to tell samples apart
    """

    def __init__(self, path: Path | None, terminal: bool = True, prefix: str = "") -> None:
        self.writes = path is not None
        self.terminal = terminal and self.writes
        self._prefix = prefix
        self._file: IO[str] | None = None
        if path is not None:
            with contextlib.suppress(OSError):
                self._file = disk.open_log(path)

    def line(self, message: str, terminal: bool = True) -> None:
        """One message, perhaps of several lines."""
        message, stamp = plain(message), datetime.now().strftime("%Y-%m-%d %H:%M:%S")
        with contextlib.suppress(OSError, ValueError):
            if self._file is not None:
                self._file.write(f"{stamp}  {message}\n")
        if self.terminal and terminal:
            with contextlib.suppress(OSError, ValueError):
                print(f"{self._prefix}{message}", flush=True, file=sys.stdout)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            if self._file is not None:
                self._file.close()
        self._file = None


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

"""Commands of hpcglass in the process of the tests: as in one of their own, but for the seconds that each takes to start.

What only a process of its own can show (modules that nobody imported, signals, ranks, the terminal) is tested elsewhere, in one.
"""

from __future__ import annotations

import contextlib
import io
import subprocess
from pathlib import Path

from hpcglass.__main__ import main


def hpcglass(*arguments: object, directory: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`hpcglass ARGUMENTS` in a directory: exit code and all that was printed."""
    words = [str(argument) for argument in arguments]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(directory or Path.cwd()), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as end:       # a wrong command line, --help
            code = end.code
    return subprocess.CompletedProcess(["hpcglass", *words], code, out.getvalue(), err.getvalue())

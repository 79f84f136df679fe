"""All ways in which hpcglass reads its own files, each as a function from a file to a digest of what it got; for `own_files.py`.

As a program: a process that is watched from outside. A line in for each reader and file, a line out for each answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass
class Case:
    """A file in (a copy of) the directory of its run; `out` is an empty directory."""

    path: Path
    run: Path
    source: Path
    out: Path


def digest(value: object) -> str:
    """Of arrays and numbers, however nested."""
    if isinstance(value, dict):
        data = "".join(f"{key}{digest(item)}" for key, item in sorted(value.items())).encode()
    else:
        data = value.tobytes() + value.dtype.str.encode() if isinstance(value, np.ndarray) else repr(value).encode()
    return hashlib.sha256(data).hexdigest()


def command(*words: object) -> str:
    """Run a command of hpcglass in this process; what it prints. FileError if its exit code is not 0."""
    from hpcglass.__main__ import main
    from hpcglass.errors import FileError

    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(io.StringIO()) as told:
        code = main([str(word) for word in words])
    if code not in (0, 2, 4):
        raise RuntimeError(f"exit code {code}: {told.getvalue()[-1000:]}")
    if code:
        raise FileError(f"exit code {code}: {told.getvalue()}{said.getvalue()}")
    return said.getvalue()


def results(path: Path) -> dict[str, str]:
    """Hashes of the results in a file."""
    from hpcglass.io.reader import verify

    return {name: sha for name, sha in verify(path).items() if not name.startswith(("/provenance", "/timing", "/stage/segments"))}


def files(directory: Path, pattern: str) -> str:
    return digest({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.glob(pattern)})


def open_(case: Case) -> str:
    from hpcglass.analysis.open_run import read_stage

    stage = read_stage(case.path)
    parts = {name: dict(getattr(stage, name)) for name in ("params", "tables", "results", "fields", "pairs", "grids")}
    return digest({**parts, "position": stage.position, "box": stage.box, "diameter": stage.diameter})


def plot(case: Case) -> str:
    command("plot", case.path, "-o", case.out)
    return files(case.out, "*.png")


def export(case: Case) -> str:
    command("export", case.path, "-o", case.out / "c.xyz")
    return files(case.out, "*.xyz")


def import_(case: Case) -> str:
    command("import", case.path, "--model", "ipl10", "-o", case.out / "c.h5")
    return digest(results(case.out / "c.h5"))


def load(case: Case) -> str:
    import hpcglass

    return digest(hpcglass.load(case.path).configuration())


def start(case: Case) -> str:
    from mpi4py import MPI

    from hpcglass.config import Config
    from hpcglass.start import start as begin

    text = f'seed = 1\n[system]\nmodel = "ipl10"\ndimension = 2\nfile = "{case.path}"\n[[stage]]\nkind = "quench"\n'
    config = Config.parse(text, "a.toml")
    return digest(begin(MPI.COMM_SELF, config.system, config.glass(), 1)[0].configuration())      # type: ignore[arg-type]


def screening(case: Case) -> str:
    return digest(command("screening", case.path, "--bins", 4))


def thresholds(case: Case) -> str:
    from mpi4py import MPI

    from hpcglass.stages.lattice.files import read_numbers

    return digest(read_numbers(MPI.COMM_SELF, case.path, "results/loading/shear_stress"))


def target(case: Case) -> str:
    from hpcglass.stages.lattice.target import columns

    found = columns(case.path)
    return digest(found and dict(zip(("strain", "stress"), found, strict=True)))


def merge(case: Case) -> str:
    command("merge", case.path.parent, "--stage", case.path.stem[3:], "-o", case.out / "merged.h5", "--no-plots")
    return digest(results(case.out / "merged.h5"))


def check(case: Case) -> str:
    return str(bool(command("check", case.path)))


def check_run(case: Case) -> str:
    return str(bool(command("check", case.run)))


def run(case: Case) -> str:
    """Go on with a stopped run, or come back to a finished one: its results then, and the fields of lattices in its segments."""
    from hpcglass.analysis.open_run import read_stage

    command("run", case.source, "--output", case.run, "--no-plots")
    stages = [path for path in sorted(case.run.rglob("[0-9][0-9]-*.h5")) if ".traj-" not in path.name]
    return digest({str(path.relative_to(case.run)): {**results(path), **read_stage(path).grids} for path in stages})


READERS = {reader.__name__.strip("_"): reader for reader in (
    open_, plot, export, import_, load, start, screening, thresholds, target, merge, check, check_run, run)}


def answer(reader: str, case: Case) -> str:
    """What a reader says of a file: "= digest", "refused: why", or "traceback: where"."""
    from hpcglass.errors import HpcglassError

    shutil.rmtree(case.out, ignore_errors=True)
    case.out.mkdir()
    try:
        return f"= {READERS[reader](case)}"
    except HpcglassError as error:
        return f"refused: {error}"
    except BaseException:
        return f"traceback: {traceback.format_exc()[-1500:]}"


def main() -> None:
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        for line in sys.stdin:
            reader, *paths = json.loads(line)
            answers.write(json.dumps(answer(reader, Case(*map(Path, paths)))) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()

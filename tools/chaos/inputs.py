"""Thousands of spoilt inputs through `validate`, and some hundreds through `run`: a traceback, a crash, a hang?

    .venv/bin/python tools/chaos/inputs.py [--validate 12000] [--run 300] [--seed 1] [--seconds 20]

`validate` is called in this process. A run has a process of its own, with 4 GB of memory; if it is still at work after some
seconds it is asked to stop and has to come to an end. What fails is kept in a directory, to be tried again.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "config")]
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import mpi4py  # noqa: E402

mpi4py.rc.initialize = mpi4py.rc.finalize = False      # each run does it for itself

import mutations  # noqa: E402

import hpcglass.run  # noqa: E402, F401 (loaded once for all)
from hpcglass.__main__ import main as command  # noqa: E402

PATIENCE = 60.0         # seconds that a run may take to stop once asked
MEMORY = 4 * 2**30
CODES = (0, 2, 3, 4, 75)
PERIODIC = """
seed = 1
[system]
model = "ipl12"
particles = 60
density = 1.0
aspect = [1.0, 1.1]
tilt = [0.1]
"""
QUENCHED = PERIODIC + """
[[stage]]
kind = "quench"
force_tolerance = 1e-10
max_evaluations = 100000
"""
SMALL = [
    PERIODIC + """
[[stage]]
kind = "swap"
temperature = 0.3
sweeps = 20
warmup = 10
swap_fraction = 0.2
displacement = 0.1
sub_sweeps = 5
measure_every = 5
frames = 2
""",
    QUENCHED + "pressure = 2.0\npressure_tolerance = 1e-6\n",
    QUENCHED + """
[[stage]]
kind = "md"
temperature = 0.3
temperature_end = 0.1
time = 0.5
time_step = 0.005
damping_time = 1.0
measure_every = 10
frames = 2
""",
    QUENCHED + """
[[stage]]
kind = "shear"
strain_step = 1e-3
max_strain = 4e-3
turning_points = [4e-3, -2e-3]
adaptive = true
smallest_step = 1e-5
event_energy = 1e-3
force_tolerance = 1e-9
frames_every = 2
reverse_strain = 0.02
activity_every = 2e-3
activity_threshold = 0.01
activity_bin = 5.0
""",
    QUENCHED + '[[stage]]\nkind = "modes"\ncount = 5\ntolerance = 1e-8\n',
    QUENCHED + '[[stage]]\nkind = "bonds"\ncount = 5\npseudo_harmonic = 1\ndipoles = 2\n',
    QUENCHED + """
[[stage]]
kind = "expand"
order = 3
gradient = [[0, 1.0], [0, 0]]
compare = 1e-3
compare_steps = 2
""",
    """
seed = 1
[[stage]]
kind = "epm"
size = 8
shear_modulus = 20.0
bulk_modulus = 50.0
internal_stress = 0.1
initial = {distribution = "normal", mean = 1.0, cv = 0.3, lower = 0.0, upper = 3.0}
slip = {c0 = 0.05, c1 = 0.01}
max_strain = 0.1
record_every = 0.01
fields_at = [0.05]
windows = [0.05]
avalanche_rows = 100
""",
    """
seed = 1
[[stage]]
kind = "calibrate"
size = 8
shear_modulus = 20.0
initial = {distribution = "normal", mean = 1.0, cv = 0.3}
target = {plateau = 0.8, plateau_error = 0.1}
fit = "c0"
max_strain = 0.3
record_every = 0.01
plateau_from = 0.15
window = 0.02
start = 0.05
accuracy = 0.05
samples = 4
most_samples = 8
""",
    mutations.ANNULUS.replace("r_out = 8.0", "r_out = 6.0"),
    QUENCHED + "[ensemble]\nsamples = 2\nranks_per_sample = 1\n",
    PERIODIC + '[[stage]]\nkind = "swap"\ntemperature = "$T"\nsweeps = 5\n[parameters]\nT = 0.3\n[sweep]\nT = [0.3, 0.4]\n',
]


class Slow(BaseException):
    """`validate` takes too long."""


def ring(*_: object) -> None:
    raise Slow


def validate(data: bytes, path: Path) -> str:
    """What went wrong; empty if nothing did."""
    path.write_bytes(data)
    out, err = io.StringIO(), io.StringIO()
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 60)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = command(["validate", str(path)])
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}: {str(error)[:100]}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    good = (code == 0 and out.getvalue().startswith("valid")) or (code == 2 and str(path) in err.getvalue())
    return "" if good else f"exit code {code}: {err.getvalue()[:200]}"


def run(data: bytes, place: Path, seconds: float) -> tuple[str, int]:
    """What went wrong, and the exit code."""
    path = place / "input.toml"
    path.write_bytes(data)
    began, pid = time.monotonic(), os.fork()
    if pid == 0:
        become_run(path, place)
    asked, ended, status = 0.0, 0, 0
    while not ended:
        time.sleep(0.02)
        ended, status = os.waitpid(pid, os.WNOHANG)
        now = time.monotonic()
        if not ended and not asked and now - began > seconds:
            os.kill(pid, signal.SIGUSR1)
            asked = now
        if not ended and asked and now - asked > PATIENCE:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return f"did not stop within {PATIENCE:.0f} s", -9
    code = os.waitstatus_to_exitcode(status)
    said = (place / "said").read_text(errors="replace")
    if code not in CODES or "Traceback" in said:
        return f"exit code {code}: {said.strip().splitlines()[-1][:150] if said.strip() else ''}", code
    return "", code


def become_run(path: Path, place: Path) -> None:
    """The run's process."""
    code = 1
    try:
        output = os.open(place / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1), os.dup2(output, 2)
        sys.stdout, sys.stderr = open(1, "w", buffering=1), open(2, "w", buffering=1)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        from mpi4py import MPI

        MPI.Init()
        code = command(["run", str(path), "--output", str(place / "out"), "--no-plots"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--validate", type=int, default=12_000)
    parser.add_argument("--run", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20.0, help="a run is asked to stop after these")
    options = parser.parse_args()
    kept = Path(tempfile.mkdtemp(prefix="inputs-"))
    failures: Counter[str] = Counter()
    inputs = [path.read_text() for path in sorted((ROOT / "inputs").rglob("*.toml"))]
    every = [mutations.complete(), *mutations.single_stages(), *inputs, *SMALL]
    dice, began = random.Random(options.seed), time.monotonic()
    codes: Counter[str] = Counter()

    def fail(what: str, data: bytes) -> None:
        place = kept / f"{failures.total()}.toml"
        place.write_bytes(data)
        print(f"{place}: {what}", flush=True)
        failures[what] += 1

    for _ in range(options.validate):
        text = dice.choice(every)
        data = (mutations.exaggerate if dice.random() < 0.6 else mutations.damage)(text, dice)
        if wrong := validate(data, kept / "input.toml"):
            fail(f"validate: {wrong}", data)
    print(f"{options.validate} inputs through validate in {time.monotonic() - began:.0f} s", flush=True)
    began = time.monotonic()
    whole = [text.encode() for text in SMALL] if options.run else []       # so that all kernels are compiled
    for data in [*whole, *(mutations.exaggerate(dice.choice(SMALL), dice) for _ in range(options.run))]:
        place = kept / "run"
        place.mkdir()
        wrong, code = run(data, place, 600.0 if data in whole else options.seconds)
        codes[str(code)] += 1
        if wrong or (data in whole and code):
            fail(f"run: {wrong or 'does not run as it is'}", data)
        shutil.rmtree(place)
    print(f"{options.run} inputs through run in {time.monotonic() - began:.0f} s; exit codes "
          + ", ".join(f"{code}: {count}" for code, count in sorted(codes.items())))
    print(f"{failures.total()} failures of {len(failures)} kinds{f', inputs in {kept}' if failures else ''}")
    if not failures:
        shutil.rmtree(kept)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

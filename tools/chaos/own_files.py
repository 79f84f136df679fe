#!/usr/bin/env python3
"""Damaged files of our own × all readers: none accepted, none hangs. Not part of the tests.

    tools/chaos/own_files.py [--files 1000] [--seed 1] [--scratch DIR] [--seconds 60]

Small runs give a file of every kind. Each of N damaged files takes the place of a whole one in a copy of its directory, and every
reader looks at it, many in one process, which is watched from outside. A reader may refuse a file (exit code 2 or 4, FileError),
or give what it gives for the whole one (it did not need what is damaged). Anything else is counted by name and told.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

# the package beside this file, wherever one is installed
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "OPENBLAS_NUM_THREADS": "1"}
ANYWHERE = ("export", "import", "load", "start", "thresholds")
SYSTEM = 'model = "ipl10"\ndimension = 2\nparticles = 100\n'
EPM = """kind = "epm"
size = 8
shear_modulus = 1.0
slip = { fixed = 0.3 }
initial = { distribution = "weibull", mean = 1.0, cv = 0.3 }
"""
GLASS = [f'kind = "{kind}"\n{keys}' for kind, keys in (
    ("swap", "temperature = 0.5\nsweeps = 40\nframes = 2"),
    ("md", "temperature = 0.5\ntime = 0.1\nmeasure_every = 5\nframes = 2"), ("quench", ""),
    ("expand", "order = 2"), ("modes", "count = 5"), ("bonds", "count = 5"),
    ("shear", "strain_step = 1e-3\nmax_strain = 3e-3\nframes_every = 1"))]
INPUTS = {
    "glass": (SYSTEM, GLASS, ""),
    "annulus": ('model = "ipl12"\ndimension = 2\ndensity = 1.0\nr_in = 0.65\nr_out = 10.0\n',
                ['kind = "quench"\n', 'kind = "inflate"\nfraction = [0.1, 0.2]\n'], ""),
    "lattice": ("", [f"{EPM}max_strain = 1.0\nfields_at = [0.5, 1.0]\n"], ""),
    "ensemble": ("", [f"{EPM}max_strain = 0.5\nfields_at = [0.5]\n"], "[ensemble]\nsamples = 2\n"),
    "calibrated": ("", ['kind = "calibrate"\nfit = "fixed"\ntarget = { plateau = 0.7, plateau_error = 0.03 }\n'
                        + EPM.partition("\n")[2].replace("slip = { fixed = 0.3 }\n", "")
                        + "max_strain = 1.0\nplateau_from = 0.5\naccuracy = 1.0\nmost_samples = 16\n"], ""),
    "stopped": ("", [f"{EPM}max_strain = 0.5\nfields_at = [0.2]\n",
                     f'{EPM}label = "more"\nmax_strain = 3.0\nfields_at = [0.2, 0.4]\n'], ""),
}


def text(name: str) -> str:
    system, stages, more = INPUTS[name]
    return "seed = 1\n" + (f"[system]\n{system}" if system else "") + "".join(f"[[stage]]\n{stage}\n" for stage in stages) + more


# ---------------------------------------------------------------------- the files


def make(scratch: Path) -> None:
    """A run of each kind, one of them stopped at a checkpoint, and a merged file."""
    scratch.mkdir(parents=True, exist_ok=True)
    for name in INPUTS:
        source = scratch / f"{name}.toml"
        if (scratch / name).exists():
            continue
        source.write_text(text(name))
        command = [sys.executable, "-m", "hpcglass", "run", str(source), "--output", str(scratch / name), "--no-plots"]
        if name != "stopped":
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
            continue
        running = subprocess.Popen(command, env=ENVIRONMENT | {"HPCGLASS_CHECKPOINT_SECONDS": "0"}, stdout=subprocess.DEVNULL)
        while not ((scratch / name / "00-epm.h5").exists() and list((scratch / name).glob("01-more.traj-*"))):
            time.sleep(0.002)
        running.terminate()
        if running.wait() != 75:
            raise SystemExit("the run to be stopped was too quick; give its last stage a larger max_strain")
    merged = scratch / "merged" / "merged.h5"
    merged.parent.mkdir(exist_ok=True)
    if not merged.exists():
        words = ["merge", str(scratch / "ensemble"), "--stage", "epm", "-o", str(merged), "--no-plots"]
        subprocess.run([sys.executable, "-m", "hpcglass", *words], check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)


def damage(data: bytes, dice: random.Random, others: list[bytes]) -> tuple[str, bytes]:
    """One of six kinds of damage; half of the blows are aimed at the structure, which is small beside the data."""
    changed = bytearray(data)
    near = 6000 if dice.random() < 0.5 else len(data)
    place, length = dice.randrange(min(near, len(data))), 1 << dice.randrange(14)
    kind = dice.choice(("bits", "bits", "cut", "zeros", "more", "swap", "other"))
    if kind == "bits":
        for _ in range(dice.choice((1, 1, 1, 8))):
            changed[dice.randrange(min(near, len(data)))] ^= 1 << dice.randrange(8)
    elif kind == "cut":
        del changed[place:]
    elif kind == "zeros":
        changed[place: place + length] = bytes(len(changed[place: place + length]))
    elif kind == "more":
        changed += dice.randbytes(length)
    elif kind == "swap":
        there = dice.randrange(len(data))
        one, other = changed[place: place + length], changed[there: there + length]
        short = min(len(one), len(other), abs(place - there) or 1)
        changed[place: place + short], changed[there: there + short] = other[:short], one[:short]
    else:
        changed = bytearray(dice.choice(others))
    return kind, bytes(changed)


# ---------------------------------------------------------------------- the readers


class Watched:
    """A process with the readers in it; a new one when it hangs or dies."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.process: subprocess.Popen[str] | None = None

    def ask(self, reader: str, *paths: Path) -> str:
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("readers.py")], text=True, bufsize=1, env=ENVIRONMENT,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process = self.process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps([reader, *map(str, paths)]) + "\n")
        if select.select([process.stdout], [], [], self.seconds)[0] and (line := process.stdout.readline()):
            return str(json.loads(line))
        hangs = process.poll() is None
        self.close()
        return "hung" if hangs else f"crashed with {process.returncode}"

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = None


def readers_of(name: str, path: Path, kind: str) -> list[str]:
    """Who is asked about a file; whoever reads what a file holds, wherever it comes from, is not asked about exchanged ones."""
    if ".traj-" in path.name or path.name.startswith("checkpoint"):
        found = [*ANYWHERE, "check"]
    else:
        found = [*ANYWHERE, "open", "plot", "screening", "target", "merge", "check"]
    if name == "merged":
        return [reader for reader in found if reader != "merge"] if kind != "other" else []
    return [*(reader for reader in found if kind != "other" or reader not in ANYWHERE), "check_run", "run"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000, help="damaged files (default: 1000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scratch", type=Path, default=Path("/tmp/own-files"))
    parser.add_argument("--seconds", type=float, default=60.0, help="that a reader may take (default: 60)")
    options = parser.parse_args()
    scratch, dice, watched = options.scratch, random.Random(options.seed), Watched(options.seconds)
    make(scratch)
    names = [*INPUTS, "merged"]
    victims = [(name, path) for name in names for path in sorted((scratch / name).rglob("*.h5"))]
    everything = {(name, path): path.read_bytes() for name, path in victims if name != "merged"}
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    right: dict[tuple[str, Path], str] = {}
    bad, began, files = [], time.monotonic(), 0

    def ask(reader: str, name: str, path: Path) -> str:
        """In a copy of the run, which a reader may change."""
        copy = scratch / "case" / name
        return watched.ask(reader, copy / path.relative_to(scratch / name), copy, scratch / f"{name}.toml", scratch / "out")

    def prepare(name: str, path: Path, data: bytes) -> None:
        shutil.rmtree(scratch / "case", ignore_errors=True)
        shutil.copytree(scratch / name, scratch / "case" / name)
        (scratch / "case" / name / path.relative_to(scratch / name)).write_bytes(data)

    while files < options.files:
        name, path = dice.choice(victims)
        # the two checkpoints of a run may take each other's place
        others = [data for (run, other), data in everything.items()
                  if run != name or not {other.name[:3], path.name[:3]} == {"che"}]
        kind, data = damage(path.read_bytes(), dice, others)
        if data == path.read_bytes():
            continue
        files += 1
        for reader in readers_of(name, path, kind):
            if (reader, path) not in right:
                prepare(name, path, path.read_bytes())
                right[reader, path] = ask(reader, name, path)
            prepare(name, path, data)
            said = ask(reader, name, path)
            result = said.partition(":")[0].partition(" ")[0]
            if result == "=":
                must = reader in ("check", "check_run") or (reader == "run" and name != "stopped")
                result = "accepted" if must or said != right[reader, path] else "not needed"
            counts[reader, result] += 1
            if result not in ("refused", "not needed"):
                bad.append(f"{reader}: {result}: file {files}, {name}/{path.name}, {kind}: {said[:2000]}")
                print(bad[-1], flush=True)
    watched.close()
    columns = ["refused", "not needed", "accepted", "hung", "crashed", "traceback"]
    print(f"{files} damaged files, {sum(counts.values())} readings in {time.monotonic() - began:.0f} s (seed {options.seed})")
    print("\n".join([f"{'':12}" + "".join(f"{column:>12}" for column in columns), *(
        f"{reader:12}" + "".join(f"{counts[reader, column]:12}" for column in columns)
        for reader in dict.fromkeys(reader for reader, _ in counts))]))
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())

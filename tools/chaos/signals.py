#!/usr/bin/env python3
"""SIGTERM, SIGINT and SIGUSR1 to mpirun, to tools/launch, to single ranks and to job steps: a checkpoint and exit code 75?

    python tools/chaos/signals.py --signals 200 --minutes 20

A chain is one run that is stopped again and again by signals at random moments, while it starts too, and taken up each time; no
checkpoint is written but those the signals ask for. Every start must end with 75, say so, and leave whole files; at the end every
dataset must be that of an undisturbed run. Where docs/running.md says that the launcher kills the ranks (`mpirun` of Open MPI, at
SIGTERM and SIGINT), any exit code will do, and all the rest must hold.

Job steps are tried where a SLURM is running (tools/slurm-testbed start). The same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from cases import CASES
from kills import undisturbed
from outcome import FOLDER, Journal, arrays, differences, unreadable

from harness import Program  # isort: skip    (found by `outcome`; started as users do, on one rank too)

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
WAYS = {"alone": (1,), "rank": (2, 4), "mpirun": (2, 4), "launch": (2,), "step": (2,)}      # where it goes: numbers of ranks
CHOSEN = ("equilibrate", "flow", "lattice", "ensemble")
MOST = 8                # signals of a chain
LATEST = 1.5            # seconds after somebody listens
LAUNCH = Path(__file__).resolve().parents[1] / "launch"
GRACEFUL = 75


def slurm() -> bool:
    """Whether job steps can be started."""
    if shutil.which("srun") is None:
        return False
    return bool(subprocess.run(["sinfo", "-h", "-t", "idle,mix", "-o", "%D"], capture_output=True, text=True).stdout.strip())


class Chain:
    """One run, stopped and taken up until it is done."""

    def __init__(self, folder: Path, name: str, way: str, ranks: int, seed: int) -> None:
        self.dice = random.Random(f"{seed} {folder.name}")
        self.source, self.output = CASES[name].write(folder / "input.toml", seed), folder / "run"
        self.way, self.ranks = way, ranks
        self.outcomes: Counter[str] = Counter()
        self.wrong: list[str] = []

    def run(self) -> None:
        """Until it is done, or something is wrong."""
        while not self.wrong:
            program = self.start()
            number = self.dice.choice(SIGNALS)
            sent = self.outcomes.total() < MOST and self.send(program, number)
            try:
                code, text = program.wait()
            except AssertionError as error:
                self.wrong.append(str(error))
                return
            if sent:
                self.judge(number, code, text)
            elif code:
                self.wrong.append(f"exit code {code} without a signal: {text[-2000:]}")
            if (self.output / "DONE").exists() or (code == 0 and not self.wrong):
                return

    def start(self) -> Program:
        through = {"launch": (str(LAUNCH), str(self.ranks)), "step": ("srun", "--mpi=pmix", "--overlap", "-n", str(self.ranks))}
        return Program(self.source, self.output, self.ranks, checkpoint=1e9, through=through.get(self.way, ()))

    def send(self, program: Program, number: int) -> bool:
        """The signal, some time after all ranks listen; False if the run was done before."""
        while program.process.poll() is None and not self.listening():
            time.sleep(0.01)
        time.sleep(self.dice.uniform(0, LATEST))
        ranks = self.pids()
        if program.process.poll() is not None or len(ranks) < self.ranks:
            return False
        try:
            if self.way == "step":
                step = re.findall(r"SLURM_JOB_ID=(\d+)", Path(f"/proc/{ranks[0]}/environ").read_text())[0]
                subprocess.run(["scancel", f"--signal={signal.Signals(number).name[3:]}", f"{step}.0"], check=True)
            else:
                os.kill(self.dice.choice(ranks) if self.way == "rank" else program.process.pid, number)
        except (OSError, IndexError):
            return False
        return True

    def pids(self) -> list[int]:
        """The ranks, whoever started them: processes that run the program for this output, not their launchers."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_text().split("\0")
            except OSError:
                continue
            if str(self.output) in words and "python" in words[0]:
                found.append(int(path.parent.name))
        return sorted(found)

    def listening(self) -> bool:
        """Whether all ranks have handlers."""
        ranks = self.pids()
        try:
            masks = [re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text()) for pid in ranks]
        except OSError:
            return False
        return len(ranks) == self.ranks and all(mask and int(mask[1], 16) >> (signal.SIGUSR1 - 1) & 1 for mask in masks)

    def judge(self, number: int, code: int, text: str) -> None:
        """What came of a signal."""
        name = f"{signal.Signals(number).name} to {self.way}"
        launcher_kills = self.way == "mpirun" and number != signal.SIGUSR1
        self.outcomes[f"{name}: {code}"] += 1
        self.wrong += [f"{name}: {message}" for message in (unreadable(self.output) if self.output.exists() else [])]
        finished = (self.output / "DONE").exists() and code == 0          # it came too late
        if code == GRACEFUL and "run the same command again" not in text:
            self.wrong.append(f"{name}: 75 without a word: {text[-2000:]}")
        if not (code == GRACEFUL or finished or launcher_kills):
            self.wrong.append(f"{name}: exit code {code}: {text[-2000:]}")


def one(folder: Path, name: str, way: str, ranks: int, seed: int, number: int, journal: Journal) -> None:
    """A chain, its comparison, a line in the journal. The files are kept if something is wrong."""
    expected = undisturbed(folder / f"undisturbed-{name}-{ranks}", CASES[name], ranks, seed)
    place = folder / f"{name}-{way}-{ranks}-{number}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    chain = Chain(place, name, way, ranks, seed)
    chain.run()
    close, different = ([], []) if chain.wrong else differences(arrays(chain.output), expected)
    journal.add(case=name, way=way, ranks=ranks, number=number, signals=chain.outcomes.total(), outcomes=dict(chain.outcomes),
                wrong=chain.wrong, different=close + different)
    print(f"{name}, {way}, {ranks} ranks, chain {number}: {dict(chain.outcomes)}"
          + (f"; WRONG {chain.wrong}" if chain.wrong else "")
          + (f"; DIFFERENT {close + different}" if close + different else ""), flush=True)
    if not chain.wrong and not close + different:
        shutil.rmtree(place)


def report(journal: Journal) -> int:
    """The closing count; 1 if anything was wrong."""
    wrong = [entry for entry in journal.entries if entry["wrong"]]
    different = [entry for entry in journal.entries if entry["different"]]
    print(f"{journal.total('signals')} signals in {len(journal.entries)} chains")
    for what, count in sorted(journal.count("outcomes").items()):
        print(f"  {count:4d}  {what}")
    print(f"  {len(wrong)} chains with another end than docs/running.md says, {len(different)} with a bit that differs")
    return int(bool(wrong or different))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=200, help="in all")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so many, at the end of a chain")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ways", nargs="*", choices=list(WAYS), default=[way for way in WAYS if way != "step" or slurm()])
    parser.add_argument("--folder", type=Path, default=FOLDER / "hpcglass-signals", help="for files and journal; best in memory")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(options.folder / f"signals-{options.seed}.jsonl")
    done: set[Any] = {(e["case"], e["way"], e["ranks"], e["number"]) for e in journal.entries}
    end, number = time.monotonic() + 60 * options.minutes, 0
    while True:
        for way in options.ways:
            ranks, name = WAYS[way][number % len(WAYS[way])], CHOSEN[number % len(CHOSEN)]
            if journal.total("signals") >= options.signals or time.monotonic() > end:
                return report(journal)
            if (name, way, ranks, number) not in done:
                one(options.folder, name, way, ranks, options.seed, number, journal)
        number += 1


if __name__ == "__main__":
    sys.exit(main())

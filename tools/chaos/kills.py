#!/usr/bin/env python3
"""kill -9 in all stages, half of them inside writes: is anything unreadable, is any bit of the results different?

    python tools/chaos/kills.py --kills 1000 --minutes 30

A chain is one run that is killed again and again, taken up each time, and finished at last. After every kill all files must
be whole; at the end every dataset and every frame must be what an undisturbed run on as many ranks gave, to the bit. (Times and
dates differ; what MUMPS does on several ranks is compared to 1e-9, and counted apart.) Every safe point writes a checkpoint. A
kill "inside a write" comes just before an operation on a file - opened, rows written, renamed, removed - while the program stands
still there. All ranks and mpirun are killed at once, or a single rank, and mpirun has to end the others. On one rank the program
is started by fork from a process that has loaded it (`forked.py`).

The same command goes on where it stopped. Chains depend on the seed only, moments of kills also on how fast the machine is.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from cases import CASES, Case
from outcome import CLOSE, FOLDER, Journal, Program, arrays, differences, stage_now, unreadable, wait_for

MOST = 12               # kills of a chain
LATEST = 1.5            # seconds after the start of a stage, of a kill that is not aimed
ROOT_OPERATIONS, OTHER_OPERATIONS = 60, 15      # on files in it: the last one that is aimed at, on rank 0 and on others


class Chain:
    """One run, killed and taken up until it is done."""

    def __init__(self, folder: Path, case: Case, ranks: int, seed: int, number: int) -> None:
        self.dice = random.Random(f"{seed} {folder.name}")
        self.source = case.write(folder / "input.toml", seed)
        self.output, self.marker = folder / "run", folder / "marker"
        self.ranks, self.stems = ranks, case.stems
        self.kills, self.aimed, self.alone = 0, 0, 0
        self.stages: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()
        self.wrong: list[str] = []

    def run(self) -> None:
        """Until it is done, or something is wrong."""
        while not self.wrong:
            last = self.kills >= MOST
            aim = not last and self.dice.random() < 0.55
            before = self.choose()
            program = self.start(aim, last, before)
            try:
                if not last:
                    self.wait(program, aim, before)
                if last or program.process.poll() is not None:
                    code, text = program.wait()
                    if code:
                        self.wrong.append(f"exit code {code}: {text[-2000:]}")
                    return
                self.kill(program)
            except AssertionError as error:         # it hangs
                self.wrong.append(str(error))
            finally:
                if program.process.poll() is None:
                    program.kill()

    def choose(self) -> Path | None:
        """A file that must be there before the kill, so that all stages get their share: that of the stage before."""
        stage = self.kills * len(self.stems) // MOST
        return self.output / f"{self.stems[stage - 1]}.h5" if stage else None

    def start(self, aim: bool, last: bool, before: Path | None) -> Program:
        environment = {}
        if aim:
            self.marker.unlink(missing_ok=True)
            rank = self.dice.randrange(self.ranks) if self.dice.random() < 0.3 else 0
            number = self.dice.randint(1, OTHER_OPERATIONS if rank else ROOT_OPERATIONS)
            environment["CHAOS_AIM"] = f"{rank}:{number}:{self.marker}:{before or ''}"
        return Program(self.source, self.output, self.ranks, checkpoint=1e9 if last else 0, **environment)

    def wait(self, program: Program, aim: bool, before: Path | None) -> None:
        """For the moment of the kill."""
        if aim:
            wait_for(self.marker, program)
            return
        if self.dice.random() < 0.9:
            wait_for(before or self.output / "resolved.toml", program)
        time.sleep(self.dice.uniform(0, LATEST))

    def kill(self, program: Program) -> None:
        """All of it, or one rank; then look at the files."""
        stage, aimed = stage_now(self.output) if self.output.exists() else "start-up", self.marker.exists()
        pids = program.pids()
        if self.ranks > 1 and pids and self.dice.random() < 0.2:
            os.kill(self.dice.choice(pids), signal.SIGKILL)
            program.wait()
            self.alone += 1
        else:
            program.kill()
        self.kills += 1
        self.stages[stage] += 1
        if aimed:
            self.aimed += 1
            self.operations[self.marker.read_text(encoding="utf-8").partition(" ")[0]] += 1
            self.marker.unlink()
        self.wrong += unreadable(self.output) if self.output.exists() else []


def undisturbed(folder: Path, case: Case, ranks: int, seed: int) -> dict[str, Any]:
    """Results of a run that nothing happens to; made once."""
    output = folder / "run"
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        code, text = Program(case.write(folder / "input.toml", seed), output, ranks, checkpoint=1e9).wait()
        if code:
            raise SystemExit(f"{folder.name}, undisturbed, ended with {code}:\n{text}")
        (folder / "done").touch()
    return arrays(output)


def one(folder: Path, name: str, ranks: int, seed: int, number: int, journal: Journal) -> None:
    """A chain, its comparison, a line in the journal. The files are kept if something is wrong."""
    case = CASES[name]
    expected = undisturbed(folder / f"undisturbed-{name}-{ranks}", case, ranks, seed)
    place = folder / f"{name}-{ranks}-{number}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    chain = Chain(place, case, ranks, seed, number)
    chain.run()
    close, different = ([], []) if chain.wrong else differences(arrays(chain.output), expected)
    if case.exact or ranks == 1:
        close, different = [], close + different
    journal.add(case=name, ranks=ranks, number=number, kills=chain.kills, aimed=chain.aimed, alone=chain.alone,
                stages=dict(chain.stages), operations=dict(chain.operations), wrong=chain.wrong, close=len(close),
                different=different)
    print(f"{name} on {ranks}, chain {number}: {chain.kills} kills, {chain.aimed} inside writes"
          + (f"; WRONG {chain.wrong}" if chain.wrong else "") + (f"; DIFFERENT {different}" if different else ""), flush=True)
    if not chain.wrong and not different:
        shutil.rmtree(place)


def report(journal: Journal) -> int:
    """The closing count; 1 if anything was wrong."""
    entries = journal.entries
    wrong = [entry for entry in entries if entry["wrong"]]
    different = [entry for entry in entries if entry["different"]]
    by_ranks = Counter({n: sum(e["kills"] for e in entries if e["ranks"] == n) for n in sorted({e["ranks"] for e in entries})})
    print(f"{journal.total('kills')} kills in {len(entries)} chains, {journal.total('aimed')} of them inside writes, "
          f"{journal.total('alone')} of a single rank")
    print("  ranks: " + ", ".join(f"{count} on {n}" for n, count in by_ranks.items()))
    for name, title in (("stages", "stages"), ("operations", "inside")):
        print(f"  {title}: " + ", ".join(f"{count} {what}" for what, count in journal.count(name).most_common()))
    print(f"  {len(wrong)} chains with a file that was not whole, a hang or a failed start; {len(different)} with a bit that "
          f"differs; {sum(bool(e['close']) for e in entries)} equal to {CLOSE:g} only (MUMPS on several ranks)")
    return int(bool(wrong or different))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000, help="in all")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so many, at the end of a chain")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--ranks", nargs="*", type=int, default=[1, 2, 4])
    parser.add_argument("--folder", type=Path, default=FOLDER / "hpcglass-kills", help="for files and journal; best in memory")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(options.folder / f"kills-{options.seed}.jsonl")
    done = {(entry["case"], entry["ranks"], entry["number"]) for entry in journal.entries}
    end = time.monotonic() + 60 * options.minutes
    number = 0
    while True:
        for ranks in options.ranks:
            for name in options.cases:
                if journal.total("kills") >= options.kills or time.monotonic() > end:
                    return report(journal)
                if ranks in CASES[name].ranks and (name, ranks, number) not in done:
                    one(options.folder, name, ranks, options.seed, number, journal)
        number += 1


if __name__ == "__main__":
    sys.exit(main())

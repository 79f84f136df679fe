"""Stale locks and several runs that want them at once: does ever more than one get it, or none?

    .venv/bin/python tools/chaos/locks.py [--rounds 3000] [--runs 5] [--seed 1] [--directory DIR]

Each round is a directory with what a dead run may have left: its lock, the claims of successors that died as well, an empty
lock, a directory in its place. Several processes take it at the same moment, each with small pauses between its system calls;
in every third round one more is killed in the middle. Afterwards exactly one of the living must hold the lock, and `.lock`
must say which. DIR chooses the file system.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from hpcglass import disk
from hpcglass.errors import FileError
from hpcglass.rundir import lock

KINDS = ("dead", "dead", "dead", "claimed", "claimed twice", "empty", "garbage", "directory", "none")
PAUSE = 3e-4            # seconds between two system calls, at most
CALLS = 10              # of an acquisition, about


def dead_holder() -> lock.Holder:
    """A process that has ended."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return replace(lock._self(), pid=str(pid), began="1")


def leave(place: Path, kind: str, holder: lock.Holder, dice: random.Random) -> None:
    """What the dead have left."""
    text = json.dumps(asdict(holder))
    if kind == "directory":
        (place / lock.NAME).mkdir()
    elif kind != "none":
        (place / lock.NAME).write_text({"empty": "", "garbage": "?" * dice.randrange(1, 9999)}.get(kind, text))
    for k in range(("claimed", "claimed twice").index(kind) + 1 if kind.startswith("claimed") else 0):
        name = lock.NAME
        while (place / name).exists():
            name = f"{lock.NAME}.after-{lock._look(place / name).mark}"
        (place / name).write_text(json.dumps(asdict(replace(holder, restart=str(k)))))


def hesitate(dice: random.Random, dies_at: int | None = None) -> None:
    """Let all system calls of an acquisition come after a pause; and one be the last."""
    calls = [0]

    def slowly(original: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            calls[0] += 1
            if calls[0] == dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(dice.uniform(0, PAUSE))
            return original(*arguments, **options)
        return call

    for owner, name in ((os, "link"), (os, "replace"), (os, "rename"), (lock, "_look"), (disk, "create"), (lock, "_clear")):
        setattr(owner, name, slowly(getattr(owner, name)))


def contender(number: int, seed: int, root: Path, rounds: int, gates: Any, victims: Any, held: Any) -> None:
    """A run that wants the lock of every round, and keeps it to the end of the round."""
    dice = random.Random(f"{seed} {number}")
    hesitate(dice)
    for k in range(rounds):
        place = root / str(k)
        gates[0].wait()
        held[number] = take(place)
        while not held[number] and victims[k] == 1:        # perhaps it was refused because of one that dies
            time.sleep(1e-3)
        if not held[number] and victims[k] == 2:
            held[number] = take(place)
        gates[1].wait()
        gates[2].wait()             # counted
        if held[number]:
            lock.release(place)


def take(place: Path) -> int:
    try:
        lock.acquire(place)
    except FileError:
        return 0
    except OSError as error:
        print(f"round {place.name}: {error}", flush=True)
        return 0
    return os.getpid()


def victim(place: Path, dice: random.Random) -> int:
    """A run that is killed at a random moment of its attempt; its pid."""
    pid = os.fork()
    if pid == 0:
        hesitate(dice, dies_at=dice.randint(1, CALLS))
        take(place)
        os.kill(os.getpid(), signal.SIGKILL)
    return pid


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--directory", type=Path, default=None)
    options = parser.parse_args()
    dice, began = random.Random(options.seed), time.monotonic()
    root = Path(tempfile.mkdtemp(prefix="locks-", dir=options.directory))
    context = multiprocessing.get_context("fork")
    gates = [context.Barrier(options.runs + 1, timeout=120) for _ in range(3)]
    victims, held = context.Array("b", options.rounds, lock=False), context.Array("l", options.runs, lock=False)
    runs = [context.Process(target=contender, args=(k, options.seed, root, options.rounds, gates, victims, held), daemon=True)
            for k in range(options.runs)]
    for process in runs:
        process.start()
    wrong, killed, taken = [], 0, [0] * options.runs
    for k in range(options.rounds):
        place, kind = root / str(k), dice.choice(KINDS)
        place.mkdir()
        leave(place, kind, dead_holder(), dice)
        victims[k] = 1 if k % 3 == 0 else 0                # 0 none, 1 alive, 2 dead
        gates[0].wait()
        if victims[k]:
            os.waitpid(victim(place, dice), 0)
            victims[k], killed = 2, killed + 1
        gates[1].wait()
        holders = [pid for pid in held if pid]
        named = lock._look(place / lock.NAME)
        if len(holders) != 1 or named is None or named.holder is None or int(named.holder.pid) != holders[0]:
            wrong.append((k, kind, holders, named))
        else:
            taken[list(held).index(holders[0])] += 1
        gates[2].wait()
        if k:
            shutil.rmtree(root / str(k - 1))
    for process in runs:
        process.join()
    shutil.rmtree(root)
    for failure in wrong[:10]:
        print("round", *failure)
    print(f"{options.rounds} rounds, {options.runs} runs each, {killed} more killed in the middle, on {root.parent}: "
          f"{options.rounds - len(wrong)} with one holder, {len(wrong)} without; taken by each {taken}; "
          f"{time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

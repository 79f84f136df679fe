"""Run a campaign: its members one after the other, and the commands on their results. All of it resumes, and can be added to."""

from __future__ import annotations

import contextlib
import re
import resource
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hpcglass.__main__ import main
from papers.entry import Campaign
from papers.results import Gallery, Member

ROOT = Path(__file__).resolve().parents[2]
INPUTS = ROOT / "inputs" / "papers"
SCALES = ("small", "measured", "paper")


def source(campaign: Campaign) -> Path:
    """The campaign's input."""
    return INPUTS / f"{campaign.input or campaign.name}.toml"


def small(path: Path) -> list[str]:
    """Keys of the line "try it small" of an input."""
    line = re.search(r"^# try it small:(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return shlex.split(line[1])[1::2] if line else []


def keys(campaign: Campaign, member: Sequence[str], scale: str, more: Sequence[str] = ()) -> list[str]:
    """All that is set; of a key that comes twice the last."""
    chosen = {"small": [*member, *small(source(campaign))], "measured": [*campaign.measured, *member], "paper": list(member)}
    every = [*chosen[scale], *more]
    return list({key.partition("=")[0]: key for key in every}.values())


def command(campaign: Campaign, member: Sequence[str], scale: str, more: Sequence[str] = ()) -> list[str]:
    """`hpcglass run ...`, without its output."""
    sets = [word for key in keys(campaign, member, scale, more) for word in ("--set", key)]
    return ["run", source(campaign).relative_to(ROOT).as_posix(), *sets]


def run(campaign: Campaign, at: Gallery, ranks: int = 1, more: Sequence[str] = (), only: str | None = None) -> None:
    """Run what is not done yet, of one member or of all."""
    for name, member in campaign.members:
        if only is None or name == only:
            place = at[campaign.name, name]
            note(place, more)
            execute([*command(campaign, member, at.scale, more), "--no-plots", "--output", str(place.run)], place, ranks)


def note(place: Member, more: Sequence[str]) -> None:
    """Write down what was set besides, for the record of the entries."""
    place.directory.mkdir(parents=True, exist_ok=True)
    (place.directory / "set").write_text("".join(f"{key}\n" for key in more))


def noted(place: Member) -> list[str]:
    """What was set besides."""
    path = place.directory / "set"
    return path.read_text().splitlines() if path.exists() else []


def finish(campaign: Campaign, at: Gallery) -> None:
    """The commands on the results: merged files, scores, pictures."""
    for name, _ in campaign.members:
        place = at[campaign.name, name]
        if place.run.exists():
            for line in campaign.after:
                for task, directory in place.tasks.items() if "{task}" in line else [("", place.run)]:
                    out = place.directory / task if task else place.directory
                    words = {"{run}": str(place.run), "{task}": str(directory), "{out}": str(out)}
                    execute([filled(word, words) for word in shlex.split(line)], place, 1)


def filled(word: str, words: dict[str, str]) -> str:
    """A word of a command with the names in it replaced."""
    for name, value in words.items():
        word = word.replace(name, value)
    return word


def execute(arguments: Sequence[str], place: Member, ranks: int) -> None:
    """An hpcglass command; its processor time is added to what the member has taken so far.

    On one rank it runs in this process: to start one takes seconds.
    """
    print("hpcglass " + shlex.join(arguments), flush=True)
    before = used()
    if ranks > 1:
        code = subprocess.run(
            [str(ROOT / "tools" / "launch"), str(ranks), sys.executable, "-m", "hpcglass", *arguments], cwd=ROOT
        ).returncode
    else:
        with contextlib.chdir(ROOT):
            code = main(list(arguments))
    ledger(place).write_text(f"{seconds(place) + used() - before:.1f}\n")
    if code:
        raise SystemExit(code)


def used() -> float:
    """Processor seconds of this process and of those it has waited for."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def ledger(place: Member) -> Path:
    """Where a member's processor time is written down."""
    return place.directory / "cpu-seconds"


def seconds(place: Member) -> float:
    """Processor seconds of a member so far."""
    return float(ledger(place).read_text()) if ledger(place).exists() else 0.0


def recorded(place: Member) -> float:
    """Processor seconds that the files of a run made elsewhere say: time of all ranks, waiting included."""
    from hpcglass.sealed.file import File

    total = 0.0
    for path in sorted(place.run.resolve().rglob("[0-9][0-9]-*.h5")):
        with File(path) as file:
            total += 3600 * float(file.attributes("/timing")["core_hours"]) if "/timing" in file else 0.0
    return total

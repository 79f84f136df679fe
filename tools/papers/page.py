"""docs/gallery.md from what is kept in docs/gallery: nothing is run."""

from __future__ import annotations

import math
from pathlib import Path

from papers import campaign as campaigns
from papers import store
from papers.catalogue import CAMPAIGNS, ENTRIES
from papers.entry import PAPERS, Entry, shown, verdict

VERDICTS = {"agrees": "agree", "undecided": "are undecided", "differs": "differ"}
PAGE = store.ROOT / "docs" / "gallery.md"
HEAD = """<!-- Written by tools/gallery table: do not edit. -->
# Gallery

Every figure and table of five papers: what one command makes of it on a small machine, beside what the paper says. Most numbers
come from short runs of one core, with smaller glasses, fewer samples and less annealing than in the papers: the command of
each section says how small.

```sh
tools/gallery list                       # entries, and what is measured
tools/gallery run 001-fig1               # run (or go on with) what an entry needs, take its numbers, draw its picture
tools/gallery run 001-fig1 --set ensemble.samples=400         # more samples: only those are run that are not there yet
tools/gallery run 001-fig1 --scale paper --ranks 64           # the paper's sizes: for a cluster; --scale small: a minute's try
tools/gallery add 003-fig4 results/mine --set N=4096          # take a run that was made elsewhere
tools/gallery table                      # write this page
```

Each section states what is *allowed*: the paper's number, with a slack where it is read off a figure or stands for words. A
number **agrees** if it is within two of its standard errors of that range; where only more or less than a limit is asked, if it
is beyond the limit by two errors. It is **undecided** if the limit is within two errors, or if two errors are more than half of
the paper's number; else it **differs**. A number without an error says why. Numbers, errors, commands, versions and the
commit of each entry are in `docs/gallery/*.json`; `docs/gallery/*.h5`, of entries taken since that is done, have the curves of
its picture. A **self-check** returns numbers of the paper from inputs that are made of them: it tests the method, and is not
counted. CPU times are user and system time of all runs of an entry, compilation of kernels included; entries of one campaign
share its runs.

"""


def page() -> str:
    """The whole page."""
    parts = [HEAD, summary()]
    for paper, title in PAPERS.items():
        parts.append(f"## Paper {paper}\n\n{title}.\n\n")
        parts += [section(entry) for entry in ENTRIES if entry.id.startswith(paper)]
    return "".join(parts).rstrip() + "\n"


def summary() -> str:
    """A row for each figure: its first number, and how many of all agree."""
    lines = ["| | number | paper | here | | all | CPU |", "|---|---|---|---|---|---|---|"]
    every: list[str] = []
    checks: list[str] = []
    count = 0
    for entry in ENTRIES:
        record, first = store.kept(entry), entry.numbers[0]
        said = [verdict(one, *record.number(one.name)) for one in entry.numbers] if record else ["not run"]
        asked = [word for word in said if word in VERDICTS]
        every += asked
        checks += [word for word in said if word.startswith("self-check")]
        count += any(word in (*VERDICTS, "no number in the paper") for word in said)
        ours = shown(*record.number(first.name)) if record else "-"
        link = f"[{entry.id[:3]} {entry.figure}](#{anchor(entry)})"
        agree = f"{asked.count('agrees')} of {len(asked)}" if asked else ""
        time = duration(record.seconds) if record else ""
        lines.append(cells(link, first.name, first.theirs, ours, said[0], agree, time))
    words = ", ".join(f"{every.count(word)} {meaning}" for word, meaning in VERDICTS.items())
    return f"""{len(ENTRIES)} figures and tables; {count} have a number of ours. Of {len(every)} numbers {words}. Of {len(checks)}
self-checks {checks.count("self-check agrees")} return what they must. In the table: the first number of each, and how many of
all agree.

""" + "\n".join([*lines, "", ""])


def cells(*texts: str) -> str:
    """A row of a table."""
    return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"


def section(entry: Entry) -> str:
    """Picture, command, numbers, and where the two differ."""
    record = store.kept(entry)
    lines = [f"### {heading(entry)}", "", f"{sentence(entry.what)}."]
    if (store.KEPT / f"{entry.id}.png").exists():
        lines += ["", f"![{entry.id[:3]} {entry.figure}: {entry.what}](gallery/{entry.id}.png)"]
    names = dict.fromkeys(campaigns.source(CAMPAIGNS[name]).name for name in entry.campaigns)
    inputs = ", ".join(f"[{name}](../inputs/papers/{name})" for name in names)
    how = f"`tools/gallery run {entry.id}`, {inputs}" if inputs else "No simulation"
    if record and not entry.campaigns:
        lines += ["", f"{how}; commit {record.commit}."]
    elif record:
        lines += [
            "",
            f"{how}: {duration(record.seconds)} of processor time ({record.machine}), commit {record.commit}.",
            "",
            "```text",
            *(folded(line) for line in record.commands),
            "```",
        ]
    elif entry.campaigns:
        lines += ["", f"{how}: not run yet (about {minutes(entry):.0f} minutes of one core)."]
    if entry.numbers:
        lines += ["", "| number | in the paper | paper | allowed | here | |", "|---|---|---|---|---|---|"]
        for number in entry.numbers:
            value, error = record.number(number.name) if record else (float("nan"), float("nan"))
            said = verdict(number, value, error) if record else "not run"
            ours = shown(value, error) + (f" ({number.no_error})" if math.isfinite(value) and math.isnan(error) else "")
            lines.append(cells(number.name, number.read, number.theirs, number.allowed, ours, said))
    if entry.note:
        lines += ["", entry.note]
    return "\n".join(lines) + "\n\n"


def sentence(words: str) -> str:
    """With a capital letter, but for symbols."""
    return words[:1].upper() + words[1:] if words[:1].isascii() else words


def heading(entry: Entry) -> str:
    return f"{entry.id[:3]} {entry.figure}"


def anchor(entry: Entry) -> str:
    """The heading as a link, as GitHub and mkdocs make it."""
    return heading(entry).lower().replace(".", "").replace(" ", "-")


def folded(line: str, width: int = 150) -> str:
    """A long command in several lines."""
    out, current = [], ""
    for word in line.split(" --set "):
        piece = f" --set {word}" if current or out else word
        if len(current) + len(piece) > width:
            out.append(current + " \\")
            current = "   "
        current += piece
    return "\n".join([*out, current])


def minutes(entry: Entry) -> float:
    """Of one core, about."""
    return sum(CAMPAIGNS[name].minutes for name in entry.campaigns)


def duration(seconds: float) -> str:
    """Processor time in words."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def listing() -> str:
    """A line for each entry, for the terminal."""
    lines = []
    for entry in ENTRIES:
        record = store.kept(entry)
        state = (
            f"measured, {duration(record.seconds)}"
            if record
            else f"not run, about {minutes(entry):.0f} min"
            if entry.campaigns
            else "-"
        )
        lines.append(f"{entry.id:12} {state:24} {', '.join(entry.campaigns):40} {entry.what}")
    return "\n".join(lines)


def missing() -> list[Path]:
    """Inputs that entries name and that are not there."""
    return [path for path in map(campaigns.source, CAMPAIGNS.values()) if not path.exists()]

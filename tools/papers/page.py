"""docs/gallery.md from what is kept in docs/gallery: nothing is run."""

from __future__ import annotations

from pathlib import Path

from papers import campaign as campaigns
from papers import store
from papers.catalogue import CAMPAIGNS, ENTRIES
from papers.entry import PAPERS, Entry, shown, verdict

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

A number *agrees* if it is within two standard errors of what the paper says, with the slack that the entry gives where the
paper has a figure or words only; it is *too uncertain* if two of its errors are larger than itself. Numbers, errors,
commands, versions and the commit of each entry are in `docs/gallery/*.json`. CPU times are user and system time of all runs
of an entry, compilation of kernels included; entries of one campaign share its runs.

"""


def page() -> str:
    """The whole page."""
    parts = [HEAD, summary()]
    for paper, title in PAPERS.items():
        parts.append(f"## Paper {paper}\n\n{title}.\n\n")
        parts += [section(entry) for entry in ENTRIES if entry.id.startswith(paper)]
    return "".join(parts).rstrip() + "\n"


def summary() -> str:
    """A row for each figure."""
    lines = ["| | number | paper | here | | CPU |", "|---|---|---|---|---|---|"]
    count = 0
    for entry in ENTRIES:
        record = store.kept(entry)
        link = f"[{entry.id[:3]} {entry.figure}](#{anchor(entry)})"
        if not entry.numbers:
            lines.append(f"| {link} | {entry.what} | | | no number | |")
            continue
        first = entry.numbers[0]
        value, error = record.number(first.name) if record else (float("nan"), float("nan"))
        said = verdict(first, value, error) if record else "not run"
        count += record is not None and said != "no value"
        lines.append(cells(link, first.name, first.theirs, shown(value, error), said, duration(record.seconds) if record else ""))
    return f"{len(ENTRIES)} figures and tables; {count} have a number of ours.\n\n" + "\n".join(lines) + "\n\n"


def cells(*texts: str) -> str:
    """A row of a table."""
    return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"


def section(entry: Entry) -> str:
    """Picture, command, numbers, and where the two differ."""
    record = store.kept(entry)
    lines = [f"### {heading(entry)}", "", f"{entry.what[:1].upper()}{entry.what[1:]}."]
    if (store.KEPT / f"{entry.id}.png").exists():
        lines += ["", f"![{entry.id[:3]} {entry.figure}: {entry.what}](gallery/{entry.id}.png)"]
    inputs = ", ".join(f"[{name}.toml](../inputs/papers/{name}.toml)" for name in entry.campaigns)
    how = f"`tools/gallery run {entry.id}`, {inputs}" if inputs else "No simulation"
    if record:
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
        lines += ["", "| number | in the paper | paper | here | |", "|---|---|---|---|---|"]
        for number in entry.numbers:
            value, error = record.number(number.name) if record else (float("nan"), float("nan"))
            said = verdict(number, value, error) if record else "not run"
            lines.append(cells(number.name, number.read, number.theirs, shown(value, error), said))
    if entry.note:
        lines += ["", entry.note]
    return "\n".join(lines) + "\n\n"


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

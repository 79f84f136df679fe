"""Did you mean ...? The nearest known word to a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher


def edit_distance(a: str, b: str) -> int:
    """Insertions, deletions, replacements and exchanges of neighbours that lead from `a` to `b`."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, before_above = row, before
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and y == a[i - 2]:
                cost = min(cost, before_above[j - 2] + 1)
            row.append(cost)
        before = above
    return row[-1]


def suggest(word: str, known: Iterable[str], present: Iterable[str] = ()) -> str | None:
    """The known word that was probably meant, or None.

    Parameters
    ----------
    word : str
        What was written.
    known : words
        What could have been meant.
    present : words
        Known words that are there already, hence less likely to be the misspelt one.
    """
    there = set(present)
    lower = word.lower()

    def rank(candidate: str) -> tuple[float, float]:
        likeness = SequenceMatcher(None, lower, candidate.lower()).ratio()
        return edit_distance(lower, candidate.lower()) + (candidate in there), -likeness

    near = [c for c in known if _near(lower, c.lower())]
    return min(near, key=rank, default=None)


def _near(word: str, candidate: str) -> bool:
    if len(word) > 100:
        return False
    limit = max(2, len(candidate) // 3)
    return edit_distance(word, candidate) <= min(limit, max(len(candidate) - 1, 1))


def did_you_mean(word: str, known: Iterable[str], present: Iterable[str] = ()) -> str:
    """", did you mean 'x'?" or nothing: the tail of an error message."""
    best = suggest(word, known, present)
    return f", did you mean '{best}'?" if best else ""
